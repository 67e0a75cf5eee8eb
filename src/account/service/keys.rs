//! Keys for programs.

use std::time::Duration;

use uuid::Uuid;

use super::Accounts;
use crate::{
    account::{AccountError, Identity, secret::random_key},
    model::UnixMs,
    store::{ApiKey, Scope, StoreError},
};

/// Keys one person can have.
const MOST: usize = 100;
const LONGEST_NAME: usize = 100;
const MOST_DAYS: u32 = 3_650;

/// A key to be made.
#[derive(Debug, Clone)]
pub struct WishedKey {
    pub name: String,
    pub scopes: Vec<Scope>,
    /// `None`: it does not expire.
    pub expires_in_days: Option<u32>,
}

impl Accounts {
    /// The person's keys, the newest first.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn keys(&self, who: &Identity) -> Result<Vec<ApiKey>, AccountError> {
        Ok(self.store().keys(who.id()).await?)
    }

    /// Makes a key; gives it and the text that is shown this once.
    ///
    /// # Errors
    /// What cannot be.
    pub async fn add_key(&self, who: &Identity, wish: WishedKey) -> Result<(ApiKey, String), AccountError> {
        let wish = checked(wish)?;
        if wish.scopes.contains(&Scope::Admin) && !who.user.admin {
            return Err(AccountError::Refused {
                message: "only an administrator's key can hold the scope admin",
                hint: "leave admin out of the scopes",
            });
        }
        if self.store().keys(who.id()).await?.len() >= MOST {
            return Err(AccountError::Conflict {
                message: "there are 100 keys already",
                hint: "delete those that are not used",
            });
        }
        let (secret, prefix, hash) = random_key().map_err(|error| StoreError::Failed(error.to_string()))?;
        let now = UnixMs::now();
        let key = ApiKey {
            id: Uuid::now_v7(),
            user: who.id(),
            name: wish.name,
            prefix,
            hash,
            scopes: wish.scopes,
            created_at: now,
            expires_at: wish.expires_in_days.map(|days| now.after(Duration::from_hours(24 * u64::from(days)))),
            last_used_at: None,
        };
        self.store().add_key(&key).await?;
        tracing::info!(user.id = %key.user, key.id = %key.id, "key made");
        Ok((key, secret))
    }

    /// Deletes one of the person's keys.
    ///
    /// # Errors
    /// When they have no such key.
    pub async fn delete_key(&self, who: &Identity, id: Uuid) -> Result<(), AccountError> {
        if self.store().delete_key(who.id(), id).await? { Ok(()) } else { Err(AccountError::NotFound("key")) }
    }
}

fn checked(mut wish: WishedKey) -> Result<WishedKey, AccountError> {
    wish.name = wish.name.trim().to_owned();
    let length = wish.name.chars().count();
    if !(1..=LONGEST_NAME).contains(&length) || wish.name.chars().any(char::is_control) {
        return Err(AccountError::invalid(
            "name",
            "not between 1 and 100 characters",
            "name it after the program that uses it",
        ));
    }
    wish.scopes.sort_unstable();
    wish.scopes.dedup();
    if wish.scopes.is_empty() {
        return Err(AccountError::invalid("scopes", "none is given", "give at least one of asr, llm, tts, admin"));
    }
    if wish.expires_in_days.is_some_and(|days| !(1..=MOST_DAYS).contains(&days)) {
        return Err(AccountError::invalid(
            "expires_in_days",
            "not from 1 to 3650",
            "leave it out for a key that stays",
        ));
    }
    Ok(wish)
}
