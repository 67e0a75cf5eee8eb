//! What administrators and the operator do about people.

use std::time::Duration;

use super::{Accounts, Signup, Visitor, language_of};
use crate::{
    account::{AccountError, Identity, mail::Occasion, password},
    model::{Language, UnixMs, UserId},
    store::{NewUser, Purpose, StoreError, User, UserChange},
};

/// How long the link of an invitation works.
const INVITED_FOR: Duration = Duration::from_hours(7 * 24);
/// People on one page of the list.
const PAGE: u32 = 100;

/// Whom to invite.
#[derive(Debug, Clone)]
pub struct Invited {
    pub email: String,
    pub admin: bool,
    pub language: Option<Language>,
}

impl Accounts {
    /// People whose address or name contains `query`, by address, at most 100; `after` is the last address of the page before.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn users(&self, query: &str, after: Option<&str>) -> Result<Vec<User>, AccountError> {
        // No name or address has control characters, and PostgreSQL takes no NUL.
        if [Some(query), after].into_iter().flatten().any(|text| text.chars().any(char::is_control)) {
            return Ok(Vec::new());
        }
        Ok(self.store().users(query, after, PAGE).await?)
    }

    /// Invites somebody by mail; again, if they have not come yet.
    ///
    /// # Errors
    /// When they have an account, or nobody can sign up.
    pub async fn invite(&self, invited: Invited, visitor: &Visitor) -> Result<(), AccountError> {
        self.needs_accounts()?;
        if self.0.settings.signup == Signup::Closed {
            return Err(AccountError::Conflict {
                message: "nobody can sign up here",
                hint: "the operator can set SIGNUP=invitation, or use `aigolos user add`",
            });
        }
        let email = password::email(&invited.email)?;
        let user = match self.store().user_by_email(&email).await? {
            None => {
                let language = invited.language.map(|language| language.code().into());
                let new = NewUser { language, ..blank(email, invited.admin) };
                self.store().add_user(&new).await.map_err(has_account)?
            }
            Some(user) if user.verified_at.is_some() || user.id == UserId::LOCAL => {
                return Err(has_account(StoreError::Exists("the account")));
            }
            Some(user) => {
                self.store().drop_tokens(user.id, Purpose::Invitation).await?;
                let changed = self.store().change_user(user.id, &UserChange::Admin(invited.admin)).await?;
                changed.ok_or(AccountError::NotFound("account"))?
            }
        };
        let link = self.link("/signup/?invitation=", Purpose::Invitation, &user, INVITED_FOR).await?;
        let language = language_of(&user, visitor.language);
        let accounts = self.clone();
        self.errand(async move {
            accounts.send(&user.email, language, Occasion::Invitation { link }).await;
            Ok(())
        })
    }

    /// An administrator changes another's rights. Whoever is disabled is logged out at once.
    ///
    /// # Errors
    /// When there is no such person, or it is the administrator.
    pub async fn change_rights(
        &self,
        by: &Identity,
        id: UserId,
        disabled: Option<bool>,
        admin: Option<bool>,
    ) -> Result<User, AccountError> {
        not_oneself(by, id)?;
        let mut user = self.person(id).await?;
        for change in disabled.map(UserChange::Disabled).into_iter().chain(admin.map(UserChange::Admin)) {
            user = self.store().change_user(id, &change).await?.ok_or(AccountError::NotFound("account"))?;
        }
        if user.disabled {
            self.store().end_logins(id, None).await?;
        }
        tracing::info!(by.id = %by.id(), user.id = %id, disabled, admin, "rights changed");
        Ok(user)
    }

    /// An administrator deletes another and all that is theirs.
    ///
    /// # Errors
    /// When there is no such person, or it is the administrator.
    pub async fn delete_user(&self, by: &Identity, id: UserId) -> Result<(), AccountError> {
        not_oneself(by, id)?;
        self.person(id).await?;
        self.store().delete_user(id).await?;
        tracing::info!(by.id = %by.id(), user.id = %id, "account deleted");
        Ok(())
    }

    /// The operator makes an account that can be used at once.
    ///
    /// # Errors
    /// When the address has one, or the password cannot be taken.
    pub async fn add_user(&self, email: &str, name: &str, admin: bool, new: &str) -> Result<User, AccountError> {
        let email = password::email(email)?;
        password::check("password", new, &email)?;
        let name = super::person::name(name)?;
        let password_hash = self.0.hasher.hash(new).await?;
        let blank = blank(email, admin);
        let user = NewUser { name, password_hash, verified_at: Some(blank.created_at), ..blank };
        self.store().add_user(&user).await.map_err(has_account)
    }

    /// The operator sets somebody's password; all their log-ins end.
    ///
    /// # Errors
    /// When there is no such person, or the password cannot be taken.
    pub async fn replace_password(&self, email: &str, new: &str) -> Result<(), AccountError> {
        let user = self.person_by_email(email).await?;
        password::check("password", new, &user.email)?;
        let hash = self.0.hasher.hash(new).await?;
        self.set_password(&user, hash, None, None).await
    }

    /// The operator disables or enables somebody; who is disabled is logged out.
    ///
    /// # Errors
    /// When there is no such person.
    pub async fn set_disabled(&self, email: &str, disabled: bool) -> Result<(), AccountError> {
        let user = self.person_by_email(email).await?;
        self.store().change_user(user.id, &UserChange::Disabled(disabled)).await?;
        if disabled {
            self.store().end_logins(user.id, None).await?;
        }
        Ok(())
    }

    /// The operator deletes somebody and all that is theirs.
    ///
    /// # Errors
    /// When there is no such person.
    pub async fn remove_user(&self, email: &str) -> Result<(), AccountError> {
        let user = self.person_by_email(email).await?;
        self.store().delete_user(user.id).await?;
        Ok(())
    }

    async fn person(&self, id: UserId) -> Result<User, AccountError> {
        let user = if id == UserId::LOCAL { None } else { self.store().user(id).await? };
        user.ok_or(AccountError::NotFound("account"))
    }

    async fn person_by_email(&self, email: &str) -> Result<User, AccountError> {
        let user = self.store().user_by_email(&password::email(email)?).await?;
        user.filter(|user| user.id != UserId::LOCAL).ok_or(AccountError::NotFound("account"))
    }
}

fn blank(email: String, admin: bool) -> NewUser {
    NewUser {
        id: UserId::fresh(),
        email,
        name: String::new(),
        password_hash: String::new(),
        admin,
        verified_at: None,
        language: None,
        created_at: UnixMs::now(),
    }
}

fn has_account(error: StoreError) -> AccountError {
    match error {
        StoreError::Exists(_) => {
            AccountError::Conflict { message: "this address has an account already", hint: "look for it in the list" }
        }
        other => other.into(),
    }
}

/// An administrator who locked themselves out could not undo it.
fn not_oneself(by: &Identity, id: UserId) -> Result<(), AccountError> {
    if by.id() == id {
        return Err(AccountError::Conflict {
            message: "this is your own account",
            hint: "another administrator can do it",
        });
    }
    Ok(())
}
