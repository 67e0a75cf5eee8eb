//! Transcription of files, chat and speech over HTTP, against the real server with the bundled engines, some of which
//! are held back where a test needs to be in the middle of something.

mod chat;
pub mod client;
pub mod fakes;
mod files;
mod jobs;
mod refused;
mod service;
mod speech;
