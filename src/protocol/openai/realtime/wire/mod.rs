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

/// A whole number of milliseconds; some clients write it with a point (`300.0`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Whole(pub u32);

impl<'de> Deserialize<'de> for Whole {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let number = f64::deserialize(from)?;
        if number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number) {
            return Ok(Self(number as u32));
        }
        Err(serde::de::Error::custom(format!("{number} is not a whole number of 0 or more")))
    }
}
