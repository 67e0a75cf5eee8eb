//! Symbols and abbreviations as words, in English or Russian; what cannot be said is dropped.

/// `text` with its symbols spelt out.
pub(super) fn spell(text: &str, russian: bool) -> String {
    let mut spoken = String::with_capacity(text.len() + 16);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let previous = spoken.chars().next_back();
        let next = chars.peek().copied();
        let digit_before = previous.is_some_and(|c| c.is_ascii_digit());
        let digit_after = next.is_some_and(|c| c.is_ascii_digit());
        let numbers = spoken.trim_end().ends_with(|c: char| c.is_ascii_digit());
        let (en, ru) = match c {
            '&' => ("and", "и"),
            '×' | '∙' if numbers => ("times", "умножить на"),
            '÷' if numbers => ("divided by", "разделить на"),
            '−' if digit_after => ("minus", "минус"),
            '±' => ("plus or minus", "плюс-минус"),
            '≈' => ("about", "примерно"),
            '~' if digit_after => ("about", "около"),
            '≤' => ("at most", "не больше"),
            '≥' => ("at least", "не меньше"),
            '≠' => ("is not", "не равно"),
            '→' | '⇒' => ("to", "в"),
            '№' => ("number", "номер"),
            '#' if digit_after => ("number", "номер"),
            '#' if previous.is_some_and(|c| matches!(c, 'C' | 'F')) => ("sharp", "шарп"),
            '–' if digit_before && digit_after => ("to", "до"),
            '°' if matches!(next, Some('C' | 'F')) => {
                let unit = chars.next();
                if unit == Some('C') {
                    ("degrees Celsius", "градусов Цельсия")
                } else {
                    ("degrees Fahrenheit", "градусов Фаренгейта")
                }
            }
            '°' => ("degrees", "градусов"),
            '$' | '€' | '£' | '₽' if digit_after => {
                while let Some(part) = chars.next_if(|c| c.is_ascii_digit() || matches!(c, '.' | ',')) {
                    spoken.push(part);
                }
                // A mark that ends the sentence goes after the currency.
                let mark = spoken.ends_with(['.', ',']).then(|| spoken.pop()).flatten();
                spoken.push(' ');
                spoken.push_str(currency(c, russian));
                spoken.extend(mark);
                continue;
            }
            '$' | '€' | '£' | '₽' if digit_before || previous == Some(' ') && numbers => {
                (currency(c, false), currency(c, true))
            }
            '<' if numbers && next == Some(' ') => ("is less than", "меньше"),
            '>' if numbers && next == Some(' ') => ("is more than", "больше"),
            '^' if digit_before && digit_after => ("to the power of", "в степени"),
            '|' => {
                spoken.push_str(", ");
                continue;
            }
            '*' | '#' | '~' | '^' | '<' | '>' | '{' | '}' | '[' | ']' | '$' => {
                if !(previous.is_none_or(char::is_whitespace) || next.is_none_or(char::is_whitespace)) {
                    spoken.push(' ');
                }
                continue;
            }
            c if is_unspeakable(c) => continue,
            c => {
                spoken.push(c);
                continue;
            }
        };
        push_word(&mut spoken, if russian { ru } else { en });
    }
    expand(&spoken)
}

fn push_word(spoken: &mut String, word: &str) {
    spoken.push(' ');
    spoken.push_str(word);
    spoken.push(' ');
}

fn currency(sign: char, russian: bool) -> &'static str {
    match (sign, russian) {
        ('$', false) => "dollars",
        ('$', true) => "долларов",
        ('€', false) => "euros",
        ('€', true) => "евро",
        ('£', false) => "pounds",
        ('£', true) => "фунтов",
        (_, false) => "roubles",
        (_, true) => "рублей",
    }
}

/// Emoji and their joiners, pictures, private and invisible characters.
fn is_unspeakable(c: char) -> bool {
    c.is_control() && !c.is_whitespace()
        || matches!(c,
            '©' | '®' | '™'
            | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{20d0}'..='\u{20ff}' | '\u{2190}'..='\u{21ff}' | '\u{2300}'..='\u{23ff}' | '\u{2460}'..='\u{27bf}'
            | '\u{2900}'..='\u{297f}' | '\u{2b00}'..='\u{2bff}' | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}'
            | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}'
            | '\u{1f000}'..='\u{1faff}' | '\u{e0000}'..='\u{10ffff}')
}

/// Abbreviations a voice would stop at or spell.
const WORDS: &[(&str, &str)] = &[
    ("Mr.", "Mister"),
    ("Mrs.", "Missus"),
    ("Ms.", "Miss"),
    ("Dr.", "Doctor"),
    ("Prof.", "Professor"),
    ("vs.", "versus"),
    ("e.g.", "for example"),
    ("i.e.", "that is"),
    ("approx.", "about"),
    ("etc.", "et cetera."),
    ("т.е.", "то есть"),
    ("т.к.", "так как"),
    ("т.д.", "так далее."),
    ("т.п.", "тому подобное."),
    ("т.н.", "так называемый"),
    ("напр.", "например"),
    ("ул.", "улица"),
    ("руб.", "рублей"),
    ("тыс.", "тысяч"),
    ("млн", "миллионов"),
    ("млрд", "миллиардов"),
    ("др.", "другие."),
    ("см.", "смотри"),
    ("стр.", "страница"),
    ("рис.", "рисунок"),
];

fn expand(text: &str) -> String {
    // "т. е." and "т.е." are the same; so are "e. g." and "e.g.".
    let mut joined = text.to_owned();
    for (spaced, tight) in [
        ("т. е.", "т.е."),
        ("т. к.", "т.к."),
        ("т. д.", "т.д."),
        ("т. п.", "т.п."),
        ("т. н.", "т.н."),
        ("e. g.", "e.g."),
        ("i. e.", "i.e."),
    ] {
        if joined.contains(spaced) {
            joined = joined.replace(spaced, tight);
        }
    }
    let mut spoken = String::with_capacity(joined.len());
    let mut words = joined.split(' ').peekable();
    while let Some(word) = words.next() {
        let core = word.trim_start_matches(['(', '"', '«', '“']);
        let marks = core.trim_end_matches([',', ';', ':', ')', '"', '»', '”', '!', '?']);
        match WORDS.iter().find(|(short, _)| *short == marks) {
            Some((_, long)) => {
                spoken.push_str(&word[..word.len() - core.len()]);
                let rest = &core[marks.len()..];
                // Its stop was also the sentence's only if nothing follows.
                let ends = rest.is_empty() && words.peek().is_none();
                spoken.push_str(if ends { long } else { long.trim_end_matches('.') });
                spoken.push_str(rest);
            }
            None => spoken.push_str(word),
        }
        if words.peek().is_some() {
            spoken.push(' ');
        }
    }
    spoken
}
