//! The door for Wyoming clients: bound where WYOMING_BIND says, announced where the network is.

use std::{io, net::SocketAddr, time::Duration};

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::config::Config;
use crate::{
    conversation::{
        driver::DriverSettings,
        hub::{Hub, HubSettings},
        journal::NoJournal,
        message::SessionOptions,
    },
    engine::Engines,
    job::server_id,
    protocol::wyoming::{
        Wyoming,
        announce::{Announcement, announce},
        serve,
    },
};

/// Longer than anything a Wyoming client waits for; its connection has its own limits.
const NEVER: Duration = Duration::from_hours(24);
/// Characters of the server's id that its announcement carries; as many as a network card's address has.
const ID: usize = 12;

/// A bound door.
pub struct Door {
    pub address: SocketAddr,
    listener: TcpListener,
    wyoming: Wyoming,
    announcement: Option<Announcement>,
}

/// Binds the door, if there is to be one. `hub` and `defaults`: what sessions of other clients are like.
///
/// # Errors
/// When the address cannot be bound; the text says what to do.
pub async fn open(
    config: &Config,
    engines: Engines,
    hub: HubSettings,
    defaults: SessionOptions,
) -> io::Result<Option<Door>> {
    let Some(wanted) = config.wyoming else { return Ok(None) };
    let listener = TcpListener::bind(wanted).await.map_err(|error| {
        io::Error::other(format!(
            "{wanted} cannot be listened on: {error}\nhint: something else may be there; set WYOMING_BIND to another port"
        ))
    })?;
    let address = listener.local_addr()?;
    let mut announcement = None;
    if !address.ip().is_loopback() {
        tracing::warn!(%address, "Wyoming knows no accounts: whoever reaches this address may use the recogniser and the voice");
        if config.settings.clients.wyoming_announce {
            announcement = announced(config, address);
        }
    }
    let connections = config.settings.clients.wyoming_connections as usize;
    // Of its own: its sessions belong to nobody, nothing of them is kept, and they end when their client says so.
    let settings = HubSettings {
        max_sessions: connections,
        driver: DriverSettings {
            idle_timeout: NEVER,
            slow_reader: NEVER,
            starvation: NEVER,
            end_within: NEVER,
            ..hub.driver
        },
        ..hub
    };
    let wyoming = Wyoming {
        hub: Hub::new(engines, settings, std::sync::Arc::new(NoJournal)),
        defaults,
        max_chars: config.settings.keeping.max_text_chars as usize,
        connections,
    };
    Ok(Some(Door { address, listener, wyoming, announcement }))
}

impl Door {
    /// Serves until `leave` and the end of what was begun, or until `stop`, and then takes at most about `drain` to end.
    pub async fn serve(self, leave: CancellationToken, stop: CancellationToken, drain: Duration) {
        let Self { listener, wyoming, announcement, .. } = self;
        let goodbye = async {
            leave.cancelled().await;
            if let Some(announcement) = announcement {
                announcement.end().await;
            }
        };
        tokio::join!(serve(listener, wyoming, leave.clone(), stop, drain), goodbye);
    }
}

/// Clients that cannot find the server by themselves can still be told its address.
fn announced(config: &Config, address: SocketAddr) -> Option<Announcement> {
    let id = match server_id(&config.settings.data_dir) {
        Ok(id) => id,
        Err(error) => {
            tracing::warn!(%error, "the Wyoming server is not announced: it has no lasting name");
            return None;
        }
    };
    // The end of it is the random part.
    let digits: Vec<char> = id.chars().filter(char::is_ascii_hexdigit).collect();
    let id: String = digits[digits.len().saturating_sub(ID)..].iter().collect();
    match announce(address, &id) {
        Ok(announcement) => {
            tracing::info!(name = announcement.name(), "the Wyoming server is announced");
            Some(announcement)
        }
        Err(error) => {
            tracing::warn!(%error, "the Wyoming server is not announced");
            None
        }
    }
}
