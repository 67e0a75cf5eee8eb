//! What a chat server has shown of its model, for the requests that follow.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{
    thinking::{self, Habit},
    tokens::TokenCount,
};

/// Windows outside of this are a field that means something else.
const WINDOWS: std::ops::RangeInclusive<u64> = 256..=16 << 20;

/// Shared by all replies of one model.
#[derive(Debug, Default)]
pub(super) struct Learnt(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    habit: Habit,
    count: TokenCount,
}

impl Learnt {
    /// Of a model by this name.
    pub(super) fn of(model: &str) -> Self {
        let habit = if thinking::named_for_thinking(model) { Habit::Thinks } else { Habit::Unknown };
        Self(Mutex::new(Known { habit, ..Known::default() }))
    }

    pub(super) fn habit(&self) -> Habit {
        self.known().habit
    }

    pub(super) fn count(&self) -> TokenCount {
        self.known().count
    }

    pub(super) fn shown(&self, habit: Habit) {
        if habit != Habit::Unknown {
            self.known().habit = habit;
        }
    }

    /// The template tells only of models that have not answered yet.
    pub(super) fn has_template(&self, template: &str) {
        let mut known = self.known();
        if known.habit == Habit::Unknown && thinking::begins_thought(template) {
            known.habit = Habit::Thinks;
        }
    }

    pub(super) fn has_window(&self, tokens: u64) {
        if WINDOWS.contains(&tokens) {
            self.known().count.window = u32::try_from(tokens).ok();
        }
    }

    pub(super) fn counted(&self, estimated: usize, reported: u32) {
        self.known().count.correct(estimated, reported);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a server's words say that a request was longer than the model's context.
pub(super) fn is_too_long(message: &str) -> bool {
    let message = message.to_lowercase();
    let long = ["exceed", "maximum", "too long", "too large", "longer than", "overflow"];
    let tokens = message.contains("too many tokens") || message.contains("prompt is too long");
    tokens || message.contains("context") && long.iter().any(|word| message.contains(word))
}

/// The window that such words name: "maximum context length is 4096 tokens", "context size of 4096".
pub(super) fn named_window(message: &str) -> Option<u64> {
    let message = message.to_lowercase();
    let at = message.find("context")?;
    let words = message[at..].split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.take(8).find_map(|word| word.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_for_length_are_known_by_their_words() {
        let vllm = "This model's maximum context length is 2048 tokens. However, you requested 2500 tokens (2100 in \
                    the messages, 400 in the completion).";
        let llama = "the request exceeds the available context size (4096 tokens), try increasing it";
        assert_eq!((is_too_long(vllm), named_window(vllm)), (true, Some(2048)));
        assert_eq!((is_too_long(llama), named_window(llama)), (true, Some(4096)));
        assert!(is_too_long("input length exceeds the context length") && is_too_long("context too long"));
        assert_eq!(named_window("input length exceeds the context length"), None);
        assert!(!is_too_long("context canceled") && !is_too_long("maximum number of users"));
    }

    #[test]
    fn what_was_shown_outweighs_name_and_template() {
        let learnt = Learnt::of("qwq:32b");
        assert_eq!(learnt.habit(), Habit::Thinks);
        learnt.shown(Habit::Speaks);
        learnt.shown(Habit::Unknown);
        learnt.has_template("<think>");
        assert_eq!(learnt.habit(), Habit::Speaks);
        let learnt = Learnt::of("smollm2:135m");
        assert_eq!(learnt.habit(), Habit::Unknown);
        learnt.has_template("<think>");
        assert_eq!(learnt.habit(), Habit::Thinks);
        for (told, window) in [(0, None), (u64::MAX, None), (8192, Some(8192)), (100, Some(8192))] {
            learnt.has_window(told);
            assert_eq!(learnt.count().window, window);
        }
    }
}
