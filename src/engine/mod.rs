//! The engines' contract: what a recogniser, a chat model, a voice and a voice detector are to the rest of the house.
//!
//! Each body is a neighbour behind these traits. To add one, write a module that implements the trait, give it a
//! settings struct of its own, and name it where `app` picks engines. Dropping the receiver an engine handed out
//! is the cancellation: an engine looks at it before each piece of work.

pub mod builtin;
mod calls;
pub mod chat;
mod error;
pub mod espeak;
mod learnt;
mod lines;
mod meter;
pub mod models;
pub mod ollama;
pub mod openai_chat;
pub mod piper;
pub mod script;
pub mod speech;
mod streaming;
pub mod switch;
mod thinking;
pub mod tokens;
pub mod vad;
pub mod whisper;
pub mod worker;

pub use error::EngineError;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::future::BoxFuture;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};

use crate::{
    audio::{Mono16k, Pcm, SampleRate, VadFrame},
    model::{Message, SessionId, Word},
};

/// What is in use, as shown on the page, in the health report and in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct EngineInfo {
    /// The engine: `whisper`, `ollama`, `openai`, `builtin`, `piper`, `espeak`.
    pub engine: String,
    /// The model or voice it runs.
    pub model: String,
    /// True for the small bundled engines that make the first run work.
    pub demo: bool,
    /// False once it has left memory because nobody used it; it is loaded again when it is needed. What another server
    /// holds in its memory is not told here.
    pub loaded: bool,
    /// How to get something better or mend what is missing, in one sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Languages it knows (ISO 639-1); empty: any.
    pub languages: Vec<String>,
}

// ---------------------------------------------------------------- recognition

/// Which work goes first. Finals are never dropped; a newer partial replaces the same session's waiting one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// A piece of a recording: nobody is waiting in mid-conversation. Runs where nothing else would, and gives its thread
    /// up for a final ([`EngineError::Superseded`]: submit it again).
    Recording,
    Partial,
    Final,
}

impl Priority {
    /// Its name in traces.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Recording => "recording",
            Self::Partial => "partial",
            Self::Final => "final",
        }
    }
}

/// One stretch of speech to turn into text.
#[derive(Debug, Clone)]
pub struct RecognizeRequest {
    /// Whose speech it is: partials of one session replace each other, its final aborts its running partial.
    pub session: SessionId,
    pub priority: Priority,
    pub audio: Arc<Mono16k>,
    /// ISO 639-1; `None`: the model decides.
    pub language: Option<String>,
    /// Text that came before, to steer spelling; ignored by models that cannot use it.
    pub prompt: Option<String>,
    /// Whether [`Transcript::words`] is wanted.
    pub words: bool,
    /// Write English, whatever language is spoken; models that cannot translate write down what they hear.
    pub translate: bool,
    /// How freely tokens are chosen, 0 to 1; `None`: always the likeliest.
    pub temperature: Option<f32>,
}

/// What was heard.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Transcript {
    /// Clean text, without `[BLANK_AUDIO]` and the like; empty if nothing was said or a guard rejected it.
    pub text: String,
    /// Words with times where asked for and known; times count from the start of the request's audio.
    pub words: Vec<Word>,
    /// Mean log-probability of the tokens, at most 0.
    pub mean_log_probability: f32,
    /// The model's tokens, without the special ones; empty where the model does not tell.
    pub tokens: Vec<i32>,
    /// How likely it is that nobody spoke, 0 to 1, where the model tells.
    pub no_speech_probability: Option<f32>,
    /// The language found, where the model tells.
    pub language: Option<String>,
    /// Why the text is empty although the audio was not: `no_speech`, `low_probability`, `repetition`.
    pub rejected: Option<&'static str>,
    /// Time spent computing.
    pub compute: Duration,
    /// Time spent waiting for a worker.
    pub queued: Duration,
}

/// A pending answer; drop it to cancel the work. A replaced or aborted partial answers [`EngineError::Superseded`].
pub type Recognition = oneshot::Receiver<Result<Transcript, EngineError>>;

/// Speech to text.
pub trait Recognizer: Send + Sync + 'static {
    fn info(&self) -> EngineInfo;
    /// The longest audio it hears in one request; the rest would be lost, so split before it.
    fn max_audio(&self) -> Duration;
    /// Queues one request. Full queue: a partial is refused ([`EngineError::Overloaded`]), a final waits its turn.
    fn submit(&self, request: RecognizeRequest) -> Recognition;
    /// Begins to load what has left memory, and returns at once; called when a session starts and when somebody begins
    /// to speak.
    fn wake(&self) {}
    /// Lets it leave memory if it has not been used for `unused_for` at the time `now`; whether it does. Returns at once.
    fn rest(&self, _now: Instant, _unused_for: Duration) -> bool {
        false
    }
    /// What it forwards to at this moment; `None`: nothing, it is the engine itself. See [`Engines::ears`].
    fn current(&self) -> Option<Arc<dyn Recognizer>> {
        None
    }
    /// What its threads are doing and have done, for metrics; `None`: it has none of its own.
    fn load(&self) -> Option<worker::Load> {
        None
    }
}

// ----------------------------------------------------------------------- chat

/// A function that the model may ask to be called.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Tool {
    pub name: String,
    pub description: String,
    /// JSON Schema of its arguments, an object.
    pub parameters: serde_json::Value,
}

/// Whether the model may, must or must not call functions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ToolChoice {
    /// As the model sees fit.
    #[default]
    Auto,
    None,
    /// At least one, whichever.
    Required,
    /// This one.
    Named(String),
}

/// What a chat model is asked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChatRequest {
    /// System prompt first, then the history, then what was just said.
    pub messages: Vec<Message>,
    /// `None`: the backend's default.
    pub max_tokens: Option<u32>,
    /// `None`: the backend's default.
    pub temperature: Option<f32>,
    /// What it may ask to be called. A model or server that knows no functions answers with text alone.
    pub tools: Vec<Tool>,
    pub tool_choice: ToolChoice,
    /// Whose conversation it is, for a model that remembers more than the messages say (the built-in assistant's
    /// timers); `None`: nobody's, nothing is remembered.
    pub session: Option<SessionId>,
}

/// A piece of a reply's text. The stream ends when the channel closes after [`ChatDelta::Done`]; a channel that
/// closes without it was cut off.
#[derive(Debug, Clone, PartialEq)]
pub enum ChatDelta {
    Text(String),
    /// All text so far was no part of the reply: the model was thinking aloud, and nothing before told so.
    Withdrawn,
    /// The model calls a function; `call` counts from 0 within the reply. Its id is unique.
    Call {
        call: u32,
        id: String,
        name: String,
    },
    /// More of that call's arguments; joined they are what [`ToolCall::arguments`](crate::model::ToolCall) holds.
    Arguments {
        call: u32,
        delta: String,
    },
    Done {
        prompt_tokens: Option<u32>,
        reply_tokens: Option<u32>,
        stop: StopCause,
    },
}

/// Why a model stopped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum StopCause {
    /// It had said all it wanted, or waits for what its calls give.
    #[default]
    End,
    /// The longest reply was reached.
    Length,
}

/// A streaming reply; drop it to cancel. Bounded: a slow listener slows the model.
pub type ChatStream = mpsc::Receiver<Result<ChatDelta, EngineError>>;

/// Text to text, streaming.
pub trait ChatModel: Send + Sync + 'static {
    fn info(&self) -> EngineInfo;
    fn reply(&self, request: ChatRequest) -> ChatStream;
    /// Loads the model before it is needed; called when a session starts, may be called often.
    fn warm_up(&self) -> BoxFuture<'static, Result<(), EngineError>>;
    /// What it has shown of its tokens so far.
    fn tokens(&self) -> tokens::TokenCount {
        tokens::TokenCount::default()
    }
    /// Whether it could be asked now, within a second or two, without loading anything; what is wrong if not.
    fn probe(&self) -> BoxFuture<'static, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }
}

// --------------------------------------------------------------------- speech

/// One sentence to speak.
#[derive(Debug, Clone)]
pub struct SpeakRequest {
    /// Plain speakable text, one sentence or clause.
    pub text: String,
    /// A voice id out of [`Synthesizer::voices`]; `None` or unknown: the default for the language.
    pub voice: Option<String>,
    /// ISO 639-1.
    pub language: Option<String>,
    /// 1.0 is normal, 0.25 to 4.0.
    pub speed: f32,
}

/// A voice one can choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VoiceInfo {
    pub id: String,
    /// For people: "Lessac (English, United States)".
    pub name: String,
    /// ISO 639-1.
    pub language: String,
    #[serde(skip)]
    pub rate: SampleRate,
}

/// An engine and the voice it speaks with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Speaker {
    pub engine: String,
    pub voice: String,
}

/// Sound as it is made, in order; drop it to cancel. The channel closes after the last piece; an error is the last.
pub type SpeechStream = mpsc::Receiver<Result<Pcm, EngineError>>;

/// Text to speech.
pub trait Synthesizer: Send + Sync + 'static {
    fn info(&self) -> EngineInfo;
    fn voices(&self) -> Vec<VoiceInfo>;
    fn speak(&self, request: SpeakRequest) -> SpeechStream;
    /// Who speaks `request`.
    fn speaker(&self, request: &SpeakRequest) -> Speaker {
        let info = self.info();
        Speaker { voice: request.voice.clone().unwrap_or(info.model), engine: info.engine }
    }
    /// As [`Recognizer::wake`].
    fn wake(&self) {}
    /// As [`Recognizer::rest`].
    fn rest(&self, _now: Instant, _unused_for: Duration) -> bool {
        false
    }
}

// -------------------------------------------------------------- voice activity

/// Tells voice from other sound, frame by frame; one per audio stream, since it remembers what it heard.
pub trait VoiceDetector: Send {
    /// How likely `frame` holds a voice, 0 to 1.
    fn probability(&mut self, frame: &VadFrame) -> f32;
    /// Forgets the stream so far.
    fn reset(&mut self);
}

/// The engines a server runs with. Behind each there may be a [`switch`], and then another one tomorrow.
#[derive(Clone)]
pub struct Engines {
    pub recognizer: Arc<dyn Recognizer>,
    pub chat: Arc<dyn ChatModel>,
    pub speech: Arc<dyn Synthesizer>,
    /// Makes a fresh detector for one audio stream.
    pub detector: Arc<dyn Fn() -> Box<dyn VoiceDetector> + Send + Sync>,
    /// The name of what `detector` makes: `webrtc`, `earshot` or `cascade`.
    pub detector_name: &'static str,
}

impl Engines {
    /// The recogniser to stay with for one utterance or one recording: another one might hear less at once than the
    /// audio was cut for. It stays in memory until this is dropped.
    #[must_use]
    pub fn ears(&self) -> Arc<dyn Recognizer> {
        self.recognizer.current().unwrap_or_else(|| Arc::clone(&self.recognizer))
    }
}
