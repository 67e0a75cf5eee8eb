//! The clock and the calendar in Russian.

use jiff::{
    Zoned,
    civil::{Date, Weekday},
};

use super::{
    super::{spell::sentence, words::Heard},
    numbers::{Gender, day, form, ordinal, whole},
};

const MONTHS: [&str; 12] = [
    "января",
    "февраля",
    "марта",
    "апреля",
    "мая",
    "июня",
    "июля",
    "августа",
    "сентября",
    "октября",
    "ноября",
    "декабря",
];
const NAMES: [&str; 12] = [
    "январь",
    "февраль",
    "март",
    "апрель",
    "май",
    "июнь",
    "июль",
    "август",
    "сентябрь",
    "октябрь",
    "ноябрь",
    "декабрь",
];

pub(super) fn answer(heard: &Heard, now: &Zoned) -> Option<String> {
    let today = now.date();
    let (when, date) = if heard.any(&["завтра"]) {
        ("завтра", today.tomorrow().ok()?)
    } else if heard.any(&["вчера"]) {
        ("вчера", today.yesterday().ok()?)
    } else {
        ("сегодня", today)
    };
    let was = if when == "вчера" { " было" } else { "" };
    let month = (date.month() as usize - 1) % 12;
    if heard.any(&["какое число", "дата", "дату", "число сегодня", "какое сегодня число", "какое завтра число"])
    {
        let day = day(date.day().unsigned_abs().into());
        return Some(sentence(&format!("{when}{was} {day} {}, {}", MONTHS[month], weekday(date))));
    }
    if heard.any(&["какой день", "день недели", "какой сегодня день", "какой завтра день", "какой вчера был день"])
    {
        return Some(sentence(&format!("{when}{was} {}", weekday(date))));
    }
    if heard.any(&["какой месяц", "какой сейчас месяц"]) {
        return Some(format!("Сейчас {}.", NAMES[month]));
    }
    if heard.any(&["какой год", "какой сейчас год", "который год"]) {
        return Some(format!("Сейчас {} год.", year(date.year())));
    }
    let asks = ["который час", "сколько времени", "сколько время", "сколько сейчас времени", "сколько сейчас время"];
    let short = heard.words().count() <= 3;
    let named = heard.any(&["время", "времени", "часов"]) && (short || heard.any(&["скажи", "точное", "какое"]));
    (heard.any(&asks) || named).then(|| format!("Сейчас {}.", time(now)))
}

/// "десять часов двадцать пять минут"
fn time(now: &Zoned) -> String {
    let (hour, minute) = (now.hour().unsigned_abs().into(), now.minute().unsigned_abs().into());
    let hours = format!("{} {}", whole(hour, Gender::Masculine), form(hour, ["час", "часа", "часов"]));
    match minute {
        0 => format!("ровно {hours}"),
        _ => {
            format!("{hours} {} {}", whole(minute, Gender::Feminine), form(minute, ["минута", "минуты", "минут"]))
        }
    }
}

fn weekday(date: Date) -> &'static str {
    match date.weekday() {
        Weekday::Monday => "понедельник",
        Weekday::Tuesday => "вторник",
        Weekday::Wednesday => "среда",
        Weekday::Thursday => "четверг",
        Weekday::Friday => "пятница",
        Weekday::Saturday => "суббота",
        Weekday::Sunday => "воскресенье",
    }
}

/// "две тысячи двадцать шестой"; years that end in hundreds stay digits.
fn year(year: i16) -> String {
    let year = u64::from(year.unsigned_abs());
    match year % 100 {
        0 => year.to_string(),
        rest => format!("{} {}", whole(year - rest, Gender::Masculine), ordinal(rest)),
    }
}
