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
    openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme},
};
use utoipa_swagger_ui::Config;

use crate::protocol::error::ApiError;

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
