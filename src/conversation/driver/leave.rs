//! Leaving when the server is being stopped: what was begun is finished, then the client goes on elsewhere.

use std::time::{Duration, Instant};

use super::Driver;
use crate::conversation::message::{Command, Mode, TurnDetection};

/// How long a microphone that is open is listened to before nobody is taken to have begun a sentence: sound of before
/// may still be on its way.
const ON_ITS_WAY: Duration = Duration::from_millis(500);
/// The same where something sounds like a voice and is too short yet.
const PERHAPS_A_VOICE: Duration = Duration::from_secs(2);
/// How long nothing must have been under way.
const AT_REST: Duration = Duration::from_millis(200);
/// The same where the client says what happens next: it has heard the words and may want them answered.
const CLIENTS_TURN: Duration = Duration::from_secs(2);
/// The same where the reply called a function, whose result the client owes.
const RESULT_OWED: Duration = Duration::from_secs(10);
/// How long a client that is gone may take to come back for the rest of its reply.
const COMES_BACK: Duration = Duration::from_secs(5);
/// How long what was said may take to reach the database before the client goes elsewhere.
const KEPT_WITHIN: Duration = Duration::from_secs(2);
/// How often is looked whether it is time.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What a session knows of its leaving.
#[derive(Debug)]
pub(super) struct Leave {
    /// Since when it is asked to leave.
    since: Option<Instant>,
    /// When something was last under way.
    busy: Instant,
    /// When sound last came.
    heard: Option<Instant>,
    /// The last reply called a function, and nobody has answered since.
    owed: bool,
    /// What was under way until then is in the database.
    kept: Option<Instant>,
}

impl Leave {
    pub(super) const fn new(now: Instant) -> Self {
        Self { since: None, busy: now, heard: None, owed: false, kept: None }
    }

    pub(super) fn ask(&mut self) {
        self.since = Some(Instant::now());
    }

    pub(super) const fn asked(&self) -> bool {
        self.since.is_some()
    }

    /// Whether a function's result is waited for.
    pub(super) const fn owed(&mut self, owed: bool) {
        self.owed = owed;
    }

    pub(super) fn followed(&mut self, command: &Command) {
        match command {
            Command::Audio(_) => self.heard = Some(Instant::now()),
            Command::Played { .. } | Command::Update(_) => {}
            _ => self.busy = Instant::now(),
        }
    }
}

impl Driver {
    /// Notes whether something is under way; gives the moment to look again.
    pub(super) fn watch_leave(&mut self, now: Instant) -> Option<Instant> {
        if self.under_way() {
            self.leave.busy = now;
        }
        self.leave.since.map(|_| now + LOOK_EVERY)
    }

    /// Whether it was asked to leave and nothing is left to be done here.
    pub(super) fn may_leave(&self) -> bool {
        let leave = &self.leave;
        let Some(since) = leave.since else { return false };
        let gone = self.outbox.detached_for().is_some_and(|gone| gone > COMES_BACK);
        if self.under_way() {
            // A reply waits for its listener, who is not here.
            return gone && self.open.is_none() && self.closing.is_empty() && self.hearing.is_empty();
        }
        leave.busy.elapsed() >= self.rest() && (gone || !self.may_be_speaking(since))
    }

    /// Whether all that was said is where another server finds it.
    pub(super) fn is_kept(&self) -> bool {
        let leave = &self.leave;
        leave.kept.is_some_and(|kept| kept == leave.busy || self.under_way())
    }

    /// Brings what was said to where another server finds it.
    pub(super) async fn keep_all(&mut self) {
        self.book.settle(KEPT_WITHIN).await;
        self.leave.kept = Some(self.leave.busy);
    }

    fn under_way(&self) -> bool {
        // Who holds the talk button down is about to speak.
        let held = self.options.turn_detection == TurnDetection::Manual
            && self.heard_audio
            && self.leave.heard.is_some_and(|at| at.elapsed() < ON_ITS_WAY * 2);
        held || !self.turns.idle() || !self.beside.is_empty() || !self.closing.is_empty() || !self.hearing.is_empty()
    }

    fn rest(&self) -> Duration {
        let by_itself = matches!(self.options.turn_detection, TurnDetection::Voice { respond: true, .. });
        match self.options.mode {
            Mode::Converse if self.leave.owed => RESULT_OWED,
            Mode::Converse if !by_itself => CLIENTS_TURN,
            _ => AT_REST,
        }
    }

    fn may_be_speaking(&self, since: Instant) -> bool {
        let listens = self.leave.heard.is_some_and(|at| at.elapsed() < ON_ITS_WAY);
        let asked = since.elapsed();
        listens && (asked < ON_ITS_WAY || asked < PERHAPS_A_VOICE && self.segmenter.suspects())
    }
}
