//! `GET /v1/realtime` and `/realtime`: who may come in, which session they mean, and the upgrade.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    extract::{State, WebSocketUpgrade},
    http::{HeaderMap, header},
    response::Response,
    routing::get,
};
use serde::Deserialize;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use super::{
    secrets::{Secrets, Start},
    session::{Opening, serve},
    session_object::{Config, Offer, SessionKind},
    wire::Flavour,
};
use crate::{
    account::Via,
    conversation::{
        hub::Hub,
        message::{Mode, SessionOptions},
    },
    protocol::{
        caller::Caller,
        error::{ApiError, Code},
        json::Params,
        origin::Origins,
        socket::{SocketSettings, library_limit},
    },
};

/// What clients of the beta send as `OpenAI-Beta`, and offer as a subprotocol.
const BETA_HEADER: &str = "realtime=v1";
const BETA_PROTOCOL: &str = "openai-beta.realtime-v1";
/// The one subprotocol that is ever selected: others may hold a key.
const SUBPROTOCOL: &str = "realtime";
const MAX_MODEL: usize = 256;

/// What the protocol allows.
#[derive(Debug, Clone)]
pub struct RealtimeSettings {
    pub socket: SocketSettings,
    /// Whose pages may connect without a key.
    pub origins: Origins,
    /// Whether the sound of conversations is kept where there are no accounts.
    pub keep_audio: bool,
    /// What a session gets that wishes for nothing.
    pub defaults: SessionOptions,
    /// After so long a session expires.
    pub lasts: Duration,
}

impl RealtimeSettings {
    /// A recording may come in one frame, or in frames of 20 ms far faster than it was spoken: those wait, none is
    /// refused.
    #[must_use]
    pub fn socket() -> SocketSettings {
        SocketSettings {
            max_message_bytes: 24 << 20,
            events_per_second: 2_000,
            event_burst: 4_000,
            ..SocketSettings::default()
        }
    }
}

/// What a socket needs of its server.
#[derive(Clone)]
pub struct Door {
    pub hub: Hub,
    pub settings: Arc<RealtimeSettings>,
    pub secrets: Secrets,
    pub shutdown: CancellationToken,
    pub sockets: TaskTracker,
}

/// Whether secrets made here open `path`.
#[must_use]
pub fn opens(path: &str) -> bool {
    matches!(path, "/v1/realtime" | "/realtime")
}

/// The socket's addresses.
pub fn router(door: Door) -> Router {
    Router::new().route("/v1/realtime", get(enter)).route("/realtime", get(enter)).with_state(door)
}

/// What stands behind the question mark; everything else is passed over.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Query {
    model: Option<String>,
    intent: Option<String>,
    call_id: Option<String>,
}

async fn enter(
    State(door): State<Door>,
    Caller(identity): Caller,
    start: Option<Extension<Start>>,
    Params(query): Params<Query>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, ApiError> {
    // Who shows a key means it; without accounts no key says anything.
    if start.is_none() && !matches!(identity.via, Via::Key { .. }) {
        door.settings.origins.check(&headers)?;
    }
    if query.call_id.is_some() {
        let text = "calls over WebRTC and SIP are not taken here";
        return Err(ApiError::new(Code::BadRequest, text, "connect without call_id"));
    }
    if door.shutdown.is_cancelled() || door.hub.leaving() {
        return Err(ApiError::shutting_down());
    }
    let caller = Caller(identity);
    let offer = door.offer(&caller);
    let kind = match query.intent.as_deref() {
        Some("transcription") => SessionKind::Transcription,
        _ => SessionKind::Realtime,
    };
    let model = query.model.filter(|model| !model.is_empty() && model.len() <= MAX_MODEL);
    let config = match start {
        Some(Extension(start)) => start.config,
        None => Config::new(kind, model, &offer),
    };
    caller.may_begin(mode(config.kind))?;
    let opening = Opening { owner: caller.owner(door.settings.keep_audio), flavour: flavour(&headers), config, offer };
    let limit = library_limit(&door.settings.socket);
    let tracked = door.sockets.token();
    let upgrade = upgrade.max_message_size(limit).max_frame_size(limit).protocols([SUBPROTOCOL]);
    let asked = tracing::Span::current();
    Ok(upgrade.on_upgrade(move |socket| {
        let serving = async move {
            serve(door, opening, socket).await;
            drop(tracked);
        };
        serving.instrument(asked)
    }))
}

/// What a session of that kind takes of who begins it.
pub(super) fn mode(kind: SessionKind) -> Mode {
    match kind {
        SessionKind::Realtime => Mode::Converse,
        SessionKind::Transcription => Mode::Transcribe,
    }
}

fn flavour(headers: &HeaderMap) -> Flavour {
    let said = |name, wanted: &str| {
        let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|value| value.trim().eq_ignore_ascii_case(wanted))
    };
    let beta = said(header::HeaderName::from_static("openai-beta"), BETA_HEADER)
        || said(header::SEC_WEBSOCKET_PROTOCOL, BETA_PROTOCOL);
    if beta { Flavour::Beta } else { Flavour::Ga }
}

impl Door {
    /// What `caller` can have.
    pub(super) fn offer(&self, caller: &Caller) -> Offer {
        let engines = self.hub.engines();
        let voices: Vec<_> = engines.speech.voices().into_iter().map(|voice| voice.id).collect();
        let defaults = self.settings.defaults.clone();
        let recognizer = engines.recognizer.info();
        Offer {
            instructions: self.hub.settings().driver.prompt.system_prompt.clone(),
            model: engines.chat.info().model,
            recognizer: recognizer.model,
            voice: defaults.voice.clone().or_else(|| voices.first().cloned()).unwrap_or_else(|| "default".into()),
            voices,
            languages: recognizer.languages,
            may_converse: caller.may_begin(Mode::Converse).is_ok(),
            defaults,
        }
    }
}
