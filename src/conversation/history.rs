//! What a conversation remembers: the system prompt and the turns so far, within a token budget.
//!
//! A reply is remembered as far as it was heard. What is asked of the model is built by [`History::request`], which
//! changes nothing, so that work begun before the person has surely finished can be thrown away without a trace.

use std::collections::VecDeque;

use crate::{
    engine::ChatRequest,
    model::{Message, Role, SessionId, TurnId},
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

/// Turns kept at most, whatever the budget: bounds memory when turns are tiny.
const MAX_TURNS: usize = 512;
/// What a message costs beyond its text: role and separators of the usual chat templates.
const MESSAGE_TOKENS: usize = 4;

/// What the chat model is told and how much it is reminded of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptSettings {
    /// `SYSTEM_PROMPT`: what the model is told first; empty: [`DEFAULT_SYSTEM_PROMPT`].
    pub system_prompt: String,
    /// `HISTORY_TOKENS`: how many tokens (estimated, see [`estimate_tokens`]) system prompt, history and the
    /// newest words may take; the oldest turns go first. Keep it below the model's context less the longest reply.
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

/// The conversation so far. Holds no more than the budget and a fixed number of turns.
#[derive(Debug, Clone)]
pub struct History {
    system: String,
    budget: usize,
    turns: VecDeque<Exchange>,
}

impl History {
    #[must_use]
    pub fn new(settings: &PromptSettings) -> Self {
        let asked = settings.system_prompt.trim();
        let system = if asked.is_empty() { DEFAULT_SYSTEM_PROMPT } else { asked }.to_owned();
        Self { system, budget: settings.history_tokens, turns: VecDeque::new() }
    }

    /// Replaces the system prompt from the next request on; empty: none.
    pub fn set_system(&mut self, prompt: impl Into<String>) {
        self.system = prompt.into();
        self.trim();
    }

    /// Takes up an earlier conversation, oldest turn first. Turns are numbered within their session, so what came
    /// before this one has no number.
    pub fn restore(&mut self, earlier: impl IntoIterator<Item = Exchange>) {
        self.turns.extend(earlier.into_iter().map(|exchange| Exchange { turn: None, ..exchange }));
        self.trim();
    }

    /// Records what the person said in `turn`; said again for the same turn it replaces the earlier words.
    pub fn said(&mut self, turn: TurnId, text: impl Into<String>) {
        let text = text.into();
        match self.find(turn) {
            Some(exchange) => exchange.user = text,
            None => self.push(Some(turn), text),
        }
        self.trim();
    }

    /// Records the whole reply of `turn`. A turn that has been forgotten, or never began, is passed over.
    pub fn replied(&mut self, turn: TurnId, text: impl Into<String>) {
        if let Some(exchange) = self.find(turn) {
            exchange.assistant = text.into();
            exchange.interrupted = false;
        }
        self.trim();
    }

    /// Cuts the reply of `turn` to what was heard of it. Nothing heard: the reply goes, the person's words stay.
    pub fn cut_to_heard(&mut self, turn: TurnId, heard: &str) {
        if let Some(exchange) = self.find(turn) {
            heard.trim().clone_into(&mut exchange.assistant);
            exchange.interrupted = true;
        }
        self.trim();
    }

    /// What to ask the model when the person says `said` in `turn`: the system prompt, as many of the turns before
    /// `turn` as the budget holds, then `said`, which is always whole. Changes nothing; whether `turn` was recorded
    /// by [`said`](Self::said) already makes no difference.
    #[must_use]
    pub fn request(&self, session: SessionId, turn: TurnId, said: &str) -> ChatRequest {
        let earlier: Vec<&Exchange> = self.turns.iter().filter(|exchange| exchange.turn != Some(turn)).collect();
        let fixed = message_tokens(&self.system) + message_tokens(said);
        let first = first_that_fits(&earlier, self.budget.saturating_sub(fixed));
        let mut messages = Vec::with_capacity(2 + 2 * (earlier.len() - first));
        if !self.system.trim().is_empty() {
            messages.push(Message::new(Role::System, self.system.clone()));
        }
        for exchange in &earlier[first..] {
            if !exchange.user.is_empty() {
                messages.push(Message::new(Role::User, exchange.user.clone()));
            }
            if !exchange.assistant.is_empty() {
                let cut = if exchange.interrupted { CUT_SHORT } else { "" };
                messages.push(Message::new(Role::Assistant, format!("{}{cut}", exchange.assistant)));
            }
        }
        messages.push(Message::new(Role::User, said));
        ChatRequest { messages, session: Some(session), ..ChatRequest::default() }
    }

    /// The exchanges remembered, oldest first.
    pub fn exchanges(&self) -> impl ExactSizeIterator<Item = &Exchange> {
        self.turns.iter()
    }

    fn push(&mut self, turn: Option<TurnId>, user: String) {
        self.turns.push_back(Exchange { turn, user, assistant: String::new(), interrupted: false });
    }

    fn find(&mut self, turn: TurnId) -> Option<&mut Exchange> {
        self.turns.iter_mut().rev().find(|exchange| exchange.turn == Some(turn))
    }

    /// Forgets turns that no request can hold any more; the newest is always kept.
    fn trim(&mut self) {
        let kept: Vec<&Exchange> = self.turns.iter().collect();
        let first = first_that_fits(&kept, self.budget.saturating_sub(message_tokens(&self.system)));
        self.turns.drain(..first.min(self.turns.len().saturating_sub(1)));
    }
}

/// Roughly how many tokens `text` is to a language model: 4 characters each in Latin script, 2 in Cyrillic and other
/// alphabets, 1 in Chinese, Japanese and Korean, and 2 tokens for an emoji. An estimate on the safe side for the
/// byte-pair vocabularies of current models; the exact count would need the model's own tokenizer.
#[must_use]
pub fn estimate_tokens(text: &str) -> usize {
    let quarters: usize = text
        .chars()
        .map(|c| match u32::from(c) {
            0..=0x024f | 0x2000..=0x206f => 1,
            0x1100..=0x11ff
            | 0x2e80..=0x9fff
            | 0xac00..=0xd7af
            | 0xf900..=0xfaff
            | 0xff00..=0xffef
            | 0x2_0000..=0x3_ffff => 4,
            0x1_f000..=0x1_faff => 8,
            _ => 2,
        })
        .sum();
    quarters.div_ceil(4)
}

fn message_tokens(text: &str) -> usize {
    if text.is_empty() { 0 } else { MESSAGE_TOKENS + estimate_tokens(text) }
}

/// The index of the oldest exchange that still fits, counting whole exchanges from the newest back.
fn first_that_fits(turns: &[&Exchange], budget: usize) -> usize {
    let mut left = budget;
    let mut first = turns.len();
    for exchange in turns.iter().rev().take(MAX_TURNS) {
        let cost = message_tokens(&exchange.user) + message_tokens(&exchange.assistant);
        let Some(rest) = left.checked_sub(cost) else { break };
        left = rest;
        first -= 1;
    }
    first
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn history(prompt: &str, tokens: usize) -> History {
        History::new(&PromptSettings { system_prompt: prompt.into(), history_tokens: tokens })
    }

    fn contents(history: &History, turn: u32, said: &str) -> Vec<(Role, String)> {
        let request = history.request(SessionId::fresh(), TurnId(turn), said);
        request.messages.into_iter().map(|m| (m.role, m.content)).collect()
    }

    #[test]
    fn a_request_is_prompt_then_history_then_the_newest_words() {
        let mut h = history("Be kind.", 1000);
        h.said(TurnId(1), "hello");
        h.replied(TurnId(1), "Hello!");
        let expected = [(Role::System, "Be kind."), (Role::User, "hello"), (Role::Assistant, "Hello!")];
        let mut expected: Vec<_> = expected.map(|(r, t)| (r, t.to_owned())).into();
        expected.push((Role::User, "what time is it".into()));
        assert_eq!(contents(&h, 2, "what time is it"), expected);
        // Recorded or not, the words in question appear once, and the latest version of them counts.
        h.said(TurnId(2), "what time");
        assert_eq!(contents(&h, 2, "what time is it"), expected);
        assert_eq!(h.exchanges().len(), 2, "a request changes nothing");
    }

    #[test]
    fn an_interrupted_reply_is_kept_as_far_as_it_was_heard() {
        let mut h = history("", 1000);
        assert_eq!(contents(&h, 1, "hello")[0].1, DEFAULT_SYSTEM_PROMPT);
        h.set_system("");
        h.said(TurnId(1), "tell me a story");
        h.replied(TurnId(1), "One day a robot went home.");
        h.cut_to_heard(TurnId(1), "One day a robot ");
        h.said(TurnId(2), "stop");
        h.replied(TurnId(2), "Okay.");
        h.cut_to_heard(TurnId(2), "");
        let texts: Vec<_> = contents(&h, 3, "hello").into_iter().map(|(_, text)| text).collect();
        assert_eq!(texts, ["tell me a story", "One day a robot …", "stop", "hello"]);
    }

    #[test]
    fn the_oldest_whole_turns_go_first_and_the_prompt_stays() {
        let mut h = history("Short prompt.", 60);
        for turn in 1..=20 {
            h.said(TurnId(turn), format!("question number {turn}"));
            h.replied(TurnId(turn), format!("answer number {turn}"));
        }
        let messages = contents(&h, 21, "and now");
        assert_eq!(messages[0], (Role::System, "Short prompt.".into()));
        assert_eq!(messages[1].0, Role::User, "no half turns: {messages:?}");
        assert_eq!(messages[messages.len() - 2].1, "answer number 20");
        assert!(messages.len() < 10, "{messages:?}");
        assert!(h.exchanges().len() < 5, "what no request can hold is forgotten");
    }

    #[test]
    fn words_too_long_for_the_budget_are_still_asked() {
        let h = history("Prompt.", 10);
        let long = "word ".repeat(100);
        let messages = contents(&h, 1, &long);
        assert_eq!(messages.len(), 2);
        assert_eq!(messages[1].1, long);
    }

    #[test]
    fn a_restored_conversation_goes_on() {
        let mut h = history("New prompt.", 1000);
        let earlier = |user: &str, assistant: &str, interrupted| Exchange {
            turn: Some(TurnId(1)),
            user: user.into(),
            assistant: assistant.into(),
            interrupted,
        };
        h.restore([earlier("", "Welcome back.", false), earlier("hello", "", false), earlier("go on", "I", true)]);
        // Numbers are per session: the first turn of this one is none of the earlier ones.
        h.said(TurnId(1), "are you there");
        h.replied(TurnId(1), "Yes.");
        let texts: Vec<_> = contents(&h, 2, "good").into_iter().map(|(_, text)| text).collect();
        let expected = ["New prompt.", "Welcome back.", "hello", "go on", "I …", "are you there", "Yes.", "good"];
        assert_eq!(texts, expected);
    }

    #[test]
    fn scripts_are_counted_by_their_weight() {
        assert_eq!(estimate_tokens(""), 0);
        assert_eq!(estimate_tokens("four char tokens"), 4);
        assert_eq!(estimate_tokens("Привет, мир"), 5);
        assert_eq!(estimate_tokens("你好世界"), 4);
        assert_eq!(estimate_tokens("😀"), 2);
    }

    proptest! {
        #[test]
        fn a_request_never_exceeds_the_budget_unless_the_newest_words_alone_do(
            turns in prop::collection::vec((".{0,80}", ".{0,200}", any::<bool>()), 0..40),
            budget in 0usize..400,
            said in "[a-zа-я ]{1,60}",
        ) {
            let mut h = history("Prompt.", budget);
            for (index, (user, reply, cut)) in turns.iter().enumerate() {
                let turn = TurnId(index as u32 + 1);
                h.said(turn, user.clone());
                h.replied(turn, reply.clone());
                if *cut {
                    h.cut_to_heard(turn, &reply.chars().take(3).collect::<String>());
                }
            }
            let request = h.request(SessionId::fresh(), TurnId(1000), &said);
            let fixed = message_tokens("Prompt.") + message_tokens(&said);
            let total: usize = request.messages.iter()
                .map(|m| message_tokens(m.content.trim_end_matches(CUT_SHORT))).sum();
            prop_assert!(total <= budget.max(fixed), "{total} over {budget}");
            prop_assert_eq!(&request.messages.last().unwrap().content, &said);
        }
    }
}
