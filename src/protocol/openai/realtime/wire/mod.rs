//! What stands on the wire, as serde types: nothing here decides anything.

pub mod client;
pub mod item;
pub mod response;
pub mod server;
pub mod session;

use serde::{Deserialize, Deserializer};

/// Which of OpenAI's two spellings a connection speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flavour {
    /// The one in force.
    Ga,
    /// The one before: flat sessions, other event names.
    Beta,
}

/// A field that may be absent (`None`), `null` (`Some(None)`) or there.
#[expect(clippy::option_option, reason = "absent, null and there are three things on this wire")]
pub(crate) fn nullable<'de, T: Deserialize<'de>, D: Deserializer<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::<T>::deserialize(from).map(Some)
}
