//! Picks the engines a server runs with. Nothing is put in another's place unsaid: what is in use says so itself.

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::config::{Config, Settings};
use crate::{
    catalogue::{ChooseError, InUse, InUseError, OLLAMA},
    engine::{
        ChatModel, EngineError, Engines, Recognizer, Synthesizer,
        chat::{self, ChatBackend, ChatSettings, ChatSettingsError, Patience},
        espeak::EspeakSettings,
        models::{ModelKind, ggml_files},
        ollama::{self, Found, Ollama, OllamaSettings},
        openai_chat::OpenAiSettings,
        piper::{Piper, PiperSettings},
        speech::{self, SpeechSettings},
        switch::Switch,
        vad,
        whisper::{Whisper, WhisperModel, WhisperSettings},
    },
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

/// Speech to text: what was chosen, else what the settings say. A choice that cannot be had is no error, its hint says so.
///
/// # Errors
/// When the model named by a setting is not there or cannot be read.
pub fn recognizer(config: &Config) -> Result<Arc<dyn Recognizer>, EngineError> {
    let note = match choice(config, ModelKind::Asr).map(|name| name.map(|name| chosen_recognizer(config, &name))) {
        Ok(Some(Ok(chosen))) => return Ok(chosen),
        Ok(None) => return whisper(&config.settings),
        Ok(Some(Err(error))) => unheeded(ModelKind::Asr, &error),
        Err(error) => unheeded(ModelKind::Asr, &error.into()),
    };
    Ok(Arc::new(Switch::new(whisper(&config.settings)?, Some(note))))
}

/// Text to text, as [`recognizer`].
///
/// # Errors
/// When a setting cannot be used.
pub async fn chat_model(config: &Config) -> Result<Arc<dyn ChatModel>, ChatSettingsError> {
    let note = match choice(config, ModelKind::Llm) {
        Ok(None) => return chat(&config.settings).await,
        Err(error) => unheeded(ModelKind::Llm, &error.into()),
        Ok(Some(name)) => match chosen_chat(config, &name, ChatSettings::default().probe).await {
            // A server that is away may come: each turn says so until then.
            Ok((ollama, _)) => return Ok(Arc::new(ollama)),
            Err(error) => unheeded(ModelKind::Llm, &error),
        },
    };
    Ok(Arc::new(Switch::new(chat(&config.settings).await?, Some(note))))
}

/// Text to speech, as [`recognizer`].
///
/// # Errors
/// When the engine named cannot be had.
pub fn speech(config: &Config) -> Result<Arc<dyn Synthesizer>, EngineError> {
    let note = match choice(config, ModelKind::Tts).map(|name| name.map(|name| chosen_speech(config, &name))) {
        Ok(Some(Ok(chosen))) => return Ok(chosen),
        Ok(None) => return voice(&config.settings),
        Ok(Some(Err(error))) => unheeded(ModelKind::Tts, &error),
        Err(error) => unheeded(ModelKind::Tts, &error.into()),
    };
    Ok(Arc::new(Switch::new(voice(&config.settings)?, Some(note))))
}

/// What was chosen for `kind` and counts; a setting that was given counts more.
pub(super) fn choice(config: &Config, kind: ModelKind) -> Result<Option<String>, InUseError> {
    if config.given(kind.setting()) {
        return Ok(None);
    }
    Ok(InUse::load(&config.settings.data_dir)?.of(kind).map(str::to_owned))
}

/// What is said of a choice that is not in effect.
pub(super) fn unheeded(kind: ModelKind, error: &ChooseError) -> String {
    let text = error.to_string();
    let (reason, hint) = text.split_once("\nhint: ").unwrap_or((&text, "choose another"));
    tracing::warn!(kind = kind.name(), reason, hint, "the model that was chosen is not in use");
    format!("what was chosen is not in use: {reason}; {hint}")
}

/// The recogniser called `name`.
///
/// # Errors
/// [`ChooseError`] if it is not there or does not load.
pub(super) fn chosen_recognizer(config: &Config, name: &str) -> Result<Arc<dyn Recognizer>, ChooseError> {
    let settings = Settings { asr_model_name: named(name)?, ..config.settings.clone() };
    if whisper_model(name, &settings.models_dir).is_err() {
        return Err(ChooseError::Missing { name: name.to_owned() });
    }
    whisper(&settings).map_err(|error| unusable(name, &error))
}

/// The model that Ollama calls `name`, and what was found of it within `wait`.
///
/// # Errors
/// [`ChooseError`] if Ollama answers without it, or is not whom the settings ask.
pub(super) async fn chosen_chat(config: &Config, name: &str, wait: Duration) -> Result<(Ollama, Found), ChooseError> {
    let unusable =
        |reason: String, hint: &str| ChooseError::Unusable { name: name.to_owned(), reason, hint: hint.into() };
    let settings = Settings { llm_model_name: name.to_owned(), ..config.settings.clone() };
    let told = |error: ChatSettingsError| unusable(error.to_string(), "see `aigolos config`");
    let settings = chat_settings(&settings).map_err(told)?;
    if !matches!(settings.backend, ChatBackend::Auto | ChatBackend::Ollama) {
        let reason = format!("LLM_BACKEND={} answers, not Ollama", settings.backend);
        return Err(unusable(reason, "remove LLM_BACKEND or set it to ollama, and start again"));
    }
    let ollama = Ollama::new(settings.ollama).map_err(told)?;
    match ollama.look(wait).await {
        // As it is fetched.
        Found::NoModel { .. } => Err(ChooseError::Missing { name: format!("{OLLAMA}{name}") }),
        found => Ok((ollama, found)),
    }
}

/// Speech whose default voice is called `name`.
///
/// # Errors
/// [`ChooseError`] if it is not there or cannot be spoken with.
pub(super) fn chosen_speech(config: &Config, name: &str) -> Result<Arc<dyn Synthesizer>, ChooseError> {
    let settings = Settings { tts_voice: named(name)?, ..config.settings.clone() };
    let of_piper = Piper::has_files(&settings.models_dir.join("piper"), name);
    let unusable = |reason: String, hint: String| ChooseError::Unusable { name: name.to_owned(), reason, hint };
    if of_piper && settings.tts_engine == "espeak" {
        let hint = "remove TTS_ENGINE or set it to auto, and start again";
        return Err(unusable("TTS_ENGINE=espeak speaks, not Piper".into(), hint.into()));
    }
    let engine = match voice(&settings) {
        Ok(engine) => engine,
        Err(error) if of_piper => return Err(self::unusable(name, &error)),
        Err(_) => return Err(ChooseError::Missing { name: name.to_owned() }),
    };
    let info = engine.info();
    let base = name.split('#').next().unwrap_or(name);
    if info.model.eq_ignore_ascii_case(base) {
        return Ok(engine);
    }
    if of_piper {
        let hint = "`aigolos check` says what is missing".into();
        return Err(unusable(info.hint.unwrap_or_else(|| format!("{} speaks instead", info.model)), hint));
    }
    Err(ChooseError::Missing { name: name.to_owned() })
}

pub(super) fn unusable(name: &str, error: &EngineError) -> ChooseError {
    ChooseError::Unusable { name: name.to_owned(), reason: error.to_string(), hint: error.hint() }
}

/// A name, not a path: choices come over the network.
fn named(name: &str) -> Result<String, ChooseError> {
    let bad = name.is_empty() || name.len() > 200 || name.starts_with('.') || name.contains(['/', '\\', '\0']);
    if bad { Err(ChooseError::Missing { name: name.to_owned() }) } else { Ok(name.to_owned()) }
}

/// As the settings say.
pub(super) fn whisper(settings: &Settings) -> Result<Arc<dyn Recognizer>, EngineError> {
    Ok(Arc::new(Whisper::load(whisper_settings(settings)?)?))
}

/// As the settings say.
pub(super) async fn chat(settings: &Settings) -> Result<Arc<dyn ChatModel>, ChatSettingsError> {
    chat::choose(&chat_settings(settings)?).await
}

/// As the settings say.
pub(super) fn voice(settings: &Settings) -> Result<Arc<dyn Synthesizer>, EngineError> {
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

pub(super) fn whisper_settings(settings: &Settings) -> Result<WhisperSettings, EngineError> {
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
                "`aigolos models pull {name}` fetches it if it is a known one, or put {file} into {}; ASR_MODEL_NAME=nano is the bundled model",
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
