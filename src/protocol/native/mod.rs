//! The native protocol `aigolos.v1`, as in docs/protocol.md.

pub mod frames;
pub mod routes;
mod session;
pub mod translate;
pub mod wire;
