//! Earshot: a convolutional and recurrent network over mel bands, 16 ms a step.

use earshot::Detector;

use crate::{audio::VadFrame, engine::VoiceDetector};

/// Samples in one step of the network.
const STEP: usize = 256;
/// What the network says where voice and noise part best on the bench; it hovers below in steady noise.
const EVEN: f32 = 0.6;

pub struct Neural {
    network: Box<Detector>,
    /// What does not fill a step yet.
    rest: Vec<i16>,
}

impl Neural {
    pub fn new() -> Self {
        Self { network: Detector::default_boxed(), rest: Vec::with_capacity(2 * STEP) }
    }
}

impl VoiceDetector for Neural {
    /// The greatest of the one or two steps that end within `frame`.
    fn probability(&mut self, frame: &VadFrame) -> f32 {
        self.rest.extend_from_slice(frame.samples());
        let whole = self.rest.len() / STEP * STEP;
        let probability =
            self.rest[..whole].chunks_exact(STEP).map(|step| self.network.predict_i16(step)).fold(0.0, f32::max);
        self.rest.drain(..whole);
        even(probability)
    }

    fn reset(&mut self) {
        self.network.reset();
        self.rest.clear();
    }
}

/// Stretches both sides so that [`EVEN`] becomes 0.5.
fn even(probability: f32) -> f32 {
    if probability < EVEN { 0.5 * probability / EVEN } else { 0.5 + 0.5 * (probability - EVEN) / (1.0 - EVEN) }
}
