//! The OpenAI Realtime protocol, over real sockets with the bundled engines.

mod asked;
pub mod client;
mod doors;
mod interrupted;
mod keys;
mod speech;

use client::Realtime;
