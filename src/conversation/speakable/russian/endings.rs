//! Numbers with an ending written behind them: `1-й`, `90-х`, `100%-й`.

use super::{
    super::place::Place,
    context,
    numbers::{Agreement, Case, Gender, cardinal, ordinal},
};

/// `1-й`, `90-х`: the ending that is written says which form it is.
pub(super) fn with_ending(place: Place, value: u64, after: &str) -> Option<(usize, String)> {
    use Case::{Accusative, Dative, Genitive, Instrumental, Nominative, Prepositional};
    use Gender::{Feminine, Masculine, Neuter};
    let rest = after.strip_prefix(['-', '‑'])?;
    let bytes = after.len() - rest.len();
    let end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
    let ending = &rest[..end];
    let noun = context::counted(&rest[end..]);
    let noun_ends = |ends: &[&str]| ends.iter().any(|end| noun.ends_with(end));
    let before = place.word_before();
    let one = Agreement::One;
    let (agreement, case) = match ending {
        "й" | "ый" | "ой" | "ий" | "ей" => {
            let oblique =
                !before.is_empty() && noun_ends(&["е", "и", "ы", "ой", "ей"]) && ending != "ый" && ending != "ий";
            if oblique { (one(Feminine), Genitive) } else { (one(Masculine), Nominative) }
        }
        "я" | "ая" => (one(Feminine), Nominative),
        "ю" | "ую" => (one(Feminine), Accusative),
        "е" | "ое" | "ье" if noun_ends(&["о", "е", "ё", "мя"]) || ending == "ое" => {
            (one(Neuter), Nominative)
        }
        "е" | "ые" | "ие" => (Agreement::Many, Nominative),
        "го" | "ого" | "его" => (one(Masculine), Genitive),
        "му" | "ому" | "ему" => (one(Masculine), Dative),
        "м" if ["в", "во", "на", "о", "об", "при"].contains(&before.as_str()) => {
            (one(Masculine), Prepositional)
        }
        "ом" | "ем" => (one(Masculine), Prepositional),
        "м" if noun_ends(&["ам", "ям"]) => (Agreement::Many, Dative),
        "м" | "ым" | "им" => (one(Masculine), Instrumental),
        "х" | "ых" | "их" => (Agreement::Many, Genitive),
        "ми" | "ыми" | "ими" => (Agreement::Many, Instrumental),
        // "5-летний", "40-часовая": joined.
        _ if ending.chars().count() > 3 && value <= 1_000 => {
            let joined = cardinal(value, Genitive, Masculine).replace("одного", "одно").replace(' ', "");
            return Some((bytes + end, format!("{joined}{ending}")));
        }
        _ => return None,
    };
    Some((bytes + end, ordinal(value, agreement, case)))
}

/// `100%-й`: "стопроцентный".
pub(super) fn percent_adjective(value: u64, after: &str) -> Option<(usize, String)> {
    let rest = after.strip_prefix("%-")?;
    let end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
    let ending = match &rest[..end] {
        "й" => "ный",
        "я" => "ная",
        "е" => "ное",
        "го" => "ного",
        "му" => "ному",
        "м" => "ном",
        "х" => "ных",
        whole if whole.starts_with('н') => whole,
        _ => return None,
    };
    let joined = match value {
        100 => "сто".to_owned(),
        _ => cardinal(value, Case::Genitive, Gender::Masculine).replace("одного", "одно").replace(' ', ""),
    };
    Some((2 + end, format!("{joined}процент{ending}")))
}
