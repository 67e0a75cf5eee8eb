//! Piper voices: natural speech by small neural networks, run by ONNX Runtime.
//!
//! A sentence becomes phonemes under espeak-ng's one owner, then sound on one of a few named threads, so that
//! several people are spoken to at once. The runtime library is opened when the engine is, after it has been looked
//! at (`runtime`); voices are files in a folder (`voices`), loaded when first used and kept up to a limit (`worker`).

mod runtime;
mod sound;
mod voices;
mod worker;

use std::{
    num::NonZeroUsize,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

pub use self::voices::{Broken, Stamp, stamps};
use self::{
    voices::Voice,
    worker::{Job, MAX_PIECES, Workers},
};
use super::{
    EngineError, EngineInfo, SpeakRequest, Speaker, SpeechStream, Synthesizer, VoiceInfo,
    espeak::{Espeak, MAX_CHARS},
    meter::SpeechMeter,
    script, speech,
};

/// How Piper is set up.
#[derive(Debug, Clone)]
pub struct PiperSettings {
    /// Where voices lie, searched with its subfolders (`MODELS_DIR`/piper).
    pub folder: PathBuf,
    /// The ONNX Runtime library, 1.24 or newer (`ORT_DYLIB_PATH`). `None`: beside the executable, in `lib/` of the
    /// working folder, or the system's.
    pub library: Option<PathBuf>,
    /// The voice used when a request names neither voice nor language (`TTS_VOICE`): its file name without
    /// `.onnx`, perhaps with `#speaker`. `None`: the first English one, else the first.
    pub voice: Option<String>,
    /// Sentences spoken at once (`TTS_WORKERS`).
    pub workers: NonZeroUsize,
    /// Threads that share the work of one sentence (`TTS_THREADS`).
    pub threads: NonZeroUsize,
    /// Loaded voices kept, each 20 to 130 MB (`TTS_LOADED_VOICES`). A voice that speaks twice at once counts twice; one
    /// that is speaking is never dropped.
    pub loaded: NonZeroUsize,
    /// Silence after a sentence in milliseconds (`TTS_PAUSE_MS`).
    pub pause_ms: u32,
}

impl Default for PiperSettings {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let at_least_one = |count: usize| NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN);
        Self {
            folder: PathBuf::from("models/local/piper"),
            library: None,
            voice: None,
            workers: at_least_one(cores.min(2)),
            threads: at_least_one(cores / 2).min(at_least_one(4)),
            loaded: at_least_one(4),
            pause_ms: 200,
        }
    }
}

/// Speech by Piper voices.
pub struct Piper {
    workers: Workers,
    voices: Vec<Voice>,
    default: usize,
    broken: Vec<Broken>,
    runtime: String,
}

impl Piper {
    /// Opens the runtime, lists the voices and starts the workers; the default voice is loaded in the background.
    ///
    /// # Errors
    /// [`EngineError::ModelMissing`] if there is no voice, no runtime library, or one that does not fit.
    pub fn open(settings: &PiperSettings, espeak: Espeak) -> Result<Self, EngineError> {
        let (mut voices, broken) = voices::find(&settings.folder);
        for problem in &broken {
            tracing::warn!(voice = %problem.path.display(), reason = %problem.reason, "piper voice left out");
        }
        if voices.is_empty() {
            return Err(no_voice(settings, &broken));
        }
        let (default, speaker) = default_voice(&voices, settings.voice.as_deref())?;
        voices[default].speaker = speaker;
        let runtime = runtime::open(settings.library.as_deref())?;
        let workers = Workers::start(settings, espeak)?;
        // Fresh queue: there is room. Should it fail, the first sentence loads the voice.
        let _ = workers.submit(Job::Load(voices[default].clone()));
        tracing::debug!(voices = voices.len(), workers = settings.workers, version = runtime, "piper started");
        Ok(Self { workers, voices, default, broken, runtime })
    }

    /// Voices that were found but cannot be used, and why.
    pub fn broken(&self) -> &[Broken] {
        &self.broken
    }

    /// The version of ONNX Runtime in use.
    pub fn runtime(&self) -> &str {
        &self.runtime
    }

    /// The version of ONNX Runtime that voices would run on: of the library named, else of the first that is found.
    ///
    /// # Errors
    /// [`EngineError::ModelMissing`] if there is none that fits.
    pub fn runtime_found(library: Option<&Path>) -> Result<String, EngineError> {
        runtime::open(library)
    }

    /// Whether the voice the settings name is in their folder; true if they name none.
    pub(super) fn knows_default(settings: &PiperSettings) -> bool {
        settings.voice.as_deref().is_none_or(|voice| Self::has_files(&settings.folder, voice))
    }

    /// Whether `id` (`voice` or `voice#speaker`) names a voice in `folder` whose files are whole.
    #[must_use]
    pub fn has_files(folder: &Path, id: &str) -> bool {
        named(&voices::find(folder).0, id).is_some()
    }

    /// Whether `id` (`voice` or `voice#speaker`) names a voice of ours.
    pub(super) fn has_voice(&self, id: &str) -> bool {
        named(&self.voices, id).is_some()
    }

    /// Whether a voice of ours speaks `language` (ISO 639-1).
    pub(super) fn speaks(&self, language: &str) -> bool {
        self.for_language(language).is_some()
    }

    fn for_language(&self, language: &str) -> Option<&Voice> {
        let default = &self.voices[self.default];
        let tag = language.get(..2).unwrap_or(language).to_ascii_lowercase();
        (default.language == tag).then_some(default).or_else(|| self.voices.iter().find(|voice| voice.language == tag))
    }

    fn choose(&self, request: &SpeakRequest) -> Result<(&Voice, i64), EngineError> {
        if let Some((voice, speaker)) = request.voice.as_deref().and_then(|id| named(&self.voices, id)) {
            return Ok((voice, speaker));
        }
        let Some(language) = speech::language(request) else {
            let default = &self.voices[self.default];
            return Ok((default, default.speaker));
        };
        let found = self.for_language(&language).or_else(|| self.for_language(script::usual(&language)?));
        found.map(|voice| (voice, voice.speaker)).ok_or_else(|| EngineError::ModelMissing {
            name: format!("Piper voice for language {language}"),
            hint: "put one into MODELS_DIR/piper, or set TTS_ENGINE=auto to let espeak-ng speak this language".into(),
        })
    }

    fn submit(&self, request: &SpeakRequest, out: &worker::Out) -> Result<(), EngineError> {
        let chars = request.text.chars().count();
        if chars > MAX_CHARS {
            return Err(EngineError::Failed {
                engine: "piper",
                reason: format!("a sentence may have {MAX_CHARS} characters, not {chars}"),
            });
        }
        let (voice, speaker) = self.choose(request)?;
        let speed = if request.speed.is_finite() { request.speed.clamp(0.25, 4.0) } else { 1.0 };
        let (text, voice, out, span) = (request.text.clone(), voice.clone(), out.clone(), tracing::Span::current());
        let job = Job::Speak { text, voice, speaker, speed, out, meter: SpeechMeter::new("piper"), span };
        self.workers.submit(job)
    }
}

impl Synthesizer for Piper {
    fn info(&self) -> EngineInfo {
        let mut languages: Vec<String> = self.voices.iter().map(|voice| voice.language.clone()).collect();
        languages.sort_unstable();
        languages.dedup();
        let hint = self.broken.first().map(|problem| {
            let more =
                if self.broken.len() > 1 { format!(" (and {} more)", self.broken.len() - 1) } else { String::new() };
            format!("left out: {}: {}{more}", problem.path.display(), problem.reason)
        });
        let (model, loaded) = (self.voices[self.default].id.clone(), self.workers.loaded());
        EngineInfo { engine: "piper".into(), model, demo: false, loaded, hint, languages }
    }

    fn voices(&self) -> Vec<VoiceInfo> {
        self.voices.iter().flat_map(Voice::listed).collect()
    }

    fn speaker(&self, request: &SpeakRequest) -> Speaker {
        let voice = self.choose(request).map_or(&self.voices[self.default], |(voice, _)| voice);
        Speaker { engine: "piper".into(), voice: voice.id.clone() }
    }

    fn speak(&self, request: SpeakRequest) -> SpeechStream {
        let (out, stream) = mpsc::channel(MAX_PIECES + 1);
        if let Err(error) = self.submit(&request, &out) {
            // The channel is fresh and its receiver in our hands: there is room.
            let _ = out.try_send(Err(error));
        }
        stream
    }

    fn wake(&self) {
        self.workers.wake(&self.voices[self.default]);
    }

    fn rest(&self, now: Instant, unused_for: Duration) -> bool {
        self.workers.rest_unused(now, unused_for)
    }
}

/// The voice and speaker that `id` names; an unknown speaker is no voice of ours.
fn named<'a>(voices: &'a [Voice], id: &str) -> Option<(&'a Voice, i64)> {
    let (name, speaker) = id.split_once('#').map_or((id, None), |(name, speaker)| (name, Some(speaker)));
    let voice = voices.iter().find(|voice| voice.id.eq_ignore_ascii_case(name))?;
    match speaker {
        Some(speaker) => voice.speaker(speaker).map(|speaker| (voice, speaker)),
        None => Some((voice, voice.speaker)),
    }
}

/// The place of the voice that `setting` names, and its speaker.
fn default_voice(voices: &[Voice], setting: Option<&str>) -> Result<(usize, i64), EngineError> {
    let Some(wanted) = setting else {
        let english = voices.iter().position(|voice| voice.language == "en");
        return Ok((english.unwrap_or(0), 0));
    };
    let place = |id: &str| voices.iter().position(|voice| voice.id == id);
    let found = named(voices, wanted).and_then(|(voice, speaker)| Some((place(&voice.id)?, speaker)));
    found.ok_or_else(|| EngineError::ModelMissing {
        name: format!("Piper voice {wanted}"),
        hint: format!("set TTS_VOICE to one that is there, such as {}", voices[0].id),
    })
}

fn no_voice(settings: &PiperSettings, broken: &[Broken]) -> EngineError {
    let folder = settings.folder.display();
    match broken.first() {
        Some(problem) => EngineError::ModelMissing {
            name: format!("usable Piper voice: {}: {}", problem.path.display(), problem.reason),
            hint: "get the voice's .onnx and .onnx.json again".into(),
        },
        None => EngineError::ModelMissing {
            name: format!("Piper voice in {folder}"),
            hint: format!(
                "`aigolos models pull en_US-lessac-medium` fetches one, or put a voice's .onnx and .onnx.json into {folder}"
            ),
        },
    }
}

#[cfg(test)]
mod tests;
