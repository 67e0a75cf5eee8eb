//! Where models come from: which there are, how they get here whole, and which were chosen.

pub mod in_use;

pub use self::in_use::{ChooseError, Chooser, InUse, InUseError};
