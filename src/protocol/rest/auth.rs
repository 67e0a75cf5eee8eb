//! `/api/auth/`: making an account, logging in, and what people change about themselves.

mod bodies;
mod enter;
mod me;
mod password;
mod sessions;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::account::Accounts;

/// The routes below `/api/auth/`.
pub fn router(accounts: Accounts) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(me::show, me::change, me::delete))
        .routes(routes!(enter::sign_up))
        .routes(routes!(enter::verify))
        .routes(routes!(enter::resend))
        .routes(routes!(enter::log_in))
        .routes(routes!(enter::log_out))
        .routes(routes!(password::forgot))
        .routes(routes!(password::reset))
        .routes(routes!(password::change))
        .routes(routes!(sessions::list, sessions::end_others))
        .routes(routes!(sessions::end))
        .with_state(accounts)
}
