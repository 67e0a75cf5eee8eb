//! Changing the sample rate of a stream: [`Resampler`] on the way in, [`RateConverter`] on the way out.
//!
//! Both are rubato's windowed-sinc interpolation with a filter short enough for conversation: half its length, 3 ms at
//! 16 kHz and 6 ms at 8 kHz, is all it holds back, besides what does not fill a step of 5 ms. That start delay is cut
//! off, so the output's time is the input's time. What comes out does not depend on how the stream was cut.
//! 48 kHz to 16 kHz costs 0.65 ms of CPU per second of sound (docs/benchmarks.md names the machine).

use rubato::{
    Async, FixedAsync, Indexing, Resampler as _, SincInterpolationParameters, SincInterpolationType, WindowFunction,
    audioadapter_buffers::direct::InterleavedSlice, calculate_cutoff,
};

use super::{Mono16k, Pcm, SampleRate, codec::from_float};

/// Any accepted rate to the 16 kHz the engines hear; one per stream.
pub struct Resampler(Rate);

impl Resampler {
    #[must_use]
    pub fn new(from: SampleRate) -> Self {
        Self(Rate::new(from, SampleRate::HZ_16000))
    }

    /// The rate of what is pushed.
    #[must_use]
    pub const fn from(&self) -> SampleRate {
        self.0.from
    }

    /// Takes more of the stream, at the rate it was made for, and gives what can be told already.
    pub fn push(&mut self, samples: &[i16]) -> Mono16k {
        Mono16k::from_resampled(self.0.push(samples))
    }

    /// Gives the rest, so that the whole output is as long as the whole input, and starts afresh.
    pub fn finish(&mut self) -> Mono16k {
        Mono16k::from_resampled(self.0.finish())
    }

    /// A whole recording in one go.
    #[must_use]
    pub fn whole(pcm: &Pcm) -> Mono16k {
        Mono16k::from_resampled(Rate::new(pcm.rate, SampleRate::HZ_16000).whole(&pcm.samples))
    }
}

/// Any accepted rate to any other, for the sound of replies; one per stream.
pub struct RateConverter(Rate);

impl RateConverter {
    #[must_use]
    pub fn new(from: SampleRate, to: SampleRate) -> Self {
        Self(Rate::new(from, to))
    }

    /// The rate of what is pushed.
    #[must_use]
    pub const fn from(&self) -> SampleRate {
        self.0.from
    }

    /// Takes more of the stream, at the rate it was made for, and gives what can be told already.
    pub fn push(&mut self, samples: &[i16]) -> Pcm {
        Pcm::new(self.0.to, self.0.push(samples))
    }

    /// Gives the rest, so that the whole output is as long as the whole input, and starts afresh.
    pub fn finish(&mut self) -> Pcm {
        Pcm::new(self.0.to, self.0.finish())
    }

    /// A whole recording in one go.
    #[must_use]
    pub fn whole(pcm: &Pcm, to: SampleRate) -> Pcm {
        Pcm::new(to, Rate::new(pcm.rate, to).whole(&pcm.samples))
    }
}

/// Recordings of any usual rate, 4 000 to 192 000 Hz, to the 16 kHz the engines hear; one per recording.
pub struct FileResampler(Option<Filter>);

/// A sample rate that no recording of speech has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("sample rate must be 4000 to 192000 Hz, not {0}")]
pub struct FileRateError(pub u32);

impl FileResampler {
    /// # Errors
    /// [`FileRateError`] outside 4 000 to 192 000 Hz.
    pub fn new(hz: u32) -> Result<Self, FileRateError> {
        if !(4_000..=192_000).contains(&hz) {
            return Err(FileRateError(hz));
        }
        Ok(Self((hz != 16_000).then(|| Filter::new(hz, 16_000))))
    }

    /// Takes more of the recording and gives what can be told already.
    pub fn push(&mut self, samples: &[i16]) -> Mono16k {
        Mono16k::from_resampled(match &mut self.0 {
            Some(filter) => filter.push(samples),
            None => samples.to_vec(),
        })
    }

    /// Gives the rest, so that the whole output is as long as the whole input, and starts afresh.
    pub fn finish(&mut self) -> Mono16k {
        Mono16k::from_resampled(self.0.as_mut().map(Filter::finish).unwrap_or_default())
    }
}

/// Length of the filter in samples of the slower rate. With the Blackman window its pass band ends at 94 % of that
/// rate's half (7.5 kHz for 16 kHz) and aliases are 75 dB down.
const FILTER_LEN: f64 = 96.0;

/// Up to so many phases are tabulated and need no interpolation; 11 025 to 48 000 Hz has the most of the usual pairs.
const MAX_PHASES: u32 = 640;

struct Rate {
    from: SampleRate,
    to: SampleRate,
    /// `None` where the rates are the same.
    filter: Option<Filter>,
}

impl Rate {
    fn new(from: SampleRate, to: SampleRate) -> Self {
        Self { from, to, filter: (from != to).then(|| Filter::new(from.hz(), to.hz())) }
    }

    fn push(&mut self, samples: &[i16]) -> Vec<i16> {
        match &mut self.filter {
            Some(filter) => filter.push(samples),
            None => samples.to_vec(),
        }
    }

    fn finish(&mut self) -> Vec<i16> {
        self.filter.as_mut().map(Filter::finish).unwrap_or_default()
    }

    fn whole(mut self, samples: &[i16]) -> Vec<i16> {
        let mut all = self.push(samples);
        all.extend(self.finish());
        all
    }
}

struct Filter {
    inner: Async<f32>,
    /// Output samples per input sample.
    ratio: f64,
    /// Input that does not fill a step yet.
    waiting: Vec<f32>,
    /// Room for one step's output.
    made: Vec<f32>,
    /// Output samples before the stream's time 0.
    delay: usize,
    /// How many of them are still to be dropped.
    skip: usize,
    /// Input samples taken and output samples given since the start.
    taken: u64,
    given: u64,
}

impl Filter {
    fn new(from: u32, to: u32) -> Self {
        let ratio = f64::from(to) / f64::from(from);
        let window = WindowFunction::Blackman;
        let phases = to / greatest_common_divisor(from, to);
        let (factor, interpolation) = match phases {
            ..=MAX_PHASES => (phases as usize, SincInterpolationType::Nearest),
            _ => (128, SincInterpolationType::Cubic),
        };
        // rubato counts the filter in input samples; going down it must be longer to be as steep at the lower rate.
        let length = ((FILTER_LEN / ratio.min(1.0)) as usize).next_multiple_of(8);
        let parameters = SincInterpolationParameters::new(length, window)
            .f_cutoff(calculate_cutoff(FILTER_LEN as usize, window))
            .oversampling_factor(factor)
            .interpolation(interpolation);
        let step = from as usize / 200;
        let inner = Async::new_sinc(ratio, 1.0, &parameters, step, 1, FixedAsync::Input)
            .expect("accepted rates give a finite ratio above 0 and a step of at least 20 samples");
        // Output k stands at (k + 1) / ratio - length / 2 + 1 / factor input samples: drop those before 0.
        let delay = ((length as f64 / 2.0 - 1.0 / factor as f64) * ratio).round() as usize - 1;
        let made = vec![0.0; inner.output_frames_max()];
        Self { inner, ratio, waiting: Vec::new(), made, delay, skip: delay, taken: 0, given: 0 }
    }

    fn push(&mut self, samples: &[i16]) -> Vec<i16> {
        self.taken += samples.len() as u64;
        self.waiting.extend(samples.iter().map(|&s| f32::from(s) / 32_768.0));
        let step = self.inner.input_frames_next();
        let mut output = Vec::with_capacity((samples.len() as f64 * self.ratio) as usize + self.made.len());
        let mut from = 0;
        while self.waiting.len() - from >= step {
            self.step(from, step, &mut output);
            from += step;
        }
        self.waiting.drain(..from);
        self.given += output.len() as u64;
        output
    }

    fn finish(&mut self) -> Vec<i16> {
        let left = ((self.taken as f64 * self.ratio).round() as u64).saturating_sub(self.given) as usize;
        let mut output = Vec::with_capacity(left + self.made.len());
        let mut length = self.waiting.len();
        while output.len() < left {
            self.step(0, length, &mut output);
            length = 0; // silence from here on, until the filter has given all
        }
        output.truncate(left);
        self.inner.reset();
        self.waiting.clear();
        (self.skip, self.taken, self.given) = (self.delay, 0, 0);
        output
    }

    /// Filters one step: `length` waiting samples from `from` on, the rest of the step silence.
    fn step(&mut self, from: usize, length: usize, output: &mut Vec<i16>) {
        let input =
            InterleavedSlice::new(&self.waiting[from..from + length], 1, length).expect("the slice has that length");
        let room = self.made.len();
        let mut made = InterleavedSlice::new_mut(&mut self.made, 1, room).expect("the buffer has that length");
        let (_, count) = self
            .inner
            .process_into_buffer(&input, &mut made, Some(&Indexing::new().partial_len(length)))
            .expect("input and output are as long as the filter said");
        let skipped = self.skip.min(count);
        self.skip -= skipped;
        output.extend(self.made[skipped..count].iter().map(|&s| from_float(s)));
    }
}

const fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { greatest_common_divisor(b, a % b) }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use proptest::prelude::*;

    use super::*;

    fn rate(hz: u32) -> SampleRate {
        SampleRate::new(hz).expect("a rate of the tests")
    }

    fn tone(rate: SampleRate, hz: f64, count: usize) -> Vec<i16> {
        (0..count).map(|n| (12_000.0 * (TAU * hz * n as f64 / f64::from(rate.hz())).sin()) as i16).collect()
    }

    /// Root mean square of `a - b` over their middle, where no edge is near.
    fn difference(a: &[i16], b: &[i16]) -> f64 {
        let middle = 500..a.len().min(b.len()) - 500;
        let sum: f64 = middle.clone().map(|n| (f64::from(a[n]) - f64::from(b[n])).powi(2)).sum();
        (sum / middle.len() as f64).sqrt()
    }

    #[test]
    fn a_tone_keeps_its_pitch_its_level_and_its_time() {
        for (from, to) in
            [(48_000, 16_000), (44_100, 16_000), (8_000, 16_000), (22_050, 48_000), (24_000, 44_100), (12_347, 16_000)]
        {
            let (from, to) = (rate(from), rate(to));
            let length = from.hz() as usize;
            let got = RateConverter::whole(&Pcm::new(from, tone(from, 440.0, length)), to);
            let off = difference(&got.samples, &tone(to, 440.0, to.hz() as usize));
            // Half an output sample of shift at the worst.
            let bound = 8_500.0 * TAU * 440.0 / f64::from(to.hz()) / 2.0;
            assert!(off < bound, "{from} to {to}: differs by {off}");
            assert_eq!(got.samples.len(), to.hz() as usize, "{from} to {to}");
        }
    }

    #[test]
    fn recordings_may_have_studio_rates() {
        for hz in [4_000_u32, 11_025, 12_347, 16_000, 88_200, 96_000, 176_400, 192_000] {
            let samples: Vec<i16> =
                (0..hz).map(|n| (12_000.0 * (TAU * 440.0 * f64::from(n) / f64::from(hz)).sin()) as i16).collect();
            let mut resampler = FileResampler::new(hz).expect("a rate of files");
            let mut got = resampler.push(&samples);
            got.append(&resampler.finish());
            let off = difference(got.samples(), &tone(SampleRate::HZ_16000, 440.0, 16_000));
            assert!(off < 8_500.0 * TAU * 440.0 / 16_000.0 / 2.0, "{hz}: differs by {off}");
            assert_eq!(got.len(), 16_000, "{hz}");
        }
        assert!(FileResampler::new(3_999).is_err() && FileResampler::new(192_001).is_err());
    }

    #[test]
    fn what_16_khz_cannot_hold_is_filtered_out() {
        for hz in [9_000.0, 12_000.0, 15_500.0, 20_000.0] {
            let loud = Pcm::new(SampleRate::HZ_48000, tone(SampleRate::HZ_48000, hz, 48_000));
            let got = Resampler::whole(&loud);
            let off = difference(got.samples(), &vec![0; got.len()]);
            assert!(off < 4.0, "{hz} Hz leaks {off}");
        }
    }

    #[test]
    fn speech_band_passes_untouched() {
        for hz in [100.0, 3_000.0, 6_500.0, 7_000.0] {
            let from = SampleRate::HZ_48000;
            let got = Resampler::whole(&Pcm::new(from, tone(from, hz, 48_000)));
            let level = difference(got.samples(), &vec![0; got.len()]);
            assert!((level / (12_000.0 / 2.0_f64.sqrt()) - 1.0).abs() < 0.02, "{hz} Hz comes out at {level}");
        }
    }

    #[test]
    fn the_same_rate_is_left_alone() {
        let samples = tone(SampleRate::HZ_16000, 1_000.0, 777);
        assert_eq!(Resampler::whole(&Pcm::new(SampleRate::HZ_16000, samples.clone())).samples(), samples);
    }

    #[test]
    fn little_is_held_back() {
        for hz in [8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000] {
            let mut resampler = Resampler::new(rate(hz));
            let got = resampler.push(&vec![100; hz as usize]).len();
            assert!(got >= 16_000 - 16 * 12, "at {hz} Hz {got} of 16 000 samples are out");
        }
    }

    #[test]
    fn full_scale_clips_instead_of_wrapping() {
        let square: Vec<i16> = (0..48_000).map(|n| if n / 60 % 2 == 0 { i16::MAX } else { i16::MIN }).collect();
        let got = Resampler::whole(&Pcm::new(SampleRate::HZ_48000, square));
        // 400 Hz is 20 samples to either side; in the middle of each half the sign is the input's.
        for (n, &sample) in got.samples().iter().enumerate().skip(100).step_by(20).take(500) {
            let (middle, positive) = (got.samples()[(n + 10).min(got.len() - 1)], n / 20 % 2 == 0);
            assert_eq!(middle > 0, positive, "at {n}: {sample}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn any_chunking_gives_the_same_samples(
            from in prop::sample::select(vec![8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 12_347]),
            to in prop::sample::select(vec![8_000, 16_000, 24_000, 44_100, 48_000]),
            samples in prop::collection::vec(any::<i16>(), 0..4_000),
            cuts in prop::collection::vec(0_usize..900, 1..20),
        ) {
            let (from, to) = (rate(from), rate(to));
            let whole = RateConverter::whole(&Pcm::new(from, samples.clone()), to);
            let mut converter = RateConverter::new(from, to);
            // Twice, since finish() starts afresh.
            for _ in 0..2 {
                let mut pieces = Vec::new();
                let mut rest = &samples[..];
                for &cut in &cuts {
                    let (piece, after) = rest.split_at(cut.min(rest.len()));
                    pieces.extend(converter.push(piece).samples);
                    rest = after;
                }
                pieces.extend(converter.push(rest).samples);
                pieces.extend(converter.finish().samples);
                prop_assert_eq!(&pieces, &whole.samples);
            }
            let expected = samples.len() as f64 * f64::from(to.hz()) / f64::from(from.hz());
            prop_assert!((whole.samples.len() as f64 - expected).abs() <= 1.0);
        }
    }
}
