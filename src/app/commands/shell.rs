//! `aigolos completions` and `aigolos man`: what a package puts beside the program, made of its own definition.

use std::{io, process::ExitCode};

use clap_mangen::{
    Man,
    roff::{Roff, bold, roman},
};

use super::Outcome;
use crate::app::config;

/// The program's name, as it is typed.
const NAME: &str = "aigolos";

/// `aigolos completions`.
pub fn completions(shell: clap_complete::Shell) -> Outcome {
    let mut text = Vec::new();
    clap_complete::generate(shell, &mut config::command(), NAME, &mut text);
    print(&text)
}

/// `aigolos man`.
pub fn man() -> Outcome {
    print(&page(config::command())?)
}

fn page(mut whole: clap::Command) -> io::Result<Vec<u8>> {
    whole.build();
    let mut text = Vec::new();
    let man = Man::new(whole.clone()).section("1").manual("aigolos");
    man.render_title(&mut text)?;
    man.render_name_section(&mut text)?;
    beginning().to_writer(&mut text)?;
    let mut commands = Roff::new();
    commands.control("SH", ["COMMANDS"]);
    for command in whole.get_subcommands().filter(|command| command.get_name() != "help") {
        describe(command, NAME, &mut commands);
    }
    commands.to_writer(&mut text)?;
    man.render_options_section(&mut text)?;
    rest().to_writer(&mut text)?;
    Ok(text)
}

fn beginning() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["SYNOPSIS"]);
    roff.text([bold(NAME), roman(" [SETTINGS] [COMMAND [ARGUMENTS]]")]);
    roff.control("SH", ["DESCRIPTION"]);
    roff.text([roman(
        "Streams speech in, and transcripts, answers and speech back as they happen. Without a command it serves: a page for the browser, and protocols for programs.",
    )]);
    roff.control("PP", []);
    roff.text([roman(
        "Every setting is a flag, and a variable of the environment or a line of .env by the name that stands behind the flag below: --bind is BIND. Flags win over the environment, which wins over .env. ",
    )]);
    roff.text([bold("aigolos config"), roman(" prints what is in effect and where it came from.")]);
    roff
}

/// A command's name, what it takes of its own, and what it does; then its parts.
fn describe(command: &clap::Command, before: &str, roff: &mut Roff) {
    let name = format!("{before} {}", command.get_name());
    let own = || command.get_arguments().filter(|argument| !argument.is_global_set() && argument.get_id() != "help");
    let parts: Vec<_> = command.get_subcommands().filter(|part| part.get_name() != "help").collect();
    if parts.is_empty() {
        let takes: Vec<_> = std::iter::once(String::new()).chain(own().map(shown)).collect();
        roff.control("TP", []);
        roff.text([bold(name.as_str()), roman(takes.join(" "))]);
        roff.text([roman(command.get_about().map(ToString::to_string).unwrap_or_default())]);
    }
    for part in parts {
        describe(part, &name, roff);
    }
}

/// `FILE`, `[--words]`, `--output <OUTPUT>`.
fn shown(argument: &clap::Arg) -> String {
    let value = argument.get_id().as_str().to_uppercase();
    let text = match argument.get_long() {
        None => value,
        Some(long) if argument.get_action().takes_values() => format!("--{long} <{value}>"),
        Some(long) => format!("--{long}"),
    };
    if argument.is_required_set() { text } else { format!("[{text}]") }
}

/// What clap does not know: files, signals, exit codes, where to read on.
fn rest() -> Roff {
    let mut roff = Roff::new();
    let sections: [(&str, &[(&str, &str)]); 4] = [
        (
            "FILES",
            &[
                (".env", "Settings, read from the working directory; the environment and flags win over it."),
                ("/etc/aigolos/aigolos.env", "Settings of the Debian package's service."),
                ("/var/lib/aigolos", "Where that service keeps what it writes (DATA_DIR)."),
                ("/usr/share/aigolos", "Its bundled data: espeak-ng's."),
            ],
        ),
        (
            "SIGNALS",
            &[
                (
                    "SIGTERM",
                    "Stop: not ready any more, after DRAIN_NOTICE_SECONDS no new sessions; what was begun is finished within DRAIN_SECONDS, then clients are sent elsewhere. A second one ends the waiting.",
                ),
                ("SIGINT", "The same without notice; at once where nobody talks."),
            ],
        ),
        (
            "EXIT STATUS",
            &[
                ("0", "It did what was asked; a server that was told to stop has stopped."),
                ("1", "It failed; standard error says why and what to do."),
                ("64", "A setting or an argument cannot be used."),
            ],
        ),
        (
            "SEE ALSO",
            &[
                ("aigolos check", "says what is present, what is missing, and what to do about it."),
                ("/usr/share/doc/aigolos", "The documentation of the Debian package."),
            ],
        ),
    ];
    for (title, entries) in sections {
        roff.control("SH", [title]);
        for (term, text) in entries {
            roff.control("TP", []);
            roff.text([bold(*term)]);
            roff.text([roman(*text)]);
        }
    }
    roff
}

/// A reader that has enough and goes is no failure.
fn print(text: &[u8]) -> Outcome {
    use io::Write as _;
    match io::stdout().lock().write_all(text) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(ExitCode::SUCCESS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commands() -> Vec<String> {
        config::command().get_subcommands().map(|command| command.get_name().to_owned()).collect()
    }

    #[test]
    fn the_man_page_names_every_command_and_setting() {
        let page = page(config::command()).expect("it is written to memory");
        // Hyphens are escaped in roff.
        let page = String::from_utf8(page).expect("text").replace("\\-", "-");
        for name in config::names().into_iter().chain(commands().iter().map(|name| format!("{NAME} {name}"))) {
            assert!(page.contains(&name), "{name}");
        }
        for section in ["NAME", "SYNOPSIS", "FILES", "SIGNALS", "EXIT STATUS"] {
            assert!(
                page.contains(&format!(".SH {section}")) || page.contains(&format!(".SH \"{section}\"")),
                "{section}"
            );
        }
    }

    #[test]
    fn completions_name_every_command_in_every_shell() {
        for shell in [clap_complete::Shell::Bash, clap_complete::Shell::Zsh, clap_complete::Shell::Fish] {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut config::command(), NAME, &mut text);
            let text = String::from_utf8(text).expect("text");
            for name in commands() {
                assert!(text.contains(&name), "{shell}: {name}");
            }
        }
    }
}
