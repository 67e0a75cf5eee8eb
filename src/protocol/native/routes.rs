//! `GET /ws`: who may come in, and the upgrade.

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{State, WebSocketUpgrade},
    http::HeaderMap,
    response::Response,
    routing::get,
};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use super::{
    session::{Server, serve},
    wire::SUBPROTOCOL,
};
use crate::{
    conversation::{hub::Hub, message::SessionOptions},
    protocol::{
        caller::Caller,
        error::{ApiError, Code},
        origin::Origins,
        socket::{SocketSettings, library_limit},
    },
};

/// What the native protocol allows.
#[derive(Debug, Clone)]
pub struct NativeSettings {
    pub socket: SocketSettings,
    /// Whose pages may connect.
    pub origins: Origins,
    /// The longest typed utterance, in characters.
    pub max_text_chars: usize,
    /// How long a socket may take to start its session.
    pub start_within: Duration,
    /// Sockets that have not started their session yet. Full: a new one is refused before the upgrade.
    pub max_waiting: usize,
    /// Whether the sound of conversations is kept where there are no accounts.
    pub keep_audio: bool,
    /// What a session gets that wishes for nothing: language, voice and the rest.
    pub defaults: SessionOptions,
}

impl Default for NativeSettings {
    fn default() -> Self {
        Self {
            socket: SocketSettings::default(),
            origins: Origins::default(),
            max_text_chars: 5_000,
            start_within: Duration::from_secs(15),
            max_waiting: 256,
            keep_audio: false,
            defaults: SessionOptions::default(),
        }
    }
}

/// The native protocol at `/ws`. Cancelling `shutdown` closes its sockets with a reason; `sockets` tracks them, since
/// the HTTP server's own shutdown does not wait for upgraded connections.
pub fn router(hub: Hub, settings: NativeSettings, shutdown: CancellationToken, sockets: TaskTracker) -> Router {
    let door = Door {
        waiting: Arc::new(Semaphore::new(settings.max_waiting)),
        server: Server { hub, settings: Arc::new(settings), shutdown },
        sockets,
    };
    Router::new().route("/ws", get(enter)).with_state(door)
}

#[derive(Clone)]
struct Door {
    server: Server,
    waiting: Arc<Semaphore>,
    sockets: TaskTracker,
}

async fn enter(
    State(door): State<Door>,
    Caller(identity): Caller,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    let settings = &door.server.settings;
    settings.origins.check(&headers)?;
    if door.server.shutdown.is_cancelled() {
        return Err(ApiError::shutting_down());
    }
    let waiting = door.waiting.clone().try_acquire_owned().map_err(|_| {
        ApiError::new(Code::Overloaded, "too many sockets are being opened", "try again after retry_after_ms")
            .retry_after(1_000)
    })?;
    let limit = library_limit(&settings.socket);
    let tracked = door.sockets.token();
    let asked = tracing::Span::current();
    Ok(upgrade.max_message_size(limit).max_frame_size(limit).protocols([SUBPROTOCOL]).on_upgrade(move |socket| {
        let serving = async move {
            serve(door.server, identity, socket, waiting).await;
            drop(tracked);
        };
        serving.instrument(asked)
    }))
}
