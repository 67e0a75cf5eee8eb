//! MP3, written as the sound comes.

use mp3lame_encoder::{
    Bitrate, BuildError, Builder, Encoder, FlushGap, Mode, MonoPcm, Quality, max_required_buffer_size,
};

use super::{Pcm, SampleRate, steady::Steady};

const RATE: SampleRate = SampleRate::HZ_24000;
/// What LAME may give at its end.
const LAST: usize = 7_200;

/// A mono stream of 24 kHz and 64 kbit/s. What [`push`](Self::push) and [`finish`](Self::finish) give, laid end to end,
/// is the file. It has no header that tells its length, since that is not known: players find some 50 ms of silence at
/// its start and as much at its end, which is how MP3 is.
pub struct Mp3 {
    steady: Steady,
    encoder: Encoder,
}

impl Mp3 {
    #[must_use]
    pub fn new() -> Self {
        let encoder = encoder().expect("LAME takes 24 kHz mono at 64 kbit/s, and fails only without memory");
        Self { steady: Steady::new(RATE), encoder }
    }

    /// Takes more sound, at any rate, and gives the frames it fills.
    pub fn push(&mut self, pcm: &Pcm) -> Vec<u8> {
        let samples = self.steady.push(pcm);
        self.encode(&samples)
    }

    /// Ends the stream: the rest of the file.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        let rest = self.steady.finish();
        let mut made = self.encode(&rest);
        made.reserve(LAST);
        if let Err(error) = self.encoder.flush_to_vec::<FlushGap>(&mut made) {
            tracing::warn!(%error, "the end of an MP3 is lost");
        }
        made
    }

    fn encode(&mut self, samples: &[i16]) -> Vec<u8> {
        let mut made = vec![];
        if samples.is_empty() {
            return made;
        }
        made.reserve(max_required_buffer_size(samples.len()));
        if let Err(error) = self.encoder.encode_to_vec(MonoPcm(samples), &mut made) {
            tracing::warn!(%error, "a piece of an MP3 is lost");
        }
        made
    }
}

impl Default for Mp3 {
    fn default() -> Self {
        Self::new()
    }
}

fn encoder() -> Result<Encoder, BuildError> {
    Builder::new()
        .ok_or(BuildError::NoMem)?
        .with_num_channels(1)?
        .with_mode(Mode::Mono)?
        .with_sample_rate(RATE.hz())?
        .with_brate(Bitrate::Kbps64)?
        .with_quality(Quality::Good)?
        // It stands at the file's start and is known at its end.
        .with_to_write_vbr_tag(false)?
        .build()
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
        default::{formats::MpaReader, get_codecs},
    };

    use super::*;

    fn tone(rate: SampleRate, count: usize) -> Pcm {
        let sample = |n| (9_000.0 * (TAU * 440.0 * f64::from(n) / f64::from(rate.hz())).sin()) as i16;
        Pcm::new(rate, (0..count as u32).map(sample).collect())
    }

    fn played(file: Vec<u8>) -> Vec<f32> {
        let source = MediaSourceStream::new(Box::new(Cursor::new(file)), MediaSourceStreamOptions::default());
        let mut reader = MpaReader::try_new(source, FormatOptions::default()).expect("an MP3");
        let track = reader.default_track(TrackType::Audio).expect("a track");
        let parameters = track.codec_params.as_ref().and_then(|all| all.audio()).expect("sound");
        assert_eq!(parameters.sample_rate, Some(24_000));
        let options = AudioDecoderOptions::default();
        let mut decoder = get_codecs().make_audio_decoder(parameters, &options).expect("a decoder");
        let mut samples = vec![];
        while let Some(packet) = reader.next_packet().expect("good frames") {
            let sound = decoder.decode(&packet).expect("a good frame");
            let mut piece = vec![0.0_f32; sound.samples_interleaved()];
            sound.copy_to_slice_interleaved(&mut piece);
            samples.extend(piece);
        }
        samples
    }

    #[test]
    fn a_tone_comes_back_as_loud_and_as_long() {
        for rate in [SampleRate::HZ_8000, SampleRate::HZ_22050, SampleRate::HZ_24000] {
            let mut stream = Mp3::new();
            let mut file = vec![];
            for piece in tone(rate, rate.samples_in_ms(2_000)).samples.chunks(777) {
                file.extend(stream.push(&Pcm::new(rate, piece.to_vec())));
            }
            assert!(file.len() > 8_000, "frames are given before the end: {}", file.len());
            file.extend(stream.finish());
            let samples = played(file);
            assert!((48_000..48_000 + 3_600).contains(&samples.len()), "{rate}: {}", samples.len());
            let middle = &samples[12_000..36_000];
            let loud = (middle.iter().map(|s| s * s).sum::<f32>() / middle.len() as f32).sqrt();
            assert!((loud - 9_000.0 / 32_768.0 / 2.0_f32.sqrt()).abs() < 0.01, "{rate}: {loud}");
            let crossings = middle.windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count();
            assert!(crossings.abs_diff(440) <= 1, "{rate}: {crossings} periods in a second");
        }
    }

    #[test]
    fn no_sound_is_no_panic() {
        let _ = Mp3::new().finish();
    }
}
