//! Zeroconf: Home Assistant finds the server by itself where multicast reaches it.

use std::{net::SocketAddr, time::Duration};

use mdns_sd::{Error, IfKind, Receiver, ServiceDaemon, ServiceInfo};

/// What Wyoming servers are found by.
pub const SERVICE: &str = "_wyoming._tcp.local.";
/// How long saying goodbye may take.
const GOODBYE_WITHIN: Duration = Duration::from_secs(2);

/// A server that can be found, until [`end`](Self::end).
pub struct Announcement {
    daemon: ServiceDaemon,
    name: String,
}

/// The record of a server that listens on `address`. `id` must not change from one start to the next: clients know the
/// server again by it.
///
/// # Errors
/// When `id` cannot stand in a name.
pub fn record(address: SocketAddr, id: &str) -> Result<ServiceInfo, Error> {
    let instance = format!("aigolos-{id}");
    let host = format!("{instance}.local.");
    let none: &[(&str, &str)] = &[];
    if address.ip().is_unspecified() {
        // Whatever addresses the machine has, now and later.
        ServiceInfo::new(SERVICE, &instance, &host, "", address.port(), none).map(ServiceInfo::enable_addr_auto)
    } else {
        ServiceInfo::new(SERVICE, &instance, &host, address.ip(), address.port(), none)
    }
}

/// Announces the server on the networks that reach `address`.
///
/// # Errors
/// When there is no network to announce it on.
pub fn announce(address: SocketAddr, id: &str) -> Result<Announcement, Error> {
    let record = record(address, id)?;
    let name = record.get_fullname().to_owned();
    let daemon = ServiceDaemon::new()?;
    daemon.disable_interface([IfKind::LoopbackV4, IfKind::LoopbackV6].to_vec())?;
    if address.is_ipv4() {
        daemon.disable_interface(IfKind::IPv6)?;
    }
    daemon.register(record)?;
    Ok(Announcement { daemon, name })
}

impl Announcement {
    /// Its full name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Says goodbye, so that clients need not find out.
    pub async fn end(self) {
        async fn answered<T>(asked: Result<Receiver<T>, Error>) {
            if let Ok(answer) = asked {
                let _ = tokio::time::timeout(GOODBYE_WITHIN, answer.recv_async()).await;
            }
        }
        answered(self.daemon.unregister(&self.name)).await;
        answered(self.daemon.shutdown()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_record_names_the_port_and_stays_the_same() {
        let record = record(([0, 0, 0, 0], 10_300).into(), "0123456789ab").expect("a name");
        assert_eq!(record.get_fullname(), "aigolos-0123456789ab._wyoming._tcp.local.");
        assert_eq!((record.get_type(), record.get_port()), (SERVICE, 10_300));
        let record = super::record(([192, 0, 2, 7], 1).into(), "0123456789ab").expect("a name");
        assert_eq!(record.get_addresses_v4().into_iter().collect::<Vec<_>>(), [&std::net::Ipv4Addr::new(192, 0, 2, 7)]);
    }
}
