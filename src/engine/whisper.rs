//! Speech to text with whisper.cpp: one model in memory, a [`Pool`] of threads with one long-lived state each.
//!
//! What is done differently from a plain `whisper_full` call, each by measurement (docs/benchmarks.md):
//! - The encoder's context follows the length of the audio, with a floor; its time goes with the context's length. A
//!   result in doubt is decoded again with a wider one.
//! - One thread per worker: whisper.cpp's threads wait for each other by spinning, and on busy cores that costs
//!   twenty times what it saves.
//! - No text context, a bound on the tokens that goes with the length of the audio.
//! - Word times come from the decoder's attention (dynamic time warping). Asking for them costs a second pass of the
//!   decoder and has to be chosen when the model is loaded, so a second, aligning copy of the model is loaded when
//!   words are first asked for; a model above [`SHARED_ABOVE_BYTES`] is loaded once, aligning.
//!
//! A model that nobody uses may leave memory ([`Recognizer::rest`]): the workers let go of their states, the last one of the
//! model, and the first job afterwards, or [`Recognizer::wake`], loads it again.
//!
//! whisper.cpp looks at its abort flag after the encoder and after each token, not inside the encoder: aborting a
//! partial frees its thread at once only once its encoder pass is over.

mod decode;
mod guard;
mod hypothesis;
mod log;
mod model;
mod policy;
mod remarks;
mod requantize;
#[cfg(test)]
mod tests;
mod text;
mod times;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;
use tracing::field::Empty;
use whisper_rs::WhisperContext;

use self::{decode::Decoder, model::Facts};
pub use self::{guard::GuardSettings, policy::ContextPolicy};
use crate::model::{TRACE_PART, within};

use super::{
    EngineError, EngineInfo, Recognition, RecognizeRequest, Recognizer, Transcript,
    worker::{Load, Pool, PoolSettings},
};

/// The model inside the binary.
static BUNDLED: &[u8] = include_bytes!("../../models/nano/aigolos-nano-en-q5_1.bin");
const BUNDLED_NAME: &str = "aigolos-nano-en";

/// Models larger than this are kept in memory once, and pay for word times with every decode.
pub const SHARED_ABOVE_BYTES: u64 = 256 << 20;

/// Which model to hear with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhisperModel {
    /// The nano model inside the binary: a few hundred English words.
    Bundled,
    /// A ggml Whisper model file.
    File(PathBuf),
}

/// How Whisper runs.
#[derive(Debug, Clone, PartialEq)]
pub struct WhisperSettings {
    pub model: WhisperModel,
    /// Decodes at the same time; each keeps a state of tens (tiny) to hundreds (large) of MB.
    pub workers: usize,
    /// Threads inside one decode. More than 1 pays only where cores would otherwise be idle.
    pub threads_per_worker: usize,
    /// Jobs that may wait before partials are refused.
    pub queue: usize,
    /// Whether to use the accelerator the binary was built for.
    pub use_gpu: bool,
    /// Which accelerator, counted from 0.
    pub gpu_device: u32,
    /// How a first decode's encoder context follows the audio; `None`: what was measured to do for the model.
    pub context: Option<ContextPolicy>,
    /// Whether a result in doubt is decoded again, with more context and then with several beams. Not for the bundled
    /// model, which it never helps.
    pub fallback: bool,
    pub guard: GuardSettings,
}

impl WhisperSettings {
    /// Settings for a machine with `cores` cores: up to four decodes at a time, which for a large model share what
    /// cores there are but one.
    #[must_use]
    pub fn for_machine(model: WhisperModel, cores: usize) -> Self {
        let workers = cores.clamp(1, 4);
        let threads_per_worker = match model {
            WhisperModel::Bundled => 1,
            WhisperModel::File(_) => (cores.saturating_sub(1) / workers).clamp(1, 8),
        };
        Self {
            model,
            workers,
            threads_per_worker,
            queue: 64,
            use_gpu: true,
            gpu_device: 0,
            context: None,
            fallback: true,
            guard: GuardSettings::default(),
        }
    }
}

impl Default for WhisperSettings {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self::for_machine(WhisperModel::Bundled, cores)
    }
}

/// whisper.cpp behind the [`Recognizer`] trait. Dropping it waits for the work that somebody still waits for.
pub struct Whisper {
    pool: Pool<Decoder>,
    info: EngineInfo,
    model: Arc<Model>,
}

impl Whisper {
    /// Loads the model and lets every worker decode once, so that the first caller waits no longer than the others.
    /// Blocks for as long as that takes (0.1 s for the bundled model, seconds for large ones).
    ///
    /// # Errors
    /// [`EngineError::ModelMissing`] if the file is not there, [`EngineError::Failed`] if it is not a whole ggml
    /// Whisper model or memory does not suffice.
    pub fn load(settings: WhisperSettings) -> Result<Self, EngineError> {
        log::install();
        let facts = model::inspect(&settings.model)?;
        let info = info(&settings.model, &facts);
        let pool_settings = PoolSettings { workers: settings.workers, queue: settings.queue };
        let model = Arc::new(Model { settings, facts, contexts: Mutex::default(), trouble: Mutex::default() });
        let first = model.contexts()?; // held until the workers hold it
        let pool = {
            let model = model.clone();
            Pool::start("whisper", &pool_settings, move |_| Decoder::new(model.contexts()?))?
        };
        drop(first);
        tracing::info!(model = info.model, workers = pool_settings.workers, "speech recognition is ready");
        Ok(Self { pool, info, model })
    }

    /// What the workers are doing and have done, for metrics.
    #[must_use]
    pub fn load_now(&self) -> Load {
        self.pool.load()
    }

    /// Takes no more work and aborts what runs; see [`Pool::close`].
    pub fn close(&self) {
        self.pool.close();
    }
}

impl Drop for Whisper {
    fn drop(&mut self) {
        self.pool.finish();
    }
}

impl Recognizer for Whisper {
    fn info(&self) -> EngineInfo {
        let trouble = self.model.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone();
        EngineInfo { loaded: self.pool.loaded(), hint: trouble.or(self.info.hint.clone()), ..self.info.clone() }
    }

    fn max_audio(&self) -> Duration {
        self.model.facts.max_audio()
    }

    fn wake(&self) {
        self.pool.wake();
    }

    fn rest(&self, now: Instant, unused_for: Duration) -> bool {
        self.pool.rest_unused(now, unused_for)
    }

    fn load(&self) -> Option<Load> {
        Some(self.pool.load())
    }

    fn submit(&self, request: RecognizeRequest) -> Recognition {
        if request.audio.is_empty() {
            let (reply, answer) = oneshot::channel();
            let _ = reply.send(Ok(Transcript::default()));
            return answer;
        }
        let span = tracing::info_span!(
            target: TRACE_PART,
            "recognise",
            kind = request.priority.name(),
            engine = "whisper",
            model = self.info.model,
            audio_ms = request.audio.ms(),
            queue_ms = Empty,
            compute_ms = Empty
        );
        within(span).in_scope(|| self.pool.submit(request.session, request.priority, request))
    }
}

fn info(model: &WhisperModel, facts: &Facts) -> EngineInfo {
    let languages = if facts.multilingual() { vec![] } else { vec!["en".into()] };
    let (model, demo, hint) = match model {
        WhisperModel::Bundled => (
            BUNDLED_NAME.into(),
            true,
            Some(
                "this stand-in knows 380 English words; `aigolos models setup` fetches a real model, and so does the \
                 page of models"
                    .into(),
            ),
        ),
        WhisperModel::File(path) => {
            let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            (name.strip_prefix("ggml-").map_or(name.clone(), str::to_owned), false, None)
        }
    };
    EngineInfo { engine: "whisper".into(), model, demo, loaded: true, hint, languages }
}

/// The model, in memory or not.
struct Model {
    settings: WhisperSettings,
    facts: Facts,
    /// Held by the workers; locked while it is being loaded, so that all of them get the same.
    contexts: Mutex<Weak<Contexts>>,
    /// Why it could not be loaded again.
    trouble: Mutex<Option<String>>,
}

impl Model {
    /// The model in memory, loaded if it is not there.
    fn contexts(&self) -> Result<Arc<Contexts>, EngineError> {
        let mut contexts = self.contexts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(contexts) = contexts.upgrade() {
            return Ok(contexts);
        }
        let loaded = self.load();
        let trouble = loaded.as_ref().err().map(|error| format!("it cannot be loaded: {error}; {}", error.hint()));
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        let loaded = Arc::new(loaded?);
        *contexts = Arc::downgrade(&loaded);
        Ok(loaded)
    }

    fn load(&self) -> Result<Contexts, EngineError> {
        let began = Instant::now();
        // The file may be another by now; what was said of the model must hold.
        if model::inspect(&self.settings.model)? != self.facts {
            let reason = "its file has become another model; choose it again".into();
            return Err(EngineError::Failed { engine: "whisper", reason });
        }
        let contexts = Contexts::load(self.settings.clone(), self.facts.clone())?;
        tracing::debug!(took_ms = began.elapsed().as_millis() as u64, "whisper model loaded");
        Ok(contexts)
    }
}

/// The model in memory: once plain, and once aligning where word times were asked for.
struct Contexts {
    settings: WhisperSettings,
    facts: Facts,
    plain: Arc<WhisperContext>,
    aligning: Mutex<Option<Arc<WhisperContext>>>,
}

impl Contexts {
    fn load(settings: WhisperSettings, facts: Facts) -> Result<Self, EngineError> {
        let shared = facts.bytes > SHARED_ABOVE_BYTES;
        let plain = Arc::new(model::open(&settings, &facts, shared)?);
        let aligning = Mutex::new(shared.then(|| plain.clone()));
        Ok(Self { settings, facts, plain, aligning })
    }

    /// The copy that can tell word times, loaded when first wanted.
    fn aligning(&self) -> Result<Arc<WhisperContext>, EngineError> {
        let mut aligning = self.aligning.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(context) = &*aligning {
            return Ok(context.clone());
        }
        let context = Arc::new(model::open(&self.settings, &self.facts, true)?);
        Ok(aligning.insert(context).clone())
    }
}
