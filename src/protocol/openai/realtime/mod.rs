//! The OpenAI Realtime protocol (docs/realtime.md): a pure translation between its events and the session's commands and
//! events, in [`translate`], and a socket around it.

pub mod fault;
pub mod ids;
pub mod items;
pub mod response;
pub mod routes;
pub mod secrets;
mod session;
pub mod session_object;
pub mod support;
pub mod translate;
pub mod wire;
