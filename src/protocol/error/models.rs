//! What went wrong with models, as clients hear of it.

use super::{ApiError, Code};
use crate::catalogue::{ChooseError, LibraryError, Trouble};

impl From<LibraryError> for ApiError {
    fn from(error: LibraryError) -> Self {
        let (message, hint) = (error.to_string(), error.hint());
        match error {
            LibraryError::Unknown { .. } | LibraryError::NotThere { .. } => Self::new(Code::NotFound, message, hint),
            LibraryError::InUse { .. } | LibraryError::Busy { .. } => Self::new(Code::Conflict, message, hint),
            LibraryError::TooMany => Self::new(Code::Overloaded, message, hint).retry_after(30_000),
            LibraryError::Trouble(trouble) => trouble.into(),
            LibraryError::Manifest(_) => {
                tracing::error!(%error, "the list of installed models cannot be used");
                Self::internal()
            }
        }
    }
}

impl From<Trouble> for ApiError {
    fn from(trouble: Trouble) -> Self {
        let (message, hint) = (trouble.to_string(), trouble.hint());
        match trouble {
            Trouble::Disk { .. } => {
                tracing::error!(error = %trouble, "the models folder cannot be used");
                Self::internal()
            }
            Trouble::Stopping => Self::shutting_down(),
            _ => Self::new(Code::EngineUnreachable, message, hint),
        }
    }
}

impl From<ChooseError> for ApiError {
    fn from(error: ChooseError) -> Self {
        let text = error.to_string();
        let (message, hint) = text.split_once("\nhint: ").unwrap_or((text.as_str(), "look at the list"));
        match error {
            ChooseError::Missing { .. } => Self::new(Code::NotFound, message, hint),
            ChooseError::Given { .. } | ChooseError::Unusable { .. } => Self::new(Code::Conflict, message, hint),
            ChooseError::File(_) => {
                tracing::error!(%error, "the choice of models cannot be written down");
                Self::internal()
            }
        }
    }
}
