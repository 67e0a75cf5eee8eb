//! Numbers, dates, money, units and abbreviations as an English speaker says them.

mod amounts;
mod dates;
mod numbers;
mod words;

use self::{
    amounts::{fraction, magnitude, money, plain, unit},
    dates::{clock, date, day_of, decade, is_year},
    numbers::{cardinal, ordinal, pairs, plural, spelt},
    words::{ABBREVIATIONS, BEFORE_NUMBERS, CODE_AFTER, NUMBERED, ROOM_AFTER, RULERS, VERSIONED, month},
};
use super::place::{self, Place};

/// What is said for what begins at `place`, and the bytes it takes. `british`: days come before months.
pub(super) fn read(place: Place, british: bool) -> Option<(usize, String)> {
    let c = place.rest().chars().next()?;
    if !place.begins() {
        return None;
    }
    if c.is_ascii_digit() || matches!(c, '-' | '−' | '+' | '(' | '.' | '\'' | '’') {
        return date(place, british)
            .or_else(|| phone(place))
            .or_else(|| version(place))
            .or_else(|| clock(place))
            .or_else(|| fraction(place))
            .or_else(|| signed(place))
            .or_else(|| decade(place));
    }
    if let Some(found) = money(place) {
        return Some(found);
    }
    c.is_alphabetic().then(|| word(place, british)).flatten()
}

fn phone(place: Place) -> Option<(usize, String)> {
    let (groups, plus, len) = place::phone(place.rest())?;
    let spoken: Vec<String> = groups.iter().map(|group| spelt(group)).collect();
    Some((len, format!("{}{}", if plus { "plus " } else { "" }, spoken.join(", "))))
}

/// `v1.2.3`, `192.168.0.1`.
fn version(place: Place) -> Option<(usize, String)> {
    let (parts, len) = place::dotted(place.rest())?;
    let joint = if parts.len() == 4 { " dot " } else { " point " };
    let parts: Vec<String> = parts.into_iter().map(cardinal).collect();
    Some((len, parts.join(joint)))
}

/// A number with its sign and what belongs to it.
fn signed(place: Place) -> Option<(usize, String)> {
    let mark = place.rest().chars().next()?;
    let sign = match mark {
        '−' | '-' | '+' => {
            // A hyphen between words or numbers is none.
            let free = place.previous().is_none_or(|c| c.is_whitespace() || "([=,×*/→".contains(c));
            let number = place.after(mark.len_utf8()).starts_with(|c: char| c.is_ascii_digit() || c == '.' || c == '$');
            if !free || !number {
                return None;
            }
            if mark == '+' { "plus " } else { "minus " }
        }
        _ => "",
    };
    let skip = if sign.is_empty() { 0 } else { mark.len_utf8() };
    let here = Place { at: place.at + skip, ..place };
    let (len, spoken) = money(here).or_else(|| number(here))?;
    Some((skip + len, format!("{sign}{spoken}")))
}

fn number(place: Place) -> Option<(usize, String)> {
    let rest = place.rest();
    if let Some(behind) = rest.strip_prefix('.') {
        let digits = place::digits(behind);
        return (!digits.is_empty()).then(|| (1 + digits.len(), format!("point {}", spelt(digits))));
    }
    let number = place::number(rest, false)?;
    let after = place.after(number.len);
    let said = plain(&number);
    if let Some(value) = number.integer() {
        if let Some(bytes) = ordinal_mark(after) {
            return Some((number.len + bytes, ordinal(value)));
        }
        if after.starts_with('s') && !after[1..].starts_with(char::is_alphanumeric) && number.whole.len() > 1 {
            let said = if (1100..2100).contains(&value) { pairs(value) } else { said.clone() };
            return Some((number.len + 1, plural(&said)));
        }
    }
    if let Some((bytes, unit)) = unit(after, number.is_one()) {
        return Some((number.len + bytes, format!("{said} {unit}")));
    }
    let before = place.word_before();
    if let Some((bytes, name)) = magnitude(after, false).filter(|_| !ROOM_AFTER.contains(&before.as_str())) {
        return Some((number.len + bytes, format!("{said} {name}")));
    }
    if let Some(fraction) = number.fraction.as_deref()
        && VERSIONED.contains(&before.as_str())
        && fraction.len() < 3
        && !fraction.starts_with('0')
    {
        return Some((number.len, format!("{} point {}", cardinal(&number.whole), cardinal(fraction))));
    }
    if let Some(second) = ratio(after) {
        return Some((number.len + 1 + second.len(), format!("{said} to {}", cardinal(second))));
    }
    let said = match number.integer() {
        Some(_) if number.whole.len() > 1 && number.whole.starts_with('0') => spelt(&number.whole),
        Some(_) if number.grouped => said,
        Some(_) if CODE_AFTER.contains(&before.as_str()) && number.whole.len() > 2 => spelt(&number.whole),
        Some(value @ 100..10_000) if ROOM_AFTER.contains(&before.as_str()) => match value {
            _ if value < 1_000 && value % 100 == 0 => said,
            100..1_000 if value % 100 < 10 => {
                format!("{} oh {}", numbers::words(value / 100), numbers::words(value % 10))
            }
            _ => pairs(value),
        },
        Some(value @ 1100..2100) if is_year(place, &number, &before) => pairs(value),
        _ => said,
    };
    // `5–10`, `5-10`: a range.
    let after_number = place.after(number.len);
    if let Some(bytes) = range(after_number) {
        return Some((number.len + bytes, format!("{said} to")));
    }
    Some((number.len, said))
}

/// `16:9`, which is no time: the second number.
fn ratio(after: &str) -> Option<&str> {
    let second = place::digits(after.strip_prefix(':')?);
    let ends = !after[1 + second.len()..].starts_with(|c: char| c.is_alphanumeric() || c == ':');
    (!second.is_empty() && ends).then_some(second)
}

fn ordinal_mark(after: &str) -> Option<usize> {
    let mark =
        ["st", "nd", "rd", "th"].iter().any(|mark| after.get(..2).is_some_and(|head| head.eq_ignore_ascii_case(mark)));
    (mark && !after[2..].starts_with(char::is_alphanumeric)).then_some(2)
}

/// The dash of a range, if a number follows it.
fn range(after: &str) -> Option<usize> {
    for (dash, spaced) in [("–", true), (" – ", true), ("—", true), ("-", false)] {
        if let Some(next) = after.strip_prefix(dash)
            && place::number(next, false).is_some_and(|next_number| {
                // `2026-03`, `3-4-5` and codes are no ranges.
                let end = &next[next_number.len..];
                spaced
                    || !end.starts_with(['-', '/', ':']) && !end.starts_with(char::is_alphabetic)
                    || unit(end, false).is_some()
            })
        {
            return Some(dash.len());
        }
    }
    None
}

fn word(place: Place, british: bool) -> Option<(usize, String)> {
    let rest = place.rest();
    if let Some(found) = abbreviation(place) {
        return Some(found);
    }
    let end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
    let (word, after) = (&rest[..end], &rest[end..]);
    if let Some(number) = month(word) {
        // `March 3`, `Mar. 3rd`.
        let gap = after.strip_prefix(". ").or_else(|| after.strip_prefix(' '));
        if let Some(behind) = gap {
            let day = place::digits(behind);
            let bytes = ordinal_mark(&behind[day.len()..]).unwrap_or(0);
            let free =
                !behind[day.len() + bytes..].starts_with(|c: char| c.is_alphanumeric() || matches!(c, ':' | '%'));
            let value = day.parse::<u64>().ok().filter(|day| (1..=31).contains(day));
            if let Some(value) = value.filter(|_| free) {
                let len = rest.len() - behind.len() + day.len() + bytes;
                return Some((len, day_of(value, number, british)));
            }
        }
    }
    if let Some(len) = place::dotted_name(rest) {
        let parts: String = rest[..len].chars().fold(String::new(), |mut parts, c| {
            match c {
                '.' => parts.push_str(" dot "),
                '@' => parts.push_str(" at "),
                '_' => parts.push_str(" underscore "),
                '-' => parts.push_str(" dash "),
                '+' => parts.push_str(" plus "),
                c => parts.push(c),
            }
            parts
        });
        return Some((len, parts));
    }
    if let Some(value) = (end > 0).then(|| place::roman(word)).flatten() {
        return numeral(place, word, value);
    }
    // `v1.2`, `B12`, `MP3`, `GPT-4`, `COVID-19`.
    let hyphen = usize::from(after.starts_with('-') && word.chars().all(char::is_uppercase));
    let digits = place::digits(after.get(hyphen..)?);
    if digits.is_empty() || !word.is_ascii() {
        return None;
    }
    let here = Place { at: place.at + end + hyphen, ..place };
    let (len, said) = match place::dotted(here.rest()) {
        Some(_) => version(here)?,
        None => {
            let number = place::number(here.rest(), false).filter(|number| !number.grouped)?;
            let said = match number.integer() {
                Some(value @ 100..10_000) => match value {
                    100..1_000 if (1..10).contains(&(value % 100)) => {
                        format!("{} oh {}", numbers::words(value / 100), numbers::words(value % 10))
                    }
                    _ => pairs(value),
                },
                Some(_) if number.whole.starts_with('0') && number.whole.len() > 1 => spelt(&number.whole),
                _ => plain(&number),
            };
            (number.len, said)
        }
    };
    let name = if matches!(word, "v" | "V") { "version" } else { word };
    Some((end + hyphen + len, format!("{name} {said}")))
}

/// A Roman numeral, where what stands before it says that it is one.
fn numeral(place: Place, word: &str, value: u64) -> Option<(usize, String)> {
    let before = place.before().trim_end();
    let previous = before.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    if RULERS.contains(&previous) && (value > 1 || place.ends_after(word.len()) || place.word_after(word.len()) == "of")
    {
        return Some((word.len(), format!("the {}", ordinal(value))));
    }
    let numbered = NUMBERED.contains(&previous.to_lowercase().as_str()) && place.at > before.len();
    (numbered && (value != 1 || place.ends_after(1))).then(|| (word.len(), numbers::words(value)))
}

fn abbreviation(place: Place) -> Option<(usize, String)> {
    let rest = place.rest();
    let follows = |short: &str| {
        let head = rest.get(..short.len())?;
        // "E.g." begins a sentence.
        let alike = head == short
            || short.starts_with(char::is_lowercase)
                && head.is_ascii()
                && head.eq_ignore_ascii_case(short)
                && head[1..] == short[1..];
        let after = &rest[short.len()..];
        (alike && !after.starts_with(|c: char| c.is_alphanumeric() || c == '-')).then_some(after)
    };
    let number = |after: &str| after.trim_start().starts_with(|c: char| c.is_ascii_digit());
    let capital = |text: &str| text.trim_start().starts_with(char::is_uppercase);
    // Its full stop was also the sentence's if nothing follows.
    let stop = |short: &str, after: &str| if short.ends_with('.') && after.trim().is_empty() { "." } else { "" };
    for (short, long) in BEFORE_NUMBERS {
        if follows(short).is_some_and(number) {
            return Some((short.len(), (*long).into()));
        }
    }
    for (short, title, way) in [("Dr.", "Doctor", "Drive"), ("St.", "Saint", "Street")] {
        if let Some(after) = follows(short) {
            let before = place.before().trim_end();
            let name = before.rsplit(' ').next().is_some_and(capital) && place.previous() == Some(' ');
            // "In St. Paul": a first word has a capital in any case.
            let behind_name = name && (before.contains(' ') || !capital(after));
            let way_it_is = behind_name && (short == "St." || !capital(after));
            let long = if way_it_is { way } else { title };
            return Some((short.len(), format!("{long}{}", stop(short, after))));
        }
    }
    let (short, long, after) = ABBREVIATIONS.iter().find_map(|(short, long)| Some((*short, *long, follows(short)?)))?;
    if long.ends_with('.') {
        return Some((short.len(), long.into()));
    }
    Some((short.len(), format!("{long}{}", stop(short, after))))
}
