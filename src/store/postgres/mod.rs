//! The store in a PostgreSQL database, through a pool of connections: for more than one server, or for those who have
//! one already.
//!
//! A connection that broke is replaced; nothing waits for the database longer than [`ANSWER`]. What failed because it
//! was away, or because another server was in the way, is [`StoreError::Unreachable`] and may be tried again. A user's
//! conversations are written under a lock of that user's row, so that two servers never disagree about a deletion.

mod connect;
pub(super) mod copy;
mod jobs;
mod people;
mod talks;

use std::time::Duration;

use async_trait::async_trait;
use bb8_postgres::{PostgresConnectionManager, bb8};
use serde::de::DeserializeOwned;
use tokio_postgres::{
    NoTls, Row,
    error::{Error, SqlState},
    types::ToSql,
};
use uuid::Uuid;

use self::connect::LastError;
use super::{
    Store, StoreError,
    meter::measured,
    rows::{Code, of_json},
};
use crate::model::UnixMs;

/// The longest that a call takes, waiting for a connection included; the server gives up a little sooner by itself.
const ANSWER: Duration = Duration::from_secs(20);
/// How long [`Store::ping`] waits.
const PING: Duration = Duration::from_secs(1);

type Pool = bb8::Pool<PostgresConnectionManager<NoTls>>;
type Connection<'a> = bb8::PooledConnection<'a, PostgresConnectionManager<NoTls>>;
type Parameter<'a> = &'a (dyn ToSql + Sync);

/// See the module.
pub struct Postgres {
    pool: Pool,
    /// Why the pool has no connection to give.
    last_error: LastError,
    /// Where the database is, for messages.
    place: String,
}

impl Postgres {
    async fn connection(&self) -> Result<Connection<'_>, StoreError> {
        self.pool.get().await.map_err(|error| match error {
            bb8::RunError::User(error) => error.into(),
            bb8::RunError::TimedOut => {
                let reason = self.last_error.get().unwrap_or_else(|| "no connection is free".into());
                StoreError::Unreachable(format!("{}: {reason}", self.place))
            }
        })
    }

    async fn rows(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, StoreError> {
        let query = async { Ok(self.connection().await?.query(sql, parameters).await?) };
        measured("read", within(ANSWER, query)).await
    }

    async fn row(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Option<Row>, StoreError> {
        let query = async { Ok(self.connection().await?.query_opt(sql, parameters).await?) };
        measured("read", within(ANSWER, query)).await
    }

    /// Gives how many rows it touched.
    async fn execute(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<u64, StoreError> {
        let change = async { Ok(self.connection().await?.execute(sql, parameters).await?) };
        measured("write", within(ANSWER, change)).await
    }

    /// Adds a row that belongs to another; without that other it is passed over.
    async fn add_child(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<(), StoreError> {
        let add = async {
            match self.connection().await?.execute(sql, parameters).await {
                Err(error) if error.code() == Some(&SqlState::FOREIGN_KEY_VIOLATION) => Ok(()),
                other => Ok(other.map(drop)?),
            }
        };
        measured("write", within(ANSWER, add)).await
    }
}

#[async_trait]
impl Store for Postgres {
    fn kind(&self) -> &'static str {
        "postgresql"
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let look = async { Ok(self.connection().await?.simple_query("SELECT 1").await.map(drop)?) };
        match within(PING, look).await {
            // Why there is no connection says more than that there was none in time.
            Err(StoreError::Unreachable(late)) => {
                Err(StoreError::Unreachable(self.last_error.get().map_or(late, |why| format!("{}: {why}", self.place))))
            }
            other => other,
        }
    }

    async fn was_restored(&self, restore: Uuid) -> Result<bool, StoreError> {
        Ok(self.row("SELECT 1 FROM restored WHERE id = $1", &[&restore]).await?.is_some())
    }
}

async fn within<T>(
    patience: Duration,
    work: impl Future<Output = Result<T, StoreError>> + Send,
) -> Result<T, StoreError> {
    let late = |_| StoreError::Unreachable(format!("no answer within {} s", patience.as_secs()));
    tokio::time::timeout(patience, work).await.map_err(late)?
}

/// What a failure means to the caller.
impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        let text = told(&error);
        if let Some(refusal) = error.as_db_error() {
            if refusal.constraint() == Some("users_email_key") {
                return Self::Exists("an account with this address");
            }
            // The classes: connection, resources, disks, the operator's hand, and two who want the same rows.
            let away = ["08", "53", "58", "57", "40"].iter().any(|class| refusal.code().code().starts_with(class))
                // The server that was written to has become one to read from only.
                || *refusal.code() == SqlState::READ_ONLY_SQL_TRANSACTION
                || *refusal.code() == SqlState::LOCK_NOT_AVAILABLE;
            return if away { Self::Unreachable(text) } else { Self::Failed(text) };
        }
        let mut cause = std::error::Error::source(&error);
        while let Some(inner) = cause {
            if inner.is::<std::io::Error>() {
                return Self::Unreachable(text);
            }
            cause = inner.source();
        }
        if error.is_closed() { Self::Unreachable(text) } else { Self::Failed(text) }
    }
}

/// An error in words. What the database adds in detail can hold an address or a text, so it is left out.
fn told(error: &Error) -> String {
    if let Some(refusal) = error.as_db_error() {
        return format!("{} ({})", refusal.message(), refusal.code().code());
    }
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

fn id<T: From<Uuid>>(row: &Row, column: usize) -> Result<T, StoreError> {
    Ok(row.try_get::<_, Uuid>(column)?.into())
}

fn moment(row: &Row, column: usize) -> Result<UnixMs, StoreError> {
    Ok(UnixMs(row.try_get(column)?))
}

fn moment_if_any(row: &Row, column: usize) -> Result<Option<UnixMs>, StoreError> {
    Ok(row.try_get::<_, Option<i64>>(column)?.map(UnixMs))
}

/// A number that was written as no larger.
fn small(row: &Row, column: usize) -> Result<u32, StoreError> {
    Ok(u32::try_from(row.try_get::<_, i64>(column)?).unwrap_or(u32::MAX))
}

fn large(row: &Row, column: usize) -> Result<u64, StoreError> {
    Ok(row.try_get::<_, i64>(column)?.unsigned_abs())
}

fn coded<T: Code>(row: &Row, column: usize) -> Result<T, StoreError> {
    T::of_code(row.try_get(column)?).map_err(StoreError::Failed)
}

fn json_at<T: DeserializeOwned>(row: &Row, column: usize) -> Result<T, StoreError> {
    of_json(row.try_get(column)?).map_err(StoreError::Failed)
}

fn json_if_any<T: DeserializeOwned>(row: &Row, column: usize) -> Result<Option<T>, StoreError> {
    row.try_get::<_, Option<&str>>(column)?.map(of_json).transpose().map_err(StoreError::Failed)
}
