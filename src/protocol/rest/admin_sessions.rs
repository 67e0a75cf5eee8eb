//! `/api/admin/sessions`: who talks now, for administrators.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::{
    conversation::{
        hub::{Hub, LiveSession},
        message::Mode,
    },
    model::{SessionId, UserId},
    protocol::{
        caller::Caller,
        error::{ApiError, Problem},
        json::Id,
    },
    store::{Scope, Store},
};

/// What the handlers need.
#[derive(Clone)]
struct Live {
    hub: Hub,
    store: Arc<dyn Store>,
}

/// The routes.
pub fn router(hub: Hub, store: Arc<dyn Store>) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(end)).with_state(Live { hub, store })
}

/// Sessions at this moment.
#[derive(Debug, Serialize, ToSchema)]
struct LiveSessions {
    sessions: Vec<LiveSessionView>,
}

/// One of them.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LiveSession)]
struct LiveSessionView {
    id: Uuid,
    conversation_id: Uuid,
    user_id: Uuid,
    /// Whose it is; left out where there are no accounts.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    /// `converse` or `transcribe`.
    mode: &'static str,
    /// When it began, in milliseconds since 1970.
    since: i64,
    /// Whether a client is connected; if not, the session waits for it to come back.
    attached: bool,
}

/// Live sessions, the oldest first
#[utoipa::path(get, path = "/api/admin/sessions", tag = "administration", responses((status = 200, body = LiveSessions)))]
async fn list(State(live): State<Live>, caller: Caller) -> Result<Json<LiveSessions>, ApiError> {
    caller.needs(Scope::Admin)?;
    let sessions = live.hub.list();
    let mut emails: HashMap<UserId, Option<String>> = HashMap::from([(UserId::LOCAL, None)]);
    for session in &sessions {
        if let Entry::Vacant(unknown) = emails.entry(session.user) {
            unknown.insert(live.store.user(session.user).await?.map(|user| user.email));
        }
    }
    let sessions = sessions.into_iter().map(|session| view(&session, emails.get(&session.user).cloned().flatten()));
    Ok(Json(LiveSessions { sessions: sessions.collect() }))
}

/// End a live session
#[utoipa::path(delete, path = "/api/admin/sessions/{id}", tag = "administration", params(("id" = Uuid, Path)), responses(
    (status = 204),
    (status = 404, description = "it has ended", body = Problem, content_type = "application/problem+json"),
))]
async fn end(State(live): State<Live>, caller: Caller, Id(id): Id<Uuid>) -> Result<StatusCode, ApiError> {
    caller.needs(Scope::Admin)?;
    if live.hub.end(SessionId::from(id)) {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(ApiError::not_found("session"))
}

fn view(session: &LiveSession, email: Option<String>) -> LiveSessionView {
    LiveSessionView {
        id: session.id.uuid(),
        conversation_id: session.conversation.uuid(),
        user_id: session.user.uuid(),
        email,
        mode: match session.mode {
            Mode::Converse => "converse",
            Mode::Transcribe => "transcribe",
        },
        since: session.since.0,
        attached: session.attached,
    }
}
