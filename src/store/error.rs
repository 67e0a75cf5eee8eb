//! Why the store did not do what it was asked.

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached, or went away; trying again later makes sense.
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    /// Something unique is there already (an e-mail address).
    #[error("{0} exists already")]
    Exists(&'static str),
    /// The database refused or gave what cannot be read: a fault of the server or of the data.
    #[error("the database failed: {0}")]
    Failed(String),
}
