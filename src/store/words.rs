//! What the search takes for a word, the same for both databases: they store and look up what is folded here, so that
//! they find the same things.
//!
//! A word is a run of letters and digits. It is folded to lower case without accents; `ё` is `е`, but `й` stays itself.

use std::{collections::BTreeSet, ops::Range};

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use super::{TurnRecord, TurnReply};

/// Longer words are told apart by their beginnings only: no database indexes a word of any length.
const WORD_CHARS: usize = 64;
/// Of one turn this many bytes of different words can be found; PostgreSQL holds no more than a megabyte.
const INDEXED_BYTES: usize = 256 * 1024;
/// Words of a query; more are passed over.
const QUERY_WORDS: usize = 16;
/// Characters of a snippet before and after the first word found, about.
const BEFORE: usize = 50;
const AFTER: usize = 120;

/// What a listing looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    /// Folded; letters and digits only, never empty.
    words: Vec<String>,
}

impl Query {
    /// `None`: nothing is looked for. A query of signs alone is one without words, which finds nothing.
    pub fn of(text: &str) -> Option<Self> {
        if without_nul(text).trim().is_empty() {
            return None;
        }
        Some(Self { words: words(text).map(|(_, word)| word).take(QUERY_WORDS).collect() })
    }

    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// In the language of SQLite's FTS5.
    pub fn fts5(&self) -> String {
        let words: Vec<_> = self.words.iter().map(|word| format!("\"{word}\"")).collect();
        words.join(" AND ") + " *"
    }

    /// In that of PostgreSQL's `tsquery`.
    pub fn tsquery(&self) -> String {
        let words: Vec<_> = self.words.iter().map(|word| format!("'{word}'")).collect();
        words.join(" & ") + ":*"
    }

    /// Which of the query's words this one is, the last first.
    fn matched(&self, word: &str) -> Option<usize> {
        let last = self.words.len().checked_sub(1)?;
        if word.starts_with(&self.words[last]) {
            return Some(last);
        }
        self.words.iter().position(|wanted| wanted == word)
    }

    /// The part of `texts` that has the most of the words, cut to the first of them, each between U+E000 and U+E001.
    pub fn snippet<'a>(&self, texts: impl IntoIterator<Item = &'a str>) -> Option<String> {
        let mut best: Option<(usize, &str, Vec<Range<usize>>)> = None;
        for text in texts {
            let mut which = BTreeSet::new();
            let mut places = Vec::new();
            for (place, word) in words(text) {
                if let Some(index) = self.matched(&word) {
                    which.insert(index);
                    places.push(place);
                }
            }
            if !places.is_empty() && best.as_ref().is_none_or(|(most, ..)| which.len() > *most) {
                best = Some((which.len(), text, places));
            }
        }
        best.map(|(_, text, places)| cut(text, &places))
    }
}

/// The different words of a text, folded.
pub(super) fn index_of(texts: &[&str]) -> Vec<String> {
    let mut all = BTreeSet::new();
    let mut bytes = 0;
    for (_, word) in texts.iter().flat_map(|text| words(text)) {
        let length = word.len();
        if all.insert(word) {
            bytes += length;
            if bytes > INDEXED_BYTES {
                break;
            }
        }
    }
    all.into_iter().collect()
}

/// The different words of a turn: what was said, what was answered.
pub(super) fn index_of_turn(turn: &TurnRecord) -> Vec<String> {
    let (text, heard) = turn.reply.as_ref().map_or(("", ""), |TurnReply { text, heard, .. }| (text, heard));
    index_of(&[&turn.text, text, heard])
}

/// Lower case, as names and addresses are compared.
pub(super) fn folded(text: &str) -> String {
    without_nul(text).to_lowercase()
}

/// Text as both databases can hold it: PostgreSQL knows no U+0000.
pub(super) fn without_nul(text: &str) -> std::borrow::Cow<'_, str> {
    if text.contains('\0') { text.replace('\0', "").into() } else { text.into() }
}

/// The words of a text and where they stand.
fn words(text: &str) -> impl Iterator<Item = (Range<usize>, String)> {
    let mut rest = text.char_indices().peekable();
    std::iter::from_fn(move || {
        loop {
            let (start, _) = rest.find(|(_, c)| c.is_alphanumeric())?;
            let mut end = text.len();
            while let Some(&(at, c)) = rest.peek() {
                // A mark belongs to the letter before it; U+0000 is not kept, so it parts no word.
                if !(c.is_alphanumeric() || is_combining_mark(c) || c == '\0') {
                    end = at;
                    break;
                }
                rest.next();
            }
            let word = fold(&text[start..end]);
            if !word.is_empty() {
                return Some((start..end, word));
            }
        }
    })
}

fn fold(word: &str) -> String {
    let mut folded = String::with_capacity(word.len());
    let mut chars = 0;
    for c in word.chars().flat_map(char::to_lowercase).nfd() {
        if c == '\u{306}' && folded.ends_with('и') {
            folded.pop();
            folded.push('й');
        } else if c.is_alphanumeric() && !is_combining_mark(c) {
            if chars == WORD_CHARS {
                break;
            }
            folded.push(c);
            chars += 1;
        }
    }
    folded
}

/// The surroundings of the first place, on one line.
fn cut(text: &str, places: &[Range<usize>]) -> String {
    let first = places.first().cloned().unwrap_or(0..0);
    let mut start = text[..first.start].char_indices().rev().nth(BEFORE).map_or(0, |(at, _)| at);
    if start > 0 {
        // Not in the middle of a word, unless the word is endless.
        let word = text[start..first.start].find(char::is_whitespace).map(|space| start + space);
        start = word.unwrap_or(start);
    }
    let mut end = text[first.end..].char_indices().nth(AFTER).map_or(text.len(), |(at, _)| first.end + at);
    if end < text.len() {
        let word = text[first.end..end].rfind(char::is_whitespace).map(|space| first.end + space);
        end = word.unwrap_or(end);
    }
    let mut snippet = String::new();
    let mut at = start;
    for place in places.iter().take_while(|place| place.start < end) {
        let stop = place.end.min(end);
        plain(&mut snippet, &text[at..place.start]);
        snippet.push('\u{e000}');
        plain(&mut snippet, &text[place.start..stop]);
        snippet.push('\u{e001}');
        at = stop;
    }
    plain(&mut snippet, &text[at..end]);
    let (before, after) = (if start > 0 { "…" } else { "" }, if end < text.len() { "…" } else { "" });
    format!("{before}{}{after}", snippet.trim())
}

/// Without line breaks, and without what would be taken for a mark of ours.
fn plain(snippet: &mut String, text: &str) {
    let signs = text.chars().filter(|c| !matches!(c, '\u{e000}' | '\u{e001}' | '\0'));
    snippet.extend(signs.map(|c| if c.is_whitespace() { ' ' } else { c }));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain_words(text: &str) -> Vec<String> {
        words(text).map(|(_, word)| word).collect()
    }

    #[test]
    fn words_are_folded() {
        assert_eq!(plain_words("Ещё ЁЛКА, мой Café—naïve! C3PO"), ["еще", "елка", "мой", "cafe", "naive", "c3po"]);
        // The same letters taken apart: й and é as two characters each.
        assert_eq!(plain_words("мои\u{306} cafe\u{301}"), ["мой", "cafe"]);
        assert_eq!(plain_words("🙂 -- \u{301} \0"), Vec::<String>::new());
        assert_eq!(plain_words("при\0вет"), ["привет"]);
        assert_eq!(plain_words(&"я".repeat(1_000))[0].chars().count(), WORD_CHARS);
    }

    #[test]
    fn a_query_is_never_a_syntax_error() {
        assert_eq!(Query::of(" \t\0 "), None);
        let signs = Query::of("\"'* & | ! ()").expect("something");
        assert!(signs.is_empty());
        let query = Query::of("O'Neil AND \"quo").expect("something");
        assert_eq!(query.fts5(), "\"o\" AND \"neil\" AND \"and\" AND \"quo\" *");
        assert_eq!(query.tsquery(), "'o' & 'neil' & 'and' & 'quo':*");
    }

    #[test]
    fn a_snippet_shows_the_words_in_their_surroundings() {
        let query = Query::of("погода зав").expect("words");
        let text = "Скажи, какая погода\nбудет завтра?";
        let snippet = query.snippet(["погода", text]).expect("found");
        assert_eq!(snippet, "Скажи, какая \u{e000}погода\u{e001} будет \u{e000}завтра\u{e001}?");
        let long = format!("{}{text}{}", "слово ".repeat(100), " слово".repeat(100));
        let snippet = query.snippet([long.as_str()]).expect("found");
        assert!(snippet.starts_with("…слово ") && snippet.ends_with("слово…"), "{snippet}");
        assert!(snippet.chars().count() < BEFORE + AFTER + 20, "{snippet}");
        assert_eq!(query.snippet(["ничего"]), None);
        assert_eq!(Query::of("a").expect("a").snippet(["\u{e000}a b"]).expect("found"), "\u{e000}a\u{e001} b");
    }

    proptest::proptest! {
        #[test]
        fn any_text_has_words_that_are_found(text in "\\PC{0,200}", extra in "[\\u{0}-\\u{ffff}]{0,100}") {
            let text = text + &extra;
            for (place, word) in words(&text) {
                proptest::prop_assert!(word.chars().all(char::is_alphanumeric));
                let query = Query::of(&text[place]).expect("a word");
                proptest::prop_assert_eq!(&query.words, &vec![word]);
                proptest::prop_assert!(query.snippet([text.as_str()]).is_some());
            }
        }
    }
}
