//! Which database it is, and how it is opened.

use std::{fmt, path::PathBuf, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{Postgres, Sqlite, Store, StoreError};

/// Where everything is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreSettings {
    /// The file `aigolos.sqlite` in this folder; both are made if they are missing.
    Sqlite { folder: PathBuf },
    /// A database of a PostgreSQL server, version 14 or newer.
    Postgres {
        server: PostgresServer,
        /// Connections at most, at least 1.
        connections: u32,
    },
}

/// Which server, and as whom.
#[derive(Clone, PartialEq, Eq)]
pub enum PostgresServer {
    /// `postgresql://user:password@host:port/database`
    Url(String),
    /// The same in its parts.
    Parts {
        /// A name, an address, or the folder of its socket.
        host: String,
        port: u16,
        user: String,
        /// Empty: none is sent.
        password: String,
        database: String,
    },
}

/// Without the password, wherever it stands.
impl fmt::Debug for PostgresServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(_) => f.write_str("Url(..)"),
            Self::Parts { host, port, user, database, .. } => {
                write!(f, "Parts({user}@{host}:{port}/{database})")
            }
        }
    }
}

/// Opens the store and brings its tables up to date; servers that start together wait for each other.
///
/// # Errors
/// [`StoreError::Unreachable`] if PostgreSQL is away, [`StoreError::Failed`] if it refuses, or the settings or the
/// file cannot be used. Both say what to do.
pub async fn open(settings: &StoreSettings) -> Result<Arc<dyn Store>, StoreError> {
    match settings {
        StoreSettings::Sqlite { folder } => Ok(Arc::new(Sqlite::open(folder).await?)),
        StoreSettings::Postgres { server, connections } => Ok(Arc::new(Postgres::open(server, *connections).await?)),
    }
}

/// As [`open`], but waits up to `patience` for a database that cannot be reached: one that starts together with this
/// server comes a moment later.
///
/// # Errors
/// As [`open`]'s, of the last try.
pub async fn open_when_there(settings: &StoreSettings, patience: Duration) -> Result<Arc<dyn Store>, StoreError> {
    let until = Instant::now() + patience;
    let mut pause = Duration::from_millis(200);
    loop {
        let error = match open(settings).await {
            Err(error @ StoreError::Unreachable(_)) => error,
            other => return other,
        };
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(error);
        }
        pause = (pause * 2).min(Duration::from_secs(5)).min(left);
        tracing::warn!(%error, retry_ms = pause.as_millis() as u64, "the database is not there yet");
        tokio::time::sleep(pause).await;
    }
}
