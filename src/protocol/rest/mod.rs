//! The server's own HTTP interface, below `/api/`: each module a part of it, with its routes and their description.

pub mod admin_logs;
pub mod admin_sessions;
pub mod admin_users;
pub mod asr;
pub mod auth;
pub mod conversations;
pub mod export;
pub mod form;
pub mod jobs;
pub mod keys;
pub mod llm;
pub mod models;
pub mod speaking;
pub mod sse;
pub mod told;
pub mod tts;
mod user;
pub mod work;
