//! The whole store at one moment, out and in again: what a backup is made of.
//!
//! Rows travel in one spelling for both databases, a JSON object a line (`row`), so that what was read from one can
//! be written into the other. What the databases derive from rows (the search's tables) does not travel; it is made anew.
//! Reading sees one moment while others write. Writing replaces everything in one transaction, or changes nothing.

mod row;
mod tables;

use tokio::sync::mpsc;
use uuid::Uuid;

pub use self::{
    row::{Row, Value, decode, encode},
    tables::{Column, Kind, TABLES, Table},
};
use super::{StoreError, StoreSettings, postgres, sqlite};

/// A piece of a table is sent on when it has grown to this many bytes.
const PIECE_BYTES: usize = 4 << 20;

/// Some rows of a table as they were read: whole lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    pub table: &'static Table,
    pub rows: u64,
    /// A JSON object and a line break for each row.
    pub lines: Vec<u8>,
}

/// What is to be written. Tables come in the order of [`TABLES`].
#[derive(Debug, Clone, PartialEq)]
pub enum Batch {
    Rows(&'static Table, Vec<Row>),
    /// That was all: it may count. Without it nothing does.
    End,
}

/// Why there is no copy, or why none was written.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("there is no database yet in {0}\nhint: DATA_DIR or DATABASE_URL say where it is")]
    Missing(String),
    #[error(
        "the database has tables of version {found}, this program those of version {ours}\n\
         hint: start this version's server once, or use the aigolos that wrote them"
    )]
    Schema { found: u32, ours: u32 },
    #[error("the store is not empty\nhint: --force replaces all that is there")]
    NotEmpty,
    #[error("something else uses the database\nhint: stop every server that works with it, then try again")]
    InUse,
    /// The other side has gone: its own error says why.
    #[error("the copy ended early")]
    Ended,
    #[error("the rows do not fit together: {0}\nhint: something else made them; nothing was changed")]
    Rows(String),
}

/// Sends all rows of one moment, table by table, and gives the version of the tables.
///
/// # Errors
/// [`CopyError::Ended`] when the receiver is dropped.
pub async fn read_all(settings: &StoreSettings, out: mpsc::Sender<Piece>) -> Result<u32, CopyError> {
    match settings {
        StoreSettings::Sqlite { folder } => sqlite::copy::read_all(folder, out).await,
        StoreSettings::Postgres { server, .. } => postgres::copy::read_all(server, out).await,
    }
}

/// Replaces all rows by those that come, under the name `restore` ([`Store::was_restored`](super::Store::was_restored)
/// knows it afterwards). A store that has something is replaced only with `force`.
///
/// # Errors
/// Then nothing has changed, unless the connection broke at the very end: `was_restored` tells.
pub async fn replace_all(
    settings: &StoreSettings,
    rows: mpsc::Receiver<Batch>,
    restore: Uuid,
    force: bool,
) -> Result<(), CopyError> {
    match settings {
        StoreSettings::Sqlite { folder } => sqlite::copy::replace_all(folder, rows, restore, force).await,
        StoreSettings::Postgres { server, .. } => postgres::copy::replace_all(server, rows, restore, force).await,
    }
}

/// The version of the tables that this program writes.
#[must_use]
pub fn schema(settings: &StoreSettings) -> u32 {
    match settings {
        StoreSettings::Sqlite { .. } => sqlite::copy::schema(),
        StoreSettings::Postgres { .. } => postgres::copy::schema(),
    }
}

/// Rows of one table on their way to a piece.
pub(super) struct Filling {
    table: &'static Table,
    rows: u64,
    lines: Vec<u8>,
}

impl Filling {
    pub fn new(table: &'static Table) -> Self {
        Self { table, rows: 0, lines: Vec::new() }
    }

    /// Adds a row; gives the piece if it is full.
    pub fn add(&mut self, row: &[Value]) -> Option<Piece> {
        encode(self.table, row, &mut self.lines);
        self.rows += 1;
        if self.lines.len() < PIECE_BYTES { None } else { self.rest() }
    }

    /// What was not given yet.
    pub fn rest(&mut self) -> Option<Piece> {
        let lines = std::mem::take(&mut self.lines);
        let rows = std::mem::take(&mut self.rows);
        (rows > 0).then_some(Piece { table: self.table, rows, lines })
    }
}

/// The words by which the search finds a row of `table`, if it finds such rows at all.
pub(super) fn searched(table: &Table, row: &[Value]) -> Option<Vec<String>> {
    use super::{TurnReply, rows::of_json, words::index_of};

    let text = |name: &str| match table.columns.iter().position(|column| column.name == name).and_then(|at| row.get(at))
    {
        Some(Value::Text(text)) => text.as_str(),
        _ => "",
    };
    match table.name {
        "conversations" => Some(index_of(&[text("title")])),
        "turns" => {
            let reply = of_json::<TurnReply>(text("reply")).ok();
            let (written, heard) = reply.as_ref().map_or(("", ""), |reply| (reply.text.as_str(), &reply.heard));
            Some(index_of(&[text("text"), written, heard]))
        }
        _ => None,
    }
}

/// Tables and columns as both databases know them.
impl Table {
    /// Its columns, with commas between.
    pub(super) fn names(&self) -> String {
        self.columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
    }

    /// All rows in a lasting order.
    pub(super) fn select(&self) -> String {
        format!("SELECT {} FROM {} ORDER BY {}", self.names(), self.name, self.key)
    }
}
