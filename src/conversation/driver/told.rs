//! What a session's turns leave in the logs and in traces: a span per turn, whose ids every line within it carries, and a
//! line for what was heard and one for what was answered.

use std::collections::VecDeque;

use tracing::{Span, field::Empty};

use crate::{
    conversation::{
        journal::Place,
        message::{CancelReason, Mode},
    },
    model::{TRACE_PART, TRACE_ROOT, Timings, TurnId},
};

/// Turns under way at once, those beside the conversation included; beyond that the oldest is taken to have ended.
const OPEN_TURNS: usize = 16;

/// See the module.
pub(super) struct Told {
    place: Place,
    /// Whether texts go into the log.
    transcripts: bool,
    turns: VecDeque<(TurnId, Span)>,
    /// Turns in which something was heard or answered.
    pub(super) count: u64,
    last: Option<TurnId>,
}

impl Told {
    pub(super) fn new(place: Place, transcripts: bool) -> Self {
        Self { place, transcripts, turns: VecDeque::new(), count: 0, last: None }
    }

    /// The turn's span; a turn without one begins.
    pub(super) fn begin(&mut self, turn: TurnId, mode: Mode) -> Span {
        if let Some((_, span)) = self.turns.iter().find(|(open, _)| *open == turn) {
            return span.clone();
        }
        let Place { user, conversation, session } = self.place;
        // A trace of its own: a session lasts for hours.
        let span = tracing::info_span!(
            target: TRACE_ROOT,
            parent: None,
            "turn",
            session.id = %session,
            conversation.id = %conversation,
            user.id = %user,
            turn.id = %turn,
            mode = mode.name(),
            outcome = Empty,
            revisions = Empty,
            audio_ms = Empty,
            final_ms = Empty,
            first_token_ms = Empty,
            first_audio_ms = Empty,
            done_ms = Empty,
        );
        if self.turns.len() >= OPEN_TURNS {
            self.turns.pop_front();
        }
        self.turns.push_back((turn, span.clone()));
        span
    }

    /// The span of a turn under way; of another, the session's.
    pub(super) fn of(&self, turn: TurnId) -> Span {
        let found = self.turns.iter().find(|(open, _)| *open == turn);
        found.map_or_else(Span::current, |(_, span)| span.clone())
    }

    /// A part of the turn that has begun; it ends when the span is dropped.
    pub(super) fn listening(&self, turn: TurnId) -> Span {
        tracing::info_span!(target: TRACE_PART, parent: &self.of(turn), "speech", audio_ms = Empty)
    }

    /// The same for a reply that is let out.
    pub(super) fn playing(&self, turn: TurnId) -> Span {
        tracing::info_span!(target: TRACE_PART, parent: &self.of(turn), "playback")
    }

    /// It was no speech, or nothing that could be understood.
    pub(super) fn nothing(&self, turn: TurnId) {
        self.of(turn).record("outcome", "no_speech");
    }

    pub(super) fn heard(&mut self, turn: TurnId, text: &str, language: Option<&str>, heard: &Heard) {
        self.note(turn);
        let span = self.of(turn);
        let Heard { audio_ms, revisions, final_ms, rejected } = heard;
        span.record("audio_ms", audio_ms);
        span.record("revisions", revisions);
        span.record("final_ms", final_ms);
        span.record("outcome", rejected.unwrap_or("heard"));
        let (said, said_chars) = (self.transcripts.then_some(text), text.chars().count());
        span.in_scope(|| tracing::info!(said, said_chars, audio_ms, final_ms, language, rejected, "heard"));
    }

    /// Words that were written, not spoken.
    pub(super) fn typed(&mut self, turn: TurnId, text: &str) {
        self.note(turn);
        let (said, said_chars) = (self.transcripts.then_some(text), text.chars().count());
        self.of(turn).in_scope(|| tracing::info!(said, said_chars, "typed"));
    }

    pub(super) fn answered(&mut self, turn: TurnId, how: How, text: &str, calls: usize, timings: &Timings) {
        self.note(turn);
        let span = self.of(turn);
        let outcome = match how {
            How::Done => "answered",
            How::Stopped(reason) => reason.name(),
        };
        let Timings { first_token_ms, first_audio_ms, done_ms, .. } = *timings;
        span.record("outcome", outcome);
        span.record("first_token_ms", first_token_ms);
        span.record("first_audio_ms", first_audio_ms);
        span.record("done_ms", done_ms);
        let (answered, answered_chars) = (self.transcripts.then_some(text), text.chars().count());
        let calls = (calls > 0).then_some(calls);
        span.in_scope(|| {
            tracing::info!(
                answered,
                answered_chars,
                calls,
                outcome,
                first_token_ms,
                first_audio_ms,
                done_ms,
                "answered"
            );
        });
    }

    pub(super) fn end(&mut self, turn: TurnId) {
        self.turns.retain(|(open, _)| *open != turn);
    }

    fn note(&mut self, turn: TurnId) {
        self.count += u64::from(self.last.replace(turn) != Some(turn));
    }
}

/// What is told of speech besides its words.
pub(super) struct Heard {
    /// From the first voice to the last.
    pub(super) audio_ms: u64,
    /// How often the person went on after a silence.
    pub(super) revisions: u32,
    /// From the last voice to the final words.
    pub(super) final_ms: Option<u32>,
    /// Why there are no words, where there are none.
    pub(super) rejected: Option<&'static str>,
}

/// How a reply ended.
#[derive(Debug, Clone, Copy)]
pub(super) enum How {
    Done,
    Stopped(CancelReason),
}
