//! English number words.

const SMALL: [&str; 20] = [
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
const TENS: [&str; 10] = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const GROUPS: [&str; 6] = ["", " thousand", " million", " billion", " trillion", " quadrillion"];

/// `1234`: "one thousand two hundred thirty-four". Numbers of more than 18 digits are read digit by digit.
pub(super) fn cardinal(digits: &str) -> String {
    let trimmed = digits.trim_start_matches('0');
    match trimmed.parse::<u64>() {
        _ if trimmed.is_empty() => SMALL[0].into(),
        Ok(number) if trimmed.len() <= 18 => words(number),
        _ => spelt(digits),
    }
}

/// The number as words.
pub(super) fn words(number: u64) -> String {
    if number == 0 {
        return SMALL[0].into();
    }
    let mut parts = Vec::new();
    let (mut rest, mut group) = (number, 0);
    while rest > 0 {
        if rest % 1000 > 0 {
            parts.push(format!("{}{}", hundreds(rest % 1000), GROUPS.get(group).copied().unwrap_or_default()));
        }
        rest /= 1000;
        group += 1;
    }
    parts.reverse();
    parts.join(" ")
}

fn hundreds(number: u64) -> String {
    let rest = tens(number % 100);
    match (number / 100, number % 100) {
        (0, _) => rest,
        (hundreds, 0) => format!("{} hundred", SMALL[hundreds as usize]),
        (hundreds, _) => format!("{} hundred {rest}", SMALL[hundreds as usize]),
    }
}

fn tens(number: u64) -> String {
    match (number / 10, number % 10) {
        (0 | 1, _) => SMALL[number as usize % 20].into(),
        (tens, 0) => TENS[tens as usize % 10].into(),
        (tens, ones) => format!("{}-{}", TENS[tens as usize % 10], SMALL[ones as usize]),
    }
}

/// `22`: "twenty-second".
pub(super) fn ordinal(number: u64) -> String {
    let words = words(number);
    let at = words.rfind([' ', '-']).map_or(0, |at| at + 1);
    let (head, last) = words.split_at(at);
    let last = match last {
        "one" => "first".into(),
        "two" => "second".into(),
        "three" => "third".into(),
        "five" => "fifth".into(),
        "eight" => "eighth".into(),
        "nine" => "ninth".into(),
        "twelve" => "twelfth".into(),
        tens if tens.ends_with('y') => format!("{}ieth", &tens[..tens.len() - 1]),
        other => format!("{other}th"),
    };
    format!("{head}{last}")
}

/// As years and rooms are read, in two pairs: 1905 "nineteen oh five", 2026 "twenty twenty-six".
pub(super) fn pairs(number: u64) -> String {
    let (high, low) = (number / 100, number % 100);
    match (high, low) {
        (_, 0) if high % 10 == 0 => words(number),
        (20, 1..10) => words(number),
        (_, 0) => format!("{} hundred", words(high)),
        (0, _) => words(low),
        (_, 1..10) => format!("{} oh {}", words(high), words(low)),
        _ => format!("{} {}", words(high), words(low)),
    }
}

/// Digit by digit.
pub(super) fn spelt(digits: &str) -> String {
    let digits = digits.bytes().filter(u8::is_ascii_digit);
    digits.map(|digit| SMALL[usize::from(digit - b'0')]).collect::<Vec<_>>().join(" ")
}

/// `1s` of something: "twenties" of "twenty", "nineteen hundreds", "sixes".
pub(super) fn plural(words: &str) -> String {
    if let Some(stem) = words.strip_suffix('y') {
        return format!("{stem}ies");
    }
    let hissing = words.ends_with(['x', 's']);
    format!("{words}{}", if hissing { "es" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_words() {
        for (number, said) in [
            (0, "zero"),
            (13, "thirteen"),
            (21, "twenty-one"),
            (105, "one hundred five"),
            (1_000, "one thousand"),
            (12_345, "twelve thousand three hundred forty-five"),
            (1_000_001, "one million one"),
        ] {
            assert_eq!(words(number), said);
        }
        for (number, said) in
            [(1, "first"), (12, "twelfth"), (20, "twentieth"), (22, "twenty-second"), (103, "one hundred third")]
        {
            assert_eq!(ordinal(number), said);
        }
        for (number, said) in [
            (1905, "nineteen oh five"),
            (1900, "nineteen hundred"),
            (2000, "two thousand"),
            (2005, "two thousand five"),
            (2026, "twenty twenty-six"),
            (1984, "nineteen eighty-four"),
        ] {
            assert_eq!(pairs(number), said);
        }
        assert_eq!(cardinal("007"), "seven");
        assert_eq!(cardinal(&"9".repeat(30)).split(' ').count(), 30);
    }
}
