//! What was said is kept: as a client of the server's HTTP interface finds it afterwards.

mod api;
mod journal;
mod killed;
mod outage;
mod owners;
mod sound;

use serde_json::{Value, json};

use self::api::Api;
use crate::{
    fake_ollama::{self as fake, FakeChat, MODEL},
    harness::{Received, TestServer, recording},
    postgres::postgres,
};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_is_found_in_a_file() {
    said_and_found(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_is_found_in_postgresql() {
    said_and_found(&["--database-url", &postgres().fresh_database()]).await;
}

/// Somebody talks, aloud and in writing, and looks at it afterwards.
async fn said_and_found(flags: &[&str]) {
    let server = TestServer::start(flags).await;
    let api = Api::of(&server);
    let (mut client, ready) = server.session(json!({"words": true})).await;
    client.speak_until(&recording("What is five plus seven?"), "reply.done").await;
    client.send(json!({"type": "text.send", "text": "count to three"})).await;
    client.event("reply.done").await;
    let told = client.of_kind("reply.done").into_iter().cloned().collect::<Vec<_>>();
    let id = ready["conversation_id"].as_str().expect("an id");
    let path = format!("/api/conversations/{id}");
    let seen = api.eventually(&path, |seen| seen["turns"][1]["reply"].is_object()).await;

    let conversation = &seen["conversation"];
    assert_eq!((&conversation["kind"], &conversation["turns"]), (&json!("talk"), &json!(2)), "{seen}");
    assert_eq!(conversation["title"], "What is five plus seven?");
    let (spoken, typed) = (&seen["turns"][0], &seen["turns"][1]);
    assert_eq!((&spoken["source"], &spoken["text"]), (&json!("voice"), &json!("What is five plus seven?")));
    assert_eq!((&spoken["session"], &spoken["turn"]), (&ready["session_id"], &json!(1)));
    let at = |value: &Value| value.as_u64().expect("a number");
    let heard = client.of_kind("transcript.final")[0];
    assert_eq!((&spoken["start_ms"], &spoken["end_ms"]), (&heard["start_ms"], &heard["end_ms"]));
    assert!(at(&spoken["start_ms"]) < at(&spoken["end_ms"]));
    assert_eq!(spoken["words"].as_array().map(Vec::len), Some(5), "{spoken}");
    assert_eq!(spoken["words"], heard["words"]);
    assert_eq!((&typed["source"], &typed["text"]), (&json!("typed"), &json!("count to three")));
    assert_eq!(typed["words"], json!([]));
    for (turn, told) in [spoken, typed].into_iter().zip(&told) {
        let reply = &turn["reply"];
        assert_eq!((&reply["text"], &reply["heard"]), (&told["text"], &told["text"]));
        assert_eq!((&reply["interrupted"], &reply["timings"]["done_ms"]), (&json!(false), &told["timings"]["done_ms"]));
        assert_eq!(turn["audio"], json!([]), "sound is not kept unless somebody wants it");
    }
    listed_and_searched(&server, &api, id).await;
    taken_along(&api, &path).await;
    deleted(&api, &path).await;
}

async fn listed_and_searched(server: &TestServer, api: &Api, first: &str) {
    let (mut client, ready) = server.session(json!({})).await;
    client.send(json!({"type": "text.send", "text": "What time is it?"})).await;
    client.event("reply.done").await;
    let second = ready["conversation_id"].as_str().expect("an id");
    api.eventually(&format!("/api/conversations/{second}"), |seen| seen["turns"][0]["reply"].is_object()).await;

    let ids = |list: &Value| -> Vec<String> {
        let conversations = list["conversations"].as_array().expect("a list");
        conversations.iter().map(|found| found["id"].as_str().expect("an id").to_owned()).collect()
    };
    let all = api.get("/api/conversations/").await.1;
    assert_eq!(ids(&all), [second, first], "newest first: {all}");
    let page = api.get("/api/conversations/?limit=1").await.1;
    assert_eq!(ids(&page), [second]);
    let next = page["next_cursor"].as_str().expect("there is more");
    let page = api.get(&format!("/api/conversations/?limit=1&cursor={next}")).await.1;
    assert_eq!(ids(&page), [first]);
    assert_eq!(page.get("next_cursor"), None, "{page}");

    let found = api.get("/api/conversations/?q=plus%20sev").await.1;
    assert_eq!(ids(&found), [first]);
    let snippet = found["conversations"][0]["snippet"].as_str().expect("the words found");
    assert!(snippet.contains("\u{e000}plus\u{e001}") && snippet.contains("\u{e000}seven\u{e001}"), "{snippet}");
    assert_eq!(ids(&api.get("/api/conversations/?q=xylophone").await.1), Vec::<String>::new());
    for wrong in ["limit=0", "limit=101", "limit=x", "cursor=x", &format!("q={}", "a".repeat(201))] {
        let (status, problem) = api.get(&format!("/api/conversations/?{wrong}")).await;
        assert_eq!((status, &problem["code"]), (422, &json!("invalid_field")), "{wrong}: {problem}");
    }
    for nobody in ["nonsense", "019ab3f0-0000-7000-8000-000000000001"] {
        let (status, problem) = api.get(&format!("/api/conversations/{nobody}")).await;
        assert_eq!((status, &problem["code"]), (404, &json!("not_found")));
    }

    let path = format!("/api/conversations/{first}");
    let (status, renamed) = api.patch(&path, json!({"title": "  Sums\n"})).await;
    assert_eq!((status, &renamed["conversation"]["title"]), (200, &json!("Sums")), "{renamed}");
    for (title, expected) in [("", 422), (" ", 422), (&"x".repeat(201), 422), (&"x".repeat(200), 200), ("Sums", 200)] {
        assert_eq!(api.patch(&path, json!({ "title": title })).await.0, expected, "{title}");
    }
    assert_eq!(ids(&api.get("/api/conversations/?q=sums").await.1), [first]);
}

async fn taken_along(api: &Api, path: &str) {
    for (format, kind, begins, holds) in [
        ("txt", "text/plain; charset=utf-8", "Sums\n", "You: What is five plus seven?\nAssistant: "),
        ("srt", "application/x-subrip; charset=utf-8", "1\n00:00:00,", "\nYou: What is five plus seven?\n\n2\n"),
        ("vtt", "text/vtt; charset=utf-8", "WEBVTT\n\n00:00:00.", "\n<v You>What is five plus seven?\n\n"),
        ("json", "application/json", "{\n", "\"text\": \"What is five plus seven?\""),
    ] {
        let answer = api.raw(&format!("{path}/export?format={format}")).await;
        assert_eq!(answer.headers()["content-type"], kind);
        let disposition = answer.headers()["content-disposition"].to_str().expect("ASCII").to_owned();
        assert_eq!(disposition, format!("attachment; filename=\"Sums.{format}\"; filename*=UTF-8''Sums.{format}"));
        assert_eq!(answer.headers()["cache-control"], "private, no-cache");
        let file = answer.text().await.expect("text");
        assert!(file.starts_with(begins) && file.contains(holds), "{format}: {file}");
    }
    let detail = api.get(path).await.1;
    let file = api.raw(&format!("{path}/export?format=json")).await.json::<Value>().await.expect("JSON");
    assert_eq!(file, detail);
    assert_eq!(api.get(&format!("{path}/export?format=doc")).await.0, 422);
    assert_eq!(api.get(&format!("{path}/export")).await.0, 422);
}

async fn deleted(api: &Api, path: &str) {
    assert_eq!(api.delete(path).await.0, 204);
    assert_eq!(api.delete(path).await.0, 404);
    assert_eq!(api.get(path).await.0, 404);
    assert_eq!(api.delete("/api/conversations/").await, (200, json!({"deleted": 1})));
    assert_eq!(api.get("/api/conversations/").await.1, json!({"conversations": []}));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_a_reply_that_was_stopped_what_was_heard_is_kept() {
    let server = TestServer::start(&[]).await;
    let (mut client, ready) = server.session(json!({})).await;
    client.send(json!({"type": "text.send", "text": "count to twenty"})).await;
    // Two seconds of it.
    while !matches!(client.next().await, Received::Audio { chunk: 50, .. }) {}
    client.send(json!({"type": "reply.cancel"})).await;
    let cancelled = client.event("reply.cancelled").await;
    let path = format!("/api/conversations/{}", ready["conversation_id"].as_str().expect("an id"));
    let seen = Api::of(&server).eventually(&path, |seen| seen["turns"][0]["reply"].is_object()).await;
    let reply = &seen["turns"][0]["reply"];
    assert_eq!((&reply["heard"], &reply["interrupted"]), (&cancelled["heard_text"], &json!(true)));
    let (text, heard) = (reply["text"].as_str().expect("text"), reply["heard"].as_str().expect("text"));
    assert!(!heard.is_empty() && text.starts_with(heard) && !heard.contains("twenty"), "{heard:?} of {text:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_dictated_utterance_is_a_turn_and_noise_is_none() {
    let server = TestServer::start(&[]).await;
    let (mut client, ready) = server.session(json!({"mode": "transcribe", "turn_detection": {"type": "manual"}})).await;
    for text in ["What time is it?", "Stop the music please."] {
        client.send_audio(&recording(text)).await;
        client.send(json!({"type": "audio.commit"})).await;
        client.event("transcript.final").await;
    }
    client.send_audio(&[0; 8_000]).await;
    client.send(json!({"type": "audio.commit"})).await;
    assert_eq!(client.event("transcript.final").await["text"], "");
    client.send(json!({"type": "session.end"})).await;
    client.closed().await;
    let finals = client.of_kind("transcript.final");
    let path = format!("/api/conversations/{}", ready["conversation_id"].as_str().expect("an id"));
    let seen = Api::of(&server).eventually(&path, |seen| seen["turns"].as_array().is_some_and(|t| t.len() == 2)).await;
    assert_eq!(seen["conversation"]["kind"], "dictation");
    for (turn, told) in seen["turns"].as_array().expect("a list").iter().zip(finals) {
        assert_eq!((&turn["text"], &turn["turn"]), (&told["text"], &told["turn"]));
        assert_eq!((&turn["reply"], &turn["start_ms"]), (&Value::Null, &told["start_ms"]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_goes_on_after_the_server_was_restarted() {
    let ollama = FakeChat::ollama(|n| {
        let answer = if n == 0 { "Rex is a good name." } else { "Rex, you said." };
        fake::streamed("application/x-ndjson", &[&fake::ndjson(&[answer])])
    })
    .await;
    let url = ollama.url();
    let flags = ["--llm-backend", "ollama", "--ollama-base-url", &url, "--llm-model-name", MODEL];
    let folder = tempfile::tempdir().expect("a scratch folder");
    let server = TestServer::start_in(folder.path(), &flags).await;
    let (mut client, ready) = server.session(json!({})).await;
    client.send(json!({"type": "text.send", "text": "My dog is called Rex."})).await;
    client.event("reply.done").await;
    server.stop().await;

    let server = TestServer::start_in(folder.path(), &flags).await;
    let (mut client, again) = server.session(json!({"conversation_id": ready["conversation_id"]})).await;
    assert_eq!(again["conversation_id"], ready["conversation_id"]);
    client.send(json!({"type": "text.send", "text": "What is my dog called?"})).await;
    client.event("reply.done").await;
    let asked = ollama.requests().into_iter().rfind(|asked| asked.path == "/api/chat" && !asked.loads());
    let messages = asked.expect("it was asked").body["messages"].clone();
    let told: Vec<_> = messages.as_array().expect("a list")[1..]
        .iter()
        .map(|message| (message["role"].as_str().expect("text"), message["content"].as_str().expect("text")))
        .collect();
    let expected =
        [("user", "My dog is called Rex."), ("assistant", "Rex is a good name."), ("user", "What is my dog called?")];
    assert_eq!(told, expected);

    let path = format!("/api/conversations/{}", ready["conversation_id"].as_str().expect("an id"));
    let api = Api::of(&server);
    let seen = api.eventually(&path, |seen| seen["turns"][1]["reply"].is_object()).await;
    assert_ne!(seen["turns"][0]["session"], seen["turns"][1]["session"]);

    // One that is not there is not gone on with: what is said is kept under a name of its own.
    let nobodys = "019ab3f0-0000-7000-8000-000000000001";
    let (_client, fresh) = server.session(json!({"conversation_id": nobodys})).await;
    assert_ne!(fresh["conversation_id"], nobodys);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_does_not_come_back_while_somebody_goes_on_talking() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let server = TestServer::start_in(folder.path(), &[]).await;
    let api = Api::of(&server);
    let (mut client, ready) = server.session(json!({})).await;
    client.send(json!({"type": "text.send", "text": "hello"})).await;
    client.event("reply.done").await;
    let path = format!("/api/conversations/{}", ready["conversation_id"].as_str().expect("an id"));
    api.eventually(&path, |seen| seen["turns"][0]["reply"].is_object()).await;
    assert_eq!(api.delete(&path).await.0, 204);
    client.send(json!({"type": "text.send", "text": "what time is it"})).await;
    client.event("reply.done").await;
    server.stop().await; // which brings all that waits into the store

    let server = TestServer::start_in(folder.path(), &[]).await;
    assert_eq!(Api::of(&server).get(&path).await.0, 404);
    assert_eq!(Api::of(&server).get("/api/conversations/").await.1, json!({"conversations": []}));
}
