//! `/api/health/`: what is in use and how it is. `live`: the process answers. `ready`: it takes sessions.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::archive::{Archive, StoreHealth, StoreState};
use crate::{conversation::hub::Hub, engine::EngineInfo};

/// What the handlers need.
#[derive(Clone)]
pub struct Health {
    hub: Hub,
    archive: Archive,
    shutdown: CancellationToken,
}

impl Health {
    pub fn new(hub: Hub, archive: Archive, shutdown: CancellationToken) -> Self {
        Self { hub, archive, shutdown }
    }
}

/// The body of the report.
#[derive(Debug, Serialize)]
pub struct Report {
    /// `ok`, `degraded` (it serves, and something is missing) or `stopping`.
    status: &'static str,
    version: &'static str,
    sessions: usize,
    max_sessions: usize,
    engines: Engines,
    parts: Parts,
}

#[derive(Debug, Serialize)]
struct Parts {
    store: StoreHealth,
}

#[derive(Debug, Serialize)]
struct Engines {
    vad: &'static str,
    asr: EngineInfo,
    llm: EngineInfo,
    tts: EngineInfo,
}

pub async fn report(State(health): State<Health>) -> Json<Report> {
    let engines = health.hub.engines();
    let (asr, llm, tts) = (engines.recognizer.info(), engines.chat.info(), engines.speech.info());
    let store = health.archive.health().await;
    let status = match store.state {
        _ if health.shutdown.is_cancelled() => "stopping",
        StoreState::Ok => "ok",
        StoreState::Away | StoreState::CatchingUp => "degraded",
    };
    Json(Report {
        status,
        version: env!("CARGO_PKG_VERSION"),
        sessions: health.hub.sessions(),
        max_sessions: health.hub.settings().max_sessions,
        engines: Engines { vad: engines.detector_name, asr, llm, tts },
        parts: Parts { store },
    })
}

pub async fn live() -> &'static str {
    "ok\n"
}

pub async fn ready(State(health): State<Health>) -> Response {
    if health.shutdown.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    if health.hub.sessions() >= health.hub.settings().max_sessions {
        return (StatusCode::SERVICE_UNAVAILABLE, "full\n").into_response();
    }
    "ok\n".into_response()
}
