//! What `/api/auth/` takes and gives.

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::super::user::UserBody;
use crate::{account::Profile, model::Language, store::LoginSession};

/// Who asks, and what kind of server this is.
#[derive(Debug, Serialize, ToSchema)]
pub struct Me {
    /// Null: nobody is logged in.
    pub user: Option<UserBody>,
    /// `open`: nobody needs to log in; `required`.
    #[schema(pattern = "^(open|required)$")]
    pub auth_mode: &'static str,
    /// Who may make an account: `open`, `invitation` or `closed`.
    #[schema(pattern = "^(open|invitation|closed)$")]
    pub signup: &'static str,
}

/// What to change; what is left out stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[expect(clippy::option_option, reason = "left out and null are two things here")]
pub struct MeChange {
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, nullable = false, max_length = 100)]
    name: Option<String>,
    /// `en`, `ru`, or null: as the browser asks.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, pattern = "^(en|ru)$")]
    language: Option<Option<String>>,
    /// `light`, `dark`, or null: as the system has it.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<String>, pattern = "^(light|dark)$")]
    theme: Option<Option<String>>,
    /// Whether the sound of conversations is kept.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<bool>, nullable = false)]
    keep_audio: Option<bool>,
    /// Days after which conversations are deleted; null: the server's own limit.
    #[serde(default, deserialize_with = "given")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 36500)]
    retention_days: Option<Option<u32>>,
}

/// A field that is there, null included.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl From<MeChange> for Profile {
    fn from(change: MeChange) -> Self {
        let MeChange { name, language, theme, keep_audio, retention_days } = change;
        Self { name, language, theme, keep_audio, retention_days }
    }
}

/// Who wants an account.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignUp {
    #[schema(format = Email, max_length = 254)]
    pub email: String,
    #[schema(format = Password, min_length = 10, max_length = 200)]
    pub password: String,
    #[serde(default)]
    #[schema(max_length = 100)]
    pub name: String,
    /// What to read; left out: as the browser asks.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = "^(en|ru)$")]
    pub language: Option<Language>,
    /// The token of an invitation.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub invitation: Option<String>,
}

/// How to go on.
#[derive(Debug, Serialize, ToSchema)]
pub struct Status {
    /// `check_mail`: a mail says how to go on; `ready`: log in.
    #[schema(pattern = "^(check_mail|ready)$")]
    pub status: &'static str,
}

/// An address to send a mail to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Address {
    #[schema(format = Email, max_length = 254)]
    pub email: String,
}

/// Who logs in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LogIn {
    pub email: String,
    #[schema(format = Password)]
    pub password: String,
}

/// What came by mail.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Mailed {
    pub token: String,
}

/// A new password for whoever has the mail.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    pub token: String,
    #[schema(format = Password, min_length = 10, max_length = 200)]
    pub password: String,
}

/// A new password for whoever knows the old one.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Change {
    #[schema(format = Password)]
    pub current: String,
    #[schema(format = Password, min_length = 10, max_length = 200)]
    pub password: String,
}

/// The password of whoever is logged in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    #[schema(format = Password)]
    pub password: String,
}

/// The person's log-ins, the newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct Sessions {
    pub sessions: Vec<Session>,
}

/// One browser's log-in. Moments are milliseconds since 1970.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LoginSession)]
pub struct Session {
    pub id: Uuid,
    /// Whether it is the one that asks.
    pub current: bool,
    pub created_at: i64,
    pub last_seen_at: i64,
    pub expires_at: i64,
    /// Where it was begun.
    pub address: String,
    pub user_agent: String,
}

impl Session {
    pub fn new(login: LoginSession, current: Option<Uuid>) -> Self {
        Self {
            id: login.id,
            current: current == Some(login.id),
            created_at: login.created_at.0,
            last_seen_at: login.last_seen_at.0,
            expires_at: login.expires_at.0,
            address: login.address,
            user_agent: login.user_agent,
        }
    }
}
