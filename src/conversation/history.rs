//! What a conversation remembers: the system prompt and the turns so far, within a token budget.
//!
//! A reply is remembered as far as it was heard. What is asked of the model is built by [`History::request`], which
//! changes nothing, so that work begun before the person has surely finished can be thrown away without a trace.

use std::collections::VecDeque;

use super::item::{After, ItemKey};
use crate::{
    engine::{
        ChatRequest,
        tokens::{TokenCount, message_tokens, text_tokens},
    },
    model::{Message, Role, SessionId, ToolCall, TurnId},
};

/// A system prompt for a voice: what is written will be spoken, and what is read was recognised.
pub const DEFAULT_SYSTEM_PROMPT: &str = "\
You are aigolos, a friendly voice assistant. Everything you write is spoken aloud, and everything you read was heard \
through a microphone and may hold mistakes: take the likely meaning, and ask when it matters. Answer in the language \
of the person's last words. Be brief: one to three short sentences, unless more is asked for. Write plain sentences \
only: no markdown, lists, headings, code, links, emoji or stage directions. Write numbers, units and symbols the way \
they are said. If you do not know something, say so.";

/// Ends a reply that the person cut short, so that the model knows it was not heard to its end.
pub const CUT_SHORT: &str = " …";

/// Entries kept at most, whatever the budget: bounds memory when they are tiny.
const MAX_ENTRIES: usize = 1_024;

/// What the chat model is told and how much it is reminded of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptSettings {
    /// `SYSTEM_PROMPT`: what the model is told first; empty: [`DEFAULT_SYSTEM_PROMPT`].
    pub system_prompt: String,
    /// `HISTORY_TOKENS`: how many tokens system prompt, history and the newest words may take, estimated and then
    /// corrected by what the model's server reports; the oldest turns go first.
    pub history_tokens: usize,
}

impl Default for PromptSettings {
    fn default() -> Self {
        Self { system_prompt: DEFAULT_SYSTEM_PROMPT.into(), history_tokens: 2000 }
    }
}

/// One exchange: what the person said and what they heard in answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// `None` for turns of an earlier session.
    pub turn: Option<TurnId>,
    pub user: String,
    /// Empty: no reply, or nothing of it was heard.
    pub assistant: String,
    /// The reply was stopped before its end.
    pub interrupted: bool,
}

/// One entry of the history.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    /// `None`: of an earlier session.
    key: Option<ItemKey>,
    /// Without content and calls: a place that is kept for what is still being written down or made.
    message: Message,
    /// The reply was stopped before its end.
    cut: bool,
}

/// The conversation so far. Holds no more than the budget and a fixed number of entries.
#[derive(Debug, Clone)]
pub struct History {
    system: String,
    /// In the model's tokens.
    tokens: usize,
    /// The same in estimated ones.
    budget: usize,
    entries: VecDeque<Entry>,
}

impl History {
    #[must_use]
    pub fn new(settings: &PromptSettings) -> Self {
        let asked = settings.system_prompt.trim();
        let system = if asked.is_empty() { DEFAULT_SYSTEM_PROMPT } else { asked }.to_owned();
        Self { system, tokens: settings.history_tokens, budget: settings.history_tokens, entries: VecDeque::new() }
    }

    /// Measures by what the model has shown of its tokens, from the next request on.
    pub fn measure(&mut self, count: TokenCount) {
        self.budget = count.estimated(self.tokens);
    }

    /// Replaces the system prompt from the next request on; empty: none.
    pub fn set_system(&mut self, prompt: impl Into<String>) {
        self.system = prompt.into();
        self.trim();
    }

    /// Takes up an earlier conversation, oldest turn first. Turns are numbered within their session, so what came
    /// before this one has no number.
    pub fn restore(&mut self, earlier: impl IntoIterator<Item = Exchange>) {
        for Exchange { user, assistant, interrupted, .. } in earlier {
            let entry = |role, text, cut| Entry { key: None, message: Message::new(role, text), cut };
            self.entries.push_back(entry(Role::User, user, false));
            self.entries.push_back(entry(Role::Assistant, assistant, interrupted));
        }
        self.trim();
    }

    /// Records what the person said in `turn`; said again for the same turn it replaces the earlier words. No words:
    /// keeps their place.
    pub fn said(&mut self, turn: TurnId, text: impl Into<String>) {
        self.put(ItemKey::Said(turn), Message::new(Role::User, text));
    }

    /// Keeps a place for the reply of `turn`: after the person's words if it has some, else at the end.
    pub fn reply_begins(&mut self, turn: TurnId) {
        if self.find(ItemKey::Reply(turn)).is_none() {
            let entry =
                Entry { key: Some(ItemKey::Reply(turn)), message: Message::new(Role::Assistant, ""), cut: false };
            match self.place_of(ItemKey::Said(turn)) {
                Some(at) => self.entries.insert(at + 1, entry),
                None => self.entries.push_back(entry),
            }
        }
    }

    /// Records the whole reply of `turn`. A turn that has been forgotten, or never began, is passed over.
    pub fn replied(&mut self, turn: TurnId, text: impl Into<String>) {
        if self.place_of(ItemKey::Said(turn)).is_some() {
            self.reply_begins(turn);
        }
        if let Some(entry) = self.find(ItemKey::Reply(turn)) {
            entry.message.content = text.into();
            entry.cut = false;
        }
        self.trim();
    }

    /// Records what the reply of `turn` called, after its text.
    pub fn called(&mut self, turn: TurnId, calls: &[ToolCall]) {
        let Some(reply) = self.place_of(ItemKey::Reply(turn)) else { return };
        for (index, call) in calls.iter().enumerate() {
            let message = Message::calling("", vec![call.clone()]);
            let key = Some(ItemKey::Call(turn, index as u32));
            self.entries.insert(reply + 1 + index, Entry { key, message, cut: false });
        }
        self.trim();
    }

    /// Cuts the reply of `turn` to what was heard of it. Nothing heard: the reply goes, the person's words stay.
    pub fn cut_to_heard(&mut self, turn: TurnId, heard: &str) {
        if let Some(entry) = self.find(ItemKey::Reply(turn)) {
            heard.trim().clone_into(&mut entry.message.content);
            entry.cut = true;
        }
        self.trim();
    }

    /// Puts an entry in; one by the same name is replaced where it is.
    pub fn add(&mut self, key: ItemKey, after: After, message: Message) {
        let at = match after {
            After::All => None,
            After::Nothing => Some(0),
            After::Item(before) => self.place_of(before).map(|at| at + 1),
        };
        match at.filter(|_| self.place_of(key).is_none()) {
            Some(at) => self.entries.insert(at, Entry { key: Some(key), message, cut: false }),
            None => self.put(key, message),
        }
        self.trim();
    }

    /// Takes an entry out; whether it was there.
    pub fn remove(&mut self, key: ItemKey) -> bool {
        self.place_of(key).and_then(|at| self.entries.remove(at)).is_some()
    }

    /// An entry's words or call.
    #[must_use]
    pub fn message(&self, key: ItemKey) -> Option<&Message> {
        self.place_of(key).map(|at| &self.entries[at].message)
    }

    /// What to ask the model when the person says `said` in `turn`: the system prompt, as many of the turns before
    /// `turn` as the budget holds, then `said`, which is always whole. Changes nothing; whether `turn` was recorded
    /// by [`said`](Self::said) already makes no difference.
    #[must_use]
    pub fn request(&self, session: SessionId, turn: TurnId, said: &str) -> ChatRequest {
        let own = [Some(ItemKey::Said(turn)), Some(ItemKey::Reply(turn))];
        let earlier: Vec<&Entry> = self.entries.iter().filter(|entry| !own.contains(&entry.key)).collect();
        let said = (!said.is_empty()).then(|| Message::new(Role::User, said));
        self.ask(session, &self.system, &earlier, said)
    }

    /// What to ask the model for a reply to the conversation as it stands, with `instructions` in place of the system
    /// prompt.
    #[must_use]
    pub fn request_as_it_stands(&self, session: SessionId, instructions: Option<&str>) -> ChatRequest {
        let all: Vec<&Entry> = self.entries.iter().collect();
        self.ask(session, instructions.unwrap_or(&self.system), &all, None)
    }

    /// What to ask the model where the client says itself what it is told: `messages` after the system prompt.
    #[must_use]
    pub fn request_of(&self, session: SessionId, instructions: Option<&str>, messages: Vec<Message>) -> ChatRequest {
        let entries: Vec<Entry> =
            messages.into_iter().map(|message| Entry { key: None, message, cut: false }).collect();
        self.ask(session, instructions.unwrap_or(&self.system), &entries.iter().collect::<Vec<_>>(), None)
    }

    fn ask(&self, session: SessionId, system: &str, earlier: &[&Entry], last: Option<Message>) -> ChatRequest {
        let said = last.as_ref().map_or(0, |last| text_tokens(&last.content));
        let first = first_that_fits(earlier, self.budget.saturating_sub(text_tokens(system) + said));
        let mut messages = Vec::with_capacity(2 + earlier.len() - first);
        if !system.trim().is_empty() {
            messages.push(Message::new(Role::System, system));
        }
        for entry in &earlier[first..] {
            write(entry, earlier, &mut messages);
        }
        messages.extend(last);
        ChatRequest { messages, session: Some(session), ..ChatRequest::default() }
    }

    fn put(&mut self, key: ItemKey, message: Message) {
        match self.find(key) {
            Some(entry) => entry.message = message,
            None => self.entries.push_back(Entry { key: Some(key), message, cut: false }),
        }
        self.trim();
    }

    fn find(&mut self, key: ItemKey) -> Option<&mut Entry> {
        self.entries.iter_mut().rev().find(|entry| entry.key == Some(key))
    }

    fn place_of(&self, key: ItemKey) -> Option<usize> {
        self.entries.iter().rposition(|entry| entry.key == Some(key))
    }

    /// Forgets entries that no request can hold any more; the newest is always kept.
    fn trim(&mut self) {
        let kept: Vec<&Entry> = self.entries.iter().collect();
        let first = first_that_fits(&kept, self.budget.saturating_sub(text_tokens(&self.system)));
        self.entries.drain(..first.min(self.entries.len().saturating_sub(2)));
    }
}

/// An entry as the model reads it. A call without its output, or the other way round, is left out: chat servers refuse
/// them.
fn write(entry: &Entry, all: &[&Entry], messages: &mut Vec<Message>) {
    let message = &entry.message;
    if let Some(id) = &message.call_id {
        if all.iter().any(|other| other.message.calls.iter().any(|call| call.id == *id)) {
            messages.push(message.clone());
        }
        return;
    }
    if let Some(call) = message.calls.first() {
        if all.iter().any(|other| other.message.call_id.as_ref() == Some(&call.id)) {
            // What is called in one reply is one message, with the reply's text.
            match messages.last_mut().filter(|last| last.role == Role::Assistant) {
                Some(last) => last.calls.push(call.clone()),
                None => messages.push(message.clone()),
            }
        }
        return;
    }
    if !message.content.is_empty() {
        let cut = if entry.cut { CUT_SHORT } else { "" };
        messages.push(Message::new(message.role, format!("{}{cut}", message.content)));
    }
}

/// The index of the oldest entry that still fits, counting from the newest back. Where something is left out, what
/// is left begins with what the person said or was told to: no half turns.
fn first_that_fits(entries: &[&Entry], budget: usize) -> usize {
    let mut left = budget;
    let mut first = entries.len();
    for entry in entries.iter().rev().take(MAX_ENTRIES) {
        let Some(rest) = left.checked_sub(message_tokens(&entry.message)) else { break };
        left = rest;
        first -= 1;
    }
    if first == 0 {
        return 0;
    }
    let begins = |entry: &&Entry| matches!(entry.message.role, Role::User | Role::System);
    entries[first..].iter().position(begins).map_or(entries.len(), |skip| first + skip)
}

#[cfg(test)]
mod tests;
