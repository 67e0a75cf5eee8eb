//! `/api/llm/`: chat in writing.

use std::time::Instant;

use axum::{
    extract::State,
    response::{Response, sse::Event},
};
use futures::{Stream, stream};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tracing::Instrument;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{
    sse, told,
    work::{self, Work},
};
use crate::{
    conversation::{
        history::History,
        journal::{Place, Recorded, Replied, Said},
        message::Mode,
    },
    engine::{ChatDelta, ChatRequest, ChatStream, EngineError, StopCause},
    model::{ConversationId, Language, SessionId, TRACE_PART, Timings, TurnId, UnixMs, within},
    protocol::{
        caller::Caller,
        client,
        error::{ApiError, Code, Problem},
        json::Body,
    },
    store::Scope,
};

/// Each request is a session of one turn.
const TURN: TurnId = TurnId(1);
/// Pieces of a reply on their way to the client. Few: what lies here counts as heard.
const AHEAD: usize = 4;

/// The routes below `/api/llm/`.
pub fn router(work: Work) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(chat)).with_state(work)
}

/// What somebody says to the chat model.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChatMessage {
    /// Spaces at its ends do not count.
    #[schema(min_length = 1, max_length = 5000)]
    message: String,
    /// The conversation to go on with; left out: a new one.
    #[serde(default)]
    conversation_id: Option<Uuid>,
    /// The language to answer in, ISO 639-1; left out or `auto`: the message's own.
    #[serde(default)]
    language: Option<String>,
}

#[derive(Serialize)]
struct Started {
    conversation_id: Uuid,
}

#[derive(Serialize)]
struct Delta<'t> {
    text: &'t str,
}

/// All deltas so far were no part of the answer.
#[derive(Serialize)]
struct Withdrawn {}

#[derive(Serialize)]
struct Done<'t> {
    text: &'t str,
    timings: Timings,
    /// `length`: the longest answer was reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    stop: Option<&'static str>,
}

/// Answers a message, as it is written: `started {"conversation_id"}`, `delta {"text"}` for each piece, and last one of
/// `done {"text","timings"}`, with `"stop":"length"` where the answer was cut off at the longest one allowed, and `failed`
/// (a problem). Rarely `withdrawn {}`: the deltas so far were no part of the answer. What went wrong before the first piece is an HTTP status. The
/// history has both, the answer as far as it was sent.
#[utoipa::path(
    post, path = "/api/llm/chat/", tag = "work", request_body = ChatMessage,
    responses(
        (status = 200, content_type = "text/event-stream", body = sse::ServerEvent),
        (status = 502, body = Problem, content_type = "application/problem+json", description = "the chat model failed"),
        told::FoundAndChanged,
    )
)]
pub async fn chat(
    State(work): State<Work>,
    caller: Caller,
    headers: axum::http::HeaderMap,
    Body(asked): Body<ChatMessage>,
) -> Result<Response, ApiError> {
    caller.needs(Scope::Llm)?;
    let began = Instant::now();
    let message = work::text("message", &asked.message, work.max_chars)?.to_owned();
    let language = work::language(asked.language.as_deref(), &[])?;
    let (conversation, request) = request(&work, &caller, &asked, &message, language.as_deref()).await?;
    let span = within(tracing::info_span!(target: TRACE_PART, "chat"));
    let mut pieces = span.in_scope(|| work.engines.chat.reply(request));
    drop(span);
    let first = tokio::select! {
        first = next(&mut pieces) => first?,
        () = work.shutdown.cancelled() => return Err(ApiError::shutting_down()),
    };
    let place = Place { user: caller.id(), conversation, session: SessionId::fresh() };
    let (out, told) = mpsc::channel(AHEAD);
    let reply = Reply {
        recorded: Recorded {
            place,
            turn: TURN,
            revision: 1,
            mode: Mode::Converse,
            at: UnixMs::now(),
            said: Said { text: message, spoken: None, language },
            reply: None,
        },
        work: work.clone(),
        text: String::new(),
        timings: Timings { first_token_ms: Some(ms_since(began)), ..Timings::default() },
        began,
        language: client::language(&headers, Some(&caller.0)),
        out,
    };
    // A task of its own, so that it ends properly when the client goes away.
    work.replies.spawn(reply.tell(first, pieces).in_current_span());
    Ok(sse::answer(events(told), work.shutdown.clone()))
}

/// The conversation, and what the model is asked.
async fn request(
    work: &Work,
    caller: &Caller,
    asked: &ChatMessage,
    message: &str,
    language: Option<&str>,
) -> Result<(ConversationId, ChatRequest), ApiError> {
    let mut prompt = work.prompt.clone();
    if let Some(language) = language {
        if prompt.system_prompt.trim().is_empty() {
            crate::conversation::history::DEFAULT_SYSTEM_PROMPT.clone_into(&mut prompt.system_prompt);
        }
        let wish = format!("Answer in the language whose ISO 639-1 code is {language}.");
        prompt.system_prompt = format!("{}\n{wish}", prompt.system_prompt);
    }
    let mut history = History::new(&prompt);
    let conversation = match asked.conversation_id {
        None => ConversationId::fresh(),
        Some(id) => {
            let id = ConversationId::from(id);
            let earlier = work.journal.recall(caller.id(), id).await.map_err(|error| {
                tracing::warn!(%error, "a conversation cannot be gone on with");
                ApiError::new(
                    Code::StoreUnavailable,
                    "the database cannot be reached",
                    "try again after retry_after_ms",
                )
                .retry_after(3_000)
            })?;
            history.restore(earlier.ok_or_else(|| ApiError::not_found("conversation"))?);
            id
        }
    };
    history.measure(work.engines.chat.tokens());
    let request = history.request(SessionId::fresh(), TURN, message);
    // Nobody stays to hear what a model remembers for a session.
    Ok((conversation, ChatRequest { session: None, ..request }))
}

/// The next piece; a stream that closes without its end was cut off.
async fn next(pieces: &mut ChatStream) -> Result<ChatDelta, EngineError> {
    let cut = EngineError::Failed { engine: "chat", reason: "the reply was cut off".into() };
    pieces.recv().await.unwrap_or(Err(cut))
}

fn ms_since(began: Instant) -> u32 {
    u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX)
}

fn events(told: mpsc::Receiver<Event>) -> impl Stream<Item = Event> {
    stream::unfold(told, async |mut told| Some((told.recv().await?, told)))
}

/// A reply under way.
struct Reply {
    work: Work,
    recorded: Recorded,
    /// What was sent of it.
    text: String,
    timings: Timings,
    began: Instant,
    /// The client's, for what goes wrong.
    language: Language,
    out: mpsc::Sender<Event>,
}

/// Why a reply ended before its end.
enum Ended {
    Gone,
    Failed(ApiError),
}

impl Reply {
    async fn tell(mut self, first: ChatDelta, mut pieces: ChatStream) {
        let (out, shutdown) = (self.out.clone(), self.work.shutdown.clone());
        let ended = tokio::select! {
            ended = self.write(first, &mut pieces) => ended,
            () = out.closed() => Err(Ended::Gone),
            () = shutdown.cancelled() => Err(Ended::Failed(ApiError::shutting_down())),
        };
        drop(pieces);
        self.timings.done_ms = Some(ms_since(self.began));
        self.recorded.reply = Some(Replied {
            text: self.text.clone(),
            heard: self.text.clone(),
            interrupted: ended.is_err(),
            timings: self.timings,
        });
        // First kept, then told: what the client saw completed is never lost.
        self.work.journal.record(self.recorded.clone());
        let last = match ended {
            Ok(stop) => {
                let stop = (stop == StopCause::Length).then_some("length");
                sse::event(None, "done", &Done { text: &self.text, timings: self.timings, stop })
            }
            Err(Ended::Failed(error)) => sse::event(None, "failed", &Problem::from(error).told(self.language, None)),
            Err(Ended::Gone) => return,
        };
        let _ = self.out.send(last).await;
    }

    async fn write(&mut self, first: ChatDelta, pieces: &mut ChatStream) -> Result<StopCause, Ended> {
        let conversation_id = self.recorded.place.conversation.uuid();
        self.send(sse::event(None, "started", &Started { conversation_id })).await?;
        let mut piece = first;
        loop {
            match piece {
                ChatDelta::Text(text) => {
                    self.send(sse::event(None, "delta", &Delta { text: &text })).await?;
                    self.text.push_str(&text);
                }
                ChatDelta::Withdrawn => {
                    self.send(sse::event(None, "withdrawn", &Withdrawn {})).await?;
                    self.text.clear();
                }
                ChatDelta::Done { stop, .. } => return Ok(stop),
                // No functions are offered here.
                ChatDelta::Call { .. } | ChatDelta::Arguments { .. } => {}
            }
            piece = next(pieces).await.map_err(|error| Ended::Failed(error.into()))?;
        }
    }

    async fn send(&self, event: Event) -> Result<(), Ended> {
        self.out.send(event).await.map_err(|_| Ended::Gone)
    }
}
