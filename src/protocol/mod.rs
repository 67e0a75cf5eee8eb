//! The doors: every wire format, each a pure translation to [`crate::conversation::message`].

pub mod error;
pub mod native;
pub mod socket;
