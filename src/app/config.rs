//! What can be set, by environment, `.env` file or flag: typed, checked before anything is opened, printable.
//!
//! [`Settings`] is what was typed, [`Config`] is what it means.

use std::{
    ffi::OsString,
    fmt::{self, Write as _},
    net::{SocketAddr, ToSocketAddrs},
    path::PathBuf,
};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, parser::ValueSource};

use super::commands::{backup::BackupAction, models::ModelsAction, user::UserAction};
pub use super::settings::Settings;

/// A self-hosted realtime voice server. Without a command it serves.
#[derive(Debug, Parser)]
#[command(name = "aigolos", version, max_term_width = 110)]
struct Cli {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    settings: Settings,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Action {
    /// Serve the page and the WebSocket (the default)
    Serve,
    /// Say what is present, what is missing, and what to do about it
    Check,
    /// Print the configuration in effect, secrets redacted
    Config,
    /// Print the words of a WAV file
    Transcribe {
        /// A WAV file, 8 to 48 kHz
        file: PathBuf,
        /// Also print each word with its times in milliseconds
        #[arg(long)]
        words: bool,
    },
    /// Speak a text into a WAV file
    Say {
        text: String,
        /// Where to write the WAV file
        #[arg(short, long)]
        output: PathBuf,
        /// A voice id; `aigolos check` lists them
        #[arg(long)]
        voice: Option<String>,
    },
    /// List, fetch, choose, remove and check models
    Models {
        #[command(subcommand)]
        action: ModelsAction,
    },
    /// Print completions for a shell, to be put where it looks for them
    Completions { shell: clap_complete::Shell },
    /// Print the man page
    Man,
    /// Make a certificate for this machine, and print the settings that use it
    DevCert,
    /// Save everything that is kept in one file, beside a running server or without one
    Backup {
        #[command(flatten)]
        action: BackupAction,
    },
    /// Bring back what a backup holds, into either database; no server may run meanwhile
    Restore {
        /// A file that `aigolos backup` made
        file: PathBuf,
        /// Replace what is there
        #[arg(long)]
        force: bool,
    },
    /// Make, list, lock and delete accounts
    User {
        #[command(subcommand)]
        action: UserAction,
    },
}

/// The settings, checked, and where each came from.
#[derive(Debug, Clone)]
pub struct Config {
    pub settings: Settings,
    /// Where to listen.
    pub bind: SocketAddr,
    /// Where to listen for Wyoming clients.
    pub wyoming: Option<SocketAddr>,
    /// Where to listen for who reads the metrics.
    pub metrics: Option<SocketAddr>,
    lines: Vec<Line>,
}

/// One setting for printing.
#[derive(Debug, Clone)]
struct Line {
    name: String,
    value: String,
    source: &'static str,
}

/// Why there is no configuration; its text says what to do.
#[derive(Debug)]
pub struct ConfigError {
    text: String,
    help: bool,
}

impl ConfigError {
    fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), help: false }
    }

    /// Not an error but `--help` or `--version`.
    #[must_use]
    pub fn is_help(&self) -> bool {
        self.help
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text.trim_end())
    }
}

impl Config {
    /// From the program's arguments, the environment and the `.env` file in the working directory.
    ///
    /// # Errors
    /// [`ConfigError`] names the setting and says what it accepts.
    pub fn load() -> Result<(Action, Self), ConfigError> {
        load_env_file()?;
        Self::parse(std::env::args_os())
    }

    /// From arguments alone (and the environment, which clap reads).
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<(Action, Self), ConfigError> {
        let clap_error =
            |error: clap::Error| ConfigError { text: error.render().to_string(), help: !error.use_stderr() };
        let command = Cli::command();
        let matches = command.clone().try_get_matches_from(arguments).map_err(clap_error)?;
        let cli = Cli::from_arg_matches(&matches).map_err(clap_error)?;
        let lines = lines(&command, &matches);
        let config = Self::check(cli.settings, lines)?;
        Ok((cli.action.unwrap_or(Action::Serve), config))
    }

    fn check(settings: Settings, lines: Vec<Line>) -> Result<Self, ConfigError> {
        let bind = address("BIND", &settings.bind, "127.0.0.1:8080")?;
        let wyoming = match settings.clients.wyoming_bind.as_str() {
            "" => None,
            there => Some(address("WYOMING_BIND", there, "127.0.0.1:10300, or 0.0.0.0:10300 for all of the network")?),
        };
        let metrics = match settings.operating.metrics_bind.as_str() {
            "" => None,
            there => Some(address("METRICS_BIND", there, "127.0.0.1:9464, or 0.0.0.0:9464 for all of the network")?),
        };
        if !bind.ip().is_loopback() && !settings.open_to_network && settings.keeping.auth_mode != "required" {
            return Err(ConfigError::new(format!(
                "error: BIND={bind} would let anyone who reaches this machine use the server\nhint: AUTH_MODE=required asks for accounts; or bind 127.0.0.1 behind a reverse proxy, or say OPEN_TO_NETWORK=true"
            )));
        }
        if settings.soft_silence_ms > settings.silence_ms {
            return Err(ConfigError::new(format!(
                "error: SOFT_SILENCE_MS ({}) is above SILENCE_MS ({})\nhint: the soft end comes before the hard one: 200 and 500",
                settings.soft_silence_ms, settings.silence_ms
            )));
        }
        for (name, url) in [("OLLAMA_BASE_URL", &settings.ollama_base_url), ("LLM_BASE_URL", &settings.llm_base_url)] {
            if !url.starts_with("http://") && !url.starts_with("https://") {
                return Err(ConfigError::new(format!("error: {name} must begin with http:// or https://: {url}")));
            }
        }
        if settings.clients.tls_cert.is_empty() != settings.clients.tls_key.is_empty() {
            return Err(ConfigError::new(
                "error: one of TLS_CERT and TLS_KEY is missing\nhint: set both, or neither; `aigolos dev-cert` makes files for both",
            ));
        }
        Ok(Self { settings, bind, wyoming, metrics, lines })
    }

    /// Whether a setting was given, by flag, environment or `.env`. `auto` and nothing at all leave open what it is to be,
    /// and do not count.
    #[must_use]
    pub fn given(&self, name: &str) -> bool {
        self.lines
            .iter()
            .any(|line| line.name == name && line.source != "default" && !matches!(line.value.as_str(), "" | "auto"))
    }

    /// How addresses of this server begin.
    #[must_use]
    pub fn scheme(&self) -> &'static str {
        if self.settings.clients.tls_cert.is_empty() { "http" } else { "https" }
    }

    /// `NAME=value` lines with their source, secrets redacted.
    #[must_use]
    pub fn redacted(&self) -> String {
        let width = self.lines.iter().map(|line| line.name.len() + line.value.len() + 1).max().unwrap_or(0).min(60);
        let mut text = String::new();
        for Line { name, value, source } in &self.lines {
            let setting = format!("{name}={value}");
            let _ = writeln!(text, "{setting:width$}  # {source}"); // a String takes everything
        }
        text
    }
}

fn address(setting: &str, text: &str, example: &str) -> Result<SocketAddr, ConfigError> {
    let found = text.to_socket_addrs().ok().and_then(|mut found| found.next());
    found.ok_or_else(|| {
        ConfigError::new(format!("error: {setting} is not an address with a port: {text}\nhint: {example}"))
    })
}

/// The program's definition, for what is made of it.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// The names of all settings, as environment variables.
#[must_use]
pub fn names() -> Vec<String> {
    Cli::command().get_arguments().filter_map(|arg| Some(arg.get_env()?.to_str()?.to_owned())).collect()
}

fn lines(command: &clap::Command, matches: &clap::ArgMatches) -> Vec<Line> {
    // Flags may stand behind the subcommand too; there they count.
    let mut deepest = matches;
    while let Some((_, inner)) = deepest.subcommand() {
        deepest = inner;
    }
    command
        .get_arguments()
        .filter_map(|arg| {
            let name = arg.get_env()?.to_str()?.to_owned();
            let id = arg.get_id().as_str();
            let found = deepest.try_get_raw(id).ok().flatten().map(|raw| (deepest, raw));
            let (matches, raw) = found
                .or_else(|| Some((matches, matches.try_get_raw(id).ok().flatten()?)))
                .map_or((matches, None), |(m, r)| (m, Some(r)));
            let value =
                raw.map(|raw| raw.map(|part| part.to_string_lossy()).collect::<Vec<_>>().join(",")).unwrap_or_default();
            let secret = arg.is_hide_env_values_set() && !value.is_empty();
            let source = match matches.try_contains_id(id).ok().and_then(|_| matches.value_source(id)) {
                Some(ValueSource::CommandLine) => "flag",
                Some(ValueSource::EnvVariable) => "environment",
                _ => "default",
            };
            Some(Line { name, value: if secret { "***".into() } else { value }, source })
        })
        .collect()
}

/// Puts what `.env` says into the environment, where it does not say so already, and names what nobody knows.
fn load_env_file() -> Result<(), ConfigError> {
    let known = names();
    let entries = match dotenvy::dotenv_iter() {
        Ok(entries) => entries,
        Err(error) if error.not_found() => return Ok(()),
        Err(error) => return Err(ConfigError::new(format!("error: .env cannot be read: {error}"))),
    };
    for entry in entries {
        let (name, _) = entry.map_err(|error| ConfigError::new(format!("error: .env: {error}")))?;
        // Other programs share the file (compose, Rust's own switches); only what looks like ours by mistake is worth a word.
        if !known.contains(&name) && !FOREIGN.iter().any(|foreign| name.starts_with(foreign)) {
            eprintln!("warning: .env: unknown setting {name}{}", closest(&name, &known));
        }
    }
    dotenvy::dotenv().map(|_| ()).map_err(|error| ConfigError::new(format!("error: .env: {error}")))
}

/// Beginnings of names that belong to others.
const FOREIGN: &[&str] =
    &["RUST_", "CARGO_", "COMPOSE_", "DOCKER_", "CUDA_", "OMP_", "HF_", "OLLAMA_", "TZ", "HTTP", "NO_PROXY"];

fn closest(name: &str, known: &[String]) -> String {
    let common = |a: &str| a.chars().zip(name.chars()).take_while(|(a, b)| a == b).count();
    match known.iter().max_by_key(|candidate| common(candidate)) {
        Some(best) if common(best) >= 4 => format!(" (did you mean {best}?)"),
        _ => "; `aigolos --help` lists them".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<(Action, Config), ConfigError> {
        Config::parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn serving_on_this_machine_is_the_default() {
        let (action, config) = parse("aigolos").expect("defaults are valid");
        assert_eq!(action, Action::Serve);
        assert!(config.bind.ip().is_loopback());
    }

    #[test]
    fn an_open_address_needs_a_word() {
        let error = parse("aigolos --bind 0.0.0.0:8080").expect_err("nobody said so").to_string();
        assert!(error.contains("OPEN_TO_NETWORK"), "{error}");
        assert!(parse("aigolos --bind 0.0.0.0:8080 --open-to-network true").is_ok());
        assert!(parse("aigolos --bind 0.0.0.0:8080 --auth-mode required").is_ok());
    }

    #[test]
    fn what_cannot_be_is_named() {
        for (line, name) in [
            ("aigolos --bind nonsense", "BIND"),
            ("aigolos --soft-silence-ms 900", "SOFT_SILENCE_MS"),
            ("aigolos --vad-threshold 7", "vad-threshold"),
            ("aigolos --max-sessions 0", "max-sessions"),
            ("aigolos --ollama-base-url localhost:11434", "OLLAMA_BASE_URL"),
            ("aigolos --vad-engine silero", "vad-engine"),
            ("aigolos --tls-cert cert.pem", "TLS_KEY"),
            ("aigolos --wyoming-bind 10300", "WYOMING_BIND"),
            ("aigolos --metrics-bind 9464", "METRICS_BIND"),
            ("aigolos --tls-key key.pem", "TLS_CERT"),
        ] {
            let error = parse(line).expect_err(line).to_string();
            assert!(error.contains(name), "{line}: {error}");
        }
    }

    #[test]
    fn what_was_left_open_was_not_given() {
        let (_, config) =
            parse("aigolos --asr-model-name auto --tts-voice en-gb --llm-model-name qwen2.5:7b").expect("valid");
        assert!(config.given("TTS_VOICE") && config.given("LLM_MODEL_NAME"));
        assert!(!config.given("ASR_MODEL_NAME") && !config.given("MAX_SESSIONS") && !config.given("NO_SUCH"));
    }

    #[test]
    fn the_key_is_never_printed() {
        let (_, config) = parse("aigolos config --llm-api-key hush-hush --max-sessions 3").expect("valid");
        let printed = config.redacted();
        assert!(!printed.contains("hush-hush") && printed.contains("LLM_API_KEY=***"), "{printed}");
        assert!(
            printed.lines().any(|line| line.starts_with("MAX_SESSIONS=3") && line.ends_with("# flag")),
            "{printed}"
        );
    }

    #[test]
    fn the_example_file_and_the_page_name_the_same_settings() {
        let example = include_str!("../../.env.example");
        let mut listed: Vec<_> = example
            .lines()
            .filter_map(|line| line.trim_start_matches("# ").split_once('='))
            .map(|(name, _)| name)
            .filter(|name| name.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
            .map(str::to_owned)
            .collect();
        let mut known = names();
        listed.sort();
        known.sort();
        assert_eq!(listed, known);

        let page = include_str!("../../docs/configuration.md");
        let mut described: Vec<_> = page
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
            .map(|(name, _)| name.to_owned())
            .collect();
        described.sort();
        assert_eq!(described, known);
    }
}
