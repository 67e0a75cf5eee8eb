//! Coming in and going out.

use axum::{
    Json,
    extract::State,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{HeaderName, SET_COOKIE},
    },
};

use super::{
    super::{told, user::OneUser},
    bodies::{Address, LogIn, Mailed, SignUp, Status},
};
use crate::{
    account::{Accounts, LoggedIn, NewPerson, Welcome},
    protocol::{cookie, error::ApiError, json::Body, visit::Visit},
};

/// An answer that sets or ends the cookie.
type WithCookie<T> = ([(HeaderName, HeaderValue); 1], T);

/// Makes an account. The answer is the same for an address that has one; the mail says more.
#[utoipa::path(
    post, path = "/api/auth/signup", tag = "accounts", request_body = SignUp,
    responses((status = 202, body = Status), told::Changed), security(())
)]
pub async fn sign_up(
    State(accounts): State<Accounts>,
    Visit(visitor): Visit,
    Body(wish): Body<SignUp>,
) -> Result<(StatusCode, Json<Status>), ApiError> {
    let SignUp { email, password, name, language, invitation } = wish;
    let person = NewPerson { email, password, name, language, invitation };
    let status = match accounts.sign_up(person, &visitor).await? {
        Welcome::CheckMail => "check_mail",
        Welcome::Ready => "ready",
    };
    Ok((StatusCode::ACCEPTED, Json(Status { status })))
}

/// Confirms an address with the token of the mail, and logs in.
#[utoipa::path(
    post, path = "/api/auth/verify", tag = "accounts", request_body = Mailed,
    responses((status = 200, body = OneUser, headers(("set-cookie" = String))), told::Changed), security(())
)]
pub async fn verify(
    State(accounts): State<Accounts>,
    Visit(visitor): Visit,
    headers: HeaderMap,
    Body(mailed): Body<Mailed>,
) -> Result<WithCookie<Json<OneUser>>, ApiError> {
    let old = cookie::token(accounts.settings(), &headers);
    let entered = accounts.verify(&mailed.token, old.as_deref(), &visitor).await?;
    Ok(welcomed(&accounts, entered))
}

/// Sends the mail again that confirms an address, if it waits for one.
#[utoipa::path(
    post, path = "/api/auth/verify/resend", tag = "accounts", request_body = Address,
    responses((status = 202, body = Status), told::Changed), security(())
)]
pub async fn resend(
    State(accounts): State<Accounts>,
    Visit(visitor): Visit,
    Body(address): Body<Address>,
) -> Result<(StatusCode, Json<Status>), ApiError> {
    accounts.resend(&address.email, &visitor).await?;
    Ok((StatusCode::ACCEPTED, Json(Status { status: "check_mail" })))
}

/// Logs in; the log-in this browser had ends.
#[utoipa::path(
    post, path = "/api/auth/login", tag = "accounts", request_body = LogIn,
    responses((status = 200, body = OneUser, headers(("set-cookie" = String))), told::Changed), security(())
)]
pub async fn log_in(
    State(accounts): State<Accounts>,
    Visit(visitor): Visit,
    headers: HeaderMap,
    Body(wish): Body<LogIn>,
) -> Result<WithCookie<Json<OneUser>>, ApiError> {
    let old = cookie::token(accounts.settings(), &headers);
    let entered = accounts.log_in(&wish.email, &wish.password, old.as_deref(), &visitor).await?;
    Ok(welcomed(&accounts, entered))
}

/// Logs out; whoever is not logged in is told the same.
#[utoipa::path(
    post, path = "/api/auth/logout", tag = "accounts",
    responses((status = 204, description = "nobody is logged in any more"), told::Known), security(())
)]
pub async fn log_out(State(accounts): State<Accounts>, headers: HeaderMap) -> Result<WithCookie<StatusCode>, ApiError> {
    if let Some(token) = cookie::token(accounts.settings(), &headers) {
        accounts.end_by_cookie(&token).await?;
    }
    Ok(([(SET_COOKIE, cookie::end(accounts.settings()))], StatusCode::NO_CONTENT))
}

fn welcomed(accounts: &Accounts, entered: LoggedIn) -> WithCookie<Json<OneUser>> {
    ([(SET_COOKIE, cookie::set(accounts.settings(), &entered.token))], Json(entered.user.into()))
}
