//! Hears a refused client out. A server that answers and hangs up while the client still sends may destroy its own
//! answer on the way (RFC 9112, 9.6): the client then sees a broken connection instead of the reason.

use std::{
    future::poll_fn,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::Request,
    http::header,
    middleware::Next,
    response::Response,
};

/// How much of a refused body is read and thrown away, and for how long. Beyond that the connection just ends.
const MOST_BYTES: usize = 64 * 1024 * 1024;
const LONGEST: Duration = Duration::from_secs(10);

/// A layer; must stand outside of whatever refuses bodies.
pub async fn hear_out(request: Request, next: Next) -> Response {
    // Who waits for a word before sending has not sent anything.
    if request.body().is_end_stream() || request.headers().contains_key(header::EXPECT) {
        return next.run(request).await;
    }
    let (head, body) = request.into_parts();
    let body = Shared(Arc::new(Mutex::new(body)));
    let rest = Shared(Arc::clone(&body.0));
    let response = next.run(Request::from_parts(head, Body::new(body))).await;
    if response.status().is_client_error() || response.status().is_server_error() {
        // In time or not, the answer goes out now.
        let _ = tokio::time::timeout(LONGEST, rest.discard()).await;
    }
    response
}

/// A body that can be read on after its reader has dropped it.
struct Shared(Arc<Mutex<Body>>);

impl Shared {
    async fn discard(mut self) {
        let mut left = MOST_BYTES;
        while let Some(Ok(frame)) = poll_fn(|context| Pin::new(&mut self).poll_frame(context)).await {
            let Some(less) = left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) else { return };
            left = less;
        }
    }
}

impl HttpBody for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner)).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).size_hint()
    }
}
