//! Fractions, units and money in Russian.

use super::{
    super::place::{self, Number, Place},
    by_digits, context,
    numbers::{self, Agreement, Case, Gender, Noun, cardinal, decimals, ordinal},
    words::{CURRENCIES, Currency, MAGNITUDES, UNITS},
};

/// `1/2`, `2/3`.
pub(super) fn fraction(place: Place) -> Option<(usize, String)> {
    let top = place::digits(place.rest());
    let bottom = place::digits(place.after(top.len()).strip_prefix('/')?);
    let len = top.len() + 1 + bottom.len();
    if place.after(len).starts_with(|c: char| c.is_alphanumeric() || c == '/') {
        return None;
    }
    let (top, bottom): (u64, u64) = (top.parse().ok()?, bottom.parse().ok()?);
    if top == 0 || top >= bottom || bottom > 100 {
        let said = |number| cardinal(number, Case::Nominative, Gender::Masculine);
        return Some((
            len,
            if (top, bottom) == (24, 7) {
                "двадцать четыре на семь".into()
            } else {
                format!("{} дробь {}", said(top), said(bottom))
            },
        ));
    }
    let said = cardinal(top, Case::Nominative, Gender::Feminine);
    let one = top % 10 == 1 && top % 100 != 11;
    let part = match (bottom, one) {
        (2, true) => return Some((len, "одна вторая".into())),
        (3, true) => "треть".into(),
        (3, false) if top == 2 => "трети".into(),
        (4, true) => "четверть".into(),
        (4, false) => "четверти".into(),
        (_, true) => ordinal(bottom, Agreement::One(Gender::Feminine), Case::Nominative),
        _ => ordinal(bottom, Agreement::Many, Case::Genitive),
    };
    Some((len, format!("{said} {part}")))
}

/// `value` with what stands behind the comma.
pub(super) fn plain(number: &Number, case: Case, gender: Gender, after: &str) -> String {
    let Some(value) = number.value().filter(|_| number.whole.len() <= 15) else {
        return by_digits(&number.whole, false);
    };
    let Some(fraction) = &number.fraction else { return cardinal(value, case, gender) };
    let noun = context::counted(after);
    let direct = matches!(case, Case::Nominative | Case::Accusative);
    if fraction == "5" && direct && noun.ends_with(['а', 'я', 'ы', 'и']) && value > 0 {
        let feminine = noun.ends_with(['ы', 'и']);
        let gender = if feminine { Gender::Feminine } else { Gender::Masculine };
        return with_half(value, gender);
    }
    match decimals(fraction, case) {
        Some(decimals) => format!("{} {decimals}", whole(value, case)),
        None => format!("{} запятая {}", cardinal(value, case, Gender::Masculine), by_digits(fraction, false)),
    }
}

/// "пять целых", "одна целая".
pub(super) fn whole(value: u64, case: Case) -> String {
    let one = value % 10 == 1 && value % 100 != 11;
    let direct = matches!(case, Case::Nominative | Case::Accusative);
    let word = match (one, direct) {
        (true, _) => numbers::adjective("цел", Agreement::One(Gender::Feminine), case),
        (false, true) => numbers::adjective("цел", Agreement::Many, Case::Genitive),
        (false, false) => numbers::adjective("цел", Agreement::Many, case),
    };
    format!("{} {word}", cardinal(value, case, Gender::Feminine))
}

/// "полтора", "две с половиной".
pub(super) fn with_half(value: u64, gender: Gender) -> String {
    match (value, gender) {
        (1, Gender::Feminine) => "полторы".into(),
        (1, _) => "полтора".into(),
        _ => format!("{} с половиной", cardinal(value, Case::Nominative, gender)),
    }
}

/// A number of something.
pub(super) fn amount(number: &Number, noun: Noun, case: Case) -> String {
    let Some(value) = number.value().filter(|_| number.whole.len() <= 15) else {
        return format!("{} {}", by_digits(&number.whole, false), noun.many(Case::Genitive));
    };
    let direct = matches!(case, Case::Nominative | Case::Accusative);
    match number.fraction.as_deref() {
        None => format!("{} {}", cardinal(value, case, noun.gender), noun.with(value, case)),
        Some("5") if direct && value > 0 => {
            format!("{} {}", with_half(value, noun.gender), noun.with(if value == 1 { 2 } else { value }, case))
        }
        Some(_) => format!("{} {}", plain(number, case, noun.gender, ""), noun.one(Case::Genitive)),
    }
}

/// `99,90 ₽`: roubles and kopecks.
pub(super) fn cents(number: &Number, noun: Noun, cent: Option<Noun>, case: Case) -> Option<String> {
    let value = number.value()?;
    let cents: u64 = number.fraction.as_deref().filter(|cents| cents.len() == 2)?.parse().ok()?;
    let cent = cent?;
    let whole = format!("{} {}", cardinal(value, case, noun.gender), noun.with(value, case));
    let cents_said = format!("{} {}", cardinal(cents, case, cent.gender), cent.with(cents, case));
    Some(match (value, cents) {
        (_, 0) => whole,
        (0, _) => cents_said,
        _ => format!("{whole} {cents_said}"),
    })
}

pub(super) fn without_space(text: &str) -> (&str, usize) {
    let rest = text.strip_prefix([' ', '\u{a0}', '\u{202f}']).unwrap_or(text);
    (rest, text.len() - rest.len())
}

/// The unit or currency that follows a number, the bytes it takes, and its hundredths.
pub(super) fn unit(place: Place, after: &str) -> Option<(usize, Noun, Option<Noun>)> {
    let (rest, space) = without_space(after);
    let ends = |sign: &str| {
        let behind = &rest[sign.len()..];
        !behind.starts_with(|c: char| c.is_alphanumeric() || matches!(c, '/' | '²' | '³' | '·'))
            // "5 с друзьями", "2 в 1": words of one letter.
            && !(matches!(sign, "с" | "В" | "А" | "m" | "g") && space > 0 && behind.starts_with(' '))
            // "т. е.", and the year's "г." was read before.
            && !(matches!(sign, "т" | "г" | "с" | "м") && behind.starts_with('.') && !behind[1..].trim().is_empty() && place.word_before().is_empty())
    };
    let units = UNITS.iter().map(|(sign, noun)| (*sign, *noun, None));
    let currencies =
        CURRENCIES.iter().flat_map(|currency| currency.signs.iter().map(|sign| (*sign, currency.noun, currency.cent)));
    let found = units
        .chain(currencies)
        .filter(|(sign, ..)| rest.starts_with(sign) && ends(sign))
        .max_by_key(|(sign, ..)| sign.len());
    found.map(|(sign, noun, cent)| (space + sign.len() - final_stop(sign, rest), noun, cent))
}

/// The stop of an abbreviation is left where it also ends the sentence.
pub(super) fn final_stop(sign: &str, rest: &str) -> usize {
    usize::from(sign.ends_with('.') && rest[sign.len()..].trim().is_empty())
}

pub(super) fn magnitude(after: &str) -> Option<(usize, Noun)> {
    let (rest, space) = without_space(after);
    let ends = |sign: &str| !rest[sign.len()..].starts_with(char::is_alphanumeric);
    let (sign, noun) = MAGNITUDES.iter().find(|(sign, _)| rest.starts_with(sign) && ends(sign))?;
    Some((space + sign.len() - final_stop(sign, rest), *noun))
}

/// `1,5 млн ₽`, `5 тыс.`.
pub(super) fn with_magnitude(place: Place, number: &Number, bytes: usize, noun: Noun) -> (usize, String) {
    let len = number.len + bytes;
    let case = context::case(place, place.after(len));
    let said = amount(number, noun, case);
    match unit(place, place.after(len)) {
        Some((more, unit, _)) => (len + more, format!("{said} {}", unit.many(Case::Genitive))),
        None => (len, said),
    }
}

/// `$5`, `€3 млн`.
pub(super) fn money(place: Place) -> Option<(usize, String)> {
    let rest = place.rest();
    let known = |currency: &'static Currency| {
        let sign =
            currency.signs.iter().find(|sign| !sign.ends_with('.') && **sign != "руб" && rest.starts_with(**sign))?;
        Some((currency, *sign))
    };
    let (currency, sign) = CURRENCIES.iter().find_map(known)?;
    let number = place::number(place.after(sign.len()), true)?;
    let len = sign.len() + number.len;
    if let Some((bytes, noun)) = magnitude(place.after(len)) {
        let case = context::by_preposition(place, "").unwrap_or(Case::Nominative);
        return Some((len + bytes, format!("{} {}", amount(&number, noun, case), currency.noun.many(Case::Genitive))));
    }
    let case = context::by_preposition(place, "").unwrap_or(Case::Nominative);
    Some((
        len,
        cents(&number, currency.noun, currency.cent, case).unwrap_or_else(|| amount(&number, currency.noun, case)),
    ))
}
