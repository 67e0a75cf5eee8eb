//! Accounts over HTTP: a real server, a real database, mails in files or at a real mail server.

mod admin;
mod guard;
mod keys;
mod life;
mod mail;
pub mod visitor;
