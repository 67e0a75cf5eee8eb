//! `aigolos models`: the models of this machine, beside a running server or without one.

mod progress;
mod setup;
mod table;

use std::{
    io::{self, IsTerminal as _, Write as _},
    process::ExitCode,
};

use clap::Subcommand;

use super::Outcome;
use crate::{
    app::{config::Config, library},
    catalogue::{DownloadState, InUse, Library, LibraryError, Licence, Verdict},
    engine::{chat::ChatBackend, models::ModelKind},
};

/// What to do with models.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum ModelsAction {
    /// Show models: Whisper's, voices of your language, what is here
    List {
        /// Voices of all languages too
        #[arg(long, conflicts_with = "installed")]
        all: bool,
        /// Only what is here
        #[arg(long)]
        installed: bool,
        /// Only what speaks or understands this language, an ISO 639-1 code such as `ru`
        #[arg(long, value_name = "CODE")]
        language: Option<String>,
    },
    /// Fetch models, or go on where it stopped: `base.en`, `ru_RU-irina-medium`, `ollama:qwen2.5:0.5b`
    Pull {
        #[arg(required = true)]
        names: Vec<String>,
        /// Fetch it also if it is here already
        #[arg(long)]
        again: bool,
        /// Do not ask whether a voice's terms are agreed to
        #[arg(short, long)]
        yes: bool,
    },
    /// Fetch real models where there are none: a recogniser that is fast enough here, and a voice. Does nothing where they are
    Setup {
        /// `auto` (the default), `none`, or names as `pull` takes them; else what MODELS_FETCH says
        names: Vec<String>,
    },
    /// Use a model from now on; a running server takes it up by itself. `auto:asr`, `auto:llm` and `auto:tts` take the choice back
    Use { name: String },
    /// Remove models
    Rm {
        #[arg(required = true)]
        names: Vec<String>,
    },
    /// Read models again and compare them with what they were when they were installed; without names all that are here
    Verify { names: Vec<String> },
}

/// `aigolos models`.
pub async fn models(config: &Config, action: ModelsAction) -> Outcome {
    let library = library::open(config)?;
    let chosen = InUse::load(&config.settings.data_dir)?;
    match action {
        ModelsAction::List { all, installed, language } => {
            let only = table::Only { all, installed, language, spoken: config.settings.default_language.clone() };
            table::print(&library, &library::in_use(config, &chosen), &only).await?;
            Ok(ExitCode::SUCCESS)
        }
        ModelsAction::Pull { names, again, yes } => pull(&library, names, again, yes).await,
        ModelsAction::Setup { names } => setup::setup(config, &library, &names).await,
        ModelsAction::Use { name } => choose(config, &library, &name).await,
        ModelsAction::Rm { names } => {
            let in_use = library::in_use(config, &chosen);
            each(names, async |name| {
                library.remove(name, &in_use).await.map_err(told)?;
                println!("{name} is removed");
                Ok(())
            })
            .await
        }
        ModelsAction::Verify { names } => verify(&library, names).await,
    }
}

async fn pull(library: &Library, names: Vec<String>, again: bool, yes: bool) -> Outcome {
    let mut watches = Vec::new();
    let mut failed = false;
    for name in &names {
        if !again && library.here(name).await.is_ok() {
            println!("{name} is here already");
            continue;
        }
        if !agreed(library, name, yes).await? {
            eprintln!("{name} is not fetched");
            failed = true;
            continue;
        }
        match library.pull(name, again) {
            Ok(watch) => watches.push(watch),
            Err(error) => {
                eprintln!("error: {}", told(error));
                failed = true;
            }
        }
    }
    let ended = tokio::select! {
        ended = progress::show(watches) => ended,
        _ = tokio::signal::ctrl_c() => {
            library.close();
            eprintln!("\nstopped; the same command goes on where it stopped");
            return Ok(ExitCode::FAILURE);
        }
    };
    for download in &ended {
        let name = &download.name;
        match (download.state, &download.trouble) {
            (DownloadState::Done, _) => match download.checked {
                _ if download.already => println!("{name} is here already"),
                Some(checked) => println!("{name} is here, checked against the {}", checked.words()),
                None => println!("{name} is here"),
            },
            (_, Some(trouble)) => {
                eprintln!("error: {name}: {}\nhint: {}", trouble.message, trouble.hint);
                failed = true;
            }
            _ => failed = true,
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// Shows the terms of a voice; at a terminal they are to be agreed to.
async fn agreed(library: &Library, name: &str, yes: bool) -> io::Result<bool> {
    let Some(Licence::Card { .. }) = library.find(name).map(|entry| &entry.licence) else { return Ok(true) };
    match library.card(name).await {
        Ok((text, address)) => {
            println!("The terms of {name}, from {}:\n", address.unwrap_or_default());
            // Whatever it says, it says nothing to the terminal.
            let plain = text.chars().filter(|c| !c.is_control() || *c == '\n').collect::<String>();
            plain.trim().lines().for_each(|line| println!("    {line}"));
            println!();
        }
        Err(error) => eprintln!("warning: the terms of {name} cannot be read: {error}"),
    }
    if yes || !io::stdin().is_terminal() {
        return Ok(true);
    }
    print!("Fetch it? [Y/n] ");
    io::stdout().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "" | "y" | "yes"))
}

async fn choose(config: &Config, library: &Library, name: &str) -> Outcome {
    let back =
        name.strip_prefix("auto:").and_then(|kind| ModelKind::ALL.into_iter().find(|known| known.name() == kind));
    let (kind, choice) = match (back, name) {
        (Some(kind), _) => (kind, None),
        (None, "nano") => (ModelKind::Asr, Some("nano".to_owned())),
        (None, _) => {
            let (kind, name) = library.here(name).await.map_err(told)?;
            (kind, Some(name))
        }
    };
    let setting = kind.setting();
    if config.given(setting) {
        let error = format!(
            "{setting} is set, and counts more than a choice\nhint: change {setting} in the environment or .env and start again, or remove it there"
        );
        return Err(error.into());
    }
    let settings = &config.settings;
    let other = match kind {
        ModelKind::Llm if matches!(settings.llm_backend.parse(), Ok(ChatBackend::OpenAi | ChatBackend::Builtin)) => {
            Some(("LLM_BACKEND", &settings.llm_backend, "ollama"))
        }
        ModelKind::Tts if settings.tts_engine == "espeak" => Some(("TTS_ENGINE", &settings.tts_engine, "auto")),
        _ => None,
    };
    if let Some((setting, value, wanted)) = other.filter(|_| choice.is_some()) {
        let error = format!(
            "{setting}={value} has something else answer\nhint: remove {setting} or set it to {wanted}, and start again"
        );
        return Err(error.into());
    }
    let said = choice.clone().unwrap_or_else(|| format!("what {setting} and its default say"));
    // Read only now: while Ollama was asked, an administrator may have chosen another kind on the page.
    let mut chosen = InUse::load(&config.settings.data_dir)?;
    chosen.set(kind, choice);
    chosen.save(&config.settings.data_dir)?;
    println!("{said} is in use from now on; a running server takes it up within seconds");
    Ok(ExitCode::SUCCESS)
}

async fn verify(library: &Library, names: Vec<String>) -> Outcome {
    let names = if names.is_empty() {
        let here = library.list()?.into_iter().filter(|model| model.present.is_some());
        here.map(|model| model.name).collect()
    } else {
        names
    };
    if names.is_empty() {
        println!("there are no models in {}", library.folder().display());
    }
    each(names, async |name| {
        let again = format!("hint: fetch it again with `aigolos models pull --again {name}`");
        match library.verify(name).await.map_err(told)? {
            Verdict::Whole { against } => println!("{name} is whole: it is {against}"),
            Verdict::Unknown => println!("{name} was put there by hand; nothing says what it must be"),
            Verdict::Changed { path, expected, found } => {
                let path = path.display();
                return Err(format!("{name} is damaged: {path} is {found}, not {expected}\n{again}"));
            }
            Verdict::Gone { path } => return Err(format!("{name} is not whole: {} is gone\n{again}", path.display())),
            Verdict::Unreadable { path, reason } => {
                return Err(format!("{name}: {} cannot be read: {reason}\n{again}", path.display()));
            }
        }
        Ok(())
    })
    .await
}

/// Does it with each name, also if it fails with one.
async fn each(names: Vec<String>, act: impl AsyncFn(&str) -> Result<(), String>) -> Outcome {
    let mut code = ExitCode::SUCCESS;
    for name in &names {
        if let Err(error) = act(name).await {
            eprintln!("error: {error}");
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}

fn told(error: LibraryError) -> String {
    match error.hint() {
        hint if hint.is_empty() => error.to_string(),
        hint => format!("{error}\nhint: {hint}"),
    }
}
