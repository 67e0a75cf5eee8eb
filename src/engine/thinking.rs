//! Takes out what a model thinks aloud (`<think>...</think>`): it is not for the listener.

const TAGS: [(&str, &str); 2] = [("<think>", "</think>"), ("<thinking>", "</thinking>")];

/// Removes thoughts from a stream of text, however their tags are cut.
#[derive(Debug, Default)]
pub(super) struct Thoughts {
    /// The closing tag waited for, while inside a thought.
    closing: Option<&'static str>,
    /// Text that may be the beginning of a tag.
    held: String,
}

impl Thoughts {
    /// What of `text`, and of what was held before it, is speech.
    pub(super) fn remove(&mut self, text: &str) -> String {
        self.held.push_str(text);
        let mut speech = String::new();
        loop {
            if let Some(closing) = self.closing {
                let Some(at) = self.held.find(closing) else {
                    self.held.drain(..self.held.len() - half_tag(&self.held, &[closing]));
                    return speech;
                };
                self.held.drain(..at + closing.len());
                self.closing = None;
            } else {
                let found =
                    TAGS.iter().filter_map(|tag| Some((self.held.find(tag.0)?, tag))).min_by_key(|found| found.0);
                let Some((at, (opening, closing))) = found else {
                    let free = self.held.len() - half_tag(&self.held, &TAGS.map(|tag| tag.0));
                    speech.extend(self.held.drain(..free));
                    return speech;
                };
                speech.push_str(&self.held[..at]);
                self.held.drain(..at + opening.len());
                self.closing = Some(closing);
            }
        }
    }

    /// What was held when the text ended: no tag after all, unless a thought never ended.
    pub(super) fn finish(&mut self) -> String {
        let held = std::mem::take(&mut self.held);
        if self.closing.is_some() { String::new() } else { held }
    }
}

/// How many bytes at the end of `text` could begin one of the tags.
fn half_tag(text: &str, tags: &[&str]) -> usize {
    let longest = |tag: &&str| (1..tag.len()).rev().find(|n| text.ends_with(&tag[..*n]));
    tags.iter().filter_map(longest).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn speech(pieces: &[&str]) -> String {
        let mut thoughts = Thoughts::default();
        let mut text: String = pieces.iter().map(|piece| thoughts.remove(piece)).collect();
        text.push_str(&thoughts.finish());
        text
    }

    #[test]
    fn thoughts_are_taken_out_wherever_the_text_is_cut() {
        let text = "<think>Что <b> </thin ответить?</think>Да, 2 < 3 <thinking>hm</thinking>и <thin air> <";
        let expected = "Да, 2 < 3 и <thin air> <";
        assert_eq!(speech(&[text]), expected);
        let ends: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        for first in &ends {
            for second in ends.iter().filter(|second| *second >= first) {
                assert_eq!(speech(&[&text[..*first], &text[*first..*second], &text[*second..]]), expected);
            }
        }
    }

    #[test]
    fn a_thought_that_never_ends_is_held_in_a_few_bytes() {
        let mut thoughts = Thoughts::default();
        assert_eq!(thoughts.remove("Yes. <think>"), "Yes. ");
        for _ in 0..1000 {
            assert_eq!(thoughts.remove("and on </th and on"), "");
        }
        assert!(thoughts.held.len() < 10);
        assert_eq!(thoughts.finish(), "");
    }
}
