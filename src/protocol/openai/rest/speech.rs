//! `/v1/audio/speech` and `/v1/audio/voices`: text to speech.

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, header},
    response::{Response, sse::Event},
};
use bytes::Bytes;
use data_encoding::BASE64;
use futures::{Stream, StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{errors::Refused, json::Fields, told};
use crate::{
    engine::{EngineError, SpeakRequest, VoiceInfo},
    protocol::{
        caller::Caller,
        rest::{
            speaking::{self, SoundFormat},
            sse,
            work::{self, Work},
        },
    },
    store::Scope,
};

/// The formats that can be asked for, by OpenAI's names.
pub const FORMATS: [(&str, SoundFormat); 5] = [
    ("mp3", SoundFormat::Mp3),
    ("opus", SoundFormat::Opus),
    ("flac", SoundFormat::Flac),
    ("wav", SoundFormat::Wav),
    ("pcm", SoundFormat::Pcm),
];

/// The routes.
pub fn router(work: Work) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(speech)).routes(routes!(voices)).with_state(work)
}

/// A text to speak. Fields that are not known are left alone.
#[derive(Debug, Deserialize, ToSchema)]
pub struct OpenAiSpeech {
    /// Marks of Markdown, addresses, emoji and the like are not spoken.
    #[schema(min_length = 1, max_length = 5000)]
    input: String,
    /// Any name: the voice that runs here speaks.
    #[expect(dead_code, reason = "there is one engine, whatever it is called")]
    model: Option<String>,
    /// One of `/v1/audio/voices`; any other speaks with the default voice.
    voice: Option<OpenAiVoiceName>,
    /// `mp3` (the default), `opus` (in Ogg), `flac`, `wav`, or `pcm`: 24 kHz, 16 bits, mono, without a header.
    response_format: Option<String>,
    /// 1 is normal.
    #[schema(minimum = 0.25, maximum = 4.0, default = 1.0)]
    speed: Option<f32>,
    /// `audio` (the default): the sound is the body; `sse`: it comes in events.
    stream_format: Option<String>,
    /// Not followed.
    #[expect(dead_code, reason = "no voice here can follow them")]
    instructions: Option<String>,
}

/// A voice's name, alone or in an object.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(untagged, expecting = "it is neither a name nor an object with an id")]
pub enum OpenAiVoiceName {
    Plain(String),
    Object { id: String },
}

impl OpenAiVoiceName {
    fn id(&self) -> &str {
        match self {
            Self::Plain(id) | Self::Object { id } => id,
        }
    }
}

/// The voices that can be asked for.
#[derive(Debug, Serialize, ToSchema)]
pub struct OpenAiVoices {
    voices: Vec<OpenAiVoice>,
}

/// A voice.
#[derive(Debug, Serialize, ToSchema)]
pub struct OpenAiVoice {
    id: String,
    /// For people.
    name: String,
    /// ISO 639-1.
    language: String,
}

impl From<VoiceInfo> for OpenAiVoice {
    fn from(voice: VoiceInfo) -> Self {
        Self { id: voice.id, name: voice.name, language: voice.language }
    }
}

/// The voices there are.
#[utoipa::path(
    get, path = "/v1/audio/voices", tag = "openai", responses((status = 200, body = OpenAiVoices), told::Asked)
)]
pub async fn voices(State(work): State<Work>, caller: Caller) -> Result<Json<OpenAiVoices>, Refused> {
    caller.needs(Scope::Tts)?;
    Ok(Json(OpenAiVoices { voices: work.engines.speech.voices().into_iter().map(OpenAiVoice::from).collect() }))
}

/// Speaks a text; the sound comes as it is made. What goes wrong before its first piece is an HTTP status; after that
/// the answer breaks off, or an event says it.
#[utoipa::path(
    post, path = "/v1/audio/speech", tag = "openai", request_body = OpenAiSpeech,
    responses(
        (status = 200, description = "the sound", content(
            (Vec<u8> = "audio/mpeg"), (Vec<u8> = "audio/ogg"), (Vec<u8> = "audio/flac"), (Vec<u8> = "audio/wav"),
            (Vec<u8> = "audio/pcm"), (sse::ServerEvent = "text/event-stream")
        )),
        told::Worked,
    )
)]
pub async fn speech(
    State(work): State<Work>,
    caller: Caller,
    Fields(asked): Fields<OpenAiSpeech>,
) -> Result<Response, Refused> {
    caller.needs(Scope::Tts)?;
    let format = format(asked.response_format.as_deref())?;
    let events = match asked.stream_format.as_deref() {
        None | Some("audio") => false,
        Some("sse") => true,
        Some(_) => return Err(Refused::value("stream_format", "it is neither audio nor sse", "leave it out")),
    };
    let sound = speaking::first(speaking::begin(&work, requests(&work, &asked)?, format, !events)).await?;
    if events {
        let tokens = asked.input.chars().count().div_ceil(CHARS_PER_TOKEN);
        // It ends by itself when the server does, with a word about it.
        return Ok(sse::answer(told(sound, tokens), CancellationToken::new()));
    }
    let mut answer = speaking::answer(sound, format);
    if format == SoundFormat::Pcm {
        // As OpenAI says it: clients compare it.
        answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("audio/pcm"));
    }
    Ok(answer)
}

/// What is counted as a token of text: a guess, since nothing here is paid for by the token.
const CHARS_PER_TOKEN: usize = 4;

fn format(asked: Option<&str>) -> Result<SoundFormat, Refused> {
    let asked = asked.unwrap_or("mp3");
    FORMATS.iter().find(|(name, _)| *name == asked).map(|(_, format)| *format).ok_or_else(|| {
        let names: Vec<&str> = FORMATS.iter().map(|(name, _)| *name).collect();
        Refused::unsupported(
            "response_format",
            format!("{:?} is not made here", asked.chars().take(20).collect::<String>()),
            format!("there are {}", names.join(", ")),
        )
    })
}

/// What the voice is asked, sentence by sentence.
fn requests(work: &Work, asked: &OpenAiSpeech) -> Result<Vec<SpeakRequest>, Refused> {
    let text =
        work::text("input", &asked.input, work.max_chars).map_err(|error| Refused::from(error).about("input"))?;
    let speed = asked.speed.unwrap_or(1.0);
    if !(0.25..=4.0).contains(&speed) {
        return Err(Refused::value("speed", "it is not between 0.25 and 4", "1 is normal"));
    }
    // Clients bring OpenAI's names; who asks for `alloy` wants to hear something.
    let known = work.engines.speech.voices();
    let voice = asked.voice.as_ref().map(OpenAiVoiceName::id).filter(|id| known.iter().any(|voice| voice.id == **id));
    Ok(speaking::sentences(work.engines.speech.as_ref(), text, voice, None, speed))
}

/// The sound as events; what goes wrong is the last.
fn told(
    sound: impl Stream<Item = Result<Bytes, EngineError>> + Send + 'static,
    input: usize,
) -> impl Stream<Item = Event> + Send + 'static {
    let deltas = sound.map(Some).chain(stream::once(async { None }));
    deltas
        .scan(false, move |failed, piece| {
            let event = match piece {
                _ if *failed => return std::future::ready(None),
                Some(Ok(bytes)) if bytes.is_empty() => None,
                Some(Ok(bytes)) => Some(json!({"type": "speech.audio.delta", "audio": BASE64.encode(&bytes)})),
                Some(Err(error)) => {
                    *failed = true;
                    Some(Refused::from(error).json())
                }
                None => {
                    let usage = json!({"input_tokens": input, "output_tokens": 0, "total_tokens": input});
                    Some(json!({"type": "speech.audio.done", "usage": usage}))
                }
            };
            std::future::ready(Some(event))
        })
        .filter_map(|event| std::future::ready(event.map(|event| Event::default().data(event.to_string()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn events_of(pieces: Vec<Result<Bytes, EngineError>>) -> String {
        use axum::response::{IntoResponse, Sse};
        let events = told(stream::iter(pieces), 3).map(Ok::<_, std::convert::Infallible>);
        let body = Sse::new(events).into_response().into_body();
        String::from_utf8(axum::body::to_bytes(body, 10_000).await.expect("a small body").to_vec()).expect("text")
    }

    #[tokio::test]
    async fn sound_is_told_in_events_and_ends_once() {
        let all = events_of(vec![Ok("ab".into()), Ok("".into()), Ok("c".into())]).await;
        assert_eq!(all.matches("speech.audio.delta").count(), 2, "{all}");
        assert!(all.contains("YWI=") && all.trim_end().ends_with("}}") && all.contains("speech.audio.done"), "{all}");
        let failed = events_of(vec![Ok("ab".into()), Err(EngineError::Closed)]).await;
        assert!(failed.contains("\"error\"") && !failed.contains("speech.audio.done"), "{failed}");
    }

    #[test]
    fn what_is_not_made_is_refused_and_the_rest_named() {
        assert_eq!(format(None).expect("a default"), SoundFormat::Mp3);
        let said = format(Some("aac")).expect_err("no AAC").body().error;
        assert_eq!(said.code.as_deref(), Some("unsupported_value"));
        assert!(FORMATS.iter().all(|(name, _)| said.message.contains(name)), "{}", said.message);
    }
}
