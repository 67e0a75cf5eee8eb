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
    if std::env::var_os("NOTIFY_SOCKET").is_some() {
        tokio::spawn(keep_telling(hub, life));
    }
}

async fn keep_telling(hub: Hub, life: Lifecycle) {
    let watchdog = sd_notify::watchdog_enabled();
    // Half of what is allowed, as systemd's manual advises.
    let every = watchdog.map_or(TELL_EVERY, |within| (within / 2).min(TELL_EVERY)).max(Duration::from_millis(10));
    let mut told = (status(&hub, &life), false);
    tell(vec![NotifyState::Ready.to_string(), NotifyState::Status(&told.0).to_string()]).await;
    loop {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = life.drains(), if !told.1 => {}
        }
        let now = (status(&hub, &life), life.is_draining());
        if now.1 {
            let more = NotifyState::ExtendTimeoutUsec(MORE_TIME.as_micros() as u32).to_string();
            tell(if told.1 { vec![more] } else { vec![NotifyState::Stopping.to_string(), more] }).await;
        }
        if now != told {
            tell(vec![NotifyState::Status(&now.0).to_string()]).await;
            told = now;
        }
        if watchdog.is_some() && alive().await {
            tell(vec![NotifyState::Watchdog.to_string()]).await;
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

/// Where systemd does not listen, telling waits: on a thread of its own, so that nothing else does.
async fn tell(lines: Vec<String>) {
    let told = tokio::task::spawn_blocking(move || sd_notify::notify(&[NotifyState::Custom(&lines.join("\n"))])).await;
    if let Ok(Err(error)) = told {
        tracing::debug!(%error, "systemd cannot be told");
    }
}
