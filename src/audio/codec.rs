//! Sample encodings on the wire: bytes to samples and back.

use serde::{Deserialize, Serialize};

use super::{Pcm, SampleRate};

/// How samples are written as bytes; always mono.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Encoding {
    /// Signed 16-bit little-endian.
    #[default]
    #[serde(rename = "pcm_s16le")]
    PcmS16le,
    /// 32-bit float little-endian, -1 to 1.
    #[serde(rename = "pcm_f32le")]
    PcmF32le,
    /// G.711 mu-law.
    #[serde(rename = "mulaw")]
    Mulaw,
    /// G.711 A-law.
    #[serde(rename = "alaw")]
    Alaw,
}

impl Encoding {
    /// Bytes in one sample.
    #[must_use]
    pub const fn bytes_per_sample(self) -> usize {
        match self {
            Self::PcmS16le => 2,
            Self::PcmF32le => 4,
            Self::Mulaw | Self::Alaw => 1,
        }
    }
}

/// Bytes to samples, for a stream cut anywhere: the bytes of a sample that is not whole yet wait for the rest.
///
/// Floats beyond -1 to 1 and infinities are clipped, NaN becomes silence.
#[derive(Debug, Clone)]
pub struct Decoder {
    encoding: Encoding,
    rate: SampleRate,
    /// The beginning of a sample, shorter than one.
    rest: Vec<u8>,
}

impl Decoder {
    #[must_use]
    pub const fn new(encoding: Encoding, rate: SampleRate) -> Self {
        Self { encoding, rate, rest: Vec::new() }
    }

    /// Takes more of the stream and gives the samples it completes, possibly none.
    pub fn push(&mut self, mut bytes: &[u8]) -> Pcm {
        let width = self.encoding.bytes_per_sample();
        let mut samples = Vec::with_capacity((self.rest.len() + bytes.len()) / width);
        if !self.rest.is_empty() {
            let missing = (width - self.rest.len()).min(bytes.len());
            self.rest.extend_from_slice(&bytes[..missing]);
            bytes = &bytes[missing..];
            if self.rest.len() < width {
                return Pcm::new(self.rate, samples);
            }
            decode(&self.rest, self.encoding, &mut samples);
            self.rest.clear();
        }
        let whole = bytes.len() / width * width;
        decode(&bytes[..whole], self.encoding, &mut samples);
        self.rest.extend_from_slice(&bytes[whole..]);
        Pcm::new(self.rate, samples)
    }
}

/// Samples to bytes.
#[must_use]
pub fn encode(samples: &[i16], encoding: Encoding) -> Vec<u8> {
    match encoding {
        Encoding::PcmS16le => samples.iter().flat_map(|s| s.to_le_bytes()).collect(),
        Encoding::PcmF32le => samples.iter().flat_map(|&s| (f32::from(s) / 32_768.0).to_le_bytes()).collect(),
        Encoding::Mulaw => samples.iter().map(|&s| to_mulaw(s)).collect(),
        Encoding::Alaw => samples.iter().map(|&s| to_alaw(s)).collect(),
    }
}

/// `bytes` holds whole samples only.
fn decode(bytes: &[u8], encoding: Encoding, into: &mut Vec<i16>) {
    match encoding {
        Encoding::PcmS16le => into.extend(bytes.chunks_exact(2).map(|b| i16::from_le_bytes([b[0], b[1]]))),
        Encoding::PcmF32le => {
            into.extend(bytes.chunks_exact(4).map(|b| from_float(f32::from_le_bytes([b[0], b[1], b[2], b[3]]))));
        }
        Encoding::Mulaw => into.extend(bytes.iter().map(|&b| from_mulaw(b))),
        Encoding::Alaw => into.extend(bytes.iter().map(|&b| from_alaw(b))),
    }
}

/// -1 to 1 becomes the full range of 16 bits; what lies outside is clipped, and what is no number is silence.
#[must_use]
pub fn from_float(sample: f32) -> i16 {
    // A float-to-integer cast saturates and turns NaN into 0: just what is wanted here.
    (sample * 32_768.0).round() as i16
}

// ITU-T G.711: a sign, three bits of exponent (the segment) and four of mantissa. Both laws store the code with bits
// inverted: mu-law all of them, A-law every second one. Samples are the standard's 14 (mu) or 13 (A) bits, shifted up
// to 16; negative ones are taken by one's complement, as the ITU's own G.191 software does.

/// What mu-law adds to a magnitude, in 16-bit units, so that every segment begins at a power of two.
const MU_BIAS: i16 = 0x84;

fn from_mulaw(code: u8) -> i16 {
    let code = !code;
    let (segment, step) = (code >> 4 & 7, i16::from(code & 15));
    let magnitude = (((step << 3) + MU_BIAS) << segment) - MU_BIAS;
    if code & 0x80 == 0 { magnitude } else { -magnitude }
}

fn to_mulaw(sample: i16) -> u8 {
    let (sign, magnitude) = if sample < 0 { (0x80, !sample) } else { (0, sample) };
    let biased = ((magnitude >> 2) + (MU_BIAS >> 2)).min(0x1fff);
    // The bias makes it at least 33, so bit 5 or a higher one is the first set.
    let segment = 10 - biased.leading_zeros() as i16;
    let step = biased >> (segment + 1) & 15;
    !(sign | (segment << 4 | step) as u8)
}

fn from_alaw(code: u8) -> i16 {
    let code = code ^ 0x55;
    let (segment, step) = (code >> 4 & 7, i16::from(code & 15));
    let magnitude = match segment {
        0 => (step << 4) + 8,
        _ => ((step << 4) + 0x108) << (segment - 1),
    };
    if code & 0x80 == 0 { -magnitude } else { magnitude }
}

fn to_alaw(sample: i16) -> u8 {
    let (sign, magnitude) = if sample < 0 { (0, !sample >> 4) } else { (0x80, sample >> 4) };
    let code = if magnitude < 16 {
        magnitude
    } else {
        // Bit 4 or a higher one, up to bit 10, is the first set.
        let segment = 12 - magnitude.leading_zeros() as i16;
        segment << 4 | (magnitude >> (segment - 1) & 15)
    };
    (sign | code as u8) ^ 0x55
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ALL: [Encoding; 4] = [Encoding::PcmS16le, Encoding::PcmF32le, Encoding::Mulaw, Encoding::Alaw];

    #[test]
    fn g711_ends_and_middle() {
        // `sox` gives the same, save that it takes -1 for a positive zero.
        for (sample, mu, a) in
            [(0, 0xff, 0xd5), (i16::MAX, 0x80, 0xaa), (i16::MIN, 0x00, 0x2a), (-1, 0x7f, 0x55), (1000, 0xce, 0xfa)]
        {
            assert_eq!(to_mulaw(sample), mu, "mu-law of {sample}");
            assert_eq!(to_alaw(sample), a, "A-law of {sample}");
        }
        assert_eq!(from_mulaw(0x80), 32_124);
        assert_eq!(from_mulaw(0x00), -32_124);
        assert_eq!(from_alaw(0xaa), 32_256);
        assert_eq!(from_alaw(0xd5), 8);
    }

    #[test]
    fn every_g711_code_survives() {
        for code in 0..=255 {
            assert_eq!(to_alaw(from_alaw(code)), code);
            // Mu-law has two zeros; the negative one comes back as the positive.
            assert_eq!(to_mulaw(from_mulaw(code)), if code == 0x7f { 0xff } else { code });
        }
    }

    #[test]
    fn g711_error_is_within_half_a_step() {
        for sample in i16::MIN..=i16::MAX {
            let size = i32::from(sample).abs();
            let mu = (i32::from(from_mulaw(to_mulaw(sample))) - i32::from(sample)).abs();
            let a = (i32::from(from_alaw(to_alaw(sample))) - i32::from(sample)).abs();
            // Steps are a sixteenth of their segment's beginning; the last mu-law code stands for all above 32 124.
            assert!(mu <= (size + 132) / 32 + 4 || size > 32_124, "mu-law of {sample} is off by {mu}");
            assert!(a <= (size / 32 + 1).max(16), "A-law of {sample} is off by {a}");
        }
    }

    #[test]
    fn wild_floats_are_clipped() {
        let wild = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 7.5, -7.5, 1e-42, 0.5];
        let bytes: Vec<u8> = wild.iter().flat_map(|f| f.to_le_bytes()).collect();
        let mut decoder = Decoder::new(Encoding::PcmF32le, SampleRate::HZ_16000);
        let samples = decoder.push(&bytes).samples;
        assert_eq!(samples, [0, i16::MAX, i16::MIN, i16::MAX, i16::MIN, 0, 16_384]);
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_samples(
            bytes in prop::collection::vec(any::<u8>(), 0..300),
            cuts in prop::collection::vec(0_usize..9, 1..60),
        ) {
            for encoding in ALL {
                let whole = Decoder::new(encoding, SampleRate::HZ_8000).push(&bytes);
                let mut decoder = Decoder::new(encoding, SampleRate::HZ_8000);
                let mut pieces = Vec::new();
                let mut rest = &bytes[..];
                for cut in cuts.iter().cycle().take(400) {
                    let (piece, after) = rest.split_at((*cut).min(rest.len()));
                    pieces.extend(decoder.push(piece).samples);
                    rest = after;
                }
                pieces.extend(decoder.push(rest).samples);
                prop_assert_eq!(&pieces, &whole.samples);
                prop_assert_eq!(whole.samples.len(), bytes.len() / encoding.bytes_per_sample());
            }
        }

        #[test]
        fn linear_encodings_lose_nothing(samples in prop::collection::vec(any::<i16>(), 0..200)) {
            for encoding in [Encoding::PcmS16le, Encoding::PcmF32le] {
                let back = Decoder::new(encoding, SampleRate::HZ_48000).push(&encode(&samples, encoding));
                prop_assert_eq!(&back.samples, &samples);
            }
        }
    }
}
