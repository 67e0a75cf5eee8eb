//! Dates, years, centuries and times in Russian.

use super::{
    super::place::{self, Place, word_after},
    context,
    numbers::{Agreement, Case, Gender, cardinal, ordinal},
    words::{HOUR, MONTHS, RULERS},
};

const NEUTER: Agreement = Agreement::One(Gender::Neuter);
const MASCULINE: Agreement = Agreement::One(Gender::Masculine);

/// A date, a year or a time that begins at `place`.
pub(super) fn read(place: Place) -> Option<(usize, String)> {
    full_date(place).or_else(|| day(place)).or_else(|| time(place)).or_else(|| years(place)).or_else(|| year(place))
}

fn year_words(year: u64, case: Case) -> String {
    ordinal(year, MASCULINE, case)
}

/// `14.03.2026`, `2026-03-14`.
fn full_date(place: Place) -> Option<(usize, String)> {
    let (day, month, year, len) = place::date(place.rest(), false)?;
    let mut len = len;
    // "14.03.2026 г."
    for tail in [" года", " г."] {
        if place.after(len).starts_with(tail) {
            len += tail.len();
            break;
        }
    }
    let stop = if place.rest()[..len].ends_with('.') && place.after(len).trim().is_empty() { "." } else { "" };
    let day = ordinal(day, NEUTER, day_case(place));
    let month = MONTHS[(month as usize).clamp(1, 12) - 1];
    let said = format!("{day} {month} {} года{stop}", year_words(year, Case::Genitive));
    // `2026-03-14T14:05:00Z`
    let Some((hour, minutes, _, bytes)) = place.after(len).strip_prefix('T').and_then(place::time) else {
        return Some((len, said));
    };
    let bytes = bytes + 1 + usize::from(place.after(len + 1 + bytes).starts_with('Z'));
    Some((len + bytes, format!("{said}, {}", hours_and_minutes(hour, minutes, Case::Nominative))))
}

/// The day of a month is said in the genitive, "третьего марта", unless the words before ask for more.
fn day_case(place: Place) -> Case {
    match place.word_before().as_str() {
        "к" | "ко" => Case::Dative,
        "на" | "по" | "за" | "сегодня" | "завтра" | "вчера" | "это" => Case::Nominative,
        "перед" | "между" => Case::Instrumental,
        "о" | "об" => Case::Prepositional,
        _ => Case::Genitive,
    }
}

fn is_month(word: &str) -> bool {
    MONTHS.contains(&word.to_lowercase().as_str())
}

/// `3 марта`, `3–5 марта`, `с 3 по 5 марта`.
fn day(place: Place) -> Option<(usize, String)> {
    let digits = place::digits(place.rest());
    let day = valid_day(digits)?;
    let after = place.after(digits.len());
    if after.starts_with(' ') && is_month(word_after(after)) {
        return Some((digits.len(), ordinal(day, NEUTER, day_case(place))));
    }
    for (joint, said) in
        [("–", " — "), ("-", " — "), (" – ", " — "), ("—", " — "), (" по ", " по "), (" и ", " и "), (" до ", " до ")]
    {
        if let Some(next) = after.strip_prefix(joint) {
            let second = place::digits(next);
            let month = &next[second.len()..];
            if valid_day(second).is_some() && month.starts_with(' ') && is_month(word_after(month)) {
                let first = ordinal(day, NEUTER, day_case(place));
                return Some((digits.len() + joint.len(), format!("{first}{said}")));
            }
        }
    }
    None
}

fn valid_day(digits: &str) -> Option<u64> {
    digits.parse().ok().filter(|day| (1..=31).contains(day) && digits.len() <= 2)
}

/// `14:05`, `9:00`.
fn time(place: Place) -> Option<(usize, String)> {
    let (hour, minutes, seconds, len) = place::time(place.rest())?;
    let case = match context::by_preposition(place, "") {
        Some(case @ (Case::Genitive | Case::Dative)) => case,
        _ => Case::Nominative,
    };
    let mut said = hours_and_minutes(hour, minutes, case);
    if let Some(seconds) = seconds {
        said = format!("{said} {}", two_digits(seconds, case));
    }
    // "10:00–18:00".
    let dash = ["–", "—", "-", " – "]
        .iter()
        .find(|dash| place.after(len).strip_prefix(**dash).is_some_and(|next| place::time(next).is_some()));
    Some(match dash {
        Some(dash) => (len + dash.len(), format!("{said} — ")),
        None => (len, said),
    })
}

fn hours_and_minutes(hour: u64, minutes: u64, case: Case) -> String {
    let hours = if hour == 1 { HOUR.one(case) } else { cardinal(hour, case, Gender::Masculine) };
    format!("{hours} {}", two_digits(minutes, case))
}

fn two_digits(number: u64, case: Case) -> String {
    match number {
        0 => "ноль ноль".into(),
        1..10 => format!("ноль {}", cardinal(number, case, Gender::Masculine)),
        _ => cardinal(number, case, Gender::Masculine),
    }
}

fn four_digits(text: &str) -> Option<u64> {
    let digits = place::digits(text);
    digits.parse().ok().filter(|year| digits.len() == 4 && (1_000..2_200).contains(year))
}

/// The case that "год", "года", "году" are in.
fn of_year(word: &str) -> Option<(Agreement, Case)> {
    Some(match word {
        "год" => (MASCULINE, Case::Nominative),
        "года" => (MASCULINE, Case::Genitive),
        "году" | "годе" => (MASCULINE, Case::Prepositional),
        "годом" => (MASCULINE, Case::Instrumental),
        _ => return None,
    })
}

/// `2026 год`, `в 2026 г.`, `3 марта 2026`, `в 2026`.
fn year(place: Place) -> Option<(usize, String)> {
    let year = four_digits(place.rest())?;
    let after = place.after(4);
    let before = place.word_before();
    let next = word_after(after);
    if let Some((_, case)) = of_year(next).filter(|_| after.starts_with([' ', '\u{a0}'])) {
        let case = if case == Case::Prepositional && matches!(before.as_str(), "к" | "ко" | "по") {
            Case::Dative
        } else {
            case
        };
        return Some((4, year_words(year, case)));
    }
    for written in [" г.", "\u{a0}г.", "г."] {
        if let Some(rest) = after.strip_prefix(written) {
            let (case, noun) = match before.as_str() {
                "в" | "во" => (Case::Prepositional, "году"),
                "к" | "ко" => (Case::Dative, "году"),
                "за" | "на" | "по" => (Case::Nominative, "год"),
                _ => (Case::Genitive, "года"),
            };
            let stop = if rest.trim().is_empty() { "." } else { "" };
            return Some((4 + written.len(), format!("{} {noun}{stop}", year_words(year, case))));
        }
    }
    if is_month(&before) {
        return Some((4, format!("{} года", year_words(year, Case::Genitive))));
    }
    // "с 1990 по 2000 год".
    if before == "с" && after.strip_prefix(" по ").and_then(four_digits).is_some() {
        return Some((4, year_words(year, Case::Genitive)));
    }
    // Nothing is counted: it is a year.
    let bare = place.ends_after(4) && !after.trim_start().starts_with(':') && (1_700..2_100).contains(&year);
    let case = match before.as_str() {
        "в" | "во" => Case::Prepositional,
        "с" | "до" | "от" | "после" | "около" => Case::Genitive,
        "к" => Case::Dative,
        _ => return None,
    };
    bare.then(|| (4, year_words(year, case)))
}

/// `1941–1945 гг.`, `в 1990–2000 годах`.
fn years(place: Place) -> Option<(usize, String)> {
    let first = four_digits(place.rest())?;
    let after = place.after(4);
    let dash = ["–", "—", "-", " – ", " — "].iter().find(|dash| after.starts_with(**dash))?;
    let next = &after[dash.len()..];
    let second = four_digits(next)?;
    let behind = &next[4..];
    let in_them = matches!(place.word_before().as_str(), "в" | "во");
    let noun = word_after(behind);
    let (case, noun, bytes) = match noun {
        "гг" if in_them => (Case::Prepositional, " годах", " гг.".len()),
        "гг" => (Case::Genitive, " годов", " гг.".len()),
        "годах" => (Case::Prepositional, "", 0),
        "годов" => (Case::Genitive, "", 0),
        "годы" | "год" => (Case::Nominative, "", 0),
        _ => return None,
    };
    let bytes = if behind.starts_with(' ') || bytes == 0 { bytes } else { bytes - 1 };
    let stop = if bytes > 0 && behind.get(bytes..).is_some_and(|rest| rest.trim().is_empty()) { "." } else { "" };
    let len = 4 + dash.len() + 4 + bytes.min(behind.len());
    Some((len, format!("{} — {}{noun}{stop}", year_words(first, case), year_words(second, case))))
}

/// A Roman numeral: a century, a monarch, a congress.
pub(super) fn numeral(place: Place, word: &str, value: u64) -> Option<(usize, String)> {
    let after = place.after(word.len());
    let next = word_after(after);
    let len = word.len();
    let century = |case| Some((len, ordinal(value, MASCULINE, case)));
    match next {
        "век" => return century(Case::Nominative),
        "века" | "веков" => return century(Case::Genitive),
        "веке" | "веках" => return century(Case::Prepositional),
        "веку" => return century(Case::Dative),
        "веком" => return century(Case::Instrumental),
        "мировая" | "степень" => {
            return Some((len, ordinal(value, Agreement::One(Gender::Feminine), Case::Nominative)));
        }
        "мировой" | "степени" => {
            return Some((len, ordinal(value, Agreement::One(Gender::Feminine), Case::Genitive)));
        }
        "мировую" => return Some((len, ordinal(value, Agreement::One(Gender::Feminine), Case::Accusative))),
        "в" if after.starts_with(" в.") => {
            let (case, noun) = if place.word_before() == "в" {
                (Case::Prepositional, "веке")
            } else {
                (Case::Genitive, "века")
            };
            let stop = if after[" в.".len()..].trim().is_empty() { "." } else { "" };
            return Some((len + " в.".len(), format!("{} {noun}{stop}", ordinal(value, MASCULINE, case))));
        }
        _ => {}
    }
    // "XIX–XX веков": the first goes as the second.
    if let Some(dash) = ["–", "-", "—"].iter().find(|dash| after.starts_with(**dash)) {
        let second = after[dash.len()..].split(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
        let behind = &after[dash.len() + second.len()..];
        let case = match word_after(behind) {
            "веках" => Some(Case::Prepositional),
            "веков" | "века" => Some(Case::Genitive),
            _ => None,
        };
        if let (Some(case), Some(_)) = (case, place::roman(second)) {
            return Some((len + dash.len(), format!("{} — ", ordinal(value, MASCULINE, case))));
        }
    }
    monarch(place, word, value)
}

fn monarch(place: Place, word: &str, value: u64) -> Option<(usize, String)> {
    let before = place.before().trim_end();
    let name = before.rsplit(|c: char| !c.is_alphanumeric()).next().unwrap_or_default();
    let (stem, woman) =
        RULERS.iter().find(|(stem, _)| name.starts_with(stem) && name.chars().count() <= stem.chars().count() + 3)?;
    if value == 1 && word_after(place.after(word.len())).starts_with(char::is_uppercase) {
        return None;
    }
    let end = &name[stem.len()..];
    let (agreement, case) = if *woman {
        let case = match end {
            "а" | "я" => Case::Nominative,
            "у" | "ю" => Case::Accusative,
            _ => Case::Genitive,
        };
        (Agreement::One(Gender::Feminine), case)
    } else {
        let case = match end {
            "а" | "я" => Case::Genitive,
            "у" | "ю" => Case::Dative,
            "ом" | "ем" => Case::Instrumental,
            "е" => Case::Prepositional,
            _ => Case::Nominative,
        };
        (MASCULINE, case)
    };
    Some((word.len(), ordinal(value, agreement, case)))
}
