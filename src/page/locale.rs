//! The words people read: one file for each language, the same ones that the scripts in the browser read.
//!
//! `static/locales/*.json` holds every text by its key. A text may have plural forms (`one`, `few`, `many`, `other`) and
//! placeholders in braces.

use std::{collections::HashMap, sync::LazyLock};

use axum::http::{HeaderMap, header};
use intl_pluralrules::{PluralCategory, PluralRuleType, PluralRules};
use serde::Deserialize;
use unic_langid::LanguageIdentifier;

use crate::store::User;

/// A language the pages speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    English,
    Russian,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Text(String),
    Forms(HashMap<String, String>),
}

type Texts = HashMap<String, Entry>;

static ENGLISH: LazyLock<Texts> = LazyLock::new(|| texts(include_str!("../../static/locales/en.json")));
static RUSSIAN: LazyLock<Texts> = LazyLock::new(|| texts(include_str!("../../static/locales/ru.json")));

impl Language {
    pub const ALL: [Self; 2] = [Self::English, Self::Russian];

    /// ISO 639-1.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Russian => "ru",
        }
    }

    /// The language of a tag such as `ru` or `ru-RU`.
    #[must_use]
    pub fn from_tag(tag: &str) -> Option<Self> {
        let primary = tag.split(['-', '_']).next().unwrap_or_default();
        Self::ALL.into_iter().find(|language| primary.eq_ignore_ascii_case(language.code()))
    }

    /// The reader's language: what they set in their account, else the cookie `lang`, else what the browser asks for,
    /// else English.
    #[must_use]
    pub fn of(headers: &HeaderMap, user: Option<&User>) -> Self {
        user.and_then(|user| user.language.as_deref())
            .and_then(Self::from_tag)
            .or_else(|| cookie(headers, "lang").and_then(Self::from_tag))
            .or_else(|| accepted(headers))
            .unwrap_or(Self::English)
    }

    /// The text with this key; the key itself where there is none.
    #[must_use]
    pub fn text(self, key: &str) -> &str {
        match self.texts().get(key) {
            Some(Entry::Text(text)) => text,
            _ => key,
        }
    }

    /// Whether there is a text with this key.
    #[must_use]
    pub fn has(self, key: &str) -> bool {
        self.texts().contains_key(key)
    }

    /// The form of the text that goes with the number, which stands where it has `{n}`.
    #[must_use]
    pub fn count(self, key: &str, n: u32) -> String {
        let form = match self.texts().get(key) {
            Some(Entry::Forms(forms)) => forms.get(self.category(n)).or_else(|| forms.get("other")),
            Some(Entry::Text(text)) => Some(text),
            None => None,
        };
        form.map_or_else(|| key.to_owned(), |text| text.replace("{n}", &n.to_string()))
    }

    fn category(self, n: u32) -> &'static str {
        let language: Result<LanguageIdentifier, _> = self.code().parse();
        let rules = language.ok().and_then(|language| PluralRules::create(language, PluralRuleType::CARDINAL).ok());
        match rules.and_then(|rules| rules.select(n).ok()) {
            Some(PluralCategory::ZERO) => "zero",
            Some(PluralCategory::ONE) => "one",
            Some(PluralCategory::TWO) => "two",
            Some(PluralCategory::FEW) => "few",
            Some(PluralCategory::MANY) => "many",
            Some(PluralCategory::OTHER) | None => "other",
        }
    }

    fn texts(self) -> &'static Texts {
        match self {
            Self::English => &ENGLISH,
            Self::Russian => &RUSSIAN,
        }
    }
}

fn texts(json: &str) -> Texts {
    // A test reads both files; a broken one never leaves the workshop.
    serde_json::from_str(json).unwrap_or_default()
}

/// The value of a cookie.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

/// The first of the known languages that `Accept-Language` weighs most.
fn accepted(headers: &HeaderMap) -> Option<Language> {
    let mut best: Option<(f32, Language)> = None;
    let lines = headers.get_all(header::ACCEPT_LANGUAGE).iter().filter_map(|line| line.to_str().ok());
    for part in lines.flat_map(|line| line.split(',')) {
        let (tag, quality) = part.split_once(";q=").unwrap_or((part, "1"));
        let quality: f32 = quality.trim().parse().unwrap_or(0.0);
        if let Some(language) = Language::from_tag(tag.trim())
            && quality > best.map_or(0.0, |(known, _)| known)
        {
            best = Some((quality, language));
        }
    }
    best.map(|(_, language)| language)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn headers(fields: &[(header::HeaderName, &str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (name.clone(), value.parse().expect("ASCII"))).collect()
    }

    #[test]
    fn the_browser_asks_and_a_cookie_knows_better() {
        let of = |fields: &[(header::HeaderName, &str)]| Language::of(&headers(fields), None);
        assert_eq!(of(&[]), Language::English);
        assert_eq!(of(&[(header::ACCEPT_LANGUAGE, "ru-RU,ru;q=0.9,en;q=0.8")]), Language::Russian);
        assert_eq!(of(&[(header::ACCEPT_LANGUAGE, "de, en;q=0.7, ru;q=0.3")]), Language::English);
        assert_eq!(of(&[(header::ACCEPT_LANGUAGE, "fr, ru;q=nonsense")]), Language::English);
        assert_eq!(of(&[(header::ACCEPT_LANGUAGE, "en"), (header::COOKIE, "a=b; lang=ru")]), Language::Russian);
        assert_eq!(of(&[(header::ACCEPT_LANGUAGE, "ru"), (header::COOKIE, "lang=xx")]), Language::Russian);
    }

    /// The placeholders of a text.
    fn holes(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
    }

    fn described(language: Language) -> BTreeMap<&'static str, (bool, BTreeSet<&'static str>)> {
        language
            .texts()
            .iter()
            .map(|(key, entry)| match entry {
                Entry::Text(text) => (key.as_str(), (false, holes(text))),
                Entry::Forms(forms) => (key.as_str(), (true, holes(&forms["other"]))),
            })
            .collect()
    }

    #[test]
    fn both_files_say_the_same_things() {
        let english = described(Language::English);
        assert!(english.len() > 300, "the files are not read");
        assert_eq!(english, described(Language::Russian));
        for (language, needed) in
            [(Language::English, &["one", "other"][..]), (Language::Russian, &["one", "few", "many", "other"])]
        {
            for (key, entry) in language.texts() {
                match entry {
                    Entry::Text(text) => assert!(!text.trim().is_empty(), "{key}"),
                    Entry::Forms(forms) => {
                        let has: BTreeSet<_> = forms.keys().map(String::as_str).collect();
                        assert_eq!(has, needed.iter().copied().collect(), "{key}");
                    }
                }
            }
        }
    }

    #[test]
    fn numbers_take_their_form() {
        for (n, text) in [(1, "1 реплика"), (3, "3 реплики"), (11, "11 реплик"), (22, "22 реплики")]
        {
            assert_eq!(Language::Russian.count("history.turns", n), text);
        }
        assert_eq!(Language::English.count("history.turns", 1), "1 turn");
        assert_eq!(Language::English.count("history.turns", 2), "2 turns");
        assert_eq!(Language::English.count("no.such.key", 2), "no.such.key");
    }
}
