//! Keys for programs.

use futures::{SinkExt as _, StreamExt as _};
use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{self, Message, client::IntoClientRequest as _, http::HeaderValue},
};

use super::visitor::{Answer, Browser, Database, Mailbox, on_both_databases, server, server_on, with_key};
use crate::harness::{PATIENCE, TestServer};

on_both_databases! {
    a_key_is_shown_once_and_opens_what_it_was_made_for
}

async fn key(browser: &mut Browser, scopes: Value) -> (String, String) {
    let made = browser.post("/api/keys/", json!({"name": "a program", "scopes": scopes})).await.expect(201).body;
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    (text(&made["key"]["id"]), text(&made["secret"]))
}

async fn a_key_is_shown_once_and_opens_what_it_was_made_for(database: Database) {
    let server = server_on(database, &[]).await;
    let mut mailbox = Mailbox::of(&server);
    let mut ann = Browser::join(&server, &mut mailbox, "ann@example.org").await;
    let wish = json!({"name": " transcriber ", "scopes": ["tts", "asr", "asr"], "expires_in_days": 7});
    let made = ann.post("/api/keys/", wish).await.expect(201).body;
    let secret = made["secret"].as_str().expect("a secret").to_owned();
    assert!(secret.starts_with("aig_") && secret.starts_with(made["key"]["prefix"].as_str().expect("a prefix")));
    assert_eq!((&made["key"]["name"], &made["key"]["scopes"]), (&json!("transcriber"), &json!(["asr", "tts"])));
    let span = made["key"]["expires_at"].as_i64().expect("a moment") - made["key"]["created_at"].as_i64().expect("too");
    assert_eq!(span, 7 * 86_400_000);
    let listed = ann.get("/api/keys/").await.expect(200);
    assert_eq!(listed.body["keys"], json!([made["key"]]));
    assert_eq!(listed.body["keys"][0]["last_used_at"], Value::Null);

    let me = with_key(&server, &secret, Method::GET, "/api/auth/me").await.expect(200);
    assert_eq!(me.body["user"]["email"], "ann@example.org");
    assert!(ann.get("/api/keys/").await.body["keys"][0]["last_used_at"].is_i64(), "its use is noted");

    // A program changes neither the account nor its keys.
    for (method, path) in [
        (Method::GET, "/api/keys/"),
        (Method::GET, "/api/auth/sessions"),
        (Method::DELETE, "/api/auth/sessions"),
        (Method::GET, "/api/admin/users"),
    ] {
        assert_eq!(with_key(&server, &secret, method, path).await.said(), (403, "forbidden"), "{path}");
    }
    let admin = json!({"name": "x", "scopes": ["admin"]});
    assert_eq!(ann.post("/api/keys/", admin).await.said(), (403, "forbidden"), "she is no administrator");
    for wrong in [
        json!({"name": "x", "scopes": []}),
        json!({"name": "", "scopes": ["asr"]}),
        json!({"name": "x", "scopes": ["root"]}),
        json!({"name": "x", "scopes": ["asr"], "expires_in_days": 0}),
    ] {
        assert_eq!(ann.post("/api/keys/", wrong.clone()).await.said(), (422, "invalid_field"), "{wrong}");
    }

    // Another's key is not there for anybody else.
    let mut bob = Browser::join(&server, &mut mailbox, "bob@example.org").await;
    let id = made["key"]["id"].as_str().expect("an id");
    assert_eq!(bob.get("/api/keys/").await.body["keys"], json!([]));
    assert_eq!(bob.delete(&format!("/api/keys/{id}")).await.said(), (404, "not_found"));
    let sessions = ann.get("/api/auth/sessions").await.body["sessions"].clone();
    let session = format!("/api/auth/sessions/{}", sessions[0]["id"].as_str().expect("an id"));
    assert_eq!(bob.delete(&session).await.said(), (404, "not_found"));
    assert_eq!(bob.delete("/api/keys/no-id").await.said(), (404, "not_found"));

    ann.delete(&format!("/api/keys/{id}")).await.expect(204);
    assert_eq!(with_key(&server, &secret, Method::GET, "/api/auth/me").await.said(), (401, "unauthorized"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_key_is_told_so() {
    let server = server(&[]).await;
    let nobody = Browser::at(&server);
    for value in ["Bearer", "Bearer ", "Bearer a b", "Bearer aig_nonsense", "bearer \u{fc}"] {
        let request = nobody.bare(Method::GET, "/api/auth/me").header("authorization", value.as_bytes());
        let answer = Answer::of(request).await;
        assert_eq!(answer.said(), (401, "unauthorized"), "{value}");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
    }
    // What a proxy in front wants is none of ours.
    let request = nobody.bare(Method::GET, "/api/auth/me").basic_auth("proxy", Some("secret"));
    Answer::of(request).await.expect(200);
    let request = nobody.bare(Method::GET, "/").header("authorization", "Bearer nonsense");
    Answer::of(request).await.expect(200);
}

/// The first event of a session that is asked for.
async fn first_event(server: &TestServer, protocols: &str, bearer: Option<&str>, mode: &str) -> Result<Value, u16> {
    let mut request = format!("ws://{}/ws", server.address).into_client_request().expect("an address");
    let fields = request.headers_mut();
    fields.insert("sec-websocket-protocol", HeaderValue::from_str(protocols).expect("ASCII"));
    if let Some(key) = bearer {
        fields.insert("authorization", HeaderValue::from_str(&format!("Bearer {key}")).expect("ASCII"));
    }
    let (mut socket, answer) = match connect_async(request).await {
        Ok(connected) => connected,
        Err(tungstenite::Error::Http(answer)) => return Err(answer.status().as_u16()),
        Err(error) => panic!("{error}"),
    };
    assert_eq!(answer.headers()["sec-websocket-protocol"], "aigolos.v1");
    let start = json!({"type": "session.start", "mode": mode});
    socket.send(Message::text(start.to_string())).await.expect("connected");
    let event = tokio::time::timeout(PATIENCE, socket.next()).await.expect("an event").expect("open").expect("a frame");
    Ok(serde_json::from_str(event.to_text().expect("text")).expect("JSON"))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_websocket_knows_who_comes() {
    let server = server(&[]).await;
    let mut ann = Browser::join(&server, &mut Mailbox::of(&server), "ann@example.org").await;
    let (_, dictation) = key(&mut ann, json!(["asr"])).await;
    let (_, whole) = key(&mut ann, json!(["asr", "llm", "tts"])).await;
    let v1 = "aigolos.v1";
    assert_eq!(first_event(&server, v1, None, "converse").await, Err(401), "before the upgrade");
    assert_eq!(first_event(&server, v1, Some("aig_nonsense"), "converse").await, Err(401));
    assert_eq!(first_event(&server, "aigolos.v1, aigolos.key.nonsense", None, "converse").await, Err(401));

    let ready = |event: Result<Value, u16>| event.expect("upgraded")["type"].clone();
    assert_eq!(ready(first_event(&server, v1, Some(&whole), "converse").await), "session.ready");
    assert_eq!(ready(first_event(&server, v1, Some(&dictation), "transcribe").await), "session.ready");
    let in_browser = format!("aigolos.v1, aigolos.key.{dictation}");
    assert_eq!(ready(first_event(&server, &in_browser, None, "transcribe").await), "session.ready");
    let refused = first_event(&server, v1, Some(&dictation), "converse").await.expect("upgraded");
    assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("forbidden")));

    let mut request = format!("ws://{}/ws", server.address).into_client_request().expect("an address");
    let cookie = ann.cookie.clone().expect("she is logged in");
    request.headers_mut().insert("cookie", HeaderValue::from_str(&cookie).expect("ASCII"));
    let (socket, _) = connect_async(request).await.expect("a cookie opens it");
    drop(socket);
}
