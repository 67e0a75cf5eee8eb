//! espeak-ng's list of voices, under names people can read and languages the rest of the house uses.

use std::{fs, path::Path};

/// One voice of espeak-ng.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Voice {
    /// Its language tag, in lower case: `en-us`, `ru`.
    pub id: String,
    /// "English (America)".
    pub name: String,
    /// ISO 639-1 where there is one.
    pub language: String,
    /// What espeak-ng loads it by: `gmw/en-US`.
    pub file: String,
}

/// What espeak-ng says of a voice, made ours. `None` for MBROLA voices, whose data is not ours to find.
pub(super) fn voice(name: &str, tag: &str, file: &str) -> Option<Voice> {
    if tag.is_empty() || file.starts_with("mb/") || file.starts_with("!v") {
        return None;
    }
    let id = tag.to_ascii_lowercase();
    Some(Voice { name: name.replace('_', " "), language: iso639_1(&id).to_owned(), id, file: file.to_owned() })
}

/// Whether the dictionary `voice` speaks with is there; some voices are listed whose language was never finished.
pub(super) fn has_dictionary(voice: &Voice, data: &Path) -> bool {
    let definition = fs::read_to_string(data.join("lang").join(&voice.file)).unwrap_or_default();
    let named = definition.lines().find_map(|line| line.trim().strip_prefix("dictionary"));
    let language = voice.id.split('-').next().unwrap_or_default();
    let name = named.and_then(|rest| rest.split_whitespace().next()).unwrap_or(language);
    data.join(format!("{name}_dict")).is_file()
}

/// The voice called `name`: its tag (`en-US`, `en_us`), whatever the case.
pub(super) fn named<'a>(voices: &'a [Voice], name: &str) -> Option<&'a Voice> {
    let tag = name.trim().replace('_', "-");
    voices
        .iter()
        .find(|voice| voice.id.eq_ignore_ascii_case(&tag))
        .or_else(|| voices.iter().find(|voice| last_part(&voice.file).eq_ignore_ascii_case(&tag)))
}

/// The voice for an ISO 639-1 `language`, or a longer tag: `preferred` if it speaks it, else the usual one.
pub(super) fn for_language<'a>(voices: &'a [Voice], language: &str, preferred: &str) -> Option<&'a Voice> {
    let tag = language.trim().to_ascii_lowercase().replace('_', "-");
    if tag.contains('-')
        && let Some(exact) = named(voices, &tag)
    {
        return Some(exact);
    }
    let short = iso639_1(&tag);
    let usual = match short {
        "en" => "en-us",
        "fr" => "fr-fr",
        "zh" => "cmn",
        other => other,
    };
    let speaks = |voice: &&Voice| voice.language == short;
    voices
        .iter()
        .filter(speaks)
        .find(|voice| voice.id == preferred)
        .or_else(|| voices.iter().filter(speaks).find(|voice| voice.id == usual))
        .or_else(|| voices.iter().find(speaks))
}

/// The two-letter language of a tag; tags whose language has only three letters keep them.
fn iso639_1(tag: &str) -> &str {
    match tag.split('-').next().unwrap_or(tag) {
        "cmn" => "zh",
        "nb" => "no",
        first => first,
    }
}

fn last_part(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn some() -> Vec<Voice> {
        [
            ("English_(Great_Britain)", "en-gb", "gmw/en"),
            ("English_(America)", "en-us", "gmw/en-US"),
            ("French_(Belgium)", "fr-be", "roa/fr-BE"),
            ("French_(France)", "fr-fr", "roa/fr"),
            ("Chinese_(Mandarin,_latin_as_English)", "cmn", "sit/cmn"),
            ("Norwegian_Bokmål", "nb", "gmq/nb"),
            ("Cherokee_", "chr-US-Qaaa-x-west", "iro/chr"),
        ]
        .into_iter()
        .filter_map(|(name, tag, file)| voice(name, tag, file))
        .collect()
    }

    #[test]
    fn a_language_gets_its_usual_voice_unless_another_is_preferred() {
        let voices = some();
        let of = |language, preferred| for_language(&voices, language, preferred).map(|voice| voice.id.as_str());
        assert_eq!(of("en", "fr-be"), Some("en-us"));
        assert_eq!(of("en", "en-gb"), Some("en-gb"));
        assert_eq!(of("EN-gb", "en-us"), Some("en-gb"));
        assert_eq!(of("fr", "en-us"), Some("fr-fr"));
        assert_eq!(of("zh", "en-us"), Some("cmn"));
        assert_eq!(of("no", "en-us"), Some("nb"));
        assert_eq!(of("xx", "en-us"), None);
    }

    #[test]
    fn names_are_found_in_any_spelling() {
        let voices = some();
        assert_eq!(named(&voices, "en_US").map(|voice| voice.name.as_str()), Some("English (America)"));
        assert_eq!(named(&voices, "fr").map(|voice| voice.id.as_str()), Some("fr-fr"), "espeak-ng's file name");
        assert_eq!(named(&voices, "alloy"), None);
        assert_eq!(voice("mbrola", "en", "mb/mb-en1"), None);
    }
}
