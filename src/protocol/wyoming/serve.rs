//! Accepting clients.

use std::{sync::Arc, time::Duration};

use serde_json::Value;
use tokio::{io::AsyncWriteExt as _, net::TcpListener, sync::Semaphore, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use super::{connection, info::info, speaking::Speaking, wire::Outgoing};
use crate::conversation::{hub::Hub, message::SessionOptions};

/// After a connection could not be accepted (no file handles left): trying at once would only turn the processor.
const PAUSE: Duration = Duration::from_millis(500);
/// How long a client that is refused may take to hear it.
const REFUSE_WITHIN: Duration = Duration::from_secs(2);

/// What all connections share.
#[derive(Clone)]
pub struct Wyoming {
    /// Its sessions; nothing of them is kept, so it should have a journal that keeps nothing.
    pub hub: Hub,
    /// What sessions and voices are like where a client says nothing.
    pub defaults: SessionOptions,
    /// The longest text that is spoken, in characters.
    pub max_chars: usize,
    /// Connections at once; one more is told that it is one too many.
    pub connections: usize,
}

impl Wyoming {
    pub(super) fn info(&self) -> Value {
        info(self.hub.engines())
    }

    pub(super) fn speaking(&self) -> Speaking {
        let SessionOptions { language, voice, .. } = self.defaults.clone();
        Speaking::new(Arc::clone(&self.hub.engines().speech), language, voice, self.max_chars)
    }
}

/// How a connection ends from this side.
#[derive(Clone)]
pub(super) struct Ends {
    /// After what was begun.
    pub leave: CancellationToken,
    /// Now, with what was understood so far.
    pub stop: CancellationToken,
}

/// Serves clients on `listener`. Once `leave` is cancelled new ones are told to come again later, and it ends when
/// those that are there have had what they asked for. Once `stop` is, sessions end, their clients are told what was
/// understood so far, and connections close, all within `drain`.
pub async fn serve(
    listener: TcpListener,
    wyoming: Wyoming,
    leave: CancellationToken,
    stop: CancellationToken,
    drain: Duration,
) {
    let places = Arc::new(Semaphore::new(wyoming.connections));
    let (stopping, abort, connections) = (CancellationToken::new(), CancellationToken::new(), TaskTracker::new());
    let wyoming = Arc::new(wyoming);
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            () = left(&leave, &connections) => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((mut stream, _)) => {
                let place = Arc::clone(&places).try_acquire_owned();
                let (wyoming, abort) = (Arc::clone(&wyoming), abort.clone());
                let ends = Ends { leave: leave.clone(), stop: stopping.clone() };
                let span = tracing::info_span!("connection", connection.id = %uuid::Uuid::now_v7());
                let serving = async move {
                    if let Some(_place) = place.ok().filter(|_| !ends.leave.is_cancelled()) {
                        connection::run(stream, wyoming, ends, abort).await;
                    } else {
                        let refusal = if ends.leave.is_cancelled() {
                            Outgoing::error("shutting_down", "the server is stopping; connect again in a moment")
                        } else {
                            Outgoing::error("busy", format!("all {} connections are taken", wyoming.connections))
                        };
                        let refusal = refusal.into_frame().to_bytes();
                        // It may be gone already.
                        let _ = timeout(REFUSE_WITHIN, stream.write_all(&refusal)).await;
                    }
                };
                connections.spawn(serving.instrument(span));
            }
            Err(error) => {
                tracing::error!(%error, "a Wyoming connection cannot be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    connections.close();
    let ended = async {
        stopping.cancel();
        wyoming.hub.shut_down().await;
        connections.wait().await;
    };
    if timeout(drain, ended).await.is_err() {
        abort.cancel();
        tracing::warn!("some Wyoming connections did not end in time");
    }
}

/// Completes once it is time to leave and nobody is there any more.
async fn left(leave: &CancellationToken, connections: &TaskTracker) {
    leave.cancelled().await;
    connections.close();
    connections.wait().await;
}
