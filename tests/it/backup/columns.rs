//! What is copied is what there is: the list of tables, held against both databases.

use std::{collections::BTreeSet, path::Path};

use aigolos::store::copy::{Kind, TABLES};

use super::Place;
use crate::postgres::postgres;

/// Tables and columns that are not copied: they are made anew.
const MADE_ANEW: [&str; 5] = ["refinery_schema_history", "restored", "turn_words", "title_words", "sqlite_"];

fn copied(spelling: impl Fn(Kind) -> &'static str) -> BTreeSet<String> {
    let column = |table: &'static str| {
        let spelling = &spelling;
        move |column: &aigolos::store::copy::Column| {
            format!("{table}.{} {}{}", column.name, spelling(column.kind), if column.optional { "?" } else { "" })
        }
    };
    TABLES.iter().flat_map(|table| table.columns.iter().map(column(table.name)).collect::<Vec<_>>()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_sqlite_is_copied() {
    let place = Place::sqlite();
    place.store().await;
    let file = place.data().join("aigolos.sqlite");
    let there = of_sqlite(&file);
    let spelling = |kind| match kind {
        Kind::Id | Kind::Bytes => "BLOB",
        Kind::Text => "TEXT",
        Kind::Number | Kind::Flag => "INTEGER",
    };
    assert_eq!(there, copied(spelling));
}

fn of_sqlite(file: &Path) -> BTreeSet<String> {
    let connection = rusqlite::Connection::open(file).expect("opened");
    // The key of a table is never without a value, though it need not be said.
    let sql = "SELECT m.name, c.name, c.type, c.\"notnull\" OR c.pk FROM sqlite_master m, pragma_table_info(m.name) c \
               WHERE m.type = 'table'";
    let mut all = connection.prepare(sql).expect("SQL");
    let rows = all
        .query_map([], |row| {
            let (table, column, kind, always): (String, String, String, bool) =
                (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            Ok((table.clone(), format!("{table}.{column} {kind}{}", if always { "" } else { "?" })))
        })
        .expect("read");
    rows.map(|row| row.expect("read")).filter(|(table, _)| !anew(table)).map(|(_, text)| text).collect()
}

fn anew(table: &str) -> bool {
    MADE_ANEW.iter().any(|name| table.starts_with(name))
}

#[tokio::test(flavor = "multi_thread")]
async fn all_of_postgresql_is_copied() {
    let url = postgres().fresh_database();
    let settings = aigolos::store::StoreSettings::Postgres {
        server: aigolos::store::PostgresServer::Url(url.clone()),
        connections: 1,
    };
    aigolos::store::open(&settings).await.expect("a store");
    let sql = "SELECT table_name || ' ' || column_name || ' ' || data_type || CASE is_nullable WHEN 'YES' THEN '?' ELSE '' END \
               FROM information_schema.columns WHERE table_schema = 'public'";
    let database = url.rsplit('/').next().expect("it has a name");
    let there: BTreeSet<_> = postgres()
        .sql(database, sql)
        .lines()
        .filter(|line| !anew(line) && !line.contains(" searched tsvector"))
        .map(|line| line.replacen(' ', ".", 1))
        .collect();
    let spelling = |kind| match kind {
        Kind::Id => "uuid",
        Kind::Bytes => "bytea",
        Kind::Text => "text",
        Kind::Number => "bigint",
        Kind::Flag => "boolean",
    };
    assert_eq!(there, copied(spelling));
}
