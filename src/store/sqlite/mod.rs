//! The store in one file of SQLite's, `aigolos.sqlite`: what a server uses that is given no database.
//!
//! One thread writes and a few read, each with its own connection; the write-ahead log lets them work side by side. A
//! full queue makes the caller wait. What was begun is finished though its caller leave: every write is a whole.

pub(super) mod copy;
mod jobs;
mod lane;
mod people;
mod talks;

use std::{
    fs::{self, DirBuilder, OpenOptions},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use async_trait::async_trait;
use rusqlite::{
    Connection, ErrorCode, Transaction, TransactionBehavior,
    types::{FromSql, FromSqlError, FromSqlResult, ValueRef},
};
use serde::de::DeserializeOwned;
use tokio::sync::oneshot;
use uuid::Uuid;

use self::lane::Lane;
use super::{
    Store, StoreError,
    rows::{Code, of_json},
};

/// The file's name in the data folder.
pub const FILE: &str = "aigolos.sqlite";

/// Threads that read.
const READERS: usize = 3;
/// How long a connection waits for another process that writes.
const BUSY: Duration = Duration::from_secs(5);
/// How long [`Store::ping`] waits.
const PING: Duration = Duration::from_secs(1);

mod embedded {
    refinery::embed_migrations!("src/store/sqlite/migrations");
}

/// See the module.
pub struct Sqlite {
    writer: Lane,
    readers: Lane,
}

impl Sqlite {
    /// Opens the file in `folder`, making both if they are missing (the folder for its owner only), and brings its
    /// tables up to date. Others that open it at the same moment wait.
    ///
    /// # Errors
    /// [`StoreError::Failed`] if the folder or the file cannot be used, or is of a newer version.
    pub async fn open(folder: &Path) -> Result<Self, StoreError> {
        let folder = folder.to_owned();
        let (answer, opened) = oneshot::channel();
        let thread = thread::Builder::new().name("store-open".into());
        let work = move || {
            let _ = answer.send(connections(&folder));
        };
        thread.spawn(work).map_err(|error| StoreError::Failed(format!("no thread: {error}")))?;
        let lost = |_| StoreError::Failed("a bug stopped the opening of the database".into());
        let mut connections = opened.await.map_err(lost)??;
        let readers = connections.split_off(1);
        Ok(Self { writer: Lane::start("write", connections)?, readers: Lane::start("read", readers)? })
    }

    /// Runs `work` in a transaction, which is undone if it fails.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let whole = |connection: &mut Connection| {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = work(&transaction)?;
            transaction.commit()?;
            Ok(result)
        };
        self.writer.run(whole).await
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.readers.run(|connection| work(connection)).await
    }
}

#[async_trait]
impl Store for Sqlite {
    fn kind(&self) -> &'static str {
        "sqlite"
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let look = self.read(|connection| connection.query_row("SELECT 1 FROM users LIMIT 1", [], |_| Ok(())));
        let late = |_| StoreError::Unreachable(format!("no answer within {} s", PING.as_secs()));
        tokio::time::timeout(PING, look).await.map_err(late)?
    }

    async fn was_restored(&self, restore: Uuid) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM restored WHERE id = ?)";
        self.read(move |connection| connection.query_row(sql, [restore.into_bytes()], |row| row.get(0))).await
    }
}

/// One connection to write with, then those to read with.
fn connections(folder: &Path) -> Result<Vec<Connection>, StoreError> {
    let refused = |error: std::io::Error| {
        let folder = folder.display();
        StoreError::Failed(format!("{error}: {folder}\nhint: set DATA_DIR to a folder that this user may write to"))
    };
    if !folder.exists() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(refused)?;
    }
    let file = folder.join(FILE);
    let private = |path: PathBuf| OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    private(file.clone()).map_err(refused)?;
    // SQLite's own locks do not span the migrations, which are several transactions.
    let lock = private(folder.join(format!("{FILE}.lock"))).map_err(refused)?;
    fs::File::lock(&lock).map_err(refused)?;

    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open(&file)?;
        connection.busy_timeout(BUSY)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "normal")?;
        connection.pragma_update(None, "foreign_keys", true)?;
        Ok(connection)
    };
    let mut writer = open().map_err(fault)?;
    embedded::migrations::runner().run(&mut writer).map_err(|error| {
        let hint = "hint: a newer aigolos may have written it; use that one, or restore a copy of your own";
        StoreError::Failed(format!("{}: {error}\n{hint}", file.display()))
    })?;
    let mut all = vec![writer];
    for _ in 0..READERS {
        let reader = open().map_err(fault)?;
        reader.pragma_update(None, "query_only", true).map_err(fault)?;
        all.push(reader);
    }
    Ok(all)
}

/// What a failure means to the caller.
fn fault(error: rusqlite::Error) -> StoreError {
    let text = error.to_string();
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly,
        ) => StoreError::Unreachable(text),
        Some(ErrorCode::ConstraintViolation) if text.contains("users.email") => {
            StoreError::Exists("an account with this address")
        }
        _ => StoreError::Failed(text),
    }
}

/// Adds a row that belongs to another; without that other it is passed over.
fn add_child(connection: &Connection, sql: &str, row: &[&dyn rusqlite::ToSql]) -> rusqlite::Result<()> {
    match connection.prepare_cached(sql)?.execute(row) {
        Err(rusqlite::Error::SqliteFailure(error, _))
            if error.extended_code == rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY =>
        {
            Ok(())
        }
        other => other.map(drop),
    }
}

/// An id in a row.
struct Id<T>(T);

impl<T: From<Uuid>> FromSql for Id<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let bytes = Uuid::from_slice(value.as_blob()?);
        bytes.map(|id| Self(id.into())).map_err(FromSqlError::other)
    }
}

/// One of a few in a row.
struct Coded<T>(T);

impl<T: Code> FromSql for Coded<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        T::of_code(value.as_str()?).map(Self).map_err(|error| FromSqlError::Other(error.into()))
    }
}

/// JSON in a row.
struct Json<T>(T);

impl<T: DeserializeOwned> FromSql for Json<T> {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        of_json(value.as_str()?).map(Self).map_err(|error| FromSqlError::Other(error.into()))
    }
}
