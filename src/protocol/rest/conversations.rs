//! `/api/conversations/`: what was said, found again, taken along, deleted.

mod listen;
mod views;

use std::sync::Arc;

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use self::views::{ConversationDetail, ConversationList, Deleted, Listed, OneConversation, turn_view};
use super::export::{self, Names};
use crate::{
    model::{ConversationId, UserId},
    protocol::{
        caller::Caller,
        client,
        error::{ApiError, Problem},
        json::{Body, Id, Params},
    },
    store::{Conversation, Cursor, Listing, Scope, Store, TurnRecord},
};

const DEFAULT_LIMIT: u32 = 30;
const MAX_LIMIT: u32 = 100;
const MAX_QUERY_CHARS: usize = 200;
const MAX_TITLE_CHARS: usize = 200;

/// What the handlers need.
#[derive(Clone)]
struct History {
    store: Arc<dyn Store>,
}

/// The routes.
pub fn router(store: Arc<dyn Store>) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list, delete_all))
        .routes(routes!(one, rename, delete))
        .routes(routes!(export_file))
        .routes(routes!(listen::sound))
        .with_state(History { store })
}

/// Which conversations.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// Words that must all be in one turn, or in the title; the last one may be a beginning.
    #[param(max_length = 200)]
    q: Option<String>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
    /// At most this many.
    #[param(minimum = 1, maximum = 100, default = 30)]
    limit: Option<u32>,
}

/// A new title.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Rename {
    #[schema(min_length = 1, max_length = 200)]
    title: String,
}

/// The file's format.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct AsFile {
    #[param(inline)]
    format: Format,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Format {
    Txt,
    Json,
    Srt,
    Vtt,
}

/// Who may read and change a history: its owner, and their programs that speak or write for them.
fn reader(caller: &Caller) -> Result<UserId, ApiError> {
    if caller.0.may(Scope::Llm) {
        return Ok(caller.id());
    }
    caller.needs(Scope::Asr).map(Caller::id)
}

fn no_conversation() -> ApiError {
    ApiError::not_found("conversation")
}

/// Conversations, the newest first
#[utoipa::path(get, path = "/api/conversations/", tag = "history", params(Wanted), responses(
    (status = 200, body = ConversationList),
    (status = 422, description = "a parameter is wrong", body = Problem, content_type = "application/problem+json"),
))]
async fn list(
    State(history): State<History>,
    caller: Caller,
    Params(wanted): Params<Wanted>,
) -> Result<Response, ApiError> {
    let user = reader(&caller)?;
    let query = wanted.q.unwrap_or_default();
    if query.chars().count() > MAX_QUERY_CHARS {
        return Err(ApiError::field("q", "longer than 200 characters", "look for fewer words"));
    }
    let limit = wanted.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(ApiError::field("limit", "not between 1 and 100", "ask for 30 at a time"));
    }
    let after = wanted.cursor.as_deref().map(views::parse_cursor).transpose()?;
    // One more tells whether there is a next page.
    let listing = Listing { query: printable(&query), after, limit: limit + 1 };
    let mut found = history.store.conversations(user, &listing).await?;
    let more = found.len() > limit as usize;
    found.truncate(limit as usize);
    let last = found.last().filter(|_| more).map(|found| &found.conversation);
    let next_cursor = last.map(|last| views::cursor_text(Cursor { updated_at: last.updated_at, id: last.id }));
    let conversations = found.into_iter().map(Listed::from).collect();
    Ok(private(Json(ConversationList { conversations, next_cursor })))
}

/// A conversation with its turns
#[utoipa::path(get, path = "/api/conversations/{id}", tag = "history", params(("id" = Uuid, Path)), responses(
    (status = 200, body = ConversationDetail),
    (status = 404, description = "there is none, or it is another's", body = Problem, content_type = "application/problem+json"),
))]
async fn one(State(history): State<History>, caller: Caller, Id(id): Id<Uuid>) -> Result<Response, ApiError> {
    let user = reader(&caller)?;
    Ok(private(Json(detail(&history, user, id.into()).await?)))
}

/// Give a conversation a title
#[utoipa::path(patch, path = "/api/conversations/{id}", tag = "history", params(("id" = Uuid, Path)), request_body = Rename, responses(
    (status = 200, body = OneConversation),
    (status = 400, description = "not JSON", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "there is none, or it is another's", body = Problem, content_type = "application/problem+json"),
    (status = 413, description = "too long", body = Problem, content_type = "application/problem+json"),
    (status = 415, description = "not declared as JSON", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "no title, or too long a one", body = Problem, content_type = "application/problem+json"),
))]
async fn rename(
    State(history): State<History>,
    caller: Caller,
    Id(id): Id<Uuid>,
    Body(Rename { title }): Body<Rename>,
) -> Result<Response, ApiError> {
    let user = reader(&caller)?;
    let title = printable(&title);
    let title = title.trim();
    if title.is_empty() || title.chars().count() > MAX_TITLE_CHARS {
        return Err(ApiError::field("title", "not of 1 to 200 characters", "give it a few words"));
    }
    if !history.store.rename_conversation(user, id.into(), title).await? {
        return Err(no_conversation());
    }
    let renamed = history.store.conversation(user, id.into()).await?.ok_or_else(no_conversation)?;
    Ok(private(Json(OneConversation { conversation: renamed.into() })))
}

/// Delete a conversation with all its turns and sound
#[utoipa::path(delete, path = "/api/conversations/{id}", tag = "history", params(("id" = Uuid, Path)), responses(
    (status = 204),
    (status = 404, description = "there is none, or it is another's", body = Problem, content_type = "application/problem+json"),
))]
async fn delete(State(history): State<History>, caller: Caller, Id(id): Id<Uuid>) -> Result<StatusCode, ApiError> {
    let user = reader(&caller)?;
    if history.store.delete_conversation(user, id.into()).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    Err(no_conversation())
}

/// Delete all your conversations
#[utoipa::path(delete, path = "/api/conversations/", tag = "history", responses((status = 200, body = Deleted)))]
async fn delete_all(State(history): State<History>, caller: Caller) -> Result<Json<Deleted>, ApiError> {
    let user = reader(&caller)?;
    Ok(Json(Deleted { deleted: history.store.delete_conversations(user).await? }))
}

/// A conversation as a file
#[utoipa::path(get, path = "/api/conversations/{id}/export", tag = "history", params(("id" = Uuid, Path), AsFile), responses(
    (status = 200, content((String = "text/plain"), (ConversationDetail = "application/json"), (String = "application/x-subrip"), (String = "text/vtt"))),
    (status = 404, description = "there is none, or it is another's", body = Problem, content_type = "application/problem+json"),
    (status = 422, description = "no such format", body = Problem, content_type = "application/problem+json"),
))]
async fn export_file(
    State(history): State<History>,
    caller: Caller,
    Id(id): Id<Uuid>,
    Params(AsFile { format }): Params<AsFile>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let user = reader(&caller)?;
    let (conversation, turns) = whole(&history, user, id.into()).await?;
    let names = Names::of(client::language(&headers, Some(&caller.0)));
    let words = |turns: Vec<(TurnRecord, _)>| turns.into_iter().map(|(turn, _)| turn).collect::<Vec<_>>();
    let disposition = |extension| export::disposition(&conversation.title, conversation.created_at, extension);
    let (kind, disposition, file) = match format {
        Format::Txt => {
            ("text/plain; charset=utf-8", disposition("txt"), export::txt(&conversation, &words(turns), names))
        }
        Format::Srt => (
            "application/x-subrip; charset=utf-8",
            disposition("srt"),
            export::srt(&conversation, &words(turns), names),
        ),
        Format::Vtt => {
            ("text/vtt; charset=utf-8", disposition("vtt"), export::vtt(&conversation, &words(turns), names))
        }
        Format::Json => {
            let disposition = disposition("json");
            let detail = ConversationDetail {
                conversation: conversation.into(),
                turns: turns.into_iter().map(turn_view).collect(),
            };
            let file = serde_json::to_string_pretty(&detail).map_err(|_| ApiError::internal())?;
            ("application/json", disposition, file)
        }
    };
    let disposition = HeaderValue::try_from(disposition).map_err(|_| ApiError::internal())?;
    let kind = HeaderValue::from_static(kind);
    Ok(private(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, disposition)], file)))
}

type Turns = Vec<(TurnRecord, Vec<crate::store::Side>)>;

async fn whole(history: &History, user: UserId, id: ConversationId) -> Result<(Conversation, Turns), ApiError> {
    let conversation = history.store.conversation(user, id).await?.ok_or_else(no_conversation)?;
    Ok((conversation, history.store.turns(user, id).await?))
}

async fn detail(history: &History, user: UserId, id: ConversationId) -> Result<ConversationDetail, ApiError> {
    let (conversation, turns) = whole(history, user, id).await?;
    Ok(ConversationDetail { conversation: conversation.into(), turns: turns.into_iter().map(turn_view).collect() })
}

/// What somebody said is for their own browser, and asked for anew each time.
fn private(answer: impl IntoResponse) -> Response {
    let mut response = answer.into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    response
}

/// Without control characters, which no search and no database wants.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
