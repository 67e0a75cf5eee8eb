//! WAV files.

use std::io::{self, Read};

use hound::{SampleFormat, WavReader, WavSpec, WavWriter};

use super::{Pcm, RateError, SampleRate};

/// Why a WAV file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum WavError {
    #[error("not a WAV file: {0}\nhint: convert it, for example with `ffmpeg -i FILE -ac 1 out.wav`")]
    NotWav(&'static str),
    #[error(
        "this kind of WAV is not supported: {0}\nhint: PCM of 8, 16, 24 or 32 bits and 32-bit float are; convert it, for example with `ffmpeg -i FILE -c:a pcm_s16le out.wav`"
    )]
    Unsupported(String),
    #[error("{0}\nhint: convert it, for example with `ffmpeg -i FILE -ar 16000 out.wav`")]
    Rate(#[from] RateError),
    #[error("the WAV file holds no sound\nhint: check how it was recorded")]
    Empty,
    #[error("the WAV file could not be read: {0}\nhint: check that it exists, is readable and was copied whole")]
    Io(#[from] io::Error),
}

/// Reads a WAV file of 8, 16, 24 or 32-bit PCM or 32-bit float, channels mixed down to one.
///
/// What was cut off, or written to a pipe with a made-up length in its header (as espeak-ng and ffmpeg do), is read as
/// far as it goes. Reads to the end of `input`: whoever takes it from a stranger limits it (`Read::take`).
///
/// # Errors
/// [`WavError`]: not a WAV file, a format or a rate that is not supported, no sound, or `input` failed.
pub fn read_wav(mut input: impl Read) -> Result<Pcm, WavError> {
    let header = read_header(&mut input)?;
    let mut data = Vec::new();
    input.take(header.data_len).read_to_end(&mut data)?;
    data.truncate(data.len() / header.frame_len * header.frame_len);
    if data.is_empty() {
        return Err(WavError::Empty);
    }
    let reader = WavReader::new(header.bytes.chain(&data[..])).map_err(refused)?;
    let spec = reader.spec();
    let rate = SampleRate::new(spec.sample_rate)?;
    // hound promises the header's length, which may be more than there is: its first error is the end.
    let values: Vec<f32> = match spec.sample_format {
        SampleFormat::Float => reader.into_samples::<f32>().map_while(Result::ok).collect(),
        SampleFormat::Int => {
            let full = 2.0_f64.powi(i32::from(spec.bits_per_sample) - 1);
            reader.into_samples::<i32>().map_while(Result::ok).map(|s| (f64::from(s) / full) as f32).collect()
        }
    };
    let channels = usize::from(spec.channels);
    let samples: Vec<i16> = values
        .chunks_exact(channels)
        .map(|frame| super::codec::from_float(frame.iter().sum::<f32>() / channels as f32))
        .collect();
    if samples.is_empty() { Err(WavError::Empty) } else { Ok(Pcm::new(rate, samples)) }
}

/// A WAV file of 16-bit mono PCM.
#[must_use]
pub fn write_wav(pcm: &Pcm) -> Vec<u8> {
    let spec =
        WavSpec { channels: 1, sample_rate: pcm.rate.hz(), bits_per_sample: 16, sample_format: SampleFormat::Int };
    let mut file = io::Cursor::new(Vec::with_capacity(44 + 2 * pcm.samples.len()));
    let written = WavWriter::new(&mut file, spec).and_then(|mut writer| {
        pcm.samples.iter().try_for_each(|&sample| writer.write_sample(sample))?;
        writer.finalize()
    });
    written.expect("writing to memory fails only beyond the 4 GiB of a WAV file, which is 12 hours");
    file.into_inner()
}

/// The first 44 bytes of a WAV file of 16-bit mono PCM whose length is not known yet: it says the longest there is,
/// which players and [`read_wav`] take for "until the end".
#[must_use]
pub fn wav_stream_head(rate: SampleRate) -> Vec<u8> {
    let mut head = write_wav(&Pcm::new(rate, vec![]));
    head[4..8].fill(0xff);
    head[40..44].fill(0xff);
    head
}

struct Header {
    /// A header hound accepts: `fmt ` and `data` only.
    bytes: io::Cursor<Vec<u8>>,
    /// Bytes of sound, at most.
    data_len: u64,
    /// Bytes of one sample of all channels.
    frame_len: usize,
}

/// Reads up to the sound. hound refuses a length that is not a whole number of frames, such as the 0xffffffff of
/// a pipe, and skips odd chunks wrongly; so it is given this header in place of the file's own.
fn read_header(input: &mut impl Read) -> Result<Header, WavError> {
    const TOO_SHORT: &str = "it ends before its sound begins";
    let mut riff = [0; 12];
    fill(input, &mut riff, "it is shorter than a WAV header")?;
    if &riff[..4] != b"RIFF" || &riff[8..] != b"WAVE" {
        return Err(WavError::NotWav("it does not begin with RIFF and WAVE"));
    }
    let mut bytes = riff.to_vec();
    let mut frame_len = None;
    loop {
        let mut head = [0; 8];
        fill(input, &mut head, TOO_SHORT)?;
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]);
        match (&head[..4], frame_len) {
            (b"fmt ", None) => {
                if !(16..=64).contains(&length) {
                    return Err(WavError::NotWav("its format chunk has an impossible length"));
                }
                let mut format = vec![0; length as usize];
                fill(input, &mut format, TOO_SHORT)?;
                frame_len = Some(u16::from_le_bytes([format[12], format[13]]).max(1));
                bytes.extend_from_slice(&head);
                bytes.append(&mut format);
            }
            (b"data", Some(frame_len)) => {
                // 0 stands for "not known yet" in files whose writer was stopped.
                let length = if length == 0 { u32::MAX } else { length };
                let whole = length - length % u32::from(frame_len);
                bytes.extend_from_slice(b"data");
                bytes.extend_from_slice(&whole.to_le_bytes());
                return Ok(Header {
                    bytes: io::Cursor::new(bytes),
                    data_len: u64::from(length),
                    frame_len: usize::from(frame_len),
                });
            }
            (b"data", None) => return Err(WavError::NotWav("its sound comes before its format")),
            _ => {
                // Chunks are padded to even lengths.
                io::copy(&mut input.take(u64::from(length) + u64::from(length % 2)), &mut io::sink())?;
            }
        }
    }
}

fn fill(input: &mut impl Read, bytes: &mut [u8], too_short: &'static str) -> Result<(), WavError> {
    input.read_exact(bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => WavError::NotWav(too_short),
        _ => WavError::Io(error),
    })
}

fn refused(error: hound::Error) -> WavError {
    match error {
        hound::Error::IoError(error) => WavError::Io(error),
        hound::Error::FormatError(reason) => WavError::Unsupported(reason.to_owned()),
        other => WavError::Unsupported(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: SampleRate = SampleRate::HZ_22050;

    fn file(spec: WavSpec, write: impl Fn(&mut WavWriter<&mut io::Cursor<Vec<u8>>>)) -> Vec<u8> {
        let mut file = io::Cursor::new(Vec::new());
        let mut writer = WavWriter::new(&mut file, spec).expect("a spec of the tests");
        write(&mut writer);
        writer.finalize().expect("memory takes all");
        file.into_inner()
    }

    fn spec(channels: u16, bits_per_sample: u16, sample_format: SampleFormat) -> WavSpec {
        WavSpec { channels, sample_rate: RATE.hz(), bits_per_sample, sample_format }
    }

    #[test]
    fn what_is_written_is_read() {
        let pcm = Pcm::new(RATE, vec![0, 1, -1, 5_000, i16::MAX, i16::MIN]);
        assert_eq!(read_wav(&write_wav(&pcm)[..]).expect("our own file"), pcm);
    }

    #[test]
    fn every_width_means_the_same() {
        for bits in [8_u16, 16, 24, 32] {
            let bytes = file(spec(1, bits, SampleFormat::Int), |writer| {
                for part in [0, 1, -1] {
                    writer.write_sample(part << (bits - 2)).expect("memory takes all");
                }
            });
            assert_eq!(read_wav(&bytes[..]).expect("a good file").samples, [0, 16_384, -16_384], "{bits} bits");
        }
        let bytes = file(spec(1, 32, SampleFormat::Float), |writer| {
            for value in [0.0_f32, 0.5, -0.5, f32::NAN, 9.0] {
                writer.write_sample(value).expect("memory takes all");
            }
        });
        assert_eq!(read_wav(&bytes[..]).expect("a good file").samples, [0, 16_384, -16_384, 0, i16::MAX]);
    }

    #[test]
    fn channels_are_mixed() {
        let bytes = file(spec(2, 16, SampleFormat::Int), |writer| {
            for value in [1_000_i16, 3_000, i16::MAX, i16::MAX, -4, 4] {
                writer.write_sample(value).expect("memory takes all");
            }
        });
        assert_eq!(read_wav(&bytes[..]).expect("a good file").samples, [2_000, i16::MAX, 0]);
    }

    #[test]
    fn made_up_lengths_and_cut_files_are_read_as_far_as_they_go() {
        let pcm = Pcm::new(RATE, (0..1_000).collect());
        for length in [0_u32, 0xffff_ffff, 0x7fff_f000, 3_000] {
            let mut bytes = write_wav(&pcm);
            bytes[40..44].copy_from_slice(&length.to_le_bytes());
            assert_eq!(read_wav(&bytes[..]).expect("a readable file"), pcm, "length {length:#x}");
        }
        let bytes = write_wav(&pcm);
        assert_eq!(read_wav(&bytes[..44 + 501]).expect("half a file").samples, pcm.samples[..250]);
    }

    #[test]
    fn a_stream_is_read_to_its_end() {
        let mut bytes = wav_stream_head(RATE);
        bytes.extend([1_i16, -2, 3].iter().flat_map(|sample| sample.to_le_bytes()));
        assert_eq!(read_wav(&bytes[..]).expect("a good file"), Pcm::new(RATE, vec![1, -2, 3]));
    }

    #[test]
    fn other_chunks_are_skipped() {
        let pcm = Pcm::new(RATE, vec![7; 20]);
        let bytes = write_wav(&pcm);
        let odd = [&bytes[..12], b"LIST\x03\0\0\0abc\0", &bytes[12..36], b"note\x01\0\0\0x\0", &bytes[36..]].concat();
        assert_eq!(read_wav(&odd[..]).expect("a good file"), pcm);
    }

    #[test]
    fn refusals_say_why() {
        let good = write_wav(&Pcm::new(RATE, vec![1; 10]));
        let with = |at: usize, bytes: &[u8]| {
            let mut file = good.clone();
            file[at..at + bytes.len()].copy_from_slice(bytes);
            read_wav(&file[..]).expect_err("a bad file")
        };
        assert!(matches!(read_wav(&b"ID3 and so on, an mp3"[..]), Err(WavError::NotWav(_))));
        assert!(matches!(read_wav(&good[..30]), Err(WavError::NotWav(_))));
        assert!(matches!(read_wav(&good[..44]), Err(WavError::Empty)));
        assert!(matches!(read_wav(&[][..]), Err(WavError::NotWav(_))));
        assert!(matches!(with(20, &[7, 0]), WavError::Unsupported(_)), "mu-law in a WAV");
        // 96 kHz, and the 192 000 bytes per second that go with it.
        assert!(matches!(with(24, &[0, 0x77, 1, 0, 0, 0xee, 2, 0]), WavError::Rate(RateError(96_000))));
        assert!(matches!(with(22, &[0, 0]), WavError::Unsupported(_)), "no channels");
        assert!(matches!(with(32, &[0, 0]), WavError::Unsupported(_)), "frames of no bytes");
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_it_panic(at in 12_usize..44, value: u32, cut in 0_usize..80) {
            let mut bytes = write_wav(&Pcm::new(RATE, vec![1; 20]));
            bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
            bytes.truncate(80 - cut);
            let _ = read_wav(&bytes[..]);
        }
    }
}
