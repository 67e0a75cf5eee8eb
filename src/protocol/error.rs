//! What a client is told when something goes wrong: the one `IntoResponse` for failures and the one place that makes
//! WebSocket error events. Every floor below has its own error type; here they become a [`Code`] with a hint.

mod account;
mod models;
mod russian;

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};

use crate::{
    conversation::hub::Refused,
    engine::EngineError,
    measure,
    model::{Language, TurnId},
    store::StoreError,
};

/// One line per code: its name on every wire, its HTTP status, and a title for people.
macro_rules! codes {
    ($($variant:ident $name:literal $status:ident $title:literal)*) => {
        /// The stable name of a failure; docs/protocol.md says when each happens.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum Code {
            $(#[serde(rename = $name)] $variant,)*
        }

        impl Code {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The name on the wire.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            #[must_use]
            pub const fn status(self) -> StatusCode {
                match self { $(Self::$variant => StatusCode::$status,)* }
            }

            /// A few words for people, the same for every occurrence.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }
        }
    };
}
codes! {
    InvalidJson       "invalid_json"       BAD_REQUEST           "not JSON"
    UnknownEvent      "unknown_event"      BAD_REQUEST           "unknown event"
    InvalidEvent      "invalid_event"      UNPROCESSABLE_ENTITY  "a field is wrong"
    NotStarted        "not_started"        CONFLICT              "no session yet"
    AlreadyStarted    "already_started"    CONFLICT              "the session has started"
    NothingToCommit   "nothing_to_commit"  CONFLICT              "nothing to commit"
    NothingToCancel   "nothing_to_cancel"  CONFLICT              "nothing to cancel"
    RateLimited       "rate_limited"       TOO_MANY_REQUESTS     "too many events"
    MessageTooBig     "message_too_big"    PAYLOAD_TOO_LARGE     "message too big"
    ResumeUnknown     "resume_unknown"     NOT_FOUND             "no such session"
    Overloaded        "overloaded"         SERVICE_UNAVAILABLE   "everything is taken"
    ModelMissing      "model_missing"      SERVICE_UNAVAILABLE   "a model is missing"
    EngineUnreachable "engine_unreachable" BAD_GATEWAY           "an engine cannot be reached"
    EngineStalled     "engine_stalled"     GATEWAY_TIMEOUT       "an engine gave no answer"
    EngineFailed      "engine_failed"      BAD_GATEWAY           "an engine failed"
    SlowReader        "slow_reader"        REQUEST_TIMEOUT       "the client reads too slowly"
    Idle              "idle"               REQUEST_TIMEOUT       "nothing came for too long"
    ShuttingDown      "shutting_down"      SERVICE_UNAVAILABLE   "the server is stopping"
    Internal          "internal"           INTERNAL_SERVER_ERROR "a fault of the server"
    OriginRefused     "origin_refused"     FORBIDDEN             "foreign origin"
    BadRequest        "bad_request"        BAD_REQUEST           "the request cannot be read"
    Unauthorized      "unauthorized"       UNAUTHORIZED          "log in first"
    Forbidden         "forbidden"          FORBIDDEN             "not allowed"
    NotFound          "not_found"          NOT_FOUND             "not there"
    WrongMethod       "wrong_method"       METHOD_NOT_ALLOWED    "not done this way"
    Conflict          "conflict"           CONFLICT              "it is so already"
    TooLarge          "too_large"          PAYLOAD_TOO_LARGE     "too large"
    WrongCredentials  "wrong_credentials"  UNAUTHORIZED          "address or password is wrong"
    NotVerified       "not_verified"       FORBIDDEN             "the address is not confirmed"
    UnsupportedMedia  "unsupported_media"  UNSUPPORTED_MEDIA_TYPE "not a kind of file this takes"
    InvalidField      "invalid_field"      UNPROCESSABLE_ENTITY  "a value is wrong"
    TimedOut          "timed_out"          GATEWAY_TIMEOUT       "it took too long"
    StoreUnavailable  "store_unavailable"  SERVICE_UNAVAILABLE   "the database is away"
}

/// A failure as the client hears of it. The text is for the client; what only the operator may know goes to the log
/// where the failure happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ApiError {
    pub code: Code,
    pub message: String,
    /// What to do about it.
    pub hint: String,
    /// When trying again makes sense.
    pub retry_after_ms: Option<u64>,
}

impl ApiError {
    pub fn new(code: Code, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: hint.into(), retry_after_ms: None }
    }

    /// A field of an event is wrong: `field` is its path (`audio.sample_rate`), `problem` what is wrong with it.
    pub fn invalid(field: &str, problem: impl std::fmt::Display, hint: impl Into<String>) -> Self {
        Self::new(Code::InvalidEvent, format!("{field}: {problem}"), hint)
    }

    #[must_use]
    pub fn retry_after(mut self, ms: u64) -> Self {
        self.retry_after_ms = Some(ms);
        self
    }

    /// The event that tells it on a WebSocket; counted.
    #[must_use]
    pub fn event(self, seq: u64) -> ErrorEvent {
        metrics::counter!(measure::ERRORS, "transport" => "native", "code" => self.code.name()).increment(1);
        ErrorEvent {
            seq,
            code: self.code,
            message: self.message,
            hint: self.hint,
            retry_after_ms: self.retry_after_ms,
            in_reply_to: None,
            turn: None,
        }
    }
}

/// The fields of an `error` event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorEvent {
    pub seq: u64,
    pub code: Code,
    pub message: String,
    pub hint: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The `id` of the client event it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_reply_to: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnId>,
}

impl From<EngineError> for ApiError {
    fn from(error: EngineError) -> Self {
        let code = match &error {
            EngineError::ModelMissing { .. } => Code::ModelMissing,
            EngineError::Unreachable { .. } => Code::EngineUnreachable,
            EngineError::Stalled { .. } => Code::EngineStalled,
            // Superseded work is dropped by whoever asked for it; one that gets this far was lost.
            EngineError::Failed { .. }
            | EngineError::ContextFull { .. }
            | EngineError::Wordless { .. }
            | EngineError::Superseded => Code::EngineFailed,
            EngineError::Overloaded { .. } => Code::Overloaded,
            EngineError::Closed => Code::ShuttingDown,
        };
        let retry_after_ms = match &error {
            EngineError::Overloaded { retry_after_ms } => Some(*retry_after_ms),
            _ => None,
        };
        Self { code, message: error.to_string(), hint: error.hint(), retry_after_ms }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unreachable(_) => {
                tracing::warn!(%error, "the store is away");
                Self::new(Code::StoreUnavailable, "the database cannot be reached", "try again after retry_after_ms")
                    .retry_after(3_000)
            }
            StoreError::Exists(what) => {
                Self::new(Code::Conflict, format!("{what} exists already"), "choose another, or use the one there is")
            }
            StoreError::Failed(_) => {
                tracing::error!(%error, "the store failed");
                Self::internal()
            }
        }
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Full { max, retry_after } => {
                Self::new(Code::Overloaded, format!("all {max} sessions are taken"), "try again after retry_after_ms")
                    .retry_after(retry_after.as_millis() as u64)
            }
            Refused::UnknownSession => Self::new(
                Code::ResumeUnknown,
                "no such session waits to be resumed",
                "send session.start without resume; conversation_id goes on with the conversation",
            ),
            Refused::ShuttingDown => Self::shutting_down(),
        }
    }
}

/// The failures that more than one protocol meets.
impl ApiError {
    #[must_use]
    pub fn shutting_down() -> Self {
        Self::new(Code::ShuttingDown, "the server is stopping", "connect again after retry_after_ms").retry_after(2_000)
    }

    #[must_use]
    pub fn revoked() -> Self {
        Self::new(Code::Forbidden, "this session was ended by the server", "log in again, or ask the operator")
    }

    #[must_use]
    pub fn idle(after: std::time::Duration) -> Self {
        Self::new(Code::Idle, format!("nothing came for {} s", after.as_secs()), "connect again when there is sound")
    }

    #[must_use]
    pub fn slow_reader(after: std::time::Duration) -> Self {
        Self::new(
            Code::SlowReader,
            format!("nothing was read for {} s", after.as_secs()),
            "read the socket all the time, and resume",
        )
    }

    #[must_use]
    pub fn message_too_big(limit: usize) -> Self {
        Self::new(
            Code::MessageTooBig,
            format!("the message has more than {limit} bytes"),
            "send audio in frames of 20 to 100 ms",
        )
    }

    #[must_use]
    pub fn rate_limited(wait: std::time::Duration) -> Self {
        // Rounded up: who waits exactly so long must be let through.
        let ms = wait.as_micros().div_ceil(1000) as u64;
        Self::new(Code::RateLimited, "too many events at once; this one was not followed", "wait for retry_after_ms")
            .retry_after(ms)
    }

    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(Code::Unauthorized, "nobody is logged in", "log in, or send a key as Authorization: Bearer KEY")
    }

    /// What was asked for is not there, or is another's.
    pub fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("there is no such {what}"), "it may have been deleted; look at the list")
    }

    /// A value of a request is wrong: `field` is its name, `problem` what is wrong with it.
    pub fn field(field: &str, problem: impl std::fmt::Display, hint: impl Into<String>) -> Self {
        Self::new(Code::InvalidField, format!("{field}: {problem}"), hint)
    }

    #[must_use]
    pub fn internal() -> Self {
        Self::new(Code::Internal, "a fault of the server", "try again; the server's log has the details")
    }
}

/// The body of a failed HTTP request (RFC 9457, `application/problem+json`).
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Problem {
    /// `urn:aigolos:error:` and the code.
    pub r#type: String,
    /// A few words, the same for every occurrence.
    pub title: String,
    pub status: u16,
    #[schema(value_type = String)]
    pub code: Code,
    /// What happened, in the reader's language.
    pub message: String,
    /// What happened, in English; often says more.
    pub detail: String,
    /// What to do about it.
    pub hint: String,
    /// When trying again makes sense.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// Names the request in the server's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Problem {
    /// Puts message and hint into the reader's language, and names the request.
    #[must_use]
    pub fn told(mut self, language: Language, request_id: Option<String>) -> Self {
        if language == Language::Ru {
            let (message, hint) = russian::words(self.code);
            (self.message, self.hint) = (message.into(), hint.into());
        }
        self.request_id = request_id;
        self
    }
}

impl From<ApiError> for Problem {
    fn from(error: ApiError) -> Self {
        Self {
            r#type: format!("urn:aigolos:error:{}", error.code.name()),
            title: error.code.title().into(),
            status: error.code.status().as_u16(),
            code: error.code,
            message: error.message.clone(),
            detail: error.message,
            hint: error.hint,
            retry_after_ms: error.retry_after_ms,
            request_id: None,
        }
    }
}

/// The failure as `problem+json`. The error itself travels along in the response's extensions, for the layer that
/// knows the reader's language and the request's id.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = self.code.status();
        let retry_after = self.retry_after_ms.map(|ms| ms.div_ceil(1000));
        let mut response = (status, Json(Problem::from(self.clone()))).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, time::Duration};

    use axum::body::to_bytes;

    use super::*;

    #[test]
    fn codes_are_distinct_and_named_alike_for_rust_and_serde() {
        let names: HashSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), Code::ALL.len());
        for code in Code::ALL {
            assert_eq!(serde_json::to_value(code).expect("a code is a string"), code.name());
            assert!(code.status().is_client_error() || code.status().is_server_error(), "{code:?}");
        }
    }

    #[test]
    fn engine_errors_keep_the_name_they_have_below() {
        let hint = || "get it".to_owned();
        let errors = [
            EngineError::ModelMissing { name: "x".into(), hint: hint() },
            EngineError::Unreachable { engine: "ollama", reason: "refused".into(), hint: hint() },
            EngineError::Stalled { engine: "ollama", waited_ms: 3 },
            EngineError::Failed { engine: "piper", reason: "broken".into() },
            EngineError::Overloaded { retry_after_ms: 1500 },
            EngineError::Closed,
        ];
        for error in errors {
            let api = ApiError::from(error.clone());
            assert_eq!(api.code.name(), error.code());
            assert_eq!(api.message, error.to_string());
            assert_eq!(api.hint, error.hint());
        }
        assert_eq!(ApiError::from(EngineError::Overloaded { retry_after_ms: 1500 }).retry_after_ms, Some(1500));
    }

    #[tokio::test]
    async fn a_failed_request_gets_problem_json_and_retry_after_in_whole_seconds() {
        let refused = Refused::Full { max: 64, retry_after: Duration::from_millis(1200) };
        let response = ApiError::from(refused).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
        let body = to_bytes(response.into_body(), 10_000).await.expect("a small body");
        let body: serde_json::Value = serde_json::from_slice(&body).expect("JSON");
        assert_eq!(
            body,
            serde_json::json!({
                "type": "urn:aigolos:error:overloaded", "title": "everything is taken", "status": 503,
                "code": "overloaded", "message": "all 64 sessions are taken", "detail": "all 64 sessions are taken",
                "hint": "try again after retry_after_ms", "retry_after_ms": 1200,
            })
        );
    }

    #[test]
    fn a_wait_is_rounded_up() {
        assert_eq!(ApiError::rate_limited(Duration::from_micros(1)).retry_after_ms, Some(1));
        assert_eq!(ApiError::rate_limited(Duration::from_millis(20)).retry_after_ms, Some(20));
    }
}
