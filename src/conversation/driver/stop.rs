//! How a session is ended from outside.

use std::sync::{Arc, OnceLock};

use tokio_util::sync::CancellationToken;

use crate::conversation::message::CloseReason;

/// Ends a session from outside, with the reason its client is told.
#[derive(Debug, Clone)]
pub struct Stop {
    token: CancellationToken,
    leave: CancellationToken,
    reason: Arc<OnceLock<CloseReason>>,
}

impl Stop {
    /// Follows `server`: when that is cancelled, the session ends with [`CloseReason::Shutdown`]; and `leave`: when that
    /// is, it ends with [`CloseReason::Restart`] as soon as what was begun is finished.
    #[must_use]
    pub fn under(server: &CancellationToken, leave: &CancellationToken) -> Self {
        Self { token: server.child_token(), leave: leave.clone(), reason: Arc::default() }
    }

    /// Ends the session; of several reasons the first counts.
    pub fn stop(&self, reason: CloseReason) {
        let _ = self.reason.set(reason);
        self.token.cancel();
    }

    pub(super) async fn stopped(&self) -> CloseReason {
        self.token.cancelled().await;
        self.reason.get().copied().unwrap_or(CloseReason::Shutdown)
    }

    pub(super) async fn leaving(&self) {
        self.leave.cancelled().await;
    }
}
