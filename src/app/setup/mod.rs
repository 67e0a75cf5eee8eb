//! Real models for a machine that has none: which are wanted, where they come from, and which of them is fast enough here.
//! `aigolos models setup` does it before the first start, a server with `MODELS_FETCH` while it serves.

mod measure;
mod plan;
mod serving;

use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

pub use self::{
    measure::Measured,
    plan::{Need, Plan, Wish},
    serving::while_serving,
};
use super::config::Config;
use crate::{
    catalogue::{Download, DownloadState, Library},
    engine::{models::ModelKind, piper::Piper},
};

/// Whisper for every language, from the hub and from Python packages.
const USUAL: &str = "base-q5_1";
/// Where that one is too slow; only the hub has it.
const SMALLER: &str = "tiny-q5_1";
/// Where there is time to spare; only the hub has it.
const LARGER: &str = "small-q5_1";
/// A voice of good quality with free terms, from the hub and from Python packages.
const VOICE: &str = "en_US-joe-medium";
/// Decoding five seconds of speech may take so long; beyond it, answers are waited for.
const SLOW: Duration = Duration::from_secs(2);
/// A model of four times the work is still quick where the usual one takes no longer than this.
const SPARE: Duration = Duration::from_millis(350);

/// Whoever shows what happens.
#[async_trait]
pub trait Shows: Sync {
    /// Shows downloads until all have ended.
    async fn follow(&self, downloads: Vec<watch::Receiver<Download>>) -> Vec<Download>;
    /// What is done now, in a sentence.
    fn say(&self, text: &str);
}

/// How it ended.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What is here now, and was not.
    pub fetched: Vec<Download>,
    /// What did not come: its name, why, and what to do.
    pub failed: Vec<(String, String, String)>,
    /// Models that were tried on this machine.
    pub measured: Vec<Measured>,
    /// The recogniser to be used, if it is to be chosen among several.
    pub recognizer: Option<String>,
}

/// Fetches what `plan` says, and finds out which recogniser fits the machine.
pub async fn set_up(config: &Config, library: &Library, plan: &Plan, shows: &dyn Shows) -> Outcome {
    let mut outcome = Outcome::default();
    let wanted = plan.names();
    outcome.fetch(library, &wanted, shows).await;
    let usual = outcome.fetched.iter().any(|download| download.name == USUAL);
    if plan.recognizer != Need::Best || !usual {
        return outcome;
    }
    shows.say("measuring how fast recognition is on this machine");
    let Some(first) = outcome.measure(config, library, USUAL).await else { return outcome };
    let other = match first {
        seconds if seconds > SLOW => SMALLER,
        seconds if seconds <= SPARE => LARGER,
        _ => return outcome,
    };
    outcome.fetch(library, &[other.to_owned()], shows).await;
    // It would have been better, but the usual one is there.
    outcome.failed.retain(|(name, ..)| name != other);
    if outcome.fetched.iter().any(|download| download.name == other) {
        let second = outcome.measure(config, library, other).await;
        let better = second.is_some_and(|seconds| if other == LARGER { seconds <= SLOW } else { seconds < first });
        let chosen = if better { other } else { USUAL };
        outcome.recognizer = Some(chosen.to_owned());
        for measured in &mut outcome.measured {
            measured.used = measured.name == chosen;
        }
    }
    outcome
}

impl Outcome {
    async fn fetch(&mut self, library: &Library, names: &[String], shows: &dyn Shows) {
        let mut watches = Vec::new();
        for name in names {
            match library.pull(name, false) {
                Ok(watch) => watches.push(watch),
                Err(error) => self.failed.push((name.clone(), error.to_string(), error.hint())),
            }
        }
        for download in shows.follow(watches).await {
            match (download.state, &download.trouble) {
                (DownloadState::Done, _) => self.fetched.push(download),
                (_, Some(trouble)) => {
                    self.failed.push((download.name, trouble.message.clone(), trouble.hint.clone()));
                }
                _ => self.failed.push((download.name, "it was stopped".into(), "it goes on the next time".into())),
            }
        }
    }

    /// How long the model takes; `None`: it cannot be used.
    async fn measure(&mut self, config: &Config, library: &Library, name: &str) -> Option<Duration> {
        match measure::measure(config, library, name).await {
            Ok(mut measured) => {
                measured.used = true;
                let took = measured.took;
                self.measured.push(measured);
                Some(took)
            }
            Err(reason) => {
                self.failed.push((name.to_owned(), reason, "`aigolos check` says what is missing".into()));
                None
            }
        }
    }
}

/// Whether voices can speak on this machine; else why not.
fn voices_speak(config: &Config) -> Result<(), String> {
    let library = config.settings.ort_dylib_path.as_str();
    let library = (!library.is_empty()).then(|| std::path::Path::new(library));
    Piper::runtime_found(library).map(drop).map_err(|error| error.to_string())
}

/// The bare names of what lies here of a kind.
fn here(library: &Library, kind: ModelKind) -> Vec<String> {
    let files = crate::engine::models::files(library.folder());
    files.into_iter().filter(|file| file.kind == kind).map(|file| file.name).collect()
}
