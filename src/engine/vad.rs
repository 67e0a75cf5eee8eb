//! Voice activity: which 20 ms of sound hold a voice.
//!
//! To add a detector, write a module that implements [`VoiceDetector`], name it in [`VadEngine`], and run
//! `cargo bench --bench vad`: docs/benchmarks.md has its table.

mod cascade;
mod neural;
mod webrtc;

use std::{fmt, str::FromStr};

use super::VoiceDetector;

/// Which detector listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum VadEngine {
    /// WebRTC's Gaussian mixtures: the cheapest, and taken in by much that is not a voice.
    Webrtc,
    /// Earshot's small neural network.
    Earshot,
    /// Earshot, asked only where WebRTC hears something.
    #[default]
    Cascade,
}

impl VadEngine {
    pub const ALL: [Self; 3] = [Self::Webrtc, Self::Earshot, Self::Cascade];

    /// Its name in settings and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Webrtc => "webrtc",
            Self::Earshot => "earshot",
            Self::Cascade => "cascade",
        }
    }
}

impl fmt::Display for VadEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is no [`VadEngine`]'s.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown voice detector: {0}\nhint: set VAD_ENGINE to webrtc, earshot or cascade")]
pub struct UnknownVad(String);

impl FromStr for VadEngine {
    type Err = UnknownVad;

    fn from_str(name: &str) -> Result<Self, UnknownVad> {
        Self::ALL.into_iter().find(|engine| engine.as_str() == name).ok_or_else(|| UnknownVad(name.to_owned()))
    }
}

/// A fresh detector for one audio stream.
#[must_use]
pub fn detector(engine: VadEngine) -> Box<dyn VoiceDetector> {
    match engine {
        VadEngine::Webrtc => Box::new(webrtc::Webrtc::new(webrtc::Strictness::Aggressive)),
        VadEngine::Earshot => Box::new(neural::Neural::new()),
        VadEngine::Cascade => Box::new(cascade::Cascade::new()),
    }
}
