//! Chat in writing: streamed, kept, gone on with, broken off.

use std::{path::Path, sync::Arc};

use aigolos::{
    engine::{ChatRequest, EngineError, Engines},
    model::Role,
};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};

use super::{
    client::{Events, SentEvent, get, post_json},
    fakes::HeldChat,
};
use crate::harness::{PATIENCE, TestServer, bundled_engines};

const PATH: &str = "/api/llm/chat/";

async fn chat(server: &TestServer, body: Value) -> Events {
    let request = reqwest::Client::new().post(server.url(PATH)).header("content-type", "application/json");
    Events::of(request.body(body.to_string()).send().await.expect("an answer"))
}

/// A server whose chat model says a word for each permit.
async fn held(
    folder: &Path,
    permits: usize,
    error: Option<EngineError>,
) -> (TestServer, Arc<Semaphore>, mpsc::UnboundedReceiver<ChatRequest>) {
    let (asked, requests) = mpsc::unbounded_channel();
    let permits = Arc::new(Semaphore::new(permits));
    let words = &["One ", "two ", "three ", "four."];
    let model = HeldChat { words, permits: permits.clone(), asked, error };
    let engines = Engines { chat: Arc::new(model), ..bundled_engines().await };
    (TestServer::start_with(folder, &[], Some(engines)).await, permits, requests)
}

fn said(events: &[SentEvent]) -> String {
    let deltas = events.iter().filter(|event| event.kind == "delta");
    deltas.map(|event| event.data["text"].as_str().expect("text")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_streams_and_is_kept() {
    let server = TestServer::start(&[]).await;
    let events = chat(&server, json!({"message": "  What is five plus seven? "})).await.rest().await;
    assert_eq!(events[0].kind, "started");
    let last = events.last().expect("an end");
    assert_eq!(last.kind, "done", "{events:#?}");
    assert_eq!(last.data["text"], json!(said(&events)));
    assert!(said(&events).to_lowercase().contains("twelve") || said(&events).contains("12"), "{}", said(&events));
    assert!(last.data["timings"]["done_ms"].is_u64() && last.data["timings"]["first_token_ms"].is_u64(), "{last:?}");
    let id = events[0].data["conversation_id"].as_str().expect("an id");
    let turn = tokio::time::timeout(PATIENCE, kept_turns(&server, id, 1)).await.expect("it is kept").remove(0);
    assert_eq!(turn["text"], "What is five plus seven?");
    assert_eq!(turn["source"], "typed");
    assert_eq!((&turn["reply"]["text"], &turn["reply"]["heard"]), (&last.data["text"], &last.data["text"]));
    assert_eq!(turn["reply"]["interrupted"], false);

    let events = chat(&server, json!({"message": "Привет! Который час?", "language": "ru"})).await.rest().await;
    assert_eq!(events.last().map(|event| event.kind.as_str()), Some("done"), "{events:#?}");
    server.stop().await;
}

/// The turns of a conversation, once there are so many that have a reply.
async fn kept_turns(server: &TestServer, id: &str, count: usize) -> Vec<Value> {
    loop {
        let (_, kept) = get(server, &format!("/api/conversations/{id}")).await;
        let turns = kept["turns"].as_array().cloned().unwrap_or_default();
        if turns.iter().filter(|turn| turn["reply"].is_object()).count() >= count {
            return turns;
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_goes_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, _permits, mut asked) = held(folder.path(), 1_000, None).await;
    let events = chat(&server, json!({"message": "Count."})).await.rest().await;
    assert_eq!(said(&events), "One two three four.");
    let id = events[0].data["conversation_id"].clone();
    let again = chat(&server, json!({"message": "Again.", "conversation_id": id, "language": "en"})).await.rest().await;
    assert_eq!(again[0].data["conversation_id"], id);
    let first = asked.recv().await.expect("asked");
    assert_eq!((first.messages.len(), first.session), (2, None));
    let second = asked.recv().await.expect("asked");
    let told: Vec<(Role, &str)> =
        second.messages.iter().map(|message| (message.role, message.content.as_str())).collect();
    assert!(told[0].0 == Role::System && told[0].1.ends_with("is en."), "{told:?}");
    let rest = [(Role::User, "Count."), (Role::Assistant, "One two three four."), (Role::User, "Again.")];
    assert_eq!(told[1..], rest);
    let id = id.as_str().expect("an id");
    let turns = tokio::time::timeout(PATIENCE, kept_turns(&server, id, 2)).await.expect("both are kept");
    assert_eq!(turns.iter().map(|turn| &turn["text"]).collect::<Vec<_>>(), ["Count.", "Again."]);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_away_has_heard_what_was_sent() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, permits, _asked) = held(folder.path(), 2, None).await;
    let mut events = chat(&server, json!({"message": "Count."})).await;
    let id = events.until("started").await.data["conversation_id"].as_str().expect("an id").to_owned();
    events.until("delta").await;
    events.until("delta").await;
    drop(events); // and its connection
    let turns = tokio::time::timeout(PATIENCE, kept_turns(&server, &id, 1)).await.expect("it is kept");
    assert_eq!(turns[0]["reply"]["heard"], "One two ");
    assert_eq!(turns[0]["reply"]["interrupted"], true);
    permits.add_permits(1_000);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_fails_is_told_by_status_or_by_event() {
    let folder = tempfile::tempdir().expect("a folder");
    let stalled = EngineError::Stalled { engine: "held", waited_ms: 7 };
    let (server, permits, _asked) = held(folder.path(), 1_000, Some(stalled.clone())).await;
    let events = chat(&server, json!({"message": "Count."})).await.rest().await;
    let last = events.last().expect("an end");
    assert_eq!((last.kind.as_str(), &last.data["code"]), ("failed", &json!("engine_stalled")), "{events:#?}");
    assert_eq!(said(&events), "One two three four.");
    let id = events[0].data["conversation_id"].as_str().expect("an id").to_owned();
    let turns = tokio::time::timeout(PATIENCE, kept_turns(&server, &id, 1)).await.expect("it is kept");
    assert_eq!(turns[0]["reply"]["interrupted"], true);
    drop(permits);
    server.stop().await;

    let (asked, _requests) = mpsc::unbounded_channel();
    let model = HeldChat { words: &[], permits: Arc::new(Semaphore::new(0)), asked, error: Some(stalled) };
    let engines = Engines { chat: Arc::new(model), ..bundled_engines().await };
    let server = TestServer::start_with(folder.path(), &[], Some(engines)).await;
    let (status, problem) = post_json(&server, PATH, &json!({"message": "Count."})).await;
    assert_eq!((status, &problem["code"]), (504, &json!("engine_stalled")), "{problem}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_have_a_length_and_conversations_an_owner() {
    let server = TestServer::start(&[]).await;
    let russian = "ж".repeat(5_000);
    assert_eq!(chat(&server, json!({ "message": russian })).await.rest().await[0].kind, "started");
    for (body, status, said) in [
        (json!({"message": "a".repeat(5_001)}), 422, "message: 5001 characters"),
        (json!({"message": ""}), 422, "message: it is empty"),
        (json!({"message": " \n\t "}), 422, "message: it is empty"),
        (json!({"message": 5}), 422, "message"),
        (json!({"text": "hello"}), 422, "text"),
        (json!({"message": "hello", "language": "klingon"}), 422, "language"),
        (json!({"message": "hello", "conversation_id": "5"}), 422, "conversation_id"),
        (json!({"message": "hello", "conversation_id": uuid::Uuid::now_v7()}), 404, "conversation"),
    ] {
        let (got, problem) = post_json(&server, PATH, &body).await;
        assert_eq!(got, status, "{body}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(said)), "{said}: {problem}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_says_so_in_the_middle() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, _permits, _asked) = held(folder.path(), 1, None).await;
    let mut events = chat(&server, json!({"message": "Count."})).await;
    let id = events.until("started").await.data["conversation_id"].as_str().expect("an id").to_owned();
    events.until("delta").await;
    let (_, ()) = tokio::join!(events.rest(), server.stop());
    let server = TestServer::start_in(folder.path(), &[]).await;
    let turns = tokio::time::timeout(PATIENCE, kept_turns(&server, &id, 1)).await.expect("it is kept");
    assert_eq!(turns[0]["reply"]["heard"], "One ");
    server.stop().await;
}
