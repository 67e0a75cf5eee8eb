//! `/api/auth/me`: the person who asks.

use axum::{
    Json,
    extract::State,
    http::{
        HeaderValue, StatusCode,
        header::{HeaderName, SET_COOKIE},
    },
};

use super::{
    super::{told, user::OneUser},
    bodies::{Confirm, Me, MeChange},
};
use crate::{
    account::{Accounts, Identity},
    protocol::{caller::Caller, cookie, error::ApiError, json::Body, visit::Visit},
};

/// Who asks, and what kind of server this is.
#[utoipa::path(
    get, path = "/api/auth/me", tag = "accounts",
    responses((status = 200, body = Me), told::Common)
)]
pub async fn show(State(accounts): State<Accounts>, identity: Option<axum::Extension<Identity>>) -> Json<Me> {
    Json(Me {
        user: identity.map(|axum::Extension(identity)| identity.user.into()),
        auth_mode: if accounts.open() { "open" } else { "required" },
        signup: accounts.settings().signup.name(),
    })
}

/// Changes what the person chose.
#[utoipa::path(
    patch, path = "/api/auth/me", tag = "accounts", request_body = MeChange,
    responses((status = 200, body = OneUser), told::Changed)
)]
pub async fn change(
    State(accounts): State<Accounts>,
    caller: Caller,
    Body(change): Body<MeChange>,
) -> Result<Json<OneUser>, ApiError> {
    caller.in_person()?;
    Ok(Json(accounts.change_profile(&caller.0, change.into()).await?.into()))
}

/// Deletes the account and all that was theirs.
#[utoipa::path(
    delete, path = "/api/auth/me", tag = "accounts", request_body = Confirm,
    responses((status = 204, description = "the account is gone"), told::Changed)
)]
pub async fn delete(
    State(accounts): State<Accounts>,
    caller: Caller,
    Visit(visitor): Visit,
    Body(confirm): Body<Confirm>,
) -> Result<(StatusCode, [(HeaderName, HeaderValue); 1]), ApiError> {
    caller.in_person()?;
    accounts.delete_account(&caller.0, &confirm.password, &visitor).await?;
    Ok((StatusCode::NO_CONTENT, [(SET_COOKIE, cookie::end(accounts.settings()))]))
}
