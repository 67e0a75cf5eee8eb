//! The driver's pen: which turns were told to the journal, and what they have become since.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use crate::{
    audio::{Pcm, SampleRate},
    conversation::{
        journal::{Journal, MAX_SOUND, Place, Recorded, Replied, Said, Sound},
        message::Mode,
    },
    measure,
    model::{Role, TurnId, UnixMs},
};

/// Turns that may still get a reply; older ones have theirs.
const OPEN_TURNS: usize = 8;

/// See the module.
pub(super) struct Book {
    journal: Arc<dyn Journal>,
    place: Place,
    /// Whether sound is kept.
    pub(super) keeps_sound: bool,
    /// The last turns, newest last.
    turns: VecDeque<Recorded>,
}

impl Book {
    pub(super) fn new(journal: Arc<dyn Journal>, place: Place, keeps_sound: bool) -> Self {
        Self { journal, place, keeps_sound, turns: VecDeque::new() }
    }

    /// Whether the turn's words were told.
    pub(super) fn has(&self, turn: TurnId) -> bool {
        self.turns.iter().any(|told| told.turn == turn)
    }

    /// The words of a turn are final. No words: no turn.
    pub(super) fn said(&mut self, turn: TurnId, mode: Mode, said: Said) {
        if !said.text.is_empty() {
            self.tell(turn, mode, said);
        }
    }

    /// The newest turn that was told.
    pub(super) fn last(&self) -> Option<&Recorded> {
        self.turns.back()
    }

    /// A turn, though its words may be empty: nobody spoke, and somebody will answer.
    pub(super) fn tell(&mut self, turn: TurnId, mode: Mode, said: Said) {
        if self.has(turn) {
            return;
        }
        if !said.text.is_empty() {
            let input = if said.spoken.is_some() { "voice" } else { "text" };
            metrics::counter!(measure::TURNS, "input" => input).increment(1);
        }
        let told = Recorded { place: self.place, turn, revision: 1, mode, at: UnixMs::now(), said, reply: None };
        self.journal.record(told.clone());
        if self.turns.len() >= OPEN_TURNS {
            self.turns.pop_front();
        }
        self.turns.push_back(told);
    }

    /// Waits a moment until all that was told can be read by others.
    pub(super) async fn settle(&self, within: Duration) {
        self.journal.settle(within).await;
    }

    /// The reply of a turn has ended.
    pub(super) fn replied(&mut self, turn: TurnId, reply: Replied) {
        let Some(told) = self.turns.iter_mut().find(|told| told.turn == turn) else { return };
        told.revision += 1;
        told.reply = Some(reply);
        self.journal.record(told.clone());
    }

    /// The sound of one side of a turn, if there is any.
    pub(super) fn sound(&self, turn: TurnId, by: Role, audio: Pcm) {
        if self.keeps_sound && !audio.samples.is_empty() && self.has(turn) {
            self.journal.keep(Sound { place: self.place, turn, by, audio });
        }
    }
}

/// Adds to sound that is kept, up to [`MAX_SOUND`] of it.
pub(super) fn collect(kept: &mut Vec<i16>, samples: &[i16], rate: SampleRate) {
    let most = rate.samples_in_ms(MAX_SOUND.as_millis() as u32);
    let room = most.saturating_sub(kept.len()).min(samples.len());
    kept.extend_from_slice(&samples[..room]);
}
