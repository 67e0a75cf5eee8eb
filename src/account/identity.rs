//! Who is asking.

use uuid::Uuid;

use crate::{
    model::UserId,
    store::{Scope, User},
};

/// The person behind a request, and how they showed it. Found once per request and kept with it.
#[derive(Debug, Clone)]
pub struct Identity {
    pub user: User,
    pub via: Via,
}

/// How somebody showed who they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Via {
    /// Not at all: the server has no accounts, everybody is [`UserId::LOCAL`].
    Open,
    /// By the cookie of a log-in.
    Login { id: Uuid },
    /// By a program's key.
    Key { id: Uuid, scopes: Vec<Scope> },
}

impl Identity {
    #[must_use]
    pub fn id(&self) -> UserId {
        self.user.id
    }

    /// Whether they may do what `scope` names. People may do everything but administration, which needs an
    /// administrator; a key opens what it was made for.
    #[must_use]
    pub fn may(&self, scope: Scope) -> bool {
        let admin = scope != Scope::Admin || self.user.admin;
        match &self.via {
            Via::Open | Via::Login { .. } => admin,
            Via::Key { scopes, .. } => admin && scopes.contains(&scope),
        }
    }

    /// Whether they have an account, rather than sharing the one of a server without.
    #[must_use]
    pub fn in_an_account(&self) -> bool {
        self.via != Via::Open
    }

    /// Whether it is the person, not one of their programs: keys change neither account nor keys.
    #[must_use]
    pub fn in_person(&self) -> bool {
        !matches!(self.via, Via::Key { .. })
    }
}
