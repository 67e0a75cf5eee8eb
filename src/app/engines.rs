//! Picks the engines a server runs with. Nothing is put in another's place unsaid: what is in use says so itself.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::config::{Config, Settings};
use crate::engine::{
    ChatModel, EngineError, Engines, Recognizer, Synthesizer,
    chat::{self, ChatSettings, ChatSettingsError, Patience},
    espeak::EspeakSettings,
    models::ggml_files,
    ollama::{self, OllamaSettings},
    openai_chat::OpenAiSettings,
    piper::PiperSettings,
    speech::{self, SpeechSettings},
    vad,
    whisper::{Whisper, WhisperModel, WhisperSettings},
};

/// Why the server has no engines; the text ends in a hint.
#[derive(Debug, thiserror::Error)]
pub enum EnginesError {
    #[error("{error}\nhint: {}", .error.hint())]
    Engine { error: EngineError },
    #[error(transparent)]
    Chat(#[from] ChatSettingsError),
}

impl From<EngineError> for EnginesError {
    fn from(error: EngineError) -> Self {
        Self::Engine { error }
    }
}

/// All engines, loaded and warm.
///
/// # Errors
/// When one that was asked for by name cannot be had.
pub async fn engines(config: &Config) -> Result<Engines, EnginesError> {
    let engine = config.settings.vad_engine;
    Ok(Engines {
        recognizer: recognizer(config)?,
        chat: chat_model(config).await?,
        speech: speech(config)?,
        detector: Arc::new(move || vad::detector(engine)),
        detector_name: engine.as_str(),
    })
}

/// Speech to text.
///
/// # Errors
/// When the model named is not there or cannot be read.
pub fn recognizer(config: &Config) -> Result<Arc<dyn Recognizer>, EngineError> {
    Ok(Arc::new(Whisper::load(whisper_settings(&config.settings)?)?))
}

/// Text to text.
///
/// # Errors
/// When a setting cannot be used.
pub async fn chat_model(config: &Config) -> Result<Arc<dyn ChatModel>, ChatSettingsError> {
    chat::choose(&chat_settings(&config.settings)?).await
}

/// Text to speech.
///
/// # Errors
/// When the engine named cannot be had.
pub fn speech(config: &Config) -> Result<Arc<dyn Synthesizer>, EngineError> {
    let settings = &config.settings;
    let path = |text: &str| (!text.is_empty()).then(|| PathBuf::from(text));
    let voice = (!settings.tts_voice.is_empty()).then(|| settings.tts_voice.clone());
    let engine = settings.tts_engine.parse().map_err(|reason| EngineError::Failed { engine: "speech", reason })?;
    let mut piper = PiperSettings {
        folder: settings.models_dir.join("piper"),
        library: path(&settings.ort_dylib_path),
        voice: voice.clone(),
        ..PiperSettings::default()
    };
    piper.pause_ms = settings.tts_pause_ms;
    if let Some(loaded) = NonZeroUsize::new(settings.tts_loaded_voices as usize) {
        piper.loaded = loaded;
    }
    if let Some(workers) = NonZeroUsize::new(settings.tts_workers as usize) {
        piper.workers = workers;
    }
    let espeak = EspeakSettings { data: path(&settings.espeak_data), voice };
    speech::choose(&SpeechSettings { engine, espeak, piper })
}

fn whisper_settings(settings: &Settings) -> Result<WhisperSettings, EngineError> {
    let model = whisper_model(&settings.asr_model_name, &settings.models_dir)?;
    let mut whisper = WhisperSettings { model, use_gpu: settings.asr_device != "cpu", ..WhisperSettings::default() };
    if settings.asr_workers > 0 {
        whisper.workers = settings.asr_workers as usize;
    }
    if settings.asr_threads > 0 {
        whisper.threads_per_worker = settings.asr_threads as usize;
    }
    Ok(whisper)
}

/// What `ASR_MODEL_NAME` means, given what lies in the models folder.
fn whisper_model(name: &str, folder: &Path) -> Result<WhisperModel, EngineError> {
    match name {
        "nano" => return Ok(WhisperModel::Bundled),
        "" | "auto" => {
            return Ok(ggml_files(folder).into_iter().next().map_or(WhisperModel::Bundled, WhisperModel::File));
        }
        _ => {}
    }
    let file = format!("ggml-{name}.bin");
    let places = [PathBuf::from(name), folder.join(name), folder.join(&file), folder.join("whisper").join(&file)];
    match places.into_iter().find(|path| path.is_file()) {
        Some(path) => Ok(WhisperModel::File(path)),
        None => Err(EngineError::ModelMissing {
            name: name.into(),
            hint: format!(
                "put {file} into {}, or set ASR_MODEL_NAME=nano for the bundled model; `aigolos check` shows what is there",
                folder.display()
            ),
        }),
    }
}

fn chat_settings(settings: &Settings) -> Result<ChatSettings, ChatSettingsError> {
    let patience = Patience {
        connect: Duration::from_secs(settings.llm_connect_timeout),
        first_token: Duration::from_secs(settings.llm_first_token_timeout),
        stall: Duration::from_secs(settings.llm_stall_timeout),
    };
    let defaults = ChatSettings::default();
    Ok(ChatSettings {
        backend: settings.llm_backend.parse()?,
        ollama: OllamaSettings {
            base_url: settings.ollama_base_url.clone(),
            model: settings.llm_model_name.clone(),
            keep_alive: settings.llm_keep_alive.clone(),
            temperature: settings.llm_temperature.parse().ok(),
            max_tokens: settings.llm_max_tokens,
            context_tokens: ollama::context_tokens(settings.history_tokens, settings.llm_max_tokens),
            patience,
            ..defaults.ollama
        },
        openai: OpenAiSettings {
            base_url: settings.llm_base_url.clone(),
            api_key: (!settings.llm_api_key.is_empty()).then(|| settings.llm_api_key.clone()),
            model: settings.llm_model_name.clone(),
            temperature: settings.llm_temperature.parse().ok(),
            max_tokens: settings.llm_max_tokens,
            patience,
        },
        probe: defaults.probe,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_model_is_found_by_name_by_path_and_by_lying_there() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let path = folder.path().join("ggml-base.en.bin");
        assert_eq!(whisper_model("auto", folder.path()), Ok(WhisperModel::Bundled));
        fs::write(&path, b"x").expect("writable");
        fs::write(folder.path().join("notes.bin"), b"x").expect("writable");
        let file = WhisperModel::File(path.clone());
        for name in ["auto", "base.en", "ggml-base.en.bin", path.to_str().expect("UTF-8")] {
            assert_eq!(whisper_model(name, folder.path()), Ok(file.clone()), "{name}");
        }
        assert_eq!(whisper_model("nano", folder.path()), Ok(WhisperModel::Bundled));
        let error = whisper_model("large", folder.path()).expect_err("it is not there");
        assert!(error.hint().contains("ggml-large.bin"), "{}", error.hint());
    }
}
