//! What keeps others out: the cookie's own rules, other hosts' pages, guessed passwords.

use reqwest::{Method, header::HeaderMap};
use serde_json::json;

use super::visitor::{Answer, Browser, Mailbox, PASSWORD, server, with_key};
use crate::postgres::Cluster;

const ANN: &str = "ann@example.org";

fn set_cookie(headers: &HeaderMap) -> &str {
    headers["set-cookie"].to_str().expect("ASCII")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cookie_is_out_of_reach_of_scripts_and_plain_http() {
    let plain = server(&[]).await;
    Browser::join(&plain, &mut Mailbox::of(&plain), ANN).await;
    let answer = Browser::at(&plain).log_in(ANN, PASSWORD).await.expect(200);
    let set = set_cookie(&answer.headers);
    assert!(set.starts_with("aigolos_session="), "{set}");
    assert!(set.contains("; HttpOnly") && set.contains("; SameSite=Lax") && set.contains("; Path=/"), "{set}");
    assert!(set.contains("; Max-Age=1209600") && !set.contains("Secure"), "{set}");
    let token = set["aigolos_session=".len()..].split(';').next().expect("a value");
    assert_eq!(token.len(), 43, "32 random bytes");

    let secure = server(&["--public-url", "https://voice.example.org/"]).await;
    let mut mailbox = Mailbox::of(&secure);
    let mut browser = Browser::join(&secure, &mut mailbox, ANN).await;
    assert!(browser.cookie.as_ref().is_some_and(|cookie| cookie.starts_with("__Host-aigolos_session=")));
    assert_eq!(browser.email().await.as_deref(), Some(ANN));
    let answer = browser.log_in(ANN, PASSWORD).await.expect(200);
    let set = set_cookie(&answer.headers);
    assert!(set.contains("; Secure") && !set.contains("Domain"), "{set}");
    browser.post("/api/auth/password/forgot", json!({"email": ANN})).await.expect(202);
    assert!(mailbox.to(ANN).await.link().starts_with("https://voice.example.org/password/reset/?token="));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_hosts_pages_change_nothing_in_ones_name() {
    let server = server(&["--cors-allowed-origins", "https://app.example.org"]).await;
    let mut ann = Browser::join(&server, &mut Mailbox::of(&server), ANN).await;
    let own = server.url("");
    let change = |fields: &[(&str, &str)]| {
        let request = ann.bare(Method::PATCH, "/api/auth/me").json(&json!({"name": "Mallory"}));
        Answer::of(fields.iter().fold(request, |request, (name, value)| request.header(*name, *value)))
    };
    for refused in [
        &[("origin", "https://evil.example")][..],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site")],
        &[("sec-fetch-site", "same-site"), ("origin", "https://evil.example.org")],
        // An allowed page may work with a key, not in the visitor's name.
        &[("origin", "https://app.example.org")],
        // Nothing is said: no browser that could be trusted.
        &[],
    ] {
        assert_eq!(change(refused).await.said(), (403, "origin_refused"), "{refused:?}");
    }
    assert_eq!(ann.clone().get("/api/auth/me").await.body["user"]["name"], "");
    for taken in [&[("origin", own.as_str())][..], &[("sec-fetch-site", "same-origin")], &[("sec-fetch-site", "none")]]
    {
        change(taken).await.expect(200);
    }
    // Nobody's log-in can be swapped from elsewhere either.
    let login = json!({"email": ANN, "password": PASSWORD});
    let foreign = Browser::at(&server).bare(Method::POST, "/api/auth/login").header("origin", "https://evil.example");
    assert_eq!(Answer::of(foreign.json(&login)).await.said(), (403, "origin_refused"));
    // Reading in her name from elsewhere: as nobody.
    let read = ann.bare(Method::GET, "/api/auth/me").header("origin", "https://app.example.org");
    assert_eq!(Answer::of(read).await.expect(200).body["user"], json!(null));

    let key = ann.post("/api/keys/", json!({"name": "app", "scopes": ["asr"]})).await.expect(201);
    let secret = key.body["secret"].as_str().expect("a secret").to_owned();
    let by_key = |origin: &'static str| {
        let request = Browser::at(&server).bare(Method::POST, "/api/auth/logout").bearer_auth(&secret);
        Answer::of(request.header("origin", origin))
    };
    by_key("https://app.example.org").await.expect(204);
    assert_eq!(by_key("https://evil.example").await.said(), (403, "origin_refused"));
}

#[tokio::test(flavor = "multi_thread")]
async fn guessing_takes_ever_longer_and_ends() {
    let server = server(&["--trusted-proxies", "127.0.0.1"]).await;
    Browser::join(&server, &mut Mailbox::of(&server), ANN).await;
    let guess = |from: &'static str, password: &'static str| {
        let browser = Browser::at(&server);
        let request = browser.bare(Method::POST, "/api/auth/login").header("x-forwarded-for", from);
        Answer::of(request.json(&json!({"email": ANN, "password": password})))
    };
    // Slow machines forget no guess, but their waits may end between two: some of these are refused at once.
    let mut waited = None;
    for _ in 0..30 {
        let answer = guess("192.0.2.1", "not her password").await;
        match answer.said() {
            (401, "wrong_credentials") => {}
            (429, "rate_limited") => {
                waited = answer.headers["retry-after"].to_str().ok().and_then(|seconds| seconds.parse::<u64>().ok());
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    let seconds = waited.expect("some are refused, with a time to wait");
    assert!((1..=60).contains(&seconds), "{seconds}");
    // The right password does not help while the wait lasts, and does from anywhere else.
    guess("198.51.100.7", PASSWORD).await.expect(200);
    let until = std::time::Instant::now() + crate::harness::PATIENCE;
    while guess("192.0.2.1", PASSWORD).await.status != 200 {
        assert!(std::time::Instant::now() < until, "the wait ends");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_must_make_sense() {
    let server = server(&[]).await;
    let mut browser = Browser::at(&server);
    for (body, field) in [
        (json!({"email": "no address", "password": PASSWORD}), "email"),
        (json!({"email": ANN, "password": "short"}), "password"),
        (json!({"email": ANN, "password": "password1234"}), "password"),
        (json!({"email": ANN, "password": "ann@example.org"}), "password"),
        (json!({"email": ANN, "password": "x".repeat(201)}), "password"),
        (json!({"email": ANN, "password": PASSWORD, "name": "a\u{0}b"}), "name"),
        (json!({"email": ANN, "password": PASSWORD, "language": "de"}), "language"),
        (json!({"email": ANN}), "password"),
    ] {
        let answer = browser.post("/api/auth/signup", body.clone()).await;
        assert_eq!(answer.said(), (422, "invalid_field"), "{body}");
        assert!(answer.body["detail"].as_str().is_some_and(|detail| detail.contains(field)), "{:#}", answer.body);
        assert!(answer.body["hint"].as_str().is_some_and(|hint| !hint.is_empty()));
    }
    let form = browser.bare(Method::POST, "/api/auth/login").header("content-type", "text/plain").body("{}");
    assert_eq!(Answer::of(form).await.said(), (415, "unsupported_media"));
    let broken = browser.bare(Method::POST, "/api/auth/login").header("content-type", "application/json").body("{");
    assert_eq!(Answer::of(broken).await.said(), (400, "invalid_json"));
    let stale = json!({"token": "x".repeat(5_000)});
    assert_eq!(browser.post("/api/auth/verify", stale).await.said(), (422, "invalid_field"));
    browser.cookie = Some(format!("aigolos_session={}", "x".repeat(3_000)));
    assert_eq!(browser.email().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_database_away_pages_stand_and_nobody_is_taken_for_a_stranger() {
    let cluster = Cluster::start_own();
    let server = server(&["--database-url", &cluster.fresh_database()]).await;
    let mut ann = Browser::join(&server, &mut Mailbox::of(&server), ANN).await;
    let made = ann.post("/api/keys/", json!({"name": "x", "scopes": ["asr"]})).await.expect(201).body;
    let secret = made["secret"].as_str().expect("a secret");
    cluster.stop();
    let away = ann.get("/api/auth/me").await;
    assert_eq!(away.said(), (503, "store_unavailable"));
    assert!(away.headers.contains_key("retry-after"));
    assert_eq!(with_key(&server, secret, Method::GET, "/api/keys/").await.said(), (503, "store_unavailable"));
    let mut nobody = Browser::at(&server);
    assert_eq!(nobody.log_in(ANN, PASSWORD).await.said(), (503, "store_unavailable"));
    nobody.get("/api/auth/me").await.expect(200);
    for path in ["/login/", "/static/js/main.js", "/api/health/live"] {
        ann.get(path).await.expect(200);
    }
    for path in ["/", "/app/"] {
        assert_eq!(ann.get(path).await.said(), (503, "store_unavailable"));
    }
    cluster.start();
    let until = std::time::Instant::now() + crate::harness::PATIENCE;
    while ann.get("/api/auth/me").await.body["user"]["email"] != ANN {
        assert!(std::time::Instant::now() < until, "she is known again");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_sign_up_is_the_operators_choice() {
    let wish = json!({"email": ANN, "password": PASSWORD});
    for signup in ["invitation", "closed"] {
        let server = server(&["--signup", signup]).await;
        let mut browser = Browser::at(&server);
        assert_eq!(browser.get("/api/auth/me").await.body["signup"], signup);
        assert_eq!(browser.post("/api/auth/signup", wish.clone()).await.said(), (403, "forbidden"));
        assert_eq!(Mailbox::of(&server).count(), 0);
    }
}
