//! From what a voice computes to samples that can be joined with others.

/// Fades both edges over this many milliseconds, so that pieces join without a click.
const FADE_MS: usize = 3;
/// The loudest sample after [`finish`], as Piper's own programs play their voices: just below full scale.
const PEAK: f32 = 0.95;
/// Quieter sound than this is not raised to [`PEAK`]: it is breath, not speech.
const QUIET: f32 = 0.05;
/// Below this share of the loudest sample there is silence at the edges.
const SILENT: f32 = 0.01;
/// Of the silence a voice begins with, so much is kept: it is time that somebody waits.
const LEAD_MS: usize = 25;
/// Of the silence behind a clause, so much is kept: with all of it the sentence would fall apart where it was cut.
const TAIL_MS: usize = 70;

/// `samples` of -1 to 1 as 16-bit, brought to an even loudness, edges faded, followed by `pause_ms` of silence.
/// `goes_on`: a sentence that is not over.
pub(super) fn finish(samples: &[f32], hz: u32, pause_ms: u32, goes_on: bool) -> Vec<i16> {
    let clean = |sample: f32| if sample.is_finite() { sample } else { 0.0 };
    let loudest = samples.iter().map(|&sample| clean(sample).abs()).fold(0.0, f32::max);
    let samples = trimmed(samples, hz, loudest.max(QUIET) * SILENT, goes_on);
    let gain = PEAK / loudest.max(QUIET) * f32::from(i16::MAX);
    let fade = (hz as usize * FADE_MS / 1000).min(samples.len() / 2).max(1);
    let last = samples.len().saturating_sub(1);
    let faded = samples.iter().enumerate().map(|(at, &sample)| {
        let from_edge = at.min(last - at).min(fade);
        (clean(sample) * gain * (from_edge as f32 / fade as f32)) as i16
    });
    let pause = (u64::from(hz) * u64::from(pause_ms) / 1000) as usize;
    faded.chain(std::iter::repeat_n(0, pause)).collect()
}

/// `samples` without most of the silence at their edges; behind a sentence it stays.
fn trimmed(samples: &[f32], hz: u32, silent: f32, goes_on: bool) -> &[f32] {
    let loud = |sample: &f32| sample.abs() > silent;
    let (Some(first), Some(last)) = (samples.iter().position(loud), samples.iter().rposition(loud)) else {
        return samples;
    };
    let kept = |ms: usize| hz as usize * ms / 1000;
    let start = first.saturating_sub(kept(LEAD_MS));
    let end = if goes_on { (last + 1 + kept(TAIL_MS)).min(samples.len()) } else { samples.len() };
    &samples[start..end]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_at_the_edges_is_shortened() {
        let voice = [vec![0.0; 4_800], vec![0.5; 4_800], vec![0.001; 9_600]].concat();
        let (over, goes_on) = (finish(&voice, 48_000, 0, false), finish(&voice, 48_000, 0, true));
        assert_eq!((over.len(), goes_on.len()), (1_200 + 4_800 + 9_600, 1_200 + 4_800 + 3_360));
        assert_eq!(finish(&[0.0; 500], 48_000, 0, true).len(), 500, "nothing but silence");
    }

    #[test]
    fn edges_are_silent_the_middle_is_loud_and_the_pause_follows() {
        let sound = finish(&[0.5; 2205], 22_050, 100, false);
        assert_eq!(sound.len(), 2205 + 2205);
        assert_eq!((sound[0], sound[2204]), (0, 0));
        assert!(sound[1000] > 31_000);
        assert!(sound.windows(2).all(|pair| pair[0].abs_diff(pair[1]) < 1_000), "no click");
        assert!(sound[2205..].iter().all(|&sample| sample == 0));
    }

    #[test]
    fn odd_input_is_survived() {
        assert!(finish(&[], 22_050, 0, true).is_empty());
        assert_eq!(finish(&[1.0], 22_050, 0, true), [0]);
        let broken = [f32::NAN, f32::INFINITY, 0.1, -0.1, f32::NEG_INFINITY, 0.0];
        assert_eq!(finish(&broken, 48_000, 0, true).len(), 6);
        let loudest = finish(&[0.001; 1000], 22_050, 0, true).into_iter().max();
        assert!(loudest < Some(1_000), "quiet breath stays quiet");
    }
}
