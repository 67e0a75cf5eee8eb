//! How a server ends: asked to stop it is not ready any more, then takes nothing new and finishes what was begun, then
//! cuts what is left. Asked twice, it does not wait.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{Request, State},
    http::Method,
    middleware::Next,
    response::{IntoResponse, Response},
};
use http_body::{Frame, SizeHint};
use tokio::time::{Instant, timeout};
use tokio_util::{
    sync::CancellationToken,
    task::{TaskTracker, task_tracker::TaskTrackerToken},
};

use crate::{conversation::hub::Hub, protocol::error::ApiError};

/// How long what is cut may take to say goodbye; and after a second signal.
const CUT: Duration = Duration::from_secs(10);
const CUT_NOW: Duration = Duration::from_secs(2);

/// What was asked of a server about its end, and how far it is.
#[derive(Debug, Clone, Default)]
pub struct Lifecycle {
    /// Asked to stop.
    draining: CancellationToken,
    /// Asked twice.
    hurry: CancellationToken,
    /// Nobody needs to be sent elsewhere first.
    without_notice: Arc<AtomicBool>,
    /// New work is refused.
    refusing: CancellationToken,
    /// Requests under way that do work.
    work: TaskTracker,
}

impl Lifecycle {
    /// Follows the process's signals. SIGTERM drains; SIGINT, which comes from somebody at a terminal, drains without
    /// notice; a second one of either ends the waiting.
    #[must_use]
    pub fn of_signals() -> Self {
        let life = Self::default();
        tokio::spawn(life.clone().follow_signals());
        life
    }

    async fn follow_signals(self) {
        use tokio::signal::unix::{SignalKind, signal};
        let kinds = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
        let (mut terminate, mut interrupt) = match kinds {
            (Ok(terminate), Ok(interrupt)) => (terminate, interrupt),
            (Err(error), _) | (_, Err(error)) => {
                tracing::warn!(%error, "signals cannot be listened for");
                return;
            }
        };
        loop {
            let at_terminal = tokio::select! {
                _ = terminate.recv() => false,
                _ = interrupt.recv() => true,
            };
            if self.is_draining() {
                tracing::warn!("asked twice: not waiting any longer");
                self.hurry.cancel();
            } else {
                self.drain(!at_terminal);
            }
        }
    }

    /// Asks the server to stop; `notice`: and to be not ready for a while first.
    pub fn drain(&self, notice: bool) {
        self.without_notice.store(!notice, Ordering::Relaxed);
        self.draining.cancel();
    }

    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Waits until the server is asked to stop.
    pub async fn drains(&self) {
        self.draining.cancelled().await;
    }

    /// Cancelled when nothing new is taken any more.
    pub(super) fn refusing(&self) -> &CancellationToken {
        &self.refusing
    }

    /// How long each part of the end may take that follows the drain.
    pub(super) fn cut_within(&self) -> Duration {
        if self.hurry.is_cancelled() { CUT_NOW } else { CUT }
    }

    /// Waits for the order to stop, then as long as `drain` allows for `hub`'s sessions, for requests at work and for
    /// `doors`, where others come in; then ends the sessions that are left.
    pub(super) async fn see_out(&self, hub: &Hub, doors: &TaskTracker, notice: Duration, drain: Duration) {
        self.drains().await;
        let notice = if self.without_notice.load(Ordering::Relaxed) { Duration::ZERO } else { notice };
        tracing::info!(sessions = hub.sessions(), notice_s = notice.as_secs(), "stopping: not ready any more");
        self.patiently(notice, std::future::pending()).await;
        self.refusing.cancel();
        self.work.close();
        doors.close();
        let (began, sessions) = (Instant::now(), hub.sessions());
        let all = async {
            tokio::join!(hub.leave(), self.work.wait(), doors.wait());
        };
        let whole = self.patiently(drain, all).await;
        let took_ms = began.elapsed().as_millis() as u64;
        if whole {
            tracing::info!(sessions, took_ms, "drained: what was begun is finished");
        } else {
            let (sessions, requests) = (hub.sessions(), self.work.len());
            tracing::warn!(sessions, requests, took_ms, "not everything was finished in time; it is cut");
        }
        if timeout(self.cut_within(), hub.shut_down()).await.is_err() {
            tracing::warn!("some sessions did not end in time");
        }
    }

    /// Waits for `done`, at most `within`, and not at all once there is hurry; whether it was done.
    async fn patiently(&self, within: Duration, done: impl Future<Output = ()>) -> bool {
        tokio::select! {
            biased;
            () = done => true,
            () = self.hurry.cancelled() => false,
            () = tokio::time::sleep(within) => false,
        }
    }
}

/// A layer: requests that do work are refused once nothing new is taken, and waited for when they came before.
pub(super) async fn at_work(State(life): State<Lifecycle>, request: Request, next: Next) -> Response {
    if !is_work(request.method(), request.uri().path()) {
        return next.run(request).await;
    }
    let token = life.work.token();
    if life.refusing.is_cancelled() {
        return ApiError::shutting_down().into_response();
    }
    next.run(request).await.map(|body| Body::new(AtWork { body, _token: token }))
}

fn is_work(method: &Method, path: &str) -> bool {
    method == Method::POST
        && ["/api/asr/", "/api/jobs", "/api/llm/", "/api/tts/", "/v1/"].iter().any(|root| path.starts_with(root))
}

/// An answer that counts as work until its end has left.
struct AtWork {
    body: Body,
    _token: TaskTrackerToken,
}

impl HttpBody for AtWork {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn patience_ends_with_its_time_or_with_hurry() {
        let life = Lifecycle::default();
        assert!(life.patiently(Duration::ZERO, async {}).await);
        let began = Instant::now();
        assert!(!life.patiently(Duration::from_secs(30), std::future::pending()).await);
        assert_eq!(began.elapsed().as_secs(), 30);
        life.hurry.cancel();
        assert!(!life.patiently(Duration::from_secs(30), std::future::pending()).await);
        assert_eq!(began.elapsed().as_secs(), 30, "nobody waits in a hurry");
    }

    #[test]
    fn work_is_what_engines_do() {
        for path in ["/api/asr/transcribe", "/api/jobs", "/api/jobs/", "/api/llm/chat", "/v1/audio/speech"] {
            assert!(is_work(&Method::POST, path), "{path}");
            assert!(!is_work(&Method::GET, path), "{path}");
        }
        for path in ["/api/auth/login", "/", "/ws", "/api/conversations/"] {
            assert!(!is_work(&Method::POST, path), "{path}");
        }
    }
}
