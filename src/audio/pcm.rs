//! Samples with their rate: [`Pcm`] at any rate, [`Mono16k`] at the one the engines hear.

use std::{fmt, num::NonZeroU32, ops::Range, time::Duration};

/// A sample rate in Hz that this server accepts: 8 000 to 48 000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SampleRate(NonZeroU32);

/// A sample rate outside what is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sample rate must be 8000 to 48000 Hz, not {0}")]
pub struct RateError(pub u32);

impl SampleRate {
    pub const HZ_8000: Self = Self::known(8_000);
    /// What the VAD and the recogniser hear.
    pub const HZ_16000: Self = Self::known(16_000);
    pub const HZ_22050: Self = Self::known(22_050);
    pub const HZ_24000: Self = Self::known(24_000);
    pub const HZ_44100: Self = Self::known(44_100);
    pub const HZ_48000: Self = Self::known(48_000);

    const fn known(hz: u32) -> Self {
        Self(NonZeroU32::new(hz).expect("constant rates are not zero"))
    }

    /// # Errors
    /// [`RateError`] outside 8 000 to 48 000 Hz.
    pub const fn new(hz: u32) -> Result<Self, RateError> {
        match NonZeroU32::new(hz) {
            Some(rate) if hz >= 8_000 && hz <= 48_000 => Ok(Self(rate)),
            _ => Err(RateError(hz)),
        }
    }

    #[must_use]
    pub const fn hz(self) -> u32 {
        self.0.get()
    }

    /// How many samples `ms` milliseconds are, rounded down.
    #[must_use]
    pub const fn samples_in_ms(self, ms: u32) -> usize {
        (self.hz() as u64 * ms as u64 / 1000) as usize
    }
}

impl fmt::Display for SampleRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} Hz", self.0)
    }
}

/// Mono 16-bit samples at a stated rate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pcm {
    pub rate: SampleRate,
    pub samples: Vec<i16>,
}

impl Pcm {
    #[must_use]
    pub fn new(rate: SampleRate, samples: Vec<i16>) -> Self {
        Self { rate, samples }
    }

    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.samples.len() as f64 / f64::from(self.rate.hz()))
    }
}

/// Mono 16-bit samples at 16 kHz: what VAD and recogniser take. Only a resampler makes one out of foreign samples;
/// it can be cut, joined and raised, nothing else.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mono16k(Vec<i16>);

impl Mono16k {
    pub(super) fn from_resampled(samples: Vec<i16>) -> Self {
        Self(samples)
    }

    /// Digital silence of `ms` milliseconds.
    #[must_use]
    pub fn silence(ms: u32) -> Self {
        Self(vec![0; SampleRate::HZ_16000.samples_in_ms(ms)])
    }

    #[must_use]
    pub fn samples(&self) -> &[i16] {
        &self.0
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Length in milliseconds, rounded down.
    #[must_use]
    pub fn ms(&self) -> u32 {
        (self.0.len() / 16) as u32
    }

    /// The audio times `gain` (at least 1), clipped.
    pub(super) fn amplified(&self, gain: f32) -> Self {
        let mut samples = self.0.clone();
        super::level::amplify(&mut samples, gain);
        Self(samples)
    }

    /// Adds `other` at the end.
    pub fn append(&mut self, other: &Self) {
        self.0.extend_from_slice(&other.0);
    }

    /// Adds one frame at the end.
    pub fn append_frame(&mut self, frame: &super::VadFrame) {
        self.0.extend_from_slice(frame.samples());
    }

    /// The samples of `range`, clamped to what there is.
    #[must_use]
    pub fn slice(&self, range: Range<usize>) -> Self {
        let end = range.end.min(self.0.len());
        Self(self.0[range.start.min(end)..end].to_vec())
    }

    /// Removes the first `count` samples and gives them back.
    #[expect(clippy::return_self_not_must_use, reason = "dropping them is a use of its own")]
    pub fn take_front(&mut self, count: usize) -> Self {
        Self(self.0.drain(..count.min(self.0.len())).collect())
    }

    /// As floats of -1 to 1, the form Whisper takes.
    #[must_use]
    pub fn to_f32(&self) -> Vec<f32> {
        self.0.iter().map(|&s| f32::from(s) / 32_768.0).collect()
    }
}
