//! `/api/tts/`: text to speech.

use axum::{Json, extract::State, response::Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    speaking::{self, SoundFormat},
    told,
    work::{self, Work},
};
use crate::{
    engine::{SpeakRequest, VoiceInfo},
    protocol::{
        caller::Caller,
        error::{ApiError, Problem},
        json::Body as JsonBody,
    },
    store::Scope,
};

/// The routes below `/api/tts/`.
pub fn router(work: Work) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(synthesize)).routes(routes!(voices)).with_state(work)
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
            (Vec<u8> = "audio/wav"), (Vec<u8> = "audio/pcm"), (Vec<u8> = "audio/ogg"), (Vec<u8> = "audio/mpeg"),
            (Vec<u8> = "audio/flac")
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
    let sound = speaking::begin(&work, requests(&work, &speech)?, speech.format, false);
    Ok(speaking::answer(speaking::first(sound).await?, speech.format))
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
    let synthesizer = work.engines.speech.as_ref();
    Ok(speaking::sentences(synthesizer, text, speech.voice.as_deref(), language.as_deref(), speech.speed))
}
