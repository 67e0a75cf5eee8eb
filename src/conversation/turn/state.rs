//! What the turn machine remembers.

use std::time::Instant;

use crate::model::TurnId;

/// The open segment.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) turn: TurnId,
    pub(super) start_ms: u64,
    /// False: a voice over a reply that may yet be a cough.
    pub(super) confirmed: bool,
    /// Grows each time the person goes on after a soft end.
    pub(super) revision: u32,
    pub(super) decode: Decoding,
    pub(super) hypothesis: String,
    pub(super) voiced_ms: u32,
}

/// How far the utterance's final text is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decoding {
    /// The person speaks.
    NotYet,
    /// Since the soft end.
    UnderWay,
    Done(String),
}

/// An utterance that ended before its final text was there.
#[derive(Debug)]
pub(super) struct Awaiting {
    pub(super) turn: TurnId,
    pub(super) revision: u32,
    pub(super) respond: bool,
}

#[derive(Debug, Default)]
pub(super) enum Reply {
    #[default]
    None,
    Held(TurnId),
    Running {
        turn: TurnId,
        paused: Option<Instant>,
        /// Interruptions of this reply that came to nothing: each makes it harder to pause again.
        false_alarms: u32,
        /// What the loudspeaker says: this sentence and the one before.
        sounding: String,
    },
}

/// A reply that has just been let out.
pub(super) fn running(turn: TurnId) -> Reply {
    Reply::Running { turn, paused: None, false_alarms: 0, sounding: String::new() }
}
