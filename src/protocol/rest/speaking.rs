//! Texts as sound, sentence by sentence, in the format asked for, as it is made.

use std::{io, sync::Arc};

use axum::{
    body::Body,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::{Stream, TryStreamExt, stream};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use utoipa::ToSchema;

use super::work::Work;
use crate::{
    audio::{Flac, Mp3, OggOpus, OpusSettings, Pcm, SampleRate, Steady, wav_stream_head, write_wav},
    conversation::sentence::Splitter,
    engine::{EngineError, SpeakRequest, Synthesizer, script, speech::spoken_language},
    model::{TRACE_PART, within},
};

/// Pieces of sound on their way to the client. Full: the voice waits.
const AHEAD: usize = 8;
/// The rate of `wav` and `pcm`.
const RATE: SampleRate = SampleRate::HZ_24000;

/// What is given for a text in which there is nothing to speak: clients that send an answer piece by piece send such
/// pieces too, and some give up at the first refusal.
const NOTHING_MS: u32 = 100;
/// So many samples of a WAV wait for their end, 30 s: strict readers take none without its length.
const HELD: usize = 30 * RATE.hz() as usize;

/// How sound is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SoundFormat {
    /// 16 bits, mono, 24 kHz; the header of one that comes as it is made leaves its length open.
    #[default]
    Wav,
    /// The same without a header, little-endian.
    Pcm,
    /// Opus in Ogg.
    Opus,
    Mp3,
    Flac,
}

impl SoundFormat {
    /// The answer's media type.
    #[must_use]
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Wav => "audio/wav",
            Self::Pcm => "audio/pcm;rate=24000",
            Self::Opus => "audio/ogg",
            Self::Mp3 => "audio/mpeg",
            Self::Flac => "audio/flac",
        }
    }

    /// How browsers name it.
    #[must_use]
    pub fn disposition(self) -> &'static str {
        match self {
            Self::Wav => "inline; filename=\"speech.wav\"",
            Self::Pcm => "inline; filename=\"speech.pcm\"",
            Self::Opus => "inline; filename=\"speech.opus\"",
            Self::Mp3 => "inline; filename=\"speech.mp3\"",
            Self::Flac => "inline; filename=\"speech.flac\"",
        }
    }
}

/// What the voice is asked for `text`, sentence by sentence; none where there is nothing to speak in it.
#[must_use]
pub fn sentences(
    speech: &dyn Synthesizer,
    text: &str,
    voice: Option<&str>,
    language: Option<&str>,
    speed: f32,
) -> Vec<SpeakRequest> {
    // A sentence of Ukrainian may have none of the letters that Russian lacks; the whole text has.
    let whole = script::language(text, language).filter(|found| script::usual(found).is_some());
    let of = |sentence: &str| match (&whole, script::language(sentence, None)) {
        (Some(whole), Some(own)) if script::usual(whole) == Some(own.as_str()) => Some(whole.clone()),
        _ => language.map(str::to_owned),
    };
    let spoken = whole.clone().or_else(|| spoken_language(speech, voice, language));
    let mut splitter = Splitter::new(spoken.as_deref());
    let mut sentences = splitter.push(text);
    sentences.extend(splitter.finish());
    sentences
        .into_iter()
        .map(|sentence| sentence.spoken)
        .filter(|spoken| !spoken.trim().is_empty())
        .map(|text| SpeakRequest { language: of(&text), text, voice: voice.map(str::to_owned), speed })
        .collect()
}

/// Sound on its way: bytes of the format, in order, none of them empty but perhaps the last; an error is the last.
pub type Sound = mpsc::Receiver<Result<Bytes, EngineError>>;

/// Begins to speak; without requests there is a moment of silence. Dropping what it gives ends it. `whole`: a short WAV
/// may come at once, at its end, with its length in the header.
#[must_use]
pub fn begin(work: &Work, requests: Vec<SpeakRequest>, format: SoundFormat, whole: bool) -> Sound {
    let (out, made) = mpsc::channel(AHEAD);
    let writer = Writer::new(format, whole);
    // Ends by itself: `out` closes when the client goes away.
    let making = make(work.engines.speech.clone(), work.shutdown.clone(), requests, writer, out);
    tokio::spawn(making.in_current_span());
    made
}

/// Waits for the first piece: what goes wrong before it can be told by status. Gives that and all others.
///
/// # Errors
/// The engine's.
pub async fn first(
    mut made: Sound,
) -> Result<impl Stream<Item = Result<Bytes, EngineError>> + Send + 'static, EngineError> {
    let first = made.recv().await.unwrap_or(Err(EngineError::Closed))?;
    Ok(stream::unfold((Some(first), made), |(first, mut made)| async {
        let piece = match first {
            Some(first) => Ok(first),
            None => made.recv().await?,
        };
        Some((piece, (None, made)))
    }))
}

/// The answer that is the sound. An error breaks it off, so that half a text is not taken for all of it.
pub fn answer(sound: impl Stream<Item = Result<Bytes, EngineError>> + Send + 'static, format: SoundFormat) -> Response {
    let mut response = Body::from_stream(sound.map_err(io::Error::other)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(format.disposition()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

async fn make(
    speech: Arc<dyn Synthesizer>,
    shutdown: CancellationToken,
    requests: Vec<SpeakRequest>,
    mut writer: Writer,
    out: mpsc::Sender<Result<Bytes, EngineError>>,
) {
    let making = async {
        if requests.is_empty() {
            let silence = writer.push(&Pcm::new(RATE, vec![0; RATE.samples_in_ms(NOTHING_MS)]));
            if !silence.is_empty() && out.send(Ok(silence)).await.is_err() {
                return;
            }
        }
        for request in requests {
            let span = tracing::info_span!(target: TRACE_PART, "synthesis", chars = request.text.chars().count());
            let mut sound = within(span.clone()).in_scope(|| speech.speak(request));
            while let Some(piece) = sound.recv().await {
                let piece = match piece {
                    Ok(pcm) => Ok(writer.push(&pcm)),
                    Err(error) => Err(error),
                };
                if piece.as_ref().is_ok_and(Bytes::is_empty) {
                    continue;
                }
                let failed = piece.is_err();
                if out.send(piece).await.is_err() || failed {
                    return;
                }
            }
        }
        let _ = out.send(Ok(writer.finish())).await;
    };
    tokio::select! {
        () = making => {}
        () = out.closed() => {}
        () = shutdown.cancelled() => {
            // Half a text is not all of it.
            let _ = out.try_send(Err(EngineError::Closed));
        }
    }
}

/// Sound as bytes of the format asked for.
enum Writer {
    Linear(Linear),
    Opus(Box<OggOpus>),
    Mp3(Mp3),
    Flac(Box<Flac>),
}

impl Writer {
    fn new(format: SoundFormat, whole: bool) -> Self {
        match format {
            SoundFormat::Wav if whole => Self::Linear(Linear::new(vec![], true)),
            SoundFormat::Wav => Self::Linear(Linear::new(wav_stream_head(RATE), false)),
            SoundFormat::Pcm => Self::Linear(Linear::new(vec![], false)),
            SoundFormat::Opus => Self::Opus(Box::new(OggOpus::new(OpusSettings::LIVE))),
            SoundFormat::Mp3 => Self::Mp3(Mp3::new()),
            SoundFormat::Flac => Self::Flac(Box::default()),
        }
    }

    fn push(&mut self, pcm: &Pcm) -> Bytes {
        match self {
            Self::Linear(stream) => stream.push(pcm).into(),
            Self::Opus(stream) => stream.push(pcm).into(),
            Self::Mp3(stream) => stream.push(pcm).into(),
            Self::Flac(stream) => stream.push(pcm).into(),
        }
    }

    fn finish(self) -> Bytes {
        match self {
            Self::Linear(stream) => stream.finish().into(),
            Self::Opus(stream) => stream.finish().into(),
            Self::Mp3(stream) => stream.finish().into(),
            Self::Flac(stream) => stream.finish().into(),
        }
    }
}

/// Samples as they are, behind a header or none.
struct Linear {
    head: Vec<u8>,
    steady: Steady,
    /// Samples that wait for their end, so that the header tells their length; `None`: they go out as they are made.
    held: Option<Vec<i16>>,
}

impl Linear {
    fn new(head: Vec<u8>, held: bool) -> Self {
        Self { head, steady: Steady::new(RATE), held: held.then(Vec::new) }
    }

    fn push(&mut self, pcm: &Pcm) -> Vec<u8> {
        let samples = self.steady.push(pcm);
        let Some(held) = &mut self.held else { return self.bytes(&samples) };
        held.extend(samples);
        if held.len() <= HELD {
            return vec![];
        }
        // Too long to wait for: its header leaves the length open.
        self.head = wav_stream_head(RATE);
        let held = self.held.take().unwrap_or_default();
        self.bytes(&held)
    }

    fn finish(mut self) -> Vec<u8> {
        let rest = self.steady.finish();
        match self.held.take() {
            Some(mut held) => {
                held.extend(rest);
                write_wav(&Pcm::new(RATE, held))
            }
            None => self.bytes(&rest),
        }
    }

    fn bytes(&mut self, samples: &[i16]) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.head);
        bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(seconds: usize) -> (Vec<u8>, usize) {
        let mut writer = Writer::new(SoundFormat::Wav, true);
        let second = Pcm::new(RATE, vec![7; RATE.samples_in_ms(1_000)]);
        let mut file = Vec::new();
        let mut pieces = 0;
        for _ in 0..seconds {
            let piece = writer.push(&second);
            pieces += usize::from(!piece.is_empty());
            file.extend(piece);
        }
        file.extend(writer.finish());
        (file, pieces)
    }

    #[test]
    fn a_short_wav_says_how_long_it_is_and_a_long_one_does_not_wait() {
        let (short, pieces) = file(2);
        assert_eq!((short.len(), pieces), (44 + 2 * 48_000, 0));
        assert_eq!(short[40..44], 96_000_u32.to_le_bytes());
        assert_eq!(short[4..8], (36 + 96_000_u32).to_le_bytes());
        let (long, pieces) = file(40);
        assert_eq!((long.len(), pieces), (44 + 40 * 48_000, 10));
        assert_eq!(long[40..44], [0xff; 4]);
    }
}
