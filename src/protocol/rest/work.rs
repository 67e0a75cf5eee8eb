//! What the parts that do work share: transcription, jobs, chat, speech.

use std::sync::Arc;

use tokio_util::{sync::CancellationToken, task::TaskTracker};
use utoipa_axum::router::OpenApiRouter;

use super::{asr, jobs, llm, tts};
use crate::{
    conversation::{history::PromptSettings, journal::Journal},
    engine::Engines,
    job::{Failure, JobError, Jobs},
    model::parse_language,
    protocol::error::{ApiError, Code},
};

/// What the routes need.
#[derive(Clone)]
pub struct Work {
    pub jobs: Jobs,
    pub engines: Engines,
    pub journal: Arc<dyn Journal>,
    pub prompt: PromptSettings,
    /// `MAX_TEXT_CHARS`.
    pub max_chars: usize,
    /// `DEFAULT_LANGUAGE`; `None`: the engines decide.
    pub default_language: Option<String>,
    /// `TTS_VOICE`.
    pub default_voice: Option<String>,
    /// Ends streams when the server stops.
    pub shutdown: CancellationToken,
    /// Replies under way, which write themselves down at their end.
    pub replies: TaskTracker,
}

/// The routes below `/api/asr/`, `/api/jobs/`, `/api/llm/` and `/api/tts/`.
pub fn router(work: Work) -> OpenApiRouter {
    OpenApiRouter::new()
        .merge(asr::router(work.clone()))
        .merge(jobs::router(work.clone()))
        .merge(llm::router(work.clone()))
        .merge(tts::router(work))
}

/// The text of a request: 1 to `most` characters after trimming.
///
/// # Errors
/// The field's.
pub fn text<'t>(field: &str, text: &'t str, most: usize) -> Result<&'t str, ApiError> {
    let trimmed = text.trim();
    let length = trimmed.chars().count();
    if length == 0 {
        return Err(ApiError::field(field, "it is empty", "write something"));
    }
    if length > most {
        return Err(ApiError::field(
            field,
            format!("{length} characters are too many"),
            format!("at most {most}; send a longer one in parts"),
        ));
    }
    Ok(trimmed)
}

/// A language as clients name it ([`parse_language`]). `known`: what the engine knows; empty: any, also codes of two or
/// three letters that name none of ours (voices know more languages than recognisers).
///
/// # Errors
/// The field's.
pub(super) fn language(wish: Option<&str>, known: &[String]) -> Result<Option<String>, ApiError> {
    let Some(wish) = wish.map(str::trim) else { return Ok(None) };
    let code = || wish.split(['-', '_']).next().filter(|code| matches!(code.len(), 2 | 3)).map(str::to_ascii_lowercase);
    let language = match parse_language(wish) {
        Ok(None) => return Ok(None),
        Ok(Some(language)) => language.to_owned(),
        Err(unknown) => {
            code().filter(|code| known.is_empty() && code.bytes().all(|byte| byte.is_ascii_lowercase())).ok_or_else(
                || ApiError::field("language", unknown, "a code such as en, a name such as english, or auto"),
            )?
        }
    };
    if !known.is_empty() && !known.contains(&language) {
        let few = known.iter().take(12).map(String::as_str).collect::<Vec<_>>().join(", ");
        return Err(ApiError::field(
            "language",
            format!("the engine in use does not know {language}"),
            format!("it knows {few}{}; leave it out to let it decide", if known.len() > 12 { " and more" } else { "" }),
        ));
    }
    Ok(Some(language))
}

impl From<JobError> for ApiError {
    fn from(error: JobError) -> Self {
        let message = error.to_string();
        match error {
            JobError::TooLarge(most) => too_large(most),
            JobError::Empty => Self::field("file", message, "choose one with sound in it"),
            JobError::Kind(_) => {
                Self::new(Code::UnsupportedMedia, message, "send WAV, MP3, FLAC, Ogg (Vorbis, Opus), WebM or M4A")
            }
            JobError::TooMany(_) => {
                Self::new(Code::RateLimited, message, "wait until one of them is done, or cancel one")
                    .retry_after(5_000)
            }
            JobError::Busy => Self::new(Code::Overloaded, message, "try again after retry_after_ms").retry_after(5_000),
            JobError::Stopping => Self::shutting_down(),
            JobError::Store(error) => error.into(),
            JobError::Disk(error) => {
                tracing::error!(%error, "a recording cannot be kept");
                Self::internal()
            }
        }
    }
}

/// A recording larger than `most` bytes.
pub fn too_large(most: u64) -> ApiError {
    let megabytes = most as f64 / f64::from(1 << 20);
    ApiError::new(
        Code::TooLarge,
        format!("the recording has more than {megabytes} megabytes"),
        "compress it (MP3, Opus), or cut it in parts",
    )
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        let code = Code::ALL.iter().copied().find(|code| code.name() == failure.code).unwrap_or(Code::Internal);
        Self { code, message: failure.message, hint: failure.hint, retry_after_ms: failure.retry_after_ms }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_a_code() {
        let known = ["en".to_owned(), "ru".to_owned()];
        for (wish, found) in [
            (None, None),
            (Some("auto"), None),
            (Some(""), None),
            (Some("en-GB"), Some("en")),
            (Some("RU"), Some("ru")),
            (Some("english"), Some("en")),
            (Some("rus"), Some("ru")),
        ] {
            assert_eq!(language(wish, &known).expect("a language"), found.map(str::to_owned), "{wish:?}");
        }
        for wish in ["klingon", "e", "1234", "de", "я"] {
            assert_eq!(
                language(Some(wish), &known).expect_err("no language of ours").code,
                Code::InvalidField,
                "{wish}"
            );
        }
        assert_eq!(language(Some("de"), &[]).expect("any"), Some("de".into()));
        assert_eq!(language(Some("ga-IE"), &[]).expect("Irish, which voices know"), Some("ga".into()));
    }

    #[test]
    fn texts_have_a_length() {
        assert_eq!(text("text", "  да ", 2).expect("two"), "да");
        assert!(text("text", " \n ", 2).is_err() && text("text", "три", 2).is_err());
    }

    #[test]
    fn failures_of_jobs_keep_their_code() {
        let failure =
            |code: &str| Failure { code: code.into(), message: "m".into(), hint: "h".into(), retry_after_ms: Some(1) };
        assert_eq!(ApiError::from(failure("engine_stalled")).code, Code::EngineStalled);
        assert_eq!(ApiError::from(failure("something else")).code, Code::Internal);
    }
}
