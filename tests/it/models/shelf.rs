//! Chat models, which Ollama fetches.

use aigolos::catalogue::{DownloadState, Library, LibraryError, LibrarySettings};
use serde_json::{Value, json};

use super::hub::ended;
use crate::{
    fake_ollama::{FakeChat, Request, Step, json_answer, not_found, streamed, tags},
    harness::{PATIENCE, TestServer},
};

/// What Ollama tells of a pull, cut in the middle of lines.
fn pulling() -> Vec<Step> {
    let lines = [
        json!({"status": "pulling manifest"}),
        json!({"status": "pulling a", "digest": "sha256:a", "total": 1_000, "completed": 400}),
        json!({"status": "pulling b", "digest": "sha256:b", "total": 500, "completed": 500}),
        json!({"status": "pulling a", "digest": "sha256:a", "total": 1_000, "completed": 1_000}),
        json!({"status": "verifying sha256 digest"}),
        json!({"status": "success"}),
    ];
    let text = lines.map(|line| line.to_string() + "\n").concat();
    streamed("application/x-ndjson", &text.as_bytes().chunks(7).collect::<Vec<_>>())
}

fn library(ollama: &FakeChat) -> Library {
    let folder = "nowhere/at/all".into();
    Library::new(LibrarySettings { folder, ollama: ollama.url(), ..LibrarySettings::default() }).expect("valid")
}

#[tokio::test]
async fn a_chat_model_is_pulled_with_progress_and_removed() {
    let ollama = FakeChat::start(|request, n| match (request.path.as_str(), n) {
        ("/api/tags", _) => tags(&["qwen2.5:0.5b", "llama3:latest"]),
        ("/api/pull", 0) => pulling(),
        ("/api/pull", _) => json_answer(500, &json!({"error": "pull model manifest: file does not exist"})),
        ("/api/delete", _) => json_answer(200, &Value::Null),
        _ => not_found(),
    })
    .await;
    let library = library(&ollama);
    let done = ended(library.pull("ollama:qwen2.5:0.5b", false).expect("a name")).await;
    assert_eq!((done.state, done.bytes, done.total), (DownloadState::Done, 1_500, Some(1_500)), "{done:?}");
    let asked: Vec<Request> = ollama.requests();
    assert_eq!((asked[0].method.as_str(), &asked[0].body["model"]), ("POST", &json!("qwen2.5:0.5b")));
    let failed = ended(library.pull("ollama:no-such-model", false).expect("a name")).await;
    assert!(failed.trouble.is_some_and(|trouble| trouble.message.contains("file does not exist")));
    assert!(matches!(library.pull("ollama:not a name", false), Err(LibraryError::Unknown { .. })));

    let used = [(aigolos::engine::models::ModelKind::Llm, "llama3".to_owned())];
    assert!(matches!(library.remove("ollama:llama3:latest", &used).await, Err(LibraryError::InUse { .. })));
    library.remove("ollama:qwen2.5:0.5b", &used).await.expect("nobody uses it");
    assert!(matches!(library.remove("ollama:gone", &used).await, Err(LibraryError::NotThere { .. })));
    assert!(ollama.requests().iter().any(|request| request.method == "DELETE"));
}

#[tokio::test]
async fn without_ollama_it_says_so() {
    let settings = LibrarySettings { ollama: "http://127.0.0.1:9".into(), ..LibrarySettings::default() };
    let library = Library::new(settings).expect("valid");
    let failed = ended(library.pull("ollama:llama3", false).expect("a name")).await;
    let trouble = failed.trouble.expect("it failed");
    assert_eq!(trouble.code, "no_ollama");
    assert!(trouble.hint.contains("OLLAMA_BASE_URL"), "{trouble:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chat_model_is_fetched_at_the_start_when_ollama_is_up() {
    let (pulled, mut has_pulled) = tokio::sync::watch::channel(false);
    let ollama = FakeChat::start(move |request, n| match (request.path.as_str(), n) {
        // It is not up yet.
        ("/api/tags", 0) => not_found(),
        ("/api/tags", _) => tags(&[]),
        ("/api/pull", _) => {
            pulled.send_replace(true);
            pulling()
        }
        _ => not_found(),
    })
    .await;
    let folder = tempfile::tempdir().expect("a scratch folder");
    let flags = ["--llm-pull", "true", "--llm-backend", "builtin", "--llm-model-name", "qwen2.5:0.5b"];
    let url = ollama.url();
    let flags = [&flags[..], &["--ollama-base-url", &url]].concat();
    let server = TestServer::start_in(folder.path(), &flags).await;
    let waited = tokio::time::timeout(PATIENCE, has_pulled.wait_for(|pulled| *pulled)).await;
    waited.expect("it asks for the model").expect("the fake lives");
    server.stop().await;
}
