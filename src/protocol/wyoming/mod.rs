//! The Wyoming protocol over TCP: speech to text and text to speech for Home Assistant and other clients.
//!
//! [`frame`] cuts a connection's bytes into frames, [`wire`] reads and writes the events in them, `hearing` and
//! `speaking` translate those to what sessions and voices know, `connection` runs them for one client and [`serve`]
//! accepts clients. Wyoming knows no accounts: whoever reaches the port may use it, and nothing of it is kept.

pub mod announce;
mod connection;
pub mod frame;
mod hearing;
mod info;
mod serve;
mod sound;
mod speaking;
mod ssml;
pub mod support;
pub mod wire;

pub use self::serve::{Wyoming, serve};
