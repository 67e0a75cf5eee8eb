//! Secrets that live for minutes: a server with a key makes one, a browser connects with it.
//!
//! They are kept in memory, by their hash, until they expire; a restart ends them.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{Json, extract::State};
use data_encoding::BASE32_NOPAD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    fault::Fault,
    ids::Ids,
    routes::{Door, mode},
    session_object::{Config, SessionKind, Situation},
    wire::{Flavour, session::SessionWish},
};
use crate::{
    account::{Identity, key_hash, random},
    model::UnixMs,
    protocol::{
        caller::Caller,
        error::{ApiError, Code},
        json::Body,
        openai::rest::told,
    },
};

/// The routes.
pub fn router(door: Door) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(client_secret))
        .routes(routes!(session))
        .routes(routes!(transcription_session))
        .with_state(door)
}

/// How a secret begins.
pub const PREFIX: &str = "ek_";
/// Secrets at once; one more is refused.
const MAX_SECRETS: usize = 10_000;
/// How long one lives that is not asked to live otherwise, and what may be asked, in seconds.
const LIVES: u64 = 600;
const MAY_LIVE: std::ops::RangeInclusive<u64> = 10..=7_200;
/// Of the beta's endpoints.
const LIVES_BETA: u64 = 60;

/// The session a secret opens.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    pub config: Config,
}

/// All secrets that have not expired.
#[derive(Clone, Default)]
pub struct Secrets(Arc<Mutex<HashMap<Vec<u8>, Secret>>>);

struct Secret {
    expires: UnixMs,
    identity: Identity,
    start: Start,
}

impl Secrets {
    /// Makes one.
    ///
    /// # Errors
    /// When there are too many, or the system gives no randomness.
    fn make(
        &self,
        identity: Identity,
        start: Start,
        lives: Duration,
        now: UnixMs,
    ) -> Result<(String, UnixMs), ApiError> {
        let random = random::<32>().map_err(|error: io::Error| {
            tracing::error!(%error, "no randomness");
            ApiError::internal()
        })?;
        let value = format!("{PREFIX}{}", BASE32_NOPAD.encode(&random).to_ascii_lowercase());
        let expires = now.after(lives);
        let mut secrets = self.lock();
        if secrets.len() >= MAX_SECRETS {
            secrets.retain(|_, secret| secret.expires > now);
        }
        if secrets.len() >= MAX_SECRETS {
            let text = format!("{MAX_SECRETS} secrets are waiting to be used");
            return Err(ApiError::new(Code::Overloaded, text, "try again after retry_after_ms").retry_after(10_000));
        }
        secrets.insert(key_hash(&value), Secret { expires, identity, start });
        Ok((value, expires))
    }

    /// Whom a secret lets in, and to which session.
    #[must_use]
    pub fn find(&self, value: &str, now: UnixMs) -> Option<(Identity, Start)> {
        if !value.starts_with(PREFIX) || value.len() > 100 {
            return None;
        }
        let hash = key_hash(value);
        let mut secrets = self.lock();
        let secret = secrets.get(&hash)?;
        if secret.expires <= now {
            secrets.remove(&hash);
            return None;
        }
        Some((secret.identity.clone(), secret.start.clone()))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Secret>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What asks for a secret.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(default)]
pub(super) struct RealtimeSecretWish {
    expires_after: Option<RealtimeSecretLife>,
    /// What the session begins with, as in `session.update`: docs/realtime.md.
    #[schema(value_type = Option<Object>)]
    session: Option<SessionWish>,
}

/// How long a secret lives.
#[derive(Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub(super) struct RealtimeSecretLife {
    /// `created_at`
    anchor: Option<String>,
    /// 10 to 7200; 600 where nothing is said.
    seconds: Option<u64>,
}

/// A secret.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct RealtimeSecret {
    /// Begins with `ek_`; shown once.
    value: String,
    /// Unix seconds.
    expires_at: i64,
    /// The whole session in effect.
    #[schema(value_type = Object)]
    session: Value,
}

/// A session in the beta's spelling; in answers `client_secret` holds the secret.
#[derive(Debug, ToSchema)]
#[schema(value_type = Object)]
#[expect(dead_code, reason = "it stands in the description alone")]
pub(super) struct RealtimeSession(serde_json::Map<String, Value>);

/// `POST /v1/realtime/client_secrets`.
#[utoipa::path(
    post,
    path = "/v1/realtime/client_secrets",
    tag = "openai",
    summary = "A short-lived secret with which a browser opens a Realtime session",
    request_body = RealtimeSecretWish,
    responses((status = 200, body = RealtimeSecret), told::Worked)
)]
pub(super) async fn client_secret(
    State(door): State<Door>,
    caller: Caller,
    Body(wish): Body<RealtimeSecretWish>,
) -> Result<Json<RealtimeSecret>, ApiError> {
    let after = wish.expires_after.unwrap_or_default();
    if after.anchor.is_some_and(|anchor| anchor != "created_at") {
        return Err(ApiError::field("expires_after.anchor", "there is only created_at", "leave it out"));
    }
    let seconds = after.seconds.unwrap_or(LIVES);
    if !MAY_LIVE.contains(&seconds) {
        let (least, most) = (MAY_LIVE.start(), MAY_LIVE.end());
        return Err(ApiError::field("expires_after.seconds", format!("must be {least} to {most}"), "600 is usual"));
    }
    let made = Made::of(&door, caller, SessionKind::Realtime, &wish.session.unwrap_or_default(), seconds)?;
    let session = made.session(&door, Flavour::Ga);
    Ok(Json(RealtimeSecret { value: made.value, expires_at: made.expires, session }))
}

/// The beta's `POST /v1/realtime/sessions`.
#[utoipa::path(
    post,
    path = "/v1/realtime/sessions",
    tag = "openai",
    summary = "The same as clients of the beta ask for it",
    request_body = RealtimeSession,
    responses((status = 200, body = RealtimeSession), told::Worked)
)]
pub(super) async fn session(
    State(door): State<Door>,
    caller: Caller,
    Body(wish): Body<SessionWish>,
) -> Result<Json<Value>, ApiError> {
    Made::of(&door, caller, SessionKind::Realtime, &wish, LIVES_BETA).map(|made| made.beta(&door))
}

/// The beta's `POST /v1/realtime/transcription_sessions`.
#[utoipa::path(
    post,
    path = "/v1/realtime/transcription_sessions",
    tag = "openai",
    summary = "The same for sessions that only write down",
    request_body = RealtimeSession,
    responses((status = 200, body = RealtimeSession), told::Worked)
)]
pub(super) async fn transcription_session(
    State(door): State<Door>,
    caller: Caller,
    Body(wish): Body<SessionWish>,
) -> Result<Json<Value>, ApiError> {
    Made::of(&door, caller, SessionKind::Transcription, &wish, LIVES_BETA).map(|made| made.beta(&door))
}

/// A secret that was made.
struct Made {
    value: String,
    /// Unix seconds.
    expires: i64,
    config: Config,
    caller: Caller,
}

impl Made {
    fn of(door: &Door, caller: Caller, kind: SessionKind, wish: &SessionWish, seconds: u64) -> Result<Self, ApiError> {
        let offer = door.offer(&caller);
        // The kind is a wish like others as long as nothing has begun.
        let begun = Config::new(kind, wish.model.clone(), &offer);
        let config = begun.merged(wish, &offer, Situation::default()).map_err(refused)?;
        caller.may_begin(mode(config.kind))?;
        let start = Start { config: config.clone() };
        let lives = Duration::from_secs(seconds);
        let (value, expires) = door.secrets.make(caller.0.clone(), start, lives, UnixMs::now())?;
        Ok(Self { value, expires: expires.0 / 1_000, config, caller })
    }

    fn session(&self, door: &Door, flavour: Flavour) -> Value {
        let id = Ids::Random.fresh("sess");
        self.config.json(flavour, &id, self.expires, &door.offer(&self.caller))
    }

    fn beta(&self, door: &Door) -> Json<Value> {
        let mut session = self.session(door, Flavour::Beta);
        if let Some(fields) = session.as_object_mut() {
            let secret = json!({"value": self.value, "expires_at": self.expires});
            fields.insert("client_secret".into(), secret);
        }
        Json(session)
    }
}

fn refused(fault: Fault) -> ApiError {
    let field = fault.param.unwrap_or_else(|| "session".into());
    ApiError::field(&field, fault.message, "docs/realtime.md names what may be set")
}
