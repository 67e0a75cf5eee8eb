//! `/api/health/`: what is in use and how each part is. `live`: the process answers. `ready`: it takes sessions.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    archive::{Archive, StoreHealth, StoreState},
    lifecycle::Lifecycle,
    tls::{Left, Tls},
};
use crate::{conversation::hub::Hub, engine::EngineInfo};

/// A look at other servers is good for this long: a health check every second must not become load for them.
const FRESH: Duration = Duration::from_secs(2);

/// `/api/health/` and what is below it.
pub fn router(health: Health) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(report)).routes(routes!(live)).routes(routes!(ready)).with_state(health)
}

/// What the handlers need.
#[derive(Clone)]
pub struct Health {
    hub: Hub,
    archive: Archive,
    life: Lifecycle,
    shutdown: CancellationToken,
    tls: Option<Tls>,
    looked: Arc<Mutex<Option<(Instant, Parts)>>>,
}

impl Health {
    pub fn new(hub: Hub, archive: Archive, life: Lifecycle, shutdown: CancellationToken, tls: Option<Tls>) -> Self {
        Self { hub, archive, life, shutdown, tls, looked: Arc::default() }
    }

    /// How it is, in a few words.
    pub async fn standing(&self) -> Standing {
        let parts = self.parts().await;
        Standing {
            ready: self.not_ready().is_none(),
            stopping: self.life.is_draining() || self.shutdown.is_cancelled(),
            store: parts.store.state != StoreState::Away,
            chat: parts.llm.state == ChatState::Ok,
        }
    }

    /// Why it takes no sessions, if it does not.
    fn not_ready(&self) -> Option<&'static str> {
        if self.shutdown.is_cancelled() {
            return Some("stopping\n");
        }
        if self.life.is_draining() {
            return Some("draining\n");
        }
        (self.hub.sessions() >= self.hub.settings().max_sessions).then_some("full\n")
    }

    /// The parts that can be away, looked at together.
    async fn parts(&self) -> Parts {
        let mut looked = self.looked.lock().await;
        if let Some((at, parts)) = &*looked
            && at.elapsed() < FRESH
        {
            return parts.clone();
        }
        let (store, llm) = tokio::join!(self.archive.health(), self.chat_part());
        let parts = Parts { store, llm, certificate: self.tls.as_ref().and_then(certificate_part) };
        *looked = Some((Instant::now(), parts.clone()));
        parts
    }

    async fn chat_part(&self) -> ChatHealth {
        let chat = &self.hub.engines().chat;
        let began = Instant::now();
        let answer = chat.probe().await;
        if let Err(problem) = &answer {
            tracing::debug!(reason = problem, "the chat model does not answer the health check");
        }
        let state = if answer.is_ok() { ChatState::Ok } else { ChatState::Away };
        ChatHealth { state, kind: chat.info().engine, latency_ms: began.elapsed().as_millis() as u64 }
    }
}

/// What the metrics tell of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// It takes sessions.
    pub ready: bool,
    pub stopping: bool,
    /// The database answers.
    pub store: bool,
    /// The chat model's server answers.
    pub chat: bool,
}

/// How the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum HealthStatus {
    Ok,
    /// It serves, but a part is away: see `parts`.
    Degraded,
    /// It was told to stop: what was begun is finished, and soon nothing new is taken.
    Draining,
    Stopping,
}

/// The report.
#[derive(Debug, Serialize, ToSchema)]
struct Report {
    status: HealthStatus,
    version: &'static str,
    /// Sessions at this moment, of at most `max_sessions`.
    sessions: usize,
    max_sessions: usize,
    engines: Engines,
    parts: Parts,
}

/// What is in use.
#[derive(Debug, Serialize, ToSchema)]
struct Engines {
    vad: &'static str,
    asr: EngineInfo,
    llm: EngineInfo,
    tts: EngineInfo,
}

/// The parts that can be away without the server being away.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct Parts {
    store: StoreHealth,
    llm: ChatHealth,
    /// Where the server encrypts by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<CertificateHealth>,
}

/// How much of its time the certificate has left.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct CertificateHealth {
    state: CertificateState,
    /// When it ends, as RFC 3339 spells it.
    ends: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum CertificateState {
    Ok,
    /// Less than two weeks are left.
    EndsSoon,
    /// Browsers refuse it.
    Ended,
}

fn certificate_part(tls: &Tls) -> Option<CertificateHealth> {
    let state = match tls.left()? {
        Left::Enough => CertificateState::Ok,
        Left::Days(_) => CertificateState::EndsSoon,
        Left::Nothing => CertificateState::Ended,
    };
    Some(CertificateHealth { state, ends: tls.ends()?.to_string() })
}

/// How the chat model's server is.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct ChatHealth {
    state: ChatState,
    /// `ollama`, `openai` or `builtin`.
    kind: String,
    /// How long it took to answer, or not to.
    latency_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum ChatState {
    Ok,
    Away,
}

/// What is in use, and how each part is
#[utoipa::path(get, path = "/api/health/", tag = "health", responses((status = 200, body = Report)))]
async fn report(State(health): State<Health>) -> Json<Report> {
    let parts = health.parts().await;
    let engines = health.hub.engines();
    let (asr, llm, tts) = (engines.recognizer.info(), engines.chat.info(), engines.speech.info());
    let refused = parts.certificate.as_ref().is_some_and(|part| part.state == CertificateState::Ended);
    let whole = parts.store.state == StoreState::Ok && parts.llm.state == ChatState::Ok && !refused;
    let status = match (health.shutdown.is_cancelled(), whole) {
        (true, _) => HealthStatus::Stopping,
        _ if health.life.is_draining() => HealthStatus::Draining,
        (false, true) => HealthStatus::Ok,
        (false, false) => HealthStatus::Degraded,
    };
    Json(Report {
        status,
        version: env!("CARGO_PKG_VERSION"),
        sessions: health.hub.sessions(),
        max_sessions: health.hub.settings().max_sessions,
        engines: Engines { vad: engines.detector_name, asr, llm, tts },
        parts,
    })
}

/// Whether the process answers
#[utoipa::path(get, path = "/api/health/live", tag = "health",
    responses((status = 200, body = String, content_type = "text/plain")))]
async fn live() -> &'static str {
    "ok\n"
}

/// Whether it takes sessions
#[utoipa::path(get, path = "/api/health/ready", tag = "health", responses(
    (status = 200, body = String, content_type = "text/plain"),
    (status = 503, body = String, content_type = "text/plain", description = "draining, stopping, or full")))]
async fn ready(State(health): State<Health>) -> (StatusCode, &'static str) {
    health.not_ready().map_or((StatusCode::OK, "ok\n"), |why| (StatusCode::SERVICE_UNAVAILABLE, why))
}
