//! `/v1/models`: what runs here, and the names that clients bring with them.

use std::{
    collections::HashSet,
    sync::LazyLock,
    time::{SystemTime, UNIX_EPOCH},
};

use axum::{Json, extract::State, routing::get};
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{errors::Refused, told};
use crate::protocol::{caller::Caller, json::Id, rest::work::Work};

/// Names that clients ask for unless told otherwise; each means what this server has of that kind.
pub const ALIASES: [&str; 8] = [
    "whisper-1",
    "gpt-4o-mini-transcribe",
    "gpt-4o-transcribe",
    "gpt-transcribe",
    "tts-1",
    "tts-1-hd",
    "gpt-4o-mini-tts",
    "gpt-realtime",
];

/// The routes.
pub fn router(work: Work) -> OpenApiRouter {
    // Names may hold slashes, which the description's paths cannot say.
    OpenApiRouter::with_openapi(OneModel::openapi())
        .routes(routes!(models))
        .route("/v1/models/{*id}", get(model))
        .with_state(work)
}

#[derive(OpenApi)]
#[openapi(paths(model))]
struct OneModel;

/// All models.
#[derive(Debug, Serialize, ToSchema)]
pub struct OpenAiModels {
    /// `list`
    object: &'static str,
    data: Vec<OpenAiModel>,
}

/// A model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct OpenAiModel {
    id: String,
    /// `model`
    object: &'static str,
    /// When the server started, in Unix seconds.
    created: u64,
    /// The engine that runs it; `aigolos` for a name that stands for others.
    owned_by: String,
}

/// The models in use, and the names that stand for them.
#[utoipa::path(get, path = "/v1/models", tag = "openai", responses((status = 200, body = OpenAiModels), told::Asked))]
pub async fn models(State(work): State<Work>, _: Caller) -> Json<OpenAiModels> {
    Json(OpenAiModels { object: "list", data: all(&work) })
}

/// One of them.
#[utoipa::path(
    get, path = "/v1/models/{id}", tag = "openai", params(("id" = String, Path, description = "may hold slashes")),
    responses((status = 200, body = OpenAiModel), told::Found)
)]
pub async fn model(State(work): State<Work>, _: Caller, Id(id): Id<String>) -> Result<Json<OpenAiModel>, Refused> {
    all(&work).into_iter().find(|model| model.id == id).map(Json).ok_or_else(|| Refused::no_model(&id))
}

fn all(work: &Work) -> Vec<OpenAiModel> {
    static STARTED: LazyLock<u64> =
        LazyLock::new(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()));
    let engines = &work.engines;
    let running = [engines.recognizer.info(), engines.chat.info(), engines.speech.info()];
    let running = running.into_iter().map(|info| (info.model, info.engine));
    let aliases = ALIASES.into_iter().map(|alias| (alias.to_owned(), "aigolos".to_owned()));
    let mut seen = HashSet::new();
    running
        .chain(aliases)
        .filter(|(id, _)| !id.is_empty() && seen.insert(id.clone()))
        .map(|(id, owned_by)| OpenAiModel { id, object: "model", created: *STARTED, owned_by })
        .collect()
}
