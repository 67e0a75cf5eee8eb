//! `/api/health/`: what is in use and how each part is. `live`: the process answers. `ready`: it takes sessions.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    conversation::hub::Hub,
    engine::EngineInfo,
    store::{
        Store, StoreError,
        spool::{Spool, SpoolState},
    },
};

/// A look at other servers is good for this long: a health check every second must not become load for them.
const FRESH: Duration = Duration::from_secs(2);
/// How long the database may take to answer.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// `/api/health/` and what is below it.
pub fn router(health: Health) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(report)).routes(routes!(live)).routes(routes!(ready)).with_state(health)
}

/// What the handlers need.
#[derive(Clone)]
pub struct Health {
    hub: Hub,
    store: Arc<dyn Store>,
    spool: Arc<Spool>,
    shutdown: CancellationToken,
    looked: Arc<Mutex<Option<(Instant, BTreeMap<&'static str, Part>)>>>,
}

impl Health {
    pub fn new(hub: Hub, store: Arc<dyn Store>, spool: Arc<Spool>, shutdown: CancellationToken) -> Self {
        Self { hub, store, spool, shutdown, looked: Arc::default() }
    }

    /// The parts that can be away, looked at together.
    async fn parts(&self) -> BTreeMap<&'static str, Part> {
        let mut looked = self.looked.lock().await;
        if let Some((at, parts)) = &*looked
            && at.elapsed() < FRESH
        {
            return parts.clone();
        }
        let (store, llm) = tokio::join!(self.store_part(), self.chat_part());
        let parts = BTreeMap::from([("store", store), ("llm", llm)]);
        *looked = Some((Instant::now(), parts.clone()));
        parts
    }

    async fn store_part(&self) -> Part {
        let began = Instant::now();
        let answer = tokio::time::timeout(PATIENCE, self.store.ping()).await;
        let answer = answer.unwrap_or_else(|_| Err(StoreError::Unreachable("no answer in time".into())));
        if let Err(error) = &answer {
            tracing::debug!(%error, "the store does not answer the health check");
        }
        let spool = self.spool.report();
        let state = match (answer, spool.state) {
            (Err(_), _) | (Ok(()), SpoolState::Away) => PartState::Away,
            (Ok(()), SpoolState::CatchingUp) => PartState::CatchingUp,
            (Ok(()), SpoolState::Ok) => PartState::Ok,
        };
        let (waiting_turns, lost_turns) = (Some(spool.waiting), Some(spool.lost));
        Part { kind: Some(self.store.kind().into()), waiting_turns, lost_turns, ..Part::new(state, began) }
    }

    async fn chat_part(&self) -> Part {
        let chat = &self.hub.engines().chat;
        let began = Instant::now();
        let state = match chat.probe().await {
            Ok(()) => PartState::Ok,
            Err(problem) => {
                tracing::debug!(problem, "the chat model does not answer the health check");
                PartState::Away
            }
        };
        Part { kind: Some(chat.info().engine), ..Part::new(state, began) }
    }
}

/// How the server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Status {
    Ok,
    /// It serves, but a part is away: see `parts`.
    Degraded,
    Stopping,
}

/// The report.
#[derive(Debug, Serialize, ToSchema)]
struct Report {
    status: Status,
    version: &'static str,
    /// Sessions at this moment, of at most `max_sessions`.
    sessions: usize,
    max_sessions: usize,
    engines: Engines,
    /// `store` and `llm`.
    #[schema(value_type = BTreeMap<String, Part>)]
    parts: BTreeMap<&'static str, Part>,
}

/// What is in use.
#[derive(Debug, Serialize, ToSchema)]
struct Engines {
    vad: &'static str,
    asr: EngineInfo,
    llm: EngineInfo,
    tts: EngineInfo,
}

/// A part that can be away without the server being away.
#[derive(Debug, Clone, Serialize, ToSchema)]
struct Part {
    state: PartState,
    /// What it is: `sqlite`, `ollama`.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    /// How long it took to answer, or not to.
    latency_ms: u64,
    /// Turns that wait on disk for the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_turns: Option<u64>,
    /// Turns that were not kept since the start, because there was no room for them to wait.
    #[serde(skip_serializing_if = "Option::is_none")]
    lost_turns: Option<u64>,
}

impl Part {
    fn new(state: PartState, began: Instant) -> Self {
        Self {
            state,
            kind: None,
            latency_ms: began.elapsed().as_millis() as u64,
            waiting_turns: None,
            lost_turns: None,
        }
    }
}

/// How a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum PartState {
    Ok,
    Away,
    /// It is back, and what waited is being written.
    CatchingUp,
}

/// What is in use, and how each part is
#[utoipa::path(get, path = "/api/health/", tag = "health", responses((status = 200, body = Report)))]
async fn report(State(health): State<Health>) -> Json<Report> {
    let parts = health.parts().await;
    let engines = health.hub.engines();
    let (asr, llm, tts) = (engines.recognizer.info(), engines.chat.info(), engines.speech.info());
    let whole = parts.values().all(|part| part.state == PartState::Ok);
    let status = match (health.shutdown.is_cancelled(), whole) {
        (true, _) => Status::Stopping,
        (false, true) => Status::Ok,
        (false, false) => Status::Degraded,
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
    (status = 503, body = String, content_type = "text/plain", description = "stopping, or full")))]
async fn ready(State(health): State<Health>) -> (StatusCode, &'static str) {
    if health.shutdown.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n");
    }
    if health.hub.sessions() >= health.hub.settings().max_sessions {
        return (StatusCode::SERVICE_UNAVAILABLE, "full\n");
    }
    (StatusCode::OK, "ok\n")
}
