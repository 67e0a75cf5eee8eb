//! The page people see at `/`, and the static files it loads.
//!
//! The page is one template and a folder of ES modules, styles and fonts, all inside the binary. Nothing is loaded from
//! elsewhere and nothing is inline, so [`CONTENT_SECURITY_POLICY`] can forbid both. The page speaks the native protocol
//! like any other client: it knows no more about the server than `docs/protocol.md` says.

use std::fmt::Write as _;

use askama::Template;
use axum::{
    Router,
    extract::Path,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use rust_embed::{EmbeddedFile, RustEmbed};

/// What the page may load and whom it may talk to: this server only, nothing inline.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; object-src 'none'; base-uri 'none'; \
                                           frame-ancestors 'none'; form-action 'self'";

/// `/` and everything below `/static/`. Mount it at the root; compression belongs to a layer above.
pub fn router() -> Router {
    Router::new().route("/", get(index)).route("/static/{*path}", get(static_file))
}

#[derive(RustEmbed)]
#[folder = "static/"]
struct Static;

/// Everything the page's template needs.
#[derive(Template)]
#[template(path = "index.html")]
struct Index {
    version: &'static str,
}

async fn index(headers: HeaderMap) -> Response {
    let page = Index { version: env!("CARGO_PKG_VERSION") };
    match page.render() {
        Ok(html) => {
            let mut response = Html(html).into_response();
            let fields = response.headers_mut();
            fields.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY));
            fields.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
            fields.insert("permissions-policy", HeaderValue::from_static("microphone=(self)"));
            fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            response
        }
        Err(error) => {
            tracing::error!(%error, "the page could not be rendered");
            not_a_page(StatusCode::INTERNAL_SERVER_ERROR, "the page could not be made; the log says why", &headers)
        }
    }
}

async fn static_file(Path(path): Path<String>, headers: HeaderMap) -> Response {
    match (Static::get(&path), content_type(&path)) {
        (Some(file), Some(kind)) => serve(&file, kind, &headers),
        _ => not_a_page(StatusCode::NOT_FOUND, "no such file; the page itself is at /", &headers),
    }
}

/// The file with a strong `ETag`, or 304 where the browser has it already.
fn serve(file: &EmbeddedFile, kind: &'static str, request: &HeaderMap) -> Response {
    let tag = entity_tag(&file.metadata.sha256_hash());
    let fields = [(header::CACHE_CONTROL, "no-cache"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
    let tag_field = [(header::ETAG, tag.clone())];
    if knows(request, &tag) {
        return (StatusCode::NOT_MODIFIED, fields, tag_field).into_response();
    }
    (fields, tag_field, [(header::CONTENT_TYPE, kind)], file.data.clone().into_owned()).into_response()
}

/// A few words in place of a page or file, in the form the reader can use.
fn not_a_page(status: StatusCode, words: &'static str, request: &HeaderMap) -> Response {
    let wants_html = request
        .get(header::ACCEPT)
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains("text/html"));
    if wants_html {
        let title = status.canonical_reason().unwrap_or("Error");
        let html = format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title} - aigolos</title>\
             <h1>{title}</h1><p>{words}</p><p><a href=\"/\">To the page</a></p></html>"
        );
        return (status, Html(html)).into_response();
    }
    (status, format!("{words}\n")).into_response()
}

fn entity_tag(sha256: &[u8; 32]) -> String {
    let mut tag = String::with_capacity(34);
    tag.push('"');
    for byte in &sha256[..16] {
        let _ = write!(tag, "{byte:02x}"); // writing to a String cannot fail
    }
    tag.push('"');
    tag
}

/// Whether `If-None-Match` names this tag. A compressing layer may have made it weak on the way out, so `W/` is ignored.
fn knows(request: &HeaderMap, tag: &str) -> bool {
    request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).any(|value| {
        value.split(',').map(str::trim).any(|known| known == "*" || known.strip_prefix("W/").unwrap_or(known) == tag)
    })
}

/// The kinds of file the folder holds; anything else is not served.
fn content_type(path: &str) -> Option<&'static str> {
    let (_, extension) = path.rsplit_once('.')?;
    Some(match extension {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn fetch(path: &str, headers: HeaderMap) -> Response {
        if path == "/" { index(headers).await } else { static_file(Path(path.to_owned()), headers).await }
    }

    async fn text(response: Response) -> String {
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("bodies here are in memory");
        String::from_utf8(body.to_vec()).expect("pages and scripts are UTF-8")
    }

    /// What stands between `before` and the next quotation mark, each time.
    fn quoted<'a>(text: &'a str, before: &str) -> Vec<&'a str> {
        text.split(before).skip(1).filter_map(|rest| rest.split(['"', '\'']).next()).collect()
    }

    #[tokio::test]
    async fn every_file_the_page_names_is_there() {
        let html = text(fetch("/", HeaderMap::new()).await).await;
        let named: Vec<_> = quoted(&html, "href=\"static/").into_iter().chain(quoted(&html, "src=\"static/")).collect();
        assert!(named.iter().any(|path| path.contains(".js")) && named.iter().any(|path| path.contains(".css")));
        for path in named {
            assert_eq!(fetch(path, HeaderMap::new()).await.status(), StatusCode::OK, "{path}");
        }
    }

    #[tokio::test]
    async fn every_import_of_every_script_is_there() {
        for path in Static::iter().filter(|path| path.contains(".js")) {
            let script = text(fetch(&path, HeaderMap::new()).await).await;
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            for import in quoted(&script, "from '") {
                let mut parts: Vec<&str> = folder.split('/').collect();
                for part in import.split('/') {
                    match part {
                        "." => {}
                        ".." => drop(parts.pop()),
                        name => parts.push(name),
                    }
                }
                let target = parts.join("/");
                assert!(Static::get(&target).is_some(), "{path} imports {import}, which is not there");
            }
        }
    }

    #[tokio::test]
    async fn nothing_is_inline_so_the_policy_can_forbid_it() {
        let html = text(fetch("/", HeaderMap::new()).await).await;
        for inline in ["<style", " style=", " onclick=", " onload=", "javascript:"] {
            assert!(!html.contains(inline), "the page has {inline}");
        }
        for tag in html.split("<script").skip(1) {
            assert!(tag.split('>').next().is_some_and(|head| head.contains("src=")), "an inline script");
        }
        assert!(!CONTENT_SECURITY_POLICY.contains("unsafe"));
    }

    #[tokio::test]
    async fn a_known_file_is_not_sent_again() {
        let first = fetch("js/main.js", HeaderMap::new()).await;
        assert_eq!(first.headers()[header::CONTENT_TYPE], "text/javascript; charset=utf-8");
        let tag = first.headers()[header::ETAG].clone();
        let weak = format!("W/{}", tag.to_str().expect("tags are ASCII"));
        for known in [tag, HeaderValue::from_str(&weak).expect("ASCII"), HeaderValue::from_static("\"x\", *")] {
            let again = fetch("js/main.js", HeaderMap::from_iter([(header::IF_NONE_MATCH, known)])).await;
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
            assert_eq!(text(again).await, "");
        }
        let other = HeaderMap::from_iter([(header::IF_NONE_MATCH, HeaderValue::from_static("\"other\""))]);
        assert_eq!(fetch("js/main.js", other).await.status(), StatusCode::OK);
    }

    #[tokio::test]
    async fn an_unknown_file_is_a_plain_404() {
        for path in ["nothing.js", "../Cargo.toml", "..%2fCargo.toml", "", "js", "js/", "js/main"] {
            let missing = fetch(path, HeaderMap::new()).await;
            assert_eq!(missing.status(), StatusCode::NOT_FOUND, "{path}");
            assert!(text(missing).await.contains("no such file"));
        }
        let accept = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static("text/html,*/*"))]);
        assert!(text(fetch("nothing.js", accept).await).await.starts_with("<!doctype html>"));
    }
}
