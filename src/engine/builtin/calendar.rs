//! The clock and the calendar.

use jiff::{
    Zoned,
    civil::{Date, Weekday},
    tz::TimeZone,
};

use super::{spell, talk::WEATHER, words::Heard};

const DAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const CITIES: [(&str, &str, &str); 6] = [
    ("london", "London", "Europe/London"),
    ("paris", "Paris", "Europe/Paris"),
    ("berlin", "Berlin", "Europe/Berlin"),
    ("tokyo", "Tokyo", "Asia/Tokyo"),
    ("moscow", "Moscow", "Europe/Moscow"),
    ("new york", "New York", "America/New_York"),
];

/// Answers a question about the time, the day, the date, the month or the year.
pub(super) fn answer(heard: &Heard, now: &Zoned) -> Option<String> {
    if heard.any(&["alarm", "wake me", "remind me", "favorite", "my day"]) || heard.any(&WEATHER) {
        return None;
    }
    let today = now.date();
    let (when, verb, date) = if heard.any(&["tomorrow"]) {
        ("tomorrow", "is", today.tomorrow().ok()?)
    } else if heard.any(&["yesterday"]) {
        ("yesterday", "was", today.yesterday().ok()?)
    } else {
        ("today", "is", today)
    };
    if let Some(named) = heard.one_of(&DAYS)
        && heard.any(&["today", "tomorrow", "yesterday", "is it", "it is", "was it"])
    {
        let right = named == day(date);
        let name = spell_day(date);
        return Some(match (right, when) {
            (true, "today") => format!("Yes, it is {name}."),
            (true, _) => format!("Yes, {when} {verb} {name}."),
            (false, "today") => format!("No, it is {name}."),
            (false, _) => format!("No, {when} {verb} {name}."),
        });
    }
    if heard.any(&["date", "what is today"]) {
        let month = MONTHS[(date.month() as usize - 1) % 12];
        let day = spell::ordinal(date.day() as u64);
        return Some(spell::sentence(&format!("{when} {verb} {}, {month} {day}", spell_day(date))));
    }
    if heard.any(&["day is", "day was", "what day", "which day", "day today"]) {
        return Some(spell::sentence(&format!("{when} {verb} {}", spell_day(date))));
    }
    if heard.any(&["month is", "what month", "which month"]) {
        return Some(format!("It is {}.", MONTHS[(date.month() as usize - 1) % 12]));
    }
    if heard.any(&["year is", "what year", "which year"]) {
        return Some(format!("It is {}.", spell::year(date.year().unsigned_abs().into())));
    }
    if heard.any(&["o'clock", "it is # p m", "it is # a m", "is it # p m", "is it # a m"])
        || heard.any(&["time", "clock"]) && !heard.any(&["more time", "next time", "at the", "times"])
    {
        return Some(match CITIES.iter().find(|(word, ..)| heard.any(&[word])) {
            None => format!("It is {}.", clock(now)),
            Some((_, city, zone)) => match TimeZone::get(zone) {
                Ok(zone) => format!("In {city} it is {}.", clock(&now.with_time_zone(zone))),
                Err(_) => format!("I don't know the time in {city}. Here it is {}.", clock(now)),
            },
        });
    }
    None
}

/// The time on a twelve-hour clock: "ten twenty five", "ten oh five", "ten o'clock".
pub(super) fn clock(now: &Zoned) -> String {
    let hour = spell::whole((now.hour() as u64 + 11) % 12 + 1);
    match now.minute() as u64 {
        0 => format!("{hour} o'clock"),
        minute @ 1..10 => format!("{hour} oh {}", spell::whole(minute)),
        minute => format!("{hour} {}", spell::whole(minute)),
    }
}

fn day(date: Date) -> &'static str {
    match date.weekday() {
        Weekday::Monday => DAYS[0],
        Weekday::Tuesday => DAYS[1],
        Weekday::Wednesday => DAYS[2],
        Weekday::Thursday => DAYS[3],
        Weekday::Friday => DAYS[4],
        Weekday::Saturday => DAYS[5],
        Weekday::Sunday => DAYS[6],
    }
}

fn spell_day(date: Date) -> String {
    let mut name = day(date).to_owned();
    name[..1].make_ascii_uppercase();
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Zoned {
        text.parse().expect("a time with its zone")
    }

    #[test]
    fn the_clock_and_the_calendar_are_read_aloud() {
        // 22 November 2026 is a Sunday.
        let now = at("2026-11-22T14:05:30+00:00[UTC]");
        let cases = [
            ("What time is it?", "It is two oh five."),
            ("what's the time", "It is two oh five."),
            ("tell me the time", "It is two oh five."),
            ("What day is it?", "Today is Sunday."),
            ("what day is tomorrow", "Tomorrow is Monday."),
            ("what day was it yesterday", "Yesterday was Saturday."),
            ("is it Monday today", "No, it is Sunday."),
            ("is today Sunday", "Yes, it is Sunday."),
            ("tomorrow is Monday", "Yes, tomorrow is Monday."),
            ("What's the date?", "Today is Sunday, November twenty second."),
            ("what is the date tomorrow", "Tomorrow is Monday, November twenty third."),
            ("what month is it", "It is November."),
            ("what year is it", "It is twenty twenty six."),
        ];
        for (asked, expected) in cases {
            assert_eq!(answer(&Heard::new(asked), &now).as_deref(), Some(expected), "{asked}");
        }
        assert_eq!(answer(&Heard::new("one more time"), &now), None);
        assert_eq!(clock(&at("2026-11-22T00:00:00+00:00[UTC]")), "twelve o'clock");
        assert_eq!(clock(&at("2026-11-22T22:25:00+00:00[UTC]")), "ten twenty five");
    }

    #[test]
    fn other_cities_have_their_own_time_where_the_system_knows_it() {
        let said = answer(&Heard::new("what time is it in Tokyo"), &at("2026-11-22T14:05:30+00:00[UTC]")).unwrap();
        match TimeZone::get("Asia/Tokyo") {
            Ok(_) => assert_eq!(said, "In Tokyo it is eleven oh five."),
            Err(_) => assert!(said.starts_with("I don't know"), "{said}"),
        }
    }
}
