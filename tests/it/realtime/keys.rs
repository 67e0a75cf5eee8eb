//! Keys and secrets, on a server with accounts.

use aigolos::model::UnixMs;
use reqwest::Method;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Error, http::StatusCode};

use super::Realtime;
use crate::{
    accounts::visitor::{Browser, Mailbox, server as accounts},
    harness::TestServer,
};

async fn key(browser: &mut Browser, scopes: Value) -> String {
    let made = browser.post("/api/keys/", json!({"name": "a program", "scopes": scopes})).await.expect(201).body;
    made["secret"].as_str().expect("a secret").to_owned()
}

/// The status and body of a refusal before the upgrade.
async fn refused(server: &TestServer, path: &str, headers: &[(&'static str, &str)]) -> (StatusCode, Value) {
    match Realtime::open(server, path, headers).await {
        Err(Error::Http(response)) => {
            let body = response.body().as_deref().unwrap_or_default();
            (response.status(), serde_json::from_slice(body).unwrap_or_default())
        }
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was let in"),
    }
}

async fn created(server: &TestServer, path: &str, headers: &[(&'static str, &str)]) -> (Value, Option<String>) {
    let (mut client, response) = Realtime::open(server, path, headers).await.expect("the server accepts");
    let selected =
        response.headers().get("sec-websocket-protocol").map(|name| name.to_str().expect("ASCII").to_owned());
    (client.event("session.created").await, selected)
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_found_where_clients_put_them() {
    let server = accounts(&[]).await;
    let mut ann = Browser::join(&server, &mut Mailbox::of(&server), "ann@example.org").await;
    let key_of_all = key(&mut ann, json!(["asr", "llm", "tts"])).await;
    let bearer = format!("Bearer {key_of_all}");
    let protocols = format!("realtime, openai-insecure-api-key.{key_of_all}, openai-agents-sdk.0.1");
    for path in ["/v1/realtime?model=m", "/realtime?model=m"] {
        for headers in [("authorization", bearer.as_str()), ("api-key", key_of_all.as_str())] {
            let (event, selected) = created(&server, path, &[headers]).await;
            assert_eq!((&event["session"]["type"], selected), (&json!("realtime"), None));
        }
        let (_, selected) = created(&server, path, &[("sec-websocket-protocol", &protocols)]).await;
        assert_eq!(selected.as_deref(), Some("realtime"), "the key is not sent back");
        let foreign = [("sec-websocket-protocol", protocols.as_str()), ("origin", "https://app.example.org")];
        created(&server, path, &foreign).await;

        for headers in [&[][..], &[("authorization", "Bearer aig_wrong")], &[("authorization", "Bearer ek_wrong")]] {
            let (status, body) = refused(&server, path, headers).await;
            assert_eq!(
                (status, &body["error"]["code"]),
                (StatusCode::UNAUTHORIZED, &json!("invalid_api_key")),
                "{body}"
            );
        }
    }
    let ears = format!("Bearer {}", key(&mut ann, json!(["asr"])).await);
    let (status, _) = refused(&server, "/v1/realtime", &[("authorization", &ears)]).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (event, _) = created(&server, "/v1/realtime?intent=transcription", &[("authorization", &ears)]).await;
    assert_eq!(event["session"]["type"], "transcription");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_opens_the_session_it_was_made_for() {
    let server = accounts(&[]).await;
    let mut ann = Browser::join(&server, &mut Mailbox::of(&server), "ann@example.org").await;
    let secret_key = key(&mut ann, json!(["asr", "llm", "tts"])).await;
    let http = reqwest::Client::new();
    let post = |path: &str, key: &str, body: Value| {
        http.request(Method::POST, server.url(path)).bearer_auth(key).json(&body).send()
    };
    let wish = json!({"expires_after": {"anchor": "created_at", "seconds": 30},
        "session": {"type": "realtime", "model": "m", "instructions": "Be brief.", "output_modalities": ["text"]}});
    let made = post("/v1/realtime/client_secrets", &secret_key, wish).await.expect("an answer");
    assert_eq!(made.status(), 200);
    let made: Value = made.json().await.expect("JSON");
    let value = made["value"].as_str().expect("a secret").to_owned();
    assert!(value.starts_with("ek_"));
    let lives = made["expires_at"].as_i64().expect("a moment") - UnixMs::now().0 / 1_000;
    assert!((1..=31).contains(&lives), "{lives} s");
    assert_eq!((&made["session"]["type"], &made["session"]["instructions"]), (&json!("realtime"), &json!("Be brief.")));

    for _ in 0..2 {
        let protocols = format!("realtime, openai-insecure-api-key.{value}");
        let headers = [("sec-websocket-protocol", protocols.as_str()), ("origin", "https://app.example.org")];
        let (event, _) = created(&server, "/v1/realtime", &headers).await;
        assert_eq!(event["session"]["instructions"], "Be brief.");
        assert_eq!(event["session"]["output_modalities"], json!(["text"]));
    }
    // A secret opens nothing else, and makes no further one.
    for path in ["/v1/realtime/client_secrets", "/api/tts/synthesize"] {
        assert_eq!(post(path, &value, json!({})).await.expect("an answer").status(), 401, "{path}");
    }
    for (body, status) in [
        (json!({"expires_after": {"anchor": "created_at", "seconds": 5}}), 400),
        (json!({"session": {"type": "realtime", "audio": {"output": {"speed": 9}}}}), 400),
    ] {
        let answer = post("/v1/realtime/client_secrets", &secret_key, body).await.expect("an answer");
        assert_eq!(answer.status(), status);
        assert!(answer.json::<Value>().await.expect("JSON")["error"]["message"].is_string());
    }
    // The beta's way.
    let beta =
        post("/v1/realtime/sessions", &secret_key, json!({"model": "m", "voice": "alloy"})).await.expect("an answer");
    let beta: Value = beta.json().await.expect("JSON");
    assert_eq!((&beta["object"], &beta["voice"]), (&json!("realtime.session"), &json!("alloy")));
    let bearer = format!("Bearer {}", beta["client_secret"]["value"].as_str().expect("a secret"));
    let headers = [("authorization", bearer.as_str()), ("openai-beta", "realtime=v1")];
    let (event, _) = created(&server, "/v1/realtime", &headers).await;
    assert_eq!((&event["session"]["voice"], event["session"].get("audio")), (&json!("alloy"), None));
    server.stop().await;
}
