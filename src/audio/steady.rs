//! Sound of any rates in, sound of one rate out.

use super::{Pcm, RateConverter, SampleRate};

/// Brings a stream whose rate may change on its way (each voice has its own) to one rate.
pub struct Steady {
    to: SampleRate,
    /// `None` until a stretch comes that needs it.
    converter: Option<RateConverter>,
}

impl Steady {
    #[must_use]
    pub fn new(to: SampleRate) -> Self {
        Self { to, converter: None }
    }

    /// What can be told already of the stream so far.
    pub fn push(&mut self, pcm: &Pcm) -> Vec<i16> {
        let mut samples = vec![];
        if self.converter.as_ref().is_some_and(|converter| converter.from() != pcm.rate) {
            samples = self.finish();
        }
        if pcm.rate == self.to {
            samples.extend_from_slice(&pcm.samples);
        } else {
            let converter = self.converter.get_or_insert_with(|| RateConverter::new(pcm.rate, self.to));
            samples.extend(converter.push(&pcm.samples).samples);
        }
        samples
    }

    /// The rest.
    pub fn finish(&mut self) -> Vec<i16> {
        self.converter.take().map(|mut converter| converter.finish().samples).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_changes_its_rate_keeps_its_length() {
        let mut steady = Steady::new(SampleRate::HZ_24000);
        let mut length = 0;
        for rate in [SampleRate::HZ_24000, SampleRate::HZ_22050, SampleRate::HZ_22050, SampleRate::HZ_16000] {
            length += steady.push(&Pcm::new(rate, vec![100; rate.samples_in_ms(500)])).len();
        }
        length += steady.finish().len();
        assert!(length.abs_diff(48_000) <= 2, "{length}");
    }
}
