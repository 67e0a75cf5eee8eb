//! Responses that are stopped, and cut to what was heard.

use std::sync::Arc;

use aigolos::engine::{ChatRequest, Engines};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};

use super::{Realtime, client::spoken};
use crate::{
    harness::{PATIENCE, TestServer, bundled_engines},
    work::fakes::HeldChat,
};

/// Sentences, so that each is spoken by itself; more than the permits let out.
const STORY: &[&str] =
    &["Once there was a fox. ", "He lived in a wood. ", "One day he met a hen. ", "That was the end. "];

/// A server whose assistant says as many sentences as it may, and what it is asked.
async fn storyteller(
    permits: usize,
) -> (TestServer, Arc<Semaphore>, mpsc::UnboundedReceiver<ChatRequest>, tempfile::TempDir) {
    let (asked, asks) = mpsc::unbounded_channel();
    let permits = Arc::new(Semaphore::new(permits));
    let chat = HeldChat { words: STORY, permits: permits.clone(), asked, error: None };
    let engines = Engines { chat: Arc::new(chat), ..bundled_engines().await };
    let folder = tempfile::tempdir().expect("a scratch folder");
    let server = TestServer::start_with(folder.path(), &[], Some(engines)).await;
    (server, permits, asks, folder)
}

/// A response under way of which some sound has come; its id.
async fn telling(client: &mut Realtime) -> Value {
    client
        .send(json!({"type": "conversation.item.create",
            "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Tell me a story."}]}}))
        .await;
    client.send(json!({"type": "response.create"})).await;
    let created = client.event("response.created").await;
    client.event("response.output_audio.delta").await;
    created["response"]["id"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn speaking_stops_a_response_and_the_client_cuts_it_to_what_was_heard() {
    let (server, permits, mut asks, _folder) = storyteller(2).await;
    let mut client = Realtime::session(&server, json!({"type": "realtime"})).await;
    let response = telling(&mut client).await;
    client.append(&spoken("what time is it", 0)).await;
    let started = client.event("input_audio_buffer.speech_started").await;
    assert!(client.of_kind("response.done").is_empty(), "the voice is told first");
    let done = client.event("response.done").await;
    assert_eq!(done["response"]["id"], response);
    assert_eq!(done["response"]["status_details"], json!({"type": "cancelled", "reason": "turn_detected"}));
    let item = &done["response"]["output"][0];
    assert_eq!(item["status"], "incomplete");
    let told = item["content"][0]["transcript"].as_str().expect("text").to_owned();
    assert!(told.starts_with("Once there was a fox."), "{told}");

    client
        .send(json!({"type": "conversation.item.truncate", "item_id": item["id"], "content_index": 0, "audio_end_ms": 300}))
        .await;
    let truncated = client.event("conversation.item.truncated").await;
    assert_eq!((&truncated["item_id"], &truncated["audio_end_ms"]), (&item["id"], &json!(300)));
    client.send(json!({"type": "conversation.item.retrieve", "item_id": item["id"]})).await;
    let retrieved = client.event("conversation.item.retrieved").await;
    let left = retrieved["item"]["content"][0]["transcript"].as_str().expect("text").to_owned();
    assert!(left.len() < told.len() && told.starts_with(left.trim_end_matches(['…', '.'])), "{left:?} of {told:?}");

    // The model is told of no more than was heard, when the person has finished.
    permits.add_permits(STORY.len());
    client.append(&vec![0; 24_000 * 3 / 2]).await;
    let done = client.event("response.done").await;
    assert_eq!(done["response"]["status"], "completed");
    assert_ne!(started["item_id"], done["response"]["output"][0]["id"]);
    let request = loop {
        let request = tokio::time::timeout(PATIENCE, asks.recv()).await.expect("in time").expect("it is asked");
        if request.messages.len() > 3 {
            break request;
        }
    };
    let prompt: Vec<_> = request.messages.iter().skip(1).map(|message| message.content.as_str()).collect();
    assert!(prompt.iter().all(|text| !text.contains("hen")), "{prompt:?}");
    assert!(!prompt.iter().any(|text| text.contains(&told)), "{prompt:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_stops_a_response_and_asks_for_another() {
    let (server, permits, _asks, _folder) = storyteller(1).await;
    let mut client = Realtime::session(&server, json!({"type": "realtime"})).await;
    let response = telling(&mut client).await;
    client.send(json!({"type": "response.create", "event_id": "second"})).await;
    let error = client.error().await;
    assert_eq!(error["code"], "conversation_already_has_active_response");
    assert_eq!(error["event_id"], "second");
    client.send(json!({"type": "response.cancel", "response_id": response})).await;
    let done = client.event("response.done").await;
    assert_eq!(done["response"]["status_details"], json!({"type": "cancelled", "reason": "client_cancelled"}));
    let before = client.log.len();
    permits.add_permits(STORY.len());
    client.send(json!({"type": "response.create"})).await;
    assert_eq!(client.event("response.done").await["response"]["status"], "completed");
    let late = client.log[before..].iter().filter(|event| event["response_id"] == response);
    assert_eq!(late.count(), 0, "nothing follows a response's end");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_interruption_a_response_is_spoken_to_its_end() {
    let (server, permits, _asks, _folder) = storyteller(1).await;
    let turn_detection = json!({"type": "server_vad", "interrupt_response": false, "create_response": false});
    let session = json!({"type": "realtime", "audio": {"input": {"turn_detection": turn_detection}}});
    let mut client = Realtime::session(&server, session).await;
    telling(&mut client).await;
    client.append(&spoken("what time is it", 1_500)).await;
    client.event("input_audio_buffer.committed").await;
    assert!(client.of_kind("response.done").is_empty());
    permits.add_permits(STORY.len());
    let done = client.event("response.done").await;
    assert_eq!(done["response"]["status"], "completed");
    let text = done["response"]["output"][0]["content"][0]["transcript"].as_str().expect("text");
    assert_eq!(text.trim(), STORY.concat().trim());
    server.stop().await;
}
