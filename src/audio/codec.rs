//! Sample encodings on the wire: bytes to samples and back.

use serde::{Deserialize, Serialize};

/// How samples are written as bytes; always mono.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Encoding {
    /// Signed 16-bit little-endian.
    #[default]
    #[serde(rename = "pcm_s16le")]
    PcmS16le,
    /// 32-bit float little-endian, -1 to 1.
    #[serde(rename = "pcm_f32le")]
    PcmF32le,
    /// G.711 mu-law.
    #[serde(rename = "mulaw")]
    Mulaw,
    /// G.711 A-law.
    #[serde(rename = "alaw")]
    Alaw,
}
