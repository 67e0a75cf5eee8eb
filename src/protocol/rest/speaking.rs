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
    audio::{Flac, Mp3, OggOpus, OpusSettings, Pcm, SampleRate, Steady, wav_stream_head},
    conversation::sentence::Splitter,
    engine::{EngineError, SpeakRequest, Synthesizer},
    model::{TRACE_PART, within},
};

/// Pieces of sound on their way to the client. Full: the voice waits.
const AHEAD: usize = 8;
/// The rate of `wav` and `pcm`.
const RATE: SampleRate = SampleRate::HZ_24000;

/// How sound is wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum SoundFormat {
    /// 16 bits, mono, 24 kHz; its header leaves the length open.
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
pub fn sentences(text: &str, voice: Option<&str>, language: Option<&str>, speed: f32) -> Vec<SpeakRequest> {
    let mut splitter = Splitter::new(language);
    let mut sentences = splitter.push(text);
    sentences.extend(splitter.finish());
    sentences
        .into_iter()
        .map(|sentence| sentence.spoken)
        .filter(|spoken| !spoken.trim().is_empty())
        .map(|text| SpeakRequest {
            text,
            voice: voice.map(str::to_owned),
            language: language.map(str::to_owned),
            speed,
        })
        .collect()
}

/// Sound on its way: bytes of the format, in order, none of them empty but perhaps the last; an error is the last.
pub type Sound = mpsc::Receiver<Result<Bytes, EngineError>>;

/// Begins to speak. Dropping what it gives ends it.
#[must_use]
pub fn begin(work: &Work, requests: Vec<SpeakRequest>, format: SoundFormat) -> Sound {
    let (out, made) = mpsc::channel(AHEAD);
    // Ends by itself: `out` closes when the client goes away.
    let making = make(work.engines.speech.clone(), work.shutdown.clone(), requests, format, out);
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
    format: SoundFormat,
    out: mpsc::Sender<Result<Bytes, EngineError>>,
) {
    let making = async {
        let mut writer = Writer::new(format);
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
    Linear { head: Vec<u8>, steady: Steady },
    Opus(Box<OggOpus>),
    Mp3(Mp3),
    Flac(Box<Flac>),
}

impl Writer {
    fn new(format: SoundFormat) -> Self {
        match format {
            SoundFormat::Wav => Self::Linear { head: wav_stream_head(RATE), steady: Steady::new(RATE) },
            SoundFormat::Pcm => Self::Linear { head: vec![], steady: Steady::new(RATE) },
            SoundFormat::Opus => Self::Opus(Box::new(OggOpus::new(OpusSettings::LIVE))),
            SoundFormat::Mp3 => Self::Mp3(Mp3::new()),
            SoundFormat::Flac => Self::Flac(Box::default()),
        }
    }

    fn push(&mut self, pcm: &Pcm) -> Bytes {
        match self {
            Self::Linear { head, steady } => linear(std::mem::take(head), &steady.push(pcm)),
            Self::Opus(stream) => stream.push(pcm).into(),
            Self::Mp3(stream) => stream.push(pcm).into(),
            Self::Flac(stream) => stream.push(pcm).into(),
        }
    }

    fn finish(self) -> Bytes {
        match self {
            Self::Linear { head, mut steady } => linear(head, &steady.finish()),
            Self::Opus(stream) => stream.finish().into(),
            Self::Mp3(stream) => stream.finish().into(),
            Self::Flac(stream) => stream.finish().into(),
        }
    }
}

fn linear(mut bytes: Vec<u8>, samples: &[i16]) -> Bytes {
    bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    bytes.into()
}
