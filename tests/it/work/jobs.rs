//! Jobs in their middle: resumed, cancelled, abandoned, taken up after a restart.

use std::{
    path::Path,
    sync::{Arc, atomic::Ordering},
};

use aigolos::engine::Engines;
use serde_json::json;

use super::{
    client::{Events, SentEvent, delete, form, get, id_of, job_events, talk_opus, texts, transcribe},
    fakes::HeldEars,
};
use crate::harness::{PATIENCE, TestServer, bundled_engines};

const SENTENCES: [&str; 3] = ["What time is it?", "Stop the music please.", "What is five plus seven?"];

/// A server whose recogniser hears so many pieces and then waits.
async fn held(folder: &Path, permits: usize) -> (TestServer, Arc<HeldEars>) {
    let engines = bundled_engines().await;
    let ears = Arc::new(HeldEars::new(engines.recognizer.clone(), permits));
    let engines = Engines { recognizer: ears.clone(), ..engines };
    (TestServer::start_with(folder, &[], Some(engines)).await, ears)
}

fn kinds(events: &[SentEvent]) -> Vec<&str> {
    events.iter().map(|event| event.kind.as_str()).collect()
}

/// What never stops wanting permits.
const ALL: usize = 1_000;

#[tokio::test(flavor = "multi_thread")]
async fn events_go_on_where_they_broke() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, ears) = held(folder.path(), 1).await;
    let (status, made) = transcribe(&server, "", "talk.opus", &talk_opus(&SENTENCES), &[]).await;
    assert_eq!(status, 202, "{made}");
    let id = id_of(&made);
    let mut first = Events::of_job(&server, &id, None).await;
    let text = first.until("text").await;
    drop(first); // the connection breaks
    ears.permits.add_permits(ALL);
    let rest = Events::of_job(&server, &id, text.id).await.rest().await;
    assert_eq!(rest[0].id, text.id.map(|id| id + 1));
    assert_eq!(rest.last().map(|event| event.kind.as_str()), Some("done"));
    let all = Events::of_job(&server, &id, None).await.rest().await;
    let after: Vec<_> = all.iter().filter(|event| event.id > text.id).cloned().collect();
    assert_eq!(rest, after, "the same once it is over");
    let said = texts(&all).join(" ").to_lowercase();
    assert!(said.contains("what time") && said.contains("five plus seven"), "{said}");

    let last = all.last().and_then(|event| event.id);
    assert_eq!(job_events(&server, &id, last).await.status(), 204, "nothing is left: do not come again");
    let near = Events::of_job(&server, &id, last.map(|last| last - 1)).await.rest().await;
    assert_eq!(kinds(&near), ["done"]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_watchers_hear_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, ears) = held(folder.path(), 0).await;
    let (_, made) = transcribe(&server, "", "talk.opus", &talk_opus(&SENTENCES[..1]), &[]).await;
    let id = id_of(&made);
    let (a, b) = (Events::of_job(&server, &id, None).await, Events::of_job(&server, &id, None).await);
    ears.permits.add_permits(ALL);
    assert_eq!(a.rest().await, b.rest().await);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_running_job_and_a_waiting_one_are_cancelled() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, ears) = held(folder.path(), 0).await;
    let file = talk_opus(&SENTENCES);
    let running = id_of(&transcribe(&server, "", "one.opus", &file, &[]).await.1);
    let mut events = Events::of_job(&server, &running, None).await;
    while events.until("progress").await.data["stage"] != "transcribe" {}
    let waiting = id_of(&transcribe(&server, "", "two.opus", &file, &[]).await.1);
    for id in [&waiting, &running] {
        let (status, job) = delete(&server, &format!("/api/jobs/{id}")).await;
        assert_eq!((status, &job["job"]["state"]), (200, &json!("cancelled")), "{job}");
        assert!(job["job"]["ended_at"].is_i64(), "{job}");
        let all = Events::of_job(&server, id, None).await.rest().await;
        assert_eq!(all.last().map(|event| (event.kind.as_str(), event.data.clone())), Some(("cancelled", json!({}))));
        let (status, again) = delete(&server, &format!("/api/jobs/{id}")).await;
        assert_eq!((status, &again), (200, &job), "it had ended");
    }
    assert_eq!(kinds(&events.rest().await).last(), Some(&"cancelled"));
    assert!(ears.dropped.load(Ordering::SeqCst) > 0, "the recogniser was told");
    assert_eq!(std::fs::read_dir(folder.path().join("uploads")).expect("a folder").count(), 0);
    let (_, list) = get(&server, "/api/conversations/").await;
    assert_eq!(list["conversations"], json!([]));

    ears.permits.add_permits(ALL);
    let (status, text) = transcribe(&server, "?wait=true", "three.opus", &file, &[]).await;
    assert_eq!(status, 200, "the worker goes on: {text}");
    let done = text["conversation_id"].as_str().expect("the job's id").to_owned();
    let (status, job) = delete(&server, &format!("/api/jobs/{done}")).await;
    assert_eq!((status, &job["job"]["state"]), (200, &json!("done")), "what is done stays done");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_and_goes_away_cancels() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, ears) = held(folder.path(), 0).await;
    let (kind, body) = form(Some(("talk.opus", &talk_opus(&SENTENCES))), &[]);
    let request = reqwest::Client::new().post(server.url("/api/asr/transcribe/?wait=true"));
    let waiting = tokio::spawn(request.header("content-type", kind).body(body).send());
    let id = tokio::time::timeout(PATIENCE, async {
        loop {
            let (_, list) = get(&server, "/api/jobs/").await;
            if list["jobs"][0]["state"] == "running" {
                return list["jobs"][0]["id"].as_str().expect("an id").to_owned();
            }
            tokio::task::yield_now().await;
        }
    });
    let id = id.await.expect("it begins");
    let events = Events::of_job(&server, &id, None).await;
    waiting.abort();
    assert!(waiting.await.is_err_and(|error| error.is_cancelled()));
    assert_eq!(kinds(&events.rest().await).last(), Some(&"cancelled"));
    drop(ears);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_survives_a_restart_and_says_nothing_twice() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, _ears) = held(folder.path(), 1).await;
    let file = talk_opus(&SENTENCES);
    let running = id_of(&transcribe(&server, "", "one.opus", &file, &[]).await.1);
    let waiting = id_of(&transcribe(&server, "", "two.opus", &file, &[]).await.1);
    let mut before = vec![];
    let mut events = Events::of_job(&server, &running, None).await;
    while !before.iter().any(|event: &SentEvent| event.kind == "text") {
        before.push(events.next().await.expect("it goes on"));
    }
    server.stop().await;
    before.extend(events.rest().await);
    assert!(!kinds(&before).contains(&"done"), "it was in the middle: {before:#?}");

    let (server, ears) = held(folder.path(), ALL).await;
    let after = Events::of_job(&server, &running, before.last().and_then(|event| event.id)).await.rest().await;
    assert_eq!(after[0].id, before.last().and_then(|event| event.id).map(|id| id + 1));
    assert_eq!(after.last().map(|event| event.kind.as_str()), Some("done"));
    assert!(after.iter().any(|event| event.data["stage"] == "decode"), "it says that it begins again");
    let heard = [texts(&before), texts(&after)].concat();
    let outcome = &after.last().expect("the end").data;
    let segments = outcome["segments"].as_array().expect("segments");
    let whole: Vec<&str> = segments.iter().map(|segment| segment["text"].as_str().expect("text")).collect();
    assert_eq!(heard, whole, "every segment once");
    let id = outcome["conversation_id"].as_str().expect("a conversation");
    let (_, kept) = get(&server, &format!("/api/conversations/{id}")).await;
    assert_eq!(kept["turns"].as_array().map(Vec::len), Some(segments.len()));

    let other = Events::of_job(&server, &waiting, None).await.rest().await;
    assert_eq!(texts(&other), heard, "the one that waited is done too");
    assert_eq!(std::fs::read_dir(folder.path().join("uploads")).expect("a folder").count(), 0);
    drop(ears);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_end_when_the_server_stops() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, _ears) = held(folder.path(), 0).await;
    let id = id_of(&transcribe(&server, "", "one.opus", &talk_opus(&SENTENCES[..1]), &[]).await.1);
    let mut events = Events::of_job(&server, &id, None).await;
    while events.until("progress").await.data["stage"] != "transcribe" {}
    // `stop` panics if the server does not stop while somebody listens.
    let (rest, ()) = tokio::join!(events.rest(), server.stop());
    assert!(!kinds(&rest).contains(&"cancelled") && !kinds(&rest).contains(&"done"), "{rest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn leftovers_are_cleared_away_at_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let uploads = folder.path().join("uploads");
    std::fs::create_dir_all(&uploads).expect("a folder");
    let orphan = uploads.join("0197f3b1-0000-7000-8000-000000000000");
    std::fs::write(&orphan, b"half a file").expect("room");
    let server = TestServer::start_in(folder.path(), &[]).await;
    let (status, _) = transcribe(&server, "?wait=true", "a.opus", &talk_opus(&SENTENCES[..1]), &[]).await;
    assert_eq!(status, 200);
    assert!(!orphan.exists());
    let id = std::fs::read_to_string(folder.path().join("server.id")).expect("it has a name");
    server.stop().await;
    TestServer::start_in(folder.path(), &[]).await.stop().await;
    assert_eq!(std::fs::read_to_string(folder.path().join("server.id")).expect("it has a name"), id);
}
