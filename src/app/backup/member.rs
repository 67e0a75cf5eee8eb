//! The members of an archive: their names, their order, and how long each may be.

use uuid::Uuid;

use crate::store::copy::{TABLES, Table};

/// The longest piece of rows that is written or read: a piece's size and one row that is very long.
pub const ROWS_BYTES: u64 = 256 << 20;
/// More members than this no archive has.
pub const MOST: usize = 1_000_000;

/// One member of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Member {
    /// Frames of the spool.
    Spool(u32),
    /// A piece of a table.
    Rows(&'static Table, u32),
    /// The recording of a job.
    Upload(Uuid),
    /// One of [`FILES`].
    File(&'static str),
    Manifest,
}

/// The small files of DATA_DIR that are saved.
pub const FILES: [&str; 3] = ["in-use.json", "secret.key", "server.id"];
/// The one that opens doors.
pub const SECRET: &str = "secret.key";

impl Member {
    /// What a member's name says; `None`: no archive of ours has such a one. Nothing else is ever made of a name, so
    /// one that climbs out of its folder is merely unknown.
    pub fn of(name: &str) -> Option<Self> {
        let member = match name.split_once('/') {
            None if name == "manifest.json" => Self::Manifest,
            Some(("spool", rest)) => Self::Spool(rest.strip_suffix(".log")?.parse().ok()?),
            Some(("rows", rest)) => {
                let (table, number) = rest.strip_suffix(".jsonl")?.rsplit_once('-')?;
                Self::Rows(TABLES.iter().find(|known| known.name == table)?, number.parse().ok()?)
            }
            Some(("uploads", id)) => Self::Upload(id.parse().ok()?),
            Some(("files", file)) => Self::File(FILES.iter().find(|known| **known == file)?),
            _ => return None,
        };
        // Each has one spelling.
        (member.name() == name).then_some(member)
    }

    pub fn name(&self) -> String {
        match self {
            Self::Spool(number) => format!("spool/{number:06}.log"),
            Self::Rows(table, number) => format!("rows/{}-{number:06}.jsonl", table.name),
            Self::Upload(id) => format!("uploads/{id}"),
            Self::File(name) => format!("files/{name}"),
            Self::Manifest => "manifest.json".into(),
        }
    }

    /// The longest that one may be.
    pub fn most_bytes(&self) -> u64 {
        match self {
            Self::Spool(_) => 2 * crate::store::spool::copy::PIECE_BYTES as u64,
            Self::Rows(..) | Self::Manifest => ROWS_BYTES,
            Self::Upload(_) => 4 << 30,
            Self::File(_) => 1 << 20,
        }
    }

    /// What comes later has a higher one, except that recordings come in any order.
    pub fn place(&self) -> (u8, usize, u32) {
        match self {
            Self::Spool(number) => (0, 0, *number),
            Self::Rows(table, number) => {
                (1, TABLES.iter().position(|known| known == *table).unwrap_or(TABLES.len()), *number)
            }
            Self::Upload(_) => (2, 0, 0),
            Self::File(name) => (3, FILES.iter().position(|known| known == name).unwrap_or(FILES.len()), 0),
            Self::Manifest => (4, 0, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_are_known() {
        let id = "0197a6b2-0000-7000-8000-000000000001";
        for name in ["manifest.json", "spool/000001.log", "rows/turns-000012.jsonl", "files/secret.key"] {
            assert_eq!(Member::of(name).expect(name).name(), name);
        }
        assert_eq!(Member::of(&format!("uploads/{id}")).expect("known").name(), format!("uploads/{id}"));
        for name in [
            "",
            "/etc/passwd",
            "../secret.key",
            "files/../secret.key",
            "files/x",
            "uploads/../../x",
            "uploads/0197A6B2-0000-7000-8000-000000000001",
            "spool/1.log",
            "spool/+00001.log",
            "rows/restored-000001.jsonl",
            "rows/turns-000001.jsonl/",
            "./manifest.json",
        ] {
            assert_eq!(Member::of(name), None, "{name}");
        }
    }
}
