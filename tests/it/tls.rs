//! The server's own encryption: HTTPS and WSS, what plain speakers are told, and certificates that cannot be used.

use std::{path::Path, process::Command, sync::Arc};

use aigolos::app::use_ring;
use futures::{SinkExt, StreamExt};
use reqwest::{Certificate, Client, StatusCode, redirect::Policy};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};
use tokio_tungstenite::{client_async, tungstenite::Message};

use crate::{
    accounts::visitor::{Browser, Mailbox, PASSWORD},
    harness::{PATIENCE, TestServer},
};

/// What `aigolos dev-cert` makes.
fn certificate() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let made = aigolos(&["dev-cert", "--data-dir", &path(folder.path())]);
    assert_eq!(made.0, Some(0), "{}", made.1);
    for setting in ["TLS_CERT=/", "TLS_KEY=/"] {
        assert!(made.1.lines().any(|line| line.starts_with(setting)), "{}", made.1);
    }
    folder
}

/// The exit code and everything that the program says; in a folder without a settings file.
fn aigolos(arguments: &[&str]) -> (Option<i32>, String) {
    let run = Command::new(env!("CARGO_BIN_EXE_aigolos")).args(arguments).current_dir("/").output().expect("it runs");
    let said = [run.stdout, run.stderr].concat();
    (run.status.code(), String::from_utf8_lossy(&said).into_owned())
}

fn path(path: &Path) -> String {
    path.to_str().expect("scratch folders have plain names").to_owned()
}

async fn server(folder: &Path) -> TestServer {
    let [chain, key] = ["cert.pem", "key.pem"].map(|name| path(&folder.join("tls").join(name)));
    TestServer::start(&["--tls-cert", &chain, "--tls-key", &key]).await
}

fn authority(folder: &Path) -> Vec<u8> {
    std::fs::read(folder.join("tls/ca.pem")).expect("it was made")
}

#[tokio::test]
async fn requests_are_answered_over_https() {
    let folder = certificate();
    let server = server(folder.path()).await;
    let trusted = Certificate::from_pem(&authority(folder.path())).expect("PEM");
    let client = Client::builder().add_root_certificate(trusted).timeout(PATIENCE).build().expect("a client");
    for host in ["localhost", "127.0.0.1"] {
        let port = server.address.port();
        let answer = client.get(format!("https://{host}:{port}/api/health/live")).send().await.expect("an answer");
        assert_eq!(answer.status(), StatusCode::OK);
    }
    // Who does not know the authority, does not connect.
    let stranger = Client::builder().timeout(PATIENCE).build().expect("a client");
    let port = server.address.port();
    assert!(stranger.get(format!("https://localhost:{port}/")).send().await.is_err());
    server.stop().await;
}

#[tokio::test]
async fn a_session_works_over_wss() {
    use_ring();
    let folder = certificate();
    let server = server(folder.path()).await;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&authority(folder.path())).expect("PEM")).expect("a certificate");
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let name = ServerName::try_from("localhost").expect("a name");
    let stream = TcpStream::connect(server.address).await.expect("it listens");
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("a key is agreed on");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let (mut socket, _) =
        client_async(format!("wss://localhost:{}/ws", server.address.port()), stream).await.expect("a WebSocket");
    socket.send(Message::text(json!({"type": "session.start"}).to_string())).await.expect("connected");
    let ready = async {
        while let Some(Ok(message)) = socket.next().await {
            let Message::Text(text) = message else { continue };
            let event: Value = serde_json::from_str(&text).expect("JSON");
            if event["type"] == "session.ready" {
                return;
            }
        }
        panic!("closed before session.ready");
    };
    tokio::time::timeout(PATIENCE, ready).await.expect("in time");
    server.stop().await;
}

#[tokio::test]
async fn who_speaks_plainly_is_told_why_not() {
    let folder = certificate();
    let server = server(folder.path()).await;
    let plain = Client::builder().redirect(Policy::none()).timeout(PATIENCE).build().expect("a client");
    let answer = plain.get(server.url("/history?q=a")).send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::TEMPORARY_REDIRECT);
    assert_eq!(answer.headers()["location"], format!("https://{}/history?q=a", server.address));
    let answer = plain.post(server.url("/api/auth/login/")).body("{}").send().await.expect("an answer");
    assert_eq!(answer.status(), StatusCode::BAD_REQUEST);
    assert!(answer.text().await.expect("text").contains("https://"));

    // Neither HTTP nor TLS: closed, and the next one is served.
    let mut stream = TcpStream::connect(server.address).await.expect("it listens");
    stream.write_all(b"\x16\x03\x01\x00\x05nonsense").await.expect("written");
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("it is closed");
    assert!(plain.get(server.url("/")).send().await.is_ok());
    server.stop().await;
}

#[tokio::test]
async fn a_client_that_never_begins_does_not_hold_the_server_up() {
    let folder = certificate();
    let server = server(folder.path()).await;
    let silent = TcpStream::connect(server.address).await.expect("it listens");
    let mut begun = TcpStream::connect(server.address).await.expect("it listens");
    begun.write_all(&[22, 3, 1]).await.expect("written");
    let plain = Client::builder().redirect(Policy::none()).timeout(PATIENCE).build().expect("a client");
    assert!(plain.get(server.url("/")).send().await.is_ok());
    server.stop().await;
    drop((silent, begun));
}

#[tokio::test(flavor = "multi_thread")]
async fn log_ins_browsers_and_the_health_report_know_that_it_is_https() {
    let folder = certificate();
    let [chain, key] = ["cert.pem", "key.pem"].map(|name| path(&folder.path().join("tls").join(name)));
    let flags = ["--tls-cert", &chain, "--tls-key", &key, "--hsts-seconds", "600", "--auth-mode", "required"];
    let server = TestServer::start(&[&flags[..], &["--email-backend", "file"]].concat()).await;
    let trusted = Certificate::from_pem(&authority(folder.path())).expect("PEM");
    let client = Client::builder().add_root_certificate(trusted).timeout(PATIENCE).build().expect("a client");
    let base = format!("https://{}", server.address);

    let mut mailbox = Mailbox::of(&server);
    let mut ann = Browser::through(client.clone(), base.clone());
    ann.post("/api/auth/signup", json!({"email": "ann@example.org", "password": PASSWORD})).await.expect(202);
    let token = mailbox.to("ann@example.org").await.token();
    let entered = ann.post("/api/auth/verify", json!({"token": token})).await.expect(200);
    let cookie = entered.headers["set-cookie"].to_str().expect("ASCII").to_owned();
    assert!(cookie.contains("; Secure"), "COOKIE_SECURE=auto: {cookie}");
    assert_eq!(entered.headers["strict-transport-security"], "max-age=600");

    let report: Value =
        client.get(format!("{base}/api/health/")).send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(report["parts"]["certificate"]["state"], "ok", "{report}");
    // Whoever shall trust the server finds on it what to trust.
    let help = client.get(format!("{base}/help/microphone/")).send().await.expect("an answer");
    assert!(help.text().await.expect("text").contains("/help/authority.crt"));
    let offered = client.get(format!("{base}/help/authority.crt")).send().await.expect("an answer");
    assert_eq!(offered.headers()["content-type"], "application/x-x509-ca-cert");
    assert_eq!(offered.bytes().await.expect("a file"), authority(folder.path()));
    // The redirect of plain HTTP is no place to say anything about HTTPS.
    let plain = Client::builder().redirect(Policy::none()).timeout(PATIENCE).build().expect("a client");
    let redirect = plain.get(server.url("/")).send().await.expect("an answer");
    assert!(!redirect.headers().contains_key("strict-transport-security"));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_certificate_there_is_nothing_to_trust_and_no_word_of_https() {
    let server = TestServer::start(&["--hsts-seconds", "600"]).await;
    let help = Client::new().get(server.url("/help/microphone/")).header("x-forwarded-proto", "https");
    let help = help.send().await.expect("an answer");
    assert!(!help.headers().contains_key("strict-transport-security"), "anybody can send that header");
    assert!(!help.text().await.expect("text").contains("/help/authority.crt"));
    let nothing = Client::new().get(server.url("/help/authority.crt")).send().await.expect("an answer");
    assert_eq!(nothing.status(), StatusCode::NOT_FOUND);
    server.stop().await;
}

#[test]
fn files_that_do_not_belong_together_are_refused_at_start() {
    let (one, other) = (certificate(), certificate());
    let chain = path(&one.path().join("tls/cert.pem"));
    let key = path(&other.path().join("tls/key.pem"));
    let refused = aigolos(&["serve", "--tls-cert", &chain, "--tls-key", &key]);
    assert_eq!(refused.0, Some(64), "{}", refused.1);
    assert!(refused.1.contains("TLS_KEY is not the key") && refused.1.contains("hint: "), "{}", refused.1);
    let refused = aigolos(&["serve", "--tls-cert", &chain, "--tls-key", "/nowhere/key.pem"]);
    assert_eq!(refused.0, Some(64), "{}", refused.1);
    assert!(refused.1.contains("/nowhere/key.pem"), "{}", refused.1);
    let refused = aigolos(&["serve", "--tls-cert", &chain]);
    assert_eq!(refused.0, Some(64), "{}", refused.1);
    // Made files stay: whoever trusts them goes on to.
    let before = authority(one.path());
    assert_eq!(aigolos(&["dev-cert", "--data-dir", &path(one.path())]).0, Some(0));
    assert_eq!(authority(one.path()), before);
}
