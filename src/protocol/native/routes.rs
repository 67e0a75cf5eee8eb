//! `GET /ws`: who may come in, and the upgrade.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    extract::{State, WebSocketUpgrade},
    http::{HeaderMap, HeaderValue, Uri, header},
    response::Response,
    routing::get,
};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    session::{Server, serve},
    wire::SUBPROTOCOL,
};
use crate::{
    account::Identity,
    conversation::{hub::Hub, journal::Owner, message::SessionOptions},
    protocol::{
        error::{ApiError, Code},
        socket::{SocketSettings, library_limit},
    },
};

/// What the native protocol allows.
#[derive(Debug, Clone)]
pub struct NativeSettings {
    pub socket: SocketSettings,
    /// Origins other than the server's own whose pages may connect (`https://talk.example.org`), or `*` for all.
    pub allowed_origins: Vec<String>,
    /// The longest typed utterance, in characters.
    pub max_text_chars: usize,
    /// How long a socket may take to start its session.
    pub start_within: Duration,
    /// Sockets that have not started their session yet. Full: a new one is refused before the upgrade.
    pub max_waiting: usize,
    /// Whether the sound of conversations is kept where there are no accounts.
    pub keep_audio: bool,
    /// What a session gets that wishes for nothing: language, voice and the rest.
    pub defaults: SessionOptions,
}

impl Default for NativeSettings {
    fn default() -> Self {
        Self {
            socket: SocketSettings::default(),
            allowed_origins: Vec::new(),
            max_text_chars: 5_000,
            start_within: Duration::from_secs(15),
            max_waiting: 256,
            keep_audio: false,
            defaults: SessionOptions::default(),
        }
    }
}

/// The native protocol at `/ws`. Cancelling `shutdown` closes its sockets with a reason; `sockets` tracks them, since
/// the HTTP server's own shutdown does not wait for upgraded connections.
pub fn router(hub: Hub, settings: NativeSettings, shutdown: CancellationToken, sockets: TaskTracker) -> Router {
    let door = Door {
        waiting: Arc::new(Semaphore::new(settings.max_waiting)),
        server: Server { hub, settings: Arc::new(settings), shutdown },
        sockets,
    };
    Router::new().route("/ws", get(enter)).with_state(door)
}

#[derive(Clone)]
struct Door {
    server: Server,
    waiting: Arc<Semaphore>,
    sockets: TaskTracker,
}

async fn enter(
    State(door): State<Door>,
    identity: Option<Extension<Identity>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    let settings = &door.server.settings;
    check_origin(&headers, &settings.allowed_origins)?;
    if door.server.shutdown.is_cancelled() {
        return Err(ApiError::shutting_down());
    }
    let waiting = door.waiting.clone().try_acquire_owned().map_err(|_| {
        ApiError::new(Code::Overloaded, "too many sockets are being opened", "try again after retry_after_ms")
            .retry_after(1_000)
    })?;
    let limit = library_limit(&settings.socket);
    let owner = owner(identity.as_deref(), settings.keep_audio);
    let tracked = door.sockets.token();
    Ok(upgrade.max_message_size(limit).max_frame_size(limit).protocols([SUBPROTOCOL]).on_upgrade(
        move |socket| async move {
            serve(door.server, owner, socket, waiting).await;
            drop(tracked);
        },
    ))
}

/// Whose session it will be. People with accounts choose themselves whether their sound is kept.
fn owner(identity: Option<&Identity>, keep_audio: bool) -> Owner {
    match identity {
        Some(identity) if identity.in_an_account() => {
            Owner { user: identity.id(), keep_audio: identity.user.keep_audio }
        }
        _ => Owner { keep_audio, ..Owner::LOCAL },
    }
}

/// Browsers say which page a socket comes from, programs do not. A page of another host could otherwise listen in
/// through its visitors' browsers, which reach what the page's author cannot.
fn check_origin(headers: &HeaderMap, allowed: &[String]) -> Result<(), ApiError> {
    let Some(origin) = headers.get(header::ORIGIN) else {
        return Ok(());
    };
    let is_allowed = allowed.iter().any(|entry| entry == "*" || origin_equals(origin, entry));
    if is_allowed || is_own(origin, headers.get(header::HOST)) {
        return Ok(());
    }
    Err(ApiError::new(
        Code::OriginRefused,
        "a page of this origin may not connect",
        "open the page from the server itself, or let the operator allow the origin",
    ))
}

fn origin_equals(origin: &HeaderValue, entry: &str) -> bool {
    origin.as_bytes().eq_ignore_ascii_case(entry.trim_end_matches('/').as_bytes())
}

/// Whether the page came from the host that is now asked. The scheme may differ: a proxy may speak TLS for us.
fn is_own(origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
    let authority = |value: &HeaderValue| value.to_str().ok().map(str::to_ascii_lowercase);
    let (Some(origin), Some(host)) = (authority(origin), host.and_then(authority)) else {
        return false;
    };
    let Ok(origin) = origin.parse::<Uri>() else {
        return false;
    };
    let default_port = match origin.scheme_str() {
        Some("https") => ":443",
        Some("http") => ":80",
        _ => return false,
    };
    let Some(authority) = origin.authority() else {
        return false;
    };
    let bare = |authority: &str| authority.strip_suffix(default_port).unwrap_or(authority).to_owned();
    !host.is_empty() && bare(authority.as_str()) == bare(&host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(origin: &str, host: &str, allowed: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::ORIGIN, origin.parse().expect("a header"));
        if !host.is_empty() {
            headers.insert(header::HOST, host.parse().expect("a header"));
        }
        let allowed: Vec<_> = allowed.iter().map(|&entry| entry.to_owned()).collect();
        match check_origin(&headers, &allowed) {
            Ok(()) => false,
            Err(error) => {
                assert_eq!(error.code, Code::OriginRefused);
                true
            }
        }
    }

    #[test]
    fn own_pages_and_programs_come_in() {
        assert!(check_origin(&HeaderMap::new(), &[]).is_ok());
        for (origin, host) in [
            ("http://127.0.0.1:8080", "127.0.0.1:8080"),
            ("http://LocalHost:8080", "localhost:8080"),
            ("https://talk.example.org", "talk.example.org"),
            ("https://talk.example.org", "talk.example.org:443"),
            ("http://[::1]:8080", "[::1]:8080"),
        ] {
            assert!(!refused(origin, host, &[]), "{origin} at {host}");
        }
    }

    #[test]
    fn foreign_pages_stay_out() {
        for (origin, host) in [
            ("http://evil.example", "127.0.0.1:8080"),
            ("http://127.0.0.1:9090", "127.0.0.1:8080"),
            ("http://localhost", "localhost:8080"),
            ("http://localhost:8080.evil.example", "localhost:8080"),
            ("http://localhost:8080@evil.example", "localhost:8080"),
            ("null", "localhost:8080"),
            ("null", "null"),
            ("file://", "localhost:8080"),
            ("http://localhost:8080", ""),
        ] {
            assert!(refused(origin, host, &[]), "{origin} at {host}");
        }
    }

    #[test]
    fn the_operator_may_allow_others() {
        assert!(!refused("https://app.example.org", "localhost:8080", &["https://app.example.org/"]));
        assert!(!refused("https://any.example", "localhost:8080", &["*"]));
        assert!(refused("https://app.example.org.evil.example", "localhost:8080", &["https://app.example.org"]));
    }
}
