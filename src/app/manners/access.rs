//! A request in the logs and in traces: the span its lines are of, and the line that says how it was answered.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request},
    http::Method,
    response::Response,
};
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry_http::HeaderExtractor;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::{Span, field::Empty};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::{
    model::TRACE_ROOT,
    protocol::error::{ApiError, Code},
};

/// Addresses whose requests make engines work: each of those is a trace.
const WORK: &[&str] = &["/api/asr/", "/api/llm/", "/api/tts/", "/v1/audio/", "/v1/chat/"];
/// Addresses that are asked for all the time, and say nothing of anybody.
const QUIET: &[&str] = &["/api/health/", "/metrics", "/static/"];
/// The longest path that is written, in bytes.
const LONGEST: usize = 200;

/// A request under way.
pub(super) struct Access {
    pub(super) span: Span,
    method: Method,
    path: String,
    quiet: bool,
    began: Instant,
}

impl Access {
    pub(super) fn begin(request: &Request, id: &str) -> Self {
        let (method, path) = (request.method().clone(), request.uri().path());
        let work = method == Method::POST && WORK.iter().any(|part| path.starts_with(part));
        let span = if work {
            let route = request.extensions().get::<MatchedPath>().map_or("", MatchedPath::as_str);
            let span = tracing::info_span!(
                target: TRACE_ROOT,
                parent: None,
                "request",
                otel.name = format!("{method} {route}"),
                otel.kind = "server",
                request.id = id,
                user.id = Empty,
                http.status = Empty,
                latency_ms = Empty
            );
            if request.headers().contains_key("traceparent") && !span.is_disabled() {
                let parent = TraceContextPropagator::new().extract(&HeaderExtractor(request.headers()));
                let _ = span.set_parent(parent); // traces are off
            }
            span
        } else {
            tracing::info_span!(parent: None, "request", request.id = id, user.id = Empty)
        };
        let quiet = QUIET.iter().any(|part| path.starts_with(part));
        Self { span, path: shown(path), method, quiet, began: Instant::now() }
    }

    /// Says how it was answered. An answer that goes on (sound, events, a socket) has only begun.
    pub(super) fn end(self, response: &Response) {
        let Self { span, method, path, quiet, began } = self;
        let (status, latency_ms) = (response.status().as_u16(), began.elapsed().as_millis() as u64);
        let failed = response.extensions().get::<ApiError>();
        let (code, error) = (failed.map(|error| error.code.name()), failed.and_then(why));
        span.record("http.status", status).record("latency_ms", latency_ms);
        let _entered = span.enter();
        if quiet {
            tracing::debug!(http.method = %method, http.path = path, http.status = status, latency_ms, error.code = code, error, "request");
        } else {
            tracing::info!(http.method = %method, http.path = path, http.status = status, latency_ms, error.code = code, error, "request");
        }
    }
}

/// What went wrong, where it is the server's. What engines say of it may quote what was asked.
fn why(error: &ApiError) -> Option<&str> {
    let text = if error.code == Code::EngineFailed { error.message.split(':').next() } else { Some(&*error.message) };
    text.filter(|_| error.code.status().is_server_error())
}

/// The path without what may be a mail address or go on for ever: anybody may ask for anything.
fn shown(path: &str) -> String {
    let mut shown: Vec<&str> = path.split('/').collect();
    for part in &mut shown {
        if part.contains('@') || part.to_ascii_lowercase().contains("%40") || part.contains("aig_") {
            *part = "…";
        }
    }
    let mut shown = shown.join("/");
    shown.truncate(shown.floor_char_boundary(LONGEST));
    shown
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn a_path_names_no_person() {
        assert_eq!(shown("/api/users/anna@example.org/x"), "/api/users/…/x");
        assert_eq!(shown("/api/users/anna%40example.org"), "/api/users/…");
        assert_eq!(shown("/api/keys/"), "/api/keys/");
        assert!(shown(&"/a".repeat(500)).len() <= 200);
    }
}
