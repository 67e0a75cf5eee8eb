//! What is asked of a recording, read from the fields of its form. Pure but for the reading.

use axum::extract::Request;

use super::{errors::Refused, languages};
use crate::{
    job::Upload,
    protocol::{
        caller::Caller,
        error::ApiError,
        rest::{
            form::{self, Form},
            work::{self, Work},
        },
    },
};

/// OpenAI's largest file, in bytes; more where MAX_UPLOAD_MB says so.
const MOST: u64 = 25 << 20;
/// The longest field beside the file, in bytes.
const FIELD: usize = 16 * 1024;
/// Fields beside the file at most.
const FIELDS: usize = 200;
/// What may come in fields that mean nothing here, in bytes.
const IGNORED: usize = 4 << 20;
/// The longest text of prompt and keywords together, in characters; models hear only the last few hundred anyway.
const PROMPT: usize = 4_000;

macro_rules! fields {
    ($($variant:ident $name:literal)*) => {
        /// The fields that mean something; a list's name may end in `[]`, or not.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Field {
            $($variant,)*
        }

        impl Field {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}
fields! {
    File "file"
    Model "model"
    Language "language"
    Languages "languages"
    Prompt "prompt"
    Keywords "keywords"
    Format "response_format"
    Temperature "temperature"
    Granularities "timestamp_granularities"
    Stream "stream"
    Include "include"
    Chunking "chunking_strategy"
}

impl Field {
    /// `chunking_strategy[type]` and the like are their strategy's.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let plain = name.strip_suffix("[]").unwrap_or(name);
        let plain = if plain.starts_with("chunking_strategy[") { Self::Chunking.name() } else { plain };
        Self::ALL.iter().copied().find(|field| field.name() == plain)
    }
}

/// The form of the answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AnswerFormat {
    #[default]
    Json,
    Text,
    Srt,
    Vtt,
    VerboseJson,
}

impl AnswerFormat {
    pub const ALL: [(&str, Self); 5] = [
        ("json", Self::Json),
        ("text", Self::Text),
        ("srt", Self::Srt),
        ("vtt", Self::Vtt),
        ("verbose_json", Self::VerboseJson),
    ];
}

/// See the module.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Wish {
    /// ISO 639-1; `None`: the recogniser decides.
    pub language: Option<String>,
    pub prompt: String,
    pub keywords: Vec<String>,
    pub format: AnswerFormat,
    /// 0 to 1.
    pub temperature: f32,
    /// Whether word times are asked for.
    pub words: bool,
    pub stream: bool,
    /// Several languages are offered: the recogniser decides.
    languages: Vec<String>,
}

impl Wish {
    /// Takes a field; those that are not known are left alone. `known`: the languages the recogniser knows.
    ///
    /// # Errors
    /// 400, naming it.
    pub fn take(&mut self, field: Field, value: &str, known: &[String]) -> Result<(), Refused> {
        let value = value.trim();
        match field {
            Field::Language => self.language = languages::asked(value, known)?,
            Field::Languages => {
                let asked = languages::asked(value, known).map_err(|refused| refused.about("languages"))?;
                self.languages.extend(asked);
            }
            Field::Prompt => value.clone_into(&mut self.prompt),
            Field::Keywords => self.keywords.push(value.to_owned()),
            Field::Format => self.format = format(value)?,
            Field::Temperature => {
                let temperature = value.parse().ok().filter(|warm| (0.0..=1.0).contains(warm));
                self.temperature = temperature
                    .ok_or_else(|| Refused::value("temperature", "it is not between 0 and 1", "0 is surest"))?;
            }
            Field::Granularities => match value {
                "word" => self.words = true,
                "segment" => {}
                _ => {
                    let problem = "it is neither word nor segment";
                    return Err(Refused::value("timestamp_granularities", problem, "leave it out"));
                }
            },
            Field::Stream => {
                self.stream = match value.to_ascii_lowercase().as_str() {
                    "true" | "1" => true,
                    "false" | "0" | "" => false,
                    _ => return Err(Refused::value("stream", "it is neither true nor false", "true or false")),
                }
            }
            // The file is read elsewhere, and the rest changes nothing.
            Field::File | Field::Model | Field::Include | Field::Chunking => {}
        }
        Ok(())
    }

    /// What can only be said when all is there.
    ///
    /// # Errors
    /// 400, naming the field.
    pub fn whole(mut self) -> Result<Self, Refused> {
        if self.stream && !matches!(self.format, AnswerFormat::Json | AnswerFormat::Text) {
            let hint = "leave response_format out, or do not stream";
            return Err(Refused::unsupported("response_format", "events carry plain text only", hint));
        }
        if self.language.is_none() && self.languages.len() == 1 {
            self.language = self.languages.pop();
        }
        Ok(self)
    }

    /// What steers the recogniser's spelling.
    #[must_use]
    pub fn hints(&self) -> Option<String> {
        let keywords = self.keywords.iter().filter(|word| !word.is_empty()).cloned().collect::<Vec<_>>().join(", ");
        let all = [keywords.as_str(), self.prompt.as_str()];
        let text = all.into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join(". ");
        // What came last counts most.
        let skipped = text.chars().count().saturating_sub(PROMPT);
        let text: String = text.chars().skip(skipped).collect();
        (!text.is_empty()).then_some(text)
    }
}

fn format(name: &str) -> Result<AnswerFormat, Refused> {
    if let Some((_, format)) = AnswerFormat::ALL.iter().find(|(known, _)| *known == name) {
        return Ok(*format);
    }
    let names: Vec<&str> = AnswerFormat::ALL.iter().map(|(name, _)| *name).collect();
    let hint = format!("there are {}", names.join(", "));
    Err(if name == "diarized_json" {
        Refused::unsupported("response_format", "speakers are not told apart here", hint)
    } else {
        Refused::value("response_format", "it is not known", hint)
    })
}

/// Takes a form in, its fields in any order.
///
/// # Errors
/// What is wrong with it.
pub async fn receive(work: &Work, caller: &Caller, request: Request) -> Result<(Upload, Wish), Refused> {
    let most = MOST.max(work.jobs.max_bytes());
    let too_large = form::declared_too_large(request.headers(), most);
    let mut form = Form::of(request).await?;
    let received =
        if too_large { Err(work::too_large(most).into()) } else { parts(work, caller, &mut form, most).await };
    if received.is_err() {
        form.hear_out().await;
    }
    received
}

async fn parts(work: &Work, caller: &Caller, form: &mut Form, most: u64) -> Result<(Upload, Wish), Refused> {
    let (mut upload, mut wish) = (None, Wish::default());
    let known = work.engines.recognizer.info().languages;
    let (mut count, mut ignored) = (0, 0);
    while let Some(mut part) = form.next().await? {
        count += 1;
        if count > FIELDS {
            return Err(Refused::from(ApiError::field("the form", "it has too many fields", "send fewer")));
        }
        match Field::of(part.name().unwrap_or_default()) {
            Some(Field::File) => {
                if upload.is_some() {
                    return Err(Refused::value("file", "there are two", "send one at a time"));
                }
                let mut file = work.jobs.spool(caller.id(), most).await.map_err(ApiError::from)?;
                while let Some(bytes) = form::in_time(part.chunk()).await? {
                    file.push(&bytes).await.map_err(ApiError::from)?;
                }
                upload = Some(file);
            }
            Some(field) => {
                let value = form::text(&mut part, field.name(), FIELD).await;
                let value = value.map_err(|error| Refused::from(error).about(field.name()))?;
                wish.take(field, &value, &known)?;
            }
            None => {
                while let Some(bytes) = form::in_time(part.chunk()).await? {
                    ignored += bytes.len();
                    if ignored > IGNORED {
                        return Err(work::too_large(most).into());
                    }
                }
            }
        }
    }
    let upload = upload.ok_or_else(|| Refused::missing("file", "send the recording as the part file"))?;
    Ok((upload, wish.whole()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(fields: &[(&str, &str)]) -> Result<Wish, Refused> {
        let mut wish = Wish::default();
        for (name, value) in fields {
            if let Some(field) = Field::of(name) {
                wish.take(field, value, &[])?;
            }
        }
        wish.whole()
    }

    #[test]
    fn lists_are_named_with_and_without_brackets() {
        for name in ["timestamp_granularities[]", "timestamp_granularities"] {
            let wish = wish(&[(name, "segment"), (name, "word"), ("response_format", "verbose_json")]).expect(name);
            assert!(wish.words && wish.format == AnswerFormat::VerboseJson);
        }
        assert_eq!(Field::of("chunking_strategy[type]"), Some(Field::Chunking));
        assert_eq!(Field::of("chunking_strategy[silence_duration_ms]"), Some(Field::Chunking));
        for unknown in ["", "[]", "files", "known_speaker_names[]"] {
            assert_eq!(Field::of(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn wrong_values_name_their_field() {
        for (name, value) in [
            ("language", "klingon"),
            ("languages[]", "klingon"),
            ("temperature", "hot"),
            ("temperature", "1.5"),
            ("temperature", "NaN"),
            ("response_format", "diarized_json"),
            ("response_format", "xml"),
            ("timestamp_granularities[]", "letter"),
            ("stream", "perhaps"),
        ] {
            let refused = wish(&[(name, value)]).expect_err(name);
            let param = refused.param.expect("a field");
            assert_eq!(name.trim_end_matches("[]"), param);
        }
        let refused = wish(&[("stream", "true"), ("response_format", "srt")]).expect_err("no events of subtitles");
        assert_eq!(refused.code, Some("unsupported_value"));
        assert!(wish(&[("stream", "True"), ("unknown", "x"), ("include[]", "logprobs")]).expect("fine").stream);
    }

    #[test]
    fn one_language_is_a_wish_and_several_are_none() {
        assert_eq!(wish(&[("languages[]", "en-GB")]).expect("one").language.as_deref(), Some("en"));
        assert_eq!(wish(&[("languages[]", "en"), ("languages[]", "de")]).expect("two").language, None);
    }

    #[test]
    fn hints_are_bounded_and_end_with_the_prompt() {
        assert_eq!(wish(&[]).expect("nothing").hints(), None);
        let both = wish(&[("prompt", "A talk."), ("keywords[]", "aigolos"), ("keywords[]", "Piper")]).expect("fine");
        assert_eq!(both.hints().as_deref(), Some("aigolos, Piper. A talk."));
        let long = "я".repeat(PROMPT) + "end";
        let hints = wish(&[("prompt", &long)]).expect("fine").hints().expect("some");
        assert!(hints.chars().count() == PROMPT && hints.ends_with("end"));
    }
}
