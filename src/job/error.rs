//! Why a recording is not taken.

use std::io;

use super::kind::KindError;
use crate::store::StoreError;

/// See the module; the text is for whoever sent the recording.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    #[error("the file has more than {0} bytes")]
    TooLarge(u64),
    #[error("the file is empty")]
    Empty,
    #[error(transparent)]
    Kind(#[from] KindError),
    #[error("{0} recordings are waiting or being sent already")]
    TooMany(usize),
    #[error("as many recordings as this server takes are waiting already")]
    Busy,
    #[error("the server is stopping")]
    Stopping,
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the file cannot be kept: {0}")]
    Disk(#[from] io::Error),
}
