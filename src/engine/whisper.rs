//! Speech to text with whisper.cpp: one model in memory, a [`Pool`] of threads with one long-lived state each.
//!
//! What is done differently from a plain `whisper_full` call, each by measurement (docs/benchmarks.md):
//! - The encoder's context follows the length of the audio, with a floor; its time goes with the context's length.
//! - One thread per worker: whisper.cpp's threads wait for each other by spinning, and on busy cores that costs
//!   twenty times what it saves.
//! - No timestamps, no text context, greedy, a bound on the tokens that goes with the length of the audio.
//! - Word times come from the decoder's attention (dynamic time warping). Asking for them costs a second pass of the
//!   decoder and has to be chosen when the model is loaded, so a second, aligning copy of the model is loaded when
//!   words are first asked for; a model above [`SHARED_ABOVE_BYTES`] is loaded once, aligning.
//!
//! whisper.cpp looks at its abort flag after the encoder and after each token, not inside the encoder: aborting a
//! partial frees its thread at once only once its encoder pass is over.

mod decode;
mod guard;
mod log;
mod model;
#[cfg(test)]
mod tests;
mod text;
mod times;

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::sync::oneshot;
use tracing::field::Empty;
use whisper_rs::WhisperContext;

pub use self::guard::GuardSettings;
use self::{decode::Decoder, model::Facts};
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
    /// The shortest encoder context in steps of 20 ms; `None`: what was measured to do for the model.
    pub context_floor: Option<u32>,
    /// Whether a final that looks wrong is decoded again with some randomness, as OpenAI's own decoder does. Not for
    /// the bundled model, which it never helps.
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
            context_floor: None,
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

/// whisper.cpp behind the [`Recognizer`] trait.
pub struct Whisper {
    pool: Pool<Decoder>,
    info: EngineInfo,
    facts: Facts,
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
        let contexts = Arc::new(Contexts::load(settings, facts.clone())?);
        let pool = Pool::start("whisper", &pool_settings, move |_| Decoder::new(contexts.clone()))?;
        tracing::info!(model = info.model, workers = pool_settings.workers, "speech recognition is ready");
        Ok(Self { pool, info, facts })
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

impl Recognizer for Whisper {
    fn info(&self) -> EngineInfo {
        self.info.clone()
    }

    fn max_audio(&self) -> Duration {
        self.facts.max_audio()
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
                "this demo model knows 380 English words; for a real one put a ggml Whisper model into the \
                 models folder and set ASR_MODEL_NAME to its name"
                    .into(),
            ),
        ),
        WhisperModel::File(path) => {
            let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            (name.strip_prefix("ggml-").map_or(name.clone(), str::to_owned), false, None)
        }
    };
    EngineInfo { engine: "whisper".into(), model, demo, hint, languages }
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
