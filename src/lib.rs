//! aigolos: a self-hosted realtime voice server.
//!
//! Sound enters by one door ([`protocol`]), passes through each room once ([`conversation`], [`engine`], [`audio`])
//! and leaves by the other. A module imports only from floors below its own; `tests/layers.rs` holds that against
//! the code, and `ARCHITECTURE.md` has the map.

pub mod account;
pub mod app;
pub mod audio;
pub mod catalogue;
pub mod conversation;
pub mod engine;
pub mod job;
pub mod measure;
pub mod model;
pub mod page;
pub mod protocol;
pub mod store;
pub mod surrogates;
