use axum::{
    Extension, Router,
    http::{HeaderMap, StatusCode, header},
    response::Response,
};

use super::{assets::file, *};
use crate::{
    account::{Identity, Via},
    model::{Language, UnixMs, UserId},
    store::User,
};

const INSIDE: [&str; 7] = [
    "/app/",
    "/app/history/",
    "/app/history/0197b000-0000-7000-8000-000000000001/",
    "/app/settings/",
    "/app/keys/",
    "/app/admin/",
    "/app/models/",
];
const OUTSIDE: [&str; 6] =
    ["/login/", "/signup/", "/verify/", "/password/forgot/", "/password/reset/", "/help/microphone/"];

fn person(admin: bool) -> Identity {
    let user = User {
        id: UserId::from(uuid::Uuid::from_u128(7)),
        email: "anna@example.org".into(),
        name: "<Anna>".into(),
        password_hash: String::new(),
        admin,
        verified_at: Some(UnixMs(1)),
        disabled: false,
        language: None,
        theme: None,
        keep_audio: false,
        retention_days: None,
        created_at: UnixMs(1),
    };
    Identity { user, via: Via::Login { id: uuid::Uuid::from_u128(8) } }
}

fn pages(auth_required: bool) -> Router {
    router(PageSettings { auth_required, ..PageSettings::default() })
}

/// What a page answers to somebody, over the wire.
async fn visit(
    router: &Router,
    path: &str,
    identity: Option<Identity>,
    fields: &[(header::HeaderName, &str)],
) -> reqwest::Response {
    let router = match identity {
        Some(identity) => router.clone().layer(Extension(identity)),
        None => router.clone(),
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let server = tokio::spawn(async move { axum::serve(listener, router).await });
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
    let mut request = client.get(format!("http://{address}{path}"));
    for (name, value) in fields {
        request = request.header(name.as_str(), *value);
    }
    let response = request.send().await.expect("pages do not fail");
    server.abort();
    response
}

async fn html(
    router: &Router,
    path: &str,
    identity: Option<Identity>,
    fields: &[(header::HeaderName, &str)],
) -> String {
    visit(router, path, identity, fields).await.text().await.expect("pages are UTF-8")
}

async fn text(response: Response) -> String {
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("bodies here are in memory");
    String::from_utf8(body.to_vec()).expect("pages are UTF-8")
}

fn location(response: &reqwest::Response) -> &str {
    response.headers()[header::LOCATION].to_str().expect("ASCII")
}

/// Every page as somebody may see it.
async fn all() -> Vec<(String, String)> {
    let router = pages(true);
    let mut seen = Vec::new();
    for (paths, identity) in [(&INSIDE[..], Some(person(true))), (&["/"], Some(person(false))), (&OUTSIDE, None)] {
        for path in paths {
            let response = visit(&router, path, identity.clone(), &[]).await;
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            seen.push(((*path).to_owned(), response.text().await.expect("UTF-8")));
        }
    }
    let error =
        ErrorPages::new(PageSettings::default()).page(StatusCode::NOT_FOUND, &HeaderMap::new(), None, Some("id"));
    seen.push(("404".into(), text(error).await));
    seen
}

#[tokio::test]
async fn every_file_a_page_names_is_there() {
    for (path, html) in all().await {
        let named: Vec<_> = html.split("=\"/static/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(named.len() > 4, "{path} names no files");
        for name in named {
            assert!(file(name).is_some(), "{path} names {name}");
        }
    }
}

#[tokio::test]
async fn nothing_is_inline_so_the_policy_can_forbid_it() {
    for (path, html) in all().await {
        for inline in ["<style", " style=", " onclick=", " onload=", "javascript:"] {
            assert!(!html.contains(inline), "{path} has {inline}");
        }
        for tag in html.split("<script").skip(1) {
            assert!(tag.split('>').next().is_some_and(|head| head.contains("src=")), "{path}: an inline script");
        }
        assert!(!html.contains("<Anna>"), "{path} believes what people call themselves");
    }
    assert!(!CONTENT_SECURITY_POLICY.contains("unsafe"));
}

#[tokio::test]
async fn every_text_a_page_asks_for_is_there() {
    for (path, html) in all().await {
        // A key without a text is shown as it is: words joined by full stops, nothing else in the element.
        for piece in html.split(['>', '"']).filter_map(|rest| rest.split(['<', '"']).next()) {
            let key = piece.contains('.') && piece.bytes().all(|b| b.is_ascii_lowercase() || b == b'.' || b == b'_');
            assert!(!key, "{path} shows {piece}");
        }
    }
}

#[tokio::test]
async fn who_is_not_known_is_led_to_the_log_in_and_back() {
    let router = pages(true);
    for path in INSIDE.iter().chain(&["/"]) {
        let response = visit(&router, path, None, &[]).await;
        assert_eq!(response.status(), StatusCode::SEE_OTHER, "{path}");
        assert_eq!(location(&response), format!("/login/?next={path}"));
    }
    let with_query = visit(&router, "/app/history/?q=a%20b&x=1", None, &[]).await;
    assert_eq!(location(&with_query), "/login/?next=/app/history/%3Fq%3Da%2520b%26x%3D1");
    let back = visit(&router, "/login/?next=/app/keys/", Some(person(false)), &[]).await;
    assert_eq!((back.status(), location(&back)), (StatusCode::SEE_OTHER, "/app/keys/"));
    assert_eq!(visit(&pages(false), "/", None, &[]).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_forgotten_slash_is_put_there() {
    for path in INSIDE.iter().chain(&OUTSIDE) {
        let response = visit(&pages(true), path.trim_end_matches('/'), None, &[]).await;
        assert_eq!((response.status(), location(&response)), (StatusCode::PERMANENT_REDIRECT, *path));
    }
    let with_query = visit(&pages(true), "/verify?token=a-b_c", None, &[]).await;
    assert_eq!(location(&with_query), "/verify/?token=a-b_c");
}

#[tokio::test]
async fn administration_is_for_administrators() {
    for path in ["/app/admin/", "/app/models/"] {
        let refused = visit(&pages(true), path, Some(person(false)), &[]).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{path}");
    }
    let page = html(&pages(true), "/app/", Some(person(false)), &[]).await;
    assert!(!page.contains("/app/admin/"));
}

#[tokio::test]
async fn language_and_colours_are_in_the_page_from_the_start() {
    let fields = [(header::ACCEPT_LANGUAGE, "ru"), (header::COOKIE, "theme=dark")];
    let page = html(&pages(false), "/", None, &fields).await;
    assert!(page.contains("<html lang=\"ru\" data-theme=\"dark\""), "{page}");
    assert!(page.contains(locale::text(Language::Ru, "live.label.start")));
    let mut other = person(false);
    other.user.language = Some("en".into());
    other.user.theme = Some("light".into());
    let page = html(&pages(true), "/app/", Some(other), &fields).await;
    assert!(page.contains("<html lang=\"en\" data-theme=\"light\""), "the account knows better than the browser");
    let odd = [(header::COOKIE, "theme=\"><script>")];
    assert!(html(&pages(false), "/", None, &odd).await.contains("data-theme=\"\""));
}

#[tokio::test]
async fn every_error_has_its_words() {
    let errors = ErrorPages::new(PageSettings::default());
    for status in [400, 401, 403, 404, 409, 413, 415, 422, 429, 500, 502, 503, 504, 418] {
        let status = StatusCode::from_u16(status).expect("a status");
        let response = errors.page(status, &HeaderMap::new(), None, Some("0197-abc"));
        assert_eq!(response.status(), status);
        let html = text(response).await;
        assert!(html.contains("0197-abc") && !html.contains("failure."), "{status}");
    }
}
