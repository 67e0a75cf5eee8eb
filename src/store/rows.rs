//! How records become rows: the spelling of what is one of a few, of JSON, and of numbers, alike in both databases.

use serde::{Serialize, de::DeserializeOwned};

use super::{ConversationKind, JobState, Purpose, Side, Source, TurnRecord, TurnReply, UserChange, words::without_nul};
use crate::model::{UnixMs, UserId, Word};

/// Days that a deleted conversation is remembered, so that words still on their way do not bring it back.
pub(super) const TOMBSTONE_DAYS: u32 = 30;

/// Something that is one of a few, and how it is spelt in a row.
pub(super) trait Code: Copy + PartialEq + 'static {
    const SPELLINGS: &'static [(Self, &'static str)];

    fn code(self) -> &'static str {
        Self::SPELLINGS.iter().find(|(value, _)| *value == self).map_or("", |(_, code)| code)
    }

    fn of_code(code: &str) -> Result<Self, String> {
        let found = Self::SPELLINGS.iter().find(|(_, spelling)| *spelling == code);
        found.map(|(value, _)| *value).ok_or_else(|| format!("not known to this version: {code}"))
    }
}

impl Code for ConversationKind {
    const SPELLINGS: &[(Self, &str)] = &[(Self::Talk, "talk"), (Self::Dictation, "dictation"), (Self::File, "file")];
}

impl Code for Source {
    const SPELLINGS: &[(Self, &str)] = &[(Self::Voice, "voice"), (Self::Typed, "typed"), (Self::File, "file")];
}

impl Code for Side {
    const SPELLINGS: &[(Self, &str)] = &[(Self::User, "user"), (Self::Reply, "reply")];
}

impl Code for Purpose {
    const SPELLINGS: &[(Self, &str)] = &[
        (Self::VerifyEmail, "verify_email"),
        (Self::ResetPassword, "reset_password"),
        (Self::Invitation, "invitation"),
    ];
}

impl Code for JobState {
    const SPELLINGS: &[(Self, &str)] = &[
        (Self::Queued, "queued"),
        (Self::Running, "running"),
        (Self::Done, "done"),
        (Self::Failed, "failed"),
        (Self::Cancelled, "cancelled"),
    ];
}

/// JSON as text: both databases hold it as it is, escaped U+0000 included.
pub(super) fn json(value: &impl Serialize) -> String {
    // Only maps with keys that are no strings cannot be spelt, and no record has one.
    serde_json::to_string(value).unwrap_or_else(|_| "null".into())
}

pub(super) fn of_json<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| format!("JSON that cannot be read: {error}"))
}

/// The words of a turn. JSON has no spelling for a probability that is no number.
pub(super) fn words_json(words: &[Word]) -> String {
    let sure = |word: &Word| if word.probability.is_finite() { word.probability } else { 0.0 };
    json(&words.iter().map(|word| Word { probability: sure(word), ..word.clone() }).collect::<Vec<_>>())
}

pub(super) fn reply_json(turn: &TurnRecord) -> Option<String> {
    turn.reply.as_ref().map(|reply| {
        let (text, heard) = (without_nul(&reply.text).into_owned(), without_nul(&reply.heard).into_owned());
        json(&TurnReply { text, heard, ..reply.clone() })
    })
}

/// Counts are signed in a row; what does not fit is as large as can be.
pub(super) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The moment so many days before.
pub(super) fn days_before(now: UnixMs, days: u32) -> i64 {
    now.0.saturating_sub(i64::from(days) * 86_400_000)
}

/// Whether a change would give [`UserId::LOCAL`] a password or take its rank.
pub(super) fn not_for_local(id: UserId, change: &UserChange) -> bool {
    id == UserId::LOCAL
        && matches!(change, UserChange::PasswordHash(_) | UserChange::Admin(_) | UserChange::Disabled(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_spelt_is_read() {
        for state in [JobState::Queued, JobState::Running, JobState::Done, JobState::Failed, JobState::Cancelled] {
            assert_eq!(JobState::of_code(state.code()), Ok(state));
        }
        assert!(JobState::of_code("asleep").is_err());
    }

    #[test]
    fn a_probability_that_is_no_number_can_be_read_again() {
        let words = [Word { text: "да".into(), start_ms: 1, end_ms: 2, probability: f32::NAN }];
        let read: Vec<Word> = of_json(&words_json(&words)).expect("JSON");
        assert_eq!(read[0].probability.to_bits(), 0.0_f32.to_bits());
    }
}
