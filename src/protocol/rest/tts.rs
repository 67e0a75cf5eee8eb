//! `/api/tts/`: text to speech.

use std::io;

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::stream;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    told,
    work::{self, Work},
};
use crate::{
    audio::{Mp3, OggOpus, OpusSettings, Pcm, SampleRate, Steady, wav_stream_head},
    conversation::sentence::Splitter,
    engine::{EngineError, SpeakRequest, VoiceInfo},
    protocol::{
        caller::Caller,
        error::{ApiError, Problem},
        json::Body as JsonBody,
    },
    store::Scope,
};

/// Pieces of sound on their way to the client. Full: the voice waits.
const AHEAD: usize = 8;
/// The rate of `wav` and `pcm`.
const RATE: SampleRate = SampleRate::HZ_24000;

/// The routes below `/api/tts/`.
pub fn router(work: Work) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(synthesize)).routes(routes!(voices)).with_state(work)
}

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
}

impl SoundFormat {
    fn content_type(self) -> &'static str {
        match self {
            Self::Wav => "audio/wav",
            Self::Pcm => "audio/pcm;rate=24000",
            Self::Opus => "audio/ogg",
            Self::Mp3 => "audio/mpeg",
        }
    }

    fn disposition(self) -> &'static str {
        match self {
            Self::Wav => "inline; filename=\"speech.wav\"",
            Self::Pcm => "inline; filename=\"speech.pcm\"",
            Self::Opus => "inline; filename=\"speech.opus\"",
            Self::Mp3 => "inline; filename=\"speech.mp3\"",
        }
    }
}

/// A text to speak.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Speech {
    /// Marks of Markdown, addresses, emoji and the like are not spoken.
    #[schema(min_length = 1, max_length = 5000)]
    text: String,
    /// One of `/api/tts/voices/`; left out: the default, or one that speaks the text's language.
    #[serde(default)]
    voice: Option<String>,
    /// ISO 639-1; left out or `auto`: by the text's script.
    #[serde(default)]
    language: Option<String>,
    /// 1 is normal.
    #[serde(default = "normal")]
    #[schema(minimum = 0.25, maximum = 4.0, default = 1.0)]
    speed: f32,
    #[serde(default)]
    format: SoundFormat,
}

fn normal() -> f32 {
    1.0
}

/// Who can speak.
#[derive(Debug, Serialize, ToSchema)]
pub struct Voices {
    voices: Vec<Voice>,
    /// The id of the one that speaks where none is named; null: it depends on the text.
    default: Option<String>,
}

/// A voice.
#[derive(Debug, Serialize, ToSchema)]
pub struct Voice {
    id: String,
    /// For people.
    name: String,
    /// ISO 639-1.
    language: String,
}

impl From<VoiceInfo> for Voice {
    fn from(voice: VoiceInfo) -> Self {
        Self { id: voice.id, name: voice.name, language: voice.language }
    }
}

/// The voices there are.
#[utoipa::path(get, path = "/api/tts/voices/", tag = "work", responses((status = 200, body = Voices), told::Common))]
pub async fn voices(State(work): State<Work>, caller: Caller) -> Result<Json<Voices>, ApiError> {
    caller.needs(Scope::Tts)?;
    let voices = work.engines.speech.voices();
    let model = Some(work.engines.speech.info().model);
    let default = work.default_voice.clone().or(model).filter(|id| voices.iter().any(|voice| voice.id == *id));
    Ok(Json(Voices { voices: voices.into_iter().map(Voice::from).collect(), default }))
}

/// Speaks a text; the sound comes as it is made. What goes wrong before its first piece is an HTTP status; after that
/// the answer breaks off.
#[utoipa::path(
    post, path = "/api/tts/synthesize/", tag = "work", request_body = Speech,
    responses(
        (status = 200, description = "the sound", content(
            (Vec<u8> = "audio/wav"), (Vec<u8> = "audio/pcm"), (Vec<u8> = "audio/ogg"), (Vec<u8> = "audio/mpeg")
        )),
        (status = 502, body = Problem, content_type = "application/problem+json", description = "the voice failed"),
        told::Changed,
    )
)]
pub async fn synthesize(
    State(work): State<Work>,
    caller: Caller,
    JsonBody(speech): JsonBody<Speech>,
) -> Result<Response, ApiError> {
    caller.needs(Scope::Tts)?;
    let (requests, format) = (requests(&work, &speech)?, speech.format);
    let (out, mut made) = mpsc::channel(AHEAD);
    // Ends by itself: `out` closes when the client goes away.
    tokio::spawn(speak(work.clone(), requests, format, out));
    let first = made.recv().await.unwrap_or(Err(EngineError::Closed))?;
    let rest = stream::unfold((Some(first), made), |(first, mut made)| async {
        let piece = match first {
            Some(first) => Ok(first),
            None => made.recv().await?,
        };
        // An error breaks the answer off, so that half a text is not taken for all of it.
        Some((piece.map_err(io::Error::other), (None, made)))
    });
    let mut response = Body::from_stream(rest).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
    headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static(format.disposition()));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// What the voice is asked, sentence by sentence.
fn requests(work: &Work, speech: &Speech) -> Result<Vec<SpeakRequest>, ApiError> {
    let text = work::text("text", &speech.text, work.max_chars)?;
    if !(0.25..=4.0).contains(&speech.speed) {
        return Err(ApiError::field("speed", "not between 0.25 and 4", "1 is normal"));
    }
    if let Some(voice) = speech.voice.as_deref()
        && work.engines.speech.voices().iter().all(|known| known.id != voice)
    {
        return Err(ApiError::field("voice", "there is no such voice", "GET /api/tts/voices/ lists them"));
    }
    let language = work::language(speech.language.as_deref(), &[])?;
    let mut splitter = Splitter::new(language.as_deref());
    let mut sentences = splitter.push(text);
    sentences.extend(splitter.finish());
    let requests: Vec<SpeakRequest> = sentences
        .into_iter()
        .map(|sentence| sentence.spoken)
        .filter(|spoken| !spoken.trim().is_empty())
        .map(|text| SpeakRequest { text, voice: speech.voice.clone(), language: language.clone(), speed: speech.speed })
        .collect();
    if requests.is_empty() {
        return Err(ApiError::field("text", "there is nothing to speak in it", "write words"));
    }
    Ok(requests)
}

async fn speak(
    work: Work,
    requests: Vec<SpeakRequest>,
    format: SoundFormat,
    out: mpsc::Sender<Result<Bytes, EngineError>>,
) {
    let making = async {
        let mut writer = Writer::new(format);
        for request in requests {
            let mut sound = work.engines.speech.speak(request);
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
        () = work.shutdown.cancelled() => {
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
}

impl Writer {
    fn new(format: SoundFormat) -> Self {
        match format {
            SoundFormat::Wav => Self::Linear { head: wav_stream_head(RATE), steady: Steady::new(RATE) },
            SoundFormat::Pcm => Self::Linear { head: vec![], steady: Steady::new(RATE) },
            SoundFormat::Opus => Self::Opus(Box::new(OggOpus::new(OpusSettings::LIVE))),
            SoundFormat::Mp3 => Self::Mp3(Mp3::new()),
        }
    }

    fn push(&mut self, pcm: &Pcm) -> Bytes {
        match self {
            Self::Linear { head, steady } => linear(std::mem::take(head), &steady.push(pcm)),
            Self::Opus(stream) => stream.push(pcm).into(),
            Self::Mp3(stream) => stream.push(pcm).into(),
        }
    }

    fn finish(self) -> Bytes {
        match self {
            Self::Linear { head, mut steady } => linear(head, &steady.finish()),
            Self::Opus(stream) => stream.finish().into(),
            Self::Mp3(stream) => stream.finish().into(),
        }
    }
}

fn linear(mut bytes: Vec<u8>, samples: &[i16]) -> Bytes {
    bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    bytes.into()
}
