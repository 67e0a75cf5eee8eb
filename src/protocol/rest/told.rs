//! The failures that many requests can be answered with, for the description of the interface.

use std::collections::BTreeMap;

use utoipa::{
    IntoResponses, PartialSchema, ToSchema,
    openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder},
};

use crate::protocol::error::Problem;

macro_rules! told {
    ($($(#[$doc:meta])* $name:ident: $($status:literal)*;)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug)]
            pub struct $name;

            impl IntoResponses for $name {
                fn responses() -> BTreeMap<String, RefOr<Response>> {
                    problems(&[$($status),*])
                }
            }
        )*
    };
}
told! {
    /// What every request can be told.
    Common: 401 403 429 503 504;
    /// Requests that may not fit the kind of server.
    Known: 401 403 409 429 503 504;
    /// Requests that name something.
    Found: 401 403 404 409 429 503 504;
    /// Requests with a query.
    Searched: 401 403 422 429 503 504;
    /// Requests with a body.
    Changed: 400 401 403 409 413 415 422 429 503 504;
    /// Requests with a body that name something.
    FoundAndChanged: 400 401 403 404 409 413 415 422 429 503 504;
}

/// The description of problems with these statuses.
#[must_use]
pub fn problems(statuses: &[u16]) -> BTreeMap<String, RefOr<Response>> {
    statuses.iter().map(|status| (status.to_string(), RefOr::T(problem(*status)))).collect()
}

fn problem(status: u16) -> Response {
    let words = axum::http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason());
    let schema = RefOr::Ref(Ref::from_schema_name(Problem::name()));
    ResponseBuilder::new()
        .description(words.unwrap_or_default())
        .content("application/problem+json", ContentBuilder::new().schema(Some(schema)).build())
        .build()
}

/// The schema the descriptions refer to, for whoever puts them together.
#[must_use]
pub fn problem_schema() -> (String, RefOr<utoipa::openapi::Schema>) {
    (Problem::name().into_owned(), Problem::schema())
}
