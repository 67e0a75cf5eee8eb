//! OpenAI's REST endpoints, below `/v1/`.

mod answers;
pub mod chat;
pub mod errors;
pub mod json;
mod languages;
pub mod models;
pub mod speech;
pub mod support;
pub mod told;
pub mod transcriptions;
mod wish;

use utoipa_axum::router::OpenApiRouter;

use crate::protocol::rest::work::Work;

/// The routes below `/v1/`.
pub fn router(work: Work) -> OpenApiRouter {
    OpenApiRouter::new()
        .merge(chat::router(work.clone()))
        .merge(models::router(work.clone()))
        .merge(transcriptions::router(work.clone()))
        .merge(speech::router(work))
}
