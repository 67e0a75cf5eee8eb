//! `/v1/audio/transcriptions` and `/v1/audio/translations`: recordings to text, at once. Nothing of them is kept.

use axum::{
    extract::{DefaultBodyLimit, Request, State},
    response::{Response, sse::Event},
};
use futures::stream;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    answers::{OpenAiTranscription, Told, delta},
    errors::Refused,
    told,
    wish::{self, AnswerFormat, Wish},
};
use crate::{
    conversation::offline::WholeOptions,
    engine::EngineError,
    job::{Recording, Upload},
    protocol::{
        caller::Caller,
        error::{ApiError, Code},
        rest::{sse, work::Work},
    },
    store::Scope,
};

/// The routes.
pub fn router(work: Work) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(transcriptions))
        .routes(routes!(translations))
        // The file has its own limit.
        .layer(DefaultBodyLimit::disable())
        .with_state(work)
}

/// A recording, and how its text is wanted. Fields that are not known are left alone; lists may be named without `[]`.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only described; the form is read part by part")]
pub struct OpenAiRecording {
    /// WAV, MP3, FLAC, Ogg (Vorbis or Opus), WebM or M4A/MP4, whatever its name says; 25 MB at most, or `MAX_UPLOAD_MB`.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// Any name: the model that runs here hears it.
    model: Option<String>,
    /// ISO 639-1, or the English name; left out: the recogniser decides.
    language: Option<String>,
    /// Text to steer the spelling.
    prompt: Option<String>,
    /// `json` (the default), `text`, `srt`, `vtt` or `verbose_json`.
    response_format: Option<String>,
    /// 0 (the default) to 1.
    temperature: Option<f32>,
    /// `word`, `segment`: with `word`, `verbose_json` has the words' times.
    #[schema(rename = "timestamp_granularities[]")]
    timestamp_granularities: Option<Vec<String>>,
    /// Whether the text comes in events, as it is heard.
    stream: Option<bool>,
}

/// Transcribes a recording.
///
/// With `stream=true` the answer is events: `transcript.text.delta` for each piece, whose `delta` joined are the text,
/// then `transcript.text.done` and `[DONE]`.
#[utoipa::path(
    post, path = "/v1/audio/transcriptions", tag = "openai",
    request_body(content = OpenAiRecording, content_type = "multipart/form-data"),
    responses(
        (status = 200, description = "the text", content(
            (OpenAiTranscription = "application/json"), (String = "text/plain"), (String = "text/vtt"),
            (sse::ServerEvent = "text/event-stream")
        )),
        told::Worked,
    )
)]
pub async fn transcriptions(State(work): State<Work>, caller: Caller, request: Request) -> Result<Response, Refused> {
    answer(work, caller, request, false).await
}

/// Transcribes a recording in English, whatever is spoken, where the model can translate; one that cannot writes down
/// what it hears.
#[utoipa::path(
    post, path = "/v1/audio/translations", tag = "openai",
    request_body(content = OpenAiRecording, content_type = "multipart/form-data"),
    responses(
        (status = 200, description = "the text", content(
            (OpenAiTranscription = "application/json"), (String = "text/plain"), (String = "text/vtt"),
            (sse::ServerEvent = "text/event-stream")
        )),
        told::Worked,
    )
)]
pub async fn translations(State(work): State<Work>, caller: Caller, request: Request) -> Result<Response, Refused> {
    answer(work, caller, request, true).await
}

async fn answer(work: Work, caller: Caller, request: Request, translate: bool) -> Result<Response, Refused> {
    caller.needs(Scope::Asr)?;
    let (upload, wish) = wish::receive(&work, &caller, request).await?;
    let stopping = work.shutdown.clone();
    // Whoever goes away drops this, and with it the work.
    let answering = async {
        let recording = open(&work, upload).await?;
        let options = options(&work, &wish, translate);
        if wish.stream {
            return Ok(events(&work, recording, options));
        }
        let mut pieces = vec![];
        let whole = recording.hear(&options, |heard| pieces.push(heard.clone())).await?;
        let told = Told {
            text: whole.text,
            language: options.language.or(whole.language),
            duration_ms: recording.ms(),
            pieces,
            translated: translate,
            temperature: wish.temperature,
            words: wish.words,
        };
        Ok(told.answer(wish.format))
    };
    tokio::select! {
        answer = answering => answer,
        () = stopping.cancelled() => Err(ApiError::shutting_down().into()),
    }
}

/// Reads the file; what is no recording is the client's mistake.
async fn open(work: &Work, upload: Upload) -> Result<Recording, Refused> {
    let opened = work.jobs.open(upload).await.map_err(|error| match ApiError::from(error) {
        error if error.code == Code::InvalidField => Refused::from(error).about("file"),
        error => error.into(),
    })?;
    opened.map_err(|failure| match ApiError::from(failure) {
        error if error.code == Code::UnsupportedMedia => Refused::value("file", error.message, error.hint),
        error => error.into(),
    })
}

fn options(work: &Work, wish: &Wish, translate: bool) -> WholeOptions {
    WholeOptions {
        language: wish.language.clone().or_else(|| work.default_language.clone()),
        prompt: wish.hints(),
        // Sentences are told apart by their words' times.
        words: !matches!(wish.format, AnswerFormat::Json | AnswerFormat::Text),
        translate,
        temperature: (wish.temperature > 0.0).then_some(wish.temperature),
    }
}

/// The text as events, as it is heard. A task of its own hears it, until nobody listens any more.
fn events(work: &Work, recording: Recording, options: WholeOptions) -> Response {
    // There is room for all: who hears need not wait for who reads.
    let (out, told) = mpsc::channel(recording.pieces() + 3);
    let shutdown = work.shutdown.clone();
    let hearing = async move {
        let mut text = String::new();
        let heard = recording.hear(&options, |heard| {
            if let Some(delta) = delta(!text.is_empty(), &heard.transcript.text) {
                text.push_str(&delta);
                let _ = out.try_send(data(&json!({"type": "transcript.text.delta", "delta": delta})));
            }
        });
        let heard = tokio::select! {
            heard = heard => heard,
            () = out.closed() => return,
            () = shutdown.cancelled() => Err(EngineError::Closed),
        };
        let last = match heard {
            Ok(whole) => json!({"type": "transcript.text.done", "text": whole.text}),
            Err(error) => {
                let _ = out.try_send(data(&Refused::from(error).json()));
                return;
            }
        };
        let _ = out.try_send(data(&last));
        let _ = out.try_send(Event::default().data("[DONE]"));
    };
    tokio::spawn(hearing.in_current_span());
    let events = stream::unfold(told, async |mut told| Some((told.recv().await?, told)));
    // It ends by itself when the server does, with a word about it.
    sse::answer(events, CancellationToken::new())
}

fn data(json: &Value) -> Event {
    Event::default().data(json.to_string())
}
