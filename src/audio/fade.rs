//! Soft edges, so that a reply that begins or stops does not click.

use std::f32::consts::PI;

use super::Pcm;

/// Raises the first `ms` milliseconds out of silence, along half a cosine.
pub fn fade_in(pcm: &mut Pcm, ms: u32) {
    let length = pcm.rate.samples_in_ms(ms).min(pcm.samples.len());
    shape(pcm.samples[..length].iter_mut(), length);
}

/// Sinks the last `ms` milliseconds into silence, along half a cosine.
pub fn fade_out(pcm: &mut Pcm, ms: u32) {
    let length = pcm.rate.samples_in_ms(ms).min(pcm.samples.len());
    let start = pcm.samples.len() - length;
    shape(pcm.samples[start..].iter_mut().rev(), length);
}

fn shape<'a>(samples: impl Iterator<Item = &'a mut i16>, length: usize) {
    for (n, sample) in samples.enumerate() {
        let gain = 0.5 - 0.5 * (PI * n as f32 / length as f32).cos();
        *sample = (f32::from(*sample) * gain) as i16;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::SampleRate;

    #[test]
    fn edges_are_silent_and_the_middle_is_untouched() {
        let mut pcm = Pcm::new(SampleRate::HZ_8000, vec![10_000; 800]);
        fade_in(&mut pcm, 10);
        fade_out(&mut pcm, 20);
        assert_eq!((pcm.samples[0], pcm.samples[799]), (0, 0));
        assert!(pcm.samples[..80].is_sorted() && pcm.samples[640..].iter().rev().is_sorted());
        assert!(pcm.samples[80..640].iter().all(|&s| s == 10_000));
    }

    #[test]
    fn shorter_than_the_fade() {
        let mut pcm = Pcm::new(SampleRate::HZ_48000, vec![5_000; 7]);
        fade_in(&mut pcm, 100);
        fade_out(&mut pcm, 100);
        assert_eq!((pcm.samples.len(), pcm.samples[0], pcm.samples[6]), (7, 0, 0));
        fade_in(&mut Pcm::new(SampleRate::HZ_48000, vec![]), 5);
    }
}
