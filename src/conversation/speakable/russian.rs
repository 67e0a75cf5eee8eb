//! Numbers, dates, money, units and abbreviations as a Russian speaker says them, in the case and gender that the words
//! around them ask for, as far as a rule can tell.

mod amounts;
mod context;
mod dates;
mod endings;
mod numbers;
mod words;

use self::{
    amounts::{amount, cents, fraction, magnitude, money, plain, unit, with_magnitude},
    endings::{percent_adjective, with_ending},
    numbers::{Case, Gender, cardinal},
    words::{ABBREVIATIONS, BEFORE_NUMBERS, CODE_AFTER, ZONES},
};
use super::place::{self, Place};

/// What is said for what begins at `place`, and the bytes it takes.
pub(super) fn read(place: Place) -> Option<(usize, String)> {
    let c = place.rest().chars().next()?;
    if !place.begins() {
        return None;
    }
    if c.is_ascii_digit() || matches!(c, '-' | '−' | '+' | '(') {
        return dates::read(place)
            .or_else(|| phone(place))
            .or_else(|| version(place))
            .or_else(|| fraction(place))
            .or_else(|| signed(place));
    }
    if let Some(found) = money(place) {
        return Some(found);
    }
    (c.is_alphabetic() || c == '№').then(|| word(place)).flatten()
}

fn phone(place: Place) -> Option<(usize, String)> {
    let (groups, plus, len) = place::phone(place.rest())?;
    let groups: Vec<String> = groups
        .iter()
        .map(|group| if group.len() <= 3 { by_digits(group, true) } else { by_digits(group, false) })
        .collect();
    Some((len, format!("{}{}", if plus { "плюс " } else { "" }, groups.join(", "))))
}

/// Digit by digit, or, if `whole`, as a number behind the noughts it begins with.
fn by_digits(digits: &str, whole: bool) -> String {
    let name = |number: u64| cardinal(number, Case::Nominative, Gender::Masculine);
    let rest = digits.trim_start_matches('0');
    let mut words: Vec<String> = vec!["ноль".into(); digits.len() - rest.len()];
    if whole {
        words.extend(rest.parse().ok().map(name));
    } else {
        words.extend(rest.bytes().map(|digit| name(u64::from(digit - b'0'))));
    }
    words.join(" ")
}

/// `1.2.3`.
fn version(place: Place) -> Option<(usize, String)> {
    let (parts, len) = place::dotted(place.rest())?;
    let parts: Vec<String> = parts.into_iter().map(|part| by_digits(part, part.len() <= 6)).collect();
    Some((len, parts.join(" точка ")))
}

fn signed(place: Place) -> Option<(usize, String)> {
    let mark = place.rest().chars().next()?;
    let sign = match mark {
        '−' | '-' | '+' => {
            let free = place.previous().is_none_or(|c| c.is_whitespace() || "([=,×*/→".contains(c));
            if !free || !place.after(mark.len_utf8()).starts_with(|c: char| c.is_ascii_digit()) {
                return None;
            }
            if mark == '+' { "плюс " } else { "минус " }
        }
        _ => "",
    };
    let skip = if sign.is_empty() { 0 } else { mark.len_utf8() };
    let (len, spoken) = number(Place { at: place.at + skip, ..place })?;
    Some((skip + len, format!("{sign}{spoken}")))
}

fn number(place: Place) -> Option<(usize, String)> {
    let number = place::number(place.rest(), true)?;
    let after = place.after(number.len);
    if let Some(value) = number.integer() {
        if let Some((bytes, said)) = percent_adjective(value, after) {
            return Some((number.len + bytes, said));
        }
        if let Some((bytes, said)) = with_ending(place, value, after) {
            return Some((number.len + bytes, said));
        }
        let digits = number.whole.len();
        let code = CODE_AFTER.contains(&place.word_before().as_str()) && digits > 2;
        if !number.grouped && (code || digits > 1 && number.whole.starts_with('0')) {
            return Some((number.len, by_digits(&number.whole, false)));
        }
    }
    if let Some((bytes, noun)) = magnitude(after) {
        return Some(with_magnitude(place, &number, bytes, noun));
    }
    if let Some((bytes, noun, cent)) = unit(place, after) {
        let case = context::by_preposition(place, after).unwrap_or(Case::Nominative);
        let len = number.len + bytes;
        return Some((len, cents(&number, noun, cent, case).unwrap_or_else(|| amount(&number, noun, case))));
    }
    if let Some(second) = ratio(after) {
        let said = |digits: &str| by_digits(digits, true);
        return Some((number.len + 1 + second.len(), format!("{} к {}", said(&number.whole), said(second))));
    }
    if let Some((bytes, dash)) = range(after) {
        let last = place::number(&after[bytes..], true)?;
        let behind = &after[bytes + last.len..];
        let case = context::by_preposition(place, behind).unwrap_or_else(|| context::case(place, behind));
        let gender = unit(place, behind).map_or_else(
            || last.value().map_or(Gender::Masculine, |value| context::gender(value, case, behind)),
            |(_, noun, _)| noun.gender,
        );
        return Some((number.len + bytes, format!("{}{dash}", plain(&number, case, gender, behind))));
    }
    // The second number of a range has the case of the first.
    let first = before_dash(place);
    let case = first.map_or_else(
        || context::case(place, after),
        |first| context::by_preposition(first, after).unwrap_or_else(|| context::case(first, after)),
    );
    let gender = number.value().map_or(Gender::Masculine, |value| context::gender(value, case, after));
    Some((number.len, plain(&number, case, gender, after)))
}

/// The place of the number before the dash that stands before `place`.
fn before_dash(place: Place) -> Option<Place> {
    let before = place.before().trim_end_matches(['-', '–', '—', '‑']);
    let number = before.trim_end_matches(|c: char| c.is_ascii_digit() || c == ',');
    (before.len() < place.at && number.len() < before.len()).then_some(Place { at: number.len(), ..place })
}

/// `16:9`, which is no time: the second number.
fn ratio(after: &str) -> Option<&str> {
    let second = place::digits(after.strip_prefix(':')?);
    let ends = !after[1 + second.len()..].starts_with(|c: char| c.is_alphanumeric() || c == ':');
    (!second.is_empty() && ends).then_some(second)
}

/// The dash of a range, if a number follows it, and how it is said.
fn range(after: &str) -> Option<(usize, &'static str)> {
    for (dash, spaced) in [("–", true), (" – ", true), ("—", true), ("-", false), ("‑", false)] {
        if let Some(next) = after.strip_prefix(dash)
            && place::number(next, true).is_some_and(|last| spaced || !next[last.len..].starts_with(['-', '/', ':']))
        {
            return Some((dash.len(), " — "));
        }
    }
    None
}

fn word(place: Place) -> Option<(usize, String)> {
    let rest = place.rest();
    if let Some(found) = abbreviation(place) {
        return Some(found);
    }
    let end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
    let (word, after) = (&rest[..end], &rest[end..]);
    if let Some(len) = place::dotted_name(rest) {
        return Some((len, name_with_dots(&rest[..len])));
    }
    if let Some(value) = (end > 0).then(|| place::roman(word)).flatten() {
        return dates::numeral(place, word, value);
    }
    // `MP3`, `GPT-4`, `А4`.
    let hyphen = usize::from(after.starts_with('-') && word.chars().all(char::is_uppercase));
    let digits = place::digits(after.get(hyphen..)?);
    if digits.is_empty() {
        return None;
    }
    let here = Place { at: place.at + end + hyphen, ..place };
    let (len, said) = version(here).or_else(|| {
        let number = place::number(here.rest(), true).filter(|number| !number.grouped)?;
        let said = match &number.fraction {
            Some(fraction) => {
                format!("{} точка {}", by_digits(&number.whole, true), by_digits(fraction, fraction.len() < 3))
            }
            None => by_digits(&number.whole, number.whole.len() < 7),
        };
        Some((number.len, said))
    })?;
    let name = if matches!(word, "v" | "V") { "версия" } else { word };
    Some((end + hyphen + len, format!("{name} {said}")))
}

/// `ivan@mail.ru`, `main.rs`.
fn name_with_dots(name: &str) -> String {
    let (head, last) = name.rsplit_once('.').unwrap_or(("", name));
    let last = ZONES.iter().find(|(zone, _)| *zone == last).map_or(last, |(_, said)| said);
    format!("{head}.{last}").chars().fold(String::new(), |mut spoken, c| {
        match c {
            '.' => spoken.push_str(" точка "),
            '@' => spoken.push_str(" собака "),
            '_' => spoken.push_str(" подчёркивание "),
            '-' => spoken.push_str(" дефис "),
            '+' => spoken.push_str(" плюс "),
            c => spoken.push(c),
        }
        spoken
    })
}

fn abbreviation(place: Place) -> Option<(usize, String)> {
    let rest = place.rest();
    let follows = |short: &str| {
        let head = rest.get(..short.len())?;
        let alike = head == short || head.to_lowercase() == short;
        let after = &rest[short.len()..];
        (alike && !after.starts_with(|c: char| c.is_alphanumeric() || c == '-')).then_some(after)
    };
    let number = |after: &str| after.trim_start().starts_with(|c: char| c.is_ascii_digit());
    for (short, long) in BEFORE_NUMBERS {
        if follows(short).is_some_and(number) || rest.starts_with('№') && *short == "№" {
            return Some((short.len(), (*long).into()));
        }
    }
    // "г. Москва", "в г. Москве".
    if follows("г.").is_some_and(|after| after.trim_start().starts_with(char::is_uppercase)) {
        let town = match place.word_before().as_str() {
            "в" | "во" => "городе",
            "из" | "до" | "от" => "города",
            "к" | "по" => "городу",
            _ => "город",
        };
        return Some(("г.".len(), town.into()));
    }
    let (short, long, after) = ABBREVIATIONS.iter().find_map(|(short, long)| Some((*short, *long, follows(short)?)))?;
    // Its full stop was also the sentence's if nothing follows.
    let stop = if after.trim().is_empty() && short.ends_with('.') { "." } else { "" };
    Some((short.len(), format!("{long}{stop}")))
}
