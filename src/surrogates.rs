//! Unpaired surrogates in JSON: half a character, written as `\ud83d` without its other half.
//!
//! JSON's grammar allows them and UTF-8 cannot hold them. Programs whose strings are UTF-16 send them when they cut a
//! text between the halves of an emoji; `serde_json` refuses the whole document. So they are replaced before it is read.

use std::borrow::Cow;

const HIGH: std::ops::Range<u32> = 0xd800..0xdc00;
const LOW: std::ops::Range<u32> = 0xdc00..0xe000;
/// Marks stand in the private use area, in the surrogates' own order.
const MARKS: u32 = 0xf000;

/// `json` with U+FFFD in place of every unpaired surrogate.
#[must_use]
pub fn replaced(json: &[u8]) -> Cow<'_, [u8]> {
    changed(json, |_| 0xfffd)
}

/// `json` with a mark in place of every unpaired surrogate; the texts read from it go through a [`Joiner`], which puts
/// halves together that came in two documents.
#[must_use]
pub fn marked(json: &str) -> Cow<'_, str> {
    match changed(json.as_bytes(), |unit| MARKS + unit - HIGH.start) {
        // ASCII was put in place of ASCII.
        Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        Cow::Borrowed(_) => Cow::Borrowed(json),
    }
}

fn changed(json: &[u8], put: impl Fn(u32) -> u32) -> Cow<'_, [u8]> {
    let mut changed = Cow::Borrowed(json);
    let mut at = 0;
    // Outside of strings JSON has no backslashes.
    while let Some(next) = json.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == b'\\')) {
        at += next;
        let Some(unit) = escaped(json, at) else {
            at += 2;
            continue;
        };
        let paired = HIGH.contains(&unit) && escaped(json, at + 6).is_some_and(|low| LOW.contains(&low));
        if !paired && (HIGH.contains(&unit) || LOW.contains(&unit)) {
            changed.to_mut()[at + 2..at + 6].copy_from_slice(format!("{:04x}", put(unit)).as_bytes());
        }
        at += if paired { 12 } else { 6 };
    }
    changed
}

/// The code unit that is written `\uXXXX` at `at`.
fn escaped(json: &[u8], at: usize) -> Option<u32> {
    let digits = json.get(at..at + 6)?.strip_prefix(b"\\u")?;
    digits.iter().try_fold(0, |unit, digit| Some(unit * 16 + char::from(*digit).to_digit(16)?))
}

/// Puts halves together that came in two pieces of a text; what stays alone becomes U+FFFD.
#[derive(Debug, Default)]
pub struct Joiner {
    high: Option<u32>,
}

impl Joiner {
    /// The text of a marked piece.
    pub fn push(&mut self, piece: &str) -> String {
        let mut text = String::with_capacity(piece.len());
        for c in piece.chars() {
            let unit = u32::from(c).wrapping_sub(MARKS).wrapping_add(HIGH.start);
            if let Some(high) = self.high.take() {
                let low = LOW.contains(&unit).then(|| unit - LOW.start);
                let whole = low.and_then(|low| char::from_u32(0x1_0000 + ((high - HIGH.start) << 10) + low));
                text.push(whole.unwrap_or(char::REPLACEMENT_CHARACTER));
                if whole.is_some() {
                    continue;
                }
            }
            if HIGH.contains(&unit) {
                self.high = Some(unit);
            } else {
                text.push(if LOW.contains(&unit) { char::REPLACEMENT_CHARACTER } else { c });
            }
        }
        text
    }

    /// What is left when the text ends.
    pub fn finish(&mut self) -> &'static str {
        if self.high.take().is_some() { "\u{fffd}" } else { "" }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(json: &str) -> String {
        serde_json::from_slice(&replaced(json.as_bytes())).unwrap_or_else(|error| panic!("{json}: {error}"))
    }

    #[test]
    fn what_is_whole_stays_and_what_is_half_is_replaced() {
        for (json, text) in [
            (r#""plain""#, "plain"),
            (r#""\ud83d\udc4d""#, "👍"),
            (r#""\uD83D\uDC4D\u00e9""#, "👍é"),
            (r#""a\ud83d""#, "a\u{fffd}"),
            (r#""\udc4d b""#, "\u{fffd} b"),
            (r#""\ud83d\ud83d\udc4d""#, "\u{fffd}👍"),
            (r#""\ud83d\n""#, "\u{fffd}\n"),
            (r#""\\ud83d""#, "\\ud83d"),
            (r#""\\\ud83d""#, "\\\u{fffd}"),
        ] {
            assert_eq!(read(json), text, "{json}");
        }
        assert!(matches!(replaced(br#""\\ud83d \ud83d\udc4d""#), Cow::Borrowed(_)), "nothing is copied without need");
        for broken in [r#""\ud8"#, r#""\u"#, r"\", ""] {
            assert_eq!(&*replaced(broken.as_bytes()), broken.as_bytes());
        }
    }

    #[test]
    fn halves_in_two_pieces_are_joined() {
        let joined = |pieces: &[&str]| {
            let mut joiner = Joiner::default();
            let mut text = String::new();
            for piece in pieces {
                let piece: String = serde_json::from_str(&marked(piece)).unwrap();
                text.push_str(&joiner.push(&piece));
            }
            text + joiner.finish()
        };
        assert_eq!(joined(&[r#""Hello \ud83d""#, r#""\udc4d there.""#]), "Hello 👍 there.");
        assert_eq!(joined(&[r#""\ud83d""#, r#""""#, r#""\udc4d""#]), "👍");
        assert_eq!(joined(&[r#""\ud83d""#, r#""x\udc4d""#]), "\u{fffd}x\u{fffd}");
        assert_eq!(joined(&[r#""\ud83d""#, r#""\ud83d""#, r#""\udc4d""#]), "\u{fffd}👍");
        assert_eq!(joined(&[r#""\ud83d""#]), "\u{fffd}");
    }

    proptest! {
        #[test]
        fn any_utf16_cut_anywhere_is_read(text in "[a-z😀👍\"\\\\é]{0,12}", cut in 0usize..24) {
            let units: Vec<u16> = text.encode_utf16().collect();
            let cut = cut.min(units.len());
            let piece = |units: &[u16]| {
                let escaped: String = units.iter().flat_map(|unit| ["\\u".to_owned(), format!("{unit:04x}")]).collect();
                format!("\"{escaped}\"")
            };
            let mut joiner = Joiner::default();
            let mut joined = String::new();
            for half in [&units[..cut], &units[cut..]] {
                let json = piece(half);
                prop_assert_eq!(read(&json), String::from_utf16_lossy(half));
                joined.push_str(&joiner.push(&serde_json::from_str::<String>(&marked(&json)).unwrap()));
            }
            prop_assert_eq!(joined + joiner.finish(), text);
        }
    }
}
