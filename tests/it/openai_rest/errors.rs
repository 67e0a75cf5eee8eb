//! Failures have OpenAI's shape, whichever layer refuses.

use reqwest::{Method, RequestBuilder};
use serde_json::json;

use super::client::{Part, TRANSCRIPTIONS, form, refused, request};
use crate::{
    accounts::visitor::{Browser, Mailbox, server as accounts},
    harness::TestServer,
    work::client::talk_opus,
};

async fn ask(request: RequestBuilder) -> reqwest::Response {
    request.send().await.expect("an answer")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_layer_speaks_the_clients_language() {
    let server = TestServer::start(&["--allowed-hosts", "voice.example.org"]).await;
    let speech = || request(&server, Method::POST, "/v1/audio/speech");
    let json = |body: String| speech().header("content-type", "application/json").body(body);
    let get = |path| request(&server, Method::GET, path);
    let long = format!("{{\"input\": \"{}\"}}", "a".repeat(2 << 20));
    for (request, status, kind, code) in [
        (get("/v1/nothing"), 404, "invalid_request_error", json!("unknown_url")),
        (get("/v1"), 404, "invalid_request_error", json!("unknown_url")),
        (get("/v1/audio/speech"), 405, "invalid_request_error", json!("method_not_supported")),
        (request(&server, Method::DELETE, "/v1/models"), 405, "invalid_request_error", json!("method_not_supported")),
        (
            speech().header("content-type", "text/plain").body("{}"),
            415,
            "invalid_request_error",
            json!("unsupported_media"),
        ),
        (speech(), 415, "invalid_request_error", json!("unsupported_media")),
        (json("{".into()), 400, "invalid_request_error", json!(null)),
        (json("[]".into()), 400, "invalid_request_error", json!(null)),
        (json(long), 413, "invalid_request_error", json!("too_large")),
        (get("/v1/models").header("host", "evil.example"), 403, "permission_error", json!("origin_refused")),
        (json("{}".into()).header("origin", "https://evil.example"), 403, "permission_error", json!("origin_refused")),
    ] {
        // A browser's tab and a Russian get the same: programs read it.
        let asked =
            request.header("accept", "text/html").header("accept-language", "ru").header("x-stainless-lang", "js");
        let (got, error, message) = refused(ask(asked).await).await;
        assert_eq!((got, &error["type"], &error["code"]), (status, &json!(kind), &code), "{error}");
        assert!(message.is_ascii() && !message.contains("retry_after_ms"), "{message}");
    }
    let answer = ask(get("/v1/nothing").header("x-request-id", "request-1")).await;
    assert_eq!(answer.headers()["x-request-id"], "request-1");
    let others = ask(get("/v2/nothing")).await;
    assert_eq!(others.headers()["content-type"], "application/problem+json", "only below /v1/");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_too_often_is_told_when_to_go_on() {
    let server = TestServer::start(&["--rate-limit", "2"]).await;
    for _ in 0..2 {
        let answer = ask(request(&server, Method::GET, "/v1/models")).await;
        // A new minute may begin in between, which lets more through, never less.
        assert_eq!(answer.status(), 200);
        assert!(answer.headers().contains_key("ratelimit-remaining"));
    }
    let answer = loop {
        let answer = ask(request(&server, Method::GET, "/v1/models")).await;
        if answer.status() != 200 {
            break answer;
        }
    };
    let seconds: u64 = answer.headers()["retry-after"].to_str().expect("ASCII").parse().expect("whole seconds");
    assert!((1..=60).contains(&seconds));
    let (status, error, _) = refused(answer).await;
    assert_eq!(
        (status, &error["type"], &error["code"]),
        (429, &json!("rate_limit_error"), &json!("rate_limit_exceeded"))
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_accounts_any_key_will_do() {
    let server = TestServer::start(&[]).await;
    for key in ["sk-anything", "x", "aig_nonsense"] {
        let answer = ask(request(&server, Method::GET, "/v1/models").bearer_auth(key)).await;
        assert_eq!(answer.status(), 200, "{key}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_open_what_they_were_made_for() {
    let server = accounts(&[]).await;
    let mut ann = Browser::join(&server, &mut Mailbox::of(&server), "ann@example.org").await;
    let mut key = async |scopes: serde_json::Value| {
        let made = ann.post("/api/keys/", json!({"name": "a program", "scopes": scopes})).await.expect(201).body;
        made["secret"].as_str().expect("a secret").to_owned()
    };
    let (asr, tts) = (key(json!(["asr"])).await, key(json!(["tts"])).await);
    let (kind, body) = form(&[Part::File("a.opus", &talk_opus(&["Hello."]))]);
    let hear = || request(&server, Method::POST, TRANSCRIPTIONS).header("content-type", &kind).body(body.clone());
    let speak = || {
        let speech = request(&server, Method::POST, "/v1/audio/speech").header("content-type", "application/json");
        speech.body(json!({"input": "Hello."}).to_string())
    };
    let list = || request(&server, Method::GET, "/v1/models");
    for (request, status) in [
        (hear().bearer_auth(&asr), 200),
        (hear().bearer_auth(&tts), 403),
        (speak().bearer_auth(&tts), 200),
        (speak().bearer_auth(&asr), 403),
        (list().bearer_auth(&asr), 200),
        (list().bearer_auth(&tts), 200),
    ] {
        let answer = ask(request).await;
        assert_eq!(answer.status(), status);
        if status == 403 {
            let (_, error, _) = refused(answer).await;
            assert_eq!(
                (&error["type"], &error["code"]),
                (&json!("permission_error"), &json!("insufficient_permissions"))
            );
        }
    }
    for request in [hear(), speak(), list()] {
        for key in [None, Some("sk-nonsense")] {
            let request = request.try_clone().expect("a plain body");
            let request = key.map_or_else(
                || request.try_clone().expect("plain"),
                |key| request.try_clone().expect("plain").bearer_auth(key),
            );
            let (status, error, _) = refused(ask(request).await).await;
            assert_eq!((status, &error["code"]), (401, &json!("invalid_api_key")), "{key:?}");
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_named_origins_may_bring_their_clients_headers() {
    let server = accounts(&["--cors-allowed-origins", "https://app.example.org"]).await;
    let headers = "authorization,content-type,openai-beta,x-stainless-lang,x-stainless-retry-count,x-stainless-new";
    for (method, path) in [("POST", "/v1/audio/speech"), ("GET", "/v1/models"), ("POST", TRANSCRIPTIONS)] {
        let preflight = request(&server, Method::OPTIONS, path)
            .header("origin", "https://app.example.org")
            .header("access-control-request-method", method)
            .header("access-control-request-headers", headers);
        let answer = ask(preflight).await;
        assert!(answer.status().is_success(), "without a key: {path}");
        let allowed = answer.headers()["access-control-allow-headers"].to_str().expect("ASCII").to_lowercase();
        assert!(headers.split(',').all(|header| allowed.contains(header)), "{allowed}");
        assert_eq!(answer.headers()["access-control-allow-origin"], "https://app.example.org");
        let methods = answer.headers()["access-control-allow-methods"].to_str().expect("ASCII");
        assert!(methods.contains(method), "{methods}");
    }
    let refusal = request(&server, Method::GET, "/v1/models").header("origin", "https://app.example.org");
    let refusal = ask(refusal).await;
    assert_eq!(refusal.headers()["access-control-allow-origin"], "https://app.example.org", "the page may read why");
    assert_eq!(refused(refusal).await.0, 401);
    server.stop().await;
}
