//! The server's own HTTP interface, below `/api/`: each module a part of it, with its routes and their description.

pub mod admin;
pub mod admin_users;
pub mod auth;
pub mod conversations;
mod export;
pub mod keys;
pub mod told;
mod user;
