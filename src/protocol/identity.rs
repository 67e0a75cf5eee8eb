//! The layer that finds out who asks, and keeps other hosts' pages from asking in somebody's name.
//!
//! A key in `Authorization: Bearer` (a browser's WebSocket, which can set no headers, offers the subprotocol
//! `aigolos.key.KEY`, or OpenAI's `openai-insecure-api-key.KEY`) counts before the cookie: who sends one means it. A cookie counts only for the server's own pages.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};

use super::{
    cookie,
    error::{ApiError, Code},
    openai::realtime::{
        routes::opens,
        secrets::{Secrets, Start},
    },
    origin::{self, Origins, Source},
};
use crate::{
    account::{Accounts, Identity},
    model::UnixMs,
};

/// How the subprotocol begins that carries a key.
const KEY_PROTOCOL: &str = "aigolos.key.";
/// The same for clients of OpenAI.
const OPENAI_KEY_PROTOCOL: &str = "openai-insecure-api-key.";
/// Where clients of OpenAI's protocols on Azure put it.
const OPENAI_KEY_HEADER: &str = "api-key";

/// What the layer needs.
#[derive(Clone)]
struct Door {
    accounts: Accounts,
    origins: Arc<Origins>,
    secrets: Secrets,
}

/// Puts the layer around `router`.
pub fn layer(router: axum::Router, accounts: Accounts, origins: Origins, secrets: Secrets) -> axum::Router {
    let door = Door { accounts, origins: Arc::new(origins), secrets };
    router.layer(middleware::from_fn_with_state(door, identify))
}

async fn identify(State(door): State<Door>, mut request: Request, next: Next) -> Response {
    let path = request.uri().path();
    // Files are the same for everybody, and the health report must not wait for the store.
    if path.starts_with("/static/") || path.starts_with("/api/health/") {
        return next.run(request).await;
    }
    let openai = super::openai::has(path);
    let machine = path.starts_with("/api/") || path == "/ws" || openai;
    let asks = Asks { machine, openai, session: opens(path) };
    // To somebody unknown these would only show the way to the log-in, which is no way while nobody can be known.
    let personal = path == "/" || path.starts_with("/app/");
    let source = door.origins.source(request.headers());
    let safe = request.method().is_safe();
    if !safe && source == Source::Foreign {
        return origin::refused().into_response();
    }
    if door.accounts.open() {
        if let Ok(Credential::Secret(secret)) = credential(&door, request.headers(), asks) {
            request.extensions_mut().insert(secret.1);
        }
        request.extensions_mut().insert(door.accounts.local().await);
        return next.run(request).await;
    }
    let found = match credential(&door, request.headers(), asks) {
        Ok(Credential::Secret(secret)) => {
            let (identity, start) = *secret;
            request.extensions_mut().insert(start);
            Ok(Some(Found { identity, cookie: None }))
        }
        Ok(Credential::Cookie(_)) if !safe && source != Source::Own => return unsaid().into_response(),
        Ok(Credential::Cookie(_)) if matches!(source, Source::Allowed | Source::Foreign) => Ok(None),
        Ok(Credential::Cookie(token)) => by_cookie(&door.accounts, token).await,
        Ok(Credential::Key(key)) => by_key(&door.accounts, &key).await,
        Ok(Credential::None) => Ok(None),
        Err(error) => return error.into_response(),
    };
    let found = match found {
        Ok(found) => found,
        Err(error) if machine || personal => return error.into_response(),
        // The other pages are shown to somebody unknown, and say themselves what does not work.
        Err(_) => None,
    };
    let Some(Found { identity, cookie }) = found else { return next.run(request).await };
    request.extensions_mut().insert(identity);
    let mut response = next.run(request).await;
    // A handler that sets the cookie itself (log-in, log-out) knows better.
    if let Some(token) = cookie
        && !response.headers().contains_key(header::SET_COOKIE)
    {
        response.headers_mut().insert(header::SET_COOKIE, cookie::set(door.accounts.settings(), &token));
    }
    response
}

/// What a request shows of who asks.
enum Credential {
    None,
    Cookie(String),
    Key(String),
    /// A secret made for one kind of session.
    Secret(Box<(Identity, Start)>),
}

/// What is asked for, by its path.
#[derive(Clone, Copy)]
struct Asks {
    /// A program's door.
    machine: bool,
    /// A door of OpenAI's protocols.
    openai: bool,
    /// The one that secrets open.
    session: bool,
}

/// Who asks; `cookie`: what to send again, since its end was put off.
struct Found {
    identity: Identity,
    cookie: Option<String>,
}

/// A page's request may carry what a proxy wants, so keys are looked for where programs ask.
fn credential(door: &Door, headers: &HeaderMap, asks: Asks) -> Result<Credential, ApiError> {
    let key = if asks.machine { key(headers, asks.openai)? } else { None };
    let Some(key) = key else {
        return Ok(cookie::token(door.accounts.settings(), headers).map_or(Credential::None, Credential::Cookie));
    };
    let secret = asks.session.then(|| door.secrets.find(&key, UnixMs::now())).flatten();
    Ok(secret.map_or(Credential::Key(key), |secret| Credential::Secret(Box::new(secret))))
}

fn key(headers: &HeaderMap, openai: bool) -> Result<Option<String>, ApiError> {
    if let Some(key) = bearer(headers)? {
        return Ok(Some(key));
    }
    if !openai {
        return Ok(key_protocol(headers, KEY_PROTOCOL));
    }
    let header = headers.get(OPENAI_KEY_HEADER).and_then(|value| value.to_str().ok()).map(|key| key.trim().to_owned());
    Ok(header.or_else(|| key_protocol(headers, OPENAI_KEY_PROTOCOL)).or_else(|| key_protocol(headers, KEY_PROTOCOL)))
}

/// The key in `Authorization: Bearer`. Another scheme is for somebody else, such as a proxy in front.
fn bearer(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let malformed = || {
        ApiError::new(Code::Unauthorized, "the Authorization header cannot be read", "send Authorization: Bearer KEY")
    };
    let value = value.to_str().map_err(|_| malformed())?;
    let (scheme, key) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Ok(None);
    }
    let key = key.trim();
    if key.is_empty() || key.contains(char::is_whitespace) { Err(malformed()) } else { Ok(Some(key.to_owned())) }
}

fn key_protocol(headers: &HeaderMap, prefix: &str) -> Option<String> {
    let offered = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    offered.flat_map(|value| value.split(',')).find_map(|name| name.trim().strip_prefix(prefix)).map(str::to_owned)
}

/// A cookie that has run out is nobody's, no fault: the page leads to the log-in.
async fn by_cookie(accounts: &Accounts, token: String) -> Result<Option<Found>, ApiError> {
    let known = accounts.by_cookie(&token).await?;
    Ok(known.map(|known| Found { identity: known.identity, cookie: known.prolonged.then_some(token) }))
}

async fn by_key(accounts: &Accounts, key: &str) -> Result<Option<Found>, ApiError> {
    match accounts.by_key(key).await? {
        Some(identity) => Ok(Some(Found { identity, cookie: None })),
        None => Err(ApiError::new(Code::Unauthorized, "there is no such key, or it has expired", "make a new key")),
    }
}

fn unsaid() -> ApiError {
    ApiError::new(
        Code::OriginRefused,
        "the request does not say which page it comes from",
        "programs use a key, browsers send Origin or Sec-Fetch-Site",
    )
}
