//! `/api/admin/users`: people, for administrators.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    told,
    user::{OneUser, UserBody},
};
use crate::{
    account::{Accounts, Invited},
    model::{Language, UserId},
    protocol::{
        caller::Caller,
        error::ApiError,
        json::{Body, Id, Params},
        visit::Visit,
    },
    store::Scope,
};

/// The routes below `/api/admin/users`.
pub fn router(accounts: Accounts) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list, invite)).routes(routes!(change, delete)).with_state(accounts)
}

/// People by address.
#[derive(Debug, Serialize, ToSchema)]
pub struct Users {
    /// At most 100.
    users: Vec<UserBody>,
}

/// Which people.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// What their address or name contains.
    #[serde(default)]
    #[param(max_length = 254)]
    q: String,
    /// The last address of the page before.
    #[param(max_length = 254)]
    after: Option<String>,
}

/// Whom to invite.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Invitation {
    #[schema(format = Email, max_length = 254)]
    email: String,
    #[serde(default)]
    admin: bool,
    /// Of the mail; left out: as the administrator reads.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^(en|ru)$")]
    language: Option<Language>,
}

/// That it was done.
#[derive(Debug, Serialize, ToSchema)]
pub struct Sent {
    #[schema(pattern = "^invited$")]
    status: &'static str,
}

/// What to change; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rights {
    #[serde(default)]
    disabled: Option<bool>,
    #[serde(default)]
    admin: Option<bool>,
}

/// Everybody, by address.
#[utoipa::path(
    get, path = "/api/admin/users", tag = "administration", params(Which),
    responses((status = 200, body = Users), told::Searched)
)]
pub async fn list(
    State(accounts): State<Accounts>,
    caller: Caller,
    Params(which): Params<Which>,
) -> Result<Json<Users>, ApiError> {
    caller.needs(Scope::Admin)?;
    let long = |text: &str| text.chars().count() > 254;
    if long(&which.q) || which.after.as_deref().is_some_and(long) {
        return Err(ApiError::field("q", "longer than 254 characters", "look for less"));
    }
    let users = accounts.users(&which.q, which.after.as_deref()).await?;
    Ok(Json(Users { users: users.into_iter().map(UserBody::from).collect() }))
}

/// Invites somebody by mail.
#[utoipa::path(
    post, path = "/api/admin/users", tag = "administration", request_body = Invitation,
    responses((status = 202, body = Sent), told::Changed)
)]
pub async fn invite(
    State(accounts): State<Accounts>,
    caller: Caller,
    Visit(visitor): Visit,
    Body(invitation): Body<Invitation>,
) -> Result<(StatusCode, Json<Sent>), ApiError> {
    caller.needs(Scope::Admin)?;
    let Invitation { email, admin, language } = invitation;
    accounts.invite(Invited { email, admin, language }, &visitor).await?;
    Ok((StatusCode::ACCEPTED, Json(Sent { status: "invited" })))
}

/// Disables or enables somebody, makes them an administrator or not. Whoever is disabled is logged out at once.
#[utoipa::path(
    patch, path = "/api/admin/users/{id}", tag = "administration", params(("id" = Uuid, Path)), request_body = Rights,
    responses((status = 200, body = OneUser), told::FoundAndChanged)
)]
pub async fn change(
    State(accounts): State<Accounts>,
    caller: Caller,
    Id(id): Id<Uuid>,
    Body(rights): Body<Rights>,
) -> Result<Json<OneUser>, ApiError> {
    caller.needs(Scope::Admin)?;
    let user = accounts.change_rights(&caller.0, UserId::from(id), rights.disabled, rights.admin).await?;
    Ok(Json(user.into()))
}

/// Deletes somebody and all that is theirs.
#[utoipa::path(
    delete, path = "/api/admin/users/{id}", tag = "administration", params(("id" = Uuid, Path)),
    responses((status = 204, description = "they are gone"), told::Found)
)]
pub async fn delete(
    State(accounts): State<Accounts>,
    caller: Caller,
    Id(id): Id<Uuid>,
) -> Result<StatusCode, ApiError> {
    caller.needs(Scope::Admin)?;
    accounts.delete_user(&caller.0, UserId::from(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}
