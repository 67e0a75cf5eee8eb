//! Server-sent events: each with an id where it can be resumed, comments while nothing happens, an end when the server
//! stops.

use std::{convert::Infallible, time::Duration};

use axum::{
    http::{HeaderMap, HeaderName, HeaderValue},
    response::{
        IntoResponse, Response, Sse,
        sse::{Event, KeepAlive},
    },
};
use futures::{Stream, StreamExt};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

/// Proxies close connections on which nothing comes.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// A server-sent event, as the interface's description has it.
#[derive(Debug, utoipa::ToSchema)]
#[expect(dead_code, reason = "only described; axum writes them")]
pub struct ServerEvent {
    /// What happened.
    event: String,
    /// JSON; its fields depend on the event.
    data: String,
    /// Where there is one, `Last-Event-ID` goes on after it.
    id: Option<String>,
}

/// One event; `data` becomes one line of JSON.
pub fn event(id: Option<u64>, kind: &str, data: &impl Serialize) -> Event {
    // What is told serialises: its keys are strings.
    let event = Event::default().event(kind).data(serde_json::to_string(data).unwrap_or_default());
    match id {
        Some(id) => event.id(id.to_string()),
        None => event,
    }
}

/// The answer that tells `events` until they or the server end.
pub fn answer(events: impl Stream<Item = Event> + Send + 'static, shutdown: CancellationToken) -> Response {
    let events = events.take_until(shutdown.cancelled_owned()).map(Ok::<_, Infallible>);
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response();
    // nginx would hold them back.
    response.headers_mut().insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    response
}

/// The last event a client has, if it says so; what cannot be one of ours is none.
pub fn last_event_id(headers: &HeaderMap) -> u64 {
    headers.get("last-event-id").and_then(|id| id.to_str().ok()?.trim().parse().ok()).unwrap_or(0)
}
