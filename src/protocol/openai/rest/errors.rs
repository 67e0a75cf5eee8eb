//! Failures as OpenAI's clients expect them, whichever layer refuses.

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::{
    engine::EngineError,
    protocol::error::{ApiError, Code},
};

/// A failure with what only OpenAI's shape says of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct Refused {
    pub error: ApiError,
    pub param: Option<String>,
    /// OpenAI's name of it, where it is not plain from the error.
    pub code: Option<&'static str>,
}

impl Refused {
    /// A value is wrong: 400.
    pub fn value(param: &str, problem: impl std::fmt::Display, hint: impl Into<String>) -> Self {
        Self::from(ApiError::field(param, problem, hint)).about(param)
    }

    /// A value that OpenAI knows and this server does not: 400.
    pub fn unsupported(param: &str, problem: impl std::fmt::Display, hint: impl Into<String>) -> Self {
        Self { code: Some("unsupported_value"), ..Self::value(param, problem, hint) }
    }

    /// A field must be there: 400.
    pub fn missing(param: &str, hint: impl Into<String>) -> Self {
        Self { code: Some("missing_required_parameter"), ..Self::value(param, "it is missing", hint) }
    }

    /// 404.
    #[must_use]
    pub fn no_model(id: &str) -> Self {
        // What a client sent comes back to it, and is not without end.
        let id: String = id.chars().take(100).collect();
        let error = ApiError::new(Code::NotFound, format!("there is no model {id:?}"), "GET /v1/models lists them");
        Self { error, param: Some("model".into()), code: Some("model_not_found") }
    }

    /// Says which field it is about.
    #[must_use]
    pub fn about(mut self, param: &str) -> Self {
        self.param = Some(param.to_owned());
        self
    }

    #[must_use]
    pub fn status(&self) -> StatusCode {
        status(&self.error)
    }

    /// The body, also what an event says when an answer breaks off.
    #[must_use]
    pub fn body(&self) -> OpenAiError {
        let error = &self.error;
        // Only our own clients know the field of the same name.
        let hint = error.hint.replace("retry_after_ms", "the seconds in Retry-After");
        let code = self.code.or_else(|| code(error.code));
        OpenAiError {
            error: OpenAiErrorBody {
                message: if hint.is_empty() { error.message.clone() } else { format!("{}; {hint}", error.message) },
                r#type: kind(self.status()).into(),
                param: self.param.clone(),
                code: code.map(str::to_owned),
            },
        }
    }

    /// The same as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::to_value(self.body()).unwrap_or_default()
    }
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self { error, param: None, code: None }
    }
}

impl From<EngineError> for Refused {
    fn from(error: EngineError) -> Self {
        ApiError::from(error).into()
    }
}

/// The response takes its shape in [`dress`], like those of the layers.
impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut response = self.error.clone().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// The body of a failed request below `/v1/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct OpenAiError {
    pub error: OpenAiErrorBody,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct OpenAiErrorBody {
    /// What happened and what to do about it, in English.
    pub message: String,
    /// `invalid_request_error`, `permission_error`, `rate_limit_error` or `server_error`.
    pub r#type: String,
    /// The field that is wrong.
    #[schema(required)]
    pub param: Option<String>,
    /// OpenAI's code where it has one, else this server's.
    #[schema(required)]
    pub code: Option<String>,
}

/// Puts a failed response into OpenAI's shape; others are left alone. `error`: what the response's extensions held.
pub fn dress(response: &mut Response, error: Option<ApiError>) {
    let refused = response.extensions_mut().remove::<Refused>();
    let Some(refused) = refused.or_else(|| error.map(Refused::from)).or_else(|| undressed(response)) else { return };
    let (status, body) = (refused.status(), Json(refused.body()).into_response().into_body());
    *response.status_mut() = status;
    *response.body_mut() = body;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::CONTENT_ENCODING);
}

/// A failure that no part of ours has made.
fn undressed(response: &Response) -> Option<Refused> {
    let status = response.status();
    let json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().ends_with(b"/json"));
    if json || !(status.is_client_error() || status.is_server_error()) {
        return None;
    }
    let same = || Code::ALL.iter().copied().find(|code| code.status() == status);
    let code = match status {
        StatusCode::BAD_REQUEST => Code::BadRequest,
        status if status.is_server_error() => Code::Internal,
        _ => same().unwrap_or(Code::BadRequest),
    };
    Some(ApiError::new(code, code.title(), "the endpoints are described at /api/docs/").into())
}

/// OpenAI says 400 of every field that is wrong.
fn status(error: &ApiError) -> StatusCode {
    match error.code.status() {
        StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
        status => status,
    }
}

fn kind(status: StatusCode) -> &'static str {
    match status {
        StatusCode::FORBIDDEN => "permission_error",
        StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
        status if status.is_server_error() => "server_error",
        _ => "invalid_request_error",
    }
}

/// OpenAI's codes, and ours where it has none.
fn code(code: Code) -> Option<&'static str> {
    Some(match code {
        Code::Unauthorized | Code::WrongCredentials => "invalid_api_key",
        Code::Forbidden | Code::NotVerified => "insufficient_permissions",
        Code::NotFound => "unknown_url",
        Code::WrongMethod => "method_not_supported",
        Code::InvalidField | Code::InvalidEvent => "invalid_value",
        Code::RateLimited => "rate_limit_exceeded",
        // OpenAI says null.
        Code::BadRequest | Code::InvalidJson => return None,
        other => other.name(),
    })
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;

    use super::*;

    async fn dressed(mut response: Response) -> (StatusCode, Value) {
        let error = response.extensions_mut().remove::<ApiError>();
        dress(&mut response, error);
        let (status, body) = (response.status(), to_bytes(response.into_body(), 10_000).await.expect("a small body"));
        (status, serde_json::from_slice(&body).expect("JSON"))
    }

    #[tokio::test]
    async fn every_failure_has_the_shape_with_all_its_fields() {
        for code in Code::ALL {
            let (status, body) = dressed(ApiError::new(*code, "what", "do that").into_response()).await;
            assert_eq!(body["error"]["message"], "what; do that", "{code:?}");
            let fields: Vec<_> = body["error"].as_object().expect("an object").keys().cloned().collect();
            assert_eq!(fields, ["message", "type", "param", "code"].map(str::to_owned), "{code:?}");
            assert_ne!(status, StatusCode::UNPROCESSABLE_ENTITY);
            let fault = code.status().is_server_error();
            assert_eq!(body["error"]["type"] == "server_error", fault, "{code:?}");
        }
    }

    #[tokio::test]
    async fn fields_and_models_are_named() {
        let (status, body) = dressed(Refused::value("speed", "too fast", "1 is normal").into_response()).await;
        assert_eq!(status, 400);
        let expected = serde_json::json!({"error": {
            "message": "speed: too fast; 1 is normal", "type": "invalid_request_error", "param": "speed", "code": "invalid_value",
        }});
        assert_eq!(body, expected);
        let (status, body) = dressed(Refused::no_model("gpt-9").into_response()).await;
        assert_eq!((status.as_u16(), &body["error"]["code"]), (404, &Value::from("model_not_found")));
    }

    #[tokio::test]
    async fn what_others_refuse_is_dressed_and_what_succeeds_is_not() {
        let (status, body) = dressed((StatusCode::BAD_REQUEST, "no").into_response()).await;
        assert_eq!((status.as_u16(), &body["error"]["type"]), (400, &Value::from("invalid_request_error")));
        let message = body["error"]["message"].as_str().unwrap_or_default();
        assert!(message.starts_with(Code::BadRequest.title()), "nobody knows that it is about JSON: {message}");
        let mut fine = "text".into_response();
        dress(&mut fine, None);
        assert_eq!(to_bytes(fine.into_body(), 100).await.expect("a body"), "text");
    }

    #[test]
    fn who_must_wait_is_not_sent_to_a_field_that_is_not_there() {
        let refused = Refused::from(ApiError::new(Code::Overloaded, "full", "try again after retry_after_ms"));
        assert!(!refused.body().error.message.contains("retry_after_ms"));
    }
}
