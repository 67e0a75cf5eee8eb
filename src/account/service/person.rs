//! What people change about themselves.

use super::{Accounts, Visitor};
use crate::{
    account::{AccountError, Identity},
    model::Language,
    store::{User, UserChange},
};

const LONGEST_NAME: usize = 100;
const MOST_DAYS: u32 = 36_500;

/// What to change; `None`: nothing. The inner `None` gives a choice back.
#[derive(Debug, Clone, Default)]
pub struct Profile {
    pub name: Option<String>,
    pub language: Option<Option<String>>,
    pub theme: Option<Option<String>>,
    pub keep_audio: Option<bool>,
    pub retention_days: Option<Option<u32>>,
}

impl Accounts {
    /// Changes what is given, all or nothing of it as far as it can be checked before.
    ///
    /// # Errors
    /// What cannot be.
    pub async fn change_profile(&self, who: &Identity, profile: Profile) -> Result<User, AccountError> {
        let mut user = who.user.clone();
        for change in changes(profile)? {
            user = self.store().change_user(user.id, &change).await?.ok_or(AccountError::NotFound("account"))?;
        }
        if self.open() {
            self.forget_local();
        }
        Ok(user)
    }

    /// Deletes the account and all that is theirs.
    ///
    /// # Errors
    /// When the password is another.
    pub async fn delete_account(&self, who: &Identity, password: &str, visitor: &Visitor) -> Result<(), AccountError> {
        self.needs_accounts()?;
        if !self.password_fits(&who.user.email, password, Some(&who.user), visitor).await? {
            return Err(AccountError::wrong_password("password"));
        }
        self.store().delete_user(who.id()).await?;
        tracing::info!(user.id = %who.id(), "account deleted by its owner");
        Ok(())
    }
}

fn changes(profile: Profile) -> Result<Vec<UserChange>, AccountError> {
    let mut changes = Vec::new();
    if let Some(text) = profile.name {
        changes.push(UserChange::Name(name(&text)?));
    }
    if let Some(language) = profile.language {
        if language.as_deref().is_some_and(|code| Language::ALL.iter().all(|known| known.code() != code)) {
            return Err(AccountError::invalid(
                "language",
                "not a language of the pages",
                "en, ru, or null for the browser's",
            ));
        }
        changes.push(UserChange::Language(language));
    }
    if let Some(theme) = profile.theme {
        if theme.as_deref().is_some_and(|theme| !matches!(theme, "light" | "dark")) {
            return Err(AccountError::invalid("theme", "not a theme", "light, dark, or null for the system's"));
        }
        changes.push(UserChange::Theme(theme));
    }
    if let Some(keep) = profile.keep_audio {
        changes.push(UserChange::KeepAudio(keep));
    }
    if let Some(days) = profile.retention_days {
        if days.is_some_and(|days| !(1..=MOST_DAYS).contains(&days)) {
            return Err(AccountError::invalid(
                "retention_days",
                "not from 1 to 36500",
                "give days, or null for the server's limit",
            ));
        }
        changes.push(UserChange::RetentionDays(days));
    }
    Ok(changes)
}

/// What somebody wants to be called.
pub(super) fn name(text: &str) -> Result<String, AccountError> {
    let name = text.trim();
    if name.chars().count() > LONGEST_NAME || name.chars().any(char::is_control) {
        return Err(AccountError::invalid(
            "name",
            "longer than 100 characters, or with control characters",
            "shorten it",
        ));
    }
    Ok(name.to_owned())
}
