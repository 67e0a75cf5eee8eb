//! `/api/admin/log-level`: which log lines are written, changed while the server runs.

use std::{sync::Arc, time::Duration};

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    model::UserId,
    protocol::{
        caller::Caller,
        error::{ApiError, Code},
        json::Body,
        rest::told,
    },
    store::Scope,
};

/// The longest filter, in bytes.
const MAX_FILTER: usize = 1_000;
/// The longest time after which it goes back: a day, in minutes.
const MAX_MINUTES: u32 = 24 * 60;

/// Whoever writes the log.
pub trait LogLevel: Send + Sync {
    fn now(&self) -> LogLevelNow;

    /// Changes the filter, for good or for a while.
    ///
    /// # Errors
    /// What is wrong with `filter`; nothing has changed then.
    fn set(&self, by: UserId, filter: &str, back_after: Option<Duration>) -> Result<LogLevelNow, String>;
}

/// The routes.
pub fn router(log: Arc<dyn LogLevel>) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(get, put)).with_state(log)
}

/// Which log lines are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = LogLevel)]
pub struct LogLevelNow {
    /// A level (`error`, `warn`, `info`, `debug`, `trace`, `off`), or levels by part of the program: `info,aigolos::store=debug`.
    pub filter: String,
    /// What it is after a restart (`LOG_LEVEL`).
    pub configured: String,
    /// When it goes back to that by itself, in milliseconds since 1970; left out: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub back_at: Option<i64>,
}

/// What it shall be.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct LogLevelWish {
    /// A level, or levels by part of the program: `info,aigolos::store=debug`.
    #[schema(min_length = 1, max_length = 1000)]
    filter: String,
    /// After how many minutes it goes back; left out: at a restart.
    #[schema(minimum = 1, maximum = 1440)]
    minutes: Option<u32>,
}

/// Which log lines are written
#[utoipa::path(get, path = "/api/admin/log-level", tag = "administration", responses((status = 200, body = LogLevelNow)))]
async fn get(State(log): State<Arc<dyn LogLevel>>, caller: Caller) -> Result<Json<LogLevelNow>, ApiError> {
    caller.needs(Scope::Admin)?;
    Ok(Json(log.now()))
}

/// Write more or fewer log lines, until a restart or for a while
#[utoipa::path(put, path = "/api/admin/log-level", tag = "administration", request_body = LogLevelWish, responses(
    (status = 200, body = LogLevelNow),
    told::Changed
))]
async fn put(
    State(log): State<Arc<dyn LogLevel>>,
    caller: Caller,
    Body(wish): Body<LogLevelWish>,
) -> Result<Json<LogLevelNow>, ApiError> {
    caller.needs(Scope::Admin)?;
    let wrong = |message: String, hint: &str| ApiError::new(Code::InvalidField, message, hint);
    if wish.filter.len() > MAX_FILTER {
        return Err(wrong(format!("filter: longer than {MAX_FILTER} bytes"), "info, or info,aigolos::store=debug"));
    }
    if wish.minutes.is_some_and(|minutes| !(1..=MAX_MINUTES).contains(&minutes)) {
        return Err(wrong(format!("minutes: 1 to {MAX_MINUTES}"), "leave it out for no end"));
    }
    let back_after = wish.minutes.map(|minutes| Duration::from_secs(u64::from(minutes) * 60));
    let now = log.set(caller.id(), &wish.filter, back_after);
    now.map(Json).map_err(|error| wrong(format!("filter: {error}"), "info, or info,aigolos::store=debug"))
}
