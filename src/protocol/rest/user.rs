//! A person, as the interface shows them.

use serde::Serialize;
use uuid::Uuid;

use crate::store::User;

/// An account, as its owner and administrators see it.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = User)]
pub struct UserBody {
    pub id: Uuid,
    pub email: String,
    /// What they want to be called; may be empty.
    pub name: String,
    pub admin: bool,
    /// Whether the address was shown to be theirs.
    pub verified: bool,
    pub disabled: bool,
    /// `en`, `ru`, or null: as the browser asks.
    pub language: Option<String>,
    /// `light`, `dark`, or null: as the system has it.
    pub theme: Option<String>,
    /// Whether the sound of their conversations is kept.
    pub keep_audio: bool,
    /// Days after which conversations are deleted; null: the server's own limit.
    pub retention_days: Option<u32>,
    /// Milliseconds since 1970.
    pub created_at: i64,
}

impl From<User> for UserBody {
    fn from(user: User) -> Self {
        Self {
            id: user.id.uuid(),
            email: user.email,
            name: user.name,
            admin: user.admin,
            verified: user.verified_at.is_some(),
            disabled: user.disabled,
            language: user.language,
            theme: user.theme,
            keep_audio: user.keep_audio,
            retention_days: user.retention_days,
            created_at: user.created_at.0,
        }
    }
}

/// One account.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct OneUser {
    pub user: UserBody,
}

impl From<User> for OneUser {
    fn from(user: User) -> Self {
        Self { user: user.into() }
    }
}
