//! 20 ms frames at 16 kHz, the step in which voice is looked for.

use super::{Mono16k, level};

/// Milliseconds in a [`VadFrame`].
pub const FRAME_MS: u32 = 20;
/// Samples in a [`VadFrame`].
pub const FRAME_SAMPLES: usize = 320;

/// Exactly 20 ms at 16 kHz; only a [`Framer`] makes one. (webrtc-vad accepts no other lengths than 10, 20 and 30 ms.)
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VadFrame([i16; FRAME_SAMPLES]);

impl VadFrame {
    #[must_use]
    pub fn samples(&self) -> &[i16; FRAME_SAMPLES] {
        &self.0
    }

    /// The frame times `gain` (at least 1), clipped.
    pub(super) fn amplified(&self, gain: f32) -> Self {
        let mut samples = self.0;
        level::amplify(&mut samples, gain);
        Self(samples)
    }
}

/// Cuts a stream of any chunking into frames; what does not fill one waits for more.
#[derive(Debug, Default)]
pub struct Framer {
    rest: Vec<i16>,
}

impl Framer {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes more of the stream and gives the frames it completes, in order.
    pub fn push(&mut self, audio: &Mono16k) -> Vec<VadFrame> {
        self.rest.extend_from_slice(audio.samples());
        let whole = self.rest.len() / FRAME_SAMPLES * FRAME_SAMPLES;
        let frames = self.rest[..whole]
            .chunks_exact(FRAME_SAMPLES)
            .map(|chunk| VadFrame(chunk.try_into().expect("chunks_exact gives chunks of that length")))
            .collect();
        self.rest.drain(..whole);
        frames
    }

    /// Fills the last frame with silence and gives it, if anything waits.
    pub fn flush(&mut self) -> Option<VadFrame> {
        if self.rest.is_empty() {
            return None;
        }
        let mut samples = [0; FRAME_SAMPLES];
        samples[..self.rest.len()].copy_from_slice(&self.rest);
        self.rest.clear();
        Some(VadFrame(samples))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_frames(
            samples in prop::collection::vec(any::<i16>(), 0..2_000),
            cuts in prop::collection::vec(0_usize..700, 0..12),
        ) {
            let mut framer = Framer::new();
            let (mut frames, mut rest) = (Vec::new(), Mono16k::from_resampled(samples.clone()));
            for cut in cuts {
                frames.extend(framer.push(&rest.take_front(cut)));
            }
            frames.extend(framer.push(&rest));
            frames.extend(framer.flush());
            prop_assert!(framer.flush().is_none());
            let mut joined: Vec<i16> = frames.iter().flat_map(|frame| *frame.samples()).collect();
            prop_assert!(joined[samples.len()..].iter().all(|&s| s == 0) && joined.len() < samples.len() + FRAME_SAMPLES);
            joined.truncate(samples.len());
            prop_assert_eq!(joined, samples);
        }
    }
}
