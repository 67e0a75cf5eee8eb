//! FLAC, written as the sound comes.

use flacenc::{
    bitsink::ByteSink,
    component::{BitRepr, Stream, StreamInfo},
    config,
    error::{Verified, Verify},
    source::{Fill, FrameBuf},
};

use super::{Pcm, SampleRate, steady::Steady};

const RATE: SampleRate = SampleRate::HZ_24000;
/// Samples of a frame: 100 ms.
const FRAME: usize = 2_400;
/// The shortest frame the encoder makes; a shorter end is filled up with silence of a millisecond or two.
const SHORTEST: usize = 64;

/// So many samples wait for their end, 30 s: a short file's header then tells its length, without which libsndfile, and
/// whatever reads with it, takes no FLAC.
const HELD: u64 = 30 * RATE.hz() as u64;
/// Where the header has the length: the lower 36 bits of these bytes (RFC 9639, 8.2).
const LENGTH: std::ops::Range<usize> = 18..26;

/// A mono stream of 24 kHz and 16 bits. What [`push`](Self::push) and [`finish`](Self::finish) give, laid end to end, is
/// the file. Up to 30 s come at once, at the end; the header of a longer one leaves its length open, since it is not known
/// when it goes out. The checksum is always left open.
pub struct Flac {
    steady: Steady,
    config: Verified<config::Encoder>,
    info: StreamInfo,
    /// Frames made.
    frames: usize,
    /// Less than a frame.
    waiting: Vec<i32>,
    /// Samples made.
    samples: u64,
    /// What was made, from the header on; `None`: it is given as it is made.
    held: Option<Vec<u8>>,
}

impl Flac {
    #[must_use]
    pub fn new() -> Self {
        let config = config::Encoder::default().into_verified().expect("the encoder takes its own defaults");
        let mut info = StreamInfo::new(RATE.hz() as usize, 1, 16).expect("FLAC takes 24 kHz mono of 16 bits");
        info.set_block_sizes(FRAME, FRAME).expect("FLAC takes frames of 2400 samples");
        // In bytes: 0 says that they are not known (RFC 9639, 8.2).
        info.set_frame_sizes(0, 0).expect("two numbers");
        let mut header = ByteSink::new();
        let written = Stream::with_stream_info(info.clone()).write(&mut header);
        written.expect("memory takes all");
        Self {
            steady: Steady::new(RATE),
            config,
            info,
            frames: 0,
            waiting: vec![],
            samples: 0,
            held: Some(header.into_inner()),
        }
    }

    /// Takes more sound, at any rate, and gives what of the file may go out.
    pub fn push(&mut self, pcm: &Pcm) -> Vec<u8> {
        let samples = self.steady.push(pcm);
        let made = self.take(&samples);
        match &mut self.held {
            Some(held) => {
                held.extend(made);
                if self.samples > HELD { self.held.take().unwrap_or_default() } else { vec![] }
            }
            None => made,
        }
    }

    /// Ends the stream: the rest of the file.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        let rest = self.steady.finish();
        let mut made = self.take(&rest);
        let mut last = std::mem::take(&mut self.waiting);
        if !last.is_empty() {
            last.resize(last.len().max(SHORTEST), 0);
            made.extend(self.frame(&last));
        }
        let Some(mut file) = self.held.take() else { return made };
        if let Some(Ok(bytes)) = file.get(LENGTH).map(<[u8; 8]>::try_from) {
            file[LENGTH].copy_from_slice(&(u64::from_be_bytes(bytes) | self.samples).to_be_bytes());
        }
        file.extend(made);
        file
    }

    fn take(&mut self, samples: &[i16]) -> Vec<u8> {
        let mut made = vec![];
        self.waiting.extend(samples.iter().map(|sample| i32::from(*sample)));
        let waiting = std::mem::take(&mut self.waiting);
        let frames = waiting.chunks_exact(FRAME);
        frames.remainder().clone_into(&mut self.waiting);
        for frame in frames {
            made.extend(self.frame(frame));
        }
        made
    }

    /// One frame, of 64 samples at least.
    fn frame(&mut self, samples: &[i32]) -> Vec<u8> {
        let made = self.encoded(samples).unwrap_or_default();
        if made.is_empty() {
            tracing::warn!("a piece of a FLAC is lost");
        } else {
            self.samples += samples.len() as u64;
        }
        self.frames += 1;
        made
    }

    fn encoded(&self, samples: &[i32]) -> Option<Vec<u8>> {
        let mut buffer = FrameBuf::with_size(1, samples.len()).ok()?;
        buffer.fill_interleaved(samples).ok()?;
        let frame = flacenc::encode_fixed_size_frame(&self.config, &buffer, self.frames, &self.info).ok()?;
        let mut sink = ByteSink::new();
        frame.write(&mut sink).ok()?;
        Some(sink.into_inner())
    }
}

impl Default for Flac {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use std::{f64::consts::TAU, io::Cursor};

    use symphonia::{
        core::{
            codecs::audio::AudioDecoderOptions,
            formats::{FormatOptions, FormatReader, TrackType},
            io::{MediaSourceStream, MediaSourceStreamOptions},
        },
        default::{formats::FlacReader, get_codecs},
    };

    use super::*;

    fn tone(count: usize) -> Vec<i16> {
        let sample = |n| (9_000.0 * (TAU * 440.0 * f64::from(n) / f64::from(RATE.hz())).sin()) as i16;
        (0..count as u32).map(sample).collect()
    }

    fn played(file: Vec<u8>) -> Vec<i16> {
        let source = MediaSourceStream::new(Box::new(Cursor::new(file)), MediaSourceStreamOptions::default());
        let mut reader = FlacReader::try_new(source, FormatOptions::default()).expect("a FLAC");
        let track = reader.default_track(TrackType::Audio).expect("a track");
        let parameters = track.codec_params.as_ref().and_then(|all| all.audio()).expect("sound");
        assert_eq!(parameters.sample_rate, Some(RATE.hz()));
        let options = AudioDecoderOptions::default();
        let mut decoder = get_codecs().make_audio_decoder(parameters, &options).expect("a decoder");
        let mut samples = vec![];
        while let Some(packet) = reader.next_packet().expect("good frames") {
            let sound = decoder.decode(&packet).expect("a good frame");
            let mut piece = vec![0.0_f32; sound.samples_interleaved()];
            sound.copy_to_slice_interleaved(&mut piece);
            samples.extend(piece.into_iter().map(crate::audio::from_float));
        }
        samples
    }

    /// The length that a file tells; 0: it does not.
    fn told(file: &[u8]) -> u64 {
        u64::from_be_bytes(file[LENGTH].try_into().expect("eight bytes")) & ((1 << 36) - 1)
    }

    #[test]
    fn a_long_one_is_given_as_it_is_made() {
        let second = tone(RATE.hz() as usize);
        let mut stream = Flac::new();
        let mut pieces = vec![];
        for _ in 0..32 {
            pieces.push(stream.push(&Pcm::new(RATE, second.clone())));
        }
        let begun = pieces.iter().position(|piece| !piece.is_empty());
        assert_eq!(begun, Some(30), "30 s are held");
        assert!(!pieces[31].is_empty() && pieces[31].len() < pieces[30].len(), "then it goes on");
        pieces.push(stream.finish());
        let file = pieces.concat();
        assert_eq!((told(&file), played(file).len()), (0, 32 * second.len()));
    }

    #[test]
    fn every_sample_comes_back() {
        for count in [1, 63, 64, FRAME - 1, FRAME, FRAME + 1, 3 * FRAME + 777] {
            let sound = tone(count);
            let mut stream = Flac::new();
            let mut file = vec![];
            for piece in sound.chunks(1_000) {
                file.extend(stream.push(&Pcm::new(RATE, piece.to_vec())));
            }
            assert!(file.is_empty(), "a short one waits for its length");
            file.extend(stream.finish());
            assert!(file.starts_with(b"fLaC"), "the header comes first");
            let told = told(&file);
            let samples = played(file);
            assert_eq!(told, samples.len() as u64, "the header tells the length: {count}");
            assert_eq!(samples[..count], sound, "{count}");
            assert!(samples.len() < count + SHORTEST && samples[count..].iter().all(|sample| *sample == 0), "{count}");
        }
    }

    #[test]
    fn the_loudest_noise_and_other_rates_are_no_trouble() {
        let mut state = 1_u32;
        let noise = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as u16 as i16
        });
        let noise: Vec<i16> = noise.take(2 * FRAME).chain([i16::MIN; 100]).chain([i16::MAX; 100]).collect();
        let mut stream = Flac::new();
        let mut file = stream.push(&Pcm::new(RATE, noise.clone()));
        file.extend(stream.finish());
        assert_eq!(played(file), noise);
        let mut stream = Flac::new();
        let mut file = stream.push(&Pcm::new(SampleRate::HZ_22050, vec![100; 22_050]));
        file.extend(stream.finish());
        assert!(played(file).len().abs_diff(24_000) < SHORTEST);
    }

    #[test]
    fn no_sound_is_a_file_too() {
        assert_eq!(Flac::new().finish().len(), 42);
    }
}
