//! Dates, years and times in English.

use super::{
    super::place::{self, Number, Place},
    numbers::{self, cardinal, ordinal, pairs, plural},
    words::{MONTHS, YEAR_AFTER, month},
};

pub(super) fn day_of(day: u64, month: u64, british: bool) -> String {
    let month = MONTHS[(month as usize).clamp(1, 12) - 1];
    if british { format!("the {} of {month}", ordinal(day)) } else { format!("{month} {}", ordinal(day)) }
}

pub(super) fn date(place: Place, british: bool) -> Option<(usize, String)> {
    let (day, month, year, len) = place::date(place.rest(), !british)?;
    let (day, mark) = (day_of(day, month, british), if british { "" } else { "," });
    let said = format!("{day}{mark} {}", pairs(year));
    // `2026-03-14T14:05:00Z`
    let time = place.after(len).strip_prefix('T').and_then(place::time);
    Some(match time {
        Some((hour, minutes, _, bytes)) => {
            let bytes = bytes + 1 + usize::from(place.after(len + 1 + bytes).starts_with('Z'));
            (len + bytes, format!("{said}, {}", hours_and_minutes(hour, minutes, true)))
        }
        None => (len, said),
    })
}

/// `14:05`, `3:30 pm`, `3pm`.
pub(super) fn clock(place: Place) -> Option<(usize, String)> {
    let (hour, minutes, seconds, len) = match place::time(place.rest()) {
        Some(found) => found,
        None => {
            let hours = place::digits(place.rest());
            let hour = hours.parse().ok().filter(|hour| (1..=12).contains(hour))?;
            half_of_day(place.after(hours.len()))?;
            (hour, 0, None, hours.len())
        }
    };
    let half = half_of_day(place.after(len));
    let mut spoken = hours_and_minutes(hour, minutes, half.is_none() && seconds.is_none());
    if let Some(seconds) = seconds {
        spoken =
            format!("{spoken} and {} {}", numbers::words(seconds), if seconds == 1 { "second" } else { "seconds" });
    }
    let mut len = len;
    if let Some((bytes, name)) = half {
        spoken = format!("{spoken} {name}");
        len += bytes;
    }
    Some((len, spoken))
}

/// `alone`: neither seconds nor "p.m." follow.
pub(super) fn hours_and_minutes(hour: u64, minutes: u64, alone: bool) -> String {
    let hours = numbers::words(hour);
    match (hour, minutes) {
        (0, 0) if alone => "midnight".into(),
        (1..=12, 0) if alone => format!("{hours} o'clock"),
        (_, 0) if alone => format!("{hours} hundred hours"),
        (1..=12, 0) => hours,
        (_, 0..10) => format!("{hours} oh {}", numbers::words(minutes)),
        _ => format!("{hours} {}", numbers::words(minutes)),
    }
}

/// ` pm`, `p.m.`: the bytes it takes and how it is said. The stop that also ends the sentence is left.
pub(super) fn half_of_day(text: &str) -> Option<(usize, &'static str)> {
    let rest = text.strip_prefix([' ', '\u{a0}', '\u{202f}']).unwrap_or(text);
    let space = text.len() - rest.len();
    for (written, said) in [("a.m.", "AM"), ("p.m.", "PM"), ("am", "AM"), ("pm", "PM")] {
        if rest.get(..written.len()).is_some_and(|head| head.eq_ignore_ascii_case(written)) {
            let after = &rest[written.len()..];
            let stop = usize::from(written.ends_with('.') && after.trim().is_empty());
            if !after.starts_with(char::is_alphanumeric) {
                return Some((space + written.len() - stop, said));
            }
        }
    }
    None
}

pub(super) fn is_year(place: Place, number: &Number, before: &str) -> bool {
    if month(&capitalised(before)).is_some() {
        return true;
    }
    let next = place.word_after(number.len);
    let counted = next.starts_with(char::is_lowercase)
        && (next.ends_with('s') || next == "people" || next == "men")
        && !["was", "is", "has", "as", "this", "its", "does", "us", "to"].contains(&next);
    !counted && (YEAR_AFTER.contains(&before) || number.whole.starts_with("19") || number.whole.starts_with("20"))
}

pub(super) fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect()
}

/// `'90s`.
pub(super) fn decade(place: Place) -> Option<(usize, String)> {
    let rest = place.rest().strip_prefix(['\'', '’'])?;
    let digits = place::digits(rest);
    let bytes = place.rest().len() - rest.len() + 3;
    (digits.len() == 2 && digits.ends_with('0') && rest[2..].starts_with('s'))
        .then(|| (bytes, plural(&cardinal(digits))))
}
