//! Brings quiet speech to the level that detectors and recognisers were trained on. Loud sound is left as it is.
//!
//! [`Gain`] looks at all of a recording first; [`Follower`] knows only what came so far.

use super::{Mono16k, VadFrame};

/// Samples over which loudness is taken: 20 ms.
const FRAME: usize = 320;
/// Root mean square of the loudest frames that is aimed at, of full scale: -20 dB.
const TARGET: f32 = 0.1;
/// Nothing is raised by more than 46 dB: the noise of a sound card is no speech.
const MOST: f32 = 200.0;
/// Of the frames, so many may be louder than what counts as the loudest: a click is not the speaker.
const LOUDEST: f32 = 0.98;

/// How much a recording is to be raised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gain(f32);

impl Gain {
    /// What brings the loudest of `audio` to the target.
    #[must_use]
    pub fn of(audio: &Mono16k) -> Self {
        let mut powers: Vec<f32> = audio.samples().chunks(FRAME).map(power).collect();
        if powers.is_empty() {
            return Self(1.0);
        }
        let at = (LOUDEST * (powers.len() - 1) as f32) as usize;
        let (_, loudest, _) = powers.select_nth_unstable_by(at, f32::total_cmp);
        Self(gain(loudest.sqrt(), MOST))
    }

    /// This gain for a part of a recording whose whole has the gain `whole`: at most 12 dB more, since a part may hold
    /// nothing but noise.
    #[must_use]
    pub fn within(self, whole: Self) -> Self {
        Self(self.0.min(whole.0 * 4.0))
    }

    #[must_use]
    pub fn raise(self, audio: &Mono16k) -> Mono16k {
        audio.amplified(self.0)
    }
}

/// `audio`, raised if it is quiet.
#[must_use]
pub fn normalized(audio: &Mono16k) -> Mono16k {
    Gain::of(audio).raise(audio)
}

/// Raises a stream frame by frame: at once less where it becomes louder, slowly more where it stays quiet.
#[derive(Debug, Clone)]
pub struct Follower {
    loudness: f32,
}

impl Follower {
    /// 34 dB at most: what is quieter cannot be told from a room's noise before it is over.
    const MOST: f32 = 50.0;
    /// How much quieter the loudest sound of so far counts with each frame: 6 dB a second.
    const FADE: f32 = 0.986;

    #[must_use]
    pub fn new() -> Self {
        Self { loudness: TARGET / Self::MOST }
    }

    /// Takes the stream's next frame; the frame as a detector shall hear it.
    pub fn raise(&mut self, frame: &VadFrame) -> VadFrame {
        let loudness = power(frame.samples()).sqrt();
        self.loudness = loudness.max(self.loudness * Self::FADE).max(TARGET / Self::MOST);
        frame.amplified(gain(self.loudness, Self::MOST))
    }
}

impl Default for Follower {
    fn default() -> Self {
        Self::new()
    }
}

/// What brings `loudness` to the target; at least 1.
fn gain(loudness: f32, most: f32) -> f32 {
    if loudness > 0.0 { (TARGET / loudness).clamp(1.0, most) } else { 1.0 }
}

/// Mean square, of full scale.
fn power(samples: &[i16]) -> f32 {
    samples.iter().map(|&s| (f32::from(s) / 32_768.0).powi(2)).sum::<f32>() / samples.len().max(1) as f32
}

/// `samples` times `gain`, clipped.
pub(super) fn amplify(samples: &mut [i16], gain: f32) {
    if gain > 1.0 {
        for sample in samples {
            *sample = (f32::from(*sample) * gain) as i16; // saturates
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{Framer, Pcm, Resampler, SampleRate};

    fn tone(level: i16) -> Mono16k {
        let samples = (0..16_000_i32).map(|i| if i / 20 % 2 == 0 { level } else { -level });
        Resampler::whole(&Pcm::new(SampleRate::HZ_16000, samples.collect()))
    }

    fn peak(samples: &[i16]) -> f32 {
        samples.iter().fold(0.0, |most, sample| most.max(f32::from(*sample).abs() / 32_768.0))
    }

    #[test]
    fn quiet_sound_is_raised_and_loud_sound_left_alone() {
        assert!((0.09..0.2).contains(&peak(normalized(&tone(100)).samples())));
        assert!((0.09..0.2).contains(&peak(normalized(&tone(1_000)).samples())));
        assert_eq!(normalized(&tone(9_000)), tone(9_000));
        assert_eq!(normalized(&Mono16k::silence(500)), Mono16k::silence(500));
        assert!(peak(normalized(&tone(1)).samples()) < 0.01, "nearly nothing stays nearly nothing");
        assert!(normalized(&Mono16k::default()).is_empty());
    }

    #[test]
    fn a_click_does_not_hide_a_quiet_speaker() {
        let mut samples = tone(100).samples().to_vec();
        samples[5_000] = i16::MAX;
        let raised = normalized(&Resampler::whole(&Pcm::new(SampleRate::HZ_16000, samples)));
        assert!(peak(&raised.samples()[9_000..9_100]) > 0.09);
    }

    #[test]
    fn a_follower_turns_down_at_once_and_up_slowly() {
        let mut follower = Follower::new();
        let mut heard = |audio: &Mono16k| -> Vec<f32> {
            Framer::new().push(audio).iter().map(|frame| peak(follower.raise(frame).samples())).collect()
        };
        let quiet = heard(&tone(200));
        assert!(quiet.iter().all(|peak| (0.09..0.35).contains(peak)), "{quiet:?}");
        assert!(heard(&tone(9_000)).iter().all(|peak| (0.2..0.4).contains(peak)));
        let again = heard(&tone(200));
        assert!(again[0] < 0.05 && again.is_sorted(), "{again:?}");
    }
}
