//! What every request goes through: limits, names, languages, foreign pages, and answers where nothing is.

use aigolos::model::Language;
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::Value;

use crate::{harness::TestServer, redis::Redis};

async fn problem(response: Response) -> Value {
    assert_eq!(response.headers()["content-type"], "application/problem+json");
    response.json().await.expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_told_in_the_readers_language_with_the_requests_name() {
    let server = TestServer::start(&[]).await;
    let http = Client::new();
    let ask = |language: &'static str| http.get(server.url("/api/nothing/here")).header("accept-language", language);

    let english = ask("en-GB").header("x-request-id", "order-66.a").send().await.expect("an answer");
    assert_eq!(english.status(), StatusCode::NOT_FOUND);
    assert_eq!(english.headers()["x-request-id"], "order-66.a");
    let english = problem(english).await;
    assert_eq!(english["request_id"], "order-66.a");
    assert_eq!(english["code"], "not_found");
    assert_eq!(english["message"], english["detail"]);

    let russian = ask("ru,en;q=0.5").header("x-request-id", "<script>").send().await.expect("an answer");
    assert_eq!(russian.headers()["content-language"], Language::Ru.code());
    let id = russian.headers()["x-request-id"].to_str().expect("ASCII").to_owned();
    assert_ne!(id, "<script>");
    let russian = problem(russian).await;
    assert_eq!(russian["request_id"], id);
    assert_eq!(russian["message"], "Здесь ничего нет");
    assert_eq!(russian["detail"], english["detail"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_methods_and_bodies_are_named() {
    let server = TestServer::start(&[]).await;
    let http = Client::new();
    let wrong = http.delete(server.url("/api/openapi.json")).send().await.expect("an answer");
    assert_eq!(wrong.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(wrong.headers()["allow"].to_str().expect("ASCII").contains("GET"));
    assert_eq!(problem(wrong).await["code"], "wrong_method");

    let chat = |body: &'static str, kind: &'static str| {
        http.post(server.url("/api/llm/chat/")).header("content-type", kind).body(body).send()
    };
    for (body, kind, status, code) in [
        ("{", "application/json", StatusCode::BAD_REQUEST, "invalid_json"),
        ("{}", "application/json", StatusCode::UNPROCESSABLE_ENTITY, "invalid_field"),
        ("message=hello", "application/x-www-form-urlencoded", StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media"),
    ] {
        let answer = chat(body, kind).await.expect("an answer");
        assert_eq!(answer.status(), status, "{body}");
        assert_eq!(problem(answer).await["code"], code, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_too_much_hears_why() {
    let server = TestServer::start(&[]).await;
    let http = Client::new();
    // More than the network holds on its way: the client is still sending when the server has decided.
    for megabytes in [3, 40] {
        let message = format!("{{\"message\": \"{}\"}}", "a".repeat(megabytes * 1_000_000));
        let chat = http.post(server.url("/api/llm/chat/")).header("content-type", "application/json").body(message);
        let file = http.post(server.url("/api/asr/transcribe/?filename=long.wav"));
        let file = file.header("content-type", "audio/wav").body(vec![b'a'; megabytes.max(12) * 1_000_000]);
        for request in [chat, file] {
            let answer = request.send().await.expect("an answer, not a broken connection");
            assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
            assert_eq!(problem(answer).await["code"], "too_large");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_are_told_when_to_go_on() {
    let server = TestServer::start(&["--rate-limit", "3"]).await;
    let http = Client::new();
    let ask = || http.get(server.url("/api/tts/voices/")).send();
    for left in ["2", "1", "0"] {
        let answer = ask().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["ratelimit-limit"], "3");
        assert_eq!(answer.headers()["ratelimit-remaining"], left);
    }
    let refused = ask().await.expect("an answer");
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    let wait: u64 = refused.headers()["retry-after"].to_str().expect("ASCII").parse().expect("seconds");
    assert!((1..=60).contains(&wait), "{wait}");
    let refused = problem(refused).await;
    assert!(refused["code"] == "rate_limited" && refused["retry_after_ms"].as_u64().is_some_and(|ms| ms <= 60_000));
    // Watching the server's health costs nothing, and neither does a page.
    for path in ["/api/health/", "/api/health/live", "/static/js/main.js"] {
        assert_eq!(http.get(server.url(path)).send().await.expect("an answer").status(), StatusCode::OK, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_named_origins_may_ask_and_no_others() {
    let server = TestServer::start(&["--cors-allowed-origins", "https://app.example.org"]).await;
    let http = Client::new();
    let preflight = |origin: &'static str| {
        http.request(Method::OPTIONS, server.url("/api/llm/chat/"))
            .header("origin", origin)
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization,content-type")
            .send()
    };
    let allowed = preflight("https://app.example.org").await.expect("an answer");
    assert_eq!(allowed.headers()["access-control-allow-origin"], "https://app.example.org");
    assert!(!allowed.headers().contains_key("access-control-allow-credentials"), "log-ins are for our own pages");
    let foreign = preflight("https://evil.example").await.expect("an answer");
    assert!(!foreign.headers().contains_key("access-control-allow-origin"));
    let change = http.delete(server.url("/api/conversations/")).header("origin", "https://evil.example");
    assert_eq!(change.send().await.expect("an answer").status(), StatusCode::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_description_and_its_page_come_from_this_server_alone() {
    let server = TestServer::start(&[]).await;
    let http = Client::new();
    let described: Value =
        http.get(server.url("/api/openapi.json")).send().await.expect("up").json().await.expect("JSON");
    for path in ["/api/auth/login", "/api/asr/transcribe/", "/api/conversations/", "/api/health/", "/api/admin/users"] {
        assert!(described["paths"][path].is_object(), "{path}");
    }
    let page = http.get(server.url("/api/docs/")).send().await.expect("up");
    let policy = page.headers()["content-security-policy"].to_str().expect("ASCII").to_owned();
    assert!(policy.contains("default-src 'self'") && !policy.contains("unsafe"), "{policy}");
    let page = page.text().await.expect("text");
    for script in page.split("src=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(script.starts_with("./"), "{script}");
        let url = server.url(&format!("/api/docs/{}", script.trim_start_matches("./")));
        assert_eq!(http.get(url).send().await.expect("up").status(), StatusCode::OK, "{script}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_count_together_in_redis_and_each_for_itself_without_it() {
    let mut redis = Redis::start_own();
    let url = redis.url();
    let flags = ["--redis-url", url.as_str(), "--rate-limit", "1000000"];
    let (one, two) = (TestServer::start(&flags).await, TestServer::start(&flags).await);
    let http = Client::new();
    let remaining = async |server: &TestServer| -> u32 {
        let answer = http.get(server.url("/api/tts/voices/")).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        answer.headers()["ratelimit-remaining"].to_str().expect("ASCII").parse().expect("a number")
    };
    // A new minute may begin between two requests, or Redis be slow to answer, but not every time.
    let mut together = false;
    for _ in 0..20 {
        together |= remaining(&one).await == remaining(&two).await + 1;
    }
    assert!(together);
    redis.stop();
    let alone = remaining(&one).await;
    assert!(remaining(&one).await == alone - 1 && remaining(&two).await > alone - 2, "{alone}");
}
