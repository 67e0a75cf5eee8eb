//! What went wrong with an account, as clients hear of it.

use std::time::Duration;

use super::{ApiError, Code};
use crate::account::AccountError;

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        let message = error.to_string();
        match error {
            AccountError::Store(error) => error.into(),
            AccountError::Busy { retry_after } => {
                Self::new(Code::Overloaded, message, "try again after retry_after_ms").retry_after(millis(retry_after))
            }
            AccountError::Invalid { field, problem, hint } => Self::field(field, problem, hint),
            AccountError::WrongCredentials => {
                Self::new(Code::WrongCredentials, message, "check both, or ask for a new password by mail")
            }
            AccountError::Throttled { wait } => {
                Self::new(Code::RateLimited, message, "wait for retry_after_ms").retry_after(millis(wait))
            }
            AccountError::NotVerified => {
                Self::new(Code::NotVerified, message, "use the link in the mail, or ask for another one")
            }
            AccountError::Refused { message, hint } => Self::new(Code::Forbidden, message, hint),
            AccountError::Conflict { message, hint } => Self::new(Code::Conflict, message, hint),
            AccountError::NotFound(what) => Self::not_found(what),
        }
    }
}

/// Rounded up: who waits exactly so long must be let through.
fn millis(wait: Duration) -> u64 {
    wait.as_micros().div_ceil(1000) as u64
}
