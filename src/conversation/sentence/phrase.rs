//! Where a first sentence without marks may be divided: before a word that begins a phrase, where a speaker might take
//! breath. English and Russian; other languages wait for a mark.

/// The part before it must be this long in characters, and have so many words: less sounds torn off.
const MIN_CHARS: usize = 24;
const MIN_WORDS: usize = 4;

/// Words before which a breath is natural. Not those that belong closely to what stands before them ("of", "to").
const BEGINNINGS: &[&str] = &[
    "and",
    "but",
    "or",
    "because",
    "that",
    "which",
    "who",
    "where",
    "when",
    "while",
    "if",
    "so",
    "since",
    "although",
    "with",
    "without",
    "for",
    "from",
    "in",
    "on",
    "at",
    "by",
    "about",
    "after",
    "before",
    "between",
    "through",
    "during",
    "и",
    "а",
    "но",
    "или",
    "что",
    "чтобы",
    "который",
    "которая",
    "которое",
    "которые",
    "потому",
    "если",
    "когда",
    "где",
    "пока",
    "хотя",
    "поэтому",
    "в",
    "на",
    "с",
    "для",
    "без",
    "после",
    "перед",
    "из",
];

/// Words after which none is: they belong to what follows.
const HOLDING: &[&str] = &[
    "a",
    "an",
    "the",
    "this",
    "that",
    "these",
    "those",
    "my",
    "your",
    "his",
    "her",
    "its",
    "our",
    "their",
    "no",
    "not",
    "very",
    "to",
    "of",
    "in",
    "on",
    "at",
    "by",
    "for",
    "from",
    "with",
    "and",
    "or",
    "but",
    "is",
    "are",
    "was",
    "were",
    "be",
    "as",
    "than",
    "not",
    "so",
    "и",
    "а",
    "но",
    "не",
    "ни",
    "в",
    "на",
    "с",
    "к",
    "по",
    "из",
    "о",
    "об",
    "от",
    "до",
    "у",
    "за",
    "для",
    "это",
    "как",
    "около",
    "более",
    "менее",
];

/// `text` ends with a word, after which a space has come. Where to cut before the word that stands before that one: the
/// byte where it begins. One word more is waited for, so that no "with it." is torn off.
pub(super) fn end(text: &str) -> Option<usize> {
    let (text, more) = last_word(text)?;
    let (head, word) = last_word(text.trim_end())?;
    let at = head.len();
    let head = head.trim_end();
    if !BEGINNINGS.contains(&word) || !more.ends_with(char::is_alphanumeric) || head.contains('\n') {
        return None;
    }
    let (_, last) = last_word(head)?;
    let long = head.split_whitespace().count() >= MIN_WORDS && head.trim_start().chars().count() >= MIN_CHARS;
    let free = last.ends_with(char::is_alphabetic) && !HOLDING.contains(&last.to_lowercase().as_str());
    (long && free).then_some(at)
}

/// What is before the last word, with the space between, and the word.
fn last_word(text: &str) -> Option<(&str, &str)> {
    let (space, c) = text.char_indices().rev().find(|(_, c)| c.is_whitespace())?;
    Some(text.split_at(space + c.len_utf8()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_ends_where_a_speaker_might_breathe() {
        let cut = |text: &str| end(text).map(|at| text[..at].trim_end().to_owned());
        assert_eq!(cut("The weather today is sunny with a").as_deref(), Some("The weather today is sunny"));
        assert_eq!(cut("Сегодня очень хорошая погода и тепло").as_deref(), Some("Сегодня очень хорошая погода"));
        for whole in [
            "The weather with a",
            "The weather today is sunny with",
            "The weather today is sunny with that.",
            "I would like to talk to you of it",
            "We will certainly need about 5 in all",
            "I think that we shall go on in the",
            "The weather is certainly on the way",
        ] {
            assert_eq!(cut(whole), None, "{whole}");
        }
    }
}
