//! What handlers take from a request, with every rejection as an [`ApiError`] that says what is wrong and where.

use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Path, Query, Request, rejection::JsonRejection},
    http::request::Parts,
};
use serde::de::DeserializeOwned;

use super::error::{ApiError, Code};

/// A JSON body.
#[derive(Debug, Clone)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        match Json::from_request(request, state).await {
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
