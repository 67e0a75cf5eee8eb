//! Fractions, units and money in English.

use super::{
    super::place::{self, Number, Place},
    numbers::{self, cardinal, ordinal, spelt},
    range,
    words::{CURRENCIES, Currency, MAGNITUDES, UNITS},
};

/// `3/4`, `1 1/2`, `24/7`.
pub(super) fn fraction(place: Place) -> Option<(usize, String)> {
    let over = |text: &str| -> Option<(u64, u64, usize)> {
        let top = place::digits(text);
        let bottom = place::digits(text[top.len()..].strip_prefix(['/', '⁄'])?);
        let len = top.len() + bottom.len() + text[top.len()..].chars().next().map_or(1, char::len_utf8);
        let ends = text[len..].chars().next().is_none_or(|c| !c.is_alphanumeric() && c != '/');
        let (top, bottom) = (top.parse().ok()?, bottom.parse().ok()?);
        ends.then_some((top, bottom, len))
    };
    let whole = place::digits(place.rest());
    if let Some(rest) = place.after(whole.len()).strip_prefix(' ')
        && let Some((top, bottom, len)) = over(rest)
        && top < bottom
        && !whole.is_empty()
    {
        let part = if top == 1 && bottom == 2 { "a half".into() } else { part(top, bottom)? };
        return Some((whole.len() + 1 + len, format!("{} and {part}", cardinal(whole))));
    }
    let (top, bottom, len) = over(place.rest())?;
    let both = format!("{} {}", numbers::words(top), numbers::words(bottom));
    // "24/7", "50/50", "9/11" are said as they stand.
    if matches!((top, bottom), (24, 7) | (9, 11)) || top == bottom {
        return Some((len, both));
    }
    // "on 3/14": a day.
    let dated = ["on", "by", "until", "till", "since"].contains(&place.word_before().as_str());
    if dated && (1..=12).contains(&top) && (1..=31).contains(&bottom) {
        return Some((len, super::day_of(bottom, top, false)));
    }
    match part(top, bottom) {
        Some(part) if top < bottom && bottom <= 100 => Some((len, part)),
        _ => Some((len, format!("{} over {}", numbers::words(top), numbers::words(bottom)))),
    }
}

pub(super) fn part(top: u64, bottom: u64) -> Option<String> {
    let name = match bottom {
        0 | 1 => return None,
        2 => {
            if top == 1 {
                "half".into()
            } else {
                "halves".into()
            }
        }
        4 => {
            if top == 1 {
                "quarter".into()
            } else {
                "quarters".into()
            }
        }
        _ if top == 1 => ordinal(bottom),
        _ => format!("{}s", ordinal(bottom)),
    };
    Some(format!("{} {name}", numbers::words(top)))
}

pub(super) fn plain(number: &Number) -> String {
    let whole = cardinal(&number.whole);
    match &number.fraction {
        Some(fraction) => format!("{whole} point {}", spelt(fraction)),
        None => whole,
    }
}

/// The unit that follows a number: the bytes it takes and its name.
pub(super) fn unit(after: &str, one: bool) -> Option<(usize, String)> {
    let rest = after.strip_prefix([' ', '\u{a0}', '\u{202f}']).unwrap_or(after);
    let space = after.len() - rest.len();
    if let Some(behind) = rest.strip_prefix('%') {
        return (!behind.starts_with(|c: char| c.is_ascii_digit())).then(|| (space + 1, "percent".into()));
    }
    let ends = |bytes: usize| {
        !rest[bytes..].starts_with(|c: char| c.is_alphanumeric() || matches!(c, '/' | '²' | '³' | '\'' | '’'))
    };
    let found = UNITS
        .iter()
        .filter(|(sign, ..)| rest.starts_with(sign) && ends(sign.len()))
        .max_by_key(|(sign, ..)| sign.len());
    if let Some((sign, single, several)) = found {
        return Some((space + sign.len(), if one { *single } else { *several }.into()));
    }
    let currency = |sign: &&str| rest.starts_with(*sign) && ends(sign.len());
    let (currency, sign) =
        CURRENCIES.iter().find_map(|known| Some((known, known.signs.iter().find(|sign| currency(sign))?)))?;
    // `5 $10 notes`: that sign belongs to the next number.
    let next = rest[sign.len()..].starts_with(|c: char| c.is_ascii_digit());
    (!next).then(|| (space + sign.len(), if one { currency.one } else { currency.many }.into()))
}

/// `k`, `M`, `million`: what makes a number larger. `money`: a word behind it counts too, since the currency comes after it.
pub(super) fn magnitude(after: &str, money: bool) -> Option<(usize, &'static str)> {
    let rest = after.strip_prefix([' ', '\u{a0}', '-']).unwrap_or(after);
    let space = after.len() - rest.len();
    let (written, name) = MAGNITUDES.iter().find(|(written, _)| {
        let whole = rest.starts_with(written) && !rest[written.len()..].starts_with(char::is_alphanumeric);
        // A letter stands right behind its number; `4K` is a size of pictures.
        whole && (space == 0 || written.len() > 2) && (money || *written != "K" && written.len() <= 2)
    })?;
    Some((space + written.len(), name))
}

/// `$5.50`, `€3 million`.
pub(super) fn money(place: Place) -> Option<(usize, String)> {
    let rest = place.rest();
    let known =
        |currency: &'static Currency| Some((currency, *currency.signs.iter().find(|sign| rest.starts_with(**sign))?));
    let (currency, sign) = CURRENCIES.iter().find_map(known)?;
    let space = usize::from(sign.len() >= 3 && place.after(sign.len()).starts_with(' ') && sign.is_ascii());
    let number = place::number(place.after(sign.len() + space), false)?;
    let len = sign.len() + space + number.len;
    if let Some((bytes, name)) = magnitude(place.after(len), true) {
        return Some((len + bytes, format!("{} {name} {}", plain(&number), currency.many)));
    }
    if let Some(bytes) = range(place.after(len)) {
        return Some((len + bytes, format!("{} to", plain(&number))));
    }
    // `$5–$10`
    let dash = ["–", "-", "—", " – "].into_iter().find(|dash| {
        place
            .after(len)
            .strip_prefix(*dash)
            .and_then(|next| next.strip_prefix(sign))
            .is_some_and(|next| !place::digits(next).is_empty())
    });
    if let Some(dash) = dash {
        return Some((
            len + dash.len(),
            format!("{} to", amount(&plain(&number), number.is_one(), currency.one, currency.many)),
        ));
    }
    let cents = number.fraction.as_deref().filter(|cents| cents.len() == 2 && !currency.cents.is_empty());
    let spoken = match (cents.and_then(|cents| cents.parse::<u64>().ok()), number.value()) {
        (Some(cents), Some(value)) => {
            let whole = amount(&cardinal(&number.whole), value == 1, currency.one, currency.many);
            let cents_said = amount(&numbers::words(cents), cents == 1, currency.cent, currency.cents);
            match (value, cents) {
                (_, 0) => whole,
                (0, _) => cents_said,
                _ => format!("{whole} and {cents_said}"),
            }
        }
        _ => amount(&plain(&number), number.is_one(), currency.one, currency.many),
    };
    Some((len, spoken))
}

pub(super) fn amount(number: &str, one: bool, single: &str, several: &str) -> String {
    format!("{number} {}", if one { single } else { several })
}
