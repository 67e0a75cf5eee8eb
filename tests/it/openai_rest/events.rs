//! Text as it is heard, and who goes away before.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aigolos::{
    audio::{Pcm, SampleRate, write_wav},
    engine::{EngineError, EngineInfo, Engines, Recognition, RecognizeRequest, Recognizer},
};
use futures::StreamExt as _;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::client::{Part, TRANSCRIPTIONS, events_in, events_of, form, refused, request, transcribe};
use crate::{
    harness::{PATIENCE, TestServer, bundled_engines},
    work::{client::talk_opus, fakes::HeldEars},
};

const SENTENCES: [&str; 3] = ["What time is it?", "Stop the music please.", "Tell me a story."];

/// A recogniser that hears pieces of three seconds, and fails at one of them.
struct BrokenEars {
    inner: Arc<dyn Recognizer>,
    heard: AtomicUsize,
    fails_at: usize,
}

impl Recognizer for BrokenEars {
    fn info(&self) -> EngineInfo {
        self.inner.info()
    }

    fn max_audio(&self) -> Duration {
        Duration::from_secs(3)
    }

    fn submit(&self, request: RecognizeRequest) -> Recognition {
        if self.heard.fetch_add(1, Ordering::SeqCst) + 1 < self.fails_at {
            return self.inner.submit(request);
        }
        let (reply, answer) = tokio::sync::oneshot::channel();
        assert!(reply.send(Err(EngineError::Failed { engine: "held", reason: "as told".into() })).is_ok());
        answer
    }
}

async fn hearing_with(folder: &Path, flags: &[&str], ears: Arc<dyn Recognizer>) -> TestServer {
    let engines = Engines { recognizer: ears, ..bundled_engines().await };
    TestServer::start_with(folder, flags, Some(engines)).await
}

async fn held(folder: &Path, flags: &[&str], permits: usize) -> (TestServer, Arc<HeldEars>) {
    let ears = Arc::new(HeldEars::new(bundled_engines().await.recognizer, permits));
    (hearing_with(folder, flags, ears.clone()).await, ears)
}

/// Waits until something was counted.
async fn counted(count: &AtomicUsize) {
    let some = async {
        while count.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, some).await.expect("the recogniser hears of it");
}

#[tokio::test(flavor = "multi_thread")]
async fn deltas_joined_are_the_text_and_come_as_it_is_heard() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, ears) = held(folder.path(), &[], 1).await;
    let file = talk_opus(&SENTENCES);
    let answer =
        transcribe(&server, TRANSCRIPTIONS, &[Part::Text("stream", "true"), Part::File("a.opus", &file)]).await;
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut bytes = answer.bytes_stream();
    let mut text = String::new();
    while !text.contains("\n\n") {
        let more = tokio::time::timeout(PATIENCE, bytes.next()).await.expect("it comes").expect("open").expect("bytes");
        text.push_str(std::str::from_utf8(&more).expect("ASCII"));
    }
    assert!(text.contains("transcript.text.delta") && !text.contains("transcript.text.done"), "{text}");
    ears.permits.add_permits(1_000);
    while let Some(more) = tokio::time::timeout(PATIENCE, bytes.next()).await.expect("it goes on") {
        text.push_str(std::str::from_utf8(&more.expect("bytes")).expect("ASCII"));
    }
    let mut events = events_in(&text);
    assert_eq!(events.pop().as_deref(), Some("[DONE]"));
    let events: Vec<Value> = events.iter().map(|event| serde_json::from_str(event).expect("JSON")).collect();
    let (done, deltas) = events.split_last().expect("events");
    assert!(deltas.len() >= 2 && deltas.iter().all(|event| event["type"] == "transcript.text.delta"), "{events:?}");
    let joined: String = deltas.iter().map(|event| event["delta"].as_str().expect("text")).collect();
    assert_eq!((&done["type"], &done["text"]), (&json!("transcript.text.done"), &json!(joined)));
    assert!(joined.to_lowercase().contains("stop the music"), "{joined}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_done_at_once() {
    let server = TestServer::start(&[]).await;
    let silence = write_wav(&Pcm::new(SampleRate::HZ_16000, vec![0; 48_000]));
    let parts = [Part::File("a.wav", &silence), Part::Text("stream", "true")];
    let events = events_of(transcribe(&server, TRANSCRIPTIONS, &parts).await).await;
    assert_eq!(events, [json!({"type": "transcript.text.done", "text": ""}).to_string(), "[DONE]".into()]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recogniser_that_fails_is_told_by_status_or_by_the_last_event() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = talk_opus(&SENTENCES);
    let inner = bundled_engines().await.recognizer;
    let ears = BrokenEars { inner, heard: AtomicUsize::new(0), fails_at: 2 };
    let server = hearing_with(folder.path(), &[], Arc::new(ears)).await;
    let parts = [Part::Text("stream", "true"), Part::File("a.opus", &file)];
    let events = events_of(transcribe(&server, TRANSCRIPTIONS, &parts).await).await;
    let last: Value = serde_json::from_str(events.last().expect("events")).expect("JSON");
    assert_eq!((&last["error"]["type"], &last["error"]["code"]), (&json!("server_error"), &json!("engine_failed")));
    assert!(events[0].contains("transcript.text.delta") && !events.iter().any(|event| event == "[DONE]"), "{events:?}");
    let (status, error, _) = refused(transcribe(&server, TRANSCRIPTIONS, &parts[1..]).await).await;
    assert_eq!((status, &error["type"]), (502, &json!("server_error")));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_away_stops_the_work() {
    let file = talk_opus(&SENTENCES);
    for stream in ["false", "true"] {
        let folder = tempfile::tempdir().expect("a folder");
        let (server, ears) = held(folder.path(), &[], 0).await;
        let (kind, body) = form(&[Part::File("a.opus", &file), Part::Text("stream", stream)]);
        let asking = request(&server, Method::POST, TRANSCRIPTIONS).header("content-type", kind).body(body).send();
        let asking = tokio::spawn(async move { asking.await.expect("an answer").text().await });
        counted(&ears.asked).await;
        assert!(!asking.is_finished(), "it is held");
        asking.abort();
        counted(&ears.dropped).await;
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_recording_takes_its_time() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, ears) = held(folder.path(), &["--request-timeout", "1"], 0).await;
    let (kind, body) = form(&[Part::File("a.opus", &talk_opus(&SENTENCES[..1]))]);
    let asking = request(&server, Method::POST, TRANSCRIPTIONS).header("content-type", kind).body(body).send();
    let asking = tokio::spawn(asking);
    counted(&ears.asked).await;
    // The time itself is what is tried: other requests would have been given up by now.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    ears.permits.add_permits(1_000);
    assert_eq!(asking.await.expect("no panic").expect("an answer").status(), 200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_is_served_as_far_as_there_is_room() {
    /// Served at once, and those who may wait.
    const ROOM: usize = 4 + 16;
    let folder = tempfile::tempdir().expect("a folder");
    let (server, ears) = held(folder.path(), &["--max-jobs", "100"], 0).await;
    let file = talk_opus(&SENTENCES[..1]);
    let (kind, body) = form(&[Part::File("a.opus", &file)]);
    let mut crowd = JoinSet::new();
    for _ in 0..ROOM + 3 {
        let request = request(&server, Method::POST, TRANSCRIPTIONS).header("content-type", kind.clone());
        let request = request.body(body.clone());
        crowd.spawn(async move { request.send().await.expect("an answer") });
    }
    for _ in 0..3 {
        let answer = crowd.join_next().await.expect("one is refused").expect("no panic");
        assert!(answer.headers().contains_key("retry-after"));
        let (status, error, _) = refused(answer).await;
        assert_eq!((status, &error["code"]), (503, &json!("overloaded")));
    }
    ears.permits.add_permits(1_000);
    while let Some(answer) = crowd.join_next().await {
        assert_eq!(answer.expect("no panic").status(), 200);
    }
    server.stop().await;
}
