//! The shapes of conversations in answers.

use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    model::{ConversationId, Timings, UnixMs, Word},
    protocol::error::ApiError,
    store::{Conversation, ConversationKind, Cursor, Found, Side, Source, TurnRecord, TurnReply},
};

/// A conversation as lists show it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Conversation)]
pub(super) struct ConversationView {
    id: Uuid,
    kind: ConversationKind,
    /// The person's own title, or the first words said.
    title: String,
    turns: u32,
    /// Milliseconds since 1970.
    created_at: i64,
    /// When its newest turn was written.
    updated_at: i64,
}

impl From<Conversation> for ConversationView {
    fn from(conversation: Conversation) -> Self {
        let Conversation { id, user: _, kind, title, turns, created_at, updated_at } = conversation;
        Self { id: id.uuid(), kind, title, turns, created_at: created_at.0, updated_at: updated_at.0 }
    }
}

/// A conversation that was found.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Listed {
    #[serde(flatten)]
    conversation: ConversationView,
    /// Where words were looked for: the text around them, the words between U+E000 and U+E001.
    #[serde(skip_serializing_if = "Option::is_none")]
    snippet: Option<String>,
}

impl From<Found> for Listed {
    fn from(found: Found) -> Self {
        Self { conversation: found.conversation.into(), snippet: found.snippet }
    }
}

/// A page of conversations.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ConversationList {
    pub conversations: Vec<Listed>,
    /// For the next page; left out on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}

/// One conversation.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct OneConversation {
    pub conversation: ConversationView,
}

/// A conversation with all that was said.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ConversationDetail {
    pub conversation: ConversationView,
    pub turns: Vec<TurnView>,
}

/// How many went.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Deleted {
    pub deleted: u64,
}

/// What was said, and what was answered.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Turn)]
pub(super) struct TurnView {
    session: Uuid,
    /// Counts from 1 within the session.
    turn: u32,
    /// When the words were final, in milliseconds since 1970.
    at: i64,
    source: Source,
    text: String,
    /// ISO 639-1, where known.
    language: Option<String>,
    words: Vec<Word>,
    /// Where the utterance lies in the session's audio; 0 for typed text.
    start_ms: u64,
    end_ms: u64,
    reply: Option<ReplyView>,
    /// The sides whose sound is kept.
    audio: Vec<Side>,
}

/// The assistant's part of a turn.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TurnReply)]
struct ReplyView {
    /// All that was sent of it.
    text: String,
    /// What the person heard.
    heard: String,
    interrupted: bool,
    timings: Timings,
}

pub(super) fn turn_view((turn, audio): (TurnRecord, Vec<Side>)) -> TurnView {
    TurnView {
        session: turn.session.uuid(),
        turn: turn.turn.0,
        at: turn.at.0,
        source: turn.source,
        text: turn.text,
        language: turn.language,
        words: turn.words,
        start_ms: turn.start_ms,
        end_ms: turn.end_ms,
        reply: turn.reply.map(|TurnReply { text, heard, interrupted, timings }| ReplyView {
            text,
            heard,
            interrupted,
            timings,
        }),
        audio,
    }
}

/// A cursor as a client carries it.
pub(super) fn cursor_text(cursor: Cursor) -> String {
    let mut bytes = [0; 24];
    bytes[..8].copy_from_slice(&cursor.updated_at.0.to_be_bytes());
    bytes[8..].copy_from_slice(cursor.id.uuid().as_bytes());
    BASE64URL_NOPAD.encode(&bytes)
}

/// The cursor a client brings back.
pub(super) fn parse_cursor(text: &str) -> Result<Cursor, ApiError> {
    let bytes = BASE64URL_NOPAD.decode(text.as_bytes()).ok();
    let cursor = bytes.as_deref().and_then(|bytes| {
        let (at, id) = bytes.split_first_chunk::<8>()?;
        let id = Uuid::from_slice(id).ok()?;
        Some(Cursor { updated_at: UnixMs(i64::from_be_bytes(*at)), id: ConversationId::from(id) })
    });
    cursor.ok_or_else(|| ApiError::field("cursor", "not one that was given", "take next_cursor as it came"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_went() {
        for at in [0, -1, i64::MAX, 1_795_353_600_000] {
            let cursor = Cursor { updated_at: UnixMs(at), id: ConversationId::fresh() };
            assert_eq!(parse_cursor(&cursor_text(cursor)).expect("its own"), cursor);
        }
        for nonsense in ["", "x", "====", "AAAA", "привет", &"A".repeat(1_000)] {
            assert!(parse_cursor(nonsense).is_err(), "{nonsense}");
        }
    }
}
