//! What the server sends as text.

use serde::{Deserialize, Serialize};

use super::{Mode, TurnDetection};
use crate::{
    audio::Encoding,
    engine::StopCause,
    model::{ConversationId, SessionId, TurnId, Word},
    protocol::error::ErrorEvent,
};

/// What the server sends as text.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", deny_unknown_fields)]
pub enum ServerEvent {
    #[serde(rename = "session.ready")]
    SessionReady(Box<SessionReady>),
    #[serde(rename = "session.updated")]
    SessionUpdated(SessionUpdated),
    #[serde(rename = "session.closed")]
    SessionClosed(SessionClosed),
    #[serde(rename = "speech.started")]
    SpeechStarted { seq: u64, turn: TurnId, at_ms: u64 },
    #[serde(rename = "speech.stopped")]
    SpeechStopped { seq: u64, turn: TurnId, at_ms: u64 },
    #[serde(rename = "transcript.partial")]
    TranscriptPartial { seq: u64, turn: TurnId, stable: String, unstable: String },
    #[serde(rename = "transcript.final")]
    TranscriptFinal(TranscriptFinal),
    #[serde(rename = "reply.started")]
    ReplyStarted { seq: u64, turn: TurnId },
    #[serde(rename = "reply.text.delta")]
    ReplyTextDelta { seq: u64, turn: TurnId, delta: String },
    #[serde(rename = "reply.paused")]
    ReplyPaused { seq: u64, turn: TurnId },
    #[serde(rename = "reply.resumed")]
    ReplyResumed { seq: u64, turn: TurnId },
    #[serde(rename = "reply.done")]
    ReplyDone {
        seq: u64,
        turn: TurnId,
        text: String,
        timings: Timings,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        stop: Option<EarlyStop>,
    },
    #[serde(rename = "reply.cancelled")]
    ReplyCancelled { seq: u64, turn: TurnId, heard_text: String, reason: CancelReason, timings: Timings },
    #[serde(rename = "progress")]
    Progress(Progress),
    #[serde(rename = "error")]
    Error(ErrorEvent),
}

/// Why a reply ended before the model had said all it wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EarlyStop {
    /// The longest reply was reached.
    Length,
}

impl EarlyStop {
    /// `None`: it had said all.
    #[must_use]
    pub const fn of(stop: StopCause) -> Option<Self> {
        match stop {
            StopCause::End => None,
            StopCause::Length => Some(Self::Length),
        }
    }
}

impl ServerEvent {
    /// Every event's name on the wire.
    pub const NAMES: &[&str] = &[
        "session.ready",
        "session.updated",
        "session.closed",
        "speech.started",
        "speech.stopped",
        "transcript.partial",
        "transcript.final",
        "reply.started",
        "reply.text.delta",
        "reply.paused",
        "reply.resumed",
        "reply.done",
        "reply.cancelled",
        "progress",
        "error",
    ];
}

/// The last event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionClosed {
    pub seq: u64,
    pub session_id: SessionId,
    pub reason: CloseReason,
    /// Which conversation to go on with; only where the session ended for a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    /// When to connect again; only where the session ended for a restart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionReady {
    pub seq: u64,
    pub session_id: SessionId,
    pub conversation_id: ConversationId,
    pub resumed: bool,
    pub mode: Mode,
    pub audio: Format,
    pub output: Format,
    pub language: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voice: Option<String>,
    pub speed: f32,
    pub words: bool,
    pub speak: bool,
    pub turn_detection: TurnDetection,
    pub engines: Engines,
    pub voices: Vec<Voice>,
    pub limits: Limits,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionUpdated {
    pub seq: u64,
    pub language: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voice: Option<String>,
    pub speed: f32,
    pub words: bool,
    pub speak: bool,
    pub turn_detection: TurnDetection,
}

/// An audio format in effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Format {
    pub encoding: Encoding,
    pub sample_rate: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Engines {
    pub vad: Engine,
    pub asr: Engine,
    pub llm: Engine,
    pub tts: Engine,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    pub engine: String,
    pub model: String,
    pub demo: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    pub languages: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Voice {
    pub id: String,
    pub name: String,
    pub language: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub max_message_bytes: u64,
    pub max_text_chars: u64,
    pub idle_timeout_ms: u64,
    pub resume_window_ms: u64,
    pub audio_ahead_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TranscriptFinal {
    pub seq: u64,
    pub turn: TurnId,
    pub text: String,
    /// `None` where they were not asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<Vec<Word>>,
    pub start_ms: u64,
    pub end_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    pub seq: u64,
    pub task: String,
    pub stage: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fraction: Option<f32>,
}

/// [`crate::model::Timings`] without the stages that did not happen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timings {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub soft_end_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hard_end_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub final_transcript_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_token_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_sentence_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_sound_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_audio_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub done_ms: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CancelReason {
    BargeIn,
    Client,
    Superseded,
    Closing,
    Failed,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CloseReason {
    ClientEnded,
    Idle,
    SlowReader,
    Shutdown,
    Restart,
    Abandoned,
    Revoked,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Serde lists the known variants when it meets an unknown one; held against `NAMES`.
    #[test]
    fn the_list_of_names_is_serdes_own() {
        let error = serde_json::from_str::<ServerEvent>(r#"{"type":"?"}"#).expect_err("no such event").to_string();
        let listed: Vec<_> = error.split('`').skip(3).step_by(2).collect();
        assert_eq!(listed, ServerEvent::NAMES, "{error}");
    }
}
