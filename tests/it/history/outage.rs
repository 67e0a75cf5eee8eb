//! The database goes away in mid-conversation and comes back: nobody who talks notices, and nothing is lost.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::api::Api;
use crate::{
    harness::{Client, Received, TestServer, recording},
    postgres::Cluster,
};

const OUTAGE: Duration = Duration::from_secs(20);

/// Asks one thing, and waits for all of the answer. No event may say that something failed.
async fn ask(client: &mut Client, text: &str) -> Value {
    client.send(json!({"type": "text.send", "text": text})).await;
    loop {
        match client.next().await {
            Received::Event(event) if event["type"] == "reply.done" => return event,
            Received::Event(event) => assert_ne!(event["type"], "error", "{event}"),
            Received::Audio { .. } => {}
            Received::Closed(code) => panic!("closed: {code:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_seconds_without_a_database_go_unnoticed() {
    let cluster = Arc::new(tokio::task::spawn_blocking(Cluster::start_own).await.expect("no panic"));
    let url = cluster.fresh_database();
    // What a commit was answered for is there after a crash, which the cluster of the tests does without.
    cluster.sql("postgres", "ALTER DATABASE test0 SET synchronous_commit = on");
    let server = TestServer::start(&["--database-url", &url]).await;
    let api = Api::of(&server);
    let (mut client, ready) = server.session(json!({"speak": false})).await;
    let mut said = vec!["What is one plus one?".to_owned()];
    ask(&mut client, &said[0]).await;
    let path = format!("/api/conversations/{}", ready["conversation_id"].as_str().expect("an id"));
    api.eventually(&path, |seen| seen["turns"][0]["reply"].is_object()).await;
    api.eventually("/api/health/", |health| health["status"] == "ok").await;

    let stopping = Arc::clone(&cluster);
    tokio::task::spawn_blocking(move || stopping.stop()).await.expect("no panic");
    let gone = Instant::now();
    while gone.elapsed() < OUTAGE {
        said.push(format!("What is {} plus one?", said.len()));
        ask(&mut client, &said[said.len() - 1]).await;
        if said.len() == 4 {
            let health = api.eventually("/api/health/", |health| health["status"] == "degraded").await;
            assert_eq!(health["parts"]["store"]["state"], "away");
            let (status, problem) = api.get(&path).await;
            assert_eq!((status, &problem["code"]), (503, &json!("store_unavailable")));
            // Aloud too; and on a socket of its own, which goes on with the conversation.
            client.speak_until(&recording("What time is it?"), "reply.done").await;
            said.push(client.of_kind("transcript.final")[0]["text"].as_str().expect("text").to_owned());
            client.send(json!({"type": "session.end"})).await;
            client.closed().await;
            assert_eq!(client.of_kind("error"), Vec::<&Value>::new());
            let start = json!({"speak": false, "conversation_id": ready["conversation_id"]});
            let again;
            (client, again) = server.session(start).await;
            assert_eq!(again["conversation_id"], ready["conversation_id"]);
        }
        tokio::time::sleep(Duration::from_millis(300)).await; // a person's pause: nothing is waited for
    }
    let health = api.eventually("/api/health/", |health| health["status"] == "degraded").await;
    let waiting = health["parts"]["store"]["waiting_turns"].as_u64().expect("a number");
    assert!(waiting >= 2 * (said.len() as u64 - 2), "{waiting} wait of {} turns", said.len());

    let starting = Arc::clone(&cluster);
    tokio::task::spawn_blocking(move || starting.start()).await.expect("no panic");
    said.push("What is two plus two?".into());
    ask(&mut client, "What is two plus two?").await;
    let health = api.eventually("/api/health/", |health| health["status"] == "ok").await;
    let store = &health["parts"]["store"];
    assert_eq!(
        (&store["kind"], &store["waiting_turns"], &store["lost_turns"]),
        (&json!("postgresql"), &json!(0), &json!(0))
    );
    let seen = api.get(&path).await.1;
    let kept: Vec<_> = seen["turns"].as_array().expect("a list").iter().map(|turn| turn["text"].clone()).collect();
    assert_eq!(kept, said, "each turn once, in order");
    assert!(seen["turns"].as_array().expect("a list").iter().all(|turn| turn["reply"].is_object()), "{seen}");
    server.stop().await;
}
