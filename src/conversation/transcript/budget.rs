//! What decoding an utterance may cost.

use std::time::Duration;

use super::MS;

/// Cost of a decode without word times, of one with.
const WITHOUT_TIMES: f32 = 0.7;

/// What the decodes of an utterance have cost, and one decode of all of it would.
pub(super) struct Budget {
    /// Samples up to which audio costs the encoder the same.
    flat: usize,
    pub(super) spent: Duration,
    /// Length in samples and cost of the last decode.
    last: Option<(usize, Duration)>,
    /// What one decode of the audio before the cut would have cost.
    front: Duration,
}

impl Budget {
    /// `flat_ms`: see [`TranscriptSettings`](super::TranscriptSettings).
    pub(super) fn new(flat_ms: u32) -> Self {
        Self { flat: flat_ms as usize * MS, spent: Duration::ZERO, last: None, front: Duration::ZERO }
    }

    /// Whether a decode of `length` samples, and `reserve` times another, stay within `ratio` times one decode of all.
    pub(super) fn allows(&self, length: usize, reserve: f32, ratio: f32) -> bool {
        let cost = self.cost(length);
        let whole = self.front + cost;
        self.spent + cost.mul_f32(1.0 + reserve) <= whole.mul_f32(ratio)
    }

    /// What a decode of `length` samples will cost, by what the last one did.
    fn cost(&self, length: usize) -> Duration {
        self.last.map_or(Duration::ZERO, |(last, cost)| cost.mul_f32(self.weight(length) / self.weight(last)))
    }

    pub(super) fn spent(&mut self, length: usize, cost: Duration, words: bool) {
        self.spent += cost;
        // One pass over all of it would not be asked for word times.
        self.last = Some((length, if words { cost.mul_f32(WITHOUT_TIMES) } else { cost }));
    }

    /// A decode was given up half way.
    pub(super) fn lost(&mut self) {
        if let Some((_, cost)) = self.last {
            self.spent += cost / 2;
        }
    }

    /// Relative cost of a decode: the words to write go with the length of the audio, the encoder's context too once that
    /// is above its floor.
    fn weight(&self, length: usize) -> f32 {
        let (length, flat) = (length as f32, self.flat as f32);
        0.3 * length + 0.7 * length.max(flat)
    }

    /// The first `samples` of `length` were cut off.
    pub(super) fn cut(&mut self, samples: usize, length: usize) {
        self.front += self.cost(length).mul_f32(samples as f32 / length.max(1) as f32);
    }
}
