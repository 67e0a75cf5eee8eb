//! Who is asking, as handlers take it. A layer puts the [`Identity`] into the request; these take it out or refuse.

use axum::{extract::FromRequestParts, http::request::Parts};

use super::error::{ApiError, Code};
use crate::{account::Identity, model::UserId, store::Scope};

/// Somebody known; 401 for anybody else.
#[derive(Debug, Clone)]
pub struct Caller(pub Identity);

impl Caller {
    #[must_use]
    pub fn id(&self) -> UserId {
        self.0.id()
    }

    /// Refuses who may not do this.
    ///
    /// # Errors
    /// [`Code::Forbidden`].
    pub fn needs(&self, scope: Scope) -> Result<&Self, ApiError> {
        if self.0.may(scope) {
            return Ok(self);
        }
        let (message, hint) = match scope {
            Scope::Admin => ("only administrators may do this", "ask one of them"),
            _ => ("this key was not made for this", "make a key with the scope it lacks, and use that"),
        };
        Err(ApiError::new(Code::Forbidden, message, hint))
    }

    /// Refuses programs: only the person may do this.
    ///
    /// # Errors
    /// [`Code::Forbidden`].
    pub fn in_person(&self) -> Result<&Self, ApiError> {
        if self.0.in_person() {
            return Ok(self);
        }
        Err(ApiError::new(Code::Forbidden, "keys cannot do this", "log in, and do it on the page"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Identity>().cloned().map(Self).ok_or_else(ApiError::unauthorized)
    }
}
