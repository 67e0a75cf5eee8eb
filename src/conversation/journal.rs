//! What is kept of a conversation, seen from the conversation: it tells a [`Journal`] what a turn has become, and asks
//! it what was said before. Where and how it is kept is not known here.

use std::time::Duration;

use async_trait::async_trait;
use uuid::Uuid;

use super::{history::Exchange, message::Mode};
use crate::{
    audio::Pcm,
    model::{ConversationId, Role, SessionId, Timings, TurnId, UnixMs, UserId, Word},
};

/// Whose session it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    pub user: UserId,
    /// Whether the sound is kept too.
    pub keep_audio: bool,
    /// The log-in or key they came in with; `None`: nobody was asked who they are.
    pub pass: Option<Uuid>,
}

impl Owner {
    /// Everybody, on a server without accounts; their sound is not kept.
    pub const LOCAL: Self = Self { user: UserId::LOCAL, keep_audio: false, pass: None };
}

/// Where a turn lies: in whose conversation, in which session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub user: UserId,
    pub conversation: ConversationId,
    pub session: SessionId,
}

/// What a turn has become. Told once when the person's words are final, and again when the reply has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    pub place: Place,
    pub turn: TurnId,
    /// Counts from 1 within the turn; what is told later replaces what was told before.
    pub revision: u32,
    pub mode: Mode,
    /// When the words were final.
    pub at: UnixMs,
    pub said: Said,
    /// `None`: nobody answered, or the answer has not ended yet.
    pub reply: Option<Replied>,
}

/// The person's words; empty only where a reply was made that nobody's words asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    pub text: String,
    /// `None`: typed.
    pub spoken: Option<Spoken>,
    /// ISO 639-1, as the session has it or the recogniser found.
    pub language: Option<String>,
}

/// An utterance's place in the session's audio, in milliseconds from its beginning.
#[derive(Debug, Clone, PartialEq)]
pub struct Spoken {
    pub start_ms: u64,
    pub end_ms: u64,
    /// Where the session asked for word times, or keeps its sound.
    pub words: Vec<Word>,
}

/// A reply that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Replied {
    /// All that was sent of it.
    pub text: String,
    /// What the person heard.
    pub heard: String,
    /// It was stopped before its end.
    pub interrupted: bool,
    pub timings: Timings,
}

/// The sound of one side of a turn.
#[derive(Debug, Clone, PartialEq)]
pub struct Sound {
    pub place: Place,
    pub turn: TurnId,
    /// Who is heard: [`Role::User`] or [`Role::Assistant`].
    pub by: Role,
    pub audio: Pcm,
}

/// Sound longer than this is kept from its beginning only; bounds what a session holds in memory.
pub const MAX_SOUND: Duration = Duration::from_mins(5);

/// What was said before cannot be had now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("earlier turns cannot be read: {0}")]
pub struct JournalAway(pub String);

/// Keeps conversations. Shared by all sessions.
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    /// Keeps what a turn has become. Called before the client hears of it, so that whatever it saw completed survives
    /// the process; called from a session's own task, so it returns at once and never waits for a database.
    fn record(&self, turn: Recorded);

    /// Keeps the sound of one side of a turn that was recorded; may be dropped where there is too much of it.
    fn keep(&self, sound: Sound);

    /// Waits, `within` at most, until what was told before can be recalled by another server that shares the database.
    async fn settle(&self, within: Duration) {
        let _ = within;
    }

    /// What a chat model is reminded of when `user` goes on with a conversation, oldest first, the newest turns if
    /// there are many. `None`: there is no such conversation, or it is another's.
    ///
    /// # Errors
    /// [`JournalAway`]: it cannot be told now.
    async fn recall(&self, user: UserId, conversation: ConversationId) -> Result<Option<Vec<Exchange>>, JournalAway>;
}

/// Keeps nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoJournal;

#[async_trait]
impl Journal for NoJournal {
    fn record(&self, _: Recorded) {}

    fn keep(&self, _: Sound) {}

    async fn recall(&self, _: UserId, _: ConversationId) -> Result<Option<Vec<Exchange>>, JournalAway> {
        Ok(None)
    }
}

/// Characters of a title that nobody chose.
const TITLE_CHARS: usize = 60;

/// What a conversation is called by its first words: no more than 60 characters of them, cut between words.
#[must_use]
pub fn title_of(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let whole = words.join(" ");
    if whole.chars().count() <= TITLE_CHARS {
        return whole;
    }
    // One character is for the dots.
    let cut = |text: &str| text.chars().take(TITLE_CHARS - 1).collect::<String>();
    let start = cut(&whole);
    let at_word = match start.rfind(' ') {
        // A single word that is longer than a title is cut where it has to be.
        Some(at) if whole[start.len()..].chars().next().is_some_and(|next| next != ' ') => &start[..at],
        _ => &start,
    };
    format!("{}…", at_word.trim_end_matches([',', ';', ':', '-', ' ']))
}

#[cfg(test)]
mod tests {
    use super::title_of;

    #[test]
    fn a_title_is_the_first_words() {
        assert_eq!(title_of(""), "");
        assert_eq!(title_of("  What   time\nis it? "), "What time is it?");
        let long = "Please tell me the story of the robot who went home, and everything he saw on his way";
        assert_eq!(title_of(long), "Please tell me the story of the robot who went home, and…");
        let title = title_of(&"слово ".repeat(30));
        assert!(title.chars().count() <= 60 && title.ends_with("слово…"), "{title}");
        assert_eq!(title_of(&"x".repeat(100)), format!("{}…", "x".repeat(59)));
    }
}
