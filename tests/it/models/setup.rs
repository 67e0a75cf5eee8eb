//! `aigolos models setup`, the real program, and a server that fetches while it serves: with the real models that
//! `make real-models` has put into `.cache/models`, handed out by a hub on this machine.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::process::Command;

use super::hub::{Asked, Hub, Reply, content, honest, sha256_of};
use crate::{harness::PATIENCE, process::Process};

fn real(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/models").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run `make real-models` first", path.display()))
}

fn command(folder: &Path, hub: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aigolos"));
    command
        .current_dir(folder)
        .args(["models", "setup"])
        .args(arguments)
        .env("MODELS_DIR", folder.join("models"))
        .env("DATA_DIR", folder.join("data"))
        .env("HF_ENDPOINT", hub)
        .env("MODELS_PYTHON", "/nowhere/python3")
        .env("MODELS_KEEP_FREE_MB", "0")
        .env("ORT_DYLIB_PATH", library())
        .stdin(Stdio::null());
    command
}

fn library() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("lib/libonnxruntime.so")
}

async fn run(folder: &Path, hub: &str, arguments: &[&str]) -> (bool, String, String) {
    let output = command(folder, hub, arguments).output().await.expect("it runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

/// Hands out the usual recogniser and the voice.
async fn with_the_usual() -> Hub {
    let files = [
        ("/ggml-base-q5_1.bin", real("ggml-base-q5_1.bin")),
        ("/en_US-joe-medium.onnx", real("piper/en_US-joe-medium.onnx")),
        ("/en_US-joe-medium.onnx.json", real("piper/en_US-joe-medium.onnx.json")),
    ];
    let files: Vec<_> = files.into_iter().map(|(name, bytes)| (name, sha256_of(&bytes), bytes)).collect();
    Hub::start(move |asked: &Asked, _| match files.iter().find(|(name, ..)| asked.path.ends_with(name)) {
        Some((_, sha256, bytes)) => honest(asked, bytes, "\"one\"").header("x-linked-etag", format!("\"{sha256}\"")),
        None => Reply::status(404),
    })
    .await
}

#[tokio::test]
async fn a_machine_with_nothing_gets_a_measured_recogniser_and_a_voice_once() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let (folder, hub) = (scratch.path(), with_the_usual().await);
    let (well, out, err) = run(folder, &hub.url(), &[]).await;
    assert!(well, "{out}{err}");
    assert!(out.contains("licence: MIT") && out.contains("licence of the recordings: CC0"), "{out}");
    assert!(out.contains(&format!("base-q5_1 is here from {}, 59.71 MB", hub.address)), "{out}");
    let row = out.lines().find(|line| line.starts_with("  base-q5_1") && line.contains("used"));
    assert!(row.is_some_and(|row| row.contains(" s ")), "how long it took is said: {out}");
    assert!(folder.join("models/piper/en_US-joe-medium.MODEL_CARD").is_file());

    let asked = hub.asked().len();
    let (well, out, err) = run(folder, &hub.url(), &[]).await;
    assert!(
        well && out.is_empty() && err.is_empty() && hub.asked().len() == asked,
        "the second time does nothing: {out}{err}"
    );
}

#[tokio::test]
async fn where_nothing_can_be_fetched_it_says_so_and_how_to_get_it_later() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let folder = scratch.path();
    let (well, out, err) = run(folder, "http://127.0.0.1:9", &[]).await;
    assert!(!well, "{out}");
    assert!(err.contains("127.0.0.1:9: 127.0.0.1:9 cannot be reached") && err.contains("/nowhere/python3"), "{err}");
    assert!(err.contains("The bundled engines stand in") && err.contains("`aigolos models setup`"), "{err}");

    for (arguments, setting) in [(["none"].as_slice(), "auto"), ([].as_slice(), "never")] {
        let mut command = command(folder, "http://127.0.0.1:9", arguments);
        let output = command.env("MODELS_FETCH", setting).output().await.expect("it runs");
        assert!(output.status.success() && output.stdout.is_empty() && output.stderr.is_empty(), "{output:?}");
    }
}

#[tokio::test]
async fn what_is_named_is_fetched_and_nothing_else() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let folder = scratch.path();
    let hub = Hub::start(|asked, _| {
        honest(asked, &content(), "\"one\"").header("x-linked-etag", format!("\"{}\"", sha256_of(&content())))
    })
    .await;
    let (well, out, err) = run(folder, &hub.url(), &["tiny-q5_1"]).await;
    assert!(well && out.contains("tiny-q5_1 is here from"), "{out}{err}");
    assert_eq!(hub.asked().len(), 1);
    assert!(run(folder, &hub.url(), &["tiny-q5_1"]).await.0);
    assert_eq!(hub.asked().len(), 1);
    let (well, _, err) = run(folder, &hub.url(), &["tiny-q5_9"]).await;
    assert!(!well && err.contains("there is no model tiny-q5_9") && err.contains("did you mean"), "{err}");
}

#[tokio::test]
async fn a_server_serves_with_the_bundled_engines_and_takes_up_what_comes() {
    let scratch = tempfile::tempdir().expect("a scratch folder");
    let (data, hub) = (scratch.path(), with_the_usual().await);
    let flags = ["--asr-model-name", "auto", "--tts-engine", "auto", "--models-fetch", "auto", "--auth-mode", "open"];
    let (models, library, url) = (data.join("models"), library(), hub.url());
    let environment = [
        ("MODELS_DIR", models.to_str().expect("UTF-8")),
        ("ORT_DYLIB_PATH", library.to_str().expect("UTF-8")),
        ("HF_ENDPOINT", url.as_str()),
        ("MODELS_PYTHON", ""),
        ("MODELS_KEEP_FREE_MB", "0"),
    ];
    let server = Process::start(data, &flags, &environment).await;
    let began = Instant::now();
    loop {
        let health: Value =
            reqwest::get(server.url("/api/health/")).await.expect("it answers").json().await.expect("JSON");
        let engine = |part: &str| health["engines"][part]["model"].as_str().unwrap_or_default().to_owned();
        let (asr, tts) = (engine("asr"), engine("tts"));
        if asr == "base-q5_1" && tts == "en_US-joe-medium" {
            break;
        }
        assert!(["base-q5_1", "aigolos-nano-en"].contains(&asr.as_str()), "{health}");
        assert!(began.elapsed() < PATIENCE * 8, "it takes them up in time: {health}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    server.signal("TERM");
    let status = server.ended().await;
    assert!(status.success(), "{status}");
}
