//! The events of `aigolos.v1` as they are on the wire: serde and nothing else. What they mean is [`super::translate`]'s.
//!
//! A new event: add the variant, its name to `NAMES`, and its heading with an example to docs/protocol.md; the tests
//! name what is still missing.

mod client;
mod server;

pub use client::*;
pub use server::*;

use serde::{Deserialize, Serialize};

/// The WebSocket subprotocol.
pub const SUBPROTOCOL: &str = "aigolos.v1";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    Converse,
    Transcribe,
}

/// When a turn ends. Flat, so that an error can name the very field; the fields but `type` belong to `vad`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TurnDetection {
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<TurnDetectionKind>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prefix_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub soft_silence_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence_ms: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adaptive: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interrupt: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub respond: Option<bool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TurnDetectionKind {
    Vad,
    Manual,
}
