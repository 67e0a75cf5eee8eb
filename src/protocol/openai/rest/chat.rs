//! `/v1/chat/completions`: the chat model in use, in OpenAI's words. Nothing of it is written into the history.

mod answered;
mod asked;
mod stop;

use axum::{
    Json,
    extract::State,
    response::{IntoResponse, Response, sse::Event},
};
use futures::{Stream, StreamExt, stream};
use tokio_util::sync::CancellationToken;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use self::{
    answered::{Answer, ChatCompletion, Chunks, Head},
    asked::ChatCompletionRequest,
    stop::Stop,
};
use super::{errors::Refused, json::Fields, told};
use crate::{
    engine::{ChatDelta, ChatStream, EngineError, StopCause},
    model::{TRACE_PART, UnixMs, within},
    protocol::{
        caller::Caller,
        error::ApiError,
        rest::{sse, work::Work},
    },
    store::Scope,
};

/// Bytes of text in an answer that is sent as a whole; a model that writes more is in a loop.
const LONGEST_ANSWER: usize = 1024 * 1024;

/// The routes.
pub fn router(work: Work) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(complete)).with_state(work)
}

/// Goes on with a conversation. With `stream` the answer comes as server-sent events: chunks, and `[DONE]` at the end;
/// what goes wrong after the first is an event with `error`, and the end.
#[utoipa::path(
    post, path = "/v1/chat/completions", tag = "openai", request_body = ChatCompletionRequest,
    responses(
        (status = 200, content((ChatCompletion = "application/json"), (String = "text/event-stream"))),
        told::Worked,
    )
)]
pub async fn complete(
    State(work): State<Work>,
    caller: Caller,
    Fields(asked): Fields<ChatCompletionRequest>,
) -> Result<Response, Refused> {
    caller.needs(Scope::Llm)?;
    let streamed = asked.stream == Some(true);
    let with_usage = asked.stream_options.as_ref().and_then(|options| options.include_usage) == Some(true);
    let stop = Stop::read(asked.stop.as_ref())?;
    let request = asked::request(asked)?;
    let head = Head {
        id: format!("chatcmpl-{}", Uuid::new_v4().simple()),
        created: UnixMs::now().0 / 1000,
        model: work.engines.chat.info().model,
    };
    let span = within(tracing::info_span!(target: TRACE_PART, "chat", model = head.model));
    let stream = span.in_scope(|| work.engines.chat.reply(request));
    drop(span);
    let mut pieces = Pieces { stream, stop, over: None, shutdown: work.shutdown.clone() };
    let first = pieces.next().await?;
    if streamed {
        let chunks = Chunks::new(head, with_usage);
        // The stream ends by itself when the server does, with a word about it.
        return Ok(sse::answer(events(chunks, first, pieces), CancellationToken::new()));
    }
    let mut answer = Answer::default();
    answer.add(first);
    while !answer.is_whole() {
        if answer.length() > LONGEST_ANSWER {
            let reason = format!("the answer has more than {LONGEST_ANSWER} bytes");
            return Err(EngineError::Failed { engine: "chat", reason }.into());
        }
        answer.add(pieces.next().await?);
    }
    Ok(Json(answer.whole(head)).into_response())
}

/// A reply on its way; dropped with the client's connection, which ends the model's work.
struct Pieces {
    stream: ChatStream,
    stop: Stop,
    /// The end, where something is to be told before it.
    over: Option<ChatDelta>,
    shutdown: CancellationToken,
}

impl Pieces {
    /// The next piece; a stream that closes without its end was cut off.
    async fn next(&mut self) -> Result<ChatDelta, Refused> {
        let cut = || EngineError::Failed { engine: "chat", reason: "the reply was cut off".into() };
        if let Some(over) = self.over.take() {
            return Ok(over);
        }
        loop {
            let piece = tokio::select! {
                piece = self.stream.recv() => piece.unwrap_or_else(|| Err(cut()))?,
                () = self.shutdown.cancelled() => return Err(ApiError::shutting_down().into()),
            };
            let (text, over) = match piece {
                ChatDelta::Text(text) => match self.stop.push(&text) {
                    (text, false) => (text, None),
                    // What the model would still have said is not waited for, nor counted.
                    (text, true) => {
                        let stop = StopCause::End;
                        (text, Some(ChatDelta::Done { prompt_tokens: None, reply_tokens: None, stop }))
                    }
                },
                other => (self.stop.finish(), Some(other)),
            };
            match (text.is_empty(), over) {
                (true, None) => {}
                (true, Some(over)) => return Ok(over),
                (false, over) => {
                    self.over = over;
                    return Ok(ChatDelta::Text(text));
                }
            }
        }
    }
}

fn events(chunks: Chunks, first: ChatDelta, pieces: Pieces) -> impl Stream<Item = Event> {
    let opening = vec![event(&chunks.first())];
    let rest = stream::unfold(Some((chunks, Some(first), pieces)), async |state| {
        let (mut chunks, first, mut pieces) = state?;
        let piece = match first {
            Some(first) => Ok(first),
            None => pieces.next().await,
        };
        match piece {
            Ok(piece) => {
                let over = matches!(piece, ChatDelta::Done { .. });
                let mut events: Vec<Event> = chunks.next(piece).iter().map(event).collect();
                if over {
                    events.push(Event::default().data("[DONE]"));
                    return Some((events, None));
                }
                Some((events, Some((chunks, None, pieces))))
            }
            Err(refused) => Some((vec![event(&refused.body())], None)),
        }
    });
    stream::once(async { opening }).chain(rest).flat_map(stream::iter)
}

fn event(data: &impl serde::Serialize) -> Event {
    // What is told serialises: its keys are strings.
    Event::default().data(serde_json::to_string(data).unwrap_or_default())
}
