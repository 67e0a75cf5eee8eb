//! Names: told once, known for the conversation.

use super::{talk::MOODS, words::Heard};
use crate::model::{Message, Role};

/// Words that follow "I am" or "this is" and are no names.
const DAYS_AND_PLACES: [&str; 11] = [
    "monday",
    "tuesday",
    "wednesday",
    "thursday",
    "friday",
    "saturday",
    "sunday",
    "london",
    "paris",
    "tokyo",
    "berlin",
];

/// "my name is Alice", "what is my name".
pub(super) fn answer(heard: &Heard, said: &str, earlier: &[Message]) -> Option<String> {
    if heard.any(&["my name", "who am i", "remember me"]) && !heard.any(&["my name is"])
        || heard.any(&["what is my name"])
    {
        return Some(match known_name(earlier) {
            Some(name) => format!("Your name is {name}."),
            None => "I don't know your name yet. What is your name?".into(),
        });
    }
    told_name(said, asked_name(earlier)).map(|name| format!("Hello {name}. Nice to meet you."))
}

fn asked_name(earlier: &[Message]) -> bool {
    earlier.iter().rev().find(|m| m.role == Role::Assistant).is_some_and(|m| m.content.contains("What is your name?"))
}

/// The name told last.
pub(super) fn known_name(earlier: &[Message]) -> Option<String> {
    (0..earlier.len())
        .rev()
        .filter(|at| earlier[*at].role == Role::User)
        .find_map(|at| told_name(&earlier[at].content, asked_name(&earlier[..at])))
}

/// The name in "my name is Alice", "call me Bob", "I'm Emma"; `asked`: also in a bare "Alice".
fn told_name(said: &str, asked: bool) -> Option<String> {
    const STRONG: [&[&str]; 4] = [&["my", "name", "is"], &["my", "name's"], &["call", "me"], &["name", "is"]];
    const WEAK: [&[&str]; 3] = [&["i", "am"], &["i'm"], &["this", "is"]];
    let words: Vec<&str> = said
        .split(|c: char| !(c.is_alphanumeric() || matches!(c, '\'' | '’' | '-')))
        .filter(|word| !word.is_empty())
        .collect();
    let lower: Vec<String> = words.iter().map(|word| word.to_lowercase().replace('’', "'")).collect();
    let follows = |phrase: &[&str]| {
        (0..lower.len().saturating_sub(phrase.len()))
            .find(|at| lower[*at..at + phrase.len()].iter().eq(phrase))
            .map(|at| at + phrase.len())
    };
    let asks = ["your", "what", "whose", "do", "know"].iter().any(|word| lower.iter().any(|other| other == word));
    let (at, strong) = if let Some(at) = STRONG.iter().find_map(|phrase| follows(phrase)).filter(|_| !asks) {
        (at, true)
    } else if let Some(at) = WEAK.iter().find_map(|phrase| follows(phrase)) {
        (at, false)
    } else if asked && words.len() <= 2 {
        (0, false)
    } else {
        return None;
    };
    let capital = |word: &str| word.chars().next().is_some_and(char::is_uppercase);
    let no_name = |word: &str| {
        MOODS.contains(&word)
            || ["a", "the", "very", "so", "it", "yes", "no", "from", "in", "at", "my"].contains(&word)
            || DAYS_AND_PLACES.contains(&word)
    };
    let first = *words.get(at)?;
    if no_name(&lower[at]) || !first.chars().all(|c| c.is_alphabetic() || matches!(c, '\'' | '’' | '-')) {
        return None;
    }
    if !strong && !capital(first) {
        return None;
    }
    let mut name: String = first.chars().take(24).collect();
    if !capital(&name) {
        super::spell::sentence(&name).trim_end_matches('.').clone_into(&mut name);
    }
    if let Some(second) = words.get(at + 1).filter(|word| capital(word) && lower[at + 1] != "i") {
        name.extend(std::iter::once(' ').chain(second.chars().take(24)));
    }
    Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_in_many_ways() {
        let cases = [
            ("My name is Alice.", Some("Alice")),
            ("my name is bob", Some("Bob")),
            ("Call me Anna Maria, please", Some("Anna Maria")),
            ("Hi, I'm Emma.", Some("Emma")),
            ("This is John.", Some("John")),
            ("Меня зовут Анна", None),
            ("My name is Анна", Some("Анна")),
            ("I am tired.", None),
            ("I'm very happy.", None),
            ("What is my name?", None),
            ("Do you know my name is Bob", None),
            ("This is Monday", None),
            ("I am in London", None),
            ("my name is", None),
        ];
        for (said, expected) in cases {
            assert_eq!(told_name(said, false).as_deref(), expected, "{said}");
        }
        assert_eq!(told_name("Sarah.", true).as_deref(), Some("Sarah"));
        assert_eq!(told_name("Yes.", true), None);
    }
}
