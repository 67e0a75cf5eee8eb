//! The utterance that callers say: a WAV file, cut into frames, and where in it somebody speaks.

use std::{ops::Range, path::Path, time::Duration};

/// What goes into one binary frame.
pub const FRAME_MS: u64 = 20;
/// Loudness is looked at in steps of this.
const STEP_MS: u64 = 10;
/// Steps this far below the loudest one count as silence.
const QUIET: f64 = 0.0316; // -30 dB

/// See the module.
#[derive(Debug, Clone)]
pub struct Recording {
    pub name: String,
    pub rate: u32,
    /// Signed 16-bit little-endian samples, mono; the last frame is filled with silence.
    frames: Vec<Vec<u8>>,
    /// From the first loud step to the end of the last.
    pub speech: Range<Duration>,
}

impl Recording {
    /// # Errors
    /// What is wrong with the file.
    pub fn read(path: &Path) -> Result<Self, String> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let wrong = |problem: String| format!("{}: {problem}", path.display());
        let mut reader = hound::WavReader::open(path).map_err(|error| wrong(error.to_string()))?;
        let spec = reader.spec();
        let channels = usize::from(spec.channels);
        let samples: Result<Vec<f64>, _> = match spec.sample_format {
            hound::SampleFormat::Int => {
                let full = f64::from(1u32 << (spec.bits_per_sample - 1));
                reader.samples::<i32>().map(|sample| sample.map(|s| f64::from(s) / full)).collect()
            }
            hound::SampleFormat::Float => reader.samples::<f32>().map(|sample| sample.map(f64::from)).collect(),
        };
        let samples = samples.map_err(|error| wrong(error.to_string()))?;
        let mono: Vec<i16> = samples
            .chunks_exact(channels)
            .map(|frame| (frame.iter().sum::<f64>() / channels as f64 * 32_768.0) as i16)
            .collect();
        Self::new(name, spec.sample_rate, &mono).map_err(wrong)
    }

    /// # Errors
    /// A rate that no server takes, or a recording in which nobody speaks.
    pub fn new(name: String, rate: u32, samples: &[i16]) -> Result<Self, String> {
        if !(8_000..=48_000).contains(&rate) {
            return Err(format!("{rate} Hz is not 8000 to 48000 Hz\nhint: resample it first"));
        }
        let speech = speech(samples, rate).ok_or("nobody speaks in it")?;
        let per_frame = samples_in(FRAME_MS, rate);
        let frames = samples
            .chunks(per_frame)
            .map(|chunk| {
                let mut bytes: Vec<u8> = chunk.iter().flat_map(|sample| sample.to_le_bytes()).collect();
                bytes.resize(per_frame * 2, 0);
                bytes
            })
            .collect();
        Ok(Self { name, rate, frames, speech })
    }

    /// The frame at `index`; silence after the end.
    pub fn frame(&self, index: usize) -> Vec<u8> {
        self.frames.get(index).cloned().unwrap_or_else(|| self.silence())
    }

    pub fn silence(&self) -> Vec<u8> {
        vec![0; samples_in(FRAME_MS, self.rate) * 2]
    }

    pub fn duration(&self) -> Duration {
        Duration::from_millis(self.frames.len() as u64 * FRAME_MS)
    }
}

fn samples_in(ms: u64, rate: u32) -> usize {
    (u64::from(rate) * ms / 1_000) as usize
}

fn speech(samples: &[i16], rate: u32) -> Option<Range<Duration>> {
    let loudness: Vec<f64> = samples
        .chunks(samples_in(STEP_MS, rate))
        .map(|step| (step.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / step.len() as f64).sqrt())
        .collect();
    let loudest = loudness.iter().copied().fold(0.0, f64::max);
    // Quieter than this is a recording of nothing: dither, hum.
    if loudest < 100.0 {
        return None;
    }
    let loud = |step: &&f64| **step > loudest * QUIET;
    let first = loudness.iter().position(|step| loud(&step))?;
    let last = loudness.iter().rposition(|step| loud(&step))?;
    let at = |step: usize| Duration::from_millis(step as u64 * STEP_MS);
    Some(at(first)..at(last + 1))
}

#[cfg(test)]
pub mod tests {
    use super::*;

    /// 300 ms of silence, `voice_ms` of a tone, 200 ms of silence.
    pub fn tone(rate: u32, voice_ms: u64) -> Vec<i16> {
        let silence = |ms| vec![0; samples_in(ms, rate)];
        let voice = (0..samples_in(voice_ms, rate))
            .map(|i| ((i as f64 * 300.0 * std::f64::consts::TAU / f64::from(rate)).sin() * 8_000.0) as i16);
        silence(300).into_iter().chain(voice).chain(silence(200)).collect()
    }

    #[test]
    fn speech_is_found_where_it_is() {
        for rate in [8_000, 16_000, 22_050, 48_000] {
            let recording = Recording::new("tone".into(), rate, &tone(rate, 500)).expect("it is loud");
            let Range { start, end } = recording.speech;
            let near = |at: Duration, ms: u64| at.abs_diff(Duration::from_millis(ms)) <= Duration::from_millis(STEP_MS);
            assert!(near(start, 300) && near(end, 800), "{rate} Hz: {start:?} to {end:?}");
            assert!(near(recording.duration(), 1_000), "{:?}", recording.duration());
            assert_eq!(recording.frame(0).len(), recording.frame(1_000_000).len());
        }
    }

    #[test]
    fn silence_and_odd_rates_are_refused() {
        assert!(Recording::new("x".into(), 16_000, &vec![3; 16_000]).is_err());
        assert!(Recording::new("x".into(), 16_000, &[]).is_err());
        assert!(Recording::new("x".into(), 96_000, &tone(96_000, 500)).is_err());
    }

    #[test]
    fn a_stereo_file_is_mixed() {
        let folder = std::env::temp_dir().join(format!("loadtest-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the scratch folder can be made");
        let path = folder.join("stereo.wav");
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate: 16_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(&path, spec).expect("a file");
        for sample in tone(16_000, 400) {
            writer.write_sample(sample).and_then(|()| writer.write_sample(sample / 2)).expect("a sample");
        }
        writer.finalize().expect("a whole file");
        let recording = Recording::read(&path);
        std::fs::remove_dir_all(&folder).expect("our own folder");
        let recording = recording.expect("a readable file");
        assert_eq!((recording.rate, recording.duration().as_millis()), (16_000, 900));
    }
}
