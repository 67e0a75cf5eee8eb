//! Full stops that end no sentence: abbreviations, initials, numbered lists. English and Russian; other languages
//! lose nothing but an early cut now and then.

/// What a full stop does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ending {
    /// Ends the sentence.
    Always,
    /// Ends it if the next word begins with a capital letter.
    IfCapital,
    /// Belongs to the word before it.
    Never,
}

/// Always followed by what they belong to.
const NEVER: &[&str] = &[
    "mr",
    "mrs",
    "ms",
    "dr",
    "prof",
    "st",
    "mt",
    "rev",
    "gen",
    "sen",
    "gov",
    "capt",
    "e.g",
    "i.e",
    "vs",
    "cf",
    "viz",
    "ca",
    "approx",
    "т.е",
    "т.к",
    "т.н",
    "ул",
    "им",
    "пл",
    "пер",
    "просп",
    "пр-т",
    "обл",
    "кв",
    "стр",
    "рис",
    "см",
    "ср",
    "напр",
    "акад",
    "проф",
    "тов",
    "гр",
    "св",
    "гл",
    "табл",
    "д-р",
    "г-н",
    "г-жа",
];

/// May end a sentence as well.
const IF_CAPITAL: &[&str] = &[
    "etc", "al", "jr", "sr", "inc", "ltd", "co", "corp", "dept", "est", "fig", "vol", "pp", "ed", "jan", "feb", "mar",
    "apr", "jun", "jul", "aug", "sep", "sept", "oct", "nov", "dec", "a.m", "p.m", "u.s", "u.k", "гг", "вв", "руб",
    "коп", "тыс", "млн", "млрд", "мин", "сек", "час", "др", "пр", "т.д", "т.п", "н.э", "долл",
];

/// What the full stop at the end of `text` does. `line_start`: whether `text` begins a line, where `1.` numbers a list.
pub(super) fn ending(text: &str, line_start: bool) -> Ending {
    let before = text.trim_end_matches('.');
    if text.len() - before.len() > 1 {
        return Ending::IfCapital; // "well... yes"
    }
    let (rest, token) = match before.char_indices().rev().find(|(_, c)| c.is_whitespace()) {
        Some((at, c)) => (&before[..at], &before[at + c.len_utf8()..]),
        None => ("", before),
    };
    let word = token.trim_start_matches(|c: char| !c.is_alphanumeric());
    if !word.is_empty() && word.chars().all(|c| c.is_ascii_digit()) {
        let alone = !rest.lines().next_back().unwrap_or_default().contains(char::is_alphanumeric);
        return if alone && (line_start || rest.contains('\n')) { Ending::Never } else { Ending::Always };
    }
    let lower = word.to_lowercase();
    if NEVER.contains(&lower.as_str()) {
        return Ending::Never;
    }
    if IF_CAPITAL.contains(&lower.as_str()) {
        return Ending::IfCapital;
    }
    let mut letters = word.chars();
    match (letters.next(), letters.next()) {
        (Some(letter), None) => one_letter(letter, rest),
        // "U.S.A.", "a.m.": letters with stops between them.
        _ if word.contains('.') && word.split('.').all(|part| part.chars().count() == 1) => Ending::IfCapital,
        _ => Ending::Always,
    }
}

/// A letter by itself: an initial, or half of "т. е.", or "г." for year or town.
fn one_letter(letter: char, rest: &str) -> Ending {
    let previous = rest.split_whitespace().next_back().unwrap_or_default();
    let after = |word: &str| previous.trim_start_matches('(').eq_ignore_ascii_case(word) || previous == word;
    match letter {
        'т' | 'Т' => Ending::Never,
        'е' | 'к' | 'н' if after("т.") => Ending::Never,
        'g' if after("e.") => Ending::Never,
        'e' if after("i.") => Ending::Never,
        'д' | 'п' if after("т.") => Ending::IfCapital,
        'э' if after("н.") => Ending::IfCapital,
        'г' | 'в' | 'ч' | 'с' | 'м' if previous.ends_with(char::is_numeric) => Ending::IfCapital,
        'e' | 'i' | 'a' | 'p' => Ending::IfCapital,
        'm' if after("a.") || after("p.") => Ending::IfCapital,
        'I' => Ending::Always,
        letter if letter.is_uppercase() || "гдспнр".contains(letter) => Ending::Never,
        _ => Ending::Always,
    }
}
