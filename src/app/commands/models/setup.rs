//! `aigolos models setup`: real models for a machine that has none, before the first start.

use std::{process::ExitCode, time::Duration};

use async_trait::async_trait;
use indicatif::DecimalBytes;
use tokio::sync::watch;

use super::progress;
use crate::{
    app::{
        config::Config,
        setup::{Measured, Outcome, Plan, Shows, Wish, set_up},
    },
    catalogue::{Download, InUse, Library, Licence},
    engine::models::ModelKind,
};

/// Longer than this nobody waits for a first start; what has come by then is kept.
const LONGEST: Duration = Duration::from_mins(15);

struct Terminal;

#[async_trait]
impl Shows for Terminal {
    async fn follow(&self, downloads: Vec<watch::Receiver<Download>>) -> Vec<Download> {
        progress::show(downloads).await
    }

    fn say(&self, text: &str) {
        eprintln!("{text}");
    }
}

/// Fetches what is missing, says what it was, and chooses.
pub async fn setup(config: &Config, library: &Library, wish: &[String]) -> super::Outcome {
    let wish = if wish.is_empty() && config.given("MODELS_FETCH") {
        Wish::of(&config.settings.library.models_fetch)
    } else if wish.is_empty() {
        Wish::Auto
    } else {
        Wish::of(&wish.join(","))
    };
    let plan = Plan::of(config, library, &wish);
    if let Some(reason) = &plan.voiceless {
        eprintln!("no neural voice is fetched, espeak-ng speaks: {reason}");
    }
    if plan.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    println!("Fetching real models into {} (once):", library.folder().display());
    for name in plan.names() {
        println!("  {}", described(library, &name));
    }
    let work = set_up(config, library, &plan, &Terminal);
    let outcome = tokio::select! {
        outcome = tokio::time::timeout(LONGEST, work) => outcome.ok(),
        _ = tokio::signal::ctrl_c() => None,
    };
    let Some(outcome) = outcome else {
        library.close();
        eprintln!("stopped: what has come is kept. {}", later(library));
        return Ok(ExitCode::FAILURE);
    };
    for download in &outcome.fetched {
        println!("{}", came(library, download));
    }
    table(&outcome.measured);
    choose(config, &outcome)?;
    if outcome.failed.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    for (name, reason, hint) in &outcome.failed {
        eprintln!("{name} could not be fetched: {reason}\nhint: {hint}");
    }
    eprintln!("The bundled engines stand in for what is missing. {}", later(library));
    Ok(ExitCode::FAILURE)
}

/// Among several models the fitting one is to be chosen; of one alone that is known.
fn choose(config: &Config, outcome: &Outcome) -> Result<(), Box<dyn std::error::Error>> {
    let Some(name) = outcome.recognizer.clone().filter(|_| !config.given(ModelKind::Asr.setting())) else {
        return Ok(());
    };
    let mut chosen = InUse::load(&config.settings.data_dir)?;
    chosen.set(ModelKind::Asr, Some(name));
    Ok(chosen.save(&config.settings.data_dir)?)
}

fn later(library: &Library) -> String {
    format!(
        "For real ones later: `aigolos models setup`, or put ggml-*.bin and piper/*.onnx with its .onnx.json into {}.",
        library.folder().display()
    )
}

/// A model, what it is for, its size and its terms, in one line.
fn described(library: &Library, name: &str) -> String {
    let Some(entry) = library.find(name) else { return name.to_owned() };
    let kind = match (entry.kind, entry.language) {
        (ModelKind::Tts, language) => format!("voice, {}", language.unwrap_or("many languages")),
        (_, Some(language)) => format!("recognition, {language}"),
        (_, None) => "recognition, 99 languages".to_owned(),
    };
    let licence = match &entry.licence {
        Licence::Named(name) => format!("licence: {name}"),
        Licence::Card { text: Some(text), .. } => match text.lines().find_map(|line| line.split_once("License: ")) {
            Some((_, licence)) => format!("licence of the recordings: {}; its card comes with it", licence.trim()),
            None => "its card comes with it".to_owned(),
        },
        Licence::Card { source, .. } => format!("terms: {source}"),
    };
    format!("{name:18} {kind:26} {:>9}  {licence}", DecimalBytes(entry.bytes()).to_string())
}

fn came(library: &Library, download: &Download) -> String {
    let Download { name, checked, source, skipped, .. } = download;
    let from = source.as_deref().map_or_else(String::new, |source| format!(" from {source}"));
    let checked = checked.map_or_else(String::new, |checked| format!(", checked against the {}", checked.words()));
    let instead: Vec<_> = skipped.iter().map(|one| format!("\n  not from {}: {}", one.source, one.reason)).collect();
    let bytes = crate::engine::models::files(library.folder()).into_iter().find(|file| file.name == *name);
    let bytes = bytes.map_or_else(String::new, |file| format!(", {}", DecimalBytes(file.bytes)));
    format!("{name} is here{from}{bytes}{checked}{}", instead.concat())
}

fn table(measured: &[Measured]) {
    if measured.is_empty() {
        return;
    }
    println!("Recognition on this machine:");
    println!("  {:18} {:>9}  {:>17}  verdict", "model", "size", "5 s of speech in");
    for Measured { name, bytes, took, used, .. } in measured {
        let size = DecimalBytes(*bytes).to_string();
        let seconds = format!("{:.2} s", took.as_secs_f64());
        let verdict = match (used, Measured::is_slow(*took)) {
            (true, false) => "fast enough: used",
            (true, true) => "slow, but used: nothing smaller is here (English alone: ASR_MODEL_NAME=tiny.en-q5_1)",
            (false, true) => "too slow",
            (false, false) => "not used: another one fits better",
        };
        println!("  {name:18} {size:>9}  {seconds:>17}  {verdict}");
    }
}
