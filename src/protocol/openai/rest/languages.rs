//! Languages as OpenAI's clients ask for them.

use super::errors::Refused;
use crate::model::parse_language;

/// The language somebody asks for, by any name ([`parse_language`]). `known`: what the engine knows; empty: any.
///
/// # Errors
/// 400 for the field.
pub fn asked(wish: &str, known: &[String]) -> Result<Option<String>, Refused> {
    let code = match parse_language(wish) {
        Ok(None) => return Ok(None),
        Ok(Some(code)) => code,
        Err(unknown) => {
            return Err(Refused::value("language", unknown.to_string(), "two letters, such as en, or leave it out"));
        }
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
}
