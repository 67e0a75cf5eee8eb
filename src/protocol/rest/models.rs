//! `/api/models/`: the models there are, for administrators: fetched with progress, chosen, removed.

mod bodies;

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{Response, sse::Event},
};
use futures::{Stream, stream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use self::bodies::{
    ChosenModels, ModelCard, ModelEntry, ModelName, ModelsList, OllamaState, OneDownload, PullModel, UseModel,
    WhichDownload,
};
use super::{sse, told};
use crate::{
    catalogue::{ChatModelFile, Chooser, Download, Library, Trouble, same_chat_model, suggestions},
    conversation::hub::Hub,
    engine::models::ModelKind,
    protocol::{
        caller::Caller,
        error::ApiError,
        json::{Body, Id, Params},
    },
    store::Scope,
};

/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// What the handlers need.
#[derive(Clone)]
pub struct Models {
    pub library: Library,
    pub chooser: Arc<dyn Chooser>,
    /// Knows what is in use now.
    pub hub: Hub,
    pub shutdown: CancellationToken,
}

/// The routes below `/api/models/`.
pub fn router(models: Models) -> OpenApiRouter {
    OpenApiRouter::new()
        .routes(routes!(list, remove))
        .routes(routes!(card))
        .routes(routes!(pull))
        .routes(routes!(choose))
        .routes(routes!(events))
        .routes(routes!(download, cancel))
        .with_state(models)
}

/// All models: those that can be fetched, those that are here, those in use.
#[utoipa::path(
    get, path = "/api/models/", tag = "models", responses((status = 200, body = ModelsList), told::Common)
)]
pub async fn list(State(models): State<Models>, caller: Caller) -> Result<Json<ModelsList>, ApiError> {
    caller.needs(Scope::Admin)?;
    let in_use = models.in_use();
    let mut list: Vec<_> = models.library.list()?.iter().map(|listed| ModelEntry::of(listed, &in_use)).collect();
    let (place, chat) = match models.library.shelf() {
        Some(shelf) => (shelf.place(), shelf.models().await),
        None => (String::new(), Err(Trouble::NoOllama { place: "?".into(), reason: "no address".into() })),
    };
    let (here, trouble) = match chat {
        Ok(here) => (here, None),
        Err(trouble) => (Vec::new(), Some(trouble.told())),
    };
    list.extend(chat_models(&here, models.chat_in_use().as_deref()));
    for (kind, name) in &in_use {
        // What is in use without files of its own is part of the program.
        if !list.iter().any(|model| model.kind == *kind && model.in_use) {
            list.push(ModelEntry::built_in(*kind, name));
        }
    }
    let downloads = models.library.downloads().iter().map(|watch| watch.borrow().clone()).collect();
    Ok(Json(ModelsList { models: list, ollama: OllamaState { place, trouble }, downloads }))
}

/// The terms under which a model may be used, to be read before it is fetched.
#[utoipa::path(
    get, path = "/api/models/card", tag = "models", params(ModelName),
    responses(
        (status = 200, body = ModelCard), (status = 404, description = "no such model"),
        (status = 502, description = "the place it comes from cannot be reached"), told::Searched
    )
)]
pub async fn card(
    State(models): State<Models>,
    caller: Caller,
    Params(ModelName { name }): Params<ModelName>,
) -> Result<Json<ModelCard>, ApiError> {
    caller.needs(Scope::Admin)?;
    let (text, address) = models.library.card(&name).await?;
    Ok(Json(ModelCard { name, text, address }))
}

/// Begins to fetch a model, or joins the download that runs.
#[utoipa::path(
    post, path = "/api/models/pull", tag = "models", request_body = PullModel,
    responses((status = 202, body = OneDownload), told::FoundAndChanged)
)]
pub async fn pull(
    State(models): State<Models>,
    caller: Caller,
    Body(PullModel { name, again }): Body<PullModel>,
) -> Result<(StatusCode, Json<OneDownload>), ApiError> {
    caller.needs(Scope::Admin)?;
    let watch = models.library.pull(&name, again)?;
    let download = watch.borrow().clone();
    Ok((StatusCode::ACCEPTED, Json(OneDownload::of(download))))
}

/// How a download stands.
#[utoipa::path(
    get, path = "/api/models/downloads/{id}", tag = "models", params(("id" = Uuid, Path)),
    responses((status = 200, body = OneDownload), told::Found)
)]
pub async fn download(
    State(models): State<Models>,
    caller: Caller,
    Id(id): Id<Uuid>,
) -> Result<Json<OneDownload>, ApiError> {
    caller.needs(Scope::Admin)?;
    let watch = models.library.download(id).ok_or_else(no_such_download)?;
    let download = watch.borrow().clone();
    Ok(Json(OneDownload::of(download)))
}

/// Stops a download. What has come stays, and the next one goes on there.
#[utoipa::path(
    delete, path = "/api/models/downloads/{id}", tag = "models", params(("id" = Uuid, Path)),
    responses((status = 200, body = OneDownload, description = "as it is now: cancelled, unless it had ended"), told::Found)
)]
pub async fn cancel(
    State(models): State<Models>,
    caller: Caller,
    Id(id): Id<Uuid>,
) -> Result<Json<OneDownload>, ApiError> {
    caller.needs(Scope::Admin)?;
    let download = models.library.cancel(id).await.ok_or_else(no_such_download)?;
    Ok(Json(OneDownload::of(download)))
}

/// How downloads go on: events `download`, each with a download as it is then, and `over` when all of them have ended.
#[utoipa::path(
    get, path = "/api/models/events", tag = "models", params(WhichDownload),
    responses(
        (status = 200, content_type = "text/event-stream", body = sse::ServerEvent),
        (status = 404, description = "no such download"), told::Searched
    )
)]
pub async fn events(
    State(models): State<Models>,
    caller: Caller,
    Params(which): Params<WhichDownload>,
) -> Result<Response, ApiError> {
    caller.needs(Scope::Admin)?;
    let id = which.download;
    if id.is_some_and(|id| models.library.download(id).is_none()) {
        return Err(no_such_download());
    }
    let shutdown = models.shutdown.clone();
    Ok(sse::answer(told(models.library, id), shutdown))
}

/// Puts a model into use; sessions go on, what is being said ends with the old one.
#[utoipa::path(
    post, path = "/api/models/use", tag = "models", request_body = UseModel,
    responses(
        (status = 200, body = ChosenModels),
        (status = 502, description = "Ollama cannot be reached"), told::FoundAndChanged
    )
)]
pub async fn choose(
    State(models): State<Models>,
    caller: Caller,
    Body(UseModel { name, kind }): Body<UseModel>,
) -> Result<Json<ChosenModels>, ApiError> {
    caller.needs(Scope::Admin)?;
    if name.is_empty() || name.len() > 250 {
        return Err(ApiError::field("name", "1 to 250 characters", "choose one of the list"));
    }
    let (kind, name) = match kind {
        Some(kind) => (kind, name.strip_prefix(crate::catalogue::OLLAMA).unwrap_or(&name).to_owned()),
        None => models.library.here(&name).await?,
    };
    models.chooser.choose(kind, &name).await?;
    tracing::info!(kind = kind.name(), model = name, "a model was chosen");
    let chosen = models.chooser.chosen();
    Ok(Json(ChosenModels { asr: chosen.asr, llm: chosen.llm, tts: chosen.tts }))
}

/// Removes a model that is not in use.
#[utoipa::path(
    delete, path = "/api/models/", tag = "models", params(ModelName),
    responses(
        (status = 204, description = "it is gone"), (status = 404, description = "it is not there"),
        (status = 409, description = "it is in use, or being fetched"),
        (status = 502, description = "Ollama cannot be reached"), told::Searched
    )
)]
pub async fn remove(
    State(models): State<Models>,
    caller: Caller,
    Params(ModelName { name }): Params<ModelName>,
) -> Result<StatusCode, ApiError> {
    caller.needs(Scope::Admin)?;
    let mut in_use = models.in_use();
    let chosen = models.chooser.chosen();
    in_use.extend(ModelKind::ALL.into_iter().filter_map(|kind| Some((kind, chosen.of(kind)?.to_owned()))));
    models.library.remove(&name, &in_use).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl Models {
    /// Kinds and bare names of what answers now.
    fn in_use(&self) -> Vec<(ModelKind, String)> {
        let engines = self.hub.engines();
        vec![
            (ModelKind::Asr, engines.recognizer.info().model),
            (ModelKind::Llm, engines.chat.info().model),
            (ModelKind::Tts, engines.speech.info().model),
        ]
    }

    /// The chat model in use, if it is one of Ollama's.
    fn chat_in_use(&self) -> Option<String> {
        let info = self.hub.engines().chat.info();
        (info.engine == "ollama").then_some(info.model)
    }
}

fn chat_models(here: &[ChatModelFile], in_use: Option<&str>) -> Vec<ModelEntry> {
    let suggested = |name: &str| suggestions().iter().find(|suggestion| same_chat_model(suggestion.name, name));
    let has = |name: &str| here.iter().find(|model| same_chat_model(&model.name, name));
    let present = here.iter().map(|model| ModelEntry::chat(&model.name, Some(model), suggested(&model.name), in_use));
    let lacking = suggestions().iter().filter(|suggestion| has(suggestion.name).is_none());
    present.chain(lacking.map(|suggestion| ModelEntry::chat(suggestion.name, None, Some(suggestion), in_use))).collect()
}

/// What there is to tell, until nothing more can come.
fn told(library: Library, id: Option<Uuid>) -> impl Stream<Item = Event> {
    let watched = move || -> Vec<watch::Receiver<Download>> {
        match id {
            Some(id) => library.download(id).into_iter().collect(),
            None => library.downloads(),
        }
    };
    let state = (HashMap::<Uuid, Download>::new(), tokio::time::interval(TELL_EVERY), Vec::<Event>::new(), false);
    stream::unfold((state, watched), |((mut seen, mut beat, mut ready, over), watched)| async move {
        loop {
            if !ready.is_empty() {
                let event = ready.remove(0);
                return Some((event, ((seen, beat, ready, over), watched)));
            }
            if over {
                return None;
            }
            beat.tick().await;
            let now: Vec<Download> = watched().iter().map(|watch| watch.borrow().clone()).collect();
            let runs = now.iter().any(|download| !download.state.is_over());
            for download in now {
                if seen.get(&download.id) != Some(&download) {
                    ready.push(sse::event(None, "download", &download));
                    seen.insert(download.id, download);
                }
            }
            if !runs {
                ready.push(sse::event(None, "over", &serde_json::json!({})));
                return Some((ready.remove(0), ((seen, beat, ready, true), watched)));
            }
        }
    })
}

fn no_such_download() -> ApiError {
    ApiError::not_found("download")
}
