//! Whoever loses their account, or sets a new password because the old one was lost, is not left talking.

use std::{collections::HashSet, time::Duration};

use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::{account::Accounts, conversation::hub::Hub, model::UserId};

/// How often everybody who talks is looked up: other servers and `aigolos user` tell this one nothing.
const LOOKED_UP: Duration = Duration::from_secs(30);

/// Ends the live sessions of those who leave, until `stopping`.
pub async fn watch(accounts: Accounts, hub: Hub, stopping: CancellationToken) {
    if accounts.open() {
        return;
    }
    let mut departures = accounts.departures();
    loop {
        let left = tokio::select! {
            () = stopping.cancelled() => return,
            left = departures.recv() => match left {
                Ok(user) => vec![user],
                Err(RecvError::Lagged(_)) => unwelcome(&accounts, &hub).await,
                Err(RecvError::Closed) => return,
            },
            () = tokio::time::sleep(LOOKED_UP) => unwelcome(&accounts, &hub).await,
        };
        for user in left {
            let ended = hub.end_of(user);
            if ended > 0 {
                tracing::info!(user.id = %user, sessions = ended, "sessions ended with the right to them");
            }
        }
    }
}

/// Those who talk and have no account any more. With the store away nobody is cut off.
async fn unwelcome(accounts: &Accounts, hub: &Hub) -> Vec<UserId> {
    let talking: HashSet<_> = hub.list().into_iter().map(|session| session.user).collect();
    let mut unwelcome = Vec::new();
    for user in talking {
        if accounts.is_welcome(user).await.is_ok_and(|welcome| !welcome) {
            unwelcome.push(user);
        }
    }
    unwelcome
}
