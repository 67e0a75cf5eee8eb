//! Cuts a reply that arrives token by token into sentences, each ready to be spoken.
//!
//! The splitter reads character by character and decides on what it has read so far only, so the same reply is cut
//! the same way however it was chunked. A full stop followed by a space is enough; where the stop may belong to an
//! abbreviation it waits for the next word. The first piece may be a clause or a phrase, so that the first sound comes
//! early.

mod abbreviation;
mod phrase;

use unicode_segmentation::UnicodeSegmentation;

use self::abbreviation::Ending;
use super::speakable;

/// One piece of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// As written. The texts of a reply's sentences, put together, are exactly the reply.
    pub text: String,
    /// What to say; empty if there is nothing speakable in it (a code block, a rule, an emoji).
    pub spoken: String,
}

/// The first piece may be a clause of this width (CJK characters count double) and two words.
const FIRST_CLAUSE: usize = 10;
/// After a first piece narrower than this the second may be a clause or a phrase too, of this width: a long sentence would
/// not be there when the first piece has been heard.
const SECOND_CLAUSE: usize = 40;
/// A first piece without a mark is cut at a space before it gets longer than this many characters.
const FIRST_MAX: usize = 120;
/// Later sentences narrower than this go together with the next.
const MIN: usize = 12;
/// A sentence is cut at a clause or a space before it gets longer than this many characters.
const MAX: usize = 220;
/// How long a link or inline code may stay open before it counts as plain text.
const MAX_OPEN: usize = 200;

/// Splits one reply. Make a new one for each.
#[derive(Debug)]
pub struct Splitter {
    language: Option<String>,
    pending: String,
    /// Characters in `pending`.
    length: usize,
    /// Nothing has been spoken yet.
    first: bool,
    /// One short piece has been spoken.
    second: bool,
    /// `pending` begins a line.
    line_start: bool,
    in_code: bool,
}

impl Splitter {
    /// `language` is ISO 639-1 and decides how symbols are read; `None`: by the script of each sentence.
    #[must_use]
    pub fn new(language: Option<&str>) -> Self {
        Self {
            language: language.map(Into::into),
            pending: String::new(),
            length: 0,
            first: true,
            second: false,
            line_start: true,
            in_code: false,
        }
    }

    /// Takes the next piece of the reply and gives the sentences it completes.
    pub fn push(&mut self, delta: &str) -> Vec<Sentence> {
        let mut sentences = Vec::new();
        for c in delta.chars() {
            self.pending.push(c);
            self.length += 1;
            if let Some(at) = self.boundary(c) {
                sentences.push(self.cut(at, false));
            }
        }
        sentences
    }

    /// The reply is over: what is left of it.
    pub fn finish(&mut self) -> Option<Sentence> {
        (!self.pending.is_empty()).then(|| self.cut(self.pending.len(), true))
    }

    /// `over`: nothing more comes.
    fn cut(&mut self, at: usize, over: bool) -> Sentence {
        let rest = self.pending.split_off(at);
        let text = std::mem::replace(&mut self.pending, rest);
        self.length = self.pending.chars().count();
        let fence = self.line_start && speakable::is_fence(&text);
        let spoken = if self.in_code || fence {
            String::new()
        } else {
            speakable::piece(&text, self.language.as_deref(), self.line_start)
        };
        let spoken = if over || text.ends_with('\n') { spoken } else { unfinished(spoken) };
        self.in_code ^= fence;
        if !spoken.is_empty() {
            self.second = self.first && width(&spoken) < SECOND_CLAUSE;
            self.first = false;
        }
        self.line_start = text.ends_with('\n');
        Sentence { text, spoken }
    }

    /// Where to cut now that `last` has arrived: a byte position in `pending`.
    fn boundary(&self, last: char) -> Option<usize> {
        let end = self.pending.len();
        let text = self.pending.as_str();
        if last == '\n' && !text.trim().is_empty() {
            return Some(end);
        }
        let max = if self.first { FIRST_MAX } else { MAX };
        if self.length >= max {
            return Some(forced(text));
        }
        let before = &text[..end - last.len_utf8()];
        if self.in_code || open_markup(text) || !before.contains(char::is_alphanumeric) {
            return None;
        }
        if let Some(least) = self.least_clause()
            && last.is_whitespace()
            && let Some(at) = phrase::end(before)
            && width(before[..at].trim()) >= least
        {
            return Some(at);
        }
        // Right after the mark, or at the first character of the next word.
        let marked = before.trim_end();
        let certain = if last.is_whitespace() {
            marked.len() == before.len() && self.ends(marked, None)
        } else {
            self.ends(marked, Some((marked.len() < before.len(), last)))
        };
        // Spaces stay with what they follow.
        let at = if last.is_whitespace() { end } else { before.len() };
        certain.then_some(at)
    }

    /// How wide a clause must be that is spoken by itself; `None`: no clause is.
    fn least_clause(&self) -> Option<usize> {
        if self.first { Some(FIRST_CLAUSE) } else { self.second.then_some(SECOND_CLAUSE) }
    }

    /// Whether `text` ends a piece, seen what follows: `None` for a space, else whether there was a space, and the
    /// next word's first character.
    fn ends(&self, text: &str, next: Option<(bool, char)>) -> bool {
        let core = text.trim_end_matches(is_closer);
        let closed = core.len() < text.len();
        let Some(mark) = core.chars().next_back() else { return false };
        let long_enough = self.first || width(text.trim()) >= MIN;
        if is_wide_stop(mark) {
            // More marks or closing brackets may follow without a space; a space or a letter settles it.
            return long_enough && next.is_none_or(|(_, c)| !is_closer(c) && !is_stop(c));
        }
        if self.least_clause().is_some_and(|least| is_clause_mark(core, mark) && enough_for_a_clause(core, least)) {
            let wide = "，、；：".contains(mark);
            return if wide { next.is_none_or(|(_, c)| !is_closer(c)) } else { next.is_none() };
        }
        if !is_stop(mark) || !long_enough {
            return false;
        }
        let ending = match mark {
            '.' => abbreviation::ending(core, self.line_start),
            '…' => Ending::IfCapital,
            _ if closed => Ending::IfCapital,
            _ => Ending::Always,
        };
        match (ending, next) {
            // `He said "no." and left`: a bracket or a quote may close within the sentence.
            (Ending::Always, None) => !closed,
            (Ending::Always, Some((spaced, c))) => closed && spaced && !c.is_lowercase(),
            (Ending::IfCapital, Some((spaced, c))) => spaced && !c.is_lowercase() && !c.is_numeric(),
            (Ending::IfCapital | Ending::Never, _) => false,
        }
    }
}

/// A piece that was cut within a sentence: the voice must not let it fall as if it were over.
fn unfinished(mut spoken: String) -> String {
    if spoken.ends_with(char::is_alphanumeric) {
        spoken.push(',');
    }
    spoken
}

/// Where to cut a text that has grown too long: after the last clause, else the last space, else the last whole
/// character.
fn forced(text: &str) -> usize {
    let half = text.len() / 2;
    let after_space = |from: usize, wanted: fn(&str) -> bool| {
        let places = text.char_indices().rev().filter(|(_, c)| c.is_whitespace());
        places.map(|(at, c)| (at, at + c.len_utf8())).find(|&(at, end)| end > from && wanted(&text[..at]))
    };
    let clause = |before: &str| before.ends_with([',', ';', ':', '—', '–', '.', '!', '?', ')', '，', '、', '；']);
    let word = |before: &str| !before.trim_end().is_empty();
    after_space(half, clause)
        .or_else(|| after_space(half / 2, word))
        .map(|(_, end)| end)
        .or_else(|| text.grapheme_indices(true).next_back().map(|(at, _)| at).filter(|&at| at > 0))
        .unwrap_or(text.len())
}

/// Inside `[a link](...` or `` `code` ``, a mark ends nothing.
fn open_markup(text: &str) -> bool {
    let open_since = |open: usize| text.len() - open < MAX_OPEN;
    if text.bytes().filter(|&b| b == b'`').count() % 2 == 1 {
        return text.rfind('`').is_some_and(open_since);
    }
    let Some(open) = text.rfind('[') else { return false };
    let inside = match text[open..].find(']') {
        None => true,
        Some(close) => text[open + close..].starts_with("](") && !text[open + close..].contains(')'),
    };
    inside && open_since(open)
}

fn enough_for_a_clause(text: &str, least: usize) -> bool {
    let words = text.split_whitespace().filter(|word| word.contains(char::is_alphanumeric)).count();
    let scripts_without_spaces = text.chars().filter(|&c| is_cjk(c)).count();
    width(text.trim_start()) >= least && words + scripts_without_spaces >= 2
}

/// Length in characters, where those that are a syllable or a word count double.
fn width(text: &str) -> usize {
    text.chars().map(|c| 1 + usize::from(is_cjk(c))).sum()
}

fn is_clause_mark(text: &str, mark: char) -> bool {
    match mark {
        ',' | ';' | ':' | '—' | '–' | '，' | '、' | '；' | '：' => true,
        // A hyphen is a dash when it stands alone.
        '-' => text.strip_suffix('-').is_some_and(|before| before.ends_with(' ')),
        _ => false,
    }
}

fn is_stop(c: char) -> bool {
    matches!(c, '.' | '!' | '?' | '…' | '؟' | '।') || is_wide_stop(c)
}

/// Stops of scripts that put no space after them.
fn is_wide_stop(c: char) -> bool {
    matches!(c, '。' | '！' | '？' | '｡' | '．')
}

fn is_closer(c: char) -> bool {
    matches!(
        c,
        '"' | '\'' | '”' | '’' | '»' | ')' | ']' | '}' | '」' | '』' | '）' | '】' | '》' | '*' | '_' | '`' | '~'
    )
}

fn is_cjk(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{ac00}'..='\u{d7af}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests;
