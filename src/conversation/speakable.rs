//! Turns written text into what a voice should say: no markdown, no emoji, no addresses spelt out; numbers, dates, money,
//! units, abbreviations and symbols as words.
//!
//! Pure and forgiving: the text may be cut anywhere, so unbalanced marks are simply dropped. A line is read from left to
//! right; where something begins that a person reads otherwise than it is written, the rules of the language say how
//! (`english`, `russian`).

mod english;
mod inline;
mod place;
mod russian;
mod symbols;

use std::borrow::Cow;

use self::place::Place;
use crate::engine::script;

/// The speakable form of a whole text; empty if there is nothing to say. Code blocks are left out. `language` is
/// a tag as voices have it (`de`, `en-GB`) and decides how numbers and symbols are read; a text in another script than that
/// language's goes by its script, as the choice of its voice does. `None`: by the script, else English.
#[must_use]
pub fn speakable(text: &str, language: Option<&str>) -> String {
    let mut in_code = false;
    let mut spoken = String::new();
    for line in text.lines() {
        let fence = is_fence(line);
        if !in_code && !fence {
            let line = self::line(line, language, true);
            if !spoken.is_empty() && !line.is_empty() {
                spoken.push('\n');
            }
            spoken.push_str(&line);
        }
        in_code ^= fence;
    }
    spoken
}

/// The speakable form of a piece of a longer text, outside code blocks. `line_start`: whether it begins a line, where
/// `#`, `-` and the like are marks.
pub(super) fn piece(text: &str, language: Option<&str>, line_start: bool) -> String {
    let mut spoken = String::new();
    for (number, line) in text.lines().enumerate() {
        let line = self::line(line, language, line_start || number > 0);
        if !spoken.is_empty() && !line.is_empty() {
            spoken.push('\n');
        }
        spoken.push_str(&line);
    }
    spoken
}

/// Whether `line` opens or closes a block of code.
pub(super) fn is_fence(line: &str) -> bool {
    let line = line.trim();
    ["```", "~~~"].iter().any(|fence| line.strip_prefix(fence).is_some_and(|rest| !rest.contains(fence)))
}

fn line(line: &str, language: Option<&str>, line_start: bool) -> String {
    let mut line = line.trim();
    let mut row = Cow::Borrowed(line);
    if line_start {
        if is_rule(line) {
            return String::new();
        }
        line = without_block_marks(line);
        row = match line.strip_prefix('|') {
            Some(cells) => Cow::Owned(table_row(cells)),
            None => list_number(line).map_or(Cow::Borrowed(line), Cow::Owned),
        };
    }
    let text = spoken(&inline::plain(&row), language);
    if text.contains(char::is_alphanumeric) { tidy(&text) } else { String::new() }
}

/// Numbers, abbreviations and symbols as words of the language that `text` will be spoken in. English and Russian are
/// written out; the voices of other languages know their own numbers.
fn spoken(text: &str, language: Option<&str>) -> String {
    let language = script::language(text, language).unwrap_or_else(|| "en".into()).to_ascii_lowercase();
    let primary = language.split(['-', '_']).next().unwrap_or_default();
    let british = language.starts_with("en-") && !language.starts_with("en-us");
    let mut spoken = String::with_capacity(text.len() * 2);
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let place = Place { text, at };
        let found = match primary {
            "en" | "" => english::read(place, british).or_else(|| word_of(symbols::read(place, false)?)),
            "ru" => russian::read(place).or_else(|| word_of(symbols::read(place, true)?)),
            other => symbols::price(place, other).or_else(|| word_of(symbols::read_other(place, other)?)),
        };
        if let Some((len, said)) = found {
            push(&mut spoken, &said, &text[at + len..]);
            at += len;
            continue;
        }
        at += c.len_utf8();
        match c {
            '|' => spoken.push_str(", "),
            c if symbols::is_mark(c) => {
                let next = text[at..].chars().next();
                if !(spoken.is_empty() || spoken.ends_with(char::is_whitespace) || next.is_none_or(char::is_whitespace))
                {
                    spoken.push(' ');
                }
            }
            c if symbols::is_unspeakable(c) => {}
            c => spoken.push(c),
        }
    }
    spoken
}

#[expect(clippy::unnecessary_wraps, reason = "it stands in a chain of options")]
fn word_of((len, word): (usize, &str)) -> Option<(usize, String)> {
    Some((len, word.to_owned()))
}

/// Adds `words`, apart from the letters around them.
fn push(spoken: &mut String, words: &str, after: &str) {
    if !spoken.ends_with(['(', '"', '«', '“', '/', '-', '–', '—']) {
        spoken.push(' ');
    }
    spoken.push_str(words);
    if after.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '(' | '$' | '€' | '£')) || words.ends_with(" to")
    {
        spoken.push(' ');
    }
}

/// A rule, a table's second line, or the underline of a heading.
fn is_rule(line: &str) -> bool {
    line.chars().filter(|c| "-*_=".contains(*c)).count() >= 2 && line.chars().all(|c| "-*_=|: ".contains(c))
}

/// Without what marks a heading, a quotation, a list or a task.
fn without_block_marks(mut line: &str) -> &str {
    loop {
        let rest = line.trim_start();
        let headless = rest.trim_start_matches('#');
        line = if headless.len() < rest.len() && headless.starts_with([' ', '\t']) {
            headless
        } else if let Some(quoted) = rest.strip_prefix('>') {
            quoted
        } else if let Some(item) =
            ["- ", "* ", "+ ", "• ", "– ", "— ", "[ ] ", "[x] ", "[X] "].iter().find_map(|mark| rest.strip_prefix(mark))
        {
            item
        } else {
            return rest;
        };
    }
}

/// `1. Milk` and `1) Milk` as "1: Milk": the number of an item is no sentence.
fn list_number(line: &str) -> Option<String> {
    let digits = place::digits(line);
    let item = line[digits.len()..].strip_prefix(['.', ')'])?;
    ((1..=3).contains(&digits.len()) && item.starts_with([' ', '\t'])).then(|| format!("{digits}:{item}"))
}

fn table_row(cells: &str) -> String {
    let cells = cells.split('|').map(str::trim).filter(|cell| !cell.is_empty());
    cells.collect::<Vec<_>>().join(", ")
}

/// Single spaces, and none before a mark.
fn tidy(text: &str) -> String {
    let mut tidy = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        let mark = word.starts_with([',', '.', '!', '?', ';', ':', ')', '…']);
        // What is left when a mark's word was dropped: ", ," or a mark at the very start.
        if mark
            && !word.contains(char::is_alphanumeric)
            && (tidy.is_empty() || tidy.ends_with([',', '.', '!', '?', ';', ':']))
        {
            continue;
        }
        let number = word.starts_with('.') && word[1..].starts_with(|c: char| c.is_ascii_digit());
        if !tidy.is_empty() && (!mark || number) && !tidy.ends_with('(') {
            tidy.push(' ');
        }
        tidy.push_str(word);
    }
    tidy
}

#[cfg(test)]
mod tests;
