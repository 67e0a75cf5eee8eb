//! Tokens to words.

use super::remarks;
use crate::model::Word;

/// A token of text as whisper.cpp gives it.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece {
    /// May be part of a UTF-8 character.
    pub bytes: Vec<u8>,
    pub probability: f32,
    /// Where the token ends in the audio, if known.
    pub end_ms: Option<u32>,
}

/// Joins tokens to words, without what is not speech: `[BLANK_AUDIO]`, `(music)`, `*coughs*`, notes.
///
/// Each word keeps the space before it, so that joining them gives the text in any script; a word begins at a space,
/// and in scripts without spaces at each character. Times are 0 where tokens have none.
pub fn words(pieces: &[Piece]) -> Vec<Word> {
    let mut words: Vec<Word> = Vec::new();
    let mut pending: Vec<u8> = Vec::new();
    let (mut probability, mut end_ms) = (1.0_f32, 0);
    for piece in pieces {
        pending.extend_from_slice(&piece.bytes);
        probability = probability.min(piece.probability);
        end_ms = end_ms.max(piece.end_ms.unwrap_or(0));
        // A character cut in two by the tokens waits for its other half.
        let Ok(text) = std::str::from_utf8(&pending) else { continue };
        add(&mut words, text, probability, end_ms);
        pending.clear();
        probability = 1.0;
    }
    // A decoder stopped in the middle of a character leaves a rest that is no text.
    without_remarks(words)
}

/// The text of `words` as written.
pub fn join(words: &[Word]) -> String {
    let text: String = words.iter().map(|word| word.text.as_str()).collect();
    text.trim().to_owned()
}

fn add(words: &mut Vec<Word>, text: &str, probability: f32, end_ms: u32) {
    for (at, c) in text.char_indices() {
        let fresh = c.is_whitespace() || spaceless(c) || words.is_empty();
        let start_ms = words.last().map_or(0, |word| word.end_ms);
        match words.last_mut() {
            // After a lone space the word itself follows.
            Some(word) if !fresh || (word.text.trim().is_empty() && !c.is_whitespace()) => {
                word.text.push(c);
                // Punctuation says nothing of where or how surely the word was heard.
                if c.is_alphanumeric() {
                    word.end_ms = word.end_ms.max(end_ms);
                    word.probability = word.probability.min(probability);
                }
            }
            _ => words.push(Word {
                text: c.to_string(),
                start_ms,
                end_ms: if text[at..].chars().any(char::is_alphanumeric) { end_ms } else { start_ms },
                probability,
            }),
        }
    }
}

/// Chinese, Japanese, Thai, Lao, Burmese, Khmer: written without spaces between words.
fn spaceless(c: char) -> bool {
    matches!(c, '\u{0e00}'..='\u{0eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}'
        | '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{20000}'..='\u{3ffff}')
}

/// Drops remarks, speaker marks and words without a letter or digit.
fn without_remarks(words: Vec<Word>) -> Vec<Word> {
    let chars: Vec<char> = words.iter().flat_map(|word| word.text.chars()).collect();
    let mut masked = remarks::mask(&chars).into_iter();
    let mut kept: Vec<Word> = Vec::with_capacity(words.len());
    for mut word in words {
        let dictated = |c: char| !matches!(c, '♪' | '♫');
        word.text = word.text.chars().filter(|c| !masked.next().unwrap_or(false) && dictated(*c)).collect();
        word.text = word.text.replace(">>", "");
        let mark = word.text.trim();
        if mark.chars().any(char::is_alphanumeric) {
            kept.push(word);
        } else if let (Some(last), 1) = (kept.last_mut(), mark.chars().count()) {
            // A mark that stands alone, as in French before "?" or in a formula, stays with its word; a dash only there.
            let dash = mark.starts_with(['-', '–', '—']);
            if !dash || last.text.ends_with(|c: char| c.is_ascii_digit()) {
                last.text.push_str(&word.text);
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(text: &str, end_ms: u32) -> Piece {
        Piece { bytes: text.as_bytes().to_vec(), probability: 0.9, end_ms: Some(end_ms) }
    }

    fn text_of(tokens: &[&str]) -> String {
        join(&words(&tokens.iter().map(|token| piece(token, 0)).collect::<Vec<_>>()))
    }

    #[test]
    fn tokens_become_words_with_times() {
        let words = words(&[piece(" Good", 300), piece(" mor", 420), piece("ning", 700), piece(".", 800)]);
        let seen: Vec<_> = words.iter().map(|w| (w.text.as_str(), w.start_ms, w.end_ms)).collect();
        assert_eq!(seen, [(" Good", 0, 300), (" morning.", 300, 700)]);
    }

    #[test]
    fn remarks_and_lone_marks_are_not_text() {
        for silence in [
            &[" [BLANK_AUDIO]"][..],
            &[" [", "BL", "ANK", "_AUDIO", "]"],
            &["."],
            &[" ("],
            &[" (soft", " music)"],
            &["♪"],
            &[" ...", " -"],
        ] {
            assert_eq!(text_of(silence), "", "{silence:?}");
        }
        assert_eq!(text_of(&[" Hello", " [", "noise", "]", " there", "."]), "Hello there.");
        assert_eq!(text_of(&[" Ça", " va", " ?"]), "Ça va ?");
        assert_eq!(text_of(&[" don", "'t"]), "don't");
    }

    #[test]
    fn characters_cut_in_two_are_joined() {
        let bytes = " при".as_bytes();
        let pieces: Vec<Piece> =
            bytes.chunks(3).map(|part| Piece { bytes: part.to_vec(), probability: 1.0, end_ms: None }).collect();
        assert_eq!(join(&words(&pieces)), "при");
        assert_eq!(words(&pieces[..2]).len(), 1);
    }

    #[test]
    fn scripts_without_spaces_have_words_by_character() {
        let words = words(&[piece("今日", 200), piece("は", 300), piece("。", 300)]);
        assert_eq!(words.iter().map(|w| w.text.as_str()).collect::<Vec<_>>(), ["今", "日", "は。"]);
        assert_eq!(join(&words), "今日は。");
    }
}
