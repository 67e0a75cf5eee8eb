//! Long work with progress events: recordings to text.
//!
//! A recording is streamed to disk ([`Upload`]), becomes a job in the store, waits its turn, is decoded, heard, and
//! becomes a conversation. What a job tells is an event in the store first and is seen by watchers after that, so a
//! watcher that comes back after any failure, a killed server included, misses nothing and hears nothing twice.

pub mod decode;
mod error;
pub mod kind;
mod lines;
mod live;
mod outcome;
mod queue;
mod read;
mod run;
mod service;
mod upload;

pub use self::{
    error::JobError,
    lines::segments,
    live::Watch,
    outcome::{Failure, JobRequest, Outcome, Segment},
    service::{JobSettings, Jobs, Recording, server_id},
    upload::Upload,
};
