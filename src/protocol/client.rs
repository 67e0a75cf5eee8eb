//! Where a request comes from.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{HeaderMap, header, request::Parts},
};
use axum_extra::extract::CookieJar;

use crate::{account::Identity, model::Language};

/// The cookie that holds a reader's choice of language.
pub const LANGUAGE_COOKIE: &str = "lang";

/// The address a request comes from: the peer's, or what a trusted proxy says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// `peer` as the socket has it. `trusted`: proxies whose `X-Forwarded-For` is believed; of its addresses the last one
    /// that is not a trusted proxy counts, since everything before it could be made up.
    #[must_use]
    pub fn of(peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> Self {
        let peer = peer.to_canonical();
        if !trusted.contains(&peer) {
            return Self(peer);
        }
        let told = headers.get_all("x-forwarded-for").iter().rev().filter_map(|value| value.to_str().ok());
        let mut nearest = peer;
        for part in told.flat_map(|value| value.rsplit(',')) {
            let part = part.trim();
            let Some(address) = part.parse().ok().or_else(|| part.parse::<SocketAddr>().ok().map(|a| a.ip())) else {
                break;
            };
            nearest = address;
            if !trusted.contains(&nearest) {
                break;
            }
        }
        Self(nearest.to_canonical())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;

    /// What the outermost layer found; without one, the peer.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let peer = || parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| Self(peer.ip()));
        let found = parts.extensions.get::<Self>().copied().or_else(peer);
        Ok(found.unwrap_or(Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED))))
    }
}

/// Whether a trusted proxy says that the request came to it by HTTPS. Of several words the last counts, which the nearest
/// proxy wrote.
#[must_use]
pub fn came_by_https(peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> bool {
    let told = headers.get_all("x-forwarded-proto").iter().next_back().and_then(|value| value.to_str().ok());
    let nearest = told.and_then(|value| value.rsplit(',').next()).map(str::trim);
    trusted.contains(&peer.to_canonical()) && nearest.is_some_and(|scheme| scheme.eq_ignore_ascii_case("https"))
}

/// The language a request's answer should be in: the person's own choice, the browser's cookie, its `Accept-Language`.
#[must_use]
pub fn language(headers: &HeaderMap, identity: Option<&Identity>) -> Language {
    let chosen = identity.and_then(|identity| identity.user.language.as_deref()).and_then(Language::of_tag);
    let cookie = || CookieJar::from_headers(headers).get(LANGUAGE_COOKIE).and_then(|c| Language::of_tag(c.value()));
    let accepted = || Language::of_accept(headers.get(header::ACCEPT_LANGUAGE)?.to_str().ok()?);
    chosen.or_else(cookie).or_else(accepted).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(peer: &str, forwarded: &[&str], trusted: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append("x-forwarded-for", value.parse().expect("a header"));
        }
        let parse = |text: &str| text.parse::<IpAddr>().expect("an address");
        let trusted: Vec<_> = trusted.iter().map(|text| parse(text)).collect();
        ClientAddress::of(parse(peer), &headers, &trusted).0.to_string()
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        assert_eq!(address("203.0.113.7", &["198.51.100.1"], &[]), "203.0.113.7");
        assert_eq!(address("10.0.0.1", &["198.51.100.1"], &["10.0.0.1"]), "198.51.100.1");
        assert_eq!(
            address("10.0.0.1", &["6.6.6.6, 198.51.100.1, 10.0.0.2"], &["10.0.0.1", "10.0.0.2"]),
            "198.51.100.1"
        );
        assert_eq!(address("10.0.0.1", &["6.6.6.6", "198.51.100.1:443"], &["10.0.0.1"]), "198.51.100.1");
        assert_eq!(address("10.0.0.1", &["nonsense"], &["10.0.0.1"]), "10.0.0.1");
        assert_eq!(address("::ffff:10.0.0.1", &["2001:db8::1"], &["10.0.0.1"]), "2001:db8::1");
    }
}
