//! The words a Whisper model writes, as bytes: out of `tokenizer.json`, where bytes that cannot be printed have letters
//! standing for them.

use std::{collections::HashMap, fs, path::Path};

use serde::Deserialize;

use super::{ConvertError, input};

/// Ordinary tokens in every Whisper model; the special ones above them whisper.cpp makes itself.
const ORDINARY: u32 = 50_257;
/// Tokens of a model of many languages, at least; English ones have fewer.
const MANY_LANGUAGES: u32 = 51_865;
/// The largest known file is a tenth of this.
const MAX_BYTES: u64 = 32 << 20;

#[derive(Deserialize)]
struct Tokenizer {
    model: Model,
}

#[derive(Deserialize)]
struct Model {
    vocab: HashMap<String, u32>,
}

/// The ordinary tokens by their number.
pub fn tokens(path: &Path, vocabulary: u32) -> Result<Vec<Vec<u8>>, ConvertError> {
    if fs::metadata(path)?.len() > MAX_BYTES {
        return Err(input("tokenizer.json is far too long"));
    }
    let tokenizer: Tokenizer = serde_json::from_slice(&fs::read(path)?)
        .map_err(|error| input(format!("tokenizer.json is not one of Hugging Face's: {error}")))?;
    let mut words: HashMap<u32, &str> =
        tokenizer.model.vocab.iter().map(|(word, number)| (*number, word.as_str())).collect();
    // The last one: the end of a text in English models, nothing in those of many languages.
    if vocabulary < MANY_LANGUAGES {
        words.insert(ORDINARY - 1, "<|endoftext|>");
    }
    let bytes = stand_ins();
    (0..ORDINARY)
        .map(|number| {
            let word = words.get(&number).copied().unwrap_or_default();
            if word.is_empty() && number != ORDINARY - 1 {
                return Err(input(format!("tokenizer.json has no token {number}")));
            }
            let known = |letter| bytes.get(&letter).copied();
            let word: Option<Vec<u8>> = word.chars().map(known).collect();
            word.ok_or_else(|| input(format!("token {number} has a letter that stands for no byte")))
        })
        .collect()
}

/// Which letter stands for which byte, as GPT-2 has it: printable ones for themselves, the others for 256 and on.
fn stand_ins() -> HashMap<char, u8> {
    let printable = |byte: &u8| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let hidden = (0..=255u8).filter(|byte| !printable(byte));
    let spare = (256..).filter_map(char::from_u32);
    (0..=255u8).filter(printable).map(|byte| (char::from(byte), byte)).chain(spare.zip(hidden)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_stand_for_the_bytes_of_gpt_2() {
        let bytes = stand_ins();
        assert_eq!(bytes.len(), 256);
        for (letter, byte) in [('Ġ', b' '), ('Ċ', b'\n'), ('a', b'a'), ('ł', 0xa0), ('Ń', 0xad)] {
            assert_eq!(bytes.get(&letter), Some(&byte), "{letter}");
        }
    }
}
