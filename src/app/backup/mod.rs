//! Backups: everything that is kept, of one moment, in one file that other tools can read, and back again.
//!
//! An archive is a tar in gzip. Its members come in one order: turns that wait for the database (`spool/`), the rows of
//! each table as lines of JSON (`rows/`), recordings that wait to be transcribed (`uploads/`), small files of DATA_DIR
//! (`files/`), and last `manifest.json`, which has the length and digest of each. An archive without it is not whole.

mod folder;
mod make;
mod manifest;
mod member;
mod pack;
mod restore;
mod schedule;
mod unpack;

use std::path::PathBuf;

pub use self::{
    folder::{Kept, kept, name_of, prune},
    make::{Made, create, kind_of, make, write_to},
    manifest::Manifest,
    restore::{Restored, finish_interrupted, restore},
    schedule::{Every, keep_making, make_and_prune},
    unpack::verify,
};
use crate::store::{StoreError, copy::CopyError, spool::SpoolError};

/// What is saved, and what is restored into.
#[derive(Debug, Clone)]
pub struct Places {
    /// DATA_DIR.
    pub data: PathBuf,
    pub store: crate::store::StoreSettings,
    /// Whether the key is a setting: then no file has it.
    pub secret_is_set: bool,
}

/// Why there is no backup, or why one was not restored. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error(transparent)]
    Copy(#[from] CopyError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error("{path}: {error}\nhint: {hint}")]
    File { path: PathBuf, error: std::io::Error, hint: &'static str },
    /// The archive is damaged, cut short, or was made by somebody who meant harm.
    #[error("{path} is not a whole backup: {why}\nhint: `aigolos backup --list` shows the others; nothing was changed")]
    Archive { path: PathBuf, why: String },
    #[error("{0} is of a newer aigolos: {1}\nhint: restore it with that version")]
    Newer(PathBuf, String),
    #[error("{0} holds something already\nhint: --force replaces all that is there")]
    NotEmpty(PathBuf),
    #[error("{path} has {free_mb} MB free, the backup needs {needed_mb}\nhint: make room, or set DATA_DIR elsewhere")]
    NoRoom { path: PathBuf, free_mb: u64, needed_mb: u64 },
    #[error("{0} exists already\nhint: choose another name, or remove it")]
    Exists(PathBuf),
}

/// What a file's failure means.
fn on_file(path: &std::path::Path, hint: &'static str) -> impl FnOnce(std::io::Error) -> BackupError {
    let path = path.to_owned();
    move |error| BackupError::File { path, error, hint }
}
