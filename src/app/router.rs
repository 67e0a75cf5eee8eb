//! Every URL on one screen, and what all of them share.

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Request, State},
    http::{HeaderName, HeaderValue, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
};
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_http::{
    compression::{
        CompressionLayer,
        predicate::{DefaultPredicate, NotForContentType, Predicate},
    },
    set_header::SetResponseHeaderLayer,
};
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;

use super::{
    archive::Archive,
    health::{self, Health},
    lifecycle::{self, Lifecycle},
    manners::{self, Manners},
    metrics::Metrics,
    openapi, watch,
};
use crate::{
    account::Accounts,
    conversation::hub::Hub,
    page::{self, PageSettings},
    protocol::{
        error::{ApiError, Code},
        identity,
        native::{self, routes::NativeSettings},
        openai::{
            self,
            realtime::{
                routes::{Door, RealtimeSettings},
                secrets::Secrets,
            },
        },
        rest::{self, admin_logs::LogLevel, models::Models, work::Work},
    },
};

/// Only what the server itself serves; sockets to itself; worklets and inline data for icons.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; media-src 'self' blob:; \
     object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The longest JSON body, in bytes; a text of `MAX_TEXT_CHARS` fits four times over.
const MAX_JSON: usize = 1024 * 1024;

/// What the routes need.
pub struct Parts {
    pub hub: Hub,
    pub native: NativeSettings,
    pub realtime: RealtimeSettings,
    pub accounts: Accounts,
    pub archive: Archive,
    /// Told when something about people, log-ins or keys has changed.
    pub people_changed: Arc<Notify>,
    pub health: Health,
    /// Whoever sends the token is told them.
    pub metrics: Option<(Metrics, String)>,
    pub models: Models,
    pub log: Arc<dyn LogLevel>,
    pub pages: PageSettings,
    pub work: Work,
    pub manners: Manners,
    /// Names the server answers to besides this machine's own; `None`: any.
    pub allowed_hosts: Option<Vec<String>>,
    pub life: Lifecycle,
    pub shutdown: CancellationToken,
    pub sockets: TaskTracker,
}

/// The whole server.
pub fn router(parts: Parts) -> Router {
    let Parts {
        hub,
        native,
        realtime,
        accounts,
        archive,
        people_changed,
        health,
        metrics,
        models,
        log,
        pages,
        work,
        manners,
        allowed_hosts,
        life,
        shutdown,
        sockets,
    } = parts;
    let header = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    let people = OpenApiRouter::new()
        .merge(rest::auth::router(accounts.clone())) // /api/auth/
        .merge(rest::keys::router(accounts.clone())) // /api/keys/
        .merge(rest::admin_users::router(accounts.clone())) // /api/admin/users
        .layer(middleware::from_fn_with_state(people_changed, watch::poke));
    let secrets = Secrets::default();
    let door = Door {
        hub: hub.clone(),
        settings: Arc::new(realtime),
        secrets: secrets.clone(),
        shutdown: shutdown.clone(),
        sockets: sockets.clone(),
    };
    let (interface, description) = OpenApiRouter::with_openapi(openapi::Description::openapi())
        .merge(health::router(health)) // /api/health/
        .merge(people)
        .merge(rest::models::router(models)) // /api/models/
        .merge(rest::admin_logs::router(log)) // /api/admin/log-level
        .merge(rest::admin_sessions::router(hub.clone(), archive.store())) // /api/admin/sessions
        .merge(rest::conversations::router(archive.store())) // /api/conversations/
        .merge(openai::rest::router(work.clone())) // /v1/
        .merge(openai::realtime::secrets::router(door.clone())) // /v1/realtime/client_secrets
        .merge(rest::work::router(work)) // /api/asr/ /api/jobs/ /api/llm/ /api/tts/
        .layer(DefaultBodyLimit::max(MAX_JSON))
        .layer(middleware::from_fn_with_state(life, lifecycle::at_work))
        .split_for_parts();
    let origins = native.origins.clone();
    let routes = Router::new()
        .merge(page::router(pages)) // GET / /static/{path}
        .merge(interface)
        .merge(openapi::router(openapi::with_layers(description))) // GET /api/openapi.json /api/docs/
        .layer(CompressionLayer::new().compress_when(worth_it()))
        .merge(native::routes::router(hub, native, shutdown, sockets)) // GET /ws
        .merge(openai::realtime::routes::router(door)) // GET /v1/realtime /realtime
        .fallback(async || manners::nothing_here())
        .method_not_allowed_fallback(async || manners::wrong_method());
    let known = identity::layer(manners.inner(routes), accounts, origins, secrets)
        .layer(header(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
        .layer(header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header(header::REFERRER_POLICY, "no-referrer"))
        .layer(header(HeaderName::from_static("permissions-policy"), "microphone=(self), camera=(), geolocation=()"))
        .layer(middleware::from_fn_with_state(allowed_hosts, own_host));
    let served = manners.outer(known);
    match metrics {
        // Beside all of it: who watches is neither counted nor logged.
        Some((metrics, token)) => served.merge(metrics.with_token(&token)), // GET /metrics
        None => served,
    }
}

/// Text and the like; not sound, which is compressed already, and not events, which must leave at once.
fn worth_it() -> impl Predicate {
    DefaultPredicate::new().and(NotForContentType::const_new("audio/"))
}

/// Refuses requests that were meant for another name. Without it, a page whose name is pointed at 127.0.0.1 could talk
/// to this server from its visitor's browser (DNS rebinding).
async fn own_host(State(allowed): State<Option<Vec<String>>>, request: Request, next: Next) -> Response {
    let Some(allowed) = allowed else { return next.run(request).await };
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok()).or(request.uri().host());
    let name = host.map(name_of).unwrap_or_default();
    let own = matches!(name, "localhost" | "127.0.0.1" | "[::1]" | "") || name.ends_with(".localhost");
    if own || allowed.iter().any(|entry| entry.eq_ignore_ascii_case(name)) {
        return next.run(request).await;
    }
    let hint = "use localhost, or let the operator name the host in ALLOWED_HOSTS";
    ApiError::new(Code::OriginRefused, format!("this server does not answer to the name {name}"), hint).into_response()
}

/// `host` without its port.
fn name_of(host: &str) -> &str {
    match host.rfind(':') {
        Some(at) if host[at + 1..].bytes().all(|b| b.is_ascii_digit()) => &host[..at],
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::name_of;

    #[test]
    fn a_port_is_not_part_of_the_name() {
        assert_eq!(name_of("localhost:8080"), "localhost");
        assert_eq!(name_of("[::1]:8080"), "[::1]");
        assert_eq!(name_of("[::1]"), "[::1]");
        assert_eq!(name_of("voice.example.org"), "voice.example.org");
    }
}
