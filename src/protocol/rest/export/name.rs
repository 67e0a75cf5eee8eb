//! The name a file is saved under.

use std::fmt::Write as _;

use crate::model::UnixMs;

/// Characters of a name.
const LONGEST: usize = 60;

/// `Content-Disposition` for a download called after a conversation's title: once in Latin letters for everybody, once
/// as it is (RFC 6266, RFC 8187). Without a title it is called after its day.
#[must_use]
pub fn disposition(title: &str, created_at: UnixMs, extension: &str) -> String {
    let day = jiff::Timestamp::from_millisecond(created_at.0)
        .map(|at| at.strftime("%Y-%m-%d").to_string())
        .unwrap_or_default();
    let dated = format!("conversation-{day}");
    let or_dated = |name: String| if name.is_empty() { dated.clone() } else { name };
    let full = or_dated(plain(title));
    let latin = or_dated(plain(&full.chars().map(in_latin).collect::<String>()));
    let mut encoded = String::new();
    for byte in full.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_') {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}"); // a String takes everything
        }
    }
    format!("attachment; filename=\"{latin}.{extension}\"; filename*=UTF-8''{encoded}.{extension}")
}

/// Letters and digits of any script; everything else becomes a hyphen, so that no file system minds.
fn plain(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars().take(LONGEST) {
        if c.is_alphanumeric() {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    name.truncate(name.trim_end_matches('-').len());
    name
}

/// A letter in Latin; a hyphen for scripts that are not known here.
fn in_latin(c: char) -> String {
    let lower = c.to_lowercase().next().unwrap_or(c);
    let latin = match lower {
        'а' => "a",
        'б' => "b",
        'в' => "v",
        'г' => "g",
        'д' => "d",
        'е' | 'ё' | 'э' => "e",
        'ж' => "zh",
        'з' => "z",
        'и' => "i",
        'й' | 'ы' => "y",
        'к' => "k",
        'л' => "l",
        'м' => "m",
        'н' => "n",
        'о' => "o",
        'п' => "p",
        'р' => "r",
        'с' => "s",
        'т' => "t",
        'у' => "u",
        'ф' => "f",
        'х' => "kh",
        'ц' => "ts",
        'ч' => "ch",
        'ш' => "sh",
        'щ' => "shch",
        'ъ' | 'ь' => "",
        'ю' => "yu",
        'я' => "ya",
        _ if c.is_ascii() => return c.to_string(),
        _ => "-",
    };
    if lower == c {
        return latin.into();
    }
    let mut letters = latin.chars();
    letters.next().map(|first| first.to_ascii_uppercase().to_string() + letters.as_str()).unwrap_or_default()
}
