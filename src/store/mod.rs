//! What outlives the process: people, what they said and were told, and long work.
//!
//! One [`Store`], two bodies that behave alike (one story test runs against both): PostgreSQL, and a file of SQLite's.
//! Ids and moments come from the caller, so writing the same thing twice is writing it once. Everything that belongs to
//! somebody is asked for with its owner: what is another's is not found.

pub mod copy;
mod error;
mod jobs;
mod meter;
mod open;
mod people;
mod postgres;
mod rows;
pub mod spool;
mod sqlite;
mod talks;
mod words;

use async_trait::async_trait;
use uuid::Uuid;

pub use self::{
    error::StoreError,
    jobs::{JobEvent, JobRecord, JobState, Jobs},
    open::{PostgresServer, StoreSettings, open, open_when_there},
    people::{ApiKey, LoginSession, NewUser, People, Purpose, Scope, Token, User, UserChange},
    postgres::Postgres,
    sqlite::Sqlite,
    talks::{
        Conversation, ConversationKind, Cursor, Found, Listing, Side, Source, Talks, TurnAudio, TurnRecord, TurnReply,
    },
};

/// Everything that is kept. Shared by all; every call takes one connection for a moment.
#[async_trait]
pub trait Store: People + Talks + Jobs + Send + Sync {
    /// `postgresql` or `sqlite`.
    fn kind(&self) -> &'static str;

    /// Whether the database answers, within a second or so.
    async fn ping(&self) -> Result<(), StoreError>;

    /// Whether what it holds came from the restore of this name ([`copy::replace_all`]).
    async fn was_restored(&self, restore: Uuid) -> Result<bool, StoreError>;
}
