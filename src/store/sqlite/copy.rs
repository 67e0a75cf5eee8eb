//! All rows out of the file and into it; see [`copy`](crate::store::copy).

use std::{path::Path, thread, time::Duration};

use rusqlite::{
    Connection, OpenFlags, Transaction, TransactionBehavior, params_from_iter,
    types::{ToSqlOutput, Value as Held, ValueRef},
};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::{FILE, connections, embedded, fault};
use crate::{
    model::{UnixMs, UserId},
    store::{
        StoreError,
        copy::{Batch, Column, CopyError, Filling, Kind, Piece, Row, TABLES, Table, Value, searched},
    },
};

/// How long it waits for others that write.
const BUSY: Duration = Duration::from_secs(30);

/// The version of the tables.
pub fn schema() -> u32 {
    embedded::migrations::runner().get_migrations().iter().map(|one| one.version() as u32).max().unwrap_or(0)
}

/// See [`read_all`](crate::store::copy::read_all). It sees one moment; others write meanwhile.
pub async fn read_all(folder: &Path, out: mpsc::Sender<Piece>) -> Result<u32, CopyError> {
    let file = folder.join(FILE);
    if !file.exists() {
        return Err(CopyError::Missing(folder.display().to_string()));
    }
    on_a_thread("store-copy", move || {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&file, flags).map_err(failed)?;
        connection.busy_timeout(BUSY).map_err(failed)?;
        connection.pragma_update(None, "query_only", true).map_err(failed)?;
        let moment = connection.transaction().map_err(failed)?;
        let version = "SELECT coalesce(max(version), 0) FROM refinery_schema_history";
        let found: u32 = moment.query_row(version, [], |row| row.get(0)).map_err(failed)?;
        if found != schema() {
            return Err(CopyError::Schema { found, ours: schema() });
        }
        for table in TABLES {
            let mut all = moment.prepare(&table.select()).map_err(failed)?;
            let mut rows = all.query([]).map_err(failed)?;
            let mut filling = Filling::new(table);
            while let Some(row) = rows.next().map_err(failed)? {
                let values: rusqlite::Result<Row> =
                    table.columns.iter().enumerate().map(|(at, column)| read(column, row.get_ref(at)?)).collect();
                if let Some(piece) = filling.add(&values.map_err(failed)?) {
                    out.blocking_send(piece).map_err(|_| CopyError::Ended)?;
                }
            }
            if let Some(piece) = filling.rest() {
                out.blocking_send(piece).map_err(|_| CopyError::Ended)?;
            }
        }
        Ok(found)
    })
    .await
}

/// See [`replace_all`](crate::store::copy::replace_all).
pub async fn replace_all(
    folder: &Path,
    mut rows: mpsc::Receiver<Batch>,
    restore: Uuid,
    force: bool,
) -> Result<(), CopyError> {
    let folder = folder.to_owned();
    on_a_thread("store-restore", move || {
        let mut connection = connections(&folder)?.swap_remove(0);
        connection.busy_timeout(BUSY).map_err(failed)?;
        // Files change places when this has been committed: it must then outlast a power failure.
        connection.pragma_update(None, "synchronous", "full").map_err(failed)?;
        let whole = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
        if !force && !is_empty(&whole).map_err(failed)? {
            return Err(CopyError::NotEmpty);
        }
        // Children first; the search's tables follow by their triggers.
        for table in TABLES.iter().rev() {
            whole.execute(&format!("DELETE FROM {}", table.name), []).map_err(failed)?;
        }
        while let Batch::Rows(table, rows) = rows.blocking_recv().ok_or(CopyError::Ended)? {
            rows.iter().try_for_each(|row| write(&whole, table, row)).map_err(refused)?;
        }
        let local = "SELECT EXISTS (SELECT 1 FROM users WHERE id = ?)";
        if !whole.query_row(local, [UserId::LOCAL.uuid().into_bytes()], |row| row.get::<_, bool>(0)).map_err(failed)? {
            return Err(CopyError::Rows("the local owner is missing".into()));
        }
        whole.execute("DELETE FROM restored", []).map_err(failed)?;
        let name = "INSERT INTO restored (id, at) VALUES (?, ?)";
        whole.execute(name, rusqlite::params![restore.into_bytes(), UnixMs::now().0]).map_err(failed)?;
        whole.commit().map_err(failed)
    })
    .await
}

/// Nothing but the local owner.
fn is_empty(t: &Transaction<'_>) -> rusqlite::Result<bool> {
    for table in TABLES {
        let sql = format!(
            "SELECT EXISTS (SELECT 1 FROM {} {})",
            table.name,
            if table.name == "users" { "WHERE email <> ''" } else { "" }
        );
        if t.query_row(&sql, [], |row| row.get(0))? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn write(t: &Transaction<'_>, table: &Table, row: &Row) -> rusqlite::Result<()> {
    let marks = vec!["?"; row.len()].join(", ");
    let sql = format!("INSERT INTO {} ({}) VALUES ({marks})", table.name, table.names());
    t.prepare_cached(&sql)?.execute(params_from_iter(row))?;
    let Some(words) = searched(table, row) else { return Ok(()) };
    let (into, Some(Value::Number(number))) =
        (if table.name == "turns" { "turn_words" } else { "title_words" }, row.first())
    else {
        return Ok(());
    };
    let sql = format!("INSERT INTO {into} (rowid, words) VALUES (?, ?)");
    t.prepare_cached(&sql)?.execute(rusqlite::params![number, words.join(" ")]).map(drop)
}

fn read(column: &Column, held: ValueRef<'_>) -> rusqlite::Result<Value> {
    let value = match (column.kind, held) {
        (_, ValueRef::Null) => Some(Value::None),
        (Kind::Id, ValueRef::Blob(bytes)) => Uuid::from_slice(bytes).ok().map(Value::Id),
        (Kind::Text, text @ ValueRef::Text(_)) => Some(Value::Text(text.as_str()?.to_owned())),
        (Kind::Number, ValueRef::Integer(number)) => Some(Value::Number(number)),
        (Kind::Flag, ValueRef::Integer(flag)) => Some(Value::Flag(flag != 0)),
        (Kind::Bytes, ValueRef::Blob(bytes)) => Some(Value::Bytes(bytes.to_vec())),
        _ => None,
    };
    value.ok_or_else(|| rusqlite::Error::InvalidColumnName(column.name.to_owned()))
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::None => ToSqlOutput::Owned(Held::Null),
            Self::Id(id) => ToSqlOutput::Owned(Held::Blob(id.as_bytes().to_vec())),
            Self::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Self::Number(number) => ToSqlOutput::Owned(Held::Integer(*number)),
            Self::Flag(flag) => ToSqlOutput::Owned(Held::Integer((*flag).into())),
            Self::Bytes(bytes) => ToSqlOutput::Borrowed(ValueRef::Blob(bytes)),
        })
    }
}

fn failed(error: rusqlite::Error) -> CopyError {
    CopyError::Store(fault(error))
}

/// What the database says of rows: those that break its rules are the copy's fault.
fn refused(error: rusqlite::Error) -> CopyError {
    if error.sqlite_error_code() == Some(rusqlite::ErrorCode::ConstraintViolation) {
        return CopyError::Rows(error.to_string());
    }
    failed(error)
}

/// The database blocks, and for long.
async fn on_a_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> Result<T, CopyError> + Send + 'static,
) -> Result<T, CopyError> {
    let (answer, done) = oneshot::channel();
    let run = move || {
        let _ = answer.send(work());
    };
    let started = thread::Builder::new().name(name.to_owned()).spawn(run);
    started.map_err(|error| StoreError::Failed(format!("no thread: {error}")))?;
    done.await.map_err(|_| StoreError::Failed("a bug stopped the copy".into()))?
}
