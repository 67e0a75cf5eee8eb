//! The session object: what is in effect, changed by deep merge of what a client wishes, told whole.
//!
//! Clients send names of models and voices that only OpenAI has; they are taken for the configured ones. What changes
//! nothing here (noise reduction, tracing, stored prompts) is kept and told again as it was wished.

mod echo;
mod format;
mod options;
mod tools;
mod turn;
mod update;

use serde_json::{Value, json};

pub use self::{
    format::Format,
    options::{override_of, respond_voice},
    turn::{Eagerness, Vad, VadKind},
    update::Situation,
};
pub(super) use self::{
    tools::{max_tokens, max_tokens_json, tool_choice, tools},
    update::{flat, modalities},
};
use crate::{
    conversation::message::SessionOptions,
    engine::{Tool, ToolChoice},
};

/// What wishes are checked against.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// What a session gets that wishes for nothing.
    pub defaults: SessionOptions,
    /// The server's own system prompt, shown where the client has none.
    pub instructions: String,
    /// The chat model in use, shown where the client names none.
    pub model: String,
    /// The recogniser's model, shown likewise.
    pub recognizer: String,
    /// The voice in use, shown likewise.
    pub voice: String,
    /// Voices that exist by their own name.
    pub voices: Vec<String>,
    /// Languages the recogniser knows; empty: any.
    pub languages: Vec<String>,
    /// Whether the caller may talk to the assistant, not only dictate.
    pub may_converse: bool,
}

/// Whether the person is answered or only written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionKind {
    Realtime,
    Transcription,
}

impl SessionKind {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Realtime => "realtime",
            Self::Transcription => "transcription",
        }
    }
}

/// How the person's words are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transcription {
    /// As the client named it; the configured recogniser works.
    pub model: String,
    pub language: Option<String>,
    pub prompt: Option<String>,
    pub keywords: Vec<String>,
}

impl Transcription {
    fn new(offer: &Offer) -> Self {
        Self { model: offer.recognizer.clone(), language: None, prompt: None, keywords: Vec::new() }
    }
}

/// A session's whole configuration in effect.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub kind: SessionKind,
    pub model: String,
    /// Whether replies are spoken.
    pub speak: bool,
    /// `None`: the server's own.
    pub instructions: Option<String>,
    pub tools: Vec<Tool>,
    pub tool_choice: ToolChoice,
    pub max_tokens: Option<u32>,
    pub temperature: Option<f64>,
    pub input: Format,
    pub transcription: Option<Transcription>,
    pub turn_detection: Option<Vad>,
    pub output: Format,
    pub voice: String,
    pub speed: f64,
    pub kept: Kept,
}

/// What is told again and changes nothing.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    pub noise_reduction: Value,
    pub tracing: Value,
    pub truncation: Value,
    pub prompt: Value,
    pub include: Value,
    /// `None` where never wished.
    pub reasoning: Option<Value>,
    pub parallel_tool_calls: Option<Value>,
}

impl Config {
    /// What a session begins with. `model`: as the client asked for.
    #[must_use]
    pub fn new(kind: SessionKind, model: Option<String>, offer: &Offer) -> Self {
        let transcribes = kind == SessionKind::Transcription;
        Self {
            kind,
            model: model.unwrap_or_else(|| offer.model.clone()),
            speak: true,
            instructions: None,
            tools: Vec::new(),
            tool_choice: ToolChoice::Auto,
            max_tokens: None,
            temperature: None,
            input: Format::Pcm,
            transcription: transcribes.then(|| Transcription::new(offer)),
            turn_detection: Some(Vad::server()),
            output: Format::Pcm,
            voice: offer.voice.clone(),
            speed: 1.0,
            kept: Kept {
                noise_reduction: Value::Null,
                tracing: Value::Null,
                truncation: json!("auto"),
                prompt: Value::Null,
                include: Value::Null,
                reasoning: None,
                parallel_tool_calls: None,
            },
        }
    }
}
