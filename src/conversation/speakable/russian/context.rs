//! In which case and gender a number stands, by the words around it: as far as endings and prepositions tell.

use super::{
    super::place::{Place, word_after},
    numbers::{Case, Gender},
};

/// The word that a number counts, past the adjectives before it, in lower case; empty if none follows.
pub(super) fn counted(after: &str) -> String {
    let mut rest = after;
    for _ in 0..2 {
        let word = word_after(rest);
        if word.is_empty() || !rest.starts_with(|c: char| c.is_whitespace()) || !is_cyrillic(word) {
            return String::new();
        }
        let lower = word.to_lowercase();
        if !is_adjective(&lower) {
            return lower;
        }
        let at = rest.find(word).unwrap_or(0) + word.len();
        let next = &rest[at..];
        if word_after(next).is_empty() || !next.starts_with(' ') {
            return lower;
        }
        rest = next;
    }
    word_after(rest).to_lowercase()
}

fn is_adjective(word: &str) -> bool {
    let ends = [
        "ых", "их", "ые", "ие", "ый", "ий", "ая", "яя", "ое", "ее", "ого", "его", "ому", "ему", "ую", "юю", "ыми",
        "ими",
    ];
    word.chars().count() > 4 && ends.iter().any(|end| word.ends_with(end))
}

fn is_cyrillic(word: &str) -> bool {
    word.chars().all(|c| matches!(c, 'а'..='я' | 'А'..='Я' | 'ё' | 'Ё'))
}

/// The case of the number at `place`, which `after` follows.
pub(super) fn case(place: Place, after: &str) -> Case {
    by_noun(after).or_else(|| by_preposition(place, after)).unwrap_or_else(|| {
        // "двадцать одну минуту"
        if counted(after).ends_with(['у', 'ю']) { Case::Accusative } else { Case::Nominative }
    })
}

fn by_noun(after: &str) -> Option<Case> {
    let first = word_after(after).to_lowercase();
    let noun = counted(after);
    let of = |word: &str| {
        let short = word.chars().count() <= 3;
        if short || ["там", "сам", "вам", "нам"].contains(&word) {
            None
        } else if ["ами", "ями", "ьми", "ыми", "ими"].iter().any(|end| word.ends_with(end)) {
            Some(Case::Instrumental)
        } else if ["ах", "ях"].iter().any(|end| word.ends_with(end)) {
            Some(Case::Prepositional)
        } else if ["ам", "ям"].iter().any(|end| word.ends_with(end)) {
            Some(Case::Dative)
        } else {
            None
        }
    };
    if noun.is_empty() { None } else { of(&noun).or_else(|| of(&first)) }
}

/// The case the word before asks for.
pub(super) fn by_preposition(place: Place, after: &str) -> Option<Case> {
    let before = place.word_before();
    Some(match before.as_str() {
        "до" | "от" | "из" | "без" | "для" | "около" | "после" | "свыше" | "более" | "менее" | "больше" | "меньше"
        | "порядка" | "у" | "кроме" | "старше" | "младше" | "выше" | "ниже" | "дольше" | "с" | "со" | "против"
        | "вокруг" | "дешевле" | "дороже" | "течение" | "возрасте" => Case::Genitive,
        "к" | "ко" | "равно" | "равен" | "равна" | "равны" | "равняется" | "благодаря" => {
            Case::Dative
        }
        "между" | "перед" | "над" | "под" => Case::Instrumental,
        "о" | "об" | "при" => Case::Prepositional,
        // "в пяти километрах от": how far.
        "в" if word_after(skip_word(after)) == "от" => Case::Prepositional,
        "в" | "во" | "на" | "через" | "за" | "про" => Case::Accusative,
        _ => return range_end(place),
    })
}

/// `от 5 до 10` is settled by its words; in `между 5 и 10` the second number has the case of the first.
fn range_end(place: Place) -> Option<Case> {
    let before = place.before().trim_end().strip_suffix(" и")?;
    let mut words = before.rsplit(' ');
    let number = words.next()?.starts_with(|c: char| c.is_ascii_digit());
    (number && words.next()?.to_lowercase() == "между").then_some(Case::Instrumental)
}

fn skip_word(text: &str) -> &str {
    let rest = text.trim_start();
    &rest[rest.find(char::is_whitespace).unwrap_or(rest.len())..]
}

/// Words that are counted by nobody, though they end like nouns.
const NO_NOUNS: &[&str] = &[
    "или",
    "либо",
    "если",
    "были",
    "они",
    "чтобы",
    "стали",
    "для",
    "после",
    "более",
    "менее",
    "тоже",
    "уже",
    "также",
    "ещё",
    "еще",
    "это",
    "эти",
    "вместо",
    "около",
    "кроме",
    "через",
    "плюс",
    "минус",
    "где",
    "все",
    "всё",
    "сразу",
    "только",
];

/// The gender of what is counted; the ending is that of the form that goes with `number`.
pub(super) fn gender(number: u64, case: Case, after: &str) -> Gender {
    let noun = counted(after);
    let ends = |ends: &[&str]| ends.iter().any(|end| noun.ends_with(end));
    let direct = matches!(case, Case::Nominative | Case::Accusative);
    if noun.chars().count() < 3 || NO_NOUNS.contains(&noun.as_str()) || matches!(number % 100, 11..=14) {
        return Gender::Masculine;
    }
    match number % 10 {
        1 if ends(&["мя"]) => Gender::Neuter,
        1 if direct && ends(&["о", "е", "ё"]) => Gender::Neuter,
        1 if direct
            && (ends(&["а", "я", "у", "ю", "ость", "знь", "чь", "шь", "жь"]) || FEMININE.contains(&noun.as_str())) =>
        {
            Gender::Feminine
        }
        1 if case == Case::Genitive && ends(&["ы", "и"]) => Gender::Feminine,
        1 if case == Case::Dative && ends(&["е", "и"]) => Gender::Feminine,
        1 if case == Case::Instrumental && ends(&["ой", "ей", "ью"]) => Gender::Feminine,
        2 if direct && ends(&["ы", "и"]) && noun != "пути" => Gender::Feminine,
        _ => Gender::Masculine,
    }
}

/// Nouns in a soft sign that are not known by their ending.
const FEMININE: &[&str] = &[
    "часть",
    "степень",
    "роль",
    "цель",
    "связь",
    "запись",
    "область",
    "площадь",
    "лошадь",
    "модель",
    "дверь",
    "кровать",
    "тетрадь",
    "неделя",
    "сеть",
    "треть",
    "очередь",
];
