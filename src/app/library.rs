//! The settings become the library of models; at the start Ollama fetches the chat model, if that is wished.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::watch;

use super::config::Config;
use crate::{
    catalogue::{Chooser, Download, DownloadState, InUse, Library, LibrarySettings, OLLAMA, Trouble, same_chat_model},
    engine::{
        chat::ChatBackend,
        models::{ModelKind, ggml_files},
    },
};

/// Waits of [`fetch_chat_model`]: the first, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_secs(1), Duration::from_mins(1));
/// How often it tells how far it is.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// The library of models.
///
/// # Errors
/// The text names the setting that cannot be used.
pub fn open(config: &Config) -> Result<Library, String> {
    let (settings, library) = (&config.settings, &config.settings.library);
    Library::new(LibrarySettings {
        folder: settings.models_dir.clone(),
        endpoint: library.hf_endpoint.clone(),
        token: library.hf_token.clone(),
        mirrors: words(&library.models_mirrors),
        python: Some(library.models_python.trim().to_owned()).filter(|python| !python.is_empty()),
        proxy: library.models_proxy.clone(),
        at_once: library.models_downloads as usize,
        keep_free: u64::from(library.models_keep_free_mb) * 1_000_000,
        ollama: settings.ollama_base_url.clone(),
        ..LibrarySettings::default()
    })
    .map_err(|error| error.to_string())
}

/// What commas or blanks separate.
fn words(list: &str) -> Vec<String> {
    list.split([',', ' ']).filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Which models a server with these settings uses, as far as can be told without one: kinds and bare names.
#[must_use]
pub fn in_use(config: &Config, chosen: &InUse) -> Vec<(ModelKind, String)> {
    let settings = &config.settings;
    let named = |kind: ModelKind, setting: &str| match chosen.of(kind).filter(|_| !config.given(kind.setting())) {
        Some(name) => name.to_owned(),
        None => setting.to_owned(),
    };
    let mut asr = named(ModelKind::Asr, &settings.asr_model_name);
    if matches!(asr.as_str(), "" | "auto") {
        let first = ggml_files(&settings.models_dir).into_iter().next();
        asr = first.and_then(|path| bare(&path)).unwrap_or_else(|| "nano".into());
    }
    // A path may be given too.
    let asr = bare(&PathBuf::from(&asr)).filter(|_| asr.contains('/') || asr.starts_with("ggml-")).unwrap_or(asr);
    let llm = named(ModelKind::Llm, &settings.llm_model_name);
    let tts = named(ModelKind::Tts, &settings.tts_voice);
    // A speaker may be named behind the voice.
    let tts = tts.split_once('#').map_or(tts.as_str(), |(voice, _)| voice).to_owned();
    vec![(ModelKind::Asr, asr), (ModelKind::Llm, llm), (ModelKind::Tts, tts)]
}

fn bare(path: &std::path::Path) -> Option<String> {
    let name = path.file_name()?.to_str()?;
    let name = name.strip_suffix(".bin").unwrap_or(name);
    Some(name.strip_prefix("ggml-").unwrap_or(name).to_owned())
}

/// Has Ollama fetch `LLM_MODEL_NAME` if it lacks it, and puts it into use. Ends when it is there; goes on trying until then.
/// Where another server answers it does nothing.
pub async fn fetch_chat_model(config: Config, library: Library, chooser: Arc<dyn Chooser>) {
    if config.settings.llm_backend.parse() == Ok(ChatBackend::OpenAi) {
        // The name is one of the other server's: Ollama would look for it for ever, or fetch gigabytes for nobody.
        return;
    }
    let given = config.given(ModelKind::Llm.setting());
    let model = match chooser.chosen().llm {
        Some(chosen) if !given => chosen,
        _ => config.settings.llm_model_name.clone(),
    };
    let mut wait = WAITS.0;
    let mut waited = false;
    loop {
        match once(&model, &library).await {
            Ok(fetched) => {
                // One that was there at the start is in use already.
                if (fetched || waited)
                    && let Err(error) = chooser.renew(ModelKind::Llm).await
                {
                    tracing::warn!(%error, model, "the chat model is there, but cannot be used");
                }
                return;
            }
            Err(trouble) => {
                let retry_ms = wait.as_millis() as u64;
                tracing::info!(error = %trouble, hint = trouble.hint(), model, retry_ms, "the chat model is not there yet");
            }
        }
        waited = true;
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(WAITS.1);
    }
}

/// Whether it had to be fetched.
async fn once(model: &str, library: &Library) -> Result<bool, Trouble> {
    let away = || Trouble::NoOllama { place: "OLLAMA_BASE_URL".into(), reason: "that is no address".into() };
    let there = library.shelf().ok_or_else(away)?.models().await?;
    if there.iter().any(|known| same_chat_model(&known.name, model)) {
        return Ok(false);
    }
    let watch = library
        .pull(&format!("{OLLAMA}{model}"), false)
        .map_err(|error| Trouble::Ollama { reason: error.to_string() })?;
    let ended = told_now_and_then(watch).await;
    match (ended.state, ended.trouble) {
        (DownloadState::Done, _) => Ok(true),
        // Whoever cancelled it does not want it now.
        (DownloadState::Cancelled, _) => Ok(false),
        (_, Some(told)) => Err(Trouble::Ollama { reason: told.message }),
        _ => Err(Trouble::Ollama { reason: "it was cancelled".into() }),
    }
}

pub(super) async fn told_now_and_then(mut watch: watch::Receiver<Download>) -> Download {
    let mut told = Instant::now();
    loop {
        let now = watch.borrow_and_update().clone();
        if now.state.is_over() {
            return now;
        }
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            let percent = now.total.filter(|total| *total > 0).map(|total| now.bytes.saturating_mul(100) / total);
            tracing::info!(
                model = now.name,
                bytes = now.bytes,
                total = now.total,
                percent,
                rate = now.rate,
                "being fetched"
            );
        }
        if watch.changed().await.is_err() {
            return watch.borrow().clone();
        }
    }
}
