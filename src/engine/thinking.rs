//! Takes out of a model's text what is not for the listener: what it thinks aloud (`<think>...</think>`), and the marks
//! of its chat template where a server lets them through.
//!
//! Templates of some models end with `<think>`, so that their answers hold the closing tag alone. Of a model that is
//! known to do that, text is held back until the tag comes; of others it has been passed on by then, and is withdrawn.

use super::StopCause;

const TAGS: [(&str, &str); 2] = [("<think>", "</think>"), ("<thinking>", "</thinking>")];
/// End a turn in the usual templates. What follows one is the model talking to itself.
const ENDS: [&str; 9] = [
    "<|im_end|>",
    "<|im_start|>",
    "<|eot_id|>",
    "<|start_header_id|>",
    "<|endoftext|>",
    "<|end|>",
    "<end_of_turn>",
    "<start_of_turn>",
    "<｜end▁of▁sentence｜>",
];
/// Text held back at most, in bytes. A longer one is surely a thought, and only its end is kept.
const LONGEST_HELD: usize = 64 * 1024;

/// Whether a model's answers begin inside a thought.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Habit {
    #[default]
    Unknown,
    /// They do: the template has written the opening tag.
    Thinks,
    /// They do not.
    Speaks,
}

/// What a piece of text turned out to be.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Heard {
    /// All that was passed on before was a thought.
    pub withdraw: bool,
    pub speech: String,
    /// The turn is over, whatever follows.
    pub over: bool,
}

/// Removes thoughts from a stream of text, however their tags are cut.
#[derive(Debug, Default)]
pub(super) struct Thoughts {
    /// The closing tag waited for, while inside a thought.
    closing: Option<&'static str>,
    /// Text that may be the beginning of a tag, or that waits.
    held: String,
    /// No tag begins before this index of `held`.
    searched: usize,
    /// Text waits until it is known whether it is a thought.
    waits: bool,
    /// The beginning of what waits was dropped.
    overflowed: bool,
    passed_on: bool,
    /// A thought has ended; the reply has no second one without an opening tag.
    ended: bool,
    began: bool,
    shown: Habit,
}

enum Mark {
    Opening(&'static str),
    Closing,
    End,
}

impl Thoughts {
    /// For one reply of a model with this habit.
    pub(super) fn of(habit: Habit) -> Self {
        Self { waits: habit == Habit::Thinks, ..Self::default() }
    }

    /// What of `text`, and of what was held before it, is speech.
    pub(super) fn remove(&mut self, text: &str) -> Heard {
        self.held.push_str(text);
        let mut heard = Heard::default();
        while let Some((at, length, mark)) = self.next_mark() {
            let before = self.held[..at].to_owned();
            self.held.drain(..at + length);
            self.searched = 0;
            match mark {
                Mark::Opening(closing) => {
                    self.settle(Habit::Speaks);
                    self.began = true;
                    self.closing = Some(closing);
                    heard.speech.push_str(&before);
                }
                Mark::Closing if self.closing.is_some() => {
                    self.closing = None;
                    self.ended = true;
                }
                // A tag too many.
                Mark::Closing if self.ended => heard.speech.push_str(&before),
                Mark::Closing => {
                    heard.withdraw = self.passed_on;
                    heard.speech.clear();
                    self.settle(Habit::Thinks);
                    (self.began, self.ended) = (true, true);
                }
                Mark::End => {
                    if self.closing.is_none() && !self.waits {
                        heard.speech.push_str(&before);
                    }
                    self.held = if self.waits { before } else { String::new() };
                    heard.over = true;
                    break;
                }
            }
        }
        if !heard.over {
            self.let_go(&mut heard.speech);
        }
        self.passed_on |= !heard.speech.trim().is_empty();
        heard
    }

    /// The server takes thoughts out by itself: what it calls text is speech.
    pub(super) fn are_apart(&mut self) {
        self.began = true;
        if self.waits {
            self.settle(Habit::Speaks);
        }
    }

    /// What was held when the text ended: no tag after all, unless a thought never ended.
    pub(super) fn finish(&mut self, stop: StopCause) -> String {
        let held = std::mem::take(&mut self.held);
        if self.closing.take().is_some() {
            return String::new();
        }
        if std::mem::take(&mut self.waits) {
            if stop == StopCause::Length || self.overflowed {
                self.began = true;
                return String::new();
            }
            self.shown = Habit::Speaks;
        }
        held
    }

    /// What the reply has shown of the model.
    pub(super) const fn shown(&self) -> Habit {
        self.shown
    }

    /// Whether anything was thought aloud.
    pub(super) const fn any(&self) -> bool {
        self.began
    }

    fn settle(&mut self, habit: Habit) {
        if self.waits || habit == Habit::Thinks {
            self.shown = habit;
        }
        self.waits = false;
    }

    /// The first mark in what is held: where, how long, and which.
    fn next_mark(&self) -> Option<(usize, usize, Mark)> {
        let rest = &self.held[self.searched..];
        let closings = TAGS.iter().filter(|tag| self.closing.is_none_or(|closing| closing == tag.1));
        let closings = closings.map(|tag| (tag.1, Mark::Closing));
        let openings = TAGS.iter().filter(|_| self.closing.is_none()).map(|tag| (tag.0, Mark::Opening(tag.1)));
        let marks = closings.chain(openings).chain(ENDS.iter().map(|end| (*end, Mark::End)));
        let found = marks.filter_map(|(text, mark)| Some((self.searched + rest.find(text)?, text.len(), mark)));
        found.min_by_key(|(at, ..)| *at)
    }

    /// Passes on what can be no part of a mark any more; a thought is dropped instead.
    fn let_go(&mut self, speech: &mut String) {
        let known = self.held.len() - half_mark(&self.held);
        if self.waits && known < LONGEST_HELD {
            self.searched = known;
            return;
        }
        self.overflowed |= self.waits;
        let known = self.held.drain(..known);
        if self.closing.is_none() && !self.waits {
            speech.extend(known);
        }
        self.searched = 0;
    }
}

/// Whether a chat template leaves the model inside a thought: its last `<think>` is not closed again.
pub(super) fn begins_thought(template: &str) -> bool {
    template.rfind("<think>").is_some_and(|at| !template[at..].contains("</think>"))
}

/// Whether a model's name says that it thinks before each answer.
pub(super) fn named_for_thinking(model: &str) -> bool {
    let name = model.to_lowercase();
    ["deepseek-r1", "qwq", "-thinking", "-reasoner", "-reasoning"].iter().any(|known| name.contains(known))
}

/// How many bytes at the end of `text` could begin a mark.
fn half_mark(text: &str) -> usize {
    let marks = TAGS.iter().flat_map(|tag| [tag.0, tag.1]).chain(ENDS);
    let longest = |mark: &str| {
        (1..mark.len()).rev().find(|n| mark.is_char_boundary(*n) && text.ends_with(&mark[..*n])).unwrap_or(0)
    };
    marks.map(longest).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(habit: Habit, pieces: &[&str], stop: StopCause) -> (String, Habit) {
        let mut thoughts = Thoughts::of(habit);
        let mut text = String::new();
        for piece in pieces {
            let heard = thoughts.remove(piece);
            if heard.withdraw {
                text.clear();
            }
            text.push_str(&heard.speech);
            if heard.over {
                break;
            }
        }
        text.push_str(&thoughts.finish(stop));
        (text, thoughts.shown())
    }

    fn speech(pieces: &[&str]) -> String {
        heard(Habit::Unknown, pieces, StopCause::End).0
    }

    /// `text` cut in three, everywhere.
    fn cut(text: &str) -> Vec<[&str; 3]> {
        let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        let pairs = ends.iter().flat_map(|first| ends.iter().map(move |second| (*first, *second)));
        let pairs = pairs.filter(|(first, second)| first <= second);
        pairs.map(|(first, second)| [&text[..first], &text[first..second], &text[second..]]).collect()
    }

    #[test]
    fn thoughts_are_taken_out_wherever_the_text_is_cut() {
        let text = "<think>Что <b> </thin ответить?</think>Да, 2 < 3 <thinking>hm</thinking>и <thin air> <";
        for pieces in cut(text) {
            assert_eq!(speech(&pieces), "Да, 2 < 3 и <thin air> <");
        }
    }

    #[test]
    fn a_closing_tag_alone_ends_a_thought_that_began_with_the_answer() {
        let text = "Let me think. 2 < 3.</think>\n\nHello there. </think>Bye.";
        for pieces in cut(text) {
            for habit in [Habit::Unknown, Habit::Thinks, Habit::Speaks] {
                let expected = ("\n\nHello there. Bye.".to_owned(), Habit::Thinks);
                assert_eq!(heard(habit, &pieces, StopCause::End), expected, "{pieces:?}");
            }
        }
    }

    #[test]
    fn nothing_of_a_model_that_is_known_to_think_is_passed_on_before_the_tag() {
        let mut thoughts = Thoughts::of(Habit::Thinks);
        for piece in ["Let me ", "think. <b", ">.</th"] {
            assert_eq!(thoughts.remove(piece), Heard::default());
        }
        let heard = thoughts.remove("ink>Hello");
        assert_eq!(heard, Heard { withdraw: false, speech: "Hello".into(), over: false });
        assert_eq!(thoughts.remove(" there."), Heard { speech: " there.".into(), ..Heard::default() });
    }

    #[test]
    fn a_model_that_does_not_think_after_all_is_heard_and_remembered() {
        for pieces in [&["Hello ", "there."][..], &["Hello there."]] {
            assert_eq!(heard(Habit::Thinks, pieces, StopCause::End), ("Hello there.".into(), Habit::Speaks));
        }
        assert_eq!(heard(Habit::Thinks, &["Hm, that"], StopCause::Length), (String::new(), Habit::Unknown));
        assert_eq!(heard(Habit::Unknown, &["Hello"], StopCause::End), ("Hello".into(), Habit::Unknown));
        let mut apart = Thoughts::of(Habit::Thinks);
        apart.are_apart();
        assert_eq!(apart.remove("Hello").speech, "Hello");
        assert!(apart.any() && apart.shown() == Habit::Speaks);
    }

    #[test]
    fn marks_of_templates_end_the_reply() {
        for pieces in cut("Hello 1 <|im 2.<|im_end|>\n<|im_start|>user\nMore?") {
            assert_eq!(speech(&pieces), "Hello 1 <|im 2.");
        }
        assert_eq!(speech(&["Hello.<end_of", "_turn>\nuser: hm"]), "Hello.");
        assert_eq!(speech(&["<think>hm<|im_end|>Hello"]), "");
        assert_eq!(heard(Habit::Thinks, &["Hello.<|im_end|>"], StopCause::End).0, "Hello.");
    }

    #[test]
    fn a_thought_that_never_ends_is_held_in_a_few_bytes() {
        let mut thoughts = Thoughts::default();
        assert_eq!(thoughts.remove("Yes. <think>").speech, "Yes. ");
        for _ in 0..1000 {
            assert_eq!(thoughts.remove("and on </th and on").speech, "");
        }
        assert!(thoughts.held.len() < 20);
        assert_eq!(thoughts.finish(StopCause::End), "");
        let mut waiting = Thoughts::of(Habit::Thinks);
        for _ in 0..20_000 {
            assert_eq!(waiting.remove("and on and on ").speech, "");
        }
        assert!(waiting.held.len() <= LONGEST_HELD);
        assert_eq!(waiting.remove("</think>Yes.").speech, "Yes.");
    }

    #[test]
    fn templates_and_names_tell() {
        assert!(begins_thought("{% if add_generation_prompt %}{{'<|Assistant|><think>\\n'}}{% endif %}"));
        assert!(!begins_thought("{% if not enable_thinking %}{{- '<think>\\n\\n</think>\\n\\n' }}{% endif %}"));
        assert!(!begins_thought("{{ .Prompt }}"));
        assert!(named_for_thinking("hf.co/unsloth/DeepSeek-R1-Distill-Qwen-1.5B-GGUF:Q4_K_M"));
        assert!(named_for_thinking("qwq:32b") && !named_for_thinking("qwen2.5:7b"));
    }
}
