//! `/api/keys/`: keys for programs.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::told;
use crate::{
    account::{Accounts, WishedKey},
    protocol::{
        caller::Caller,
        error::ApiError,
        json::{Body, Id},
    },
    store::{ApiKey, Scope},
};

/// The routes below `/api/keys/`.
pub fn router(accounts: Accounts) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list, add)).routes(routes!(delete)).with_state(accounts)
}

/// The person's keys, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Keys {
    keys: Vec<Key>,
}

/// A key, without its secret. Moments are milliseconds since 1970.
#[derive(Debug, Serialize, ToSchema)]
pub struct Key {
    id: Uuid,
    name: String,
    /// How the secret begins.
    prefix: String,
    scopes: Vec<Scope>,
    created_at: i64,
    /// Null: it does not expire.
    expires_at: Option<i64>,
    /// Null: not yet. Noted once a minute at most.
    last_used_at: Option<i64>,
}

impl From<ApiKey> for Key {
    fn from(key: ApiKey) -> Self {
        Self {
            id: key.id,
            name: key.name,
            prefix: key.prefix,
            scopes: key.scopes,
            created_at: key.created_at.0,
            expires_at: key.expires_at.map(|at| at.0),
            last_used_at: key.last_used_at.map(|at| at.0),
        }
    }
}

/// A key to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// What uses it.
    #[schema(min_length = 1, max_length = 100)]
    name: String,
    /// What it opens.
    #[schema(min_items = 1, max_items = 8)]
    scopes: Vec<Scope>,
    /// Left out: it does not expire.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 3650)]
    expires_in_days: Option<u32>,
}

/// A key that was just made.
#[derive(Debug, Serialize, ToSchema)]
pub struct MadeKey {
    key: Key,
    /// Send it as `Authorization: Bearer SECRET`. It is not shown again.
    secret: String,
}

/// The person's keys.
#[utoipa::path(get, path = "/api/keys/", tag = "keys", responses((status = 200, body = Keys), told::Known))]
pub async fn list(State(accounts): State<Accounts>, caller: Caller) -> Result<Json<Keys>, ApiError> {
    caller.in_person()?;
    let keys = accounts.keys(&caller.0).await?;
    Ok(Json(Keys { keys: keys.into_iter().map(Key::from).collect() }))
}

/// Makes a key. Its secret is shown this once.
#[utoipa::path(
    post, path = "/api/keys/", tag = "keys", request_body = NewKey,
    responses((status = 201, body = MadeKey), told::Changed)
)]
pub async fn add(
    State(accounts): State<Accounts>,
    caller: Caller,
    Body(wish): Body<NewKey>,
) -> Result<(StatusCode, Json<MadeKey>), ApiError> {
    caller.in_person()?;
    let NewKey { name, scopes, expires_in_days } = wish;
    let (key, secret) = accounts.add_key(&caller.0, WishedKey { name, scopes, expires_in_days }).await?;
    Ok((StatusCode::CREATED, Json(MadeKey { key: key.into(), secret })))
}

/// Deletes a key; it opens nothing any more.
#[utoipa::path(
    delete, path = "/api/keys/{id}", tag = "keys", params(("id" = Uuid, Path)),
    responses((status = 204, description = "it is gone"), told::Found)
)]
pub async fn delete(
    State(accounts): State<Accounts>,
    caller: Caller,
    Id(id): Id<Uuid>,
) -> Result<StatusCode, ApiError> {
    caller.in_person()?;
    accounts.delete_key(&caller.0, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
