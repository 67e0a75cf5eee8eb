//! How much of somebody else's protocol is spoken here, as data: each protocol has a table, tied to its parser by a
//! test, and documents are made from the tables.

/// One event or field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Support {
    /// As on the wire; a field as `event.field`.
    pub name: &'static str,
    pub direction: Direction,
    pub status: Status,
}

/// Who sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    FromClient,
    ToClient,
}

/// Whether it is supported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    Yes,
    /// How.
    Partly(&'static str),
    /// Why.
    No(&'static str),
}
