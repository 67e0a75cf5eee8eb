//! The doors: every wire format, each a pure translation to [`crate::conversation::message`].

pub mod caller;
pub mod client;
pub mod cookie;
pub mod error;
pub mod identity;
pub mod json;
pub mod native;
pub mod openai;
pub mod origin;
pub mod rest;
pub mod socket;
pub mod support;
pub mod visit;
pub mod wyoming;
