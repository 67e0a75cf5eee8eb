//! What makes sound and text a conversation: segments, transcripts, turns, sentences, and the driver that runs them.
//! Knows engines by their traits, and neither the store nor any wire format.

pub mod driver;
pub mod history;
pub mod hub;
pub mod interruption;
pub mod item;
pub mod journal;
pub mod message;
pub mod offline;
pub mod outbox;
pub mod playout;
pub mod reply;
pub mod segment;
pub mod sentence;
pub mod speakable;
pub mod transcript;
pub mod turn;
