//! Which language a text is in, as far as its letters tell.

use std::ops::RangeInclusive;

/// A script, the language a text in it is taken for, and the languages that are written in it.
struct Script {
    letters: &'static [RangeInclusive<char>],
    usual: &'static str,
    written: &'static [&'static str],
    /// Languages of this script known by letters that the usual one lacks; the first that fits counts.
    marked: &'static [(&'static str, &'static str)],
}

const fn only(letters: &'static [RangeInclusive<char>], language: &'static [&'static str]) -> Script {
    Script { letters, usual: language[0], written: language, marked: &[] }
}

const SCRIPTS: &[Script] = &[
    Script {
        letters: &['\u{400}'..='\u{52f}'],
        usual: "ru",
        written: &["ru", "uk", "be", "bg", "sr", "mk", "kk", "ky", "tt", "ba", "cv", "mn", "tg", "bs", "uz"],
        marked: &[
            // Some share letters: those that are known by fewer of them come first.
            ("ba", "ҘҙҪҫҠҡ"),
            ("tt", "Җҗ"),
            ("kk", "ҒғҚқҰұ"),
            ("tt", "ӘәҺһ"),
            ("cv", "ӐӑӖӗӲӳ"),
            ("ky", "ҮүҢңӨө"),
            ("be", "Ўў"),
            ("mk", "ЃѓЌќЅѕ"),
            ("sr", "ЂђЋћЉљЊњЏџЈј"),
            ("uk", "ІіЇїЄєҐґ"),
        ],
    },
    Script {
        letters: &['\u{600}'..='\u{6ff}', '\u{750}'..='\u{77f}', '\u{fb50}'..='\u{fdff}', '\u{fe70}'..='\u{fefc}'],
        usual: "ar",
        written: &["ar", "fa", "ur", "ug", "ku", "sd", "ps"],
        marked: &[("ps", "ښړټډګڼ"), ("ug", "ۇۆۈېۋە"), ("sd", "ٻڄڃڏڊڍڙڳڱڻٺٿڀ"), ("ur", "ٹڈڑںےھہۂۓ"), ("fa", "پچژگکی")],
    },
    Script {
        letters: &['\u{900}'..='\u{97f}'],
        usual: "hi",
        written: &["hi", "mr", "ne", "sa", "kok"],
        marked: &[("mr", "ळऱ")],
    },
    Script {
        letters: &['\u{980}'..='\u{9ff}'], usual: "bn", written: &["bn", "as", "bpy"], marked: &[("as", "ৰৱ")]
    },
    // Kana and kanji; Chinese has no kana.
    Script {
        letters: &[
            '\u{3040}'..='\u{30ff}',
            '\u{31f0}'..='\u{31ff}',
            '\u{3400}'..='\u{4dbf}',
            '\u{4e00}'..='\u{9fff}',
            '\u{ff66}'..='\u{ff9f}',
        ],
        usual: "zh",
        written: &["zh", "cmn", "ja", "yue", "hak"],
        marked: &[],
    },
    Script {
        letters: &['\u{1200}'..='\u{139f}', '\u{2d80}'..='\u{2ddf}'],
        usual: "am",
        written: &["am", "ti"],
        marked: &[],
    },
    only(&['\u{370}'..='\u{3ff}', '\u{1f00}'..='\u{1fff}'], &["el", "grc"]),
    only(&['\u{530}'..='\u{58f}', '\u{fb13}'..='\u{fb17}'], &["hy", "hyw"]),
    only(&['\u{590}'..='\u{5ff}', '\u{fb1d}'..='\u{fb4f}'], &["he", "yi"]),
    only(&['\u{a00}'..='\u{a7f}'], &["pa"]),
    only(&['\u{a80}'..='\u{aff}'], &["gu"]),
    only(&['\u{b00}'..='\u{b7f}'], &["or"]),
    only(&['\u{b80}'..='\u{bff}'], &["ta"]),
    only(&['\u{c00}'..='\u{c7f}'], &["te"]),
    only(&['\u{c80}'..='\u{cff}'], &["kn"]),
    only(&['\u{d00}'..='\u{d7f}'], &["ml"]),
    only(&['\u{d80}'..='\u{dff}'], &["si"]),
    only(&['\u{e00}'..='\u{e7f}'], &["th"]),
    only(&['\u{e80}'..='\u{eff}'], &["lo"]),
    only(&['\u{f00}'..='\u{fff}'], &["bo"]),
    only(&['\u{1000}'..='\u{109f}', '\u{a9e0}'..='\u{a9ff}', '\u{aa60}'..='\u{aa7f}'], &["my", "shn"]),
    only(&['\u{10a0}'..='\u{10ff}', '\u{1c90}'..='\u{1cbf}'], &["ka"]),
    only(&['\u{13a0}'..='\u{13ff}', '\u{ab70}'..='\u{abbf}'], &["chr"]),
    only(&['\u{1780}'..='\u{17ff}'], &["km"]),
    only(&['\u{1100}'..='\u{11ff}', '\u{3130}'..='\u{318f}', '\u{ac00}'..='\u{d7af}'], &["ko"]),
];

/// The language that `text` is in: `named` (a tag, `en-GB`), unless most of the letters are of a script that language is
/// not written in; an English voice reads Russian text letter by letter or not at all.
#[must_use]
pub fn language(text: &str, named: Option<&str>) -> Option<String> {
    let primary = named.map(|tag| tag.split(['-', '_']).next().unwrap_or_default().trim().to_ascii_lowercase());
    let primary = primary.filter(|tag| !tag.is_empty());
    let letters = || text.chars().filter(|c| c.is_alphabetic());
    let count = letters().count();
    let of = |script: &&Script| letters().filter(|c| script.letters.iter().any(|range| range.contains(c))).count();
    let Some(script) = SCRIPTS.iter().find(|script| of(script) * 2 > count) else {
        // The tag as it was given: `en-GB` is more than `en`.
        return primary.and(named.map(str::to_owned));
    };
    if primary.is_some_and(|primary| script.written.contains(&primary.as_str())) {
        return named.map(str::to_owned);
    }
    if script.usual == "zh" && letters().any(|c| matches!(c, '\u{3040}'..='\u{30ff}')) {
        return Some("ja".to_owned());
    }
    let marked = script.marked.iter().find(|(_, marks)| letters().any(|c| marks.contains(c)));
    Some(marked.map_or(script.usual, |(language, _)| language).to_owned())
}

/// The language that a text in this script is taken for where its own has no voice.
#[must_use]
pub fn usual(language: &str) -> Option<&'static str> {
    let written = |script: &&Script| script.usual != language && script.written.contains(&language);
    SCRIPTS.iter().find(written).map(|script| script.usual)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_tell_the_language() {
        for (text, spoken) in [
            ("Привет, мир", "ru"),
            ("Зараз у Києві тепло", "uk"),
            ("Сёння добрае надвор'е, праўда?", "be"),
            ("Љубав је лепа", "sr"),
            ("Қазақстан", "kk"),
            ("سلام دنیا، چطوری؟", "fa"),
            ("یہ کیا ہے", "ur"),
            ("مرحبا بالعالم", "ar"),
            ("สวัสดีครับ", "th"),
            ("ሰላም ዓለም", "am"),
            ("မင်္ဂလာပါ", "my"),
            ("Բարև աշխարհ", "hy"),
            ("హలో", "te"),
            ("გამარჯობა", "ka"),
            ("வணக்கம்", "ta"),
            ("ਸਤ ਸ੍ਰੀ ਅਕਾਲ", "pa"),
            ("नमस्ते दुनिया", "hi"),
            ("こんにちは世界", "ja"),
            ("你好", "zh"),
            ("안녕하세요", "ko"),
            ("Καλημέρα", "el"),
            ("שלום", "he"),
        ] {
            assert_eq!(language(text, None).as_deref(), Some(spoken), "{text}");
            assert_eq!(language(text, Some("en")).as_deref(), Some(spoken), "{text} with an English voice");
        }
        assert_eq!(language("Hello", None), None);
        assert_eq!(language("Hello", Some("en-GB")).as_deref(), Some("en-GB"));
        assert_eq!(language("Добър ден", Some("bg")).as_deref(), Some("bg"), "named, and written so");
    }
}
