//! Every URL on one screen, and what all of them share.

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_http::{compression::CompressionLayer, set_header::SetResponseHeaderLayer};

use super::health;
use crate::{
    conversation::hub::Hub,
    page,
    protocol::{
        error::{ApiError, Code},
        native::{self, routes::NativeSettings},
    },
};

/// Only what the server itself serves; sockets to itself; worklets and inline data for icons.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:; media-src 'self' blob:; \
     object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The whole server. `allowed_hosts`: names it answers to besides this machine's own; `None`: any.
pub fn router(
    hub: Hub,
    native: NativeSettings,
    allowed_hosts: Option<Vec<String>>,
    shutdown: CancellationToken,
    sockets: TaskTracker,
) -> Router {
    let header = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    let health = Router::new()
        .route("/api/health/", get(health::report))
        .route("/api/health/live", get(health::live))
        .route("/api/health/ready", get(health::ready))
        .with_state(health::Health::new(hub.clone(), shutdown.clone()));
    Router::new()
        .merge(page::router(page::PageSettings::default())) // GET /  /static/{path}
        .merge(health)
        .layer(CompressionLayer::new())
        .merge(native::routes::router(hub, native, shutdown, sockets)) // GET /ws
        .layer(header(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY))
        .layer(header(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(header(header::REFERRER_POLICY, "no-referrer"))
        .layer(header(HeaderName::from_static("permissions-policy"), "microphone=(self), camera=(), geolocation=()"))
        .layer(middleware::from_fn_with_state(allowed_hosts, own_host))
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
