//! `/api/admin/`: live sessions and models. (Users are in the neighbouring module.)

use std::{path::PathBuf, sync::Arc};

use axum::{Json, extract::State};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    conversation::hub::Hub,
    engine::models::{self, ModelKind},
    protocol::{caller::Caller, error::ApiError},
    store::Scope,
};

/// What the handlers need.
#[derive(Clone)]
pub struct Admin {
    pub hub: Hub,
    /// `MODELS_DIR`.
    pub models: Arc<PathBuf>,
}

/// The routes.
pub fn router(admin: Admin) -> OpenApiRouter {
    OpenApiRouter::new().routes(routes!(models)).with_state(admin)
}

/// The models that are there.
#[derive(Debug, Serialize, ToSchema)]
struct ModelList {
    models: Vec<Model>,
}

/// A model; the bundled ones have no size of their own.
#[derive(Debug, Serialize, ToSchema)]
struct Model {
    kind: ModelKind,
    name: String,
    bytes: u64,
    /// Whether the server works with it now.
    in_use: bool,
}

/// Models in the models folder, and those in use
#[utoipa::path(get, path = "/api/admin/models", tag = "administration", responses((status = 200, body = ModelList)))]
async fn models(State(admin): State<Admin>, caller: Caller) -> Result<Json<ModelList>, ApiError> {
    caller.needs(Scope::Admin)?;
    let engines = admin.hub.engines();
    let in_use = [(ModelKind::Asr, engines.recognizer.info().model), (ModelKind::Tts, engines.speech.info().model)];
    let files = models::files(&admin.models).into_iter();
    let mut models: Vec<Model> = files
        .map(|file| Model {
            in_use: in_use.iter().any(|(kind, name)| *kind == file.kind && *name == file.name),
            kind: file.kind,
            name: file.name,
            bytes: file.bytes,
        })
        .collect();
    for (kind, name) in in_use {
        // What is in use without a file of its own is part of the program.
        if !models.iter().any(|model| model.kind == kind && model.name == name) {
            models.push(Model { kind, name, bytes: 0, in_use: true });
        }
    }
    Ok(Json(ModelList { models }))
}
