//! WebRTC's detector: Gaussian mixtures over six sub-bands, a yes or no per frame.

use webrtc_vad::{SampleRate, Vad, VadMode};

use crate::{audio::VadFrame, engine::VoiceDetector};

/// How much it takes for a yes.
#[derive(Debug, Clone, Copy)]
pub enum Strictness {
    /// Misses little.
    LowBitrate,
    /// Takes less for a voice that is none.
    Aggressive,
}

pub struct Webrtc {
    vad: Vad,
    strictness: Strictness,
}

// SAFETY: `Vad` owns its C state alone, behind a raw pointer that never leaves it; the library keeps nothing global or
// per thread. So it may move to another thread, as sessions do; it is not `Sync`, and every call takes `&mut self`.
#[expect(unsafe_code, reason = "webrtc_vad::Vad holds a raw pointer and so is not Send by itself")]
unsafe impl Send for Webrtc {}

impl Webrtc {
    pub fn new(strictness: Strictness) -> Self {
        Self { vad: Vad::new_with_rate_and_mode(SampleRate::Rate16kHz, mode(strictness)), strictness }
    }

    pub fn is_voice(&mut self, frame: &VadFrame) -> bool {
        self.vad.is_voice_segment(frame.samples()).expect("20 ms at 16 kHz is a length it takes")
    }
}

impl VoiceDetector for Webrtc {
    fn probability(&mut self, frame: &VadFrame) -> f32 {
        f32::from(u8::from(self.is_voice(frame)))
    }

    fn reset(&mut self) {
        // The library's own reset falls back to 8 kHz and its mildest mode.
        self.vad.reset();
        self.vad.set_sample_rate(SampleRate::Rate16kHz);
        self.vad.set_mode(mode(self.strictness));
    }
}

const fn mode(strictness: Strictness) -> VadMode {
    match strictness {
        Strictness::LowBitrate => VadMode::LowBitrate,
        Strictness::Aggressive => VadMode::Aggressive,
    }
}
