//! The chat server misbehaves; the right words or the right error come, and the session lives on.

use std::time::Duration;

use serde_json::json;

use crate::{
    fake_ollama::{FakeChat, MODEL, Step, cut_at, line, model_missing, ndjson, tags},
    harness::{Client, Received, TestServer, recording},
};

const NDJSON: &str = "application/x-ndjson";
/// Letters of one to four bytes.
const PIECES: &[&str] = &["Привет", ", мир! ", "Five plus seven ", "is twelve 🎉."];

async fn talking_to(ollama: &FakeChat) -> TestServer {
    let url = ollama.url();
    TestServer::start(&[
        "--llm-backend",
        "ollama",
        "--ollama-base-url",
        &url,
        "--llm-stall-timeout",
        "1",
        "--llm-model-name",
        MODEL,
    ])
    .await
}

/// Asks, as often as the server's limit of events lets it, and gives the reply.
async fn ask(client: &mut Client) -> String {
    loop {
        client.send(json!({"type": "text.send", "text": "Hello?"})).await;
        loop {
            let Received::Event(event) = client.next().await else { continue };
            if event["type"] == "reply.done" {
                return event["text"].as_str().expect("text").to_owned();
            }
            if event["code"] == "rate_limited" {
                let wait = event["retry_after_ms"].as_u64().expect("a wait");
                tokio::time::sleep(Duration::from_millis(wait)).await;
                break;
            }
            assert_ne!(event["type"], "error", "{event}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_words_are_right_wherever_the_network_cuts_them() {
    let whole = ndjson(PIECES);
    let length = whole.len();
    let ollama = FakeChat::ollama(move |n| cut_at(NDJSON, &whole, n % length)).await;
    let server = talking_to(&ollama).await;
    // Text only, so that hundreds of replies take no longer than they must.
    let (mut client, _) = server.session(json!({"speak": false})).await;
    let expected = PIECES.concat();
    for at in 0..length {
        assert_eq!(ask(&mut client).await, expected, "cut at byte {at}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stalled_a_lost_and_a_failing_reply_are_told_and_the_next_one_works() {
    let ollama = FakeChat::ollama(|n| match n {
        // It goes silent for ever after the first words.
        0 => vec![Step::Head(200, NDJSON), Step::Piece(line("One moment. ")), Step::Hang],
        // The connection breaks.
        1 => vec![Step::Head(200, NDJSON), Step::Piece(line("Let me see. "))],
        // It says itself what went wrong.
        2 => vec![
            Step::Head(200, NDJSON),
            Step::Piece(line("Well. ")),
            Step::Piece(b"{\"error\":\"out of memory\"}\n".to_vec()),
            Step::End,
        ],
        _ => vec![Step::Head(200, NDJSON), Step::Piece(ndjson(PIECES)), Step::End],
    })
    .await;
    let server = talking_to(&ollama).await;
    let (mut client, _) = server.session(json!({})).await;
    for code in ["engine_stalled", "engine_failed", "engine_failed"] {
        client.send(json!({"type": "text.send", "text": "Hello?"})).await;
        let error = client.event("error").await;
        assert_eq!(error["code"], code, "{error}");
        assert!(error["turn"].is_number() && error["hint"].is_string(), "{error}");
        let cancelled = client.event("reply.cancelled").await;
        assert_eq!((&cancelled["reason"], &cancelled["turn"]), (&json!("failed"), &error["turn"]));
    }
    assert_eq!(ask(&mut client).await, PIECES.concat());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_model_is_named_with_the_command_that_gets_it_and_speech_is_still_written_down() {
    let ollama = FakeChat::start(|request, _| match request.path.as_str() {
        "/api/tags" => tags(&["another:latest"]),
        _ => model_missing(),
    })
    .await;
    let server = talking_to(&ollama).await;
    let (mut client, _) = server.session(json!({})).await;
    // At once when the session starts, and again for each turn it costs.
    let early = client.event("error").await;
    let error = client.speak_until(&recording("What time is it?"), "error").await;
    assert!(early["turn"].is_null() && error["turn"].is_number(), "{early} {error}");
    for error in [early, error] {
        assert_eq!(error["code"], "model_missing");
        assert!(error["hint"].as_str().is_some_and(|hint| hint.contains(&format!("ollama pull {MODEL}"))), "{error}");
    }
    assert_eq!(client.of_kind("transcript.final")[0]["text"], "What time is it?");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_reply_stops_the_model_and_is_remembered_as_far_as_it_was_heard() {
    let ollama = FakeChat::ollama(|n| match n {
        0 => {
            let mut steps = vec![Step::Head(200, NDJSON)];
            for sentence in ["The first thing is this. ", "The second thing is that. ", "The third thing is another. "]
            {
                steps.push(Step::Piece(line(sentence)));
            }
            steps.push(Step::Hang);
            steps
        }
        _ => vec![Step::Head(200, NDJSON), Step::Piece(ndjson(&["Good."])), Step::End],
    })
    .await;
    let url = ollama.url();
    let flags = ["--llm-backend", "ollama", "--ollama-base-url", &url, "--llm-stall-timeout", "60"];
    let server = TestServer::start(&flags).await;
    let (mut client, _) = server.session(json!({})).await;
    client.send(json!({"type": "text.send", "text": "Tell me things."})).await;
    let turn = client.event("reply.started").await["turn"].clone();
    // Hear a little more than the first sentence, and say so.
    while client.sound(1).len() < 24_000 * 5 / 2 {
        client.next().await;
    }
    client.send(json!({"type": "playback.ack", "turn": turn, "played_ms": 1_000})).await;
    client.send(json!({"type": "reply.cancel", "turn": turn})).await;
    let cancelled = client.event("reply.cancelled").await;
    let heard = cancelled["heard_text"].as_str().expect("text").to_owned();
    assert!(heard.starts_with("The") && !heard.contains("second"), "{heard:?}");
    tokio::time::timeout(Duration::from_secs(10), ollama.hung_up(1)).await.expect("the request to the model ended");

    assert_eq!(ask(&mut client).await, "Good.");
    let requests = ollama.requests();
    let last = requests.iter().rev().find(|request| request.path == "/api/chat").expect("asked twice");
    let told = last.body["messages"].to_string();
    assert!(told.contains(&heard) && !told.contains("second thing"), "{told}");
}
