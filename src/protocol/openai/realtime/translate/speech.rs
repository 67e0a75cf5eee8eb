//! The person's utterances: from the first voice or the client's commit to the completed transcript.
//!
//! The client's commit is answered at once with its item; the session tells a moment later which turn that was, or that
//! there was no voice in it. Its answers come in the order of the commits, and before anything of later sound.

use super::{Conversation, ask::What};
use crate::{
    conversation::{item::ItemKey, message::Command},
    engine::EngineError,
    model::{Role, TurnId},
    protocol::openai::realtime::{
        fault::Fault,
        items::{Content, Item, Part, Place, Status},
        wire::server::{Body, Duration, Kind, TranscriptionError},
    },
};

/// Samples at 24 kHz in a millisecond.
pub(super) const TICKS: u64 = 24;
/// Less sound than this cannot be committed.
const LEAST_MS: u64 = 100;
/// Utterances that may still be told something about; the oldest are forgotten.
const MAX_UTTERANCES: usize = 256;

/// One utterance.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Utterance {
    pub item_id: String,
    /// `None`: the client committed it, and the session has not said which turn it is.
    pub turn: Option<TurnId>,
    /// The tag of the client's commit.
    pub commit: Option<u64>,
    /// How much sound the client committed with it, in milliseconds.
    sound_ms: u64,
    /// Whether the client was told of its beginning.
    shown: bool,
    committed: bool,
    /// The session has told its end; before that it may still forget it.
    pub ended: bool,
    /// The client had it forgotten; the session may have committed it just before.
    cleared: bool,
    /// The transcript as far as it was told.
    told: String,
    transcribed: bool,
}

impl Conversation {
    fn utterance(&mut self, turn: TurnId) -> Option<&mut Utterance> {
        self.utterances.iter_mut().rev().find(|utterance| utterance.turn == Some(turn))
    }

    /// A new one; its item's id.
    fn new_utterance(&mut self, turn: Option<TurnId>, shown: bool, commit: Option<u64>) -> String {
        let item_id = self.ids.fresh("item");
        if self.utterances.len() >= MAX_UTTERANCES {
            self.utterances.pop_front();
        }
        self.utterances.push_back(Utterance {
            item_id: item_id.clone(),
            turn,
            commit,
            sound_ms: 0,
            shown,
            committed: false,
            ended: false,
            cleared: false,
            told: String::new(),
            transcribed: false,
        });
        item_id
    }

    /// The first of the client's commits that the session has not answered: this turn is its.
    fn bind(&mut self, turn: TurnId) -> Option<String> {
        let unanswered = |utterance: &&mut Utterance| {
            utterance.commit.is_some() && utterance.turn.is_none() && !utterance.transcribed
        };
        let utterance = self.utterances.iter_mut().find(unanswered)?;
        utterance.turn = Some(turn);
        let id = utterance.item_id.clone();
        if let Some(item) = self.items.get_mut(&id) {
            item.keys.push(ItemKey::Said(turn));
        }
        Some(id)
    }

    /// Whether the session had not followed the client's oldest open clearing when it told what is heard now, and whether
    /// a commit of before that waits for a turn.
    fn before_clearing(&self) -> Option<bool> {
        let clearing = *self.clearing.front()?;
        let mut waiting = self.utterances.iter().filter(|utterance| utterance.turn.is_none() && !utterance.transcribed);
        Some(waiting.any(|utterance| utterance.commit.is_some_and(|commit| commit < clearing)))
    }

    // ------------------------------------------------------------ what the session tells

    pub(super) fn speech_started(&mut self, turn: TurnId, at_ms: u64) {
        let cleared = self.before_clearing() == Some(false);
        if !cleared && self.bind(turn).is_some() {
            return;
        }
        // What was begun and never ended was forgotten by the session.
        self.utterances.retain(|utterance| utterance.committed || utterance.turn.is_none_or(|old| old >= turn));
        let shown = self.config.turn_detection.is_some() && !cleared;
        let item_id = self.new_utterance(Some(turn), shown, None);
        if let Some(utterance) = self.utterance(turn) {
            utterance.cleared = cleared;
        }
        if shown {
            self.tell(Kind::SpeechStarted, Body::Started { item_id, audio_start_ms: at_ms });
        }
    }

    pub(super) fn speech_stopped(&mut self, turn: TurnId, until_ms: u64) {
        self.claimed = self.claimed.max((until_ms * TICKS).min(self.appended));
        if self.utterance(turn).is_none() && self.bind(turn).is_none() {
            self.new_utterance(Some(turn), false, None);
        }
        let Some(utterance) = self.utterance(turn) else { return };
        utterance.ended = true;
        let (item_id, shown) = (utterance.item_id.clone(), utterance.shown);
        if utterance.committed {
            return;
        }
        if shown {
            self.tell(Kind::SpeechStopped, Body::Stopped { item_id: item_id.clone(), audio_end_ms: until_ms });
        }
        self.commit_item(&item_id);
    }

    pub(super) fn partial(&mut self, turn: TurnId, stable: &str) {
        if self.config.transcription.is_none() {
            return;
        }
        // Before the client knows the item, and while the turn may not be the one it committed, its words wait.
        let tells = |utterance: &&mut Utterance| (utterance.shown || utterance.ended) && !utterance.transcribed;
        let Some(utterance) = self.utterance(turn).filter(tells) else { return };
        // A blank at its end may not be in the final text.
        let Some(delta) = grown(&utterance.told, stable.trim()) else { return };
        utterance.told.push_str(&delta);
        let item_id = utterance.item_id.clone();
        self.tell(Kind::TranscriptionDelta, Body::Transcription { item_id, content_index: 0, delta });
    }

    pub(super) fn written_down(&mut self, turn: TurnId, text: &str, ms: u64, rejected: bool) {
        let known = self.utterance(turn).filter(|utterance| utterance.committed).map(|known| known.item_id.clone());
        let item_id = match known {
            Some(known) => Some(known),
            None if rejected => self.bind(turn),
            None => None,
        };
        if let Some(item_id) = item_id {
            self.transcribed(&item_id, text, ms);
        }
    }

    pub(super) fn nudged(&mut self, turn: TurnId, start_ms: u64, end_ms: u64) {
        self.claimed = self.claimed.max((end_ms * TICKS).min(self.appended));
        let item_id = self.new_utterance(Some(turn), false, None);
        let timeout = Body::Timeout { item_id: item_id.clone(), audio_start_ms: start_ms, audio_end_ms: end_ms };
        self.tell(Kind::TimeoutTriggered, timeout);
        self.commit_item(&item_id);
        self.transcribed(&item_id, "", end_ms.saturating_sub(start_ms));
    }

    /// An utterance could not be written down; whether `turn` was one that waits for it.
    pub(super) fn speech_failed(&mut self, turn: TurnId, error: &EngineError) -> bool {
        let tells = self.config.transcription.is_some();
        let waits = |utterance: &&mut Utterance| utterance.committed && !utterance.transcribed;
        let Some(utterance) = self.utterance(turn).filter(waits) else { return false };
        utterance.transcribed = true;
        let item_id = utterance.item_id.clone();
        if tells {
            let message = format!("{error}; {}", error.hint());
            let error = TranscriptionError { r#type: "server_error", code: error.code(), message };
            self.tell(Kind::TranscriptionFailed, Body::Untranscribed { item_id, content_index: 0, error });
        }
        true
    }

    // ------------------------------------------------------------ what the client asks

    pub(super) fn commit(&mut self, event_id: Option<&String>) -> Result<(), Fault> {
        let ticks = self.appended - self.claimed;
        if ticks < LEAST_MS * TICKS {
            let has = ticks as f64 / TICKS as f64;
            let text = format!(
                "Error committing input audio buffer: buffer too small. Expected at least {LEAST_MS}ms of audio, but buffer only has {has:.2}ms of audio."
            );
            return Err(Fault::new("input_audio_buffer_commit_empty", text));
        }
        self.claimed = self.appended;
        let tag = self.ask(Command::Commit { respond: false }, event_id, What::Commit);
        let end_ms = self.appended / TICKS;
        let open = self.utterances.back_mut().filter(|utterance| !utterance.committed && !utterance.cleared);
        let open = open.map(|utterance| {
            utterance.commit = Some(tag);
            (utterance.item_id.clone(), utterance.shown)
        });
        let (item_id, shown) = open.unwrap_or_else(|| (self.new_utterance(None, false, Some(tag)), false));
        if let Some(utterance) = self.utterances.back_mut() {
            utterance.sound_ms = ticks / TICKS;
        }
        if shown {
            self.tell(Kind::SpeechStopped, Body::Stopped { item_id: item_id.clone(), audio_end_ms: end_ms });
        }
        self.commit_item(&item_id);
        Ok(())
    }

    pub(super) fn clear(&mut self) {
        self.claimed = self.appended;
        for utterance in self.utterances.iter_mut().filter(|utterance| !utterance.committed) {
            utterance.cleared = true;
        }
        // Until the session answers this, what it tells is of what is cleared now.
        self.last_tag += 1;
        if self.clearing.len() >= MAX_UTTERANCES {
            self.clearing.pop_front();
        }
        self.clearing.push_back(self.last_tag);
        self.commands.push(Command::Tagged { tag: self.last_tag, command: Box::new(Command::Clear) });
        self.tell(Kind::Cleared, Body::Empty {});
    }

    /// Whether an utterance will be answered by itself once it is written down.
    pub(super) fn awaits_answer(&self) -> bool {
        let answers = self.config.turn_detection.is_some_and(|vad| vad.create_response);
        let waits =
            |utterance: &super::Utterance| utterance.committed && !utterance.transcribed && utterance.commit.is_none();
        answers && self.utterances.iter().any(waits)
    }

    // ------------------------------------------------------------ shared steps

    fn commit_item(&mut self, item_id: &str) {
        let mut keys = Vec::new();
        if let Some(utterance) = self.utterances.iter_mut().find(|utterance| utterance.item_id == item_id) {
            utterance.committed = true;
            keys.extend(utterance.turn.map(ItemKey::Said));
        }
        self.begun = true;
        let content = Content::Message { role: Role::User, parts: vec![Part::Sound { transcript: None }] };
        let item = Item { id: item_id.to_owned(), keys, status: Status::Completed, content };
        let told = item.told(self.flavour);
        let previous_item_id = self.items.insert(item, Place::Last);
        let committed = Body::Committed { item_id: item_id.to_owned(), previous_item_id: previous_item_id.clone() };
        self.tell(Kind::Committed, committed);
        self.tell(Kind::ItemAdded, Body::Item { previous_item_id: previous_item_id.clone(), item: told.clone() });
        self.tell(Kind::ItemDone, Body::Item { previous_item_id, item: told });
    }

    /// The utterance's text is known, once.
    pub(super) fn transcribed(&mut self, item_id: &str, text: &str, ms: u64) {
        let tells = self.config.transcription.is_some();
        let text = text.trim();
        let find = |utterance: &&mut Utterance| utterance.item_id == item_id && !utterance.transcribed;
        let Some(utterance) = self.utterances.iter_mut().find(find) else { return };
        utterance.transcribed = true;
        let ms = ms.max(utterance.sound_ms);
        let rest = grown(&utterance.told, text);
        if !tells {
            return;
        }
        if let Some(item) = self.items.get_mut(item_id) {
            item.transcribe(text);
        }
        if let Some(delta) = rest {
            let item_id = item_id.to_owned();
            self.tell(Kind::TranscriptionDelta, Body::Transcription { item_id, content_index: 0, delta });
        }
        let completed = Body::Transcribed {
            item_id: item_id.to_owned(),
            content_index: 0,
            transcript: text.to_owned(),
            usage: Duration { r#type: "duration", seconds: ms as f64 / 1_000.0 },
        };
        self.tell(Kind::TranscriptionCompleted, completed);
    }
}

/// What `now` has more than `told`; nothing where it has not, or where it begins otherwise: nothing is taken back.
fn grown(told: &str, now: &str) -> Option<String> {
    now.strip_prefix(told).filter(|more| !more.is_empty()).map(str::to_owned)
}
