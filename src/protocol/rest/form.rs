//! Forms with a file in them, read part by part: never whole in memory, never without end.

use std::time::Duration;

use axum::{
    extract::{
        FromRequest, Multipart, Request,
        multipart::{Field, MultipartError},
    },
    http::{HeaderMap, header},
};

use crate::protocol::error::{ApiError, Code};

/// How long nothing may come of a file that is being sent.
pub const QUIET: Duration = Duration::from_mins(1);
/// How long what is left of a refused file is read, so that its sender reads the refusal.
pub const REST: Duration = Duration::from_secs(5);
/// What a request may have beside its file: the other fields, and what parts them.
pub const BESIDE: u64 = 64 * 1024;

/// A body of `multipart/form-data`.
pub struct Form {
    parts: Multipart,
    sends_on: bool,
}

impl Form {
    /// # Errors
    /// When it is no form.
    pub async fn of(request: Request) -> Result<Self, ApiError> {
        let sends_on = sends_on(request.headers());
        let parts = Multipart::from_request(request, &()).await.map_err(|rejection| {
            ApiError::new(Code::BadRequest, rejection.body_text(), "send multipart/form-data with its boundary")
        })?;
        Ok(Self { parts, sends_on })
    }

    /// The next part.
    ///
    /// # Errors
    /// When the body breaks off or nothing comes.
    pub async fn next(&mut self) -> Result<Option<Field<'_>>, ApiError> {
        in_time(self.parts.next_field()).await
    }

    /// Reads a refused body a little further, or its sender, still writing, would find the connection closed and not the
    /// reason.
    pub async fn hear_out(&mut self) {
        if self.sends_on {
            let rest = async { while let Ok(Some(_)) = self.parts.next_field().await {} };
            let _ = tokio::time::timeout(REST, rest).await;
        }
    }
}

/// Who asks before sending sends nothing once refused.
pub fn sends_on(headers: &HeaderMap) -> bool {
    !headers.contains_key(header::EXPECT)
}

/// Whether the body says of itself that it holds a file of more than `most` bytes.
pub fn declared_too_large(headers: &HeaderMap, most: u64) -> bool {
    let declared = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    declared.is_some_and(|length| length > most + BESIDE)
}

/// A field of at most `most` bytes of text.
///
/// # Errors
/// The field's, or the body's.
pub async fn text(part: &mut Field<'_>, field: &str, most: usize) -> Result<String, ApiError> {
    let mut bytes = vec![];
    while let Some(more) = in_time(part.chunk()).await? {
        bytes.extend_from_slice(&more);
        if bytes.len() > most {
            return Err(ApiError::field(field, "it is too long", "leave it out"));
        }
    }
    String::from_utf8(bytes).map_err(|_| ApiError::field(field, "it is not text", "leave it out"))
}

/// Waits for a part, or for a piece of one.
///
/// # Errors
/// When the body breaks off or nothing comes.
pub async fn in_time<T>(part: impl Future<Output = Result<T, MultipartError>>) -> Result<T, ApiError> {
    match tokio::time::timeout(QUIET, part).await {
        Ok(Ok(part)) => Ok(part),
        Ok(Err(_)) => Err(broken_off()),
        Err(_) => Err(quiet()),
    }
}

/// The body ended before its end.
#[must_use]
pub fn broken_off() -> ApiError {
    ApiError::new(Code::BadRequest, "the body breaks off or is no multipart/form-data", "send it again")
}

/// The body did not go on.
#[must_use]
pub fn quiet() -> ApiError {
    ApiError::new(Code::Idle, format!("nothing came of the file for {} s", QUIET.as_secs()), "send it again")
}
