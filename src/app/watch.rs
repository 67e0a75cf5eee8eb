//! Ends live sessions of those who may no longer come in: their account was disabled or deleted, their log-in or key
//! ended, by whichever server or command.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use axum::{
    extract::{Request, State},
    middleware::Next,
    response::Response,
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    conversation::hub::{Hub, LiveSession},
    model::{UnixMs, UserId},
    store::{Store, StoreError},
};

/// How often everybody is looked at, for what was done elsewhere.
const EVERY: Duration = Duration::from_secs(15);

/// Looks now and then, and whenever `poked`, until `stop`.
pub async fn keep_watch(hub: Hub, store: Arc<dyn Store>, poked: Arc<Notify>, stop: CancellationToken) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = poked.notified() => {}
            () = tokio::time::sleep(EVERY) => {}
        }
        if let Err(error) = look(&hub, store.as_ref()).await {
            tracing::debug!(%error, "who may still talk cannot be told now");
        }
    }
}

/// The layer that pokes the watch once a request has changed something about people, log-ins or keys.
pub async fn poke(State(poked): State<Arc<Notify>>, request: Request, next: Next) -> Response {
    let safe = request.method().is_safe();
    let response = next.run(request).await;
    if !safe && response.status().is_success() {
        poked.notify_one();
    }
    response
}

/// # Errors
/// Of the store; those who were not looked at go on.
async fn look(hub: &Hub, store: &dyn Store) -> Result<(), StoreError> {
    let mut people: HashMap<UserId, Vec<LiveSession>> = HashMap::new();
    for session in hub.list() {
        // Without a pass nobody was asked who they are.
        if session.pass.is_some() {
            people.entry(session.user).or_default().push(session);
        }
    }
    for (user, sessions) in people {
        if store.user(user).await?.is_none_or(|user| user.disabled) {
            let ended = hub.end_of(user);
            tracing::info!(user.id = %user, ended, "sessions of somebody who may no longer come in");
            continue;
        }
        let passes = passes(store, user).await?;
        for session in sessions {
            if session.pass.is_some_and(|pass| !passes.contains(&pass)) && hub.end(session.id) {
                tracing::info!(session.id = %session.id, "its log-in or key has ended");
            }
        }
    }
    Ok(())
}

/// What still lets somebody in.
async fn passes(store: &dyn Store, user: UserId) -> Result<HashSet<Uuid>, StoreError> {
    let now = UnixMs::now();
    let logins = store.logins(user, now).await?.into_iter().map(|login| login.id);
    let keys = store.keys(user).await?.into_iter();
    let keys = keys.filter(|key| key.expires_at.is_none_or(|end| end > now)).map(|key| key.id);
    Ok(logins.chain(keys).collect())
}
