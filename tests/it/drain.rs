//! A server that is told to stop: what was begun is finished, nothing new is begun, and it ends in time whatever hangs.

mod load;

use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::UnixDatagram;

use crate::{
    fake_ollama::{FakeChat, Step},
    harness::{Client, PATIENCE},
    process::Process,
};

/// What `path` answers: status, `Retry-After`, text.
async fn ask(server: &Process, path: &str) -> (u16, String) {
    let answer = reqwest::get(server.url(path)).await.expect("an answer");
    (answer.status().as_u16(), answer.text().await.expect("text"))
}

/// Waits until the server says that it drains.
async fn drains(server: &Process) {
    let asking = async {
        while ask(server, "/api/health/ready").await != (503, "draining\n".into()) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("it says that it drains");
}

async fn session(server: &Process, start: Value) -> (Client, Value) {
    let mut client = Client::connect(server.address).await;
    client.send(start).await;
    let ready = client.event("session.ready").await;
    (client, ready)
}

/// A server whose chat model never answers, and a client that waits for it.
async fn hung(folder: &std::path::Path, drain_seconds: &str) -> (Process, Client, FakeChat) {
    let chat = FakeChat::ollama(|_| vec![Step::Hang]).await;
    let url = chat.url();
    let flags = ["--llm-backend", "ollama", "--ollama-base-url", &url, "--drain-seconds", drain_seconds];
    let server = Process::start(folder, &flags, &[]).await;
    let (mut client, _) = session(&server, json!({"type": "session.start"})).await;
    client.send(json!({"type": "text.send", "text": "hello"})).await;
    client.event("reply.started").await;
    (server, client, chat)
}

/// The reply was cut, and the client told to come again later.
async fn was_cut(mut client: Client) {
    assert_eq!(client.event("reply.cancelled").await["reason"], "closing");
    assert_eq!(client.event("error").await["code"], "shutting_down");
    assert_eq!(client.event("session.closed").await["reason"], "shutdown");
    assert_eq!(client.closed().await, Some(1001));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_hangs_holds_it_no_longer_than_allowed() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, client, _chat) = hung(folder.path(), "1").await;
    server.signal("TERM");
    was_cut(client).await;
    assert!(server.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_twice_it_waits_for_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (server, client, _chat) = hung(folder.path(), "3600").await;
    server.signal("TERM");
    drains(&server).await;
    server.signal("TERM");
    was_cut(client).await;
    assert!(server.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn during_the_notice_it_is_not_ready_and_takes_sessions_all_the_same() {
    let folder = tempfile::tempdir().expect("a folder");
    let server = Process::start(folder.path(), &["--drain-notice-seconds", "600"], &[]).await;
    assert_eq!(ask(&server, "/api/health/ready").await.0, 200);
    server.signal("TERM");
    drains(&server).await;
    assert!(ask(&server, "/api/health/").await.1.contains("\"draining\""));
    assert_eq!(ask(&server, "/api/health/live").await.0, 200);
    let (mut client, _) = session(&server, json!({"type": "session.start"})).await;
    client.send(json!({"type": "text.send", "text": "hello"})).await;
    client.event("reply.done").await;
    server.signal("TERM");
    assert!(server.ended().await.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_where_nobody_talks_ends_it_without_notice() {
    let folder = tempfile::tempdir().expect("a folder");
    let flags = ["--drain-notice-seconds", "600", "--drain-seconds", "3600"];
    let server = Process::start(folder.path(), &flags, &[]).await;
    server.signal("INT");
    assert!(server.ended().await.success());
}

/// What systemd hears, line by line, until a line begins with `wanted`.
async fn hears(systemd: &UnixDatagram, wanted: &str) -> String {
    let listening = async {
        loop {
            let mut datagram = [0; 512];
            let length = systemd.recv(&mut datagram).await.expect("a datagram");
            let words = String::from_utf8_lossy(&datagram[..length]).into_owned();
            if let Some(line) = words.lines().find(|line| line.starts_with(wanted)) {
                return line.to_owned();
            }
        }
    };
    tokio::time::timeout(PATIENCE, listening).await.unwrap_or_else(|_| panic!("no {wanted}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_hears_how_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notify");
    let systemd = UnixDatagram::bind(&path).expect("a socket");
    let path = path.to_str().expect("a plain name");
    let environment = [("NOTIFY_SOCKET", path), ("WATCHDOG_USEC", "400000")];
    let server = Process::start(folder.path(), &["--drain-seconds", "3600"], &environment).await;
    hears(&systemd, "READY=1").await;
    hears(&systemd, "WATCHDOG=1").await;
    let (mut client, _) = session(&server, json!({"type": "session.start"})).await;
    assert_eq!(hears(&systemd, "STATUS=").await, "STATUS=serving, sessions: 1 of 64");
    client.send(json!({"type": "text.send", "text": "tell me a story"})).await;
    client.event("reply.started").await;
    server.signal("TERM");
    hears(&systemd, "STOPPING=1").await;
    let more = hears(&systemd, "EXTEND_TIMEOUT_USEC=").await;
    assert_eq!(more, "EXTEND_TIMEOUT_USEC=20000000");
    client.event("reply.done").await;
    assert_eq!(client.closed().await, Some(1012));
    assert!(server.ended().await.success());
}
