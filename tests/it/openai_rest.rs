//! OpenAI's REST endpoints over HTTP, against the real server with the bundled engines, some of which are held back or
//! broken where a test needs that.

mod chat;
pub mod client;
mod errors;
mod events;
mod models;
mod refused;
mod speech;
mod transcriptions;
