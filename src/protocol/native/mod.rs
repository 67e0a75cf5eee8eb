//! The native protocol `aigolos.v1`, as in docs/protocol.md.

pub mod routes;
pub mod translate;
pub mod wire;
