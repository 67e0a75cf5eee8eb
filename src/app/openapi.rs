//! The description of the HTTP interface, made from the code, and the page that shows it.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderName, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use utoipa::{
    Modify, OpenApi,
    openapi::{
        Content, Ref, RefOr, ResponseBuilder,
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
    },
};
use utoipa_swagger_ui::Config;

use crate::protocol::{
    error::{ApiError, Problem},
    openai::{
        self,
        rest::errors::{OpenAiError, OpenAiErrorBody},
    },
};

/// The page's own scripts and styles, nothing else; Swagger's icons are inline images, its measures inline styles of
/// elements, which scripts set.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; \
                                       base-uri 'none'; frame-ancestors 'none'; form-action 'self'";

/// What stands above the parts' own descriptions.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "aigolos",
        description = "Speech to text, chat, text to speech, and what was said. Live conversation is at `/ws`: see the native protocol.",
        license(name = "GPL-3.0-or-later", identifier = "GPL-3.0-or-later")
    ),
    components(schemas(Problem, OpenAiError, OpenAiErrorBody)),
    modifiers(&Security)
)]
pub struct Description;

struct Security;

impl Modify for Security {
    fn modify(&self, openapi: &mut utoipa::openapi::OpenApi) {
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        let cookie = ApiKeyValue::new("aigolos_session");
        components.add_security_scheme("login", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
        let none: [String; 0] = [];
        openapi.security = Some(vec![
            SecurityRequirement::default(),
            SecurityRequirement::new("key", none.clone()),
            SecurityRequirement::new("login", none),
        ]);
    }
}

/// What any request below `/api/` and `/v1/` may be answered by the layers before its handler.
const BY_LAYERS: &[(StatusCode, &str)] = &[
    (StatusCode::UNAUTHORIZED, "nobody is logged in, or the key is not known"),
    (StatusCode::FORBIDDEN, "not allowed, or asked for by a foreign page"),
    (StatusCode::TOO_MANY_REQUESTS, "too many requests; Retry-After says when to go on"),
    (
        StatusCode::SERVICE_UNAVAILABLE,
        "the database is away, or everything is taken; Retry-After says when to try again",
    ),
    (StatusCode::GATEWAY_TIMEOUT, "no answer in time"),
];

/// Adds what the layers may answer to every operation that does not say it itself; the health reports are exempt.
pub fn with_layers(mut description: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    for (path, item) in &mut description.paths.paths {
        if path.starts_with("/api/health/") {
            continue;
        }
        let operations = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            for (status, meaning) in BY_LAYERS {
                let (kind, schema) = if openai::has(path) {
                    ("application/json", "OpenAiError")
                } else {
                    ("application/problem+json", "Problem")
                };
                let problem = Content::new(Some(Ref::from_schema_name(schema)));
                let response = ResponseBuilder::new().description(*meaning).content(kind, problem).build();
                let responses = &mut operation.responses.responses;
                responses.entry(status.as_u16().to_string()).or_insert_with(|| RefOr::T(response));
            }
        }
    }
    description
}

/// `/api/openapi.json` and `/api/docs/`.
pub fn router(description: utoipa::openapi::OpenApi) -> Router {
    let json: Arc<str> = description.to_json().unwrap_or_default().into();
    let config = Arc::new(Config::from("/api/openapi.json"));
    Router::new()
        .route("/api/openapi.json", get(async move || ([(header::CONTENT_TYPE, "application/json")], json.to_string())))
        .route("/api/docs", get(async || Redirect::permanent("/api/docs/")))
        .route("/api/docs/", get(async |State(config)| file("", config)))
        .route("/api/docs/{*path}", get(async |Path(path): Path<String>, State(config)| file(&path, config)))
        .with_state(config)
}

fn file(path: &str, config: Arc<Config<'static>>) -> Response {
    match utoipa_swagger_ui::serve(path, config) {
        Ok(Some(file)) => (
            [
                (header::CONTENT_TYPE, file.content_type.as_str()),
                (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
                (HeaderName::from_static("cache-control"), "no-cache"),
            ],
            file.bytes.into_owned(),
        )
            .into_response(),
        Ok(None) => ApiError::not_found("file").into_response(),
        Err(error) => {
            tracing::error!(%error, "the interface's page cannot be served");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
