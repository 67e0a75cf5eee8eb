//! `/api/models/` of a real server.

use reqwest::Method;
use serde_json::{Value, json};

use super::hub::{Asked, Hub, Reply, content, honest, sha256_of};
use crate::{
    accounts::visitor::{Browser, Mailbox, server as accounts},
    harness::TestServer,
};

const NAME: &str = "tiny-q5_1";

fn told(asked: &Asked) -> Reply {
    honest(asked, &content(), "\"one\"").header("x-linked-etag", format!("\"{}\"", sha256_of(&content())))
}

fn entry<'a>(list: &'a Value, id: &str) -> &'a Value {
    list["models"].as_array().expect("a list").iter().find(|model| model["id"] == id).unwrap_or(&Value::Null)
}

async fn ask(server: &TestServer, method: Method, path: &str, body: Option<Value>) -> (u16, Value) {
    let mut request = reqwest::Client::new().request(method, server.url(path));
    if let Some(body) = body {
        request = request.json(&body);
    }
    let response = request.send().await.expect("it answers");
    let status = response.status().as_u16();
    (status, serde_json::from_str(&response.text().await.expect("whole")).unwrap_or_default())
}

/// The events of a download, until the stream ends.
async fn events(server: &TestServer, path: &str) -> Vec<(String, Value)> {
    let text = reqwest::get(server.url(path)).await.expect("it answers").text().await.expect("it ends");
    let blocks = text.split("\n\n").filter_map(|block| {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        Some((field("event:")?.to_owned(), serde_json::from_str(field("data:")?).expect("JSON")))
    });
    blocks.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_pulled_with_progress_and_removed() {
    let hub = Hub::start(|asked, _| {
        if asked.path.ends_with("MODEL_CARD") {
            Reply { body: b"CC0".to_vec(), ..Reply::status(200) }
        } else {
            told(asked)
        }
    })
    .await;
    let models = tempfile::tempdir().expect("a scratch folder");
    let folder = models.path().to_str().expect("plain");
    let url = hub.url();
    let flags = ["--hf-endpoint", &url, "--models-dir", folder, "--models-keep-free-mb", "0"];
    let server = TestServer::start(&[&flags[..], &["--rate-limit", "0"]].concat()).await;
    let (status, list) = ask(&server, Method::GET, "/api/models/", None).await;
    assert_eq!(status, 200, "{list}");
    let tiny = entry(&list, NAME);
    assert_eq!((&tiny["installed"], &tiny["licence"], &tiny["language"]), (&json!(false), &json!("MIT"), &Value::Null));
    let irina = entry(&list, "ru_RU-irina-medium");
    assert_eq!(
        (&irina["card"], &irina["quality"], &irina["bytes"]),
        (&json!(true), &json!("medium"), &json!(63_206_059))
    );
    assert_eq!(entry(&list, "ollama:qwen2.5:0.5b")["kind"], "llm");
    let in_use = list["models"].as_array().expect("a list").iter().filter(|model| model["in_use"] == true).count();
    assert_eq!(in_use, 3, "one of each kind");
    let (status, card) = ask(&server, Method::GET, "/api/models/card?name=ru_RU-irina-medium", None).await;
    assert_eq!((status, &card["text"]), (200, &json!("CC0")));

    let (status, begun) = ask(&server, Method::POST, "/api/models/pull", Some(json!({"name": NAME}))).await;
    assert_eq!(status, 202, "{begun}");
    let told = events(&server, begun["events"].as_str().expect("an address")).await;
    let (last, before) = told.split_last().expect("events");
    assert_eq!(last.0, "over");
    let done = &before.last().expect("a download").1;
    assert_eq!(
        (&done["state"], &done["bytes"], &done["checked"]),
        (&json!("done"), &json!(300_000), &json!("hub-sha256"))
    );
    let (_, list) = ask(&server, Method::GET, "/api/models/", None).await;
    assert_eq!(entry(&list, NAME)["installed"], true);

    let (status, _) = ask(&server, Method::DELETE, &format!("/api/models/?name={NAME}"), None).await;
    assert_eq!(status, 204);
    let (status, _) = ask(&server, Method::DELETE, &format!("/api/models/?name={NAME}"), None).await;
    assert_eq!(status, 404);
    for (path, body) in
        [("pull", json!({"name": "no such"})), ("use", json!({"name": "no such"})), ("use", json!({"name": NAME}))]
    {
        let (status, problem) = ask(&server, Method::POST, &format!("/api/models/{path}"), Some(body)).await;
        assert_eq!((status, &problem["code"]), (404, &json!("not_found")), "{problem}");
    }
    let nobody = "/api/models/downloads/00000000-0000-0000-0000-000000000000";
    assert_eq!(ask(&server, Method::DELETE, nobody, None).await.0, 404);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_download_is_cancelled() {
    let hub = Hub::start(|asked, _| told(asked).hang(100_000)).await;
    let models = tempfile::tempdir().expect("a scratch folder");
    let folder = models.path().to_str().expect("plain");
    let url = hub.url();
    let server =
        TestServer::start(&["--hf-endpoint", &url, "--models-dir", folder, "--models-keep-free-mb", "0"]).await;
    let (_, begun) = ask(&server, Method::POST, "/api/models/pull", Some(json!({"name": NAME}))).await;
    hub.hangs(1).await;
    let (status, problem) = ask(&server, Method::DELETE, &format!("/api/models/?name={NAME}"), None).await;
    assert_eq!((status, &problem["code"]), (409, &json!("conflict")), "{problem}");
    let path = format!("/api/models/downloads/{}", begun["download"]["id"].as_str().expect("an id"));
    assert_eq!(ask(&server, Method::GET, &path, None).await.0, 200);
    let (status, ended) = ask(&server, Method::DELETE, &path, None).await;
    assert_eq!((status, &ended["download"]["state"]), (200, &json!("cancelled")));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_administrators_see_models() {
    let server = accounts(&[]).await;
    let mut mailbox = Mailbox::of(&server);
    let mut mia = Browser::join(&server, &mut mailbox, "mia@example.org").await;
    assert_eq!(mia.get("/api/models/").await.said(), (403, "forbidden"));
    assert_eq!(mia.post("/api/models/pull", json!({"name": NAME})).await.said(), (403, "forbidden"));
    assert_eq!(mia.post("/api/models/use", json!({"name": NAME})).await.said(), (403, "forbidden"));
    assert_eq!(mia.delete("/api/models/?name=base.en").await.said(), (403, "forbidden"));
    assert_eq!(mia.get("/api/models/events").await.said(), (403, "forbidden"));
    assert_eq!(Browser::at(&server).get("/api/models/").await.said(), (401, "unauthorized"));
}
