//! Conversations: their turns, what was said and heard, its sound where kept, and the search through them.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::model::{ConversationId, SessionId, Timings, TurnId, UnixMs, UserId, Word};

/// How a conversation came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ConversationKind {
    /// Somebody talked with the assistant, aloud or in writing.
    Talk,
    /// Live speech was only written down.
    Dictation,
    /// A recording was transcribed.
    File,
}

/// A conversation as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    pub id: ConversationId,
    pub user: UserId,
    pub kind: ConversationKind,
    /// The person's own title, or the first words said; may be empty.
    pub title: String,
    pub turns: u32,
    pub created_at: UnixMs,
    /// When its newest turn was said: the latest `at`. `created_at` is the earliest.
    pub updated_at: UnixMs,
}

/// Where a turn's words came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    Voice,
    Typed,
    File,
}

/// The assistant's part of a turn.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TurnReply {
    /// All that was written, as far as it is known; at least `heard`.
    pub text: String,
    /// What the person heard of it.
    pub heard: String,
    /// It was stopped before its end.
    pub interrupted: bool,
    pub timings: Timings,
}

/// One turn as it is kept. Written again with a higher `revision` it replaces what was there; with the same or a lower
/// one nothing happens: whoever is not sure that a write arrived writes again. Read back, `kind` and `title` are the
/// conversation's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TurnRecord {
    pub user: UserId,
    /// Named by its user: under the same id another has another conversation.
    pub conversation: ConversationId,
    /// The conversation has that of its first turn.
    pub kind: ConversationKind,
    pub session: SessionId,
    pub turn: TurnId,
    pub revision: u32,
    /// When its words were final.
    pub at: UnixMs,
    pub source: Source,
    /// What the person said.
    pub text: String,
    /// ISO 639-1, where known.
    pub language: Option<String>,
    /// Times count from the start of the session's audio.
    pub words: Vec<Word>,
    /// Where the utterance lies in the session's audio, in milliseconds; 0 for typed text.
    pub start_ms: u64,
    pub end_ms: u64,
    /// The title the conversation gets if it has none yet.
    pub title: String,
    pub reply: Option<TurnReply>,
}

/// Whose sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    User,
    Reply,
}

/// The sound of one side of a turn: Opus in Ogg.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TurnAudio {
    pub user: UserId,
    pub conversation: ConversationId,
    pub session: SessionId,
    pub turn: TurnId,
    pub side: Side,
    pub ogg_opus: Vec<u8>,
}

/// Where a page of a list ended: the newest-first order is by `updated_at`, then `id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    pub updated_at: UnixMs,
    pub id: ConversationId,
}

/// Which conversations are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Words that must all be in one turn, said or answered, or in the title; in upper or lower case, with accents or
    /// without. The last word may be a beginning. Empty or blank: all conversations; signs without a word: none.
    pub query: String,
    pub after: Option<Cursor>,
    /// At most this many.
    pub limit: u32,
}

/// A conversation that a listing found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub conversation: Conversation,
    /// Where words were looked for: about 170 characters around them on one line, the words between U+E000 and U+E001.
    /// Of the newest turn that has them, or else of the title.
    pub snippet: Option<String>,
}

/// The store of conversations. Whatever is another user's is not found. U+0000 is left out of every text.
#[async_trait]
pub trait Talks: Send + Sync {
    /// Writes turns, in order and all or none, each under the rule of [`TurnRecord`]; makes their conversations. Turns
    /// of a user who is gone, or of a conversation that was deleted within the last 30 days, are passed over.
    async fn write_turns(&self, turns: &[TurnRecord]) -> Result<(), StoreError>;
    /// Replaces the sound of that side; passed over when the turn is not there.
    async fn write_audio(&self, audio: &TurnAudio) -> Result<(), StoreError>;

    async fn conversation(&self, user: UserId, id: ConversationId) -> Result<Option<Conversation>, StoreError>;
    async fn conversations(&self, user: UserId, listing: &Listing) -> Result<Vec<Found>, StoreError>;
    /// The turns in the order they were spoken (`at`, then `turn`, then `session`), and which sides have sound.
    async fn turns(&self, user: UserId, id: ConversationId) -> Result<Vec<(TurnRecord, Vec<Side>)>, StoreError>;
    /// The newest `limit` turns, oldest first: what a chat model is reminded of.
    async fn last_turns(&self, user: UserId, id: ConversationId, limit: u32) -> Result<Vec<TurnRecord>, StoreError>;
    async fn audio(
        &self,
        user: UserId,
        id: ConversationId,
        session: SessionId,
        turn: TurnId,
        side: Side,
    ) -> Result<Option<Vec<u8>>, StoreError>;
    /// Whether there was one.
    async fn rename_conversation(&self, user: UserId, id: ConversationId, title: &str) -> Result<bool, StoreError>;
    /// Deletes it with all its turns and sound. Whether there was one.
    async fn delete_conversation(&self, user: UserId, id: ConversationId) -> Result<bool, StoreError>;
    /// Deletes all of a user's; gives how many.
    async fn delete_conversations(&self, user: UserId) -> Result<u64, StoreError>;

    /// Deletes conversations not touched for as many days as their user wishes, or `days` where the user has no wish
    /// (`None`: those stay), and sound of turns older than `audio_days`. Gives how many conversations went. They are
    /// not remembered as deleted: who goes on with one begins it anew.
    async fn retire(&self, now: UnixMs, days: Option<u32>, audio_days: Option<u32>) -> Result<u64, StoreError>;
}
