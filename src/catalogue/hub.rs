//! One request for a file of the hub: its redirects followed by hand, so that the token goes to the hub alone, and what
//! the hub tells of the file on the way.

use std::time::Duration;

use reqwest::{Client, Proxy, RequestBuilder, Response, StatusCode, Url, header, header::HeaderMap, redirect::Policy};

use super::trouble::Trouble;

/// Redirects followed; the hub makes one or two.
const MOST_HOPS: usize = 8;
/// A licence is a page.
const LONGEST_CARD: usize = 64 << 10;

/// Where files come from.
#[derive(Clone)]
pub struct Hub {
    client: Client,
    base: Url,
    token: Option<String>,
    /// Until an answer begins.
    answer: Duration,
}

/// A hub that cannot be asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HubError {
    #[error("HF_ENDPOINT is not an address like https://huggingface.co")]
    Endpoint,
    #[error("MODELS_MIRRORS is not a list of addresses like https://mirror.example")]
    Mirror,
    /// Its value may hold a password.
    #[error("MODELS_PROXY is not an address like http://proxy:3128")]
    Proxy,
    #[error("no HTTP client can be made: {0}")]
    Client(String),
}

/// What the hub tells of a file, on the answers that are its own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Linked {
    /// `X-Linked-ETag`, where it is a SHA-256.
    pub sha256: Option<String>,
    /// `X-Linked-Size`.
    pub bytes: Option<u64>,
}

/// An answer, and who gave it.
pub(super) struct Answer {
    pub response: Response,
    pub host: String,
    pub linked: Linked,
}

impl Hub {
    /// `proxy` empty: what the environment says.
    ///
    /// # Errors
    /// [`HubError`] names the setting that cannot be used.
    pub fn new(
        endpoint: &str,
        token: &str,
        proxy: &str,
        connect: Duration,
        answer: Duration,
    ) -> Result<Self, HubError> {
        let mut base = Url::parse(endpoint.trim()).map_err(|_| HubError::Endpoint)?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(HubError::Endpoint);
        }
        base.set_query(None);
        base.set_fragment(None);
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let mut builder = Client::builder()
            .user_agent(concat!("aigolos/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(connect)
            .redirect(Policy::none());
        if !proxy.trim().is_empty() {
            builder = builder.proxy(Proxy::all(proxy.trim()).map_err(|_| HubError::Proxy)?);
        } else if own_machine(&base) {
            builder = builder.no_proxy();
        }
        let client = builder.build().map_err(|error| HubError::Client(innermost(&error)))?;
        let token = Some(token.trim().to_owned()).filter(|token| !token.is_empty());
        Ok(Self { client, base, token, answer })
    }

    /// The address of `source`, for people.
    #[must_use]
    pub fn address(&self, source: &str) -> String {
        self.base.join(source).map_or_else(
            |_| source.to_owned(),
            |mut url| {
                let _ = url.set_username(""); // nothing to hide then
                let _ = url.set_password(None);
                url.into()
            },
        )
    }

    /// Host and port of the hub, for people.
    #[must_use]
    pub fn place(&self) -> String {
        shown(&self.base)
    }

    /// A short text that lies beside a model.
    ///
    /// # Errors
    /// [`Trouble`] if it does not come.
    pub async fn text(&self, source: &str) -> Result<String, Trouble> {
        let Answer { mut response, host, .. } = self.get(source, &HeaderMap::new()).await?;
        if !response.status().is_success() {
            return Err(refusal(response.status(), &host, source));
        }
        let mut bytes = Vec::new();
        while bytes.len() < LONGEST_CARD {
            let piece = tokio::time::timeout(self.answer, response.chunk()).await;
            let piece = piece.map_err(|_| Trouble::Stalled { host: host.clone(), after: self.answer })?;
            let Some(piece) = piece.map_err(|error| unreachable(&host, &error))? else { break };
            bytes.extend_from_slice(&piece);
        }
        bytes.truncate(LONGEST_CARD);
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Asks for `source`, and goes where it is sent. The answer may be a refusal.
    pub(super) async fn get(&self, source: &str, headers: &HeaderMap) -> Result<Answer, Trouble> {
        let odd = |host: &str, reason: &str| Trouble::Odd { host: host.into(), reason: reason.into() };
        let mut url = self.base.join(source).map_err(|_| odd(&self.place(), "no such address"))?;
        let mut linked = Linked::default();
        for _ in 0..=MOST_HOPS {
            let host = shown(&url);
            let own = url.origin() == self.base.origin();
            let sent = self.request(&url, own).headers(headers.clone()).send();
            let response = match tokio::time::timeout(self.answer, sent).await {
                Ok(Ok(response)) => response,
                Ok(Err(error)) => return Err(unreachable(&host, &error)),
                Err(_) => return Err(Trouble::Stalled { host, after: self.answer }),
            };
            if own {
                linked = linked.or(Linked::of(response.headers()));
            }
            let target = response.headers().get(header::LOCATION).filter(|_| response.status().is_redirection());
            let Some(target) = target else { return Ok(Answer { response, host, linked }) };
            let next = target.to_str().ok().and_then(|target| url.join(target).ok());
            let next = next.filter(|next| matches!(next.scheme(), "http" | "https"));
            let next = next.ok_or_else(|| odd(&host, "it sends elsewhere, but not where"))?;
            if url.scheme() == "https" && next.scheme() == "http" {
                return Err(odd(&host, "it sends from an encrypted place to one that is not"));
            }
            url = next;
        }
        Err(odd(&self.place(), "it sends in circles"))
    }

    fn request(&self, url: &Url, own: bool) -> RequestBuilder {
        let request = self.client.get(url.clone()).header(header::ACCEPT_ENCODING, "identity");
        match self.token.as_ref().filter(|_| own) {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }
}

impl Linked {
    fn of(headers: &HeaderMap) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let sha256 = text("x-linked-etag").and_then(etag_sha256);
        Self { sha256, bytes: text("x-linked-size").and_then(|size| size.trim().parse().ok()) }
    }

    fn or(self, later: Self) -> Self {
        Self { sha256: self.sha256.or(later.sha256), bytes: self.bytes.or(later.bytes) }
    }
}

/// What an answer that is no success means.
pub(super) fn refusal(status: StatusCode, host: &str, source: &str) -> Trouble {
    let (host, code) = (host.to_owned(), status.as_u16());
    match code {
        401 | 403 | 407 | 451 => Trouble::Refused { host, status: code },
        404 | 410 => {
            let file = source.rsplit('/').next().unwrap_or(source).to_owned();
            Trouble::Missing { host, file, status: code }
        }
        429 => Trouble::Busy { host },
        408 | 500..=599 => Trouble::Fault { host, status: code },
        _ => Trouble::Odd { host, reason: format!("status {code}") },
    }
}

pub(super) fn unreachable(host: &str, error: &reqwest::Error) -> Trouble {
    Trouble::Unreachable { host: host.into(), reason: innermost(error) }
}

/// Host and port only: never a password.
pub(super) fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Machines of one's own are reached directly, whatever proxy the environment names.
pub(super) fn own_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The cause at the bottom says most, and holds no address.
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

fn etag_sha256(etag: &str) -> Option<String> {
    let bare = etag.trim().trim_start_matches("W/").trim_matches('"').to_ascii_lowercase();
    (bare.len() == 64 && bare.bytes().all(|b| b.is_ascii_hexdigit())).then_some(bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sha256_is_taken_for_one() {
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(etag_sha256(&format!("\"{sha256}\"")).as_deref(), Some(sha256));
        assert_eq!(etag_sha256(&format!("W/\"{}\"", sha256.to_uppercase())).as_deref(), Some(sha256));
        for other in ["", "\"a9993e364706816aba3e25717850c26c9cd0d89d\"", "\"é\"", &"g".repeat(64)] {
            assert_eq!(etag_sha256(other), None, "{other}");
        }
    }

    #[test]
    fn addresses_that_cannot_be_are_named_by_their_setting() {
        let hub = |endpoint, proxy| {
            let wait = Duration::from_secs(1);
            Hub::new(endpoint, "", proxy, wait, wait).map(|hub| hub.address("a/b")).map_err(|error| error.to_string())
        };
        assert_eq!(hub("http://u:secret@mirror.example/hf", ""), Ok("http://mirror.example/hf/a/b".into()));
        assert!(hub("mirror.example", "").is_err_and(|error| error.contains("HF_ENDPOINT")));
        assert!(hub("https://mirror.example", "::").is_err_and(|error| error.contains("MODELS_PROXY")));
    }
}
