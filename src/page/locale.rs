//! The words people read: one file for each language, the same ones that the scripts in the browser read.
//!
//! `static/locales/*.json` holds every text by its key. A text may have plural forms (`one`, `few`, `many`, `other`) and
//! placeholders in braces.

use std::{collections::HashMap, sync::LazyLock};

use axum::http::{HeaderMap, header};
use intl_pluralrules::{PluralCategory, PluralRuleType, PluralRules};
use serde::Deserialize;
use unic_langid::LanguageIdentifier;

use crate::{model::Language, store::User};

#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Text(String),
    Forms(HashMap<String, String>),
}

type Texts = HashMap<String, Entry>;

static ENGLISH: LazyLock<Texts> = LazyLock::new(|| texts(include_str!("../../static/locales/en.json")));
static RUSSIAN: LazyLock<Texts> = LazyLock::new(|| texts(include_str!("../../static/locales/ru.json")));

/// The reader's language: what they set in their account, else the cookie `lang`, else what the browser asks for, else
/// English.
#[must_use]
pub fn language(headers: &HeaderMap, user: Option<&User>) -> Language {
    let accepted = || Language::of_accept(headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?);
    user.and_then(|user| user.language.as_deref())
        .and_then(Language::of_tag)
        .or_else(|| cookie(headers, "lang").and_then(Language::of_tag))
        .or_else(accepted)
        .unwrap_or_default()
}

/// The text with this key; the key itself where there is none.
#[must_use]
pub fn text(language: Language, key: &str) -> &str {
    match texts_of(language).get(key) {
        Some(Entry::Text(text)) => text,
        _ => key,
    }
}

/// The form of the text that goes with the number, which stands where it has `{n}`.
#[must_use]
pub fn count(language: Language, key: &str, n: u32) -> String {
    let form = match texts_of(language).get(key) {
        Some(Entry::Forms(forms)) => forms.get(category(language, n)).or_else(|| forms.get("other")),
        Some(Entry::Text(text)) => Some(text),
        None => None,
    };
    form.map_or_else(|| key.to_owned(), |text| text.replace("{n}", &n.to_string()))
}

fn category(language: Language, n: u32) -> &'static str {
    let language: Result<LanguageIdentifier, _> = language.code().parse();
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

fn texts_of(language: Language) -> &'static Texts {
    match language {
        Language::En => &ENGLISH,
        Language::Ru => &RUSSIAN,
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

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use super::*;

    fn headers(fields: &[(header::HeaderName, &str)]) -> HeaderMap {
        fields.iter().map(|(name, value)| (name.clone(), value.parse().expect("ASCII"))).collect()
    }

    #[test]
    fn the_browser_asks_and_a_cookie_knows_better() {
        let of = |fields: &[(header::HeaderName, &str)]| language(&headers(fields), None);
        assert_eq!(of(&[]), Language::En);
        assert_eq!(of(&[(header::ACCEPT_LANGUAGE, "ru-RU,ru;q=0.9,en;q=0.8")]), Language::Ru);
        assert_eq!(of(&[(header::ACCEPT_LANGUAGE, "de, en;q=0.7, ru;q=0.3")]), Language::En);
        assert_eq!(of(&[(header::ACCEPT_LANGUAGE, "fr, ru;q=nonsense")]), Language::En);
        assert_eq!(of(&[(header::ACCEPT_LANGUAGE, "en"), (header::COOKIE, "a=b; lang=ru")]), Language::Ru);
        assert_eq!(of(&[(header::ACCEPT_LANGUAGE, "ru"), (header::COOKIE, "lang=xx")]), Language::Ru);
    }

    /// The placeholders of a text.
    fn holes(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
    }

    fn described(language: Language) -> BTreeMap<&'static str, (bool, BTreeSet<&'static str>)> {
        texts_of(language)
            .iter()
            .map(|(key, entry)| match entry {
                Entry::Text(text) => (key.as_str(), (false, holes(text))),
                Entry::Forms(forms) => (key.as_str(), (true, holes(&forms["other"]))),
            })
            .collect()
    }

    #[test]
    fn both_files_say_the_same_things() {
        let english = described(Language::En);
        assert!(english.len() > 300, "the files are not read");
        assert_eq!(english, described(Language::Ru));
        for (language, needed) in
            [(Language::En, &["one", "other"][..]), (Language::Ru, &["one", "few", "many", "other"])]
        {
            for (key, entry) in texts_of(language) {
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
            assert_eq!(count(Language::Ru, "history.turns", n), text);
        }
        assert_eq!(count(Language::En, "history.turns", 1), "1 turn");
        assert_eq!(count(Language::En, "history.turns", 2), "2 turns");
        assert_eq!(count(Language::En, "no.such.key", 2), "no.such.key");
    }
}
