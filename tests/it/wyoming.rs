//! The Wyoming door, seen by a client on the wire.

pub mod client;
mod discovery;
mod hearing;
mod manners;
mod speaking;
