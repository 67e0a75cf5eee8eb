//! Who may read the numbers, and where.

use reqwest::{Client, StatusCode, header};

use super::page::{samples, scrape, sum};
use crate::harness::TestServer;

#[tokio::test(flavor = "multi_thread")]
async fn without_a_word_nobody_can_read_them() {
    let server = TestServer::start(&[]).await;
    let answer = Client::new().get(server.url("/metrics")).bearer_auth("").send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_of_their_own_serves_nothing_else_and_asks_for_nothing() {
    let server = TestServer::start(&["--metrics-bind", "127.0.0.1:0", "--max-sessions", "7"]).await;
    let metrics = server.metrics.expect("it was asked for");
    let page = samples(&scrape(metrics).await);
    assert!((sum(&page, "aigolos_sessions_max", &[]) - 7.0).abs() < f64::EPSILON);
    for path in ["/", "/api/health/live", "/metrics/", "/static/js/main.js"] {
        let answer = Client::new().get(format!("http://{metrics}{path}")).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.text().await.expect("text"), "only /metrics is here\n");
    }
    let own = Client::new().get(server.url("/metrics")).send().await.expect("an answer");
    assert_eq!(own.status(), StatusCode::NOT_FOUND, "BIND has them only with a token");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_the_token_they_are_on_the_servers_port_and_uncounted() {
    let token = "hush-hush-hush";
    let server = TestServer::start(&["--metrics-token", token, "--rate-limit", "2", "--max-sessions", "9"]).await;
    let ask = |given: Option<String>| {
        let request = Client::new().get(server.url("/metrics"));
        let request = if let Some(given) = given { request.header(header::AUTHORIZATION, given) } else { request };
        request.send()
    };
    for wrong in [None, Some("Bearer".into()), Some("Bearer hush".into()), Some(format!("Basic {token}"))] {
        let answer = ask(wrong).await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
        assert_eq!(answer.headers()["www-authenticate"], "Bearer");
    }
    // More often than requests are allowed.
    for _ in 0..5 {
        let answer = ask(Some(format!("Bearer {token}"))).await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
        let page = answer.text().await.expect("text");
        assert!(page.contains("\naigolos_sessions_max 9\n"), "two servers of one process tell of themselves");
        assert!(!page.contains("route=\"/metrics\""), "who watches is not counted");
    }
}
