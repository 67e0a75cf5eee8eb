//! The pages, one line each.

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    http::{StatusCode, Uri, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};

use super::{
    PageSettings,
    assets::static_file,
    shell::{Shell, Visit},
};

/// Every page, and everything below `/static/`. A layer above must have put an [`Identity`](crate::account::Identity)
/// into the requests of whoever is known; compression belongs to a layer above too.
pub fn router(settings: PageSettings) -> Router {
    let pages = Router::new()
        .route("/", get(async |visit: Visit| visit.open("/", |shell| Talk { shell })))
        .route("/login/", get(async |visit: Visit| visit.outside(|shell| Login { shell })))
        .route("/signup/", get(async |visit: Visit| visit.outside(|shell| Signup { shell })))
        .route("/verify/", get(async |visit: Visit| visit.anybody(|shell| Verify { shell })))
        .route("/password/forgot/", get(async |visit: Visit| visit.anybody(|shell| Forgot { shell })))
        .route("/password/reset/", get(async |visit: Visit| visit.anybody(|shell| Reset { shell })))
        .route("/app/", get(async |visit: Visit| visit.inside("/app/", |shell| Dashboard { shell })))
        .route("/app/history/", get(async |visit: Visit| visit.inside("/app/history/", |shell| History { shell })))
        .route("/app/history/{id}/", get(conversation))
        .route("/app/settings/", get(async |visit: Visit| visit.inside("/app/settings/", |shell| Settings { shell })))
        .route("/app/keys/", get(async |visit: Visit| visit.inside("/app/keys/", |shell| Keys { shell })))
        .route("/app/admin/", get(async |visit: Visit| visit.for_admins("/app/admin/", |shell| Admin { shell })))
        .route("/app/models/", get(async |visit: Visit| visit.for_admins("/app/admin/", |shell| Models { shell })))
        .route("/help/microphone/", get(async |visit: Visit| visit.anybody(|shell| Microphone { shell })))
        .route("/help/authority.crt", get(authority))
        .with_state(Arc::new(settings))
        .route("/static/{*path}", get(static_file));
    // What people type by hand.
    BARE.iter().fold(pages, |pages, path| pages.route(path, get(with_slash)))
}

/// The pages' addresses without the slash at their end.
const BARE: &[&str] = &[
    "/login",
    "/signup",
    "/verify",
    "/password/forgot",
    "/password/reset",
    "/app",
    "/app/history",
    "/app/history/{id}",
    "/app/settings",
    "/app/keys",
    "/app/admin",
    "/app/models",
    "/help/microphone",
];

async fn with_slash(uri: Uri) -> Redirect {
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    Redirect::permanent(&format!("{}/{query}", uri.path()))
}

async fn conversation(Path(id): Path<String>, visit: Visit) -> Response {
    visit.inside("/app/history/", |shell| Conversation { shell, id })
}

/// The certificate that people's devices have to trust, where the server has one of its own; phones know what to do with
/// this type.
async fn authority(State(settings): State<Arc<PageSettings>>) -> Response {
    match settings.authority.clone() {
        Some(pem) => ([(header::CONTENT_TYPE, "application/x-x509-ca-cert")], pem).into_response(),
        None => (StatusCode::NOT_FOUND, "this server has no authority of its own\n").into_response(),
    }
}

/// A template that needs nothing but what every page has.
macro_rules! pages {
    ($($name:ident $path:literal)*) => {
        $(#[derive(Template)]
        #[template(path = $path)]
        struct $name {
            shell: Shell,
        })*
    };
}

pages! {
    Talk      "index.html"
    Login     "login.html"
    Signup    "signup.html"
    Verify    "verify.html"
    Forgot    "forgot.html"
    Reset     "reset.html"
    Dashboard "dashboard.html"
    History   "history.html"
    Settings  "settings.html"
    Keys      "keys.html"
    Admin     "admin.html"
    Models    "models.html"
    Microphone "microphone.html"
}

#[derive(Template)]
#[template(path = "conversation.html")]
struct Conversation {
    shell: Shell,
    id: String,
}
