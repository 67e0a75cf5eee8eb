//! Turns written text into what a voice should say: no markdown, no emoji, no addresses spelt out, symbols as words.
//!
//! Pure and forgiving: the text may be cut anywhere, so unbalanced marks are simply dropped.

mod inline;
mod symbols;

use std::borrow::Cow;

/// The speakable form of a whole text; empty if there is nothing to say. Code blocks are left out. `language` is
/// ISO 639-1 and decides which words symbols become (Russian or English); `None`: by the text's script.
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
            None => Cow::Borrowed(line),
        };
    }
    let russian = match language {
        Some(language) => language.get(..2).is_some_and(|tag| tag.eq_ignore_ascii_case("ru")),
        None => is_cyrillic(&row),
    };
    let text = symbols::spell(&inline::plain(&row), russian);
    if text.contains(char::is_alphanumeric) { tidy(&text) } else { String::new() }
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

fn table_row(cells: &str) -> String {
    let cells = cells.split('|').map(str::trim).filter(|cell| !cell.is_empty());
    cells.collect::<Vec<_>>().join(", ")
}

fn is_cyrillic(text: &str) -> bool {
    let (mut cyrillic, mut other) = (0_usize, 0_usize);
    for c in text.chars().filter(|c| c.is_alphabetic()) {
        if matches!(c, '\u{400}'..='\u{52f}') { cyrillic += 1 } else { other += 1 }
    }
    cyrillic > other
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
