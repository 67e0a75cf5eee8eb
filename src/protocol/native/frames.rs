//! Binary frames: the microphone's bytes to [`Command::Audio`], the reply's sound to bytes.

use crate::{
    audio::{Decoder, Encoding, Pcm, SampleRate, encode},
    conversation::message::Command,
    model::TurnId,
};

/// Turn and chunk number before the samples of a reply's audio.
pub const HEADER_BYTES: usize = 8;

/// What one [`Command::Audio`] holds at most. A client may put minutes into one frame; the session's bound on
/// unprocessed audio counts pieces, so they must be small.
const PIECE_MS: u32 = 100;

/// The input of one socket, in the format it declared.
#[derive(Debug, Clone)]
pub struct Microphone {
    decoder: Decoder,
}

impl Microphone {
    #[must_use]
    pub fn new(encoding: Encoding, rate: SampleRate) -> Self {
        Self { decoder: Decoder::new(encoding, rate) }
    }

    /// Takes a frame, which may begin and end inside a sample, and gives what it completes, in order.
    pub fn hear(&mut self, bytes: &[u8]) -> impl Iterator<Item = Command> + use<> {
        let Pcm { rate, samples } = self.decoder.push(bytes);
        let piece = rate.samples_in_ms(PIECE_MS);
        let pieces = samples.len().div_ceil(piece);
        (0..pieces).map(move |i| {
            let end = samples.len().min((i + 1) * piece);
            Command::Audio(Pcm::new(rate, samples[i * piece..end].to_vec()))
        })
    }
}

/// A chunk of a reply's sound as a binary frame: `turn` and `chunk`, 32 bits little-endian each, then the samples.
#[must_use]
pub fn reply_audio(turn: TurnId, chunk: u32, audio: &Pcm, encoding: Encoding) -> Vec<u8> {
    let samples = encode(&audio.samples, encoding);
    let mut frame = Vec::with_capacity(HEADER_BYTES + samples.len());
    frame.extend_from_slice(&turn.0.to_le_bytes());
    frame.extend_from_slice(&chunk.to_le_bytes());
    frame.extend_from_slice(&samples);
    frame
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ENCODINGS: [Encoding; 4] = [Encoding::PcmS16le, Encoding::PcmF32le, Encoding::Mulaw, Encoding::Alaw];

    fn samples(commands: impl Iterator<Item = Command>) -> Vec<i16> {
        commands
            .flat_map(|command| match command {
                Command::Audio(pcm) => {
                    assert!(!pcm.samples.is_empty() && pcm.samples.len() <= 1600, "{}", pcm.samples.len());
                    pcm.samples
                }
                other => panic!("{other:?}"),
            })
            .collect()
    }

    proptest! {
        #[test]
        fn cutting_the_bytes_anywhere_gives_the_same_samples(
            bytes in prop::collection::vec(any::<u8>(), 0..9000),
            cuts in prop::collection::vec(0usize..9000, 0..20),
            encoding in prop::sample::select(ENCODINGS.to_vec()),
        ) {
            let whole = samples(Microphone::new(encoding, SampleRate::HZ_16000).hear(&bytes));
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).chain([0, bytes.len()]).collect();
            cuts.sort_unstable();
            let mut microphone = Microphone::new(encoding, SampleRate::HZ_16000);
            let mut joined = Vec::new();
            for pair in cuts.windows(2) {
                joined.extend(samples(microphone.hear(&bytes[pair[0]..pair[1]])));
            }
            prop_assert_eq!(joined, whole);
        }
    }

    #[test]
    fn a_chunk_carries_turn_and_number_before_its_samples() {
        let audio = Pcm::new(SampleRate::HZ_24000, vec![1, -2]);
        let frame = reply_audio(TurnId(0x0102_0304), 5, &audio, Encoding::PcmS16le);
        assert_eq!(frame, [4, 3, 2, 1, 5, 0, 0, 0, 1, 0, 0xfe, 0xff]);
    }
}
