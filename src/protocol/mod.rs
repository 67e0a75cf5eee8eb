//! The doors: every wire format, each a pure translation to [`crate::conversation::message`].

pub mod caller;
pub mod client;
pub mod error;
pub mod json;
pub mod native;
pub mod rest;
pub mod socket;
