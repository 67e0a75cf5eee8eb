//! The built-in assistant: a few hundred words of English and some Russian by heart, so that the first run has somebody
//! to talk to.
//!
//! It understands what the bundled recogniser can hear, and how real recognisers write the same. It is no language
//! model, says so, and says how to get one. An answer depends on the clock, the messages and, for timers, on when their session asked for them.

mod calendar;
mod call;
mod fun;
mod name;
mod russian;
mod spell;
mod sum;
mod talk;
mod timer;
mod words;

use std::sync::Arc;

use futures::future::{self, BoxFuture};
use jiff::Zoned;
use tokio::sync::mpsc;
use tracing::Instrument;

use self::{timer::Starts, words::Heard};
use super::{
    ChatDelta, ChatModel, ChatRequest, ChatStream, EngineError, EngineInfo, StopCause, calls, meter::ChatMeter,
};
use crate::model::{Message, Role};

/// Words on their way to the listener; when full, the assistant waits.
const STREAM_CAPACITY: usize = 16;
/// Letters of arguments told at a time, as a model's tokens would come.
const ARGUMENTS_AT_ONCE: usize = 16;

/// How to get a real model, in one sentence.
pub const HINT: &str = "this is a small demo assistant; start Ollama (https://ollama.com) and restart for a real model";

/// Tells the time, here and now.
pub type Clock = Arc<dyn Fn() -> Zoned + Send + Sync>;

/// The assistant itself; cheap, needs no warming up.
#[derive(Clone)]
pub struct Assistant {
    clock: Clock,
    hint: String,
    starts: Arc<Starts>,
}

impl Default for Assistant {
    fn default() -> Self {
        Self::new(HINT)
    }
}

impl Assistant {
    /// `hint`: why this assistant is in use and how to get a real model.
    #[must_use]
    pub fn new(hint: impl Into<String>) -> Self {
        Self { clock: Arc::new(Zoned::now), hint: hint.into(), starts: Arc::default() }
    }

    /// Lives by another clock than the system's.
    #[must_use]
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The whole answer to the newest message.
    #[must_use]
    pub fn answer(&self, request: &ChatRequest) -> String {
        if let Some(told) = call::tell(&request.messages) {
            return told;
        }
        let Some(newest) = request.messages.iter().rposition(|message| message.role == Role::User) else {
            return "Hello. I'm listening.".into();
        };
        let earlier = &request.messages[..newest];
        let said = request.messages[newest].content.as_str();
        let now = (self.clock)();
        let timers =
            timer::Scene { starts: &self.starts, session: request.session, earlier, said, now: now.timestamp() };
        let in_russian = speaks_russian(said, earlier);
        let (answer, done) = if in_russian {
            let heard = Heard::russian(said);
            if heard.is_empty() {
                return russian::nothing_heard();
            }
            let about_timer = timers.outcome().map(|outcome| russian::told(&outcome));
            let answer = about_timer.unwrap_or_else(|| russian::answer(&heard, said, earlier, &now));
            (answer, format!("Кстати, ваш {}.", russian::DONE))
        } else {
            let heard = Heard::new(said);
            if heard.is_empty() {
                return "I'm sorry, I did not hear you.".into();
            }
            let answer = (timers.outcome().map(|outcome| timer::told(&outcome)))
                .or_else(|| sum::answer(&heard))
                .or_else(|| talk::repeat(&heard, earlier))
                .or_else(|| name::answer(&heard, said, earlier))
                .or_else(|| fun::answer(&heard, earlier, &now))
                .or_else(|| calendar::answer(&heard, &now))
                .or_else(|| talk::answer(&heard, earlier))
                .unwrap_or_else(|| talk::unknown(said, earlier));
            (answer, format!("By the way, your {}.", timer::DONE))
        };
        let about_timer = ["timer", "аймер"].iter().any(|word| answer.contains(word));
        if !about_timer && timers.has_ended() { format!("{answer} {done}") } else { answer }
    }
}

/// Whether most letters are Cyrillic.
fn is_cyrillic(text: &str) -> bool {
    let letters = text.chars().filter(|c| c.is_alphabetic());
    let cyrillic = letters.clone().filter(|c| matches!(u32::from(*c), 0x0400..=0x052f)).count();
    cyrillic * 2 > letters.count()
}

/// Whether to answer in Russian: as what was said is written, or, where that has no letters ("2+2"), as what was said before.
fn speaks_russian(said: &str, earlier: &[Message]) -> bool {
    let before =
        earlier.iter().rev().filter(|message| message.role == Role::User).map(|message| message.content.as_str());
    let written = std::iter::once(said).chain(before).find(|text| text.chars().any(char::is_alphabetic));
    written.is_some_and(is_cyrillic)
}

impl ChatModel for Assistant {
    fn info(&self) -> EngineInfo {
        EngineInfo {
            engine: "builtin".into(),
            model: "assistant".into(),
            demo: true,
            loaded: true,
            hint: Some(self.hint.clone()),
            languages: vec!["en".into(), "ru".into()],
        }
    }

    /// Word by word, or a call in pieces; a word counts as a token. Must be called within a tokio runtime.
    fn reply(&self, request: ChatRequest) -> ChatStream {
        let (out, stream) = mpsc::channel(STREAM_CAPACITY);
        let mut deltas = Vec::new();
        let mut stop = StopCause::End;
        if let Some((tool, arguments)) = call::choose(&request) {
            deltas.push(ChatDelta::Call { call: 0, id: calls::fresh_id(), name: tool.name.clone() });
            let arguments: Vec<char> = arguments.to_string().chars().collect();
            let pieces = arguments.chunks(ARGUMENTS_AT_ONCE).map(|piece| piece.iter().collect());
            deltas.extend(pieces.map(|delta| ChatDelta::Arguments { call: 0, delta }));
        } else {
            let answer = self.answer(&request);
            let most = request.max_tokens.map_or(usize::MAX, |most| most as usize);
            let mut words = answer.split_inclusive(' ');
            deltas.extend(words.by_ref().take(most).map(|word| ChatDelta::Text(word.to_owned())));
            if words.next().is_some() {
                stop = StopCause::Length;
            }
        }
        let prompt: usize = request.messages.iter().map(|message| message.content.split_whitespace().count()).sum();
        let (prompt_tokens, reply_tokens) = (u32::try_from(prompt).ok(), u32::try_from(deltas.len()).ok());
        deltas.push(ChatDelta::Done { prompt_tokens, reply_tokens, stop });
        let mut meter = ChatMeter::new("builtin");
        let telling = async move {
            let done = deltas.pop();
            for delta in deltas {
                meter.told();
                if out.send(Ok(delta)).await.is_err() {
                    return;
                }
            }
            if let Some(done) = done.map(Ok) {
                meter.ended(&done);
                let _ = out.send(done).await;
            }
        };
        tokio::spawn(telling.in_current_span());
        stream
    }

    fn warm_up(&self) -> BoxFuture<'static, Result<(), EngineError>> {
        Box::pin(future::ready(Ok(())))
    }
}

#[cfg(test)]
mod tests;
