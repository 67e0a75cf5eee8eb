//! The cheap detector as a gate before the good one.

use std::collections::VecDeque;

use super::{
    neural::Neural,
    webrtc::{Strictness, Webrtc},
};
use crate::{audio::VadFrame, engine::VoiceDetector};

/// Frames the gate stays open after its last yes.
const HOLD: u32 = 5;
/// Frames kept while the gate is shut, for the network to hear first when it opens: the 80 ms it looks back over. Its
/// longer memory rights itself; on the bench 20, 80, 240 and 500 ms found the same.
const CATCH_UP: usize = 4;

pub struct Cascade {
    gate: Webrtc,
    network: Neural,
    /// What the network has not heard, the latest of it.
    unheard: VecDeque<VadFrame>,
    open: u32,
}

impl Cascade {
    pub fn new() -> Self {
        Self {
            gate: Webrtc::new(Strictness::LowBitrate),
            network: Neural::new(),
            unheard: VecDeque::with_capacity(CATCH_UP),
            open: 0,
        }
    }
}

impl VoiceDetector for Cascade {
    fn probability(&mut self, frame: &VadFrame) -> f32 {
        if self.gate.is_voice(frame) {
            self.open = HOLD + 1;
        }
        if self.open == 0 {
            if self.unheard.len() == CATCH_UP {
                self.unheard.pop_front();
            }
            self.unheard.push_back(frame.clone());
            return 0.0;
        }
        self.open -= 1;
        for missed in self.unheard.drain(..) {
            self.network.probability(&missed);
        }
        self.network.probability(frame)
    }

    fn reset(&mut self) {
        self.gate.reset();
        self.network.reset();
        self.unheard.clear();
        self.open = 0;
    }
}
