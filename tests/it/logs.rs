//! The log of a running server: whole, of one spelling, and silent about people.

mod names;

use std::{fs, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    accounts::visitor::{Answer, Browser, Mailbox, PASSWORD},
    harness::{Client, PATIENCE, recording},
    program::{Program, command, parsed},
};

const ANN: &str = "ann.petrova@example.org";

/// With what a person with an account does: comes in, slips, makes a key, talks. Gives what no log may hold.
async fn a_day(program: &Program) -> Vec<String> {
    let mut mailbox = Mailbox::in_folder(program.folder());
    let mut ann = Browser::of(program.url(""));
    ann.post("/api/auth/signup", json!({"email": ANN, "password": PASSWORD})).await.expect(202);
    let token = mailbox.to(ANN).await.token();
    ann.post("/api/auth/verify", json!({"token": token})).await.expect(200);
    let cookie = ann.cookie.clone().expect("logged in");
    ann.log_in(ANN, "a wrong password").await.expect(401);
    ann.log_in("nobody.at.all@example.org", PASSWORD).await.expect(401);
    ann.post("/api/auth/password/forgot", json!({"email": ANN})).await.expect(202);
    let reset = mailbox.to(ANN).await.token();
    ann.cookie = Some(cookie.clone());
    let made = ann.post("/api/keys/", json!({"name": "kitchen", "scopes": ["asr", "llm", "tts"]})).await.expect(201);
    let key = made.body["secret"].as_str().expect("shown once").to_owned();
    let wrong = Browser::of(program.url("")).bare(Method::GET, "/api/auth/me").bearer_auth(format!("{key}x"));
    Answer::of(wrong).await.expect(401);
    ann.get("/api/admin/log-level").await.expect(403);
    ann.get(&format!("/api/people/{ANN}?token={token}")).await.expect(404);

    let bearer = format!("Bearer {key}");
    let mut client = Client::connect_with(program.address, &[("authorization", &bearer)]).await;
    client.send(json!({"type": "session.start"})).await;
    client.event("session.ready").await;
    let heard = client.speak_until(&recording("what time is it"), "transcript.final").await;
    client.event("reply.done").await;
    client.send(json!({"type": "text.send", "text": "my name is Ebenezer"})).await;
    let done = client.event("reply.done").await;
    client.send(json!({"type": "session.end"})).await;
    client.closed().await;
    program.line(|line| line.contains("session ended")).await;

    let chat = Browser::of(program.url("")).bare(Method::POST, "/api/llm/chat/").bearer_auth(&key);
    Answer::of(chat.json(&json!({"message": "my name is Ebenezer"}))).await.expect(200);
    let secret = cookie.split_once('=').expect("name=value").1.to_owned();
    let said = heard["text"].as_str().expect("a text").to_owned();
    let answered = done["text"].as_str().expect("a text").to_owned();
    assert!(!said.is_empty() && answered.contains("Ebenezer"), "{said} / {answered}");
    [ANN, "nobody.at.all@", "example.org", PASSWORD, "a wrong password", "Ebenezer"]
        .map(str::to_owned)
        .into_iter()
        .chain([token, reset, key, secret, said, answered])
        .collect()
}

const ACCOUNTS: [(&str, &str); 2] = [("AUTH_MODE", "required"), ("EMAIL_BACKEND", "file")];

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_in_the_log_and_every_line_says_what_it_is_about() {
    let settings = [&ACCOUNTS[..], &[("LOG_FILE", "logs/app.json.log")]].concat();
    let program = Program::start(&settings).await;
    let secrets = a_day(&program).await;
    let file = program.folder().join("logs/app.json.log");
    let before = program.lines().len();
    assert!(before > 10);
    let folder = tempfile::tempdir().expect("a folder");
    let kept = folder.path().join("kept");
    fs::hard_link(&file, &kept).or_else(|_| fs::copy(&file, &kept).map(drop)).expect("a copy");
    let (ended, lines) = program.stop().await;
    assert!(ended.success());

    for line in &lines {
        for secret in &secrets {
            assert!(!line.to_lowercase().contains(&secret.to_lowercase()), "{secret} is in {line}");
        }
        // Where it listens is no secret; where people come from is.
        assert!(!line.contains("127.0.0.1") || line.contains("is listening"), "{line}");
    }
    let parsed = parsed(&lines);
    assert_eq!(fs::read_to_string(&kept).expect("a file").lines().collect::<Vec<_>>(), lines, "all of it, at the end");
    let of = |message: &str| parsed.iter().filter(|line| line["message"] == message).collect::<Vec<_>>();
    for (message, ids) in [
        ("request", &["request.id"][..]),
        ("session started", &["request.id", "session.id", "conversation.id", "user.id"]),
        ("heard", &["session.id", "conversation.id", "user.id", "turn.id"]),
        ("answered", &["session.id", "conversation.id", "user.id", "turn.id"]),
        ("session ended", &["session.id", "conversation.id", "user.id"]),
    ] {
        assert!(!of(message).is_empty(), "no {message}: {lines:#?}");
        for line in of(message) {
            for id in ids {
                assert!(line[id].is_string(), "{id} is missing in {line}");
            }
        }
    }
    let spoken = of("heard")[0];
    assert!(spoken["said_chars"].as_u64() > Some(5) && spoken["final_ms"].is_u64() && spoken["said"].is_null());
    assert!(of("answered")[0]["first_audio_ms"].is_u64() && of("answered")[0]["outcome"] == "answered");
    let refused = of("request").into_iter().find(|line| line["http.status"] == 401).expect("a wrong password");
    assert_eq!(
        (&refused["http.path"], &refused["error.code"]),
        (&"/api/auth/login".into(), &"wrong_credentials".into())
    );
    assert!(refused["latency_ms"].is_u64());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_is_in_the_log_where_it_is_asked_for() {
    let program = Program::start(&[&ACCOUNTS[..], &[("LOG_TRANSCRIPTS", "true")]].concat()).await;
    let secrets = a_day(&program).await;
    let (_, lines) = program.stop().await;
    let parsed = parsed(&lines);
    let [.., said, answered] = &secrets[..] else { panic!("texts are last") };
    assert!(parsed.iter().any(|line| line["message"] == "heard" && line["said"] == **said), "{lines:#?}");
    assert!(parsed.iter().any(|line| line["message"] == "answered" && line["answered"] == **answered), "{lines:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_level_is_changed_while_it_runs_and_engines_speak_of_their_turn() {
    let program = Program::start(&[("LOG_LEVEL", "warn")]).await;
    let turn = async || {
        let mut client = Client::connect(program.address).await;
        client.send(json!({"type": "session.start"})).await;
        client.event("session.ready").await;
        client.speak_until(&recording("what time is it"), "reply.done").await;
        client.send(json!({"type": "session.end"})).await;
        client.closed().await;
    };
    let put = async |wish: Value| {
        let url = program.url("/api/admin/log-level");
        Answer::of(reqwest::Client::new().put(url).json(&wish)).await
    };
    turn().await;
    assert_eq!(program.lines().len(), 1, "only where it listens: {:#?}", program.lines());

    for wrong in [json!({"filter": "inof"}), json!({"filter": "info", "minutes": 0}), json!({"filter": "", "x": 1})] {
        put(wrong).await.expect(422);
    }
    let now = put(json!({"filter": "aigolos=trace", "minutes": 5})).await.expect(200).body;
    assert_eq!((&now["filter"], &now["configured"]), (&"aigolos=trace".into(), &"warn".into()));
    assert!(now["back_at"].is_i64());
    let told = program.line(|line| line.contains("the log level was changed")).await;
    assert!(told.contains("by.id") && told.contains("aigolos=trace"), "{told}");
    turn().await;
    let deep = program.line(|line| line.contains(r#""target":"aigolos::engine::worker""#)).await;
    let deep: Value = serde_json::from_str(&deep).expect("JSON");
    assert!(deep["session.id"].is_string() && deep["turn.id"].is_string(), "{deep}");

    put(json!({"filter": "warn"})).await.expect(200);
    program.signal("USR1");
    program.line(|line| line.contains("SIGUSR1") && line.contains("aigolos=debug,info")).await;
    let answer = Answer::of(reqwest::Client::new().get(program.url("/api/admin/log-level"))).await.expect(200);
    assert_eq!(answer.body, json!({"filter": "aigolos=debug,info", "configured": "warn"}));
    program.signal("USR1");
    program.line(|line| line.contains("SIGUSR1") && line.contains(r#""filter":"warn""#)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_opened_stops_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().to_str().expect("plain names").to_owned();
    for (name, value, hint) in [
        ("LOG_FILE", path.as_str(), "hint:"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318", "http://localhost:4318"),
    ] {
        let run = command(folder.path(), &[(name, value)]).output();
        let run = tokio::time::timeout(PATIENCE, run).await.expect("it ends").expect("it starts");
        let said = String::from_utf8_lossy(&run.stderr).into_owned();
        assert_eq!(run.status.code(), Some(64), "{said}");
        assert!(said.contains(name) && said.contains(hint), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_read_text_that_ends_with_the_address() {
    let program = Program::start(&[("LOG_FORMAT", "text")]).await;
    let lines = program.lines();
    let last = lines.last().expect("lines");
    assert!(last.ends_with(&format!("open http://{}", program.address)), "{lines:#?}");
    assert!(lines.iter().all(|line| !line.starts_with('{') && !line.contains('\x1b')), "{lines:#?}");
    let (_, lines) = tokio::time::timeout(Duration::from_mins(1), program.stop()).await.expect("it stops");
    assert!(lines.iter().any(|line| line.contains("INFO stopping")), "{lines:#?}");
}
