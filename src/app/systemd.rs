//! What systemd is told where it started the server (`Type=notify`): that it is up, how many talk, that it is alive,
//! that it is stopping and needs a while for it. Elsewhere nobody listens and nothing is sent.

use std::time::Duration;

use sd_notify::NotifyState;

use super::lifecycle::Lifecycle;
use crate::conversation::hub::Hub;

/// How often systemd hears of the server without a watchdog.
const TELL_EVERY: Duration = Duration::from_secs(5);
/// How much longer than until now a server that drains may need; told again before it is over.
const MORE_TIME: Duration = Duration::from_secs(20);

/// The server takes connections. From now on systemd hears how it is, until the process ends.
pub fn up(hub: Hub, life: Lifecycle) {
    tell(&[NotifyState::Ready, NotifyState::Status(&status(&hub, &life))]);
    tokio::spawn(keep_telling(hub, life));
}

async fn keep_telling(hub: Hub, life: Lifecycle) {
    let watchdog = sd_notify::watchdog_enabled();
    // Half of what is allowed, as systemd's manual advises.
    let every = watchdog.map_or(TELL_EVERY, |within| (within / 2).min(TELL_EVERY)).max(Duration::from_millis(10));
    let mut told = (status(&hub, &life), false);
    loop {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = life.drains(), if !told.1 => {}
        }
        let now = (status(&hub, &life), life.is_draining());
        if now.1 {
            let mut words = vec![NotifyState::ExtendTimeoutUsec(MORE_TIME.as_micros() as u32)];
            if !told.1 {
                words.insert(0, NotifyState::Stopping);
            }
            tell(&words);
        }
        if now != told {
            tell(&[NotifyState::Status(&now.0)]);
            told = now;
        }
        if watchdog.is_some() && alive().await {
            tell(&[NotifyState::Watchdog]);
        }
    }
}

/// Whether tasks and blocking work really run. Where they hang this does not come back, and the watchdog hears nothing.
async fn alive() -> bool {
    let (task, blocking) = tokio::join!(tokio::spawn(async {}), tokio::task::spawn_blocking(|| {}));
    task.is_ok() && blocking.is_ok()
}

/// Taking the sessions' lock, this also waits where somebody never gives it back.
fn status(hub: &Hub, life: &Lifecycle) -> String {
    let (sessions, max) = (hub.sessions(), hub.settings().max_sessions);
    let words = if life.is_draining() { "draining, sessions left:" } else { "serving, sessions:" };
    format!("{words} {sessions} of {max}")
}

fn tell(words: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(words) {
        tracing::debug!(%error, "systemd cannot be told");
    }
}
