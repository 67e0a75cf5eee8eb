//! What somebody said is theirs: others do not find it, and who may no longer come in does not go on.

use reqwest::Method;
use serde_json::{Value, json};

use super::api::Api;
use crate::{
    accounts::visitor::{Browser, Mailbox, server},
    harness::{Client, TestServer},
};

/// A session of somebody who is logged in.
async fn session(server: &TestServer, browser: &Browser, start: Value) -> (Client, Value) {
    let cookie = browser.cookie.clone().expect("logged in");
    let mut client = Client::connect_with(server.address, &[("cookie", &cookie)]).await;
    let mut event = json!({"type": "session.start", "speak": false});
    event.as_object_mut().expect("an object").extend(start.as_object().expect("an object").clone());
    client.send(event).await;
    let ready = client.event("session.ready").await;
    (client, ready)
}

#[tokio::test(flavor = "multi_thread")]
async fn another_persons_history_is_not_there() {
    let server = server(&[]).await;
    let mut mailbox = Mailbox::of(&server);
    let mut alice = Browser::join(&server, &mut mailbox, "alice@example.org").await;
    let mut eve = Browser::join(&server, &mut mailbox, "eve@example.org").await;
    let wish = json!({"keep_audio": true});
    alice.ask(Method::PATCH, "/api/auth/me", Some(wish)).await.expect(200);

    let (mut client, ready) = session(&server, &alice, json!({"speak": true})).await;
    client.send(json!({"type": "text.send", "text": "My secret is blue."})).await;
    client.event("reply.done").await;
    let path = format!("/api/conversations/{}", ready["conversation_id"].as_str().expect("an id"));
    let sound = format!("{path}/audio/{}/1/reply", ready["session_id"].as_str().expect("an id"));
    let mut tries = 0;
    while alice.get(&sound).await.status != 200 {
        tries += 1;
        assert!(tries < 600, "the sound she wanted is not kept");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(alice.get(&path).await.expect(200).body["turns"][0]["text"], "My secret is blue.");

    for (method, path, body) in [
        (Method::GET, path.clone(), None),
        (Method::PATCH, path.clone(), Some(json!({"title": "mine"}))),
        (Method::DELETE, path.clone(), None),
        (Method::GET, format!("{path}/export?format=txt"), None),
        (Method::GET, sound.clone(), None),
    ] {
        let answer = eve.ask(method.clone(), &path, body).await;
        assert_eq!(answer.said(), (404, "not_found"), "{method} {path}");
    }
    for list in ["/api/conversations/", "/api/conversations/?q=secret"] {
        assert_eq!(eve.get(list).await.expect(200).body, json!({"conversations": []}));
    }
    assert_eq!(eve.delete("/api/conversations/").await.expect(200).body, json!({"deleted": 0}));
    let (_hers, other) = session(&server, &eve, json!({"conversation_id": ready["conversation_id"]})).await;
    assert_ne!(other["conversation_id"], ready["conversation_id"]);
    let cookie = eve.cookie.clone().expect("logged in");
    let mut thief = Client::connect_with(server.address, &[("cookie", &cookie)]).await;
    let resume = json!({"session_id": ready["session_id"], "last_seq": 0});
    thief.send(json!({"type": "session.start", "resume": resume})).await;
    assert_eq!(thief.event("error").await["code"], "resume_unknown");
    assert_eq!(Browser::at(&server).get(&path).await.said(), (401, "unauthorized"));

    assert_eq!(alice.get("/api/conversations/?q=secret").await.expect(200).body["conversations"][0]["turns"], 1);
    alice.delete(&path).await.expect(204);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_with_the_log_in_it_began_with() {
    let server = server(&[]).await;
    let mut mailbox = Mailbox::of(&server);
    let mut alice = Browser::join(&server, &mut mailbox, "alice@example.org").await;
    let mut bob = Browser::join(&server, &mut mailbox, "bob@example.org").await;
    let (mut hers, _) = session(&server, &alice, json!({})).await;
    let (mut his, _) = session(&server, &bob, json!({})).await;
    alice.post("/api/auth/logout", json!({})).await.expect(204);
    assert_eq!(hers.event("session.closed").await["reason"], "revoked");
    assert_eq!(hers.closed().await, Some(4003));
    his.send(json!({"type": "text.send", "text": "hello"})).await;
    his.event("reply.done").await;
    let password = json!({"password": crate::accounts::visitor::PASSWORD});
    bob.ask(Method::DELETE, "/api/auth/me", Some(password)).await.expect(204);
    assert_eq!(his.event("session.closed").await["reason"], "revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_sees_who_talks_and_ends_it() {
    let server = TestServer::start(&[]).await;
    let api = Api::of(&server);
    let (mut client, ready) = server.session(json!({"mode": "transcribe"})).await;
    let (_, list) = api.get("/api/admin/sessions").await;
    let session = &list["sessions"][0];
    assert_eq!((&session["id"], &session["conversation_id"]), (&ready["session_id"], &ready["conversation_id"]));
    assert_eq!((&session["mode"], &session["attached"]), (&json!("transcribe"), &json!(true)));
    assert!(session["since"].as_i64().is_some_and(|at| at > 1_700_000_000_000), "{session}");
    let path = format!("/api/admin/sessions/{}", ready["session_id"].as_str().expect("an id"));
    assert_eq!(api.delete(&path).await.0, 204);
    let error = client.event("error").await;
    assert_eq!(error["code"], "forbidden");
    assert_eq!(client.event("session.closed").await["reason"], "revoked");
    assert_eq!(client.closed().await, Some(4003));
    api.eventually("/api/admin/sessions", |list| list["sessions"] == json!([])).await;
    assert_eq!(api.delete(&path).await.0, 404);
}
