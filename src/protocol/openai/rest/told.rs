//! The failures that requests below `/v1/` can be answered with, for the description of the interface.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses, ToSchema,
    openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder},
};

use super::errors::OpenAiError;

macro_rules! told {
    ($($(#[$doc:meta])* $name:ident: $($status:literal)*;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub struct $name;

            impl IntoResponses for $name {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    [$($status),*].into_iter().map(|status: u16| (status.to_string(), RefOr::T(failure(status)))).collect()
                }
            }
        )*
    };
}
told! {
    /// What every request can be told.
    Asked: 401 403 429 500 503 504;
    /// Requests that name something.
    Found: 401 403 404 429 500 503 504;
    /// Requests with a body, which engines answer.
    Worked: 400 401 403 404 408 413 415 429 500 502 503 504;
}

/// The description of a failure with this status.
#[must_use]
pub fn failure(status: u16) -> Response {
    let words = axum::http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let schema = RefOr::Ref(Ref::from_schema_name(OpenAiError::name()));
    ResponseBuilder::new()
        .description(words.unwrap_or_default())
        .content("application/json", ContentBuilder::new().schema(Some(schema)).build())
        .build()
}
