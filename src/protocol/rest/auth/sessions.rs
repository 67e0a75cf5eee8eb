//! The person's log-ins.

use axum::{Json, extract::State, http::StatusCode};
use uuid::Uuid;

use super::{
    super::told,
    bodies::{Session, Sessions},
};
use crate::{
    account::{Accounts, Via},
    protocol::{caller::Caller, error::ApiError, json::Id},
};

/// Where the person is logged in.
#[utoipa::path(
    get, path = "/api/auth/sessions", tag = "accounts",
    responses((status = 200, body = Sessions), told::Known)
)]
pub async fn list(State(accounts): State<Accounts>, caller: Caller) -> Result<Json<Sessions>, ApiError> {
    caller.in_person()?;
    let current = match caller.0.via {
        Via::Login { id } => Some(id),
        Via::Open | Via::Key { .. } => None,
    };
    let logins = accounts.sessions(&caller.0).await?;
    Ok(Json(Sessions { sessions: logins.into_iter().map(|login| Session::new(login, current)).collect() }))
}

/// Ends one log-in.
#[utoipa::path(
    delete, path = "/api/auth/sessions/{id}", tag = "accounts", params(("id" = Uuid, Path)),
    responses((status = 204, description = "it has ended"), told::Found)
)]
pub async fn end(State(accounts): State<Accounts>, caller: Caller, Id(id): Id<Uuid>) -> Result<StatusCode, ApiError> {
    caller.in_person()?;
    accounts.end_session(&caller.0, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends all log-ins but this one.
#[utoipa::path(
    delete, path = "/api/auth/sessions", tag = "accounts",
    responses((status = 204, description = "they have ended"), told::Known)
)]
pub async fn end_others(State(accounts): State<Accounts>, caller: Caller) -> Result<StatusCode, ApiError> {
    caller.in_person()?;
    accounts.end_other_sessions(&caller.0).await?;
    Ok(StatusCode::NO_CONTENT)
}
