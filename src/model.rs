//! The glossary in types: what every floor above means by *session*, *conversation*, *turn* and the rest.
//!
//! A *conversation* holds *turns*; a turn is one *utterance* of the person and the assistant's *reply* to it; a reply
//! is spoken *sentence* by sentence. A *session* is one WebSocket's life, possibly resumed on a new socket.

mod language;

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::language::{UnknownLanguage, language_name, parse_language};

/// One WebSocket's life; survives a reconnect when the client resumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SessionId(Uuid);

/// A series of turns that share their history.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConversationId(Uuid);

/// One person with an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(Uuid);

impl UserId {
    /// Who owns everything on a server without accounts (`AUTH_MODE=open`).
    pub const LOCAL: Self = Self(Uuid::nil());
}

/// One piece of long work with progress events, such as the transcription of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobId(Uuid);

/// A moment, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UnixMs(pub i64);

impl UnixMs {
    #[must_use]
    pub fn now() -> Self {
        Self(jiff::Timestamp::now().as_millisecond())
    }

    /// This moment and so much later.
    #[must_use]
    pub fn after(self, duration: std::time::Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
}

macro_rules! fresh_id {
    ($name:ident) => {
        impl $name {
            /// A new id, sortable by the time it was made (UUID version 7).
            #[must_use]
            pub fn fresh() -> Self {
                Self(Uuid::now_v7())
            }

            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}
fresh_id!(SessionId);
fresh_id!(ConversationId);
fresh_id!(UserId);
fresh_id!(JobId);

/// The number of a turn within its session, counted from 1. It travels on every audio chunk, so that whatever
/// belongs to an older turn can be recognised and dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TurnId(pub u32);

impl TurnId {
    /// The turn after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

impl fmt::Display for TurnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Target of spans that carry ids into log lines and begin a trace: a turn, a request that makes engines work.
pub const TRACE_ROOT: &str = "aigolos::trace";
/// Target of the spans within those; they are made only where traces are sent.
pub const TRACE_PART: &str = "aigolos::trace::part";

/// Where work goes on: in `part`, or where parts are not made, in the span around it, whose ids its log lines need.
#[must_use]
pub fn within(part: tracing::Span) -> tracing::Span {
    if part.is_disabled() { tracing::Span::current() } else { part }
}

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    System,
    User,
    Assistant,
    /// What a function gave back that the model had called.
    Tool,
}

/// A function the model wants called: the client calls it and tells what came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// Names this call; what comes out names it again.
    pub id: String,
    pub name: String,
    /// A JSON object, as the model wrote it: it may not be valid.
    pub arguments: String,
}

/// One entry of the history a chat model sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    pub role: Role,
    pub content: String,
    /// What the assistant called, [`Role::Assistant`] only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calls: Vec<ToolCall>,
    /// Which call `content` came out of, [`Role::Tool`] only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
}

impl Message {
    #[must_use]
    pub fn new(role: Role, content: impl Into<String>) -> Self {
        Self { role, content: content.into(), calls: Vec::new(), call_id: None }
    }

    /// What came out of the call `call_id`.
    #[must_use]
    pub fn output(call_id: impl Into<String>, content: impl Into<String>) -> Self {
        Self { call_id: Some(call_id.into()), ..Self::new(Role::Tool, content) }
    }

    /// The assistant calls functions, perhaps saying something first.
    #[must_use]
    pub fn calling(content: impl Into<String>, calls: Vec<ToolCall>) -> Self {
        Self { calls, ..Self::new(Role::Assistant, content) }
    }
}

/// A recognised word with its place in the audio, in milliseconds from the start of the decoded audio.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Word {
    pub text: String,
    pub start_ms: u32,
    pub end_ms: u32,
    /// How sure the recogniser is, 0 to 1.
    pub probability: f32,
}

/// When each stage of a turn happened, in milliseconds after the person stopped speaking (the last voiced frame).
/// `None`: the stage did not happen. Typed turns count from the moment the text arrived.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Timings {
    /// Silence long enough to start work on the answer, held back.
    pub soft_end_ms: Option<u32>,
    /// Silence long enough to release it.
    pub hard_end_ms: Option<u32>,
    /// The final transcript was ready.
    pub final_transcript_ms: Option<u32>,
    /// The chat model's first piece of text was ready.
    pub first_token_ms: Option<u32>,
    /// The first speakable sentence or clause was complete.
    pub first_sentence_ms: Option<u32>,
    /// The first synthesised sound was ready (it may still have been held back).
    pub first_sound_ms: Option<u32>,
    /// The first audio chunk was sent to the client.
    pub first_audio_ms: Option<u32>,
    /// The reply ended.
    pub done_ms: Option<u32>,
}

/// A language people read: of pages, mails and messages. (What is *spoken* is an ISO 639-1 code and can be any.)
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    #[default]
    En,
    Ru,
}

impl Language {
    pub const ALL: [Self; 2] = [Self::En, Self::Ru];

    /// Its ISO 639-1 code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Ru => "ru",
        }
    }

    /// The language of a tag, with or without a country: `ru`, `en-GB`.
    #[must_use]
    pub fn of_tag(tag: &str) -> Option<Self> {
        let primary = tag.trim().split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| language.code().eq_ignore_ascii_case(primary))
    }

    /// The best of an `Accept-Language` header (RFC 9110, 12.5.4); `None` if it names none of ours.
    #[must_use]
    pub fn of_accept(header: &str) -> Option<Self> {
        let mut best: Option<(f32, Self)> = None;
        // A header of a thousand entries is nobody's wish.
        for entry in header.split(',').take(32) {
            let (tag, parameters) = entry.split_once(';').unwrap_or((entry, ""));
            let quality = parameters.trim().strip_prefix("q=").map_or(Some(1.0), |q| q.trim().parse().ok());
            let (Some(language), Some(quality)) = (Self::of_tag(tag), quality) else { continue };
            if quality > 0.0 && best.is_none_or(|(most, _)| quality > most) {
                best = Some((quality, language));
            }
        }
        best.map(|(_, language)| language)
    }
}

#[cfg(test)]
mod tests {
    use super::Language;

    #[test]
    fn the_language_most_wanted_is_chosen() {
        for (header, language) in [
            ("ru", Some(Language::Ru)),
            ("de-DE, ru-RU;q=0.8, en;q=0.9", Some(Language::En)),
            ("en;q=0, ru;q=0.1", Some(Language::Ru)),
            ("en-GB,en;q=0.7,ru", Some(Language::En)),
            ("de, fr;q=0.3", None),
            ("ru;q=much", None),
            ("", None),
        ] {
            assert_eq!(Language::of_accept(header), language, "{header}");
        }
    }
}
