//! `/api/jobs/`: recordings that wait, are transcribed, or were.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response, sse::Event},
};
use futures::{Stream, stream};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{sse, told, work::Work};
use crate::{
    job::{Failure, Watch},
    model::{Language, UserId},
    protocol::{
        caller::Caller,
        client,
        error::{ApiError, Problem},
        json::Id,
    },
    store::{JobEvent, JobRecord, JobState, Scope},
};

/// The routes below `/api/jobs/`.
pub fn router(work: Work) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get, cancel)).routes(routes!(events)).with_state(work)
}

/// The newest jobs first; at most 100.
#[derive(Debug, Serialize, ToSchema)]
pub struct JobList {
    jobs: Vec<Job>,
}

/// One job.
#[derive(Debug, Serialize, ToSchema)]
pub struct OneJob {
    job: Job,
}

/// A recording to transcribe. Moments are milliseconds since 1970.
#[derive(Debug, Serialize, ToSchema)]
pub struct Job {
    pub id: Uuid,
    pub state: JobState,
    /// The name the file was sent with.
    pub file: String,
    pub bytes: u64,
    pub created_at: i64,
    /// Null: it has not ended.
    pub ended_at: Option<i64>,
    /// Once done, what `?wait=true` answers; once failed, a problem.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub outcome: Option<serde_json::Value>,
}

impl Job {
    /// `job` as `language`'s readers are told of it.
    pub fn of(job: JobRecord, language: Language) -> Self {
        let outcome = match (job.state, job.outcome) {
            (JobState::Failed, Some(failure)) => serde_json::to_value(problem(failure, language)).ok(),
            (_, outcome) => outcome,
        };
        Self {
            id: job.id.uuid(),
            state: job.state,
            file: job.file,
            bytes: job.bytes,
            created_at: job.created_at.0,
            ended_at: job.ended_at.map(|at| at.0),
            outcome,
        }
    }
}

/// A job's failure as it lies in the store.
pub(super) fn failed(data: serde_json::Value) -> ApiError {
    serde_json::from_value::<Failure>(data).map_or_else(|_| ApiError::internal(), ApiError::from)
}

fn problem(data: serde_json::Value, language: Language) -> Problem {
    Problem::from(failed(data)).told(language, None)
}

/// The caller's jobs.
#[utoipa::path(get, path = "/api/jobs/", tag = "work", responses((status = 200, body = JobList), told::Common))]
pub async fn list(State(work): State<Work>, caller: Caller, headers: HeaderMap) -> Result<Json<JobList>, ApiError> {
    const MOST: u32 = 100;
    caller.needs(Scope::Asr)?;
    let language = client::language(&headers, Some(&caller.0));
    let jobs = work.jobs.jobs(caller.id(), MOST).await?;
    Ok(Json(JobList { jobs: jobs.into_iter().map(|job| Job::of(job, language)).collect() }))
}

/// One of the caller's jobs.
#[utoipa::path(
    get, path = "/api/jobs/{id}", tag = "work", params(("id" = Uuid, Path)),
    responses((status = 200, body = OneJob), told::Found)
)]
pub async fn get(
    State(work): State<Work>,
    caller: Caller,
    Id(id): Id<Uuid>,
    headers: HeaderMap,
) -> Result<Json<OneJob>, ApiError> {
    caller.needs(Scope::Asr)?;
    let job = work.jobs.job(caller.id(), id.into()).await?.ok_or_else(no_such_job)?;
    Ok(Json(OneJob { job: Job::of(job, client::language(&headers, Some(&caller.0))) }))
}

/// Cancels a job, if it has not ended.
#[utoipa::path(
    delete, path = "/api/jobs/{id}", tag = "work", params(("id" = Uuid, Path)),
    responses((status = 200, body = OneJob, description = "as it is now: cancelled, unless it had ended"), told::Found)
)]
pub async fn cancel(
    State(work): State<Work>,
    caller: Caller,
    Id(id): Id<Uuid>,
    headers: HeaderMap,
) -> Result<Json<OneJob>, ApiError> {
    caller.needs(Scope::Asr)?;
    let job = work.jobs.cancel(caller.id(), id.into()).await?.ok_or_else(no_such_job)?;
    Ok(Json(OneJob { job: Job::of(job, client::language(&headers, Some(&caller.0))) }))
}

/// What a job tells, as it tells it: `progress {"stage","fraction"}` with the stages `upload`, `queued`, `decode` and
/// `transcribe`, `text {"start_ms","end_ms","text"}`, and last one of `done` (what `?wait=true` answers), `failed` (a
/// problem) and `cancelled`. Each has an id; who sends the last one it got as `Last-Event-ID` hears the rest.
#[utoipa::path(
    get, path = "/api/jobs/{id}/events", tag = "work",
    params(("id" = Uuid, Path), ("last-event-id" = Option<u64>, Header, description = "the last event that arrived")),
    responses(
        (status = 200, content_type = "text/event-stream", body = sse::ServerEvent),
        (status = 204, description = "it has ended, and all it told has arrived; do not connect again"),
        told::Found,
    )
)]
pub async fn events(
    State(work): State<Work>,
    caller: Caller,
    Id(id): Id<Uuid>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    caller.needs(Scope::Asr)?;
    let after = sse::last_event_id(&headers);
    let watch = work.jobs.watch(caller.id(), id.into(), after).await?.ok_or_else(no_such_job)?;
    if watch.is_over() {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    Ok(sse::answer(told(watch, client::language(&headers, Some(&caller.0))), work.shutdown.clone()))
}

fn told(watch: Watch, language: Language) -> impl Stream<Item = Event> {
    stream::unfold(watch, move |mut watch| async move {
        match watch.next().await? {
            Ok(JobEvent { seq, kind, data }) if kind == "failed" => {
                Some((sse::event(Some(seq), &kind, &problem(data, language)), watch))
            }
            Ok(JobEvent { seq, kind, data }) => Some((sse::event(Some(seq), &kind, &data), watch)),
            // The client comes back for the rest.
            Err(error) => {
                tracing::warn!(%error, "what a job told cannot be read");
                None
            }
        }
    })
}

fn no_such_job() -> ApiError {
    ApiError::not_found("job")
}

/// Cancels a job when dropped, unless it was let go: nobody waits for it any more.
pub(super) struct Waiting {
    work: Work,
    job: Option<(UserId, crate::model::JobId)>,
}

impl Waiting {
    pub(super) fn new(work: &Work, user: UserId, job: crate::model::JobId) -> Self {
        Self { work: work.clone(), job: Some((user, job)) }
    }

    /// It has ended.
    pub(super) fn over(mut self) {
        self.job = None;
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some((user, job)) = self.job {
            self.work.jobs.abandon(user, job);
        }
    }
}
