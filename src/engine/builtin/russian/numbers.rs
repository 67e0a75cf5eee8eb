//! Numbers in Russian: as they are heard and as they are said.

use super::super::words::{Token, digits};

const ONES: [&str; 20] = [
    "ноль",
    "один",
    "два",
    "три",
    "четыре",
    "пять",
    "шесть",
    "семь",
    "восемь",
    "девять",
    "десять",
    "одиннадцать",
    "двенадцать",
    "тринадцать",
    "четырнадцать",
    "пятнадцать",
    "шестнадцать",
    "семнадцать",
    "восемнадцать",
    "девятнадцать",
];
const TENS: [&str; 8] =
    ["двадцать", "тридцать", "сорок", "пятьдесят", "шестьдесят", "семьдесят", "восемьдесят", "девяносто"];
const HUNDREDS: [&str; 9] =
    ["сто", "двести", "триста", "четыреста", "пятьсот", "шестьсот", "семьсот", "восемьсот", "девятьсот"];
/// Other forms of the first numbers, as they stand in sentences.
const FORMS: [(&str, u32); 14] = [
    ("одна", 1),
    ("одну", 1),
    ("одно", 1),
    ("одного", 1),
    ("две", 2),
    ("двух", 2),
    ("трех", 3),
    ("четырех", 4),
    ("пяти", 5),
    ("шести", 6),
    ("семи", 7),
    ("восьми", 8),
    ("девяти", 9),
    ("десяти", 10),
];
const ORDINALS: [&str; 20] = [
    "нулевой",
    "первый",
    "второй",
    "третий",
    "четвёртый",
    "пятый",
    "шестой",
    "седьмой",
    "восьмой",
    "девятый",
    "десятый",
    "одиннадцатый",
    "двенадцатый",
    "тринадцатый",
    "четырнадцатый",
    "пятнадцатый",
    "шестнадцатый",
    "семнадцатый",
    "восемнадцатый",
    "девятнадцатый",
];
const ORDINAL_TENS: [&str; 8] = [
    "двадцатый",
    "тридцатый",
    "сороковой",
    "пятидесятый",
    "шестидесятый",
    "семидесятый",
    "восьмидесятый",
    "девяностый",
];

/// The gender of what is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) enum Gender {
    Masculine,
    Feminine,
}

/// Folds runs of number words and digits: "двадцать", "пять" is 25, but "пять", "пять" stays two numbers.
pub(in super::super) fn folded(words: Vec<String>) -> Vec<Token> {
    let words: Vec<String> = words.into_iter().map(|word| word.replace('ё', "е")).collect();
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < words.len() {
        if let Some((number, used)) = number(&words[at..]) {
            tokens.push(Token::Number(number));
            at += used;
        } else {
            tokens.push(Token::Word(words[at].clone()));
            at += 1;
        }
    }
    tokens
}

fn number(words: &[String]) -> Option<(f64, usize)> {
    if let Some(value) = words.first().and_then(|word| digits(word)) {
        return match words.get(1).map(String::as_str) {
            Some("тысяча" | "тысячи" | "тысяч") => Some((value * 1000.0, 2)),
            _ => Some((value, 1)),
        };
    }
    let (mut total, mut group, mut at) = (0_u32, None::<u32>, 0);
    while let Some(word) = words.get(at) {
        if let Some(value) = below_thousand(word) {
            // Each word is smaller than the room the ones before it leave.
            let room = match group {
                None => 1000,
                Some(have) if have % 100 == 0 && have > 0 => 100,
                Some(have) if have % 10 == 0 && have % 100 >= 20 => 10,
                Some(_) => 0,
            };
            if value >= room || value == 0 && group.is_some() {
                break;
            }
            group = Some(group.unwrap_or(0) + value);
        } else if matches!(word.as_str(), "тысяча" | "тысячи" | "тысяч" | "тысячу") && total == 0
        {
            total = group.take().unwrap_or(1) * 1000;
        } else {
            break;
        }
        at += 1;
    }
    (at > 0).then(|| (f64::from(total + group.unwrap_or(0)), at))
}

fn below_thousand(word: &str) -> Option<u32> {
    let at = |list: &[&str]| list.iter().position(|known| *known == word).map(|at| at as u32);
    at(&ONES)
        .or_else(|| at(&TENS).map(|at| (at + 2) * 10))
        .or_else(|| at(&HUNDREDS).map(|at| (at + 1) * 100))
        .or_else(|| FORMS.iter().find(|(form, _)| *form == word).map(|(_, value)| *value))
}

/// A whole number in words; beyond a milliard in digits.
pub(in super::super) fn whole(n: u64, gender: Gender) -> String {
    let mut parts = Vec::new();
    let (millions, thousands, rest) = (n / 1_000_000, n / 1000 % 1000, n % 1000);
    if millions >= 1000 {
        return n.to_string();
    }
    if millions > 0 {
        parts.push(format!(
            "{} {}",
            group(millions, Gender::Masculine),
            form(millions, ["миллион", "миллиона", "миллионов"])
        ));
    }
    if thousands > 0 {
        parts.push(format!(
            "{} {}",
            group(thousands, Gender::Feminine),
            form(thousands, ["тысяча", "тысячи", "тысяч"])
        ));
    }
    if rest > 0 || n == 0 {
        parts.push(group(rest, gender));
    }
    parts.join(" ")
}

fn group(n: u64, gender: Gender) -> String {
    let n = (n % 1000) as usize;
    let mut parts = Vec::new();
    if n >= 100 {
        parts.push(HUNDREDS[n / 100 - 1]);
    }
    let rest = n % 100;
    if rest >= 20 {
        parts.push(TENS[rest / 10 - 2]);
    }
    let last = if rest >= 20 { rest % 10 } else { rest };
    match (last, gender) {
        (0, _) if n > 0 => {}
        (1, Gender::Feminine) => parts.push("одна"),
        (2, Gender::Feminine) => parts.push("две"),
        _ => parts.push(ONES[last]),
    }
    parts.join(" ")
}

/// A number: in words, or in digits where it is no whole one. The flag says whether that is exact.
pub(in super::super) fn spoken(value: f64) -> (String, bool) {
    let hundredths = (value.abs() * 100.0).round();
    let exact = (value.abs() * 100.0 - hundredths).abs() < 1e-6 * value.abs().max(1.0);
    let minus = if value < 0.0 && hundredths > 0.0 { "минус " } else { "" };
    let hundredths = hundredths as u64;
    let said = match hundredths % 100 {
        0 => whole(hundredths / 100, Gender::Masculine),
        part if part % 10 == 0 => format!("{},{}", hundredths / 100, part / 10),
        part => format!("{},{part:02}", hundredths / 100),
    };
    (format!("{minus}{said}"), exact)
}

/// The form of a noun after a number: "1 час", "2 часа", "5 часов".
pub(in super::super) const fn form(n: u64, [one, few, many]: [&str; 3]) -> &str {
    match (n % 100, n % 10) {
        (11..=14, _) => many,
        (_, 1) => one,
        (_, 2..=4) => few,
        _ => many,
    }
}

/// "шестой", "двадцать шестой"; below a hundred.
pub(in super::super) fn ordinal(n: u64) -> String {
    let n = (n % 100) as usize;
    match (n / 10, n % 10) {
        (0 | 1, _) => ORDINALS[n].to_owned(),
        (tens, 0) => ORDINAL_TENS[tens - 2].to_owned(),
        (tens, ones) => format!("{} {}", TENS[tens - 2], ORDINALS[ones]),
    }
}

/// The same of a day of the month: "шестое", "двадцать третье".
pub(in super::super) fn day(n: u64) -> String {
    let masculine = ordinal(n);
    match masculine.strip_suffix("третий") {
        Some(before) => format!("{before}третье"),
        None => masculine.trim_end_matches("ый").trim_end_matches("ой").to_owned() + "ое",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::builtin::words::Heard;

    #[test]
    fn numbers_are_said_as_people_say_them() {
        for (n, said) in [
            (0, "ноль"),
            (21, "двадцать один"),
            (100, "сто"),
            (391, "триста девяносто один"),
            (2_001, "две тысячи один"),
            (1_000_011, "один миллион одиннадцать"),
            (5_000_000, "пять миллионов"),
        ] {
            assert_eq!(whole(n, Gender::Masculine), said);
        }
        assert_eq!(whole(22, Gender::Feminine), "двадцать две");
        assert_eq!((form(1, ["час", "часа", "часов"]), form(112, ["час", "часа", "часов"])), ("час", "часов"));
        assert_eq!(spoken(-2.5), ("минус 2,5".into(), true));
        assert_eq!(spoken(7.0 / 3.0), ("2,33".into(), false));
        assert_eq!((day(23), day(6), ordinal(40)), ("двадцать третье".into(), "шестое".into(), "сороковой".into()));
    }

    #[test]
    fn number_words_fold_where_they_belong_together() {
        let cases: &[(&str, &[f64])] = &[
            ("пять пять", &[5.0, 5.0]),
            ("двадцать пять", &[25.0]),
            ("шестьдесят тысяч тенге", &[60_000.0]),
            ("двести тридцать четыре", &[234.0]),
            ("тысяча один", &[1001.0]),
            ("тринадцать тридцать", &[13.0, 30.0]),
            ("на две минуты и 15 секунд", &[2.0, 15.0]),
            ("60 тысяч", &[60_000.0]),
            ("сто двадцать и трёх", &[120.0, 3.0]),
        ];
        for (text, expected) in cases {
            assert_eq!(Heard::russian(text).numbers(), *expected, "{text}");
        }
    }
}
