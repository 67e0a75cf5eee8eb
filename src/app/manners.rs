//! What every request goes through before its handler, and every answer after it: who asks from where, how often, how
//! long it may take, and in which language it is told what went wrong.

mod access;
mod hsts;
mod linger;
mod rate;

use std::{net::IpAddr, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    extract::{MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use tower_http::{
    catch_panic::CatchPanicLayer,
    cors::{AllowHeaders, CorsLayer},
};
use tracing::Instrument;
use uuid::Uuid;

use self::{access::Access, rate::Counted};
pub use self::{hsts::Hsts, rate::RateCounter};
use crate::{
    account::Identity,
    measure,
    model::Language,
    page::{ErrorPages, wants_html},
    protocol::{
        client::{self, ClientAddress},
        error::{ApiError, Code, Problem},
        openai,
    },
};

/// Names a request, in answers and in the log.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// How requests are treated.
#[derive(Clone)]
pub struct Manners {
    pub counter: Arc<RateCounter>,
    /// Requests a minute from one person or address; 0: any number.
    pub limit: u32,
    /// The same for log-ins, sign-ups and passwords, by address.
    pub limit_auth: u32,
    /// Until an answer must have begun.
    pub timeout: Duration,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub proxies: Arc<[IpAddr]>,
    /// What browsers are told about coming by HTTPS.
    pub hsts: Hsts,
    /// Origins whose pages may use the interface with a key; `*`: all.
    pub origins: Vec<String>,
    /// Failures for people whose browser asked for a page.
    pub pages: ErrorPages,
}

impl Manners {
    /// The layers that know who asks: they stand within the layer that finds the [`Identity`].
    pub fn inner(&self, router: Router) -> Router {
        router
            .layer(middleware::from_fn_with_state(self.clone(), within_time))
            .layer(middleware::from_fn_with_state(self.clone(), counted))
            .layer(middleware::from_fn(in_their_language))
    }

    /// The layers around everything.
    pub fn outer(&self, router: Router) -> Router {
        router
            .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| ApiError::internal().into_response()))
            .layer(self.cors())
            .layer(middleware::from_fn_with_state(self.clone(), named))
            .layer(middleware::from_fn(linger::hear_out))
    }

    fn cors(&self) -> CorsLayer {
        let name = HeaderName::from_static;
        let layer = CorsLayer::new()
            .allow_methods([Method::GET, Method::POST, Method::PATCH, Method::PUT, Method::DELETE])
            // OpenAI's clients bring a growing list of their own (`OpenAI-Beta`, `x-stainless-...`). A header lends a page
            // nothing here: what counts is its origin and the key it has.
            .allow_headers(AllowHeaders::mirror_request())
            .expose_headers([
                header::RETRY_AFTER,
                REQUEST_ID,
                name("ratelimit-limit"),
                name("ratelimit-remaining"),
                name("ratelimit-reset"),
            ])
            .max_age(Duration::from_hours(1));
        if self.origins.iter().any(|origin| origin == "*") {
            return layer.allow_origin(tower_http::cors::Any);
        }
        let origins = self.origins.iter().filter_map(|origin| origin.trim_end_matches('/').parse::<HeaderValue>().ok());
        layer.allow_origin(origins.collect::<Vec<_>>())
    }
}

/// Names the request, finds where it comes from, and tells failures in the reader's language with that name.
async fn named(State(manners): State<Manners>, mut request: Request, next: Next) -> Response {
    let id = given_id(request.headers()).unwrap_or_else(|| Uuid::now_v7().to_string());
    let peer = request.extensions().get::<axum::extract::ConnectInfo<std::net::SocketAddr>>().map(|info| info.0.ip());
    if let Some(peer) = peer {
        let address = ClientAddress::of(peer, request.headers(), &manners.proxies);
        request.extensions_mut().insert(address);
    }
    let hsts = manners.hsts.header(peer, request.headers(), &manners.proxies);
    let reader = wants_page(&request).then(|| request.headers().clone());
    let path = request.uri().path().to_owned();
    let language = client::language(request.headers(), None);
    let route =
        request.extensions().get::<MatchedPath>().map_or_else(|| "other".to_owned(), |at| at.as_str().to_owned());
    let (method, began) = (request.method().clone(), std::time::Instant::now());
    let access = Access::begin(&request, &id);
    let mut response = next.run(request).instrument(access.span.clone()).await;
    let status = response.status().as_u16();
    access.end(&response);
    let language = response.extensions().get::<Language>().copied().unwrap_or(language);
    let error = response.extensions_mut().remove::<ApiError>();
    tell_metrics(&method, route, status, began.elapsed(), error.as_ref());
    if openai::has(&path) {
        openai::rest::errors::dress(&mut response, error);
    } else if let (Some(error), Some(headers)) = (&error, &reader) {
        let identity = response.extensions_mut().remove::<Identity>();
        let page = manners.pages.page(error.code.status(), headers, identity.as_ref(), Some(&id));
        let (parts, body) = page.into_parts();
        forget_body(response.headers_mut());
        response.headers_mut().extend(parts.headers);
        *response.body_mut() = body;
    } else if let Some(error) = error {
        let body = Json(Problem::from(error).told(language, Some(id.clone()))).into_response().into_body();
        *response.body_mut() = body;
        forget_body(response.headers_mut());
        response.headers_mut().insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.code()));
        response.headers_mut().append(header::VARY, HeaderValue::from_static("accept-language, cookie"));
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    if let Some(hsts) = hsts {
        response.headers_mut().insert(header::STRICT_TRANSPORT_SECURITY, hsts);
    }
    response
}

/// Tells the metrics of an answered request. `route`: its template, never its path.
fn tell_metrics(method: &Method, route: String, status: u16, took: Duration, error: Option<&ApiError>) {
    let method = match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    };
    let status = match status / 100 {
        1 => "1xx",
        2 => "2xx",
        3 => "3xx",
        4 => "4xx",
        _ => "5xx",
    };
    metrics::histogram!(measure::HTTP_REQUESTS, "method" => method, "route" => route, "status" => status).record(took);
    if let Some(error) = error {
        metrics::counter!(measure::ERRORS, "transport" => "http", "code" => error.code.name()).increment(1);
    }
}

/// The body is replaced: neither its length nor its compression is true any more.
fn forget_body(headers: &mut HeaderMap) {
    headers.remove(header::CONTENT_LENGTH);
    headers.remove(header::CONTENT_ENCODING);
}

/// Tells the outer layer who it was, and which language they have chosen.
async fn in_their_language(request: Request, next: Next) -> Response {
    let identity = request.extensions().get::<Identity>().cloned();
    if let Some(identity) = identity.as_ref().filter(|identity| identity.in_an_account()) {
        tracing::Span::current().record("user.id", tracing::field::display(identity.id()));
    }
    let mut response = next.run(request).await;
    if let Some(identity) = identity {
        if let Some(language) = identity.user.language.as_deref().and_then(Language::of_tag) {
            response.extensions_mut().insert(language);
        }
        response.extensions_mut().insert(identity);
    }
    response
}

/// Whether it is a browser that goes to a page, not a script or a program.
fn wants_page(request: &Request) -> bool {
    let path = request.uri().path();
    let data = path.starts_with("/api/") || path.starts_with("/static/") || path == "/ws" || openai::has(path);
    !data && wants_html(request.headers())
}

/// A name the client gave, if it looks like one.
fn given_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get(REQUEST_ID)?.to_str().ok()?;
    let plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    ((8..=64).contains(&id.len()) && plain).then(|| id.to_owned())
}

/// Counts requests to the interface and refuses those above the limit. Pages and files are not counted.
async fn counted(State(manners): State<Manners>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let auth = path.starts_with("/api/auth/") && request.method() == Method::POST && path != "/api/auth/logout";
    let limit = if auth { manners.limit_auth } else { manners.limit };
    let interface = path.starts_with("/api/") || openai::has(path);
    if limit == 0 || !interface || path.starts_with("/api/health/") {
        return next.run(request).await;
    }
    let identity = request.extensions().get::<Identity>();
    let address = request.extensions().get::<ClientAddress>().map_or_else(String::new, |address| address.0.to_string());
    let who = match identity {
        Some(identity) if !auth && identity.in_an_account() => format!("user:{}", identity.id()),
        _ if auth => format!("auth:{address}"),
        _ => format!("address:{address}"),
    };
    let counted = manners.counter.count(&who, limit).await;
    let mut response = if counted.allowed {
        next.run(request).await
    } else {
        ApiError::new(Code::RateLimited, format!("more than {limit} requests a minute"), "wait for retry_after_ms")
            .retry_after(counted.resets_in.as_millis() as u64)
            .into_response()
    };
    tell(response.headers_mut(), counted);
    response
}

fn tell(headers: &mut HeaderMap, counted: Counted) {
    let seconds = counted.resets_in.as_secs() + u64::from(counted.resets_in.subsec_nanos() > 0);
    headers.insert("ratelimit-limit", HeaderValue::from(counted.limit));
    headers.insert("ratelimit-remaining", HeaderValue::from(counted.remaining));
    headers.insert("ratelimit-reset", HeaderValue::from(seconds));
    if let Ok(policy) = HeaderValue::from_str(&format!("{};w=60", counted.limit)) {
        headers.insert("ratelimit-policy", policy);
    }
}

/// Gives up on an answer that does not begin in time. Uploads and engines have limits of their own.
async fn within_time(State(manners): State<Manners>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    // A large model takes minutes until it is in use.
    let own_limits = ["/api/asr/", "/api/llm/", "/api/tts/", "/v1/audio/", "/v1/chat/", "/api/models/use"]
        .iter()
        .any(|work| path.starts_with(work));
    if own_limits || request.headers().contains_key(header::UPGRADE) {
        return next.run(request).await;
    }
    tokio::time::timeout(manners.timeout, next.run(request)).await.unwrap_or_else(|_| {
        let message = format!("no answer within {} s", manners.timeout.as_secs());
        ApiError::new(Code::TimedOut, message, "try again").into_response()
    })
}

/// The answer where nothing is: `problem+json`.
pub fn nothing_here() -> ApiError {
    ApiError::new(Code::NotFound, "there is nothing at this address", "the interface is described at /api/docs/")
}

/// The answer to a method an address does not know.
pub fn wrong_method() -> ApiError {
    ApiError::new(Code::WrongMethod, "this address does not know that method", "the Allow header names those it knows")
}
