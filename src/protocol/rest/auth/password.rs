//! New passwords.

use axum::{Json, extract::State, http::StatusCode};

use super::{
    super::told,
    bodies::{Address, Change, Reset, Status},
};
use crate::{
    account::Accounts,
    protocol::{caller::Caller, error::ApiError, json::Body, visit::Visit},
};

/// Mails a link for a new password, if the address has an account; the answer is the same if not.
#[utoipa::path(
    post, path = "/api/auth/password/forgot", tag = "accounts", request_body = Address,
    responses((status = 202, body = Status), told::Changed), security(())
)]
pub async fn forgot(
    State(accounts): State<Accounts>,
    Visit(visitor): Visit,
    Body(address): Body<Address>,
) -> Result<(StatusCode, Json<Status>), ApiError> {
    accounts.forgot(&address.email, &visitor).await?;
    Ok((StatusCode::ACCEPTED, Json(Status { status: "check_mail" })))
}

/// Sets a new password with the token of the mail; all log-ins end.
#[utoipa::path(
    post, path = "/api/auth/password/reset", tag = "accounts", request_body = Reset,
    responses((status = 204, description = "the password is set"), told::Changed), security(())
)]
pub async fn reset(
    State(accounts): State<Accounts>,
    Visit(visitor): Visit,
    Body(wish): Body<Reset>,
) -> Result<StatusCode, ApiError> {
    accounts.reset(&wish.token, &wish.password, &visitor).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Sets a new password; all other log-ins end.
#[utoipa::path(
    post, path = "/api/auth/password/change", tag = "accounts", request_body = Change,
    responses((status = 204, description = "the password is set"), told::Changed)
)]
pub async fn change(
    State(accounts): State<Accounts>,
    caller: Caller,
    Visit(visitor): Visit,
    Body(wish): Body<Change>,
) -> Result<StatusCode, ApiError> {
    caller.in_person()?;
    accounts.change_password(&caller.0, &wish.current, &wish.password, &visitor).await?;
    Ok(StatusCode::NO_CONTENT)
}
