//! Tells browsers that came by HTTPS to come by nothing else (HSTS, RFC 6797).

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderValue};

use crate::protocol::client;

/// When that is said, and for how long it holds.
#[derive(Debug, Clone, Copy, Default)]
pub struct Hsts {
    /// How long it holds; 0: it is not said.
    pub seconds: u32,
    /// The server encrypts by itself, so that whoever gets an answer came by HTTPS.
    pub own_tls: bool,
}

impl Hsts {
    /// The header for the answer to a request of `peer`. Never over plain HTTP, where anybody could have written it.
    pub fn header(self, peer: Option<IpAddr>, headers: &HeaderMap, proxies: &[IpAddr]) -> Option<HeaderValue> {
        let encrypted = self.own_tls || peer.is_some_and(|peer| client::came_by_https(peer, headers, proxies));
        if self.seconds == 0 || !encrypted {
            return None;
        }
        HeaderValue::from_str(&format!("max-age={}", self.seconds)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_over_https_only() {
        let peer: IpAddr = "10.0.0.1".parse().expect("an address");
        let mut forwarded = HeaderMap::new();
        forwarded.insert("x-forwarded-proto", HeaderValue::from_static("https"));
        let hsts = Hsts { seconds: 60, own_tls: false };
        let said =
            |hsts: Hsts, headers: &HeaderMap, proxies: &[IpAddr]| hsts.header(Some(peer), headers, proxies).is_some();
        assert!(said(hsts, &forwarded, &[peer]));
        assert!(!said(hsts, &forwarded, &[]), "anybody can send that header");
        assert!(!said(hsts, &HeaderMap::new(), &[peer]));
        assert!(said(Hsts { own_tls: true, ..hsts }, &HeaderMap::new(), &[]));
        assert!(!said(Hsts { own_tls: true, seconds: 0 }, &HeaderMap::new(), &[]));
    }
}
