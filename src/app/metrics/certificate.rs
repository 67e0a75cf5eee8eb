//! When a certificate ends: the one thing of it that the metrics need, read out of its DER (X.690) as RFC 5280 lays it out.

const INTEGER: u8 = 0x02;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// The end of the certificate's validity, in seconds since 1970; `None`: it is no certificate.
#[must_use]
pub fn ends_at(der: &[u8]) -> Option<i64> {
    let (certificate, _) = element(der, SEQUENCE)?;
    let (signed, _) = element(certificate, SEQUENCE)?;
    // The first version has no number.
    let rest = element(signed, VERSION).map_or(signed, |(_, rest)| rest);
    let (_, rest) = element(rest, INTEGER)?; // serial number
    let (_, rest) = element(rest, SEQUENCE)?; // how it is signed
    let (_, rest) = element(rest, SEQUENCE)?; // by whom
    let (validity, _) = element(rest, SEQUENCE)?;
    let (_, rest) = time(validity)?;
    time(rest).map(|(end, _)| end)
}

/// The content of the element `tag` that `der` begins with, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        // More than four bytes of length are no certificate's.
        0x81..=0x84 => {
            let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    (found == tag).then_some((content, rest))
}

/// A moment as certificates write it, and what follows it.
fn time(der: &[u8]) -> Option<(i64, &[u8])> {
    let (text, rest, short) = match element(der, UTC_TIME) {
        Some((text, rest)) => (text, rest, true),
        None => element(der, GENERALIZED_TIME).map(|(text, rest)| (text, rest, false))?,
    };
    let text = std::str::from_utf8(text).ok()?;
    let text = if short {
        // Two digits of a year are of 1950 to 2049.
        let century = if text.get(..2)?.parse::<u8>().ok()? < 50 { "20" } else { "19" };
        format!("{century}{text}")
    } else {
        text.to_owned()
    };
    let moment = jiff::civil::DateTime::strptime("%Y%m%d%H%M%SZ", text).ok()?;
    let moment = moment.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some((moment.timestamp().as_second(), rest))
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    #[test]
    fn the_end_is_found_in_both_spellings_of_a_year() {
        let key = KeyPair::generate().expect("a key");
        for (year, end) in [(2031, 1_924_992_000), (2061, 2_871_763_200)] {
            let mut parameters = CertificateParams::new(["localhost".to_owned()]).expect("a name");
            parameters.not_after = date_time_ymd(year, 1, 1);
            let made = parameters.self_signed(&key).expect("a certificate");
            assert_eq!(ends_at(made.der()), Some(end), "{year}");
            for cut in 0..made.der().len().min(200) {
                assert_eq!(ends_at(&made.der()[..cut]), None, "{cut} bytes of it");
            }
        }
    }
}
