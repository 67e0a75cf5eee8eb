//! The last member of an archive: what it holds, and by what each part is known.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The format of archives that this program writes, and the newest it reads.
pub const FORMAT: u32 = 1;

/// What an archive says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The format of the archive.
    pub format: u32,
    /// The version of the program that wrote it.
    pub program: String,
    /// The version of the tables.
    pub schema: u32,
    /// `sqlite` or `postgresql`: where the rows came from. They can be restored into either.
    pub database: String,
    /// When it was made, RFC 3339.
    pub created_at: String,
    /// Whether the key of log-ins is in it: then the archive opens doors.
    pub secret: bool,
    /// How many rows of each table it has.
    pub rows: BTreeMap<String, u64>,
    /// Every other member, in order.
    pub members: Vec<Part>,
}

/// One member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Hexadecimal.
    pub sha256: String,
}

impl Manifest {
    /// Rows of all tables.
    #[must_use]
    pub fn all_rows(&self) -> u64 {
        self.rows.values().sum()
    }
}
