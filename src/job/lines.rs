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
    for (at, word) in transcript.words.iter().enumerate() {
        open.push(word.clone());
        if transcript.words.get(at + 1).is_none_or(|next| ends(&open, next)) {
            segments.push(segment(std::mem::take(&mut open)));
        }
    }
    segments
}

fn segment(words: Vec<Word>) -> Segment {
    // Each word has the space before it.
    let text: String = words.iter().map(|word| word.text.as_str()).collect();
    let (start_ms, end_ms) =
        (words.first().map_or(0, |word| word.start_ms), words.last().map_or(0, |word| word.end_ms));
    Segment { start_ms, end_ms: end_ms.max(start_ms), text: text.trim().to_owned(), words }
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
        let text = words.iter().map(|word| word.text.as_str()).collect::<String>().trim().to_owned();
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
            (" It", 100, 200),
            (" costs", 200, 400),
            (" 3.5", 400, 700),
            (" million.", 700, 1_000),
            (" \"Dear!\"", 1_100, 1_300),
            (" said", 1_300, 1_500),
            (" he", 1_500, 1_600),
            (" and", 2_600, 2_800),
            (" left", 2_800, 3_000),
        ];
        let expected =
            [("It costs 3.5 million.", 100, 1_000), ("\"Dear!\" said he", 1_100, 1_600), ("and left", 2_600, 3_000)];
        assert_eq!(texts(&words), expected.map(|(text, start, end)| (text.to_owned(), start, end)));
    }

    #[test]
    fn no_segment_goes_on_for_ever() {
        let words: Vec<_> = (0..300).map(|n| (" word", n * 100, n * 100 + 100)).collect();
        let cut = texts(&words);
        assert_eq!(cut.len(), 2);
        let all: String = cut.iter().map(|(text, ..)| format!(" {text}")).collect();
        assert_eq!(all, heard(&words).transcript.words.iter().map(|word| word.text.as_str()).collect::<String>());
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
