//! What can be fetched: Whisper models of whisper.cpp, Piper voices, and chat models worth suggesting. The facts are in
//! the tables beside this file, as their makers publish them.

use std::{path::PathBuf, sync::OnceLock};

use super::{
    digest::Published,
    recipes::{self, Recipe},
};
use crate::engine::models::ModelKind;

const WHISPER: &str = include_str!("whisper.tsv");
const VOICES: &str = include_str!("voices.tsv");
const CHAT: &str = include_str!("chat.tsv");

/// Terms that come with the program, so that they can be read where the hub cannot be reached.
const TERMS: [(&str, &str); 1] = [("en_US-joe-medium", include_str!("cards/en_US-joe-medium.txt"))];

/// Where they lie below `HF_ENDPOINT`.
const WHISPER_BASE: &str = "ggerganov/whisper.cpp/resolve/main/";
const VOICES_BASE: &str = "rhasspy/piper-voices/resolve/v1.0.0/";

/// What stands before the name of a chat model that Ollama fetches.
pub const OLLAMA: &str = "ollama:";

/// A model that can be fetched as files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// [`ModelKind::Asr`] or [`ModelKind::Tts`].
    pub kind: ModelKind,
    /// As it is asked for: `base.en`, `ru_RU-irina-medium`.
    pub name: &'static str,
    /// Language and country as its makers write them (`ru_RU`, `en`); `None`: many languages.
    pub language: Option<&'static str>,
    /// Of a voice: `x_low`, `low`, `medium`, `high`.
    pub quality: Option<&'static str>,
    /// Of a voice: how many people it can sound like.
    pub speakers: u32,
    pub licence: Licence,
    /// In the order in which they are put in place: what makes the model seen comes last.
    pub files: Vec<RemoteFile>,
    /// How it is made where the hub cannot be reached.
    pub recipes: Vec<Recipe>,
}

impl Entry {
    /// All its bytes, at least about.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size.bytes()).sum()
    }

    /// The ISO 639-1 code of its language; `None`: many.
    #[must_use]
    pub fn spoken(&self) -> Option<&'static str> {
        self.language.map(|tag| tag.split('_').next().unwrap_or(tag))
    }
}

/// Under which terms it may be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Licence {
    Named(&'static str),
    /// A text that lies there, below the hub's address.
    Card {
        source: String,
        /// The same, where the program brings it.
        text: Option<&'static str>,
    },
}

/// A file of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemoteFile {
    /// Where it is, below the hub's address.
    pub source: String,
    /// Where it belongs, below the models folder.
    pub place: PathBuf,
    pub size: Size,
    /// What its makers say it must be. `None`: the hub says it with the file.
    pub digest: Option<Published>,
}

/// How long a file is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    Exact(u64),
    About(u64),
}

impl Size {
    #[must_use]
    pub const fn bytes(self) -> u64 {
        match self {
            Self::Exact(bytes) | Self::About(bytes) => bytes,
        }
    }
}

/// A chat model worth suggesting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Suggestion {
    /// As Ollama knows it.
    pub name: &'static str,
    pub about_bytes: u64,
    pub licence: &'static str,
}

/// Everything that can be fetched as files: Whisper's by size, then voices by name.
#[must_use]
pub fn entries() -> &'static [Entry] {
    static ENTRIES: OnceLock<Vec<Entry>> = OnceLock::new();
    ENTRIES.get_or_init(|| rows(WHISPER).filter_map(whisper).chain(voices()).collect())
}

/// The chat models worth suggesting, smallest first.
#[must_use]
pub fn suggestions() -> &'static [Suggestion] {
    static SUGGESTIONS: OnceLock<Vec<Suggestion>> = OnceLock::new();
    SUGGESTIONS.get_or_init(|| rows(CHAT).filter_map(suggestion).collect())
}

/// At most three names that look like `name`, the likest first.
#[must_use]
pub fn closest(name: &str) -> Vec<&'static str> {
    // Nobody means a model by a name that long.
    let name: String = name.chars().take(64).collect::<String>().to_lowercase();
    let mut near: Vec<(usize, &'static str)> = entries()
        .iter()
        .filter_map(|entry| {
            let known = entry.name.to_lowercase();
            let apart = distance(&name, &known);
            let part = name.chars().count() >= 3 && known.contains(&name);
            (part || apart <= (name.chars().count() / 3).max(1)).then_some((apart, entry.name))
        })
        .collect();
    near.sort_by_key(|(apart, _)| *apart);
    near.into_iter().take(3).map(|(_, name)| name).collect()
}

/// How many letters must be put in, left out or changed to make `b` of `a`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, letter) in a.chars().enumerate() {
        let mut corner = i;
        let mut left = i + 1;
        for (other, above) in b.iter().zip(row.iter_mut().skip(1)) {
            let change = corner + usize::from(letter != *other);
            corner = *above;
            left = change.min(left + 1).min(*above + 1);
            *above = left;
        }
        row[0] = i + 1;
    }
    row.last().copied().unwrap_or_default()
}

/// The rows of a table, without its head.
pub(super) fn rows(table: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    table.lines().skip(1).filter(|line| !line.is_empty()).map(|line| line.split('\t').collect())
}

fn whisper(row: Vec<&'static str>) -> Option<Entry> {
    let &[name, languages, bytes, sha1] = row.as_slice() else { return None };
    let file = format!("ggml-{name}.bin");
    Some(Entry {
        kind: ModelKind::Asr,
        name,
        language: (languages != "many").then_some(languages),
        quality: None,
        speakers: 0,
        licence: Licence::Named("MIT"),
        files: vec![RemoteFile {
            source: format!("{WHISPER_BASE}{file}"),
            place: PathBuf::from(file),
            size: Size::About(bytes.parse().ok()?),
            digest: (sha1 != "-").then_some(Published::Sha1(sha1)),
        }],
        recipes: recipes::of(name),
    })
}

/// A voice has two rows, one for each of its files.
fn voices() -> Vec<Entry> {
    let mut voices: Vec<Entry> = Vec::new();
    for row in rows(VOICES) {
        let &[name, language, quality, speakers, path, bytes, md5] = row.as_slice() else { continue };
        let (Ok(bytes), Some((folder, file))) = (bytes.parse(), path.rsplit_once('/')) else { continue };
        let file = RemoteFile {
            source: format!("{VOICES_BASE}{path}"),
            place: PathBuf::from("piper").join(file),
            size: Size::Exact(bytes),
            digest: Some(Published::Md5(md5)),
        };
        if let Some(voice) = voices.last_mut().filter(|voice| voice.name == name) {
            // The description first: a voice is seen when its `.onnx` is there.
            voice.files.insert(0, file);
            continue;
        }
        voices.push(Entry {
            kind: ModelKind::Tts,
            name,
            language: Some(language),
            quality: Some(quality),
            speakers: speakers.parse().unwrap_or(1),
            licence: Licence::Card {
                source: format!("{VOICES_BASE}{folder}/MODEL_CARD"),
                text: TERMS.iter().find(|(voice, _)| *voice == name).map(|(_, text)| *text),
            },
            files: vec![file],
            recipes: recipes::of(name),
        });
    }
    voices
}

fn suggestion(row: Vec<&'static str>) -> Option<Suggestion> {
    let &[name, bytes, licence] = row.as_slice() else { return None };
    Some(Suggestion { name, about_bytes: bytes.parse().ok()?, licence })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn find(name: &str) -> Option<&'static Entry> {
        entries().iter().find(|entry| entry.name == name)
    }

    #[test]
    fn every_row_of_the_tables_becomes_an_entry() {
        let whisper = WHISPER.lines().count() - 1;
        let voices = (VOICES.lines().count() - 1) / 2;
        assert_eq!(entries().len(), whisper + voices);
        assert_eq!(suggestions().len(), CHAT.lines().count() - 1);
        let names: HashSet<_> = entries().iter().map(|entry| entry.name).collect();
        assert_eq!(names.len(), entries().len(), "names are asked for alone");
        for entry in entries() {
            assert!(entry.bytes() > 1_000_000, "{}", entry.name);
            for file in &entry.files {
                assert!(file.place.is_relative() && !file.source.contains(".."), "{file:?}");
                assert!(file.digest.is_none_or(super::super::digest::Published::is_well_formed), "{file:?}");
            }
        }
    }

    #[test]
    fn a_voice_is_seen_last_and_has_its_card_beside_it() {
        let irina = find("ru_RU-irina-medium").expect("it is in the table");
        assert_eq!((irina.spoken(), irina.quality), (Some("ru"), Some("medium")));
        let places: Vec<_> = irina.files.iter().map(|file| file.place.to_str().expect("plain")).collect();
        assert_eq!(places, ["piper/ru_RU-irina-medium.onnx.json", "piper/ru_RU-irina-medium.onnx"]);
        let Licence::Card { source, text: None } = &irina.licence else { panic!("{:?}", irina.licence) };
        assert_eq!(source, "rhasspy/piper-voices/resolve/v1.0.0/ru/ru_RU/irina/medium/MODEL_CARD");
    }

    #[test]
    fn a_mistyped_name_is_recognised() {
        assert_eq!(closest("base.n").first(), Some(&"base.en"));
        assert_eq!(closest("ru_RU-irena-medium").first(), Some(&"ru_RU-irina-medium"));
        assert!(closest("irina").contains(&"ru_RU-irina-medium"));
        assert!(closest("nothing like it").is_empty());
        assert!(closest("").is_empty() && closest(&"x".repeat(100_000)).is_empty());
    }
}
