//! The static files, all inside the binary.

use std::fmt::Write as _;

use axum::{
    extract::Path,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use rust_embed::{EmbeddedFile, RustEmbed};

#[derive(RustEmbed)]
#[folder = "static/"]
pub(super) struct Static;

pub(super) async fn static_file(Path(path): Path<String>, headers: HeaderMap) -> Response {
    match (file(&path), content_type(&path)) {
        (Some(file), Some(kind)) => serve(&file, kind, &headers),
        _ => (StatusCode::NOT_FOUND, "no such file; the page itself is at /\n").into_response(),
    }
}

/// The file with this path. `locales/ru.js` is `locales/ru.json` as a script, so that a page has its words before its
/// other scripts run.
pub(super) fn file(path: &str) -> Option<EmbeddedFile> {
    let Some(name) = path.strip_prefix("locales/").and_then(|name| name.strip_suffix(".js")) else {
        return Static::get(path);
    };
    let mut file = Static::get(&format!("locales/{name}.json"))?;
    let script = [b"globalThis.aigolosTexts = ".as_slice(), &file.data, b";\n"].concat();
    file.data = script.into();
    Some(file)
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
        "json" => "application/json",
        "svg" => "image/svg+xml",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    async fn fetch(path: &str, headers: HeaderMap) -> Response {
        static_file(Path(path.to_owned()), headers).await
    }

    async fn text(response: Response) -> String {
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.expect("bodies here are in memory");
        String::from_utf8(body.to_vec()).expect("scripts are UTF-8")
    }

    #[tokio::test]
    async fn every_import_of_every_script_is_there() {
        let words = text(fetch("locales/ru.js", HeaderMap::new()).await).await;
        assert!(words.starts_with("globalThis.aigolosTexts = {") && words.trim_end().ends_with(';'));
        for path in Static::iter().filter(|path| path.contains(".js") && !path.contains(".json")) {
            let script = text(fetch(&path, HeaderMap::new()).await).await;
            let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
            let imports = script.split("from '").skip(1).filter_map(|rest| rest.split('\'').next());
            for import in imports {
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
    }
}
