//! How long a text is to a language model: an estimate, corrected by what the model's server reports, and requests cut
//! to the model's window.

use super::ChatRequest;
use crate::model::{Message, Role};

/// What a message costs beyond its text: role and separators of the usual chat templates.
const MESSAGE_TOKENS: usize = 4;
/// A request below this is mostly template: its count says little of the estimate.
const TELLING: usize = 60;
/// How far a report can correct the estimate. Less than this is a server that counts only what it had not cached.
const CORRECTION: std::ops::RangeInclusive<f32> = 0.7..=4.0;
/// How much longer than estimated a request may be that its server refuses.
const LONGER_THAN_THOUGHT: f32 = 1.5;
/// The least room that a window leaves for the reply, whatever was asked.
const LEAST_REPLY: usize = 64;

/// What is known of a chat model's tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TokenCount {
    /// How many tokens prompt and reply may have together; `None`: not known.
    pub window: Option<u32>,
    /// The model's tokens for one of [`estimate_tokens`].
    pub per_estimated: f32,
}

impl Default for TokenCount {
    fn default() -> Self {
        Self { window: None, per_estimated: 1.0 }
    }
}

impl TokenCount {
    /// The model's `tokens` in estimated ones.
    #[must_use]
    pub fn estimated(&self, tokens: usize) -> usize {
        (tokens as f64 / f64::from(self.per_estimated)) as usize
    }

    /// Takes up that a prompt estimated at `estimated` had `reported` tokens. More than expected counts at once, less
    /// only a little at a time: too long a prompt does harm, too short a one does not.
    pub(super) fn correct(&mut self, estimated: usize, reported: u32) {
        let ratio = reported as f32 / estimated.max(1) as f32;
        // A prompt that fills the window may have been cut by the server.
        let full = self.window.is_some_and(|window| reported.saturating_mul(10) >= window.saturating_mul(9));
        if estimated < TELLING || !CORRECTION.contains(&ratio) || full {
            return;
        }
        let weight = if ratio > self.per_estimated { 1.0 } else { 0.2 };
        self.per_estimated += weight * (ratio - self.per_estimated);
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

/// A text as a message of its own; nothing costs nothing.
#[must_use]
pub fn text_tokens(text: &str) -> usize {
    if text.is_empty() { 0 } else { MESSAGE_TOKENS + estimate_tokens(text) }
}

/// A message with what it calls.
#[must_use]
pub fn message_tokens(message: &Message) -> usize {
    let calls: usize =
        message.calls.iter().map(|call| text_tokens(&call.name) + estimate_tokens(&call.arguments)).sum();
    text_tokens(&message.content) + calls
}

/// A whole prompt, functions included.
pub(super) fn prompt_tokens(chat: &ChatRequest) -> usize {
    let tools: usize = chat
        .tools
        .iter()
        .map(|tool| {
            text_tokens(&tool.name) + estimate_tokens(&tool.description) + estimate_tokens(&tool.parameters.to_string())
        })
        .sum();
    tools + chat.messages.iter().map(message_tokens).sum::<usize>()
}

/// `chat` within the model's window, with room for a reply of `longest` tokens; `None`: it fits as it is.
pub(super) fn fitted(chat: &ChatRequest, count: TokenCount, longest: u32) -> Option<ChatRequest> {
    let window = count.window? as usize;
    // A reply need not have all the room it may take.
    let reply = (longest as usize).min(window / 2).max(LEAST_REPLY);
    cut(chat, count.estimated(window.saturating_sub(reply)))
}

/// A clearly shorter request for a server that said this one was too long; `None`: nothing can be left out.
pub(super) fn shorter(chat: &ChatRequest, count: TokenCount, longest: u32) -> Option<ChatRequest> {
    let half = prompt_tokens(chat) / 2;
    // The estimate was too low for this text: digits and short turns are more tokens than it thinks.
    let strict = TokenCount { per_estimated: count.per_estimated * LONGER_THAN_THOUGHT, ..count };
    let within = fitted(chat, strict, longest).filter(|fitted| prompt_tokens(fitted) <= half);
    let mut shorter = within.or_else(|| cut(chat, half));
    // Servers that count the reply's room into the request may be content with less of that.
    let most = count.window.map_or(longest / 4, |window| window / 4).max(LEAST_REPLY as u32);
    if most < longest {
        shorter.get_or_insert_with(|| chat.clone()).max_tokens = Some(most);
    }
    shorter
}

/// `chat` without its oldest turns, so that it has at most `budget` estimated tokens. System prompt and newest turn
/// always stay; `None`: nothing is left out.
fn cut(chat: &ChatRequest, budget: usize) -> Option<ChatRequest> {
    let messages = &chat.messages;
    let prompt = messages.iter().take_while(|message| message.role == Role::System).count();
    let newest = messages.iter().rposition(|message| message.role == Role::User);
    let newest = newest.unwrap_or(messages.len().saturating_sub(1)).max(prompt);
    let mut over = prompt_tokens(chat).saturating_sub(budget);
    let mut first = prompt;
    // What is left begins with a person's words: no half turns.
    while first < newest && (over > 0 || messages[first].role != Role::User) {
        over = over.saturating_sub(message_tokens(&messages[first]));
        first += 1;
    }
    // A conversation that begins with the assistant is no half turn.
    if prompt_tokens(chat) <= budget || first == prompt {
        return None;
    }
    let kept = messages[..prompt].iter().chain(&messages[first..]).cloned().collect();
    Some(ChatRequest { messages: kept, ..chat.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ToolCall;

    fn talk(turns: usize) -> ChatRequest {
        let mut messages = vec![Message::new(Role::System, "Be kind and brief, and speak plainly.")];
        for turn in 0..turns {
            messages.push(Message::new(Role::User, format!("This is question number {turn} of this conversation.")));
            messages
                .push(Message::new(Role::Assistant, format!("And this is the answer with number {turn}, to that.")));
        }
        messages.push(Message::new(Role::User, "And now?"));
        ChatRequest { messages, ..ChatRequest::default() }
    }

    #[test]
    fn a_prompt_is_cut_to_the_window_from_its_oldest_turn() {
        let chat = talk(20);
        let count = TokenCount { window: Some(300), per_estimated: 1.0 };
        assert_eq!(fitted(&chat, TokenCount::default(), 100), None, "nothing is known");
        assert_eq!(fitted(&talk(2), count, 100), None, "it fits");
        let fits = fitted(&chat, count, 100).expect("it is too long");
        assert!(prompt_tokens(&fits) <= 200, "{}", prompt_tokens(&fits));
        assert_eq!(fits.messages[0], chat.messages[0]);
        assert_eq!(fits.messages[1].role, Role::User);
        assert_eq!(fits.messages[fits.messages.len() - 3..], chat.messages[chat.messages.len() - 3..]);
        let dense = TokenCount { per_estimated: 2.0, ..count };
        let tighter = fitted(&chat, dense, 100).expect("it is too long");
        assert!(prompt_tokens(&tighter) <= 100);
    }

    #[test]
    fn prompt_and_newest_turn_stay_however_long_they_are() {
        let mut chat = talk(3);
        let call = ToolCall { id: "a".into(), name: "look".into(), arguments: "{}".into() };
        chat.messages.push(Message::calling("", vec![call]));
        chat.messages.push(Message::output("a", "word ".repeat(500)));
        let fits = fitted(&chat, TokenCount { window: Some(128), per_estimated: 1.0 }, 400).expect("too long");
        let roles: Vec<Role> = fits.messages.iter().map(|message| message.role).collect();
        assert_eq!(roles, [Role::System, Role::User, Role::Assistant, Role::Tool]);
        let alone = ChatRequest { messages: chat.messages[..1].to_vec(), ..ChatRequest::default() };
        assert_eq!(shorter(&alone, TokenCount::default(), 64), None);
        assert_eq!(cut(&ChatRequest::default(), 0), None);
    }

    #[test]
    fn what_was_too_long_is_halved_and_gets_a_shorter_reply() {
        let chat = talk(20);
        let half = shorter(&chat, TokenCount::default(), 400).expect("turns can go");
        assert!(prompt_tokens(&half) <= prompt_tokens(&chat) / 2);
        assert_eq!(half.max_tokens, Some(100));
        let count = TokenCount { window: Some(2048), per_estimated: 1.0 };
        let reply = shorter(&talk(0), count, 4000).expect("the reply can be shorter");
        assert_eq!((reply.max_tokens, reply.messages.len()), (Some(512), 2));
        assert_eq!(shorter(&talk(0), count, 400), None);
    }

    #[test]
    fn scripts_are_counted_by_their_weight() {
        assert_eq!(estimate_tokens(""), 0);
        assert_eq!(estimate_tokens("four char tokens"), 4);
        assert_eq!(estimate_tokens("Привет, мир"), 5);
        assert_eq!(estimate_tokens("你好世界"), 4);
        assert_eq!(estimate_tokens("😀"), 2);
    }

    #[test]
    fn reports_correct_the_estimate() {
        let mut count = TokenCount { window: Some(4096), per_estimated: 1.0 };
        count.correct(200, 300);
        assert!((count.per_estimated - 1.5).abs() < 0.01);
        for (estimated, reported) in [(20, 60), (200, 20), (200, 2000), (3000, 3900), (0, 0)] {
            count.correct(estimated, reported);
        }
        assert!((count.per_estimated - 1.5).abs() < 0.01, "cached, absurd and cut ones say nothing");
        for _ in 0..50 {
            count.correct(200, 200);
        }
        assert!((count.per_estimated - 1.0).abs() < 0.01);
        assert_eq!(TokenCount { per_estimated: 2.0, ..count }.estimated(1000), 500);
    }
}
