//! Zeroconf: the announcement can be found with a browser of services, where the machine has a network to find it on.

use std::net::{Ipv4Addr, SocketAddr};

use aigolos::protocol::wyoming::announce::{SERVICE, announce};
use mdns_sd::{ServiceDaemon, ServiceEvent};
use tokio::net::UdpSocket;

use crate::harness::PATIENCE;

/// Some machines and containers have a network without multicast: a group on it, and whether it hears itself.
async fn has_multicast(address: Ipv4Addr) -> bool {
    const GROUP: Ipv4Addr = Ipv4Addr::new(239, 255, 77, 77);
    let heard = async {
        let socket = UdpSocket::bind("0.0.0.0:0").await?;
        socket.join_multicast_v4(GROUP, address)?;
        socket.send_to(b"here", (GROUP, socket.local_addr()?.port())).await?;
        socket.recv_from(&mut [0; 8]).await
    };
    tokio::time::timeout(PATIENCE / 3, heard).await.is_ok_and(|heard| heard.is_ok())
}

/// An address of this machine that others could reach.
fn network() -> Option<Ipv4Addr> {
    let found = if_addrs::get_if_addrs().ok()?;
    found.into_iter().find_map(|interface| match interface.ip() {
        std::net::IpAddr::V4(address) if !address.is_loopback() => Some(address),
        _ => None,
    })
}

#[tokio::test]
async fn an_announced_server_is_found_and_lost() {
    let address = match network() {
        Some(address) if has_multicast(address).await => address,
        _ => return eprintln!("not tested: this machine has no network to announce a server on"),
    };
    let browser = ServiceDaemon::new().expect("a browser");
    let seen = browser.browse(SERVICE).expect("browsing");
    let id = uuid::Uuid::new_v4().simple().to_string();
    let announcement = announce(SocketAddr::from((address, 10_300)), &id[..12]).expect("announced");
    let name = announcement.name().to_owned();
    let found = async {
        while let Ok(event) = seen.recv_async().await {
            if let ServiceEvent::ServiceResolved(service) = event
                && service.get_fullname() == name
            {
                return service;
            }
        }
        panic!("the browser ended");
    };
    let found = tokio::time::timeout(PATIENCE, found).await.expect("it is found");
    assert_eq!(found.get_port(), 10_300);
    assert!(found.get_addresses_v4().contains(&address), "{found:?}");

    announcement.end().await;
    let lost = async {
        while let Ok(event) = seen.recv_async().await {
            if matches!(event, ServiceEvent::ServiceRemoved(_, gone) if gone == name) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, lost).await.expect("it said goodbye");
    let _ = browser.shutdown();
}
