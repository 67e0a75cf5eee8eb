//! `/api/asr/`: recordings to text.

use axum::{
    Json,
    body::Body,
    extract::{DefaultBodyLimit, Request, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    form::{self, Form},
    jobs::{Job, Waiting, failed},
    told,
    work::{self, Work},
};
use crate::{
    job::{JobRequest, Upload},
    protocol::{
        caller::Caller,
        client,
        error::{ApiError, Code, Problem},
        json::Params,
    },
    store::{JobRecord, Scope},
};

/// The routes below `/api/asr/`.
pub fn router(work: Work) -> OpenApiRouter {
    // The file has its own limit.
    OpenApiRouter::new().routes(routes!(transcribe)).layer(DefaultBodyLimit::disable()).with_state(work)
}

/// How the answer is wanted.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct How {
    /// Answer with the text, when it is there; whoever goes away before cancels the job.
    #[serde(default)]
    wait: bool,
    /// Only where the body is the file itself: its name.
    filename: Option<String>,
    /// Only where the body is the file itself: the language spoken.
    language: Option<String>,
    /// Only where the body is the file itself: whether word times are wanted.
    #[serde(default)]
    words: bool,
}

/// A recording.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "only described; the form is read part by part")]
pub struct Recording {
    /// WAV, MP3, FLAC, Ogg (Vorbis or Opus), WebM or M4A/MP4, named accordingly.
    #[schema(value_type = String, format = Binary)]
    file: Vec<u8>,
    /// ISO 639-1; left out or `auto`: the recogniser decides.
    language: Option<String>,
    /// Whether the segments have their words with times.
    words: Option<bool>,
}

/// A job that was made.
#[derive(Debug, Serialize, ToSchema)]
pub struct MadeJob {
    job: Job,
    /// Where its events are.
    events: String,
}

/// A recording's text.
#[derive(Debug, Serialize, ToSchema)]
pub struct Transcription {
    text: String,
    /// ISO 639-1, where known.
    language: Option<String>,
    duration_ms: u64,
    segments: Vec<TextSegment>,
    /// Where the history has it; null if nothing was said.
    conversation_id: Option<Uuid>,
}

/// A stretch of a recording's text.
#[derive(Debug, Serialize, ToSchema)]
pub struct TextSegment {
    start_ms: u32,
    end_ms: u32,
    text: String,
    /// Where asked for and known.
    words: Option<Vec<TextWord>>,
}

/// A word with its times.
#[derive(Debug, Serialize, ToSchema)]
pub struct TextWord {
    text: String,
    start_ms: u32,
    end_ms: u32,
    /// 0 to 1.
    probability: f32,
}

/// Transcribes a recording: makes a job, or with `wait=true` answers with the text.
///
/// The body may also be the file itself, with its media type (`audio/...`) and the other fields as parameters.
#[utoipa::path(
    post, path = "/api/asr/transcribe/", tag = "work", params(How),
    request_body(content = Recording, content_type = "multipart/form-data"),
    responses(
        (status = 200, body = Transcription, description = "with wait=true"),
        (status = 202, body = MadeJob),
        (status = 408, body = Problem, content_type = "application/problem+json", description = "nothing came for too long"),
        (status = 502, body = Problem, content_type = "application/problem+json", description = "an engine failed"),
        told::Changed,
    )
)]
pub async fn transcribe(
    State(work): State<Work>,
    caller: Caller,
    Params(how): Params<How>,
    request: Request,
) -> Result<Response, ApiError> {
    caller.needs(Scope::Asr)?;
    let language = client::language(request.headers(), Some(&caller.0));
    let (upload, asked) = receive(&work, &caller, &how, request).await?;
    let waiting = how.wait.then(|| Waiting::new(&work, caller.id(), upload.id()));
    let job = work.jobs.submit(upload, &asked).await?;
    if let Some(waiting) = waiting {
        let outcome = outcome(&work, &job).await?;
        waiting.over();
        return outcome.map(|text| Json(text).into_response());
    }
    let events = format!("/api/jobs/{}/events", job.id);
    Ok((StatusCode::ACCEPTED, Json(MadeJob { job: Job::of(job, language), events })).into_response())
}

/// Waits for a job: the outer error is that it cannot be waited for, the inner one its own.
async fn outcome(work: &Work, job: &JobRecord) -> Result<Result<serde_json::Value, ApiError>, ApiError> {
    let mut watch = work.jobs.watch(job.user, job.id, 0).await?.ok_or_else(ApiError::internal)?;
    loop {
        let event = tokio::select! {
            event = watch.next() => event.ok_or_else(ApiError::internal)??,
            () = work.shutdown.cancelled() => return Err(ApiError::shutting_down()),
        };
        match event.kind.as_str() {
            "done" => return Ok(Ok(event.data)),
            "failed" => return Ok(Err(failed(event.data))),
            "cancelled" => {
                return Ok(Err(ApiError::new(Code::Conflict, "the job was cancelled", "send the recording again")));
            }
            _ => {}
        }
    }
}

/// Takes the recording in. What is refused is read a little further, or its sender, still writing, would find the
/// connection closed and not the reason.
async fn receive(work: &Work, caller: &Caller, how: &How, request: Request) -> Result<(Upload, JobRequest), ApiError> {
    let headers = request.headers();
    let too_large = form::declared_too_large(headers, work.jobs.max_bytes());
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let media_type = media_type.to_ascii_lowercase();
    if !media_type.starts_with("multipart/form-data") {
        return receive_bare(work, caller, how, request, too_large, media_type).await;
    }
    let mut form = Form::of(request).await?;
    let received = if too_large {
        Err(work::too_large(work.jobs.max_bytes()))
    } else {
        receive_parts(work, caller, &mut form).await
    };
    if received.is_err() {
        form.hear_out().await;
    }
    received
}

async fn receive_parts(work: &Work, caller: &Caller, form: &mut Form) -> Result<(Upload, JobRequest), ApiError> {
    let (mut upload, mut asked) = (None, JobRequest::default());
    while let Some(mut part) = form.next().await? {
        match part.name().unwrap_or_default() {
            "file" => {
                if upload.is_some() {
                    return Err(ApiError::field("file", "there are two", "send one at a time"));
                }
                asked.media_type = part.content_type().map(|kind| kind.chars().take(100).collect());
                let name = part.file_name().unwrap_or_default().to_owned();
                let mut file = work.jobs.upload(caller.id(), &name, asked.media_type.as_deref()).await?;
                while let Some(bytes) = form::in_time(part.chunk()).await? {
                    file.push(&bytes).await?;
                }
                upload = Some(file);
            }
            "language" => {
                let wish = form::text(&mut part, "language", 100).await?;
                asked.language = work::language(Some(&wish), &work.engines.recognizer.info().languages)?;
            }
            "words" => {
                asked.words = match form::text(&mut part, "words", 100).await?.trim() {
                    "true" | "1" | "on" => true,
                    "false" | "0" | "off" | "" => false,
                    _ => return Err(ApiError::field("words", "neither true nor false", "true or false")),
                };
            }
            _ => {}
        }
    }
    let upload =
        upload.ok_or_else(|| ApiError::field("file", "there is none", "send the recording as the part file"))?;
    Ok((upload, with_default(work, asked)))
}

/// The body is the file.
async fn receive_bare(
    work: &Work,
    caller: &Caller,
    how: &How,
    request: Request<Body>,
    too_large: bool,
    media_type: String,
) -> Result<(Upload, JobRequest), ApiError> {
    let known = ["audio/", "video/webm", "video/mp4", "application/ogg"];
    if !known.iter().any(|known| media_type.starts_with(known)) {
        return Err(ApiError::new(
            Code::UnsupportedMedia,
            "the body is neither multipart/form-data nor a recording",
            "send the recording as the part file of multipart/form-data",
        ));
    }
    let sends_on = form::sends_on(request.headers());
    let mut body = request.into_body().into_data_stream();
    let received = async {
        if too_large {
            return Err(work::too_large(work.jobs.max_bytes()));
        }
        let asked = JobRequest {
            language: work::language(how.language.as_deref(), &work.engines.recognizer.info().languages)?,
            words: how.words,
            media_type: Some(media_type.chars().take(100).collect()),
        };
        let name = how.filename.as_deref().unwrap_or_default();
        let mut upload = work.jobs.upload(caller.id(), name, asked.media_type.as_deref()).await?;
        loop {
            let next = tokio::time::timeout(form::QUIET, body.next()).await.map_err(|_| form::quiet())?;
            match next {
                Some(Ok(bytes)) => upload.push(&bytes).await?,
                Some(Err(_)) => return Err(form::broken_off()),
                None => return Ok((upload, with_default(work, asked))),
            }
        }
    };
    let received = received.await;
    if received.is_err() && sends_on {
        let rest = async { while let Some(Ok(_)) = body.next().await {} };
        let _ = tokio::time::timeout(form::REST, rest).await;
    }
    received
}

fn with_default(work: &Work, asked: JobRequest) -> JobRequest {
    JobRequest { language: asked.language.or_else(|| work.default_language.clone()), ..asked }
}
