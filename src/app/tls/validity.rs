//! When a certificate ends: the one field that is read out of it here (RFC 5280, 4.1), and what its end means.

use std::fmt;

use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};

/// So long before its end a certificate should have been renewed: what renews by itself does so with a third of the time
/// left, which of Let's Encrypt's 90 days are 30.
const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// The optional version, which stands before everything else.
const VERSION: u8 = 0xA0;

/// How much of its time a certificate has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Two weeks or more.
    Enough,
    /// Whole days, fewer than fourteen.
    Days(i64),
    /// It has ended.
    Nothing,
}

impl Left {
    /// Of a certificate that ends at `end`, at `now`.
    #[must_use]
    pub fn of(end: Timestamp, now: Timestamp) -> Self {
        match end.duration_since(now) {
            left if left <= SignedDuration::ZERO => Self::Nothing,
            left if left < SOON => Self::Days(left.as_hours() / 24),
            _ => Self::Enough,
        }
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enough => f.write_str("two weeks or more"),
            Self::Days(days) => write!(f, "{days} days"),
            Self::Nothing => f.write_str("nothing"),
        }
    }
}

/// When the certificate in `der` ends; `None`: it cannot be read.
#[must_use]
pub fn end_of(der: &[u8]) -> Option<Timestamp> {
    let (certificate, _) = take(der, SEQUENCE)?;
    let (signed, _) = take(certificate, SEQUENCE)?;
    let signed = if signed.first() == Some(&VERSION) { skip(signed)? } else { signed };
    // Serial number, signature algorithm, issuer; then the validity.
    let (validity, _) = take(skip(skip(skip(signed)?)?)?, SEQUENCE)?;
    let end = skip(validity)?;
    take(end, UTC_TIME)
        .and_then(|(text, _)| time(text, 2))
        .or_else(|| take(end, GENERALIZED_TIME).and_then(|(text, _)| time(text, 4)))
}

/// The content of the element at the beginning of `der`, if it has this tag, and what is behind it.
fn take(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let bytes = usize::from(first & 0x7F);
        let (length, rest) = rest.split_at_checked(bytes)?;
        // Longer than four bytes nothing here is.
        if bytes > 4 {
            return None;
        }
        (length.iter().fold(0, |sum, &byte| sum << 8 | usize::from(byte)), rest)
    };
    (found == tag).then_some(())?;
    rest.split_at_checked(length)
}

/// What is behind the element at the beginning.
fn skip(der: &[u8]) -> Option<&[u8]> {
    take(der, *der.first()?).map(|(_, rest)| rest)
}

/// `YYMMDDHHMMSSZ`, or with a year of four digits.
fn time(text: &[u8], year_digits: usize) -> Option<Timestamp> {
    let digits = text.strip_suffix(b"Z")?;
    let (year, rest) = digits.split_at_checked(year_digits)?;
    let number = |text: &[u8]| std::str::from_utf8(text).ok()?.parse::<i16>().ok();
    let mut year = number(year)?;
    if year_digits == 2 {
        year += if year < 50 { 2000 } else { 1900 };
    }
    let parts: Vec<i8> = rest.chunks(2).map(|pair| i8::try_from(number(pair)?).ok()).collect::<Option<_>>()?;
    let &[month, day, hour, minute, second] = parts.as_slice() else { return None };
    let end = DateTime::new(year, month, day, hour, minute, second, 0).ok()?;
    end.to_zoned(TimeZone::UTC).ok().map(|end| end.timestamp())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(end: i32) -> Vec<u8> {
        let mut params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        (params.not_before, params.not_after) = (date_time_ymd(2020, 2, 3), date_time_ymd(end, 2, 3));
        params.self_signed(&KeyPair::generate().expect("a key")).expect("signed").der().to_vec()
    }

    #[test]
    fn both_spellings_of_a_time_are_read() {
        for (year, expected) in [(2031, "2031-02-03T00:00:00Z"), (2075, "2075-02-03T00:00:00Z")] {
            assert_eq!(end_of(&certificate(year)).map(|end| end.to_string()).as_deref(), Some(expected));
        }
    }

    #[test]
    fn broken_certificates_have_no_end() {
        let whole = certificate(2031);
        for length in 0..whole.len().min(200) {
            let _ = end_of(&whole[..length]); // must not panic
        }
        assert_eq!(end_of(b""), None);
        assert_eq!(end_of(&[SEQUENCE, 0x89, 1, 1, 1, 1, 1, 1, 1, 1, 1]), None);
        assert_eq!(time(b"311332000000Z", 2), None, "there is no such month");
        assert_eq!(time(b"310203", 2), None);
    }

    #[test]
    fn the_last_two_weeks_are_counted() {
        let now: Timestamp = "2026-01-01T00:00:00Z".parse().expect("a time");
        let at = |hours: i64| Left::of(now.checked_add(SignedDuration::from_hours(hours)).expect("near"), now);
        assert_eq!(
            [at(15 * 24), at(13 * 24 + 5), at(1), at(0)],
            [Left::Enough, Left::Days(13), Left::Days(0), Left::Nothing]
        );
    }
}
