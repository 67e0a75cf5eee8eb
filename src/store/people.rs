//! Accounts: users, their log-ins, their keys, and the tokens sent by mail.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::StoreError;
use crate::model::{UnixMs, UserId};

/// A person. The store always holds [`UserId::LOCAL`], an administrator without an address whom no password lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    pub id: UserId,
    /// Lower case, unique.
    pub email: String,
    /// What they want to be called; may be empty.
    pub name: String,
    /// An argon2id hash in PHC form; empty: no password fits.
    pub password_hash: String,
    pub admin: bool,
    /// When the address was shown to be theirs.
    pub verified_at: Option<UnixMs>,
    pub disabled: bool,
    /// `en` or `ru`; `None`: as the browser asks.
    pub language: Option<String>,
    /// `light` or `dark`; `None`: as the system has it.
    pub theme: Option<String>,
    /// Whether the sound of their conversations is kept.
    pub keep_audio: bool,
    /// Days after which conversations are deleted; `None`: the server's own limit.
    pub retention_days: Option<u32>,
    pub created_at: UnixMs,
}

/// What a new account needs; the rest of [`User`] begins empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    pub id: UserId,
    pub email: String,
    pub name: String,
    pub password_hash: String,
    pub admin: bool,
    pub verified_at: Option<UnixMs>,
    pub language: Option<String>,
    pub created_at: UnixMs,
}

/// One thing changed about a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserChange {
    Name(String),
    PasswordHash(String),
    Admin(bool),
    Verified(UnixMs),
    Disabled(bool),
    Language(Option<String>),
    Theme(Option<String>),
    KeepAudio(bool),
    RetentionDays(Option<u32>),
}

/// One browser's log-in. The cookie holds a random token; the store its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginSession {
    /// Names it in lists; grants nothing.
    pub id: Uuid,
    pub token_hash: Vec<u8>,
    pub user: UserId,
    pub created_at: UnixMs,
    pub last_seen_at: UnixMs,
    pub expires_at: UnixMs,
    /// Where it was begun, for its owner to recognise.
    pub address: String,
    pub user_agent: String,
}

/// What a mailed token is good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    VerifyEmail,
    ResetPassword,
    /// Lets its bearer sign up with the address it was sent to.
    Invitation,
}

/// A token sent by mail, as the store has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// SHA-256 of what was mailed.
    pub hash: Vec<u8>,
    pub purpose: Purpose,
    /// Whose account it is about; an invited person has one that waits for them.
    pub user: Option<UserId>,
    pub email: String,
    pub expires_at: UnixMs,
}

/// What a key opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Transcription.
    Asr,
    /// Chat.
    Llm,
    /// Speech.
    Tts,
    /// Administration; only an administrator's key can hold it.
    Admin,
}

/// A program's key. It is shown once; the store has its SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    pub id: Uuid,
    pub user: UserId,
    pub name: String,
    /// The first characters, for its owner to recognise.
    pub prefix: String,
    pub hash: Vec<u8>,
    pub scopes: Vec<Scope>,
    pub created_at: UnixMs,
    pub expires_at: Option<UnixMs>,
    pub last_used_at: Option<UnixMs>,
}

/// The store of accounts. U+0000 is left out of every text, in rows as in questions; what belongs to a user who is gone
/// is passed over; something added a second time under its id (a token: its hash) changes nothing. What expires at a
/// moment has expired at that moment.
#[async_trait]
pub trait People: Send + Sync {
    /// # Errors
    /// [`StoreError::Exists`] if the address has an account.
    async fn add_user(&self, user: &NewUser) -> Result<User, StoreError>;
    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError>;
    /// By lower-case address, compared letter by letter; never [`UserId::LOCAL`].
    async fn user_by_email(&self, email: &str) -> Result<Option<User>, StoreError>;
    /// Users whose address or name contains `query` in upper or lower case, by address (as bytes), [`UserId::LOCAL`]
    /// left out; `after` is the last address of the page before.
    async fn users(&self, query: &str, after: Option<&str>, limit: u32) -> Result<Vec<User>, StoreError>;
    /// Gives the user as they are afterwards; `None`: no such user. [`UserId::LOCAL`] keeps its rank and gets no
    /// password: such a change does nothing.
    async fn change_user(&self, id: UserId, change: &UserChange) -> Result<Option<User>, StoreError>;
    /// Deletes the user and all that is theirs. Whether there was one; [`UserId::LOCAL`] never goes.
    async fn delete_user(&self, id: UserId) -> Result<bool, StoreError>;

    async fn add_login(&self, login: &LoginSession) -> Result<(), StoreError>;
    /// The log-in by its token's hash, with its user, unless it has expired or the user is disabled.
    async fn login(&self, token_hash: &[u8], now: UnixMs) -> Result<Option<(LoginSession, User)>, StoreError>;
    /// Notes that it was used, and puts its end off; neither moment goes back.
    async fn touch_login(&self, id: Uuid, seen: UnixMs, expires: UnixMs) -> Result<(), StoreError>;
    /// Those that have not expired, the newest first.
    async fn logins(&self, user: UserId, now: UnixMs) -> Result<Vec<LoginSession>, StoreError>;
    /// Ends one log-in; whether the user had it.
    async fn end_login(&self, user: UserId, id: Uuid) -> Result<bool, StoreError>;
    /// Ends all of a user's log-ins but `keep`; gives how many.
    async fn end_logins(&self, user: UserId, keep: Option<Uuid>) -> Result<u64, StoreError>;

    async fn add_token(&self, token: &Token) -> Result<(), StoreError>;
    /// Looks at a token without using it up; `None` if unknown or expired.
    async fn token(&self, hash: &[u8], purpose: Purpose, now: UnixMs) -> Result<Option<Token>, StoreError>;
    /// Uses a token up: of two that try at once, one gets it.
    async fn take_token(&self, hash: &[u8], purpose: Purpose, now: UnixMs) -> Result<Option<Token>, StoreError>;
    /// Makes a user's tokens of one purpose worthless.
    async fn drop_tokens(&self, user: UserId, purpose: Purpose) -> Result<(), StoreError>;

    async fn add_key(&self, key: &ApiKey) -> Result<(), StoreError>;
    /// The key by its hash, with its user, unless it has expired or the user is disabled.
    async fn key(&self, hash: &[u8], now: UnixMs) -> Result<Option<(ApiKey, User)>, StoreError>;
    /// Notes that it was used; the moment does not go back.
    async fn touch_key(&self, id: Uuid, used: UnixMs) -> Result<(), StoreError>;
    /// A user's keys, the newest first, the expired among them.
    async fn keys(&self, user: UserId) -> Result<Vec<ApiKey>, StoreError>;
    /// Deletes a key; whether the user had it.
    async fn delete_key(&self, user: UserId, id: Uuid) -> Result<bool, StoreError>;

    /// Deletes expired log-ins and tokens; gives how many.
    async fn forget_expired(&self, now: UnixMs) -> Result<u64, StoreError>;
}
