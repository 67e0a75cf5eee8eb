//! Audio formats by their names in either spelling.

use serde_json::{Value, json};

use crate::{
    audio::{Encoding, SampleRate},
    protocol::openai::realtime::fault::Fault,
};

/// How sound is written; always mono.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// 24 kHz, signed 16-bit little-endian.
    Pcm,
    /// 8 kHz G.711 mu-law.
    Mulaw,
    /// 8 kHz G.711 A-law.
    Alaw,
}

impl Format {
    #[must_use]
    pub const fn rate(self) -> SampleRate {
        match self {
            Self::Pcm => SampleRate::HZ_24000,
            Self::Mulaw | Self::Alaw => SampleRate::HZ_8000,
        }
    }

    #[must_use]
    pub const fn encoding(self) -> Encoding {
        match self {
            Self::Pcm => Encoding::PcmS16le,
            Self::Mulaw => Encoding::Mulaw,
            Self::Alaw => Encoding::Alaw,
        }
    }

    #[must_use]
    pub fn ga(self) -> Value {
        match self {
            Self::Pcm => json!({"type": "audio/pcm", "rate": 24_000}),
            Self::Mulaw => json!({"type": "audio/pcmu"}),
            Self::Alaw => json!({"type": "audio/pcma"}),
        }
    }

    #[must_use]
    pub const fn beta(self) -> &'static str {
        match self {
            Self::Pcm => "pcm16",
            Self::Mulaw => "g711_ulaw",
            Self::Alaw => "g711_alaw",
        }
    }

    /// Reads either spelling.
    ///
    /// # Errors
    /// A format or rate that is not among them.
    pub fn read(wish: &Value, param: &str) -> Result<Self, Fault> {
        let (name, rate) = match wish {
            Value::String(name) => (name.as_str(), None),
            Value::Object(fields) => {
                let name = fields.get("type").and_then(Value::as_str);
                (name.ok_or_else(|| Fault::missing(format!("{param}.type")))?, fields.get("rate"))
            }
            _ => return Err(Fault::wrong_type(param, "an object with a type")),
        };
        let format = match name {
            "audio/pcm" | "pcm16" => Self::Pcm,
            "audio/pcmu" | "g711_ulaw" => Self::Mulaw,
            "audio/pcma" | "g711_alaw" => Self::Alaw,
            _ => {
                let known = "audio/pcm, audio/pcmu and audio/pcma";
                return Err(Fault::value(format!("{param}.type"), format!("no such audio format; known are {known}")));
            }
        };
        match rate {
            Some(rate) if !rate.is_null() && rate.as_f64() != Some(f64::from(format.rate().hz())) => {
                let problem = format!("the rate of this format is {}", format.rate());
                Err(Fault::value(format!("{param}.rate"), problem))
            }
            _ => Ok(format),
        }
    }
}
