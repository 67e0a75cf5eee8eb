//! What is asked of a job and what comes of it, as they lie in the store.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::decode::DecodeError;
use crate::{
    engine::EngineError,
    model::{ConversationId, Word},
    store::JobState,
};

/// What is asked of a recording.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRequest {
    /// ISO 639-1; `None`: the recogniser decides.
    #[serde(default)]
    pub language: Option<String>,
    /// Whether the segments of the answer have their words with times.
    #[serde(default)]
    pub words: bool,
    /// What the file was declared as; counts where its name says nothing.
    #[serde(default)]
    pub media_type: Option<String>,
}

/// A stretch of a recording's text: a sentence, where the recogniser writes full stops.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    pub start_ms: u32,
    pub end_ms: u32,
    pub text: String,
    /// Empty where not asked for, or not known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<Word>,
}

/// A recording's text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Empty if nobody speaks.
    pub text: String,
    pub language: Option<String>,
    /// Length of the recording.
    pub duration_ms: u64,
    pub segments: Vec<Segment>,
    /// Where the history has it; `None` if there is nothing to keep.
    pub conversation_id: Option<ConversationId>,
}

/// Why nothing came of a job.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// A stable name, one of those of the HTTP interface.
    pub code: String,
    pub message: String,
    pub hint: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl Failure {
    pub(super) fn new(code: &str, message: impl Into<String>, hint: &str) -> Self {
        Self { code: code.into(), message: message.into(), hint: hint.into(), retry_after_ms: None }
    }

    pub(super) fn internal() -> Self {
        Self::new("internal", "a fault of the server", "try again; the server's log has the details")
    }
}

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let retry_after_ms = match &error {
            EngineError::Overloaded { retry_after_ms } => Some(*retry_after_ms),
            _ => None,
        };
        let code = if error == EngineError::Superseded { "engine_failed" } else { error.code() };
        Self { retry_after_ms, ..Self::new(code, error.to_string(), &error.hint()) }
    }
}

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Self {
        let (code, hint) = match &error {
            DecodeError::Unreadable(_) => {
                ("unsupported_media", "save it anew as WAV, MP3, FLAC, Ogg, WebM or M4A (AAC-LC) and send that")
            }
            DecodeError::TooLong(_) => ("too_large", "cut it in parts, or let the operator raise MAX_AUDIO_MINUTES"),
            DecodeError::Cancelled | DecodeError::Io(_) => {
                tracing::error!(%error, "a recording cannot be read");
                return Self::internal();
            }
        };
        Self::new(code, error.to_string(), hint)
    }
}

/// How a job ended.
#[derive(Debug)]
pub(super) enum End {
    Done(Outcome),
    Failed(Failure),
    Cancelled,
}

impl End {
    pub(super) fn state(&self) -> JobState {
        match self {
            Self::Done(_) => JobState::Done,
            Self::Failed(_) => JobState::Failed,
            Self::Cancelled => JobState::Cancelled,
        }
    }

    /// What the last event says, and the store keeps.
    pub(super) fn data(&self) -> Value {
        let data = match self {
            Self::Done(outcome) => serde_json::to_value(outcome),
            Self::Failed(failure) => serde_json::to_value(failure),
            Self::Cancelled => Ok(json!({})),
        };
        // Their keys are strings and their numbers finite, or become null.
        data.unwrap_or_default()
    }
}

/// The kind of the event that ends a job in `state`.
pub(super) fn last_event(state: JobState) -> Option<&'static str> {
    match state {
        JobState::Done => Some("done"),
        JobState::Failed => Some("failed"),
        JobState::Cancelled => Some("cancelled"),
        JobState::Queued | JobState::Running => None,
    }
}

/// The state that an event of `kind` ends a job in.
pub(super) fn ended_by(kind: &str) -> Option<JobState> {
    [JobState::Done, JobState::Failed, JobState::Cancelled].into_iter().find(|state| last_event(*state) == Some(kind))
}
