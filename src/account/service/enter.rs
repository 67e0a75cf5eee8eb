//! Logging in and out.

use std::time::Instant;

use uuid::Uuid;

use super::{Accounts, Visitor};
use crate::{
    account::{AccountError, Identity, Via, password, secret::random_token},
    measure,
    model::UnixMs,
    store::{LoginSession, StoreError, User},
};

/// Log-ins one person can have; with one more the oldest ends.
const MOST: usize = 100;
/// Characters kept of a browser's description of itself.
const USER_AGENT: usize = 200;

/// Somebody who has just logged in.
#[derive(Debug, Clone)]
pub struct LoggedIn {
    pub user: User,
    /// For the cookie; the store has its hash only.
    pub token: String,
}

impl Accounts {
    /// Logs in. `old`: the token of the log-in this browser had, which ends.
    ///
    /// # Errors
    /// [`AccountError::WrongCredentials`] after the same work whether the address has an account or not;
    /// [`AccountError::Throttled`] after too many of those; [`AccountError::NotVerified`] and others once the password
    /// was right.
    pub async fn log_in(
        &self,
        email: &str,
        password: &str,
        old: Option<&str>,
        visitor: &Visitor,
    ) -> Result<LoggedIn, AccountError> {
        self.needs_accounts()?;
        let entered = self.try_log_in(email, password, old, visitor).await;
        let outcome = match &entered {
            Ok(_) => "ok",
            Err(AccountError::WrongCredentials) => "wrong",
            Err(AccountError::Throttled { .. }) => "throttled",
            Err(AccountError::NotVerified) => "not_verified",
            Err(AccountError::Refused { .. }) => "refused",
            Err(_) => "failed",
        };
        metrics::counter!(measure::LOGINS, "outcome" => outcome).increment(1);
        entered
    }

    async fn try_log_in(
        &self,
        email: &str,
        password: &str,
        old: Option<&str>,
        visitor: &Visitor,
    ) -> Result<LoggedIn, AccountError> {
        // What is no address has no account; it is counted and worked on all the same.
        let email =
            password::email(email).unwrap_or_else(|_| email.chars().filter(|c| !c.is_control()).take(254).collect());
        let found = self.store().user_by_email(&email).await?;
        if !self.password_fits(&email, password, found.as_ref(), visitor).await? {
            return Err(AccountError::WrongCredentials);
        }
        let user = found.ok_or(AccountError::WrongCredentials)?;
        if user.disabled {
            return Err(AccountError::Refused {
                message: "this account has been disabled",
                hint: "ask an administrator",
            });
        }
        if user.verified_at.is_none() {
            return Err(AccountError::NotVerified);
        }
        self.enter(user, old, visitor).await
    }

    /// Whether it is their password; counted, so that guessing takes ever longer.
    pub(super) async fn password_fits(
        &self,
        email: &str,
        password: &str,
        user: Option<&User>,
        visitor: &Visitor,
    ) -> Result<bool, AccountError> {
        let throttle = &self.0.throttle;
        throttle.begin(email, visitor.address, Instant::now()).map_err(|wait| AccountError::Throttled { wait })?;
        let fits = self.0.hasher.fits(password, user.map(|user| user.password_hash.as_str())).await?;
        if fits {
            throttle.right(email, visitor.address, Instant::now());
        }
        Ok(fits)
    }

    /// Begins a log-in of somebody who has shown who they are, and ends the browser's old one.
    pub(super) async fn enter(
        &self,
        user: User,
        old: Option<&str>,
        visitor: &Visitor,
    ) -> Result<LoggedIn, AccountError> {
        let now = UnixMs::now();
        if let Some(old) = old {
            self.end_by_cookie(old).await?;
        }
        let token = random_token().map_err(|error| StoreError::Failed(error.to_string()))?;
        let login = LoginSession {
            id: Uuid::now_v7(),
            token_hash: self.0.key.hash(&token),
            user: user.id,
            created_at: now,
            last_seen_at: now,
            expires_at: now.after(self.0.settings.session),
            address: visitor.address.to_string(),
            user_agent: visitor.user_agent.chars().filter(|c| !c.is_control()).take(USER_AGENT).collect(),
        };
        self.store().add_login(&login).await?;
        for oldest in self.store().logins(user.id, now).await?.into_iter().skip(MOST) {
            self.store().end_login(user.id, oldest.id).await?;
        }
        tracing::info!(user.id = %user.id, "logged in");
        Ok(LoggedIn { user, token })
    }

    /// Ends the log-in whose cookie this is, if there is one.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn end_by_cookie(&self, token: &str) -> Result<(), AccountError> {
        if let Some((login, _)) = self.store().login(&self.0.key.hash(token), UnixMs::now()).await? {
            self.store().end_login(login.user, login.id).await?;
        }
        Ok(())
    }

    /// The person's log-ins, the newest first.
    ///
    /// # Errors
    /// When the server has no accounts, or the store is away.
    pub async fn sessions(&self, who: &Identity) -> Result<Vec<LoginSession>, AccountError> {
        self.needs_accounts()?;
        Ok(self.store().logins(who.id(), UnixMs::now()).await?)
    }

    /// Ends one of the person's log-ins.
    ///
    /// # Errors
    /// When they have no such log-in.
    pub async fn end_session(&self, who: &Identity, id: Uuid) -> Result<(), AccountError> {
        self.needs_accounts()?;
        if self.store().end_login(who.id(), id).await? { Ok(()) } else { Err(AccountError::NotFound("log-in")) }
    }

    /// Ends all of the person's log-ins but this one.
    ///
    /// # Errors
    /// When the server has no accounts, or the store is away.
    pub async fn end_other_sessions(&self, who: &Identity) -> Result<(), AccountError> {
        self.needs_accounts()?;
        self.store().end_logins(who.id(), current(who)).await?;
        Ok(())
    }
}

/// The log-in by which they are here.
pub(super) fn current(who: &Identity) -> Option<Uuid> {
    match who.via {
        Via::Login { id } => Some(id),
        Via::Open | Via::Key { .. } => None,
    }
}
