//! Symbols as words, in the language of the voice. English and Russian have all of them; other languages have the usual
//! ones, and leave to the voice what it knows itself. What nobody can say is dropped.

use super::place::Place;

/// The words of one language for what its voice would say in English, or not at all.
struct Words {
    language: &'static str,
    and: &'static str,
    celsius: &'static str,
    fahrenheit: &'static str,
    euros: &'static str,
    dollars: &'static str,
    pounds: &'static str,
    number: &'static str,
    times: &'static str,
    about: &'static str,
    plus_minus: &'static str,
}

macro_rules! words {
    ($($language:literal: $and:literal $celsius:literal $fahrenheit:literal $euros:literal $dollars:literal $pounds:literal
        $number:literal $times:literal $about:literal $plus_minus:literal;)*) => {
        &[$(Words {
            language: $language, and: $and, celsius: $celsius, fahrenheit: $fahrenheit, euros: $euros, dollars: $dollars,
            pounds: $pounds, number: $number, times: $times, about: $about, plus_minus: $plus_minus,
        }),*]
    };
}

const WORDS: &[Words] = words! {
    "de": "und" "Grad Celsius" "Grad Fahrenheit" "Euro" "Dollar" "Pfund" "Nummer" "mal" "ungefähr" "plus minus";
    "fr": "et" "degrés Celsius" "degrés Fahrenheit" "euros" "dollars" "livres" "numéro" "fois" "environ" "plus ou moins";
    "es": "y" "grados Celsius" "grados Fahrenheit" "euros" "dólares" "libras" "número" "por" "aproximadamente" "más menos";
    "it": "e" "gradi Celsius" "gradi Fahrenheit" "euro" "dollari" "sterline" "numero" "per" "circa" "più o meno";
    "pt": "e" "graus Celsius" "graus Fahrenheit" "euros" "dólares" "libras" "número" "vezes" "cerca de" "mais ou menos";
    "nl": "en" "graden Celsius" "graden Fahrenheit" "euro" "dollar" "pond" "nummer" "keer" "ongeveer" "plus min";
    "sv": "och" "grader Celsius" "grader Fahrenheit" "euro" "dollar" "pund" "nummer" "gånger" "ungefär" "plus minus";
    "no": "og" "grader celsius" "grader fahrenheit" "euro" "dollar" "pund" "nummer" "ganger" "omtrent" "pluss minus";
    "da": "og" "grader celsius" "grader fahrenheit" "euro" "dollar" "pund" "nummer" "gange" "cirka" "plus minus";
    "fi": "ja" "celsiusastetta" "fahrenheitastetta" "euroa" "dollaria" "puntaa" "numero" "kertaa" "noin" "plus miinus";
    "pl": "i" "stopni Celsjusza" "stopni Fahrenheita" "euro" "dolarów" "funtów" "numer" "razy" "około" "plus minus";
    "cs": "a" "stupňů Celsia" "stupňů Fahrenheita" "eur" "dolarů" "liber" "číslo" "krát" "přibližně" "plus minus";
    "sk": "a" "stupňov Celzia" "stupňov Fahrenheita" "eur" "dolárov" "libier" "číslo" "krát" "približne" "plus mínus";
    "uk": "і" "градусів Цельсія" "градусів Фаренгейта" "євро" "доларів" "фунтів" "номер" "помножити на" "приблизно" "плюс-мінус";
    "be": "і" "градусаў Цэльсія" "градусаў Фарэнгейта" "еўра" "долараў" "фунтаў" "нумар" "памножыць на" "прыблізна" "плюс-мінус";
    "bg": "и" "градуса по Целзий" "градуса по Фаренхайт" "евро" "долара" "паунда" "номер" "по" "около" "плюс-минус";
    "sr": "и" "степени Целзијуса" "степени Фаренхајта" "евра" "долара" "фунти" "број" "пута" "око" "плус минус";
    "hr": "i" "stupnjeva Celzija" "stupnjeva Fahrenheita" "eura" "dolara" "funti" "broj" "puta" "oko" "plus minus";
    "ro": "și" "grade Celsius" "grade Fahrenheit" "euro" "dolari" "lire" "numărul" "ori" "aproximativ" "plus minus";
    "hu": "és" "Celsius-fok" "Fahrenheit-fok" "euró" "dollár" "font" "szám" "szorozva" "körülbelül" "plusz mínusz";
    "tr": "ve" "santigrat derece" "fahrenhayt derece" "avro" "dolar" "sterlin" "numara" "çarpı" "yaklaşık" "artı eksi";
    "el": "και" "βαθμοί Κελσίου" "βαθμοί Φαρενάιτ" "ευρώ" "δολάρια" "λίρες" "αριθμός" "επί" "περίπου" "συν πλην";
    "ca": "i" "graus Celsius" "graus Fahrenheit" "euros" "dòlars" "lliures" "número" "per" "aproximadament" "més menys";
};

/// Signs of several characters: arrows, comparisons, a dash made of hyphens.
const SIGNS: &[(&str, &str, &str)] = &[
    (" --- ", " —", " —"),
    (" -- ", " —", " —"),
    ("===", "", ""),
    ("==", "equals", "равно"),
    ("!=", "is not", "не равно"),
    ("<=", "at most", "не больше"),
    (">=", "at least", "не меньше"),
    ("-->", ",", ","),
    ("->", ",", ","),
    ("=>", ",", ","),
    ("+/-", "plus or minus", "плюс-минус"),
];

/// A symbol at `place` in English (`russian`: in Russian), and the bytes it takes.
pub(super) fn read(place: Place, russian: bool) -> Option<(usize, &'static str)> {
    for (sign, en, ru) in SIGNS {
        if place.rest().starts_with(sign) {
            return Some((sign.len(), if russian { ru } else { en }));
        }
    }
    let c = place.rest().chars().next()?;
    let (before, after) = (place.before().trim_end(), place.after(c.len_utf8()));
    let next = after.chars().next();
    let digit_after = after.trim_start().starts_with(|c: char| c.is_ascii_digit());
    let right_after = next.is_some_and(|c| c.is_ascii_digit());
    let numbers = before.ends_with(|c: char| c.is_ascii_digit() || c == ')') && digit_after;
    let (en, ru) = match c {
        '&' => ("and", "и"),
        '×' | '∙' | '⋅' if numbers => ("times", "умножить на"),
        '÷' if numbers => ("divided by", "разделить на"),
        '+' if numbers => ("plus", "плюс"),
        '−' if numbers => ("minus", "минус"),
        '-' if numbers && next == Some(' ') && place.previous() == Some(' ') => ("minus", "минус"),
        '=' => ("equals", "равно"),
        '±' => ("plus or minus", "плюс-минус"),
        '≈' => ("about", "примерно"),
        '~' if right_after => ("about", "около"),
        '≤' => ("at most", "не больше"),
        '≥' => ("at least", "не меньше"),
        '≠' => ("is not", "не равно"),
        '→' | '⇒' => (",", ","),
        '√' => ("the square root of", "корень из"),
        '∞' => ("infinity", "бесконечность"),
        'π' if !before.ends_with(char::is_alphabetic) && !next.is_some_and(char::is_alphabetic) => ("pi", "пи"),
        '№' => ("number", "номер"),
        '#' if right_after => ("number", "номер"),
        '#' if matches!(place.previous(), Some('C' | 'F')) => ("sharp", "шарп"),
        '%' => ("percent", "процентов"),
        '§' => ("section", "параграф"),
        '<' if numbers && next == Some(' ') => ("is less than", "меньше"),
        '>' if numbers && next == Some(' ') => ("is more than", "больше"),
        '^' if right_after && before.ends_with(char::is_alphanumeric) => ("to the power of", "в степени"),
        '²' => ("squared", "в квадрате"),
        '³' => ("cubed", "в кубе"),
        '½' => ("one half", "одна вторая"),
        '¼' => ("one quarter", "одна четверть"),
        '¾' => ("three quarters", "три четверти"),
        '⅓' => ("one third", "одна треть"),
        '⅔' => ("two thirds", "две трети"),
        '°' => ("degrees", "градусов"),
        '€' => ("euros", "евро"),
        '£' => ("pounds", "фунтов"),
        '₽' => ("roubles", "рублей"),
        '@' => ("at", "собака"),
        _ => return None,
    };
    Some((c.len_utf8(), if russian { ru } else { en }))
}

/// A symbol at `place` in `language`, neither English nor Russian; `None`: it stays with the voice.
pub(super) fn read_other(place: Place, language: &str) -> Option<(usize, &'static str)> {
    let rest = place.rest();
    let c = rest.chars().next()?;
    let next = rest[c.len_utf8()..].chars().next();
    let words = WORDS.iter().find(|words| words.language == language);
    let (len, said) = match (c, next) {
        ('°', Some('C' | 'С')) | ('℃', _) => (degrees(c, next), words.map(|words| words.celsius)),
        ('°', Some('F')) | ('℉', _) => (degrees(c, next), words.map(|words| words.fahrenheit)),
        ('&', _) => (1, words.map(|words| words.and)),
        ('€', _) => (c.len_utf8(), words.map(|words| words.euros)),
        ('$', _) => (1, words.map(|words| words.dollars)),
        ('£', _) => (c.len_utf8(), words.map(|words| words.pounds)),
        ('№', _) => (c.len_utf8(), words.map(|words| words.number)),
        ('×', _) => (c.len_utf8(), words.map(|words| words.times)),
        ('≈', _) => (c.len_utf8(), Some(words.map_or("", |words| words.about))),
        ('~', Some('0'..='9')) => (1, Some(words.map_or("", |words| words.about))),
        ('±', _) => (c.len_utf8(), Some(words.map_or("", |words| words.plus_minus))),
        // The voices say these in English or not at all.
        ('≤' | '≥' | '≠' | '→' | '⇒' | '÷' | '√' | '∞', _) => (c.len_utf8(), Some("")),
        _ => return None,
    };
    said.map(|said| (len, said))
}

fn degrees(sign: char, letter: Option<char>) -> usize {
    sign.len_utf8() + if sign == '°' { letter.map_or(0, char::len_utf8) } else { 0 }
}

/// The currency sign that stands before a number in `language`, behind which it is said: the bytes of both, and the words.
pub(super) fn price(place: Place, language: &str) -> Option<(usize, String)> {
    let (len, said) = read_other(place, language)?;
    let rest = place.rest().get(len..)?;
    if !place.rest().starts_with(['€', '$', '£']) || !rest.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let end = rest.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | ','))).unwrap_or(rest.len());
    // A mark that ends the sentence goes after the currency.
    let number = rest[..end].trim_end_matches(['.', ',']);
    Some((len + number.len(), format!("{number} {said}")))
}

/// What separates or marks, and is never said: `None` if `c` is none of it, else whether words on both sides are kept apart.
pub(super) fn is_mark(c: char) -> bool {
    matches!(c, '*' | '#' | '~' | '^' | '<' | '>' | '{' | '}' | '[' | ']' | '$' | '\\' | '`')
}

/// Emoji and their joiners, pictures, private and invisible characters.
pub(super) fn is_unspeakable(c: char) -> bool {
    c.is_control() && !c.is_whitespace()
        || matches!(c,
            '©' | '®' | '™' | '•' | '■' | '□' | '▪' | '▫' | '►' | '◄' | '●' | '○'
            | '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{20d0}'..='\u{20ff}' | '\u{2190}'..='\u{21ff}' | '\u{2300}'..='\u{23ff}' | '\u{2460}'..='\u{27bf}'
            | '\u{2900}'..='\u{297f}' | '\u{2b00}'..='\u{2bff}' | '\u{3030}' | '\u{303d}' | '\u{3297}' | '\u{3299}'
            | '\u{e000}'..='\u{f8ff}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}'
            | '\u{1f000}'..='\u{1faff}' | '\u{e0000}'..='\u{10ffff}')
}
