//! Why something about an account was not done.

use std::time::Duration;

use crate::store::StoreError;

/// See the module. Messages are for the person who asked; hints say what to do.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// More passwords are being checked, or more mails waiting, than the server takes on at once.
    #[error("too much is being asked for at once")]
    Busy { retry_after: Duration },
    /// What was given cannot be.
    #[error("{field}: {problem}")]
    Invalid { field: &'static str, problem: String, hint: &'static str },
    /// Either the address has no account or the password is another.
    #[error("the address or the password is wrong")]
    WrongCredentials,
    /// Too many wrong passwords.
    #[error("too many wrong passwords")]
    Throttled { wait: Duration },
    /// The password is right, the address not yet confirmed.
    #[error("this address has not been confirmed yet")]
    NotVerified,
    /// They may not.
    #[error("{message}")]
    Refused { message: &'static str, hint: &'static str },
    /// It does not go together with what is.
    #[error("{message}")]
    Conflict { message: &'static str, hint: &'static str },
    /// What was named is not there, or is another's.
    #[error("there is no such {0}")]
    NotFound(&'static str),
}

impl AccountError {
    pub(super) fn invalid(field: &'static str, problem: impl Into<String>, hint: &'static str) -> Self {
        Self::Invalid { field, problem: problem.into(), hint }
    }

    /// A token that was never given, is used up, or too old.
    pub(super) fn stale_token() -> Self {
        Self::invalid("token", "it is not valid any more", "ask for a new mail and use the newest link")
    }

    /// The password at hand is not the account's.
    pub(super) fn wrong_password(field: &'static str) -> Self {
        Self::invalid(field, "this is not your password", "try again, or ask for a new password by mail")
    }
}
