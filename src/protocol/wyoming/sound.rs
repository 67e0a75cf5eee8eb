//! A client's samples, of whatever width, rate and number of channels, to what sessions hear.

use super::wire::AudioFormat;
use crate::audio::{FileResampler, Pcm, SampleRate};

/// More channels than this are no recording of a voice.
const MAX_CHANNELS: u32 = 32;

/// One stream of sound; its format may change on the way.
#[derive(Default)]
pub struct Sound {
    format: Option<Format>,
    resampler: Option<FileResampler>,
    /// The beginning of a sample of all channels that is not whole yet.
    rest: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Format {
    rate: u32,
    width: usize,
    channels: usize,
}

/// Samples that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("sound cannot be read: {0}")]
pub struct BadSound(String);

impl Sound {
    /// Takes more bytes and gives the samples they complete, at 16 kHz.
    ///
    /// # Errors
    /// [`BadSound`]; nothing is taken then.
    pub fn push(&mut self, format: AudioFormat, bytes: &[u8]) -> Result<Pcm, BadSound> {
        let mut samples = self.change(format)?;
        let Some(format) = self.format else { return Ok(Pcm::new(SampleRate::HZ_16000, samples)) };
        self.rest.extend_from_slice(bytes);
        let size = format.width * format.channels;
        let whole = self.rest.len() / size * size;
        let mono: Vec<i16> =
            self.rest.drain(..whole).as_slice().chunks_exact(size).map(|all| mix(all, format)).collect();
        if let Some(resampler) = &mut self.resampler {
            samples.extend_from_slice(resampler.push(&mono).samples());
        }
        Ok(Pcm::new(SampleRate::HZ_16000, samples))
    }

    /// The rest of the stream.
    pub fn finish(&mut self) -> Pcm {
        let rest = self.resampler.take().map(|mut resampler| resampler.finish().samples().to_vec());
        *self = Self::default();
        Pcm::new(SampleRate::HZ_16000, rest.unwrap_or_default())
    }

    /// Gives what was left of the old format, if it is another.
    fn change(&mut self, format: AudioFormat) -> Result<Vec<i16>, BadSound> {
        let AudioFormat { rate, width, channels, .. } = format;
        let (width, channels) = (width.unwrap_or(2), channels.unwrap_or(1));
        if !(1..=4).contains(&width) {
            return Err(BadSound(format!("samples have 1 to 4 bytes, not {width}")));
        }
        if !(1..=MAX_CHANNELS).contains(&channels) {
            return Err(BadSound(format!("there are 1 to {MAX_CHANNELS} channels, not {channels}")));
        }
        let format = Format { rate: rate.unwrap_or(16_000), width: width as usize, channels: channels as usize };
        if self.format == Some(format) {
            return Ok(Vec::new());
        }
        let resampler = FileResampler::new(format.rate).map_err(|error| BadSound(error.to_string()))?;
        let left = self.finish().samples;
        (self.format, self.resampler) = (Some(format), Some(resampler));
        Ok(left)
    }
}

/// The mean of one sample's channels.
fn mix(all: &[u8], format: Format) -> i16 {
    let sum: i32 = all.chunks_exact(format.width).map(|bytes| i32::from(sample(bytes))).sum();
    (sum / format.channels.max(1) as i32) as i16
}

/// The upper 16 bits of a little-endian sample; those of one byte have no sign, as in WAV files.
fn sample(bytes: &[u8]) -> i16 {
    match *bytes {
        [only] => (i16::from(only) - 128) << 8,
        [.., low, high] => i16::from_le_bytes([low, high]),
        [] => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format(rate: u32, width: u32, channels: u32) -> AudioFormat {
        AudioFormat { rate: Some(rate), width: Some(width), channels: Some(channels), timestamp: None }
    }

    #[test]
    fn every_width_means_the_same_sound() {
        for (width, bytes) in [
            (1, vec![128, 192]),
            (2, vec![0, 0, 0, 64]),
            (3, vec![9, 0, 0, 9, 0, 64]),
            (4, vec![9, 9, 0, 0, 9, 9, 0, 64]),
        ] {
            let pcm = Sound::default().push(format(16_000, width, 1), &bytes).expect("readable");
            assert_eq!(pcm.samples, [0, 16_384], "{width}");
        }
    }

    #[test]
    fn channels_are_mixed_and_samples_may_be_cut_anywhere() {
        let bytes = [0, 64, 0, 32, 0, 64, 0, 224];
        let mut sound = Sound::default();
        let samples: Vec<i16> = bytes
            .chunks(3)
            .flat_map(|piece| sound.push(format(16_000, 2, 2), piece).expect("readable").samples)
            .collect();
        assert_eq!(samples, [12_288, 4_096]);
    }

    #[test]
    fn any_rate_becomes_16_khz_and_may_change() {
        let mut sound = Sound::default();
        let mut samples = 0;
        for rate in [8_000, 44_100, 96_000, 16_000] {
            let second = vec![0; rate as usize * 2];
            samples += sound.push(format(rate, 2, 1), &second).expect("readable").samples.len();
        }
        samples += sound.finish().samples.len();
        assert!((63_990..=64_010).contains(&samples), "{samples}");
    }

    #[test]
    fn what_is_no_sound_is_refused() {
        for wrong in
            [format(0, 2, 1), format(16_000, 0, 1), format(16_000, 5, 1), format(16_000, 2, 0), format(1, 2, 99)]
        {
            assert!(Sound::default().push(wrong, &[0; 8]).is_err(), "{wrong:?}");
        }
    }
}
