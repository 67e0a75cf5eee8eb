//! OpenAI's REST endpoints, below `/v1/`.

pub mod errors;
pub mod models;
pub mod told;

use utoipa_axum::router::OpenApiRouter;

use crate::protocol::rest::work::Work;

/// The routes below `/v1/`.
pub fn router(work: Work) -> OpenApiRouter {
    OpenApiRouter::new().merge(models::router(work))
}
