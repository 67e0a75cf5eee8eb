//! Cuts what was heard in a piece of up to half a minute into segments of a sentence.

use super::outcome::Segment;
use crate::{conversation::offline::Heard, model::Word};

/// A pause that ends a segment, in milliseconds.
const PAUSE: u32 = 800;
/// A segment longer than this ends at the next comma, in milliseconds.
const LONG: u32 = 10_000;
/// A segment longer than this ends at the next word.
const TOO_LONG: u32 = 20_000;

/// The segments of `heard`, with their words where those are known.
pub fn segments(heard: &Heard) -> Vec<Segment> {
    let transcript = &heard.transcript;
    if transcript.text.is_empty() {
        return vec![];
    }
    if transcript.words.is_empty() {
        let text = transcript.text.clone();
        return vec![Segment { start_ms: heard.start_ms, end_ms: heard.end_ms, text, words: vec![] }];
    }
    let mut segments = vec![];
    let mut open: Vec<Word> = vec![];
    let mut rest = transcript.text.as_str();
    for (at, word) in transcript.words.iter().enumerate() {
        open.push(word.clone());
        let next = transcript.words.get(at + 1);
        if next.is_none_or(|next| ends(&open, next)) {
            let words = std::mem::take(&mut open);
            let text =
                if next.is_some() { text_of(&words, &mut rest) } else { std::mem::take(&mut rest).trim().to_owned() };
            segments.push(segment(words, text));
        }
    }
    segments
}

/// The text of `words` as it stands at the beginning of `rest`, which it is taken from: only the text knows where there
/// are spaces between words.
fn text_of(words: &[Word], rest: &mut &str) -> String {
    let mut end = 0;
    for word in words.iter().map(|word| word.text.trim()) {
        match rest[end..].find(word) {
            Some(at) => end += at + word.len(),
            // The recogniser's words are not those of its text.
            None => return words.iter().map(|word| word.text.trim()).collect::<Vec<_>>().join(" "),
        }
    }
    let (text, later) = rest.split_at(end);
    *rest = later;
    text.trim().to_owned()
}

fn segment(words: Vec<Word>, text: String) -> Segment {
    let (start_ms, end_ms) =
        (words.first().map_or(0, |word| word.start_ms), words.last().map_or(0, |word| word.end_ms));
    Segment { start_ms, end_ms: end_ms.max(start_ms), text, words }
}

/// Whether a segment of the words in `open` ends before `next`.
fn ends(open: &[Word], next: &Word) -> bool {
    let (Some(first), Some(last)) = (open.first(), open.last()) else { return false };
    let length = last.end_ms.saturating_sub(first.start_ms);
    let mark = last.text.trim_end_matches(['"', '\'', '”', '»', '’', ')', ']']).chars().next_back();
    let goes_on = next.text.trim_start().starts_with(char::is_lowercase);
    match mark {
        Some('。' | '！' | '？') => true,
        Some('.' | '!' | '?' | '…') if !goes_on => true,
        Some(',' | ';' | ':' | '、' | '，' | '；') if length > LONG => true,
        _ => length > TOO_LONG || next.start_ms.saturating_sub(last.end_ms) >= PAUSE,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Transcript;

    fn heard(words: &[(&str, u32, u32)]) -> Heard {
        let words: Vec<Word> = words
            .iter()
            .map(|(text, start_ms, end_ms)| Word {
                text: (*text).into(),
                start_ms: *start_ms,
                end_ms: *end_ms,
                probability: 1.0,
            })
            .collect();
        let text = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
        let transcript = Transcript { text, words, ..Transcript::default() };
        Heard { start_ms: 0, end_ms: 30_000, transcript, done: 1.0 }
    }

    fn texts(words: &[(&str, u32, u32)]) -> Vec<(String, u32, u32)> {
        let segments = segments(&heard(words));
        segments.into_iter().map(|segment| (segment.text, segment.start_ms, segment.end_ms)).collect()
    }

    #[test]
    fn sentences_and_pauses_are_cut_at() {
        let words = [
            ("It", 100, 200),
            ("costs", 200, 400),
            ("3.5", 400, 700),
            ("million.", 700, 1_000),
            ("\"Dear!\"", 1_100, 1_300),
            ("said", 1_300, 1_500),
            ("he", 1_500, 1_600),
            ("and", 2_600, 2_800),
            ("left", 2_800, 3_000),
        ];
        let expected =
            [("It costs 3.5 million.", 100, 1_000), ("\"Dear!\" said he", 1_100, 1_600), ("and left", 2_600, 3_000)];
        assert_eq!(texts(&words), expected.map(|(text, start, end)| (text.to_owned(), start, end)));
    }

    #[test]
    fn no_segment_goes_on_for_ever() {
        let words: Vec<_> = (0..300).map(|n| ("word", n * 100, n * 100 + 100)).collect();
        let cut = texts(&words);
        assert_eq!(cut.len(), 2);
        let all: Vec<&str> = cut.iter().map(|(text, ..)| text.as_str()).collect();
        assert_eq!(all.join(" "), heard(&words).transcript.text);
    }

    #[test]
    fn spaces_are_where_the_text_has_them() {
        let word =
            |text: &str, start_ms| Word { text: text.into(), start_ms, end_ms: start_ms + 100, probability: 1.0 };
        let words = vec![word("今", 0), word("日", 100), word("は。", 200), word("Yes", 300), word("yes.", 400)];
        let transcript = Transcript { text: "今日は。Yes yes.".into(), words, ..Transcript::default() };
        let segments = segments(&Heard { start_ms: 0, end_ms: 900, transcript, done: 1.0 });
        assert_eq!(segments.iter().map(|segment| segment.text.as_str()).collect::<Vec<_>>(), ["今日は。", "Yes yes."]);
    }

    #[test]
    fn without_word_times_a_piece_is_one_segment() {
        let transcript = Transcript { text: "One. Two.".into(), ..Transcript::default() };
        let heard = Heard { start_ms: 500, end_ms: 900, transcript, done: 1.0 };
        let segments = segments(&heard);
        assert_eq!(segments, [Segment { start_ms: 500, end_ms: 900, text: "One. Two.".into(), words: vec![] }]);
        assert!(super::segments(&Heard { transcript: Transcript::default(), ..heard }).is_empty());
    }
}
