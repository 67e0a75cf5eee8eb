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

#[tokio::test(flavor = "multi_thread")]
async fn without_accounts_any_key_will_do_but_not_any_page() {
    let server = TestServer::start(&[]).await;
    for headers in [&[][..], &[("authorization", "Bearer sk-anything")], &[("api-key", "x")]] {
        let (mut client, _) = Realtime::open(&server, "/realtime", headers).await.expect("in");
        client.event("session.created").await;
    }
    // A made-up key says nothing about who runs the page.
    let headers =
        [("sec-websocket-protocol", "realtime, openai-insecure-api-key.x"), ("origin", "https://evil.example")];
    assert!(Realtime::open(&server, "/v1/realtime", &headers).await.is_err());
    assert!(Realtime::open(&server, "/v1/realtime?call_id=rtc_1", &[]).await.is_err());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_the_beta_gets_its_names() {
    let server = TestServer::start(&[]).await;
    let protocols = "realtime, openai-insecure-api-key.x, openai-beta.realtime-v1";
    for headers in [("openai-beta", "realtime=v1"), ("sec-websocket-protocol", protocols)] {
        let (mut client, _) = Realtime::open(&server, "/v1/realtime?model=m", &[headers]).await.expect("in");
        let created = client.event("session.created").await;
        assert_eq!(created["session"]["modalities"], json!(["text", "audio"]));
        client.event("conversation.created").await;
        client.send(json!({"type": "session.update", "session": {"modalities": ["text"]}})).await;
        client.event("session.updated").await;
        client
            .send(json!({"type": "conversation.item.create",
                "item": {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hello"}]}}))
            .await;
        client.event("conversation.item.created").await;
        client.send(json!({"type": "response.create"})).await;
        client.event("response.done").await;
        assert!(!client.joined("response.text.delta").is_empty());
        let ours = ["conversation.item.added", "conversation.item.done", "response.output_text.delta"];
        assert!(client.kinds().iter().all(|kind| !ours.contains(kind)), "{:#?}", client.kinds());
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_server_says_so() {
    let server = TestServer::start(&[]).await;
    let mut client = Realtime::session(&server, json!({"type": "realtime"})).await;
    let stopping = tokio::spawn(server.stop());
    let error = client.error().await;
    assert_eq!((&error["type"], &error["code"]), (&json!("server_error"), &json!("server_shutting_down")));
    assert_eq!(client.until_closed().await, Some(1001));
    stopping.await.expect("it stops");
}

/// The same routes with sessions of half a second, which no setting allows.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_expires_and_says_so() {
    use std::{sync::Arc, time::Duration};

    use aigolos::{
        account::{Identity, Via},
        conversation::{
            hub::{Hub, HubSettings},
            journal::NoJournal,
            message::SessionOptions,
        },
        protocol::openai::realtime::routes::{Door, RealtimeSettings, router},
    };

    let hub = Hub::new(crate::harness::bundled_engines().await, HubSettings::default(), Arc::new(NoJournal));
    let settings = RealtimeSettings {
        socket: RealtimeSettings::socket(),
        origins: aigolos::protocol::origin::Origins::default(),
        keep_audio: false,
        defaults: SessionOptions::default(),
        lasts: Duration::from_millis(500),
    };
    let door = Door {
        hub: hub.clone(),
        settings: Arc::new(settings),
        secrets: aigolos::protocol::openai::realtime::secrets::Secrets::default(),
        shutdown: tokio_util::sync::CancellationToken::new(),
        sockets: tokio_util::task::TaskTracker::new(),
    };
    let user = aigolos::store::User {
        id: aigolos::model::UserId::LOCAL,
        email: String::new(),
        name: String::new(),
        password_hash: String::new(),
        admin: true,
        verified_at: None,
        disabled: false,
        language: None,
        theme: None,
        keep_audio: false,
        retention_days: None,
        created_at: aigolos::model::UnixMs(0),
    };
    let routes = router(door).layer(axum::Extension(Identity { user, via: Via::Open }));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let serving = tokio::spawn(async move { axum::serve(listener, routes).await });
    let (mut client, _) = Realtime::open_at(address, "/v1/realtime", &[]).await.expect("in");
    let created = client.event("session.created").await;
    assert!(created["session"]["expires_at"].is_i64());
    let error = client.error().await;
    assert_eq!(error["code"], "session_expired");
    assert_eq!(client.until_closed().await, Some(1001));
    // The session does not wait for anybody to come back.
    let gone = async {
        while hub.sessions() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(crate::harness::PATIENCE, gone).await.expect("it ends");
    serving.abort();
}
