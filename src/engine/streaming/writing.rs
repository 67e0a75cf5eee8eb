//! One reply while it is written: lines into text and calls, thoughts and halves of characters taken out.

use super::{BadLine, Dialect, Listener, Refusal, Told, closed};
use crate::{
    engine::{
        ChatDelta, ChatRequest, EngineError, StopCause,
        calls::{Calls, Piece},
        meter::ChatMeter,
        thinking::{Heard, Thoughts},
    },
    surrogates::{self, Joiner},
};

const THOUGHT: &str = "the model only thought, and answered nothing";
const THINKS_TOO_LONG: &str = "raise LLM_MAX_TOKENS, or choose a model that does not think before it answers";
const NOTHING: &str = "the model answered nothing";
const FILTERED: &str = "the chat server's filter kept the answer back";
const SAY_OTHERWISE: &str = "say it in other words, or choose another model";

/// A reply under way.
pub(super) struct Writing<'d, D> {
    d: &'d D,
    pub told: Told,
    thoughts: Thoughts,
    calls: Calls,
    /// Only once a half was there.
    joiner: Option<Joiner>,
}

impl<'d, D: Dialect> Writing<'d, D> {
    pub(super) fn new(d: &'d D, chat: &ChatRequest) -> Self {
        let thoughts = Thoughts::of(d.learnt().habit());
        Self { d, told: Told::default(), thoughts, calls: Calls::after(&chat.messages), joiner: None }
    }

    /// Reads one line and sends on what it holds; `last`: of those the connection gave, so that it may be half a line.
    pub(super) async fn line(&mut self, line: &str, last: bool, sent: &mut Sent<'_>) -> Result<(), Refusal> {
        let whole = surrogates::marked(line);
        if matches!(whole, std::borrow::Cow::Owned(_)) {
            self.joiner.get_or_insert_default();
        }
        let decoded = self.d.decode(&whole, &mut self.told);
        decoded.map_err(|bad| match bad {
            BadLine::Error(message) => Refusal { error: self.d.told(message), again: false },
            BadLine::Unreadable(_) if last => closed::<D>(),
            BadLine::Unreadable(why) => {
                Refusal { error: D::failed(format!("a line of the answer cannot be read: {why}")), again: false }
            }
        })?;
        if self.told.thoughts_apart {
            self.thoughts.are_apart();
        }
        let text = std::mem::take(&mut self.told.text);
        let text = match &mut self.joiner {
            Some(joiner) => joiner.push(&text),
            None => text,
        };
        let Heard { withdraw, speech, over } = self.thoughts.remove(&text);
        if withdraw {
            sent.withdraw().await;
        }
        sent.text(speech).await;
        for piece in std::mem::take(&mut self.told.calls) {
            let piece = if self.joiner.is_some() { whole_characters(piece) } else { piece };
            let deltas = self.calls.take(piece).map_err(wrong::<D>)?;
            sent.calls(deltas).await;
        }
        self.told.done |= over;
        Ok(())
    }

    /// The end of the reply.
    pub(super) async fn finish(mut self, sent: &mut Sent<'_>) -> Result<ChatDelta, Refusal> {
        let stop = self.told.stop;
        if let Some(mut joiner) = self.joiner.take() {
            let Heard { speech, .. } = self.thoughts.remove(joiner.finish());
            sent.text(speech).await;
        }
        sent.text(self.thoughts.finish(stop)).await;
        sent.calls(self.calls.finish().map_err(wrong::<D>)?).await;
        self.d.learnt().shown(self.thoughts.shown());
        if !sent.text && !sent.called {
            let wordless = |reason, hint| EngineError::Wordless { engine: D::ENGINE, reason, hint };
            if self.thoughts.any() {
                return Err(Refusal { error: wordless(THOUGHT, THINKS_TOO_LONG), again: false });
            }
            if self.told.filtered {
                return Err(Refusal { error: wordless(FILTERED, SAY_OTHERWISE), again: false });
            }
            if stop == StopCause::End {
                return Err(Refusal { error: wordless(NOTHING, SAY_OTHERWISE), again: true });
            }
        }
        let Told { prompt_tokens, reply_tokens, .. } = self.told;
        Ok(ChatDelta::Done { prompt_tokens, reply_tokens, stop })
    }
}

fn wrong<D: Dialect>(reason: String) -> Refusal {
    Refusal { error: D::failed(reason), again: false }
}

/// Halves of characters in arguments are in one piece or lost.
fn whole_characters(mut piece: Piece) -> Piece {
    let mut joiner = Joiner::default();
    piece.arguments = joiner.push(&piece.arguments) + joiner.finish();
    piece
}

/// What has been sent on of a reply.
pub(super) struct Sent<'l> {
    pub to: &'l Listener,
    pub any: bool,
    pub text: bool,
    pub called: bool,
    pub meter: &'l mut ChatMeter,
}

impl Sent<'_> {
    /// Sends text on; a reply does not begin with blanks, as after a thought.
    async fn text(&mut self, text: String) {
        let text = if self.text { text } else { text.trim_start().to_owned() };
        if !text.is_empty() {
            self.text = true;
            self.delta(ChatDelta::Text(text)).await;
        }
    }

    /// Takes back all text so far.
    async fn withdraw(&mut self) {
        self.text = false;
        self.delta(ChatDelta::Withdrawn).await;
    }

    async fn calls(&mut self, deltas: Vec<ChatDelta>) {
        for delta in deltas {
            self.called = true;
            self.delta(delta).await;
        }
    }

    async fn delta(&mut self, delta: ChatDelta) {
        self.any = true;
        self.meter.told();
        // A listener who left is noticed by `start`.
        let _ = self.to.send(Ok(delta)).await;
    }
}
