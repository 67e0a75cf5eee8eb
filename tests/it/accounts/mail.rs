//! Mail, through a real mail server.

use std::{
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader, Lines},
    process::{Child, ChildStdout},
};

use super::visitor::{Browser, Mail, PASSWORD, server};
use crate::harness::PATIENCE;

const ANN: &str = "ann@example.org";

/// aiosmtpd in a process of its own.
struct MailServer {
    port: String,
    /// What it tells, an object a line.
    told: Lines<BufReader<ChildStdout>>,
    _process: Child,
}

impl MailServer {
    async fn start(options: &[&str]) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join(".cache/venv/bin/python");
        assert!(python.exists(), "no aiosmtpd: scripts/python-venv.sh installs it, as `make test` does");
        let mut process = tokio::process::Command::new(python)
            .args(["-W", "ignore"])
            .arg(root.join("tests/python/mail_server.py"))
            .args(options)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("Python starts");
        let told = BufReader::new(process.stdout.take().expect("piped")).lines();
        let mut server = Self { port: String::new(), told, _process: process };
        server.port = server.next().await["port"].as_u64().expect("a number").to_string();
        server
    }

    async fn next(&mut self) -> Value {
        let line = tokio::time::timeout(PATIENCE, self.told.next_line()).await.expect("it tells something");
        serde_json::from_str(&line.expect("a pipe").expect("it lives")).expect("JSON")
    }

    fn flags(&self) -> Vec<&str> {
        vec!["--email-backend", "smtp", "--email-host", "localhost", "--email-port", &self.port]
    }
}

/// A key and a certificate for `localhost`, in files.
fn certificate(folder: &Path) -> (String, String) {
    let path = |name: &str| folder.join(name).to_str().expect("scratch folders have plain names").to_owned();
    let (certificate, key) = (path("certificate.pem"), path("key.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-keyout", &key, "-out", &certificate])
        .output()
        .expect("openssl is installed");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    (certificate, key)
}

async fn sign_up(browser: &mut Browser) {
    browser.post("/api/auth/signup", json!({"email": ANN, "password": PASSWORD})).await.expect(202);
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_goes_out_encrypted_and_with_a_log_in() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let (certificate, key) = certificate(folder.path());
    let options = ["--certificate", &certificate, "--key", &key, "--login", "voice:hush hush"];
    let mut mails = MailServer::start(&options).await;
    let mut flags = mails.flags();
    flags.extend(["--email-use-tls", "true", "--email-ca-file", &certificate]);
    flags.extend(["--email-host-user", "voice", "--email-host-password", "hush hush"]);
    flags.extend(["--email-from", "Голос <voice@example.org>"]);
    let server = server(&flags).await;
    let mut browser = Browser::at(&server);
    sign_up(&mut browser).await;
    let took = mails.next().await;
    assert_eq!((&took["from"], &took["to"]), (&json!("voice@example.org"), &json!([ANN])));
    assert_eq!((&took["encrypted"], &took["user"]), (&json!(true), &json!("voice")));
    let message = took["message"].as_str().expect("text");
    for line in ["Subject: Confirm your address", "Auto-Submitted: auto-generated", "Message-ID: <", "Date: "] {
        assert!(message.contains(line), "{message}");
    }
    assert!(message.contains("multipart/alternative") && message.contains("text/html"), "{message}");
    let mail = Mail::parse(message);
    browser.post("/api/auth/verify", json!({"token": mail.token()})).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_is_put_off_is_sent_again() {
    let mut mails = MailServer::start(&["--refuse", "1"]).await;
    let server = server(&mails.flags()).await;
    sign_up(&mut Browser::at(&server)).await;
    assert_eq!(mails.next().await, json!({"refused": [ANN]}));
    let took = mails.next().await;
    assert_eq!((&took["to"], &took["encrypted"]), (&json!([ANN]), &json!(false)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_certificate_gets_no_mail() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let (certificate, key) = certificate(folder.path());
    let mut mails = MailServer::start(&["--certificate", &certificate, "--key", &key]).await;
    let mut flags = mails.flags();
    flags.extend(["--email-use-tls", "true"]);
    let server = server(&flags).await;
    sign_up(&mut Browser::at(&server)).await;
    server.stop().await;
    // The server has given up, and the mail server has told nothing.
    let silence = tokio::time::timeout(Duration::from_millis(200), mails.told.next_line()).await;
    assert!(silence.is_err(), "{silence:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_mail_server_people_are_answered_all_the_same() {
    let server = server(&["--email-backend", "smtp", "--email-host", "127.0.0.1", "--email-port", "1"]).await;
    let mut browser = Browser::at(&server);
    sign_up(&mut browser).await;
    browser.post("/api/auth/password/forgot", json!({"email": ANN})).await.expect(202);
    // Nobody waits for mails that cannot go.
    server.stop().await;
}
