//! The server's own HTTP interface, below `/api/`: each module a part of it, with its routes and their description.

pub mod admin;
pub mod conversations;
mod export;
