//! A recording in a file to the sound the engines hear.
//!
//! What strangers send may be broken in any way: what can be read of it is read, a decoder that panics ends the
//! recording there, and neither memory nor time grow beyond what the longest recording allowed takes.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use symphonia::{
    core::{
        codecs::{
            audio::{AudioCodecParameters, AudioDecoder, AudioDecoderOptions, well_known::CODEC_ID_OPUS},
            registry::CodecRegistry,
        },
        errors::Error,
        formats::{FormatOptions, FormatReader, TrackType},
        io::{MediaSource, MediaSourceStream, MediaSourceStreamOptions},
    },
    default::{
        formats::{FlacReader, IsoMp4Reader, MkvReader, MpaReader, OggReader, WavReader},
        register_enabled_codecs,
    },
};

use super::kind::SoundKind;
use crate::audio::{FileResampler, Mono16k, from_float};

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// It is of a known kind, but what is in it is not.
    #[error("the recording cannot be read: {0}")]
    Unreadable(String),
    #[error("the recording is longer than {0} minutes")]
    TooLong(u64),
    #[error("nobody wants it any more")]
    Cancelled,
    #[error("the file cannot be read: {0}")]
    Io(#[from] io::Error),
}

/// Packets in a row that may give nothing before the rest of the file counts as lost.
const MAX_BARREN: u32 = 4_000;

/// Reads the sound of `file`, whose container begins at `start`. `going_on` hears how much of the file has been read,
/// 0 to 1, and says whether to go on. Takes 1.9 MB of memory for each minute of sound.
///
/// # Errors
/// [`DecodeError`]; a file that breaks off or is damaged in places is none.
pub fn decode(
    file: File,
    kind: SoundKind,
    start: u64,
    longest: Duration,
    mut going_on: impl FnMut(f32) -> bool,
) -> Result<Mono16k, DecodeError> {
    let length = file.metadata()?.len().saturating_sub(start);
    let read = Arc::new(AtomicU64::new(0));
    let source = Source { file, start, length, at: 0, read: read.clone() };
    let mut sound = Sound::new(longest);
    let whole = length.max(1) as f32;
    // A decoder that panics has only spoilt itself, and `sound`'s own steps do not panic half-way.
    let read_all = AssertUnwindSafe(|| {
        read_packets(source, kind, &mut sound, || going_on((read.load(Ordering::Relaxed) as f32 / whole).min(1.0)))
    });
    let ended = catch_unwind(read_all).unwrap_or_else(|_| Err(Broken::Bad("the decoder gave up".into())));
    let audio = sound.finish();
    match ended {
        Err(Broken::TooLong) => Err(DecodeError::TooLong(longest.as_secs() / 60)),
        Err(Broken::Cancelled) => Err(DecodeError::Cancelled),
        Err(Broken::Bad(reason)) if audio.is_empty() => Err(DecodeError::Unreadable(reason)),
        Ok(()) if audio.is_empty() => Err(DecodeError::Unreadable("it holds no sound".into())),
        Ok(()) | Err(Broken::Bad(_)) => Ok(audio),
    }
}

/// Why reading stopped before the end.
enum Broken {
    TooLong,
    Cancelled,
    Bad(String),
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self::Bad(error.to_string())
    }
}

fn read_packets(
    source: Source,
    kind: SoundKind,
    sound: &mut Sound,
    mut going_on: impl FnMut() -> bool,
) -> Result<(), Broken> {
    let mut reader = open(source, kind)?;
    let (mut track, mut decoder) = decoder(&*reader)?;
    let (mut barren, mut last) = (0, None);
    while barren < MAX_BARREN {
        let packet = match reader.next_packet() {
            Ok(Some(packet)) => packet,
            // Another stream follows, as in joined Ogg files.
            Err(Error::ResetRequired) => {
                (track, decoder) = self::decoder(&*reader)?;
                barren += 1;
                continue;
            }
            Ok(None) => break,
            Err(Error::IoError(error)) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            Err(error) => {
                last = Some(Broken::from(error));
                break;
            }
        };
        if !going_on() {
            return Err(Broken::Cancelled);
        }
        barren += 1;
        if packet.track_id != track {
            continue;
        }
        match decoder.decode(&packet) {
            Ok(buffer) => {
                if !buffer.is_empty() {
                    barren = 0;
                }
                let (rate, channels) = (buffer.spec().rate(), buffer.num_planes());
                sound.mixed.resize(buffer.samples_interleaved(), 0.0);
                buffer.copy_to_slice_interleaved(&mut sound.mixed);
                sound.take(rate, channels)?;
            }
            // One bad packet; the next may be good.
            Err(error @ (Error::DecodeError(_) | Error::IoError(_))) => last = Some(error.into()),
            Err(error) => return Err(error.into()),
        }
    }
    last.map_or(Ok(()), Err)
}

fn open(source: Source, kind: SoundKind) -> Result<Box<dyn FormatReader>, Error> {
    let stream = MediaSourceStream::new(Box::new(source), MediaSourceStreamOptions::default());
    let options = FormatOptions::default();
    Ok(match kind {
        SoundKind::Wav => Box::new(WavReader::try_new(stream, options)?),
        SoundKind::Mp3 => Box::new(MpaReader::try_new(stream, options)?),
        SoundKind::Flac => Box::new(FlacReader::try_new(stream, options)?),
        SoundKind::Ogg { .. } => Box::new(OggReader::try_new(stream, options)?),
        SoundKind::WebM => Box::new(MkvReader::try_new(stream, options)?),
        SoundKind::Mp4 => Box::new(IsoMp4Reader::try_new(stream, options)?),
    })
}

/// The first sound there is, and its decoder.
fn decoder(reader: &dyn FormatReader) -> Result<(u32, Box<dyn AudioDecoder>), Broken> {
    static CODECS: OnceLock<CodecRegistry> = OnceLock::new();
    let codecs = CODECS.get_or_init(|| {
        let mut codecs = CodecRegistry::new();
        register_enabled_codecs(&mut codecs);
        codecs.register_audio_decoder::<symphonia_adapter_libopus::OpusDecoder>();
        codecs
    });
    let track = reader
        .default_track(TrackType::Audio)
        .or_else(|| reader.first_track(TrackType::Audio))
        .ok_or_else(|| Broken::Bad("there is no sound in it".into()))?;
    let parameters = track.codec_params.as_ref().and_then(|parameters| parameters.audio());
    let mut parameters: AudioCodecParameters =
        parameters.cloned().ok_or_else(|| Broken::Bad("its sound is of no known kind".into()))?;
    if parameters.codec == CODEC_ID_OPUS {
        // What containers say beside it is the rate before the encoder; Opus is always decoded to 48 kHz.
        parameters.sample_rate = Some(48_000);
    }
    let decoder = codecs.make_audio_decoder(&parameters, &AudioDecoderOptions::default())?;
    Ok((track.id, decoder))
}

/// The sound so far.
struct Sound {
    audio: Mono16k,
    /// Samples at most.
    longest: usize,
    resampler: Option<(u32, FileResampler)>,
    /// The newest packet, channels interleaved.
    mixed: Vec<f32>,
}

impl Sound {
    fn new(longest: Duration) -> Self {
        let longest = usize::try_from(longest.as_millis() * 16).unwrap_or(usize::MAX);
        Self { audio: Mono16k::default(), longest, resampler: None, mixed: vec![] }
    }

    /// Takes what is in `mixed`.
    fn take(&mut self, rate: u32, channels: usize) -> Result<(), Broken> {
        let channels = channels.max(1);
        let mono: Vec<i16> = self
            .mixed
            .chunks_exact(channels)
            .map(|all| from_float(all.iter().sum::<f32>() / channels as f32))
            .collect();
        if self.resampler.as_ref().is_none_or(|(from, _)| *from != rate) {
            self.rest();
            let resampler = FileResampler::new(rate).map_err(|error| Broken::Bad(error.to_string()))?;
            self.resampler = Some((rate, resampler));
        }
        if let Some((_, resampler)) = &mut self.resampler {
            self.audio.append(&resampler.push(&mono));
        }
        if self.audio.len() > self.longest { Err(Broken::TooLong) } else { Ok(()) }
    }

    fn rest(&mut self) {
        if let Some((_, mut resampler)) = self.resampler.take() {
            self.audio.append(&resampler.finish());
        }
    }

    fn finish(mut self) -> Mono16k {
        self.rest();
        self.audio
    }
}

/// The file from `start` on, counting what has been read.
struct Source {
    file: File,
    start: u64,
    /// Bytes from `start` to the end.
    length: u64,
    /// Where the next read begins, from `start`.
    at: u64,
    /// The farthest read so far.
    read: Arc<AtomicU64>,
}

impl Read for Source {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.seek(SeekFrom::Start(self.start.saturating_add(self.at)))?;
        let count = self.file.read(buffer)?;
        self.at += count as u64;
        self.read.fetch_max(self.at, Ordering::Relaxed);
        Ok(count)
    }
}

impl Seek for Source {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::End(by) => self.length.checked_add_signed(by),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}

impl MediaSource for Source {
    fn is_seekable(&self) -> bool {
        true
    }

    fn byte_len(&self) -> Option<u64> {
        Some(self.length)
    }
}

#[cfg(test)]
mod tests;
