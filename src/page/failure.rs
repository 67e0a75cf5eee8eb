//! Errors as pages, for people whose browser asked for a page.

use std::sync::Arc;

use askama::Template;
use axum::{
    http::{HeaderMap, StatusCode, header},
    response::Response,
};

use super::{
    PageSettings,
    shell::{Shell, respond},
};
use crate::account::Identity;

/// Makes the pages that say what went wrong and what to do.
#[derive(Debug, Clone)]
pub struct ErrorPages(Arc<PageSettings>);

impl ErrorPages {
    #[must_use]
    pub fn new(settings: PageSettings) -> Self {
        Self(Arc::new(settings))
    }

    /// The page for this status, in the reader's language. `request_id` names the request in the server's log.
    #[must_use]
    pub fn page(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        identity: Option<&Identity>,
        request_id: Option<&str>,
    ) -> Response {
        page(status, Shell::new(&self.0, headers, identity), request_id)
    }
}

/// Whether whoever sent these headers wants to read a page, not data.
#[must_use]
pub fn wants_html(headers: &HeaderMap) -> bool {
    headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|accept| accept.to_str().ok())
        .any(|accept| accept.contains("text/html"))
}

#[derive(Template)]
#[template(path = "error.html")]
struct Failure {
    shell: Shell,
    status: u16,
    title: String,
    text: String,
    hint: String,
    request_id: String,
}

pub(super) fn page(status: StatusCode, shell: Shell, request_id: Option<&str>) -> Response {
    let known = [400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 502, 503, 504];
    let name = if known.contains(&status.as_u16()) { status.as_str() } else { "unknown" };
    let words = |part: &str| shell.t(&format!("failure.{name}.{part}")).to_owned();
    let (title, text, hint) = (words("title"), words("text"), words("hint"));
    let request_id = request_id.unwrap_or_default().to_owned();
    respond(status, &Failure { shell, status: status.as_u16(), title, text, hint, request_id })
}
