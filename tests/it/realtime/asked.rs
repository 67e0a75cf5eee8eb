//! Responses that are asked for: in writing, beside the conversation, with functions.

use serde_json::{Value, json};

use super::Realtime;
use crate::harness::TestServer;

fn says(text: &str) -> Value {
    json!({"type": "conversation.item.create",
        "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}})
}

fn weather() -> Value {
    json!({"type": "function", "name": "get_weather", "description": "The weather in a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}})
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_is_answered_in_writing() {
    let server = TestServer::start(&[]).await;
    let mut client = Realtime::session(&server, json!({"type": "realtime", "output_modalities": ["text"]})).await;
    client.send(says("What is two plus three?")).await;
    client.send(json!({"type": "response.create", "response": {"metadata": {"client_event_id": "mine"}}})).await;
    let created = client.event("response.created").await;
    assert_eq!(created["response"]["metadata"]["client_event_id"], "mine");
    let done = client.event("response.done").await;
    let text = client.joined("response.output_text.delta");
    assert!(text.to_lowercase().contains("five") || text.contains('5'), "{text}");
    assert_eq!(done["response"]["output"][0]["content"], json!([{"type": "output_text", "text": text}]));
    assert!(done["response"]["usage"]["output_tokens"].as_u64().expect("the assistant counts") > 0);
    assert!(client.of_kind("response.output_audio.delta").is_empty());

    // The reply is an item of the conversation, and can be asked for.
    let item = done["response"]["output"][0]["id"].clone();
    client.send(json!({"type": "conversation.item.retrieve", "item_id": item})).await;
    let retrieved = client.event("conversation.item.retrieved").await;
    assert_eq!(retrieved["item"]["content"][0]["text"], Value::from(text));
    client.send(json!({"type": "conversation.item.delete", "item_id": item})).await;
    client.event("conversation.item.deleted").await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_is_called_and_its_output_answered() {
    let server = TestServer::start(&[]).await;
    let session = json!({"type": "realtime", "output_modalities": ["text"], "tools": [weather()]});
    let mut client = Realtime::session(&server, session).await;
    client.send(says("What is the weather in Paris?")).await;
    client.send(json!({"type": "response.create"})).await;
    let done = client.event("response.done").await;
    let call = done["response"]["output"][0].clone();
    assert_eq!(
        (&call["type"], &call["name"], &call["status"]),
        (&json!("function_call"), &json!("get_weather"), &json!("completed"))
    );
    let arguments = client.event_so_far("response.function_call_arguments.done");
    assert_eq!((&arguments["arguments"], &arguments["name"]), (&call["arguments"], &json!("get_weather")));
    assert_eq!(Value::from(client.joined("response.function_call_arguments.delta")), call["arguments"]);
    let wanted: Value = serde_json::from_str(call["arguments"].as_str().expect("JSON")).expect("JSON");
    assert_eq!(wanted["city"].as_str().map(str::to_lowercase).as_deref(), Some("paris"));

    client
        .send(json!({"type": "conversation.item.create", "item":
            {"type": "function_call_output", "call_id": call["call_id"], "output": "It is sunny and warm."}}))
        .await;
    client.send(json!({"type": "response.create"})).await;
    client.event("response.done").await;
    let text = client.joined("response.output_text.delta");
    assert!(text.contains("sunny"), "{text}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_beside_the_conversation_is_not_part_of_it() {
    let server = TestServer::start(&[]).await;
    let mut client = Realtime::session(&server, json!({"type": "realtime", "output_modalities": ["text"]})).await;
    let item = json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "What is one plus one?"}]});
    client.send(json!({"type": "response.create", "response": {"conversation": "none", "input": [item]}})).await;
    let done = client.event("response.done").await;
    assert_eq!(done["response"]["conversation_id"], json!(null));
    assert_eq!(done["response"]["output"].as_array().map(Vec::len), Some(1));
    assert!(client.kinds().iter().all(|kind| !kind.starts_with("conversation.item.")), "{:#?}", client.kinds());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_that_cannot_be_followed_leave_the_session_as_it_was() {
    use tokio_tungstenite::tungstenite::Message;
    let server = TestServer::start(&[]).await;
    let mut client = Realtime::session(&server, json!({"type": "realtime", "output_modalities": ["text"]})).await;
    for (event, code) in [
        (json!({"type": "response.never", "event_id": "e1"}), "invalid_value"),
        (json!({"type": "response.cancel", "event_id": "e1"}), "response_cancel_not_active"),
        (json!({"type": "input_audio_buffer.commit", "event_id": "e1"}), "input_audio_buffer_commit_empty"),
        (
            json!({"type": "conversation.item.retrieve", "item_id": "no", "event_id": "e1"}),
            "item_retrieve_invalid_item_id",
        ),
        (json!({"event_id": "e1"}), "invalid_event"),
    ] {
        client.send(event).await;
        let error = client.error().await;
        assert_eq!((&error["code"], &error["event_id"]), (&json!(code), &json!("e1")));
        assert_eq!(error["type"], "invalid_request_error");
    }
    client.send_raw(Message::text("{")).await;
    assert_eq!(client.error().await["code"], "invalid_json");
    client.send_raw(Message::binary(vec![1, 2, 3])).await;
    assert_eq!(client.error().await["code"], "invalid_event");
    client.send_raw(Message::Ping(vec![7].into())).await;
    client.send(says("Hello")).await;
    client.send(json!({"type": "response.create"})).await;
    assert_eq!(client.event("response.done").await["response"]["status"], "completed");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_server_waits_for_what_a_function_gives() {
    let server = TestServer::start(&["--drain-seconds", "300"]).await;
    let session = json!({"type": "realtime", "output_modalities": ["text"], "tools": [weather()]});
    let mut client = Realtime::session(&server, session).await;
    client.send(says("What is the weather in Paris?")).await;
    client.send(json!({"type": "response.create"})).await;
    let called = client.event("response.done").await["response"]["output"][0]["call_id"].clone();
    let address = server.address;
    let stopping = tokio::spawn(server.stop());
    let refused = async { while Realtime::open_at(address, "/v1/realtime", &[]).await.is_ok() {} };
    tokio::time::timeout(crate::harness::PATIENCE, refused).await.expect("nobody new comes in");
    let output = json!({"type": "function_call_output", "call_id": called, "output": "{\"sky\": \"clear\"}"});
    client.send(json!({"type": "conversation.item.create", "item": output})).await;
    client.send(json!({"type": "response.create"})).await;
    let done = client.event("response.done").await;
    assert_eq!(done["response"]["status"], "completed", "{done}");
    assert_eq!(client.error().await["code"], "server_shutting_down");
    assert_eq!(client.until_closed().await, Some(1001));
    stopping.await.expect("it stops");
}
