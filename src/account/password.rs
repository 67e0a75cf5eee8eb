//! Which passwords and addresses are taken.

use lettre::Address;

use super::AccountError;

/// Characters a password has at least and at most.
const LENGTH: std::ops::RangeInclusive<usize> = 10..=200;
/// RFC 5321 allows no longer paths.
const LONGEST_EMAIL: usize = 254;
/// Those of at least ten characters that are tried first, without what stands after the last letter.
const COMMONEST: &[&str] = &[
    "password",
    "passw0rd",
    "p@ssw0rd",
    "p@ssword",
    "qwertyuiop",
    "qwerty",
    "asdfghjkl",
    "qazwsxedc",
    "1q2w3e4r5t",
    "1qaz2wsx3edc",
    "zxcvbnm",
    "iloveyou",
    "welcome",
    "letmein",
    "administrator",
    "admin",
    "sunshine",
    "princess",
    "football",
    "baseball",
    "superman",
    "trustno1",
    "changeme",
    "computer",
    "internet",
    "passwordpassword",
    "abcdefghij",
    "abcdefghijk",
    "qwertyqwerty",
    "aigolos",
    "привет",
    "пароль",
    "йцукен",
    "йцукенгшщз",
    "йцукенгшщзхъ",
    "любовь",
    "наташа",
    "parol",
    "gfhjkm",
    "ghbdtn",
];

/// An address as it is compared and kept: trimmed, in lower case, and one that mail can be sent to.
///
/// # Errors
/// [`AccountError::Invalid`] names the field `email`.
pub fn email(text: &str) -> Result<String, AccountError> {
    let invalid = |problem| AccountError::invalid("email", problem, "write it like name@example.org");
    let email = text.trim().to_lowercase();
    if email.len() > LONGEST_EMAIL {
        return Err(invalid("longer than 254 bytes"));
    }
    // Quoted names may hold anything, line breaks included; nobody has one.
    if email.chars().any(|c| c.is_control() || c.is_whitespace() || c == '"') || email.parse::<Address>().is_err() {
        return Err(invalid("not an address"));
    }
    Ok(email)
}

/// Refuses passwords that are guessed first. `field` is what the request calls it.
///
/// # Errors
/// [`AccountError::Invalid`] says what is wrong and what to do.
pub fn check(field: &'static str, password: &str, email: &str) -> Result<(), AccountError> {
    let invalid =
        |problem| AccountError::invalid(field, problem, "use 10 or more characters, such as four words nobody expects");
    if !LENGTH.contains(&password.chars().count()) {
        return Err(invalid("not between 10 and 200 characters"));
    }
    let lower = password.to_lowercase();
    if of_few_characters(&lower) || is_run(&lower) || is_common(&lower) {
        return Err(invalid("one of those that are guessed first"));
    }
    let name = email.split('@').next().unwrap_or_default();
    let rest = lower.chars().count().saturating_sub(name.chars().count());
    if lower.contains(email) || (!name.is_empty() && lower.contains(name) && rest < 6) {
        return Err(invalid("little more than the address"));
    }
    Ok(())
}

fn of_few_characters(text: &str) -> bool {
    let mut seen: Vec<char> = text.chars().collect();
    seen.sort_unstable();
    seen.dedup();
    seen.len() < 4
}

/// `1234567890`, `abcdefghij`, and the same backwards.
fn is_run(text: &str) -> bool {
    // On a keyboard the nought stands behind the nine.
    let steps = |by: i64, nought: char| {
        let at = |c: char| i64::from(u32::from(if c == '0' { nought } else { c }));
        text.chars().zip(text.chars().skip(1)).all(|(before, after)| at(after) - at(before) == by)
    };
    steps(1, ':') || steps(-1, '0')
}

/// One of the commonest, perhaps doubled, with digits or signs behind it.
fn is_common(text: &str) -> bool {
    let bare = text.trim_end_matches(|c: char| !c.is_alphabetic());
    let half = bare.char_indices().nth(bare.chars().count() / 2).map_or(bare, |(at, _)| &bare[..at]);
    let halved = if half.repeat(2) == bare { half } else { bare };
    [text, bare, halved].iter().any(|text| COMMONEST.contains(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_made_alike() {
        assert_eq!(email("  Ann.Lee@Example.ORG ").expect("valid"), "ann.lee@example.org");
        for wrong in
            ["", "ann", "ann@", "@example.org", "a b@example.org", "ann@exa mple.org", "\"a\nb\"@example.org", "a@b@c"]
        {
            assert!(email(wrong).is_err(), "{wrong}");
        }
        assert!(email(&format!("{}@example.org", "a".repeat(250))).is_err());
    }

    #[test]
    fn passwords_that_are_guessed_first_are_refused() {
        for weak in [
            "short",
            "123456789",
            "1234567890",
            "9876543210",
            "aaaaaaaaaaaa",
            "abababababab",
            "abcdefghijkl",
            "Password123",
            "password1!",
            "PASSWORDPASSWORD",
            "qwertyuiop",
            "passwordpassword1",
            "ann.lee@example.org",
            "ann.lee2024",
            "пароль123456",
        ] {
            assert!(check("password", weak, "ann.lee@example.org").is_err(), "{weak}");
        }
        for good in ["correct horse battery", "пять зелёных слонов", "Tr0ub4dor&3x", "annual leek soup"]
        {
            check("password", good, "ann@example.org").unwrap_or_else(|error| panic!("{good}: {error}"));
        }
        assert!(check("password", &"ab c".repeat(60), "a@b.c").is_err(), "240 characters");
    }
}
