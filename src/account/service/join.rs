//! Making an account, and showing that the address is one's own.

use std::time::Duration;

use super::{Accounts, LoggedIn, Signup, Visitor, language_of};
use crate::{
    account::{AccountError, mail::Occasion, password},
    model::{Language, UnixMs, UserId},
    store::{NewUser, Purpose, StoreError, User, UserChange},
};

/// How long the link of a verification mail works.
const VERIFY_WITHIN: Duration = Duration::from_hours(24);

/// Who wants an account.
#[derive(Debug, Clone)]
pub struct NewPerson {
    pub email: String,
    pub password: String,
    pub name: String,
    /// What they chose to read; `None`: as the browser asks.
    pub language: Option<Language>,
    /// The token of an invitation.
    pub invitation: Option<String>,
}

/// What comes after signing up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Welcome {
    /// A mail says how to go on.
    CheckMail,
    /// The invitation has shown whose the address is: the account can be used.
    Ready,
}

impl Accounts {
    /// Makes an account. An address that has one gets the same answer, after the same work, and a mail that says so.
    /// Where the address is not yet confirmed, the newest password counts and the older mails' links end.
    ///
    /// # Errors
    /// What cannot be taken, and who may not.
    pub async fn sign_up(&self, person: NewPerson, visitor: &Visitor) -> Result<Welcome, AccountError> {
        self.needs_accounts()?;
        let signup = self.0.settings.signup;
        if signup == Signup::Closed {
            return Err(AccountError::Refused {
                message: "nobody can sign up here",
                hint: "ask the operator for an account",
            });
        }
        if signup == Signup::Invitation && person.invitation.is_none() {
            return Err(AccountError::Refused {
                message: "sign-up is by invitation",
                hint: "ask an administrator to invite you, and use the link of that mail",
            });
        }
        let person = checked(person)?;
        if person.invitation.is_some() {
            return self.accept(person).await;
        }
        let hash = self.0.hasher.hash(&person.password).await?;
        let found = self.store().user_by_email(&person.email).await?;
        let (accounts, visitor) = (self.clone(), visitor.clone());
        self.errand(async move { accounts.welcome(person, hash, found, &visitor).await })?;
        Ok(Welcome::CheckMail)
    }

    /// What a sign-up leads to, behind its answer.
    async fn welcome(
        &self,
        person: NewPerson,
        hash: String,
        found: Option<User>,
        visitor: &Visitor,
    ) -> Result<(), AccountError> {
        if !self.0.mails.take(&person.email, visitor.address) {
            return Ok(());
        }
        let asked = person.language.unwrap_or(visitor.language);
        let user = match found {
            None => match self.store().add_user(&new_user(&person, hash)).await {
                Ok(user) => user,
                // Somebody was faster with the same address; both get the mail.
                Err(StoreError::Exists(_)) => return Ok(()),
                Err(error) => return Err(error.into()),
            },
            Some(user) if user.verified_at.is_none() && !user.disabled && user.id != UserId::LOCAL => {
                // Older links first: none of them may confirm the new password.
                self.store().drop_tokens(user.id, Purpose::VerifyEmail).await?;
                self.store().change_user(user.id, &UserChange::Name(person.name)).await?;
                self.store().change_user(user.id, &UserChange::PasswordHash(hash)).await?;
                user
            }
            Some(user) => {
                let language = language_of(&user, asked);
                let (login, reset) = (self.url("/login/"), self.url("/password/forgot/"));
                self.send(&user.email, language, Occasion::HasAccount { login, reset }).await;
                return Ok(());
            }
        };
        self.ask_to_verify(&user, asked).await
    }

    async fn ask_to_verify(&self, user: &User, asked: Language) -> Result<(), AccountError> {
        let link = self.link("/verify/?token=", Purpose::VerifyEmail, user, VERIFY_WITHIN).await?;
        self.send(&user.email, language_of(user, asked), Occasion::Verify { link }).await;
        Ok(())
    }

    /// Sends the verification mail again, if the address waits for one.
    ///
    /// # Errors
    /// When the address is none, or the store is away.
    pub async fn resend(&self, email: &str, visitor: &Visitor) -> Result<(), AccountError> {
        self.needs_accounts()?;
        let email = password::email(email)?;
        let found = self.store().user_by_email(&email).await?;
        let (accounts, visitor) = (self.clone(), visitor.clone());
        self.errand(async move {
            match found {
                Some(user)
                    if user.verified_at.is_none()
                        && !user.disabled
                        && !user.password_hash.is_empty()
                        && accounts.0.mails.take(&email, visitor.address) =>
                {
                    accounts.ask_to_verify(&user, visitor.language).await
                }
                _ => Ok(()),
            }
        })
    }

    /// The address is theirs who have the token: confirms it and logs them in.
    ///
    /// # Errors
    /// When the token is not valid any more.
    pub async fn verify(&self, token: &str, old: Option<&str>, visitor: &Visitor) -> Result<LoggedIn, AccountError> {
        self.needs_accounts()?;
        let now = UnixMs::now();
        let taken = self.store().take_token(&self.0.key.hash(token), Purpose::VerifyEmail, now).await?;
        let Some(id) = taken.and_then(|token| token.user) else { return Err(AccountError::stale_token()) };
        let user = self.store().change_user(id, &UserChange::Verified(now)).await?;
        let user = user.filter(|user| !user.disabled).ok_or_else(AccountError::stale_token)?;
        self.store().drop_tokens(id, Purpose::VerifyEmail).await?;
        self.enter(user, old, visitor).await
    }

    /// Signs up somebody who was invited: having the mail shows whose the address is.
    async fn accept(&self, person: NewPerson) -> Result<Welcome, AccountError> {
        let hash = self.0.hasher.hash(&person.password).await?;
        let invitation = self.0.key.hash(person.invitation.as_deref().unwrap_or_default());
        let now = UnixMs::now();
        let known = self.store().token(&invitation, Purpose::Invitation, now).await?;
        let fits = known.is_some_and(|token| token.email == person.email);
        let taken = if fits { self.store().take_token(&invitation, Purpose::Invitation, now).await? } else { None };
        let Some(id) = taken.and_then(|token| token.user) else {
            return Err(AccountError::invalid(
                "invitation",
                "it is not valid for this address, or not any more",
                "use the address it was sent to, or ask for a new one",
            ));
        };
        let mut changes = vec![UserChange::Name(person.name), UserChange::PasswordHash(hash)];
        if let Some(language) = person.language {
            changes.push(UserChange::Language(Some(language.code().into())));
        }
        changes.push(UserChange::Verified(now));
        for change in &changes {
            self.store().change_user(id, change).await?.ok_or_else(AccountError::stale_token)?;
        }
        self.store().drop_tokens(id, Purpose::VerifyEmail).await?;
        self.store().drop_tokens(id, Purpose::Invitation).await?;
        Ok(Welcome::Ready)
    }
}

fn checked(mut person: NewPerson) -> Result<NewPerson, AccountError> {
    person.email = password::email(&person.email)?;
    person.name = super::person::name(&person.name)?;
    password::check("password", &person.password, &person.email)?;
    Ok(person)
}

fn new_user(person: &NewPerson, password_hash: String) -> NewUser {
    NewUser {
        id: UserId::fresh(),
        email: person.email.clone(),
        name: person.name.clone(),
        password_hash,
        admin: false,
        verified_at: None,
        language: person.language.map(|language| language.code().into()),
        created_at: UnixMs::now(),
    }
}
