//! The OpenAI Realtime protocol, over real sockets with the bundled engines.

mod client;
mod doors;
mod speech;

use client::Realtime;
