//! One reply under way: what was made of it, what was let out, what it called.

use std::{
    future::poll_fn,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::sync::mpsc;
use tracing::Span;

use super::book::collect;
use crate::{
    audio::{Pcm, SampleRate},
    conversation::{
        item::Respond,
        journal::Replied,
        message::Event,
        playout::{Part, Playout},
        reply::{Made, Stopped, Withdrawals},
    },
    engine::EngineError,
    model::{ToolCall, TurnId},
};

/// Which of the replies under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// The conversation's own.
    Main,
    /// One beside it, by its place.
    Beside(usize),
}

/// What a reply answers.
#[derive(Debug)]
pub(super) enum Words {
    /// These words of its own turn; empty where nobody spoke.
    Of(String),
    /// The conversation as it stands; still here while something is being written down.
    Asked(Option<Box<Respond>>),
}

/// One reply from its first token to its last chunk.
pub(super) struct ReplyRun {
    pub(super) turn: TurnId,
    pub(super) playout: Playout,
    pub(super) parts: Option<mpsc::Receiver<Made>>,
    /// The maker's, and how many of them came through `parts`.
    pub(super) withdrawals: Withdrawals,
    withdrawn: u32,
    pub(super) words: Words,
    /// Whether it is spoken.
    pub(super) speaks: bool,
    /// What was let out so far.
    pub(super) text: String,
    /// The sound sent so far, where it is kept.
    pub(super) sound: Vec<i16>,
    pub(super) held: bool,
    /// What it called; the last one may not be complete.
    pub(super) calls: Vec<ToolCall>,
    call_open: bool,
    pub(super) stopped: Stopped,
    /// The turn it is kept under, and what was kept of that turn's reply before it.
    pub(super) kept: (TurnId, Option<Replied>),
    /// Lasts as long as it is let out.
    pub(super) span: Span,
    pub(super) first_token: Option<Instant>,
    pub(super) first_sentence: Option<Instant>,
    pub(super) first_sound: Option<Instant>,
    pub(super) first_audio: Option<Instant>,
}

impl ReplyRun {
    pub(super) fn new(turn: TurnId, words: Words, rate: SampleRate, ahead: Duration) -> Self {
        Self {
            turn,
            playout: Playout::new(rate, ahead),
            parts: None,
            withdrawals: Withdrawals::default(),
            withdrawn: 0,
            words,
            speaks: true,
            text: String::new(),
            sound: Vec::new(),
            held: false,
            calls: Vec::new(),
            call_open: false,
            stopped: Stopped::default(),
            kept: (turn, None),
            span: Span::none(),
            first_token: None,
            first_sentence: None,
            first_sound: None,
            first_audio: None,
        }
    }

    pub(super) fn wants_parts(&self) -> bool {
        self.parts.is_some() && (self.playout.wants_more() || self.is_withdrawn())
    }

    /// Whether what comes out of `parts` has been taken back meanwhile.
    fn is_withdrawn(&self) -> bool {
        self.withdrawals.count() != self.withdrawn
    }

    /// Lets go of what was taken back by the model, as far as it was not sent.
    pub(super) fn drop_withdrawn(&mut self) {
        if self.is_withdrawn() {
            self.playout.withdraw();
            self.text.clear();
        }
    }

    /// What a maker tells next, and which; pends where none is wanted.
    pub(super) async fn next(main: &mut Option<Self>, beside: &mut [Self]) -> (Which, Option<Made>) {
        poll_fn(|context| {
            if let Some(Poll::Ready(made)) = main.as_mut().map(|run| run.poll(context)) {
                return Poll::Ready((Which::Main, made));
            }
            for (index, run) in beside.iter_mut().enumerate() {
                if let Poll::Ready(made) = run.poll(context) {
                    return Poll::Ready((Which::Beside(index), made));
                }
            }
            Poll::Pending
        })
        .await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Made>> {
        if !self.wants_parts() {
            return Poll::Pending;
        }
        self.parts.as_mut().map_or(Poll::Pending, |parts| parts.poll_recv(context))
    }

    pub(super) fn made(&mut self, made: Option<Made>) {
        match made {
            Some(Made::FirstToken(at)) => self.first_token = Some(at),
            Some(Made::FirstSentence(at)) => self.first_sentence = Some(at),
            Some(Made::FirstSound(at)) => self.first_sound = Some(at),
            Some(Made::Stopped(stopped)) => self.stopped = stopped,
            Some(Made::Withdrawn) => {
                self.drop_withdrawn();
                self.withdrawn += 1;
            }
            Some(Made::Part(Part::Sentence(_) | Part::Sound(_))) if self.is_withdrawn() => {}
            Some(Made::Part(part)) => {
                if matches!(part, Part::End | Part::Failed(_)) {
                    self.parts = None;
                }
                self.playout.push(part);
            }
            // The maker went without a last word, which only a panic does.
            None => {
                self.parts = None;
                let error = EngineError::Failed { engine: "reply", reason: "it broke off".into() };
                self.playout.push(Part::Failed(error));
            }
        }
    }

    pub(super) fn sounded(&mut self, audio: &Pcm, keep: bool) {
        self.first_audio.get_or_insert_with(Instant::now);
        if keep {
            collect(&mut self.sound, &audio.samples, audio.rate);
        }
    }

    /// A call begins, which ends the one before.
    pub(super) fn call_begins(&mut self, id: String, name: String) -> Option<Event> {
        let before = self.call_ends();
        self.calls.push(ToolCall { id, name, arguments: String::new() });
        self.call_open = true;
        before
    }

    pub(super) fn more_arguments(&mut self, delta: &str) {
        if let Some(call) = self.calls.last_mut() {
            call.arguments.push_str(delta);
        }
    }

    /// The open call is complete.
    pub(super) fn call_ends(&mut self) -> Option<Event> {
        if !std::mem::take(&mut self.call_open) {
            return None;
        }
        let number = self.calls.len() as u32 - 1;
        let call = self.calls.last_mut()?;
        if call.arguments.trim().is_empty() {
            call.arguments = "{}".into();
        }
        Some(Event::ReplyCalled { turn: self.turn, call: number, arguments: call.arguments.clone() })
    }
}
