//! Who is asking, as handlers take it. A layer puts the [`Identity`] into the request; these take it out or refuse.

use axum::{extract::FromRequestParts, http::request::Parts};

use super::error::{ApiError, Code};
use crate::{
    account::{Identity, Via},
    conversation::{journal::Owner, message::Mode},
    model::UserId,
    store::Scope,
};

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

    /// Refuses who may not begin a session: a conversation takes all that a key can open, a dictation recognition alone.
    ///
    /// # Errors
    /// [`Code::Forbidden`].
    pub fn may_begin(&self, mode: Mode) -> Result<(), ApiError> {
        let scopes: &[Scope] = match mode {
            Mode::Converse => &[Scope::Asr, Scope::Llm, Scope::Tts],
            Mode::Transcribe => &[Scope::Asr],
        };
        scopes.iter().try_for_each(|&scope| self.needs(scope).map(drop))
    }

    /// Whose session it will be. People with accounts choose themselves whether their sound is kept.
    #[must_use]
    pub fn owner(&self, keep_audio: bool) -> Owner {
        let identity = &self.0;
        let keep_audio = if identity.in_an_account() { identity.user.keep_audio } else { keep_audio };
        let pass = match &identity.via {
            Via::Open => None,
            Via::Login { id } | Via::Key { id, .. } => Some(*id),
        };
        Owner { user: identity.id(), keep_audio, pass }
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
