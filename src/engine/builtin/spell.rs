//! Numbers as they are said.

pub(super) const ONES: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
pub(super) const TENS: [&str; 8] = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const ORDINALS: [&str; 20] = [
    "zeroth",
    "first",
    "second",
    "third",
    "fourth",
    "fifth",
    "sixth",
    "seventh",
    "eighth",
    "ninth",
    "tenth",
    "eleventh",
    "twelfth",
    "thirteenth",
    "fourteenth",
    "fifteenth",
    "sixteenth",
    "seventeenth",
    "eighteenth",
    "nineteenth",
];

/// A whole number below a million million in words: "one hundred twenty five".
pub(super) fn whole(n: u64) -> String {
    match n {
        0..20 => ONES[n as usize].to_owned(),
        20..100 => with_rest(TENS[n as usize / 10 - 2].to_owned(), n % 10),
        100..1000 => with_rest(format!("{} hundred", whole(n / 100)), n % 100),
        1000..1_000_000 => with_rest(format!("{} thousand", whole(n / 1000)), n % 1000),
        1_000_000..1_000_000_000 => with_rest(format!("{} million", whole(n / 1_000_000)), n % 1_000_000),
        _ => with_rest(format!("{} billion", whole(n / 1_000_000_000)), n % 1_000_000_000),
    }
}

fn with_rest(head: String, rest: u64) -> String {
    if rest == 0 { head } else { format!("{head} {}", whole(rest)) }
}

/// A number with up to two decimals: "minus two point five". The flag says whether that is exact.
pub(super) fn number(value: f64) -> (String, bool) {
    let hundredths = (value.abs() * 100.0).round();
    let exact = (value.abs() * 100.0 - hundredths).abs() < 1e-6 * value.abs().max(1.0);
    let hundredths = hundredths as u64;
    let mut text = if value < 0.0 && hundredths > 0 { "minus ".to_owned() } else { String::new() };
    text.push_str(&whole(hundredths / 100));
    let (tenth, hundredth) = (hundredths / 10 % 10, hundredths % 10);
    if tenth + hundredth > 0 {
        text = format!("{text} point {}", whole(tenth));
        if hundredth > 0 {
            text = format!("{text} {}", whole(hundredth));
        }
    }
    (text, exact)
}

/// A day of a month: "twenty second".
pub(super) fn ordinal(day: u64) -> String {
    match day {
        0..20 => ORDINALS[day as usize].to_owned(),
        20 => "twentieth".to_owned(),
        30 => "thirtieth".to_owned(),
        _ => format!("{} {}", TENS[(day as usize / 10 - 2) % TENS.len()], ORDINALS[day as usize % 10]),
    }
}

/// A year as people say it: "twenty twenty six", "two thousand five", "nineteen oh five".
pub(super) fn year(year: u64) -> String {
    match (year / 100, year % 100) {
        (20, rest @ 0..10) => with_rest("two thousand".to_owned(), rest),
        (century, 0) => format!("{} hundred", whole(century)),
        (century, rest @ 1..10) => format!("{} oh {}", whole(century), whole(rest)),
        (century, rest) => format!("{} {}", whole(century), whole(rest)),
    }
}

/// "one minute", "two minutes".
pub(super) fn counted(n: u64, unit: &str) -> String {
    format!("{} {unit}{}", whole(n), if n == 1 { "" } else { "s" })
}

/// The first letter large, a full stop at the end.
pub(super) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).chain(['.']).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_said_as_people_say_them() {
        assert_eq!(whole(0), "zero");
        assert_eq!(whole(25), "twenty five");
        assert_eq!(whole(105), "one hundred five");
        assert_eq!(whole(9801), "nine thousand eight hundred one");
        assert_eq!(whole(2_000_000), "two million");
        assert_eq!(number(2.5), ("two point five".into(), true));
        assert_eq!(number(-0.25), ("minus zero point two five".into(), true));
        assert_eq!(number(7.0 / 3.0), ("two point three three".into(), false));
        assert_eq!(number(0.1 + 0.2), ("zero point three".into(), true));
        assert_eq!(number(-0.0), ("zero".into(), true));
        assert_eq!(ordinal(22), "twenty second");
        assert_eq!(ordinal(30), "thirtieth");
        assert_eq!(year(2026), "twenty twenty six");
        assert_eq!(year(2005), "two thousand five");
        assert_eq!(year(1905), "nineteen oh five");
    }
}
