//! What handlers take from a request, with every rejection as an [`ApiError`] that says what is wrong and where.

use std::borrow::Cow;

use axum::{
    Json,
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request, rejection::JsonRejection},
    http::request::Parts,
};
use serde::de::DeserializeOwned;

use super::error::{ApiError, Code};
use crate::surrogates;

/// A JSON body.
#[derive(Debug, Clone)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let whole = async {
            let (parts, body) = request.into_parts();
            let bytes = Bytes::from_request(Request::from_parts(parts.clone(), body), state).await?;
            let bytes = match surrogates::replaced(&bytes) {
                Cow::Borrowed(_) => bytes,
                Cow::Owned(changed) => changed.into(),
            };
            Json::from_request(Request::from_parts(parts, bytes.into()), state).await
        };
        match whole.await {
            Ok(Json(body)) => Ok(Self(body)),
            Err(rejection) => Err(refused(&rejection)),
        }
    }
}

fn refused(rejection: &JsonRejection) -> ApiError {
    match rejection {
        JsonRejection::JsonDataError(error) => {
            // "Failed to deserialize the JSON body into the target type: password: missing field ..."
            let text = error.body_text();
            let problem = text.split_once("target type: ").map_or(text.as_str(), |(_, problem)| problem);
            ApiError::new(Code::InvalidField, problem, "the fields are described at /api/docs/")
        }
        JsonRejection::MissingJsonContentType(_) => ApiError::new(
            Code::UnsupportedMedia,
            "the body is not declared as JSON",
            "send it with Content-Type: application/json",
        ),
        JsonRejection::BytesRejection(error) if error.status() == 413 => too_large(),
        _ => ApiError::new(Code::InvalidJson, "the body is not JSON", "send one JSON object"),
    }
}

/// The body is longer than this request may have.
#[must_use]
pub fn too_large() -> ApiError {
    ApiError::new(Code::TooLarge, "the body is longer than this request may have", "send less")
}

/// What the path names; something that cannot be an id names nothing.
#[derive(Debug, Clone)]
pub struct Id<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Id<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(id)) => Ok(Self(id)),
            Err(_) => Err(ApiError::not_found("thing")),
        }
    }
}

/// What stands behind the question mark.
#[derive(Debug, Clone)]
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        match Query::from_request_parts(parts, state).await {
            Ok(Query(params)) => Ok(Self(params)),
            Err(rejection) => {
                let text = rejection.body_text();
                let problem = text.split_once("query string: ").map_or(text.as_str(), |(_, problem)| problem);
                Err(ApiError::new(Code::InvalidField, problem, "the parameters are described at /api/docs/"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn body(text: &'static str, kind: Option<&'static str>) -> Result<serde_json::Value, u16> {
        let mut request = Request::builder().method("POST");
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        let request = request.body(text.into()).expect("a request");
        Body::from_request(request, &()).await.map(|Body(value)| value).map_err(|error| error.code.status().as_u16())
    }

    #[tokio::test]
    async fn half_an_emoji_is_replaced_and_what_is_no_json_refused() {
        let json = Some("application/json");
        let text = body(r#"{"text":"Hello \ud83d there"}"#, json).await;
        assert_eq!(text, Ok(serde_json::json!({"text": "Hello \u{fffd} there"})));
        assert_eq!(body("{}", json).await, Ok(serde_json::json!({})));
        assert_eq!(body("{", json).await, Err(400));
        assert_eq!(body("{}", None).await, Err(415));
    }
}
