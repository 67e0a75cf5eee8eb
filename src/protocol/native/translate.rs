//! Between the wire and the conversation, both ways; pure. Wishes are checked on the way in: what gets through is in
//! range.

mod inward;
mod outward;

pub use inward::{Offer, Start, start, text, update};
pub use outward::{Frame, event, limits, ready, updated};

use crate::audio::{Encoding, SampleRate};

/// How samples are written, and how many a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    pub encoding: Encoding,
    pub rate: SampleRate,
}
