//! Sessions as a client meets them: refused when all are taken, resumed after a lost socket, ended with a reason.

use serde_json::json;

use crate::harness::{Client, Received, TestServer, recording};

#[tokio::test(flavor = "multi_thread")]
async fn one_too_many_is_refused_with_a_time_and_the_others_do_not_notice() {
    let server = TestServer::start(&["--max-sessions", "2"]).await;
    let (mut first, _) = server.session(json!({})).await;
    let (_second, _) = server.session(json!({})).await;
    let mut third = server.connect().await;
    third.send(json!({"type": "session.start", "id": "s3"})).await;
    let error = third.event("error").await;
    assert_eq!((&error["code"], &error["in_reply_to"]), (&json!("overloaded"), &json!("s3")));
    assert!(error["retry_after_ms"].as_u64().is_some_and(|ms| ms > 0) && error["hint"].is_string());
    assert_eq!(third.closed().await, Some(1013));
    first.send(json!({"type": "text.send", "text": "hello"})).await;
    first.event("reply.done").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_socket_loses_no_committed_word() {
    let server = TestServer::start(&[]).await;
    let (mut client, ready) = server.session(json!({"mode": "transcribe"})).await;
    let id = ready["session_id"].clone();
    client.send_audio(&recording("Turn on the light in the kitchen.")).await;
    client.event("speech.started").await;
    client.send(json!({"type": "audio.commit"})).await;
    // The commit has been read when its answer begins; then the line breaks, before the final text is read.
    let stopped = client.event("speech.stopped").await;
    drop(client);

    let mut back = Client::connect(server.address).await;
    let resume = json!({"session_id": id, "last_seq": stopped["seq"]});
    back.send(json!({"type": "session.start", "resume": resume})).await;
    let ready = back.event("session.ready").await;
    assert_eq!((&ready["resumed"], &ready["session_id"]), (&json!(true), &id));
    let text = back.event("transcript.final").await["text"].as_str().expect("text").to_owned();
    assert!(text.contains("kitchen"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_nobody_knows_cannot_be_resumed_but_a_new_one_can_start() {
    let server = TestServer::start(&[]).await;
    let mut client = server.connect().await;
    let nobody = json!({"session_id": "019ab3f0-0000-7000-8000-000000000002", "last_seq": 1});
    client.send(json!({"type": "session.start", "resume": nobody})).await;
    assert_eq!(client.event("error").await["code"], "resume_unknown");
    client.send(json!({"type": "session.start"})).await;
    client.event("session.ready").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_is_taken_up_where_it_ended() {
    let server = TestServer::start(&[]).await;
    let (mut client, ready) = server.session(json!({})).await;
    client.send(json!({"type": "text.send", "text": "My name is Alice."})).await;
    client.event("reply.done").await;
    client.send(json!({"type": "session.end"})).await;
    assert_eq!(client.event("session.closed").await["reason"], "client_ended");
    assert_eq!(client.closed().await, Some(1000));

    let (mut again, _) = server.session(json!({"conversation_id": ready["conversation_id"]})).await;
    again.send(json!({"type": "text.send", "text": "What is my name?"})).await;
    let text = again.event("reply.done").await["text"].as_str().expect("text").to_owned();
    assert!(text.contains("Alice"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_answered_and_cost_nothing() {
    let server = TestServer::start(&[]).await;
    let mut client = server.connect().await;
    for (text, code) in [
        ("not json", "invalid_json"),
        (r#"{"type":"session.fly"}"#, "unknown_event"),
        (r#"{"type":"audio.commit"}"#, "not_started"),
        (r#"{"type":"session.start","audio":{"encoding":"pcm_s16le","sample_rate":4000}}"#, "invalid_event"),
        (r#"{"type":"session.start","colour":"red"}"#, "invalid_event"),
    ] {
        use futures::SinkExt;
        client.socket.send(tokio_tungstenite::tungstenite::Message::text(text)).await.expect("connected");
        let error = client.event("error").await;
        assert_eq!(error["code"], code, "{text}");
        assert!(error["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{error}");
    }
    client.send(json!({"type": "session.start"})).await;
    client.event("session.ready").await;
    client.send(json!({"type": "text.send", "text": ""})).await;
    assert_eq!(client.event("error").await["code"], "invalid_event");
    client.send(json!({"type": "reply.cancel", "id": "x"})).await;
    let error = client.event("error").await;
    assert_eq!((&error["code"], &error["in_reply_to"]), (&json!("nothing_to_cancel"), &json!("x")));
    client.send(json!({"type": "text.send", "text": "hello"})).await;
    client.event("reply.done").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_says_so() {
    let server = TestServer::start(&[]).await;
    let (mut client, ready) = server.session(json!({})).await;
    server.stop().await;
    let closed = client.event("session.closed").await;
    assert_eq!((&closed["reason"], &closed["conversation_id"]), (&json!("restart"), &ready["conversation_id"]));
    assert!(closed["retry_after_ms"].as_u64().is_some_and(|ms| (500..=1_500).contains(&ms)), "{closed}");
    assert_eq!(client.closed().await, Some(1012));
}

#[tokio::test(flavor = "multi_thread")]
async fn health_says_what_is_in_use_and_foreign_names_are_refused() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let server = TestServer::start(&[]).await;
    let ask = async |host: &str| {
        let mut stream = tokio::net::TcpStream::connect(server.address).await.expect("listening");
        let request = format!("GET /api/health/ HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("answered");
        answer
    };
    let own = ask(&format!("127.0.0.1:{}", server.address.port())).await;
    assert!(own.starts_with("HTTP/1.1 200") && own.contains(r#""engine":"whisper""#), "{own}");
    assert!(own.to_lowercase().contains("content-security-policy: default-src 'self'"), "{own}");
    let foreign = ask("evil.example").await;
    assert!(foreign.starts_with("HTTP/1.1 403"), "{foreign}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_reply_comes_again_and_chunks_tell_what_was_had() {
    let server = TestServer::start(&[]).await;
    let (mut client, ready) = server.session(json!({})).await;
    client.send(json!({"type": "text.send", "text": "count to ten"})).await;
    let delta = client.event("reply.text.delta").await;
    loop {
        if let Received::Audio { chunk: 3, .. } = client.next().await {
            break;
        }
    }
    drop(client);
    let mut back = Client::connect(server.address).await;
    let resume = json!({"session_id": ready["session_id"], "last_seq": delta["seq"]});
    back.send(json!({"type": "session.start", "resume": resume})).await;
    back.event("reply.done").await;
    let chunks: Vec<_> = back
        .log
        .iter()
        .filter_map(|received| if let Received::Audio { chunk, .. } = received { Some(*chunk) } else { None })
        .collect();
    assert_eq!(chunks, (0..chunks.len() as u32).collect::<Vec<_>>(), "every chunk since that text, in order");
}
