//! A server that is killed at any moment: whatever its client saw completed is there afterwards, once.

use std::{collections::HashMap, net::SocketAddr, time::Duration};

use serde_json::{Value, json};

use super::api::Api;
use crate::{
    harness::{Client, Received, recording},
    postgres::postgres,
    process::Process,
};

/// What a client saw completed: by session and turn.
type Seen = HashMap<(String, u64), Value>;

/// A session that has begun.
async fn begun(address: SocketAddr, start: Value) -> (Client, Value) {
    let mut client = Client::connect(address).await;
    client.send(start).await;
    let ready = client.event("session.ready").await;
    (client, ready)
}

/// Asks until the server is gone; every reply is seen to its end before the next question.
async fn ask_on((mut client, ready): (Client, Value)) -> (Value, Seen) {
    let mut seen = Seen::new();
    for number in 0_u64.. {
        let text = format!("What is {} plus {number}?", seen.len());
        if client.try_send(json!({"type": "text.send", "text": text})).await.is_err() {
            break;
        }
        let done = loop {
            match client.next().await {
                Received::Event(event) if event["type"] == "reply.done" => break Some(event),
                Received::Closed(_) => break None,
                _ => {}
            }
        };
        let Some(done) = done else { break };
        let session = ready["session_id"].as_str().expect("an id").to_owned();
        let turn = done["turn"].as_u64().expect("a number");
        seen.insert((session, turn), json!({"text": text, "reply": done["text"]}));
    }
    (ready["conversation_id"].clone(), seen)
}

/// Dictates until the server is gone.
async fn dictate_on((mut client, ready): (Client, Value), speech: &[i16]) -> (Value, Seen) {
    let mut seen = Seen::new();
    'session: loop {
        let bytes: Vec<u8> = speech.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        let spoken = client.try_send_binary(bytes).await.is_ok();
        if !spoken || client.try_send(json!({"type": "audio.commit"})).await.is_err() {
            break;
        }
        loop {
            match client.next().await {
                Received::Event(event) if event["type"] == "transcript.final" => {
                    let session = ready["session_id"].as_str().expect("an id").to_owned();
                    let turn = event["turn"].as_u64().expect("a number");
                    seen.insert((session, turn), json!({"text": event["text"], "reply": null}));
                    break;
                }
                Received::Closed(_) => break 'session,
                _ => {}
            }
        }
    }
    (ready["conversation_id"].clone(), seen)
}

/// Every turn that was seen is in the history, as it was seen; and no turn is there twice.
async fn holds(api: &Api, conversation: &Value, seen: &Seen) {
    let path = format!("/api/conversations/{}", conversation.as_str().expect("an id"));
    if seen.is_empty() {
        return;
    }
    let all_there = |history: &Value| {
        seen.keys().all(|(session, turn)| {
            let turns = history["turns"].as_array().map(Vec::as_slice).unwrap_or_default();
            turns.iter().any(|kept| kept["session"] == **session && kept["turn"] == *turn)
        })
    };
    let history = api.eventually(&path, all_there).await;
    let mut kept = Seen::new();
    for turn in history["turns"].as_array().expect("a list") {
        let key = (turn["session"].as_str().expect("an id").to_owned(), turn["turn"].as_u64().expect("a number"));
        let reply = turn["reply"]["text"].clone();
        let before = kept.insert(key, json!({"text": turn["text"], "reply": reply}));
        assert_eq!(before, None, "a turn is there twice: {turn}");
    }
    for (key, seen) in seen {
        assert_eq!(kept.get(key), Some(seen), "{key:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_client_saw_survives_kill_9() {
    survives(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_client_saw_survives_kill_9_on_postgresql() {
    survives(&["--database-url", &postgres().fresh_database()]).await;
}

async fn survives(flags: &[&str]) {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let speech = recording("What time is it?");
    let (mut conversation, mut asked) = (Value::Null, Seen::new());
    let mut dictations = Vec::new();
    for round in 0..4 {
        let server = Process::start(folder.path(), flags, &[]).await;
        let start = json!({"type": "session.start", "speak": false, "conversation_id": conversation});
        let asker = begun(server.address, start).await;
        let start = json!({"type": "session.start", "mode": "transcribe", "turn_detection": {"type": "manual"}});
        let dictator = begun(server.address, start).await;
        let asking = tokio::spawn(ask_on(asker));
        let speech = speech.clone();
        let dictating = tokio::spawn(async move { dictate_on(dictator, &speech).await });
        // Any moment will do; they differ from round to round and from run to run.
        tokio::time::sleep(Duration::from_millis(300 + rand::random_range(0..700) + 400 * round)).await;
        server.kill().await;
        let (talked, seen) = asking.await.expect("no panic");
        assert!(asked.is_empty() || talked == conversation, "it goes on with its conversation");
        conversation = talked;
        asked.extend(seen);
        dictations.push(dictating.await.expect("no panic"));
    }
    assert!(!asked.is_empty(), "nothing was seen: the test shows nothing");
    let server = Process::start(folder.path(), flags, &[]).await;
    let api = Api::at(format!("http://{}", server.address));
    holds(&api, &conversation, &asked).await;
    for (conversation, seen) in &dictations {
        holds(&api, conversation, seen).await;
    }
    let health = api.eventually("/api/health/", |health| health["parts"]["store"]["state"] == "ok").await;
    assert_eq!(health["parts"]["store"]["waiting_turns"], 0);
    server.kill().await;
}
