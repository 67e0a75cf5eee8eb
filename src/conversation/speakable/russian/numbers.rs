//! Russian number words, in every case and gender.

/// The six cases, in the order of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    Nominative,
    Genitive,
    Dative,
    Accusative,
    Instrumental,
    Prepositional,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gender {
    Masculine,
    Feminine,
    Neuter,
}

/// What an adjective agrees with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Agreement {
    One(Gender),
    Many,
}

type Forms = [&'static str; 6];

const ZERO: Forms = ["ноль", "нуля", "нулю", "ноль", "нулём", "нуле"];
const ONE: [Forms; 3] = [
    ["один", "одного", "одному", "один", "одним", "одном"],
    ["одна", "одной", "одной", "одну", "одной", "одной"],
    ["одно", "одного", "одному", "одно", "одним", "одном"],
];
const TWO: Forms = ["два", "двух", "двум", "два", "двумя", "двух"];
const THREE: Forms = ["три", "трёх", "трём", "три", "тремя", "трёх"];
const FOUR: Forms = ["четыре", "четырёх", "четырём", "четыре", "четырьмя", "четырёх"];
/// 5 to 20, without the soft sign they end in.
const SOFT: [&str; 16] = [
    "пят",
    "шест",
    "сем",
    "восем",
    "девят",
    "десят",
    "одиннадцат",
    "двенадцат",
    "тринадцат",
    "четырнадцат",
    "пятнадцат",
    "шестнадцат",
    "семнадцат",
    "восемнадцат",
    "девятнадцат",
    "двадцат",
];
const SOFT_ENDS: Forms = ["ь", "и", "и", "ь", "ью", "и"];
const HUNDREDS_ENDS: Forms = ["сот", "сот", "стам", "сот", "стами", "стах"];

pub(super) const THOUSAND: Noun =
    Noun::new("тысяч", Gender::Feminine, &["а", "и", "е", "у", "ей", "е"], &["и", "", "ам", "и", "ами", "ах"]);
pub(super) const MILLION: Noun = hard("миллион");
pub(super) const BILLION: Noun = hard("миллиард");
pub(super) const TRILLION: Noun = hard("триллион");

/// A masculine noun like "метр".
pub(super) const fn hard(stem: &'static str) -> Noun {
    Noun::new(stem, Gender::Masculine, &["", "а", "у", "", "ом", "е"], &["ы", "ов", "ам", "ы", "ами", "ах"])
}

/// A noun: its stem and endings.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noun {
    stem: &'static str,
    pub gender: Gender,
    one: &'static Forms,
    many: &'static Forms,
    /// What always follows it: "в час".
    tail: &'static str,
    /// The stem of an adjective before it: "квадратн".
    before: &'static str,
}

impl Noun {
    pub const fn new(stem: &'static str, gender: Gender, one: &'static Forms, many: &'static Forms) -> Self {
        Self { stem, gender, one, many, tail: "", before: "" }
    }

    pub const fn followed_by(self, tail: &'static str) -> Self {
        Self { tail, ..self }
    }

    pub const fn called(self, before: &'static str) -> Self {
        Self { before, ..self }
    }

    /// The form that goes with `number` in `case`.
    pub fn with(&self, number: u64, case: Case) -> String {
        let (tens, ones) = (number % 100, number % 10);
        let direct = matches!(case, Case::Nominative | Case::Accusative);
        match (tens, ones) {
            (11..=14, _) if direct => self.many(Case::Genitive),
            (11..=14, _) => self.many(case),
            (_, 1) => self.one(case),
            (_, 2..=4) if direct => self.few(),
            _ if direct => self.many(Case::Genitive),
            _ => self.many(case),
        }
    }

    pub fn one(&self, case: Case) -> String {
        self.whole(self.one[case as usize], Agreement::One(self.gender), case)
    }

    pub fn many(&self, case: Case) -> String {
        self.whole(self.many[case as usize], Agreement::Many, case)
    }

    /// Two to four of it: the noun stands in the singular, its adjective in the plural.
    fn few(&self) -> String {
        self.whole(self.one[Case::Genitive as usize], Agreement::Many, Case::Genitive)
    }

    fn whole(&self, end: &str, agreement: Agreement, case: Case) -> String {
        let before = if self.before.is_empty() { String::new() } else { adjective(self.before, agreement, case) + " " };
        format!("{before}{}{end}{}", self.stem, self.tail)
    }
}

/// `number` in `case`, for things of `gender`.
pub(super) fn cardinal(number: u64, case: Case, gender: Gender) -> String {
    if number == 0 {
        return ZERO[case as usize].into();
    }
    let mut words = Vec::new();
    let groups = [(1_000_000_000_000, TRILLION), (1_000_000_000, BILLION), (1_000_000, MILLION), (1_000, THOUSAND)];
    let mut rest = number;
    for (size, noun) in groups {
        let count = rest / size;
        rest %= size;
        if count == 1 && words.is_empty() {
            words.push(noun.one(case));
        } else if count > 0 {
            words.push(cardinal(count, case, noun.gender));
            words.push(noun.with(count, case));
        }
    }
    below_thousand(rest, case, gender, &mut words);
    words.join(" ")
}

fn below_thousand(number: u64, case: Case, gender: Gender, words: &mut Vec<String>) {
    let at = case as usize;
    match number / 100 {
        0 => {}
        1 => words.push(["сто", "ста", "ста", "сто", "ста", "ста"][at].into()),
        2 => words.push(["двести", "двухсот", "двумстам", "двести", "двумястами", "двухстах"][at].into()),
        3 => words.push(["триста", "трёхсот", "трёмстам", "триста", "тремястами", "трёхстах"][at].into()),
        4 => words
            .push(["четыреста", "четырёхсот", "четырёмстам", "четыреста", "четырьмястами", "четырёхстах"][at].into()),
        hundreds => words.push(format!("{}{}{}", soft(hundreds), SOFT_ENDS[at], HUNDREDS_ENDS[at])),
    }
    let rest = number % 100;
    let ones = if rest <= 20 {
        rest
    } else {
        words.push(tens(rest / 10, at));
        rest % 10
    };
    let one = match ones {
        0 => return,
        1 => ONE[gender as usize][at].to_owned(),
        2 if gender == Gender::Feminine && matches!(case, Case::Nominative | Case::Accusative) => "две".to_owned(),
        2 => TWO[at].to_owned(),
        3 => THREE[at].to_owned(),
        4 => FOUR[at].to_owned(),
        _ => format!("{}{}", soft(ones), SOFT_ENDS[at]),
    };
    words.push(one);
}

fn soft(number: u64) -> &'static str {
    SOFT[(number as usize).clamp(5, 20) - 5]
}

fn tens(tens: u64, at: usize) -> String {
    match tens {
        2 => format!("двадцат{}", SOFT_ENDS[at]),
        3 => format!("тридцат{}", SOFT_ENDS[at]),
        4 => if at == 0 || at == 3 { "сорок" } else { "сорока" }.into(),
        9 => if at == 0 || at == 3 { "девяносто" } else { "девяноста" }.into(),
        _ => {
            let end = ["", "и", "и", "", "ью", "и"][at];
            format!("{}{}десят{end}", soft(tens), SOFT_ENDS[at])
        }
    }
}

const ORDINALS: [&str; 21] = [
    "нулев",
    "перв",
    "втор",
    "трет",
    "четвёрт",
    "пят",
    "шест",
    "седьм",
    "восьм",
    "девят",
    "десят",
    "одиннадцат",
    "двенадцат",
    "тринадцат",
    "четырнадцат",
    "пятнадцат",
    "шестнадцат",
    "семнадцат",
    "восемнадцат",
    "девятнадцат",
    "двадцат",
];

/// "первый", "две тысячи двадцать шестом".
pub(super) fn ordinal(number: u64, agreement: Agreement, case: Case) -> String {
    let said =
        |rest: u64| if rest == 0 { String::new() } else { cardinal(rest, Case::Nominative, Gender::Masculine) + " " };
    let last = match number % 100 {
        low @ 1..=20 => low,
        low if low % 10 > 0 => low % 10,
        low => low,
    };
    let (head, stem) = match number {
        0..=20 => (String::new(), ORDINALS[number as usize].to_owned()),
        _ if last > 0 && last <= 20 => (said(number - last), ORDINALS[last as usize].to_owned()),
        _ if last > 20 => {
            let stem = match last / 10 {
                3 => "тридцат".into(),
                4 => "сороков".into(),
                9 => "девяност".into(),
                tens => format!("{}идесят", soft(tens)),
            };
            (said(number - last), stem)
        }
        _ if !number.is_multiple_of(1_000) => {
            let hundreds = number % 1_000 / 100;
            (said(number - hundreds * 100), format!("{}сот", joined(hundreds)))
        }
        _ if !number.is_multiple_of(1_000_000) => {
            let thousands = number % 1_000_000 / 1_000;
            (said(number - thousands * 1_000), format!("{}тысячн", joined(thousands)))
        }
        _ => (said(number / 1_000_000).trim_start_matches("один ").to_owned(), "миллионн".to_owned()),
    };
    if stem == "трет" {
        return format!("{head}{}", third(agreement, case));
    }
    format!("{head}{}", adjective(&stem, agreement, case))
}

/// A number as the beginning of a longer word: "двух", "пяти", "двадцатитрёх".
fn joined(number: u64) -> String {
    match number {
        1 => String::new(),
        100 => "сто".into(),
        90 => "девяносто".into(),
        _ => cardinal(number, Case::Genitive, Gender::Masculine).replace(' ', "").replace("одного", "одно"),
    }
}

fn third(agreement: Agreement, case: Case) -> &'static str {
    let at = case as usize;
    match agreement {
        Agreement::One(Gender::Masculine) => ["третий", "третьего", "третьему", "третий", "третьим", "третьем"][at],
        Agreement::One(Gender::Neuter) => ["третье", "третьего", "третьему", "третье", "третьим", "третьем"][at],
        Agreement::One(Gender::Feminine) => ["третья", "третьей", "третьей", "третью", "третьей", "третьей"][at],
        Agreement::Many => ["третьи", "третьих", "третьим", "третьи", "третьими", "третьих"][at],
    }
}

/// Adjectives whose masculine ends in a stressed "ой".
const STRESSED: [&str; 6] = ["втор", "шест", "седьм", "восьм", "сороков", "молод"];

/// An adjective by its stem: "перв", "квадратн", "кубическ".
pub(super) fn adjective(stem: &str, agreement: Agreement, case: Case) -> String {
    let after_k = stem.ends_with('к');
    let masculine = if STRESSED.contains(&stem) {
        "ой"
    } else if after_k {
        "ий"
    } else {
        "ый"
    };
    let (ym, ye, yh, ymi) =
        if after_k { ("им", "ие", "их", "ими") } else { ("ым", "ые", "ых", "ыми") };
    let ends: Forms = match agreement {
        Agreement::One(Gender::Masculine) => [masculine, "ого", "ому", masculine, ym, "ом"],
        Agreement::One(Gender::Neuter) => ["ое", "ого", "ому", "ое", ym, "ом"],
        Agreement::One(Gender::Feminine) => ["ая", "ой", "ой", "ую", "ой", "ой"],
        Agreement::Many => [ye, yh, ym, ye, ymi, yh],
    };
    format!("{stem}{}", ends[case as usize])
}

/// What stands behind the comma: "пять десятых". `None` if that is longer than thousandths.
pub(super) fn decimals(digits: &str, case: Case) -> Option<String> {
    let place = ["десят", "сот", "тысячн"].get(digits.len().checked_sub(1)?)?;
    let number: u64 = digits.parse().ok()?;
    let one = number % 10 == 1 && number % 100 != 11;
    let direct = matches!(case, Case::Nominative | Case::Accusative);
    let place = match (one, direct) {
        (true, _) => adjective(place, Agreement::One(Gender::Feminine), case),
        (false, true) => adjective(place, Agreement::Many, Case::Genitive),
        (false, false) => adjective(place, Agreement::Many, case),
    };
    Some(format!("{} {place}", cardinal(number, case, Gender::Feminine)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use Agreement::{Many, One};
    use Case::*;
    use Gender::*;

    #[test]
    fn cardinals_have_cases_and_genders() {
        for (number, case, gender, said) in [
            (0, Nominative, Masculine, "ноль"),
            (1, Nominative, Feminine, "одна"),
            (21, Accusative, Feminine, "двадцать одну"),
            (22, Nominative, Feminine, "двадцать две"),
            (22, Genitive, Feminine, "двадцати двух"),
            (12, Nominative, Feminine, "двенадцать"),
            (58, Instrumental, Masculine, "пятьюдесятью восемью"),
            (146, Genitive, Masculine, "ста сорока шести"),
            (500, Prepositional, Masculine, "пятистах"),
            (1_000, Nominative, Masculine, "тысяча"),
            (2_026, Nominative, Masculine, "две тысячи двадцать шесть"),
            (5_000_000, Dative, Masculine, "пяти миллионам"),
            (21_001, Nominative, Masculine, "двадцать одна тысяча один"),
        ] {
            assert_eq!(cardinal(number, case, gender), said);
        }
    }

    #[test]
    fn ordinals_agree() {
        for (number, agreement, case, said) in [
            (1, One(Masculine), Nominative, "первый"),
            (2, One(Masculine), Nominative, "второй"),
            (3, One(Feminine), Genitive, "третьей"),
            (3, One(Neuter), Genitive, "третьего"),
            (21, One(Neuter), Genitive, "двадцать первого"),
            (40, One(Masculine), Nominative, "сороковой"),
            (50, Many, Genitive, "пятидесятых"),
            (90, Many, Nominative, "девяностые"),
            (100, One(Masculine), Nominative, "сотый"),
            (200, One(Masculine), Nominative, "двухсотый"),
            (1_941, One(Masculine), Prepositional, "тысяча девятьсот сорок первом"),
            (2_000, One(Masculine), Nominative, "двухтысячный"),
            (2_026, One(Masculine), Prepositional, "две тысячи двадцать шестом"),
            (1_900, One(Masculine), Genitive, "тысяча девятисотого"),
        ] {
            assert_eq!(ordinal(number, agreement, case), said);
        }
    }

    #[test]
    fn nouns_go_with_their_number() {
        let metre = hard("метр");
        assert_eq!(
            [1, 2, 5, 11, 21, 112].map(|number| metre.with(number, Nominative)),
            ["метр", "метра", "метров", "метров", "метр", "метров"]
        );
        assert_eq!(metre.with(3, Prepositional), "метрах");
        let square = metre.called("квадратн");
        assert_eq!(
            [1, 3, 5].map(|number| square.with(number, Nominative)),
            ["квадратный метр", "квадратных метра", "квадратных метров"]
        );
        assert_eq!(decimals("5", Nominative).as_deref(), Some("пять десятых"));
        assert_eq!(decimals("21", Nominative).as_deref(), Some("двадцать одна сотая"));
        assert_eq!(decimals("1234", Nominative), None);
    }
}
