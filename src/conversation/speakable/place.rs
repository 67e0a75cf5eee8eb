//! A place in a text, and what of interest begins there: numbers, dates, times, names with dots.

/// Where the reading stands.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub text: &'a str,
    pub at: usize,
}

impl<'a> Place<'a> {
    pub fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    pub fn before(&self) -> &'a str {
        &self.text[..self.at]
    }

    pub fn previous(&self) -> Option<char> {
        self.before().chars().next_back()
    }

    /// Whether a word or a number may begin here.
    pub fn begins(&self) -> bool {
        !self.previous().is_some_and(char::is_alphanumeric)
    }

    /// The word before, in lower case, without the marks around it; empty where a sentence's mark lies between.
    pub fn word_before(&self) -> String {
        word_before(self.before())
    }

    /// The word `len` bytes on, after at most one space.
    pub fn word_after(&self, len: usize) -> &'a str {
        word_after(self.rest().get(len..).unwrap_or_default())
    }

    /// What follows `len` bytes on.
    pub fn after(&self, len: usize) -> &'a str {
        self.rest().get(len..).unwrap_or_default()
    }

    /// Whether nothing of the sentence follows `len` bytes on.
    pub fn ends_after(&self, len: usize) -> bool {
        let rest = self.after(len).trim_start();
        rest.is_empty() || rest.starts_with(['.', ',', ';', ':', '!', '?', ')', '"', '»', '”', '…', '\n'])
    }
}

pub(super) fn word_before(text: &str) -> String {
    let text = text.trim_end();
    if text.ends_with([',', ';', '!', '?']) {
        return String::new();
    }
    let word = text.rsplit(char::is_whitespace).next().unwrap_or_default();
    word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase()
}

pub(super) fn word_after(text: &str) -> &str {
    let text = text.strip_prefix([' ', '\u{a0}', '\u{202f}']).unwrap_or(text);
    let end = text.find(|c: char| !c.is_alphanumeric()).unwrap_or(text.len());
    &text[..end]
}

/// A number as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Number {
    /// Digits without separators.
    pub whole: String,
    /// Digits behind the point.
    pub fraction: Option<String>,
    /// Bytes it takes.
    pub len: usize,
    /// With separators between thousands.
    pub grouped: bool,
}

impl Number {
    pub fn value(&self) -> Option<u64> {
        self.whole.parse().ok()
    }

    /// The value, if there is nothing behind the point.
    pub fn integer(&self) -> Option<u64> {
        if self.fraction.is_none() { self.value() } else { None }
    }

    pub fn is_one(&self) -> bool {
        self.fraction.is_none() && self.whole == "1"
    }
}

pub(super) fn digits(text: &str) -> &str {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    &text[..end]
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\u{a0}' | '\u{202f}' | '\u{2009}')
}

/// The number that `text` begins with. `comma`: the comma is the decimal mark, and a space may group thousands.
pub(super) fn number(text: &str, comma: bool) -> Option<Number> {
    let first = digits(text);
    if first.is_empty() {
        return None;
    }
    let mut whole = first.to_owned();
    let mut len = first.len();
    let mut grouped = false;
    if first.len() <= 3 && !first.starts_with('0') {
        // A comma or a full stop between thousands, the same all the way; a space where that is usual, and always if
        // it does not break.
        for mark in [',', '.', ' ', '\u{a0}', '\u{202f}', '\u{2009}', '\'', '’'] {
            let (groups, size) = groups(&text[len..], mark);
            let zeros = groups.iter().all(|group| *group == "000");
            let counts = match mark {
                ',' if comma => groups.len() > 1 || zeros,
                '.' => groups.len() > 1,
                ' ' => comma,
                _ => true,
            };
            if !groups.is_empty() && counts {
                whole.extend(groups);
                len += size;
                grouped = true;
                break;
            }
        }
    }
    let mut fraction = None;
    let rest = &text[len..];
    let mark = if comma { rest.strip_prefix([',', '.']) } else { rest.strip_prefix('.') };
    if let Some(behind) = mark {
        let digits = digits(behind);
        if !digits.is_empty() {
            fraction = Some(digits.to_owned());
            len += 1 + digits.len();
        }
    }
    Some(Number { whole, fraction, len, grouped })
}

/// Groups of three digits, each after `mark`, and the bytes they take.
fn groups(text: &str, mark: char) -> (Vec<&str>, usize) {
    let (mut found, mut len) = (Vec::new(), 0);
    while let Some(rest) = text[len..].strip_prefix(mark) {
        let group = digits(rest);
        if group.len() != 3 {
            break;
        }
        found.push(group);
        len += mark.len_utf8() + 3;
    }
    // `1,000,00` is no such number.
    let goes_on = text[len..].strip_prefix(mark).is_some_and(|rest| !is_space(mark) && !digits(rest).is_empty());
    if goes_on { (Vec::new(), 0) } else { (found, len) }
}

/// Hours and minutes, `14:05`, with seconds if they are there; the bytes they take.
pub(super) fn time(text: &str) -> Option<(u64, u64, Option<u64>, usize)> {
    let hours = digits(text);
    let two = |text: &str| -> Option<u64> {
        let minutes = digits(text);
        (minutes.len() == 2).then(|| minutes.parse().ok()).flatten().filter(|&minutes| minutes < 60)
    };
    let hour: u64 = hours.parse().ok().filter(|&hour| hour <= 24 && hours.len() <= 2)?;
    let rest = text[hours.len()..].strip_prefix(':')?;
    let minutes = two(rest)?;
    let len = hours.len() + 3;
    let seconds = text[len..].strip_prefix(':').and_then(two);
    let len = if seconds.is_some() { len + 3 } else { len };
    // `1:30:2`, `3:45:200`: a score, a chapter.
    let goes_on = text[len..].strip_prefix(':').is_some_and(|rest| !digits(rest).is_empty());
    (!goes_on).then_some((hour, minutes, seconds, len))
}

/// Day, month and year with the bytes they take: `2026-03-14`, `14.03.2026`, `3/14/2026`. `month_first` settles the last
/// where both could be a month.
pub(super) fn date(text: &str, month_first: bool) -> Option<(u64, u64, u64, usize)> {
    let first = digits(text);
    let mark = text[first.len()..].chars().next().filter(|mark| matches!(mark, '-' | '.' | '/'))?;
    let second = digits(&text[first.len() + 1..]);
    let third = text[first.len() + 1 + second.len()..].strip_prefix(mark).map(digits)?;
    let len = first.len() + second.len() + third.len() + 2;
    if text[len..].starts_with(|c: char| {
        c.is_ascii_digit() || c == mark && text[len + 1..].starts_with(|c: char| c.is_ascii_digit())
    }) {
        return None;
    }
    let value = |text: &str| text.parse::<u64>().ok();
    let (a, b, c) = (value(first)?, value(second)?, value(third)?);
    let (day, month, year) = match (first.len(), second.len(), third.len(), mark) {
        (4, 2, 2, '-') | (4, 1 | 2, 1 | 2, '/') => (c, b, a),
        (1 | 2, 1 | 2, 4, '/') if b > 12 || (month_first && a <= 12) => (b, a, c),
        (1 | 2, 1 | 2, 4, _) => (a, b, c),
        _ => return None,
    };
    ((1..=31).contains(&day) && (1..=12).contains(&month)).then_some((day, month, year, len))
}

/// A telephone number: its groups of digits, whether it begins with a plus, and the bytes it takes.
pub(super) fn phone(text: &str) -> Option<(Vec<&str>, bool, usize)> {
    let plus = text.starts_with('+');
    let (mut groups, mut len, mut brackets, mut hyphens) = (Vec::new(), usize::from(plus), false, 0);
    loop {
        let mut rest = &text[len..];
        let opened = rest.starts_with('(');
        rest = &rest[usize::from(opened)..];
        let group = digits(rest);
        let closed = rest[group.len()..].starts_with(')');
        if group.is_empty() || opened != closed {
            break;
        }
        groups.push(group);
        brackets |= opened;
        len += group.len() + 2 * usize::from(opened);
        let next = text[len..].chars().next();
        let follows = |skip: usize| text[len + skip..].starts_with(|c: char| c.is_ascii_digit() || c == '(');
        match next {
            Some('-' | '‑') if follows(next.map_or(1, char::len_utf8)) => {
                hyphens += 1;
                len += next.map_or(1, char::len_utf8);
            }
            Some(space) if is_space(space) && follows(space.len_utf8()) => len += space.len_utf8(),
            _ if closed && follows(0) => {}
            _ => break,
        }
    }
    let count: usize = groups.iter().map(|group| group.len()).sum();
    let last = groups.last().map_or(0, |group| group.len());
    // Spaces alone may lie between numbers of any kind, and a hyphen between the ends of a range.
    let shaped = match groups.len() {
        1 => plus && count >= 8,
        2 => groups[0].len() == 3 && last == 4 && (hyphens == 1 || brackets),
        _ => plus || brackets || hyphens >= 2 || (hyphens >= 1 && count >= 10),
    };
    let ends = text[len..].chars().next().is_none_or(|c| !c.is_alphanumeric());
    (shaped && (7..=15).contains(&count) && ends).then_some((groups, plus, len))
}

/// Parts between full stops, all digits: `1.2.3`, at least three.
pub(super) fn dotted(text: &str) -> Option<(Vec<&str>, usize)> {
    let mut parts = vec![digits(text)];
    let mut len = parts[0].len();
    while let Some(rest) = text[len..].strip_prefix('.') {
        let part = digits(rest);
        if part.is_empty() {
            break;
        }
        parts.push(part);
        len += 1 + part.len();
    }
    (parts.len() >= 3 && !parts[0].is_empty()).then_some((parts, len))
}

/// A name whose parts are joined by full stops, as of a site or a file, perhaps behind `name@`: `docs.rs`, `a.b@c.org`;
/// the bytes it takes.
pub(super) fn dotted_name(text: &str) -> Option<usize> {
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | '@' | '+');
    let end = text.find(|c: char| !inside(c)).unwrap_or(text.len());
    let name = text[..end].trim_end_matches(['.', '-', '_', '@', '+']);
    let at = name.matches('@').count();
    if at > 1 || name.starts_with(['.', '-', '+', '@']) || name.contains("..") || !name.contains('.') {
        return None;
    }
    let last = name.rsplit(['.', '@']).next().unwrap_or_default();
    let word = |part: &str| part.contains(char::is_alphabetic);
    if !last.chars().all(char::is_alphanumeric) || !word(last) {
        return None;
    }
    // `end.Next` is a slip, `U.S.` and `т.е.` are abbreviations, `3.5kg` a number.
    let parts: Vec<&str> = name.split(['.', '@']).collect();
    let joined = at == 1
        || parts
            .windows(2)
            .all(|pair| !(pair[0].ends_with(char::is_lowercase) && pair[1].starts_with(char::is_uppercase)));
    let long = parts.iter().any(|part| part.chars().count() > 1) && last.chars().count() > 1;
    let named = at == 1 || parts[..parts.len() - 1].iter().all(|part| word(part));
    (joined && long && named).then_some(name.len())
}

/// The value of a Roman numeral in capitals, below 100.
pub(super) fn roman(text: &str) -> Option<u64> {
    let value = |c: char| match c {
        'I' => Some(1),
        'V' => Some(5),
        'X' => Some(10),
        'L' => Some(50),
        _ => None,
    };
    let values = text.chars().map(value).collect::<Option<Vec<u64>>>()?;
    let total: u64 = values
        .iter()
        .enumerate()
        .fold(0_i64, |sum, (at, &value)| {
            let smaller = values.get(at + 1).is_some_and(|&next| next > value);
            if smaller { sum - value as i64 } else { sum + value as i64 }
        })
        .try_into()
        .ok()?;
    // Written as the Romans would have.
    (total > 0 && total < 90 && as_roman(total) == text).then_some(total)
}

fn as_roman(mut number: u64) -> String {
    let mut text = String::new();
    for (value, sign) in [(50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")] {
        while number >= value {
            text.push_str(sign);
            number -= value;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_from_their_marks() {
        let read = |text, comma| number(text, comma).map(|found| (found.whole, found.fraction, found.len));
        let some = |whole: &str, fraction: Option<&str>, len| Some((whole.into(), fraction.map(Into::into), len));
        assert_eq!(read("1,234,567.89 x", false), some("1234567", Some("89"), 12));
        assert_eq!(read("1,2,3", false), some("1", None, 1));
        assert_eq!(read("1 234,5", true), some("1234", Some("5"), 7));
        assert_eq!(read("1 234", false), some("1", None, 1));
        assert_eq!(read("3,5", true), some("3", Some("5"), 3));
        assert_eq!(read("1,000", true), some("1000", None, 5));
        assert_eq!(read("2026.", false), some("2026", None, 4));
        assert_eq!(read("1.000.000", true), some("1000000", None, 9));
    }

    #[test]
    fn dates_times_and_telephones_have_their_shapes() {
        assert_eq!(date("2026-03-14", true), Some((14, 3, 2026, 10)));
        assert_eq!(date("3/4/2026", true), Some((4, 3, 2026, 8)));
        assert_eq!(date("3/4/2026", false), Some((3, 4, 2026, 8)));
        assert_eq!(date("31/4/2026", true), Some((31, 4, 2026, 9)));
        assert_eq!(date("2026-13-14", true), None);
        assert_eq!(date("1.2.3", true), None);
        assert_eq!(time("14:05"), Some((14, 5, None, 5)));
        assert_eq!(time("14:05:30"), Some((14, 5, Some(30), 8)));
        assert_eq!((time("14:65"), time("3:1")), (None, None));
        assert!(
            phone("555-1234").is_some() && phone("+7 (495) 123-45-67").is_some() && phone("555-123-4567").is_some()
        );
        assert!(phone("1941-1945").is_none() && phone("10 000 000").is_none() && phone("5-10").is_none());
        assert_eq!(dotted_name("docs.rs, of"), Some(7));
        assert_eq!(dotted_name("a.b@c.org."), Some(9));
        assert_eq!(
            (dotted_name("end.Next"), dotted_name("т.е."), dotted_name("U.S."), dotted_name("3.5kg")),
            (None, None, None, None)
        );
        assert_eq!((roman("XIV"), roman("IIII"), roman("MIX")), (Some(14), None, None));
    }
}
