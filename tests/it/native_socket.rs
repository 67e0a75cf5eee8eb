//! One socket of the native protocol with a real hub behind it: who gets in, what is refused and how, how it ends.
//! The engines only look like engines: what they say does not matter here.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use aigolos::{
    conversation::{
        driver::DriverSettings,
        hub::{Hub, HubSettings},
        journal::NoJournal,
    },
    protocol::{
        native::routes::{NativeSettings, router},
        socket::SocketSettings,
    },
};
use axum::Extension;
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{self, Message, client::IntoClientRequest},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::looks;

/// Everything here happens at once; this is for when it does not.
const PATIENCE: Duration = Duration::from_secs(20);

// -------------------------------------------------------------------- harness

struct Server {
    url: String,
    hub: Hub,
    shutdown: CancellationToken,
    sockets: TaskTracker,
}

async fn server(hub: HubSettings, native: NativeSettings) -> Server {
    let hub = Hub::new(looks::engines(), hub, Arc::new(NoJournal));
    let (shutdown, sockets) = (CancellationToken::new(), TaskTracker::new());
    let router = router(hub.clone(), native, shutdown.clone(), sockets.clone()).layer(Extension(looks::anybody()));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("ws://{}/ws", listener.local_addr().expect("it is bound"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    Server { url, hub, shutdown, sockets }
}

async fn plain_server() -> Server {
    server(HubSettings::default(), NativeSettings::default()).await
}

struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    async fn connect(server: &Server) -> Self {
        Self(connect_async(&server.url).await.expect("the server listens").0)
    }

    /// Connects and starts a session.
    async fn start(server: &Server) -> (Self, Value) {
        let mut client = Self::connect(server).await;
        client.say(json!({"type": "session.start"})).await;
        let ready = client.event("session.ready").await;
        (client, ready)
    }

    async fn say(&mut self, event: Value) {
        self.send(Message::text(event.to_string())).await;
    }

    async fn send(&mut self, message: Message) {
        self.0.send(message).await.expect("the socket is open");
    }

    /// The next event; sound is passed over.
    async fn next(&mut self) -> Value {
        loop {
            match timeout(PATIENCE, self.0.next()).await.expect("something comes") {
                Some(Ok(Message::Text(text))) => return serde_json::from_str(&text).expect("events are JSON"),
                Some(Ok(Message::Binary(_) | Message::Ping(_))) => {}
                other => panic!("not an event: {other:?}"),
            }
        }
    }

    /// The next event of that type; others are passed over.
    async fn event(&mut self, name: &str) -> Value {
        loop {
            let event = self.next().await;
            if event["type"] == name {
                return event;
            }
        }
    }

    async fn error(&mut self, code: &str) -> Value {
        let error = self.event("error").await;
        assert_eq!(error["code"], code, "{error}");
        assert!(error["hint"].as_str().is_some_and(|hint| !hint.is_empty()), "{error}");
        error
    }

    async fn close(&mut self) -> (u16, String) {
        loop {
            match timeout(PATIENCE, self.0.next()).await.expect("something comes") {
                Some(Ok(Message::Close(Some(frame)))) => return (frame.code.into(), frame.reason.to_string()),
                Some(Ok(_)) => {}
                other => panic!("closed without a code: {other:?}"),
            }
        }
    }
}

// ---------------------------------------------------------------------- tests

#[tokio::test]
async fn a_client_that_says_goodbye_is_answered() {
    let server = plain_server().await;
    let (mut socket, _) = connect_async(&server.url).await.expect("the server listens");
    socket.close(None).await.expect("connected");
    let answer = timeout(PATIENCE, socket.next()).await.expect("in time");
    assert!(matches!(answer, Some(Ok(Message::Close(_)))), "{answer:?}");
}

#[tokio::test]
async fn a_typed_conversation_from_start_to_end() {
    let server = plain_server().await;
    let mut request = server.url.as_str().into_client_request().expect("a URL");
    request.headers_mut().insert("sec-websocket-protocol", "other, aigolos.v1".parse().expect("a header"));
    let (socket, response) = connect_async(request).await.expect("the server listens");
    assert_eq!(response.headers()["sec-websocket-protocol"], "aigolos.v1");
    let mut client = Client(socket);
    client.say(json!({"type": "session.start", "output": {"encoding": "mulaw", "sample_rate": 8000}})).await;
    let ready = client.next().await;
    assert_eq!((&ready["type"], &ready["seq"]), (&json!("session.ready"), &json!(1)));
    assert_eq!(ready["output"], json!({"encoding": "mulaw", "sample_rate": 8000}));
    assert_eq!(ready["engines"]["vad"]["engine"], "loudness");

    client.say(json!({"type": "session.update", "speed": 1.5})).await;
    let updated = client.next().await;
    assert_eq!((&updated["type"], &updated["speed"]), (&json!("session.updated"), &json!(1.5)));

    client.say(json!({"type": "text.send", "text": "Hi."})).await;
    let (mut chunks, mut seq, mut names, mut sent_end) = (Vec::new(), 2, Vec::new(), false);
    loop {
        match timeout(PATIENCE, client.0.next()).await.expect("something comes") {
            Some(Ok(Message::Text(text))) => {
                let event: Value = serde_json::from_str(&text).expect("JSON");
                seq += 1;
                assert_eq!(event["seq"], seq, "{event}");
                names.push(event["type"].as_str().expect("a type").to_owned());
            }
            Some(Ok(Message::Binary(frame))) => {
                assert_eq!(frame[..4], 1u32.to_le_bytes());
                chunks.push(u32::from_le_bytes(frame[4..8].try_into().expect("four bytes")));
                assert!((160..=320).contains(&(frame.len() - 8)), "20 to 40 ms: {}", frame.len());
                let _ = client.0.send(Message::Ping(vec![].into())).await;
            }
            Some(Ok(Message::Close(frame))) => {
                assert_eq!(frame.map(|frame| u16::from(frame.code)), Some(1000));
                break;
            }
            Some(Ok(_)) => {}
            other => panic!("{other:?}"),
        }
        if names.last().is_some_and(|name| name == "reply.done") && !sent_end {
            sent_end = true;
            client.say(json!({"type": "session.end"})).await;
        }
    }
    // The sentence's 300 ms, padded to whole chunks.
    assert!(chunks.len() >= 7 && chunks.iter().copied().eq(0..chunks.len() as u32), "{chunks:?}");
    assert_eq!(names.first().map(String::as_str), Some("reply.started"), "{names:?}");
    assert_eq!(names[names.len() - 2..], ["reply.done", "session.closed"], "{names:?}");
}

#[tokio::test]
async fn before_the_start_everything_else_is_refused() {
    let server = plain_server().await;
    let mut client = Client::connect(&server).await;
    client.send(Message::binary(vec![0; 640])).await;
    client.send(Message::binary(vec![0; 640])).await;
    assert_eq!(client.error("not_started").await["seq"], 0);
    client.say(json!({"type": "text.send", "id": "x1", "text": "hi"})).await;
    assert_eq!(client.error("not_started").await["in_reply_to"], "x1");
    client.say(json!({"type": "session.start", "id": "x2", "voice": "nobody"})).await;
    assert_eq!(client.error("invalid_event").await["in_reply_to"], "x2");
    client.say(json!({"type": "session.start", "id": "x3", "language": "ru"})).await;
    assert_eq!(client.error("invalid_event").await["in_reply_to"], "x3");
    client.say(json!({"type": "session.start"})).await;
    assert_eq!(client.event("session.ready").await["seq"], 1);
}

#[tokio::test]
async fn what_cannot_be_followed_is_answered_and_the_session_lives_on() {
    let server = plain_server().await;
    let (mut client, _) = Client::start(&server).await;
    client.send(Message::text("{")).await;
    client.error("invalid_json").await;
    client.say(json!({"type": "sesion.end", "id": "1"})).await;
    assert_eq!(client.error("unknown_event").await["in_reply_to"], "1");
    client.say(json!({"type": "text.send", "id": "2", "txt": "hi"})).await;
    assert_eq!(client.error("invalid_event").await["in_reply_to"], "2");
    client.say(json!({"type": "session.start", "id": "3"})).await;
    assert_eq!(client.error("already_started").await["in_reply_to"], "3");
    client.say(json!({"type": "audio.commit", "id": "4"})).await;
    assert_eq!(client.error("nothing_to_commit").await["in_reply_to"], "4");
    client.say(json!({"type": "reply.cancel", "id": "5"})).await;
    assert_eq!(client.error("nothing_to_cancel").await["in_reply_to"], "5");
    client.say(json!({"type": "text.send", "text": "Hi."})).await;
    assert_eq!(client.event("reply.done").await["text"], "Hello there.");
}

#[tokio::test]
async fn one_session_too_many_is_refused_at_once_and_the_others_do_not_notice() {
    let server = server(HubSettings { max_sessions: 1, ..HubSettings::default() }, NativeSettings::default()).await;
    let (mut first, _) = Client::start(&server).await;
    let mut second = Client::connect(&server).await;
    second.say(json!({"type": "session.start", "id": "s"})).await;
    let error = second.error("overloaded").await;
    assert_eq!(error["in_reply_to"], "s");
    assert!(error["retry_after_ms"].as_u64().is_some_and(|ms| ms > 0), "{error}");
    assert_eq!(second.close().await, (1013, "overloaded".to_owned()));
    first.say(json!({"type": "text.send", "text": "Hi."})).await;
    first.event("reply.done").await;
}

#[tokio::test]
async fn a_foreign_page_is_refused_before_the_upgrade() {
    let server = plain_server().await;
    let mut request = server.url.as_str().into_client_request().expect("a URL");
    request.headers_mut().insert("origin", "https://evil.example".parse().expect("a header"));
    match connect_async(request).await {
        Err(tungstenite::Error::Http(response)) => {
            assert_eq!(response.status(), 403);
            assert_eq!(response.headers()["content-type"], "application/problem+json");
            let body: Value = serde_json::from_slice(response.body().as_deref().unwrap_or_default()).expect("JSON");
            assert_eq!(body["code"], "origin_refused");
        }
        other => panic!("{:?}", other.map(|(_, response)| response)),
    }
}

#[tokio::test]
async fn a_lost_socket_is_resumed_with_what_it_missed() {
    let server = plain_server().await;
    let (mut first, ready) = Client::start(&server).await;
    first.say(json!({"type": "text.send", "text": "Hi."})).await;
    let heard = first.next().await;
    assert_eq!((&heard["type"], &heard["seq"]), (&json!("reply.started"), &json!(2)));

    // The old socket still hangs on: it is let go in favour of the new one.
    let mut second = Client::connect(&server).await;
    let resume = json!({"session_id": ready["session_id"], "last_seq": 2});
    second.say(json!({"type": "session.start", "resume": resume})).await;
    assert_eq!(first.close().await, (1000, "resumed".to_owned()));
    let again = second.event("session.ready").await;
    assert_eq!((&again["session_id"], &again["resumed"]), (&ready["session_id"], &json!(true)));
    assert_eq!(again["conversation_id"], ready["conversation_id"]);
    assert_eq!(second.event("reply.text.delta").await["turn"], 1);
    assert_eq!(second.event("reply.done").await["text"], "Hello there.");

    // Now one that just disappears.
    drop(second);
    let mut third = Client::connect(&server).await;
    let resume = json!({"session_id": ready["session_id"], "last_seq": 2});
    third.say(json!({"type": "session.start", "resume": resume})).await;
    third.event("session.ready").await;
    third.event("reply.done").await;

    let mut stranger = Client::connect(&server).await;
    let unknown = json!({"session_id": "019ab3f0-0000-7000-8000-000000000002", "last_seq": 2});
    stranger.say(json!({"type": "session.start", "id": "r", "resume": unknown})).await;
    assert_eq!(stranger.error("resume_unknown").await["in_reply_to"], "r");
    stranger.say(json!({"type": "session.start"})).await;
    stranger.event("session.ready").await;
}

#[tokio::test]
async fn a_stopping_server_tells_why_and_waits_for_its_sockets() {
    let server = plain_server().await;
    let (mut started, _) = Client::start(&server).await;
    let mut waiting = Client::connect(&server).await;
    server.hub.shut_down().await;
    server.shutdown.cancel();
    started.error("shutting_down").await;
    assert_eq!(started.next().await["reason"], "shutdown");
    assert_eq!(started.close().await, (1001, "shutting_down".to_owned()));
    assert_eq!(waiting.close().await, (1001, "shutting_down".to_owned()));
    server.sockets.close();
    timeout(PATIENCE, server.sockets.wait()).await.expect("all sockets end");
}

#[tokio::test]
async fn who_never_says_anything_is_let_go() {
    let driver = DriverSettings { idle_timeout: Duration::from_millis(200), ..DriverSettings::default() };
    let native = NativeSettings { start_within: Duration::from_millis(200), ..NativeSettings::default() };
    let server = server(HubSettings { driver, ..HubSettings::default() }, native).await;
    let mut silent = Client::connect(&server).await;
    silent.error("idle").await;
    assert_eq!(silent.close().await, (4001, "idle".to_owned()));

    let (mut started, _) = Client::start(&server).await;
    started.error("idle").await;
    assert_eq!(started.next().await["reason"], "idle");
    assert_eq!(started.close().await, (4001, "idle".to_owned()));
}

#[tokio::test]
async fn too_much_at_once_and_too_much_in_one_are_told_apart() {
    let socket =
        SocketSettings { max_message_bytes: 2_000, events_per_second: 1, event_burst: 3, ..SocketSettings::default() };
    let native = NativeSettings { socket, ..NativeSettings::default() };
    let server = server(HubSettings::default(), native).await;
    let (mut client, _) = Client::start(&server).await;
    for id in ["1", "2", "3"] {
        client.say(json!({"type": "audio.clear", "id": id})).await;
    }
    let error = client.error("rate_limited").await;
    assert_eq!(error["in_reply_to"], "3");
    assert!(error["retry_after_ms"].as_u64().is_some_and(|ms| (1..=1_000).contains(&ms)), "{error}");
    client.send(Message::binary(vec![0; 2_001])).await;
    client.error("message_too_big").await;
    assert_eq!(client.close().await, (1009, "message_too_big".to_owned()));
}

#[tokio::test]
async fn noise_on_the_wire_harms_nobody() {
    let native = NativeSettings {
        socket: SocketSettings { event_burst: 10_000, ..SocketSettings::default() },
        ..NativeSettings::default()
    };
    let server = server(HubSettings::default(), native).await;
    let (mut client, ready) = Client::start(&server).await;
    // A fixed pseudo-random sequence (xorshift), so that a failure can be repeated.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let valid =
        json!({"type": "session.update", "id": "x", "turn_detection": {"type": "manual"}, "speed": 1.5}).to_string();
    let mut faults = 0;
    for _ in 0..300 {
        let mut bytes = valid.clone().into_bytes();
        for _ in 0..=random() % 3 {
            let at = random() as usize % bytes.len();
            bytes[at] = b' ' + (random() % 95) as u8;
        }
        let text = String::from_utf8(bytes).expect("printable ASCII");
        client.send(Message::text(text)).await;
        // The noise may be taken for a voice; what the session says of it does not matter here.
        loop {
            match client.next().await["type"].as_str() {
                Some("error") => faults += 1,
                Some("session.updated") => {}
                Some(_) => continue,
                None => panic!("an event without a type"),
            }
            break;
        }
        let length = random() as usize % 700;
        client.send(Message::binary((0..length).map(|_| random() as u8).collect::<Vec<_>>())).await;
        client.say(json!({"type": "audio.clear"})).await;
    }
    assert!(faults > 100, "{faults}");
    assert_eq!(server.hub.sessions(), 1);
    drop(client);
    // A client that says goodbye properly still can.
    let mut again = Client::connect(&server).await;
    let resume = json!({"session_id": ready["session_id"], "last_seq": 1});
    again.say(json!({"type": "session.start", "resume": resume})).await;
    again.event("session.ready").await;
    let began = Instant::now();
    again.say(json!({"type": "session.end"})).await;
    again.event("session.closed").await;
    assert_eq!(again.close().await.0, 1000);
    assert!(began.elapsed() < PATIENCE);
}
