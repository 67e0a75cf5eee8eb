//! Who comes in, and what they are told first.

use serde_json::json;

use super::Realtime;
use crate::harness::TestServer;

#[tokio::test(flavor = "multi_thread")]
async fn the_whole_session_is_told_first_and_after_every_change() {
    let server = TestServer::start(&[]).await;
    let (mut client, response) = Realtime::open(&server, "/v1/realtime?model=gpt-realtime", &[]).await.expect("in");
    assert!(response.headers().get("sec-websocket-protocol").is_none(), "none was offered");
    let created = client.next().await.expect("an event");
    assert_eq!(created["type"], "session.created");
    let session = &created["session"];
    assert_eq!((&session["type"], &session["model"]), (&json!("realtime"), &json!("gpt-realtime")));
    assert_eq!(session["audio"]["input"]["transcription"], json!(null));
    client
        .send(json!({"type": "session.update", "event_id": "u1", "session": {"type": "realtime", "instructions": "",
            "audio": {"input": {"turn_detection": {"type": "semantic_vad", "eagerness": "low"}}, "output": {"voice": "marin"}}}}))
        .await;
    let updated = client.event("session.updated").await;
    let session = &updated["session"];
    assert_eq!(session["instructions"], "");
    assert_eq!(session["audio"]["output"]["voice"], "marin");
    assert_eq!(
        session["audio"]["input"]["turn_detection"],
        json!({"type": "semantic_vad", "eagerness": "low", "create_response": true, "interrupt_response": true})
    );
    server.stop().await;
}
