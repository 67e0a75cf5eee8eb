//! New passwords, for those who know the old one and those who have the mailbox.

use std::time::Duration;

use super::{Accounts, Visitor, enter::current, language_of};
use crate::{
    account::{AccountError, Identity, mail::Occasion, password},
    model::{Language, UnixMs, UserId},
    store::{Purpose, User, UserChange},
};

/// How long the link of a reset mail works.
const RESET_WITHIN: Duration = Duration::from_hours(1);

impl Accounts {
    /// Mails a link for a new password, if the address has an account. Answered before any of that.
    ///
    /// # Errors
    /// When the address is none, or the store is away.
    pub async fn forgot(&self, email: &str, visitor: &Visitor) -> Result<(), AccountError> {
        self.needs_accounts()?;
        let email = password::email(email)?;
        let found = self.store().user_by_email(&email).await?;
        let (accounts, visitor) = (self.clone(), visitor.clone());
        self.errand(async move {
            let Some(user) = found.filter(|user| !user.disabled && user.id != UserId::LOCAL) else { return Ok(()) };
            if !accounts.0.mails.take(&email, visitor.address) {
                return Ok(());
            }
            let link = accounts.link("/password/reset/?token=", Purpose::ResetPassword, &user, RESET_WITHIN).await?;
            accounts.send(&user.email, language_of(&user, visitor.language), Occasion::Reset { link }).await;
            Ok(())
        })
    }

    /// Sets a new password with a mailed token, and ends all log-ins.
    ///
    /// # Errors
    /// When the token is not valid any more, or the password cannot be taken.
    pub async fn reset(&self, token: &str, new: &str, visitor: &Visitor) -> Result<(), AccountError> {
        self.needs_accounts()?;
        let (token, now) = (self.0.key.hash(token), UnixMs::now());
        let known = self.store().token(&token, Purpose::ResetPassword, now).await?;
        let known = known.ok_or_else(AccountError::stale_token)?;
        password::check("password", new, &known.email)?;
        let hash = self.0.hasher.hash(new).await?;
        let taken = self.store().take_token(&token, Purpose::ResetPassword, now).await?;
        let id = taken.and_then(|token| token.user).ok_or_else(AccountError::stale_token)?;
        let user = self.store().user(id).await?.filter(|user| !user.disabled).ok_or_else(AccountError::stale_token)?;
        if user.verified_at.is_none() {
            // The link came by mail: the address is theirs.
            self.store().change_user(id, &UserChange::Verified(now)).await?;
        }
        self.set_password(&user, hash, None, Some(visitor.language)).await
    }

    /// Sets a new password for somebody who knows theirs, and ends all their other log-ins.
    ///
    /// # Errors
    /// When the current password is another, or the new one cannot be taken.
    pub async fn change_password(
        &self,
        who: &Identity,
        old: &str,
        new: &str,
        visitor: &Visitor,
    ) -> Result<(), AccountError> {
        self.needs_accounts()?;
        let user = &who.user;
        password::check("password", new, &user.email)?;
        if !self.password_fits(&user.email, old, Some(user), visitor).await? {
            return Err(AccountError::wrong_password("current"));
        }
        let hash = self.0.hasher.hash(new).await?;
        self.set_password(user, hash, Some(who), Some(visitor.language)).await
    }

    /// `keep`: whose log-in goes on. `told`: the language of the mail about it, unless they chose one; `None`: no mail.
    pub(super) async fn set_password(
        &self,
        user: &User,
        hash: String,
        keep: Option<&Identity>,
        told: Option<Language>,
    ) -> Result<(), AccountError> {
        self.store().change_user(user.id, &UserChange::PasswordHash(hash)).await?;
        self.store().end_logins(user.id, keep.and_then(current)).await?;
        self.store().drop_tokens(user.id, Purpose::ResetPassword).await?;
        self.store().drop_tokens(user.id, Purpose::VerifyEmail).await?;
        tracing::info!(user.id = %user.id, "password changed");
        let Some(told) = told else { return Ok(()) };
        let (accounts, email, language) = (self.clone(), user.email.clone(), language_of(user, told));
        let sent = self.errand(async move {
            let reset = accounts.url("/password/forgot/");
            accounts.send(&email, language, Occasion::PasswordChanged { reset }).await;
            Ok(())
        });
        // The password has changed, whether or not there is room for the mail about it.
        if let Err(error) = sent {
            tracing::warn!(%error, "the mail about a changed password was not sent");
        }
        Ok(())
    }
}
