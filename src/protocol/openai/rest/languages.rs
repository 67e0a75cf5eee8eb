//! Languages as OpenAI's clients name them: by code when they ask, by English name when they are told.

use super::errors::Refused;

/// What Whisper models can know: their code (ISO 639-1 where there is one) and English name.
const LANGUAGES: [(&str, &str); 100] = [
    ("af", "afrikaans"),
    ("am", "amharic"),
    ("ar", "arabic"),
    ("as", "assamese"),
    ("az", "azerbaijani"),
    ("ba", "bashkir"),
    ("be", "belarusian"),
    ("bg", "bulgarian"),
    ("bn", "bengali"),
    ("bo", "tibetan"),
    ("br", "breton"),
    ("bs", "bosnian"),
    ("ca", "catalan"),
    ("cs", "czech"),
    ("cy", "welsh"),
    ("da", "danish"),
    ("de", "german"),
    ("el", "greek"),
    ("en", "english"),
    ("es", "spanish"),
    ("et", "estonian"),
    ("eu", "basque"),
    ("fa", "persian"),
    ("fi", "finnish"),
    ("fo", "faroese"),
    ("fr", "french"),
    ("gl", "galician"),
    ("gu", "gujarati"),
    ("ha", "hausa"),
    ("haw", "hawaiian"),
    ("he", "hebrew"),
    ("hi", "hindi"),
    ("hr", "croatian"),
    ("ht", "haitian creole"),
    ("hu", "hungarian"),
    ("hy", "armenian"),
    ("id", "indonesian"),
    ("is", "icelandic"),
    ("it", "italian"),
    ("ja", "japanese"),
    ("jw", "javanese"),
    ("ka", "georgian"),
    ("kk", "kazakh"),
    ("km", "khmer"),
    ("kn", "kannada"),
    ("ko", "korean"),
    ("la", "latin"),
    ("lb", "luxembourgish"),
    ("ln", "lingala"),
    ("lo", "lao"),
    ("lt", "lithuanian"),
    ("lv", "latvian"),
    ("mg", "malagasy"),
    ("mi", "maori"),
    ("mk", "macedonian"),
    ("ml", "malayalam"),
    ("mn", "mongolian"),
    ("mr", "marathi"),
    ("ms", "malay"),
    ("mt", "maltese"),
    ("my", "burmese"),
    ("ne", "nepali"),
    ("nl", "dutch"),
    ("nn", "nynorsk"),
    ("no", "norwegian"),
    ("oc", "occitan"),
    ("pa", "punjabi"),
    ("pl", "polish"),
    ("ps", "pashto"),
    ("pt", "portuguese"),
    ("ro", "romanian"),
    ("ru", "russian"),
    ("sa", "sanskrit"),
    ("sd", "sindhi"),
    ("si", "sinhala"),
    ("sk", "slovak"),
    ("sl", "slovenian"),
    ("sn", "shona"),
    ("so", "somali"),
    ("sq", "albanian"),
    ("sr", "serbian"),
    ("su", "sundanese"),
    ("sv", "swedish"),
    ("sw", "swahili"),
    ("ta", "tamil"),
    ("te", "telugu"),
    ("tg", "tajik"),
    ("th", "thai"),
    ("tk", "turkmen"),
    ("tl", "tagalog"),
    ("tr", "turkish"),
    ("tt", "tatar"),
    ("uk", "ukrainian"),
    ("ur", "urdu"),
    ("uz", "uzbek"),
    ("vi", "vietnamese"),
    ("yi", "yiddish"),
    ("yo", "yoruba"),
    ("yue", "cantonese"),
    ("zh", "chinese"),
];

/// Other codes for some of them.
const OTHER_CODES: [(&str, &str); 5] = [("fil", "tl"), ("in", "id"), ("iw", "he"), ("jv", "jw"), ("nb", "no")];

/// The English name of a language, in small letters.
#[must_use]
pub fn name(code: &str) -> Option<&'static str> {
    LANGUAGES.iter().find(|(known, _)| *known == code).map(|(_, name)| *name)
}

/// The language somebody asks for: a code, with or without a country (`en-US`), an English name, or `auto`. `known`:
/// what the engine knows; empty: any.
///
/// # Errors
/// 400 for the field.
pub fn asked(wish: &str, known: &[String]) -> Result<Option<String>, Refused> {
    let wish = wish.trim().to_lowercase();
    if matches!(wish.as_str(), "" | "auto") {
        return Ok(None);
    }
    let code = wish.split(['-', '_']).next().unwrap_or_default();
    let code = OTHER_CODES.iter().find(|(other, _)| *other == code).map_or(code, |(_, code)| code);
    let found = LANGUAGES.iter().find(|(known, name)| *known == code || *name == wish).map(|(code, _)| *code);
    let Some(code) = found else {
        let problem = "it is neither an ISO 639-1 code nor the English name of a language that is known here";
        return Err(Refused::value("language", problem, "two letters, such as en, or leave it out"));
    };
    if known.is_empty() || known.iter().any(|known| known == code) {
        return Ok(Some(code.to_owned()));
    }
    let few = known.iter().take(12).map(String::as_str).collect::<Vec<_>>().join(", ");
    let hint =
        format!("it knows {few}{}; leave it out to let it decide", if known.len() > 12 { " and more" } else { "" });
    Err(Refused::value("language", format!("the model in use does not know {code}"), hint))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn codes_tags_and_names_are_understood() {
        let known = ["en".to_owned(), "ru".to_owned()];
        for (wish, code) in [
            ("", None),
            ("auto", None),
            ("en", Some("en")),
            ("en-US", Some("en")),
            ("RU_ru", Some("ru")),
            ("English", Some("en")),
            (" russian ", Some("ru")),
        ] {
            assert_eq!(asked(wish, &known).expect(wish).as_deref(), code, "{wish}");
        }
        for wish in ["de", "german", "klingon", "e", "1234", "я", "-"] {
            let refused = asked(wish, &known).expect_err(wish);
            assert_eq!((refused.status().as_u16(), refused.param.as_deref()), (400, Some("language")), "{wish}");
        }
        assert_eq!(asked("nb-NO", &[]).expect("Norwegian").as_deref(), Some("no"));
    }

    #[test]
    fn each_code_has_one_name_and_each_name_one_code() {
        let codes: HashSet<_> = LANGUAGES.iter().map(|(code, _)| code).collect();
        let names: HashSet<_> = LANGUAGES.iter().map(|(_, name)| name).collect();
        assert_eq!((codes.len(), names.len()), (100, 100));
        assert!(OTHER_CODES.iter().all(|(_, code)| name(code).is_some()));
        assert_eq!(name("en"), Some("english"));
    }
}
