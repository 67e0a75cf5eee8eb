//! Ends an answer at words that its client does not want to see.

use serde_json::Value;

use super::super::errors::Refused;

/// Stop words in one request; OpenAI has the same bound.
const MOST: usize = 4;
/// Bytes of one of them.
const LONGEST: usize = 1_000;

/// Watches for stop words; see [`push`](Self::push).
#[derive(Debug, Default)]
pub struct Stop {
    words: Vec<String>,
    /// The end of what came, as long as it may be the beginning of a stop word.
    held: String,
}

impl Stop {
    /// Reads `stop`: a text, or up to four.
    ///
    /// # Errors
    /// Anything else.
    pub fn read(asked: Option<&Value>) -> Result<Self, Refused> {
        let bad = || Refused::value("stop", "it is neither a text nor a list of up to four", "send those");
        let words: Vec<String> = match asked {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::String(word)) => vec![word.clone()],
            Some(Value::Array(words)) => {
                let word = |word: &Value| word.as_str().map(str::to_owned).ok_or_else(bad);
                words.iter().take(MOST + 1).map(word).collect::<Result<_, _>>()?
            }
            Some(_) => return Err(bad()),
        };
        if words.len() > MOST || words.iter().any(|word| word.len() > LONGEST) {
            return Err(bad());
        }
        Ok(Self { words: words.into_iter().filter(|word| !word.is_empty()).collect(), held: String::new() })
    }

    /// Takes the next piece: what of the answer may be shown now, and whether it ends there.
    pub fn push(&mut self, piece: &str) -> (String, bool) {
        self.held.push_str(piece);
        if let Some(end) = self.words.iter().filter_map(|word| self.held.find(word.as_str())).min() {
            self.held.truncate(end);
            return (std::mem::take(&mut self.held), true);
        }
        // A stop word may have begun: what could be its beginning waits.
        let begun = |at: &usize| self.words.iter().any(|word| word.starts_with(&self.held[*at..]));
        let keep = self.held.char_indices().map(|(at, _)| at).find(begun).unwrap_or(self.held.len());
        let waits = self.held.split_off(keep);
        (std::mem::replace(&mut self.held, waits), false)
    }

    /// The answer has ended by itself: what waited.
    pub fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_ends_before_the_first_stop_word_wherever_it_is_cut() {
        let mut stop = Stop::read(Some(&json!(["END", "\n\n"]))).expect("two texts");
        assert_eq!(stop.push("One. E"), ("One. ".into(), false));
        assert_eq!(stop.push("ven. EN"), ("Even. ".into(), false));
        assert_eq!(stop.push("D of it\n\n"), (String::new(), true));
        let mut none = Stop::read(Some(&json!(null))).expect("none");
        assert_eq!(none.push("END"), ("END".into(), false));
        for wrong in [json!(1), json!(["a", 2]), json!(["a", "b", "c", "d", "e"]), json!("x".repeat(1_001))] {
            assert!(Stop::read(Some(&wrong)).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn pieces_make_no_difference(text in "[abé ]{0,40}", cuts in prop::collection::vec(1usize..6, 0..40), word in "[abé]{1,3}") {
            let mut stop = Stop::read(Some(&json!(word))).unwrap();
            let (mut shown, mut rest, mut over) = (String::new(), text.as_str(), false);
            for letters in cuts.into_iter().chain([usize::MAX]) {
                let end = rest.char_indices().nth(letters).map_or(rest.len(), |(at, _)| at);
                let (piece, more) = rest.split_at(end);
                rest = more;
                let (show, ends) = stop.push(piece);
                shown.push_str(&show);
                over = ends;
                if over {
                    break;
                }
            }
            if !over {
                shown.push_str(&stop.finish());
            }
            prop_assert_eq!(shown.as_str(), text.split(word.as_str()).next().unwrap_or_default());
            prop_assert_eq!(over, text.contains(word.as_str()));
        }
    }
}
