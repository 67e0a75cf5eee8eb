//! All rows out of the database and into it; see [`copy`](crate::store::copy).

use std::time::{Duration, Instant};

use futures::TryStreamExt as _;
use tokio::sync::mpsc;
use tokio_postgres::{
    Client, IsolationLevel, Transaction,
    error::SqlState,
    types::{ToSql, Type},
};
use uuid::Uuid;

use super::connect::{self, USE_LOCK, embedded};
use crate::{
    model::{UnixMs, UserId},
    store::{
        PostgresServer, StoreError,
        copy::{Batch, Column, CopyError, Filling, Kind, Piece, Row, TABLES, Table, Value, searched},
    },
};

/// What such a connection begins with: it works for long, but waits for others only so long.
const MANNERS: &str =
    "SET statement_timeout = 0; SET lock_timeout = '30s'; SET idle_in_transaction_session_timeout = 0";
/// How long servers that have just been stopped may take to be gone.
const GOING: Duration = Duration::from_secs(5);

/// The version of the tables.
pub fn schema() -> u32 {
    embedded::migrations::runner().get_migrations().iter().map(|one| one.version() as u32).max().unwrap_or(0)
}

/// See [`read_all`](crate::store::copy::read_all). It sees one moment; others write meanwhile.
pub async fn read_all(server: &PostgresServer, out: mpsc::Sender<Piece>) -> Result<u32, CopyError> {
    let (mut client, place) = client(server).await?;
    let begin = client.build_transaction().isolation_level(IsolationLevel::RepeatableRead).read_only(true);
    let moment = begin.start().await.map_err(StoreError::from)?;
    let there = "SELECT to_regclass('refinery_schema_history') IS NOT NULL";
    if !moment.query_one(there, &[]).await.and_then(|row| row.try_get(0)).map_err(StoreError::from)? {
        return Err(CopyError::Missing(place));
    }
    let version = "SELECT coalesce(max(version), 0)::bigint FROM refinery_schema_history";
    let found: i64 = moment.query_one(version, &[]).await.and_then(|row| row.try_get(0)).map_err(StoreError::from)?;
    let found = u32::try_from(found).unwrap_or(u32::MAX);
    if found != schema() {
        return Err(CopyError::Schema { found, ours: schema() });
    }
    for table in TABLES {
        // Rows come as they are taken: the connection stops reading while nobody asks for the next.
        let none: [&(dyn ToSql + Sync); 0] = [];
        let rows = moment.query_raw(&table.select(), none).await.map_err(StoreError::from)?;
        let mut rows = std::pin::pin!(rows);
        let mut filling = Filling::new(table);
        while let Some(row) = rows.try_next().await.map_err(StoreError::from)? {
            let values: Result<Row, _> =
                table.columns.iter().enumerate().map(|(at, column)| read(column, &row, at)).collect();
            if let Some(piece) = filling.add(&values.map_err(StoreError::from)?) {
                out.send(piece).await.map_err(|_| CopyError::Ended)?;
            }
        }
        if let Some(piece) = filling.rest() {
            out.send(piece).await.map_err(|_| CopyError::Ended)?;
        }
    }
    Ok(found)
}

/// See [`replace_all`](crate::store::copy::replace_all).
pub async fn replace_all(
    server: &PostgresServer,
    mut rows: mpsc::Receiver<Batch>,
    restore: Uuid,
    force: bool,
) -> Result<(), CopyError> {
    connect::bring_up_to_date(server).await?;
    let (mut client, _) = client(server).await?;
    hold(&client).await?;
    let whole = client.transaction().await.map_err(StoreError::from)?;
    if !force && !is_empty(&whole).await? {
        return Err(CopyError::NotEmpty);
    }
    let names: Vec<_> = TABLES.iter().map(|table| table.name).collect();
    whole.batch_execute(&format!("TRUNCATE {}", names.join(", "))).await.map_err(StoreError::from)?;
    while let Batch::Rows(table, rows) = rows.recv().await.ok_or(CopyError::Ended)? {
        write(&whole, table, &rows).await?;
    }
    let local = "SELECT 1 FROM users WHERE id = $1";
    if whole.query_opt(local, &[&UserId::LOCAL.uuid()]).await.map_err(StoreError::from)?.is_none() {
        return Err(CopyError::Rows("the local owner is missing".into()));
    }
    for table in TABLES.iter().filter(|table| table.numbered) {
        let next = format!("SELECT coalesce(max(row), 0) + 1 FROM {}", table.name);
        let next: i64 = whole.query_one(&next, &[]).await.and_then(|row| row.try_get(0)).map_err(StoreError::from)?;
        // Unlike setval, this is undone with the transaction.
        let sql = format!("ALTER TABLE {} ALTER COLUMN row RESTART WITH {next}", table.name);
        whole.batch_execute(&sql).await.map_err(StoreError::from)?;
    }
    whole.batch_execute("DELETE FROM restored").await.map_err(StoreError::from)?;
    let name = "INSERT INTO restored (id, at) VALUES ($1, $2)";
    whole.execute(name, &[&restore, &UnixMs::now().0]).await.map_err(StoreError::from)?;
    whole.commit().await.map_err(StoreError::from)?;
    Ok(())
}

async fn client(server: &PostgresServer) -> Result<(Client, String), CopyError> {
    let (client, connection, place) = connect::connect(server).await?;
    tokio::spawn(connection);
    client.batch_execute(MANNERS).await.map_err(StoreError::from)?;
    Ok((client, place))
}

/// Keeps everybody else out until the connection ends.
async fn hold(client: &Client) -> Result<(), CopyError> {
    let until = Instant::now() + GOING;
    loop {
        let sql = "SELECT pg_try_advisory_lock($1)";
        let held =
            client.query_one(sql, &[&USE_LOCK]).await.and_then(|row| row.try_get(0)).map_err(StoreError::from)?;
        if held {
            return Ok(());
        }
        if Instant::now() > until {
            return Err(CopyError::InUse);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Nothing but the local owner.
async fn is_empty(t: &Transaction<'_>) -> Result<bool, StoreError> {
    for table in TABLES {
        let others = if table.name == "users" { "WHERE email <> ''" } else { "" };
        let sql = format!("SELECT EXISTS (SELECT 1 FROM {} {others})", table.name);
        if t.query_one(&sql, &[]).await?.try_get(0)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Many rows in one statement: each column is an array.
async fn write(t: &Transaction<'_>, table: &Table, rows: &[Row]) -> Result<(), CopyError> {
    let mut types: Vec<_> = table.columns.iter().map(|column| of_array(column.kind)).collect();
    let mut columns: Vec<Box<dyn ToSql + Sync + Send>> =
        table.columns.iter().enumerate().map(|(at, column)| array(column, rows, at)).collect();
    let (mut names, mut values) = (table.names(), table.names());
    let mut given = names.clone();
    if rows.iter().any(|row| searched(table, row).is_some()) {
        let words: Vec<_> = rows.iter().map(|row| searched(table, row).unwrap_or_default().join(" ")).collect();
        names.push_str(", searched");
        // Words are letters and digits only, so that spaces part them.
        values.push_str(", array_to_tsvector(string_to_array(found, ' '))");
        given.push_str(", found");
        types.push(Type::TEXT_ARRAY);
        columns.push(Box::new(words));
    }
    let marks: Vec<_> = types
        .iter()
        .enumerate()
        .map(|(at, kind)| format!("${}::{}", at + 1, kind.name().trim_start_matches('_').to_owned() + "[]"))
        .collect();
    let sql = format!(
        "INSERT INTO {} ({names}) OVERRIDING SYSTEM VALUE SELECT {values} FROM unnest({}) AS given ({given})",
        table.name,
        marks.join(", ")
    );
    let statement = t.prepare_typed(&sql, &types).await.map_err(StoreError::from)?;
    let parameters: Vec<&(dyn ToSql + Sync)> = columns.iter().map(|column| &**column as &(dyn ToSql + Sync)).collect();
    t.execute(&statement, &parameters).await.map(drop).map_err(|error| {
        // Rows that break the database's rules are the copy's fault.
        let broken = error
            .code()
            .is_some_and(|code| code.code().starts_with("23") || *code == SqlState::CHARACTER_NOT_IN_REPERTOIRE);
        let error = StoreError::from(error);
        if broken { CopyError::Rows(error.to_string()) } else { error.into() }
    })
}

fn of_array(kind: Kind) -> Type {
    match kind {
        Kind::Id => Type::UUID_ARRAY,
        Kind::Text => Type::TEXT_ARRAY,
        Kind::Number => Type::INT8_ARRAY,
        Kind::Flag => Type::BOOL_ARRAY,
        Kind::Bytes => Type::BYTEA_ARRAY,
    }
}

fn array(column: &Column, rows: &[Row], at: usize) -> Box<dyn ToSql + Sync + Send> {
    let values = rows.iter().map(|row| row.get(at).cloned().unwrap_or(Value::None));
    macro_rules! of {
        ($kind:ident, $type:ty) => {
            Box::new(
                values
                    .map(|value| if let Value::$kind(value) = value { Some(value) } else { None })
                    .collect::<Vec<Option<$type>>>(),
            )
        };
    }
    match column.kind {
        Kind::Id => of!(Id, Uuid),
        Kind::Text => of!(Text, String),
        Kind::Number => of!(Number, i64),
        Kind::Flag => of!(Flag, bool),
        Kind::Bytes => of!(Bytes, Vec<u8>),
    }
}

fn read(column: &Column, row: &tokio_postgres::Row, at: usize) -> Result<Value, tokio_postgres::Error> {
    let value = match column.kind {
        Kind::Id => row.try_get::<_, Option<Uuid>>(at)?.map(Value::Id),
        Kind::Text => row.try_get::<_, Option<String>>(at)?.map(Value::Text),
        Kind::Number => row.try_get::<_, Option<i64>>(at)?.map(Value::Number),
        Kind::Flag => row.try_get::<_, Option<bool>>(at)?.map(Value::Flag),
        Kind::Bytes => row.try_get::<_, Option<Vec<u8>>>(at)?.map(Value::Bytes),
    };
    Ok(value.unwrap_or(Value::None))
}
