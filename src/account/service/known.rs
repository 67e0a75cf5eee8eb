//! Who a cookie or a key belongs to.

use std::{
    sync::PoisonError,
    time::{Duration, Instant},
};

use super::{Accounts, AuthMode};
use crate::{
    account::{AccountError, Identity, Via, secret::key_hash},
    model::{UnixMs, UserId},
    store::User,
};

/// A use is noted at most so often.
const NOTED: Duration = Duration::from_mins(1);
/// How long [`UserId::LOCAL`]'s settings are believed without asking the store.
const LOCAL_FRESH: Duration = Duration::from_secs(5);
/// No secret of ours is longer; longer ones are not even hashed.
const LONGEST: usize = 200;

/// Somebody recognised by their cookie.
#[derive(Debug, Clone)]
pub struct Known {
    pub identity: Identity,
    /// The log-in's end was put off: the browser should be told.
    pub prolonged: bool,
}

impl Accounts {
    #[must_use]
    pub fn open(&self) -> bool {
        self.0.settings.mode == AuthMode::Open
    }

    /// Whose log-in the cookie's token is; `None` if it has ended or never was.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn by_cookie(&self, token: &str) -> Result<Option<Known>, AccountError> {
        if token.is_empty() || token.len() > LONGEST {
            return Ok(None);
        }
        let now = UnixMs::now();
        let Some((login, user)) = self.store().login(&self.0.key.hash(token), now).await? else { return Ok(None) };
        let prolonged = since(login.last_seen_at, now) >= NOTED;
        if prolonged {
            self.store().touch_login(login.id, now, now.after(self.0.settings.session)).await?;
        }
        Ok(Some(Known { identity: Identity { user, via: Via::Login { id: login.id } }, prolonged }))
    }

    /// Whose key it is; `None` if it has expired or never was.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn by_key(&self, key: &str) -> Result<Option<Identity>, AccountError> {
        if key.is_empty() || key.len() > LONGEST {
            return Ok(None);
        }
        let now = UnixMs::now();
        let Some((key, user)) = self.store().key(&key_hash(key), now).await? else { return Ok(None) };
        // Keys made while the server had no accounts belong to nobody who could take them back.
        if user.id == UserId::LOCAL {
            return Ok(None);
        }
        if key.last_used_at.is_none_or(|used| since(used, now) >= NOTED) {
            self.store().touch_key(key.id, now).await?;
        }
        Ok(Some(Identity { user, via: Via::Key { id: key.id, scopes: key.scopes } }))
    }

    /// Everybody, on a server without accounts. With the store away, as they were last seen.
    pub async fn local(&self) -> Identity {
        let kept = || self.0.local.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let user = match kept() {
            Some((seen, user)) if seen.elapsed() < LOCAL_FRESH => user,
            last => {
                let found = self.store().user(UserId::LOCAL).await.ok().flatten();
                let user = found.or(last.map(|(_, user)| user)).unwrap_or_else(unknown_local);
                // Kept even if it is the old one: an absent store is not asked with every request.
                *self.0.local.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), user.clone()));
                user
            }
        };
        Identity { user, via: Via::Open }
    }

    /// What is known of [`UserId::LOCAL`] has changed.
    pub(super) fn forget_local(&self) {
        *self.0.local.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn since(then: UnixMs, now: UnixMs) -> Duration {
    Duration::from_millis(now.0.saturating_sub(then.0).try_into().unwrap_or(0))
}

fn unknown_local() -> User {
    User {
        id: UserId::LOCAL,
        email: String::new(),
        name: String::new(),
        password_hash: String::new(),
        admin: true,
        verified_at: None,
        disabled: false,
        language: None,
        theme: None,
        keep_audio: false,
        retention_days: None,
        created_at: UnixMs(0),
    }
}
