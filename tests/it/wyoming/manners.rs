//! What the door says of itself, and what it does with clients that send nonsense, too much, or nothing any more.

use futures::future::join_all;
use serde_json::{Value, json};

use super::client::{Client, bytes, server};
use crate::harness::{PATIENCE, recording};

#[tokio::test]
async fn it_says_what_it_is() {
    let server = server(&[]).await;
    let mut client = Client::connect(&server).await;
    client.send("describe", json!({}), &[]).await;
    let info = Value::Object(client.event("info").await.data);
    for list in ["handle", "intent", "wake", "mic", "snd"] {
        assert_eq!(info[list], json!([]));
    }
    let artifacts = [&info["asr"][0], &info["tts"][0], &info["asr"][0]["models"][0], &info["tts"][0]["voices"][0]];
    for artifact in artifacts {
        for field in ["name", "attribution", "installed", "description", "version"] {
            assert!(artifact.get(field).is_some(), "{artifact} has no {field}");
        }
        assert!(artifact["name"].is_string() && artifact["installed"] == true);
        assert!(artifact["attribution"]["name"].is_string() && artifact["attribution"]["url"].is_string());
    }
    assert_eq!(info["asr"][0]["models"][0]["languages"], json!(["en"]));
    assert_eq!(info["asr"][0]["supports_transcript_streaming"], true);
    assert_eq!(info["tts"][0]["supports_synthesize_streaming"], true);
    let voices = info["tts"][0]["voices"].as_array().expect("a list");
    assert!(voices.iter().any(|voice| voice["languages"] == json!(["en"])));

    client.send("ping", json!({"text": "there?"}), &[]).await;
    assert_eq!(client.event("pong").await.text(), "there?");
    client.send("ping", json!({}), &[]).await;
    assert!(client.event("pong").await.data.is_empty());
    server.stop().await;
}

#[tokio::test]
async fn what_concerns_others_is_passed_over() {
    let server = server(&[]).await;
    let mut client = Client::connect(&server).await;
    client.send("detect", json!({"names": ["hey"]}), b"payload\nwith lines\n").await;
    client.send("no-such-event", json!({}), &[0; 5000]).await;
    // Data in the header and beside it.
    let both = b"{\"type\":\"ping\",\"data\":{\"text\":\"header\"},\"data_length\":17}\n{\"text\":\"beside\"}";
    client.try_send(both).await.expect("connected");
    assert_eq!(client.event("pong").await.text(), "beside");
    assert_eq!(client.kinds(), ["pong"]);
    // Wrong data of a known event, and data that is no object: told, and the connection lives.
    client.send("synthesize", json!({"text": 7}), &[]).await;
    assert_eq!(client.event("error").await.data["code"], "bad_event");
    client.try_send(b"{\"type\":\"ping\",\"data_length\":4}\nnull").await.expect("connected");
    assert_eq!(client.event("error").await.data["code"], "bad_data");
    client.send("ping", json!({"text": "alive"}), &[]).await;
    assert_eq!(client.event("pong").await.text(), "alive");
    server.stop().await;
}

#[tokio::test]
async fn nonsense_and_too_much_are_refused_without_harm() {
    let server = server(&[]).await;
    let long = [vec![b'x'; 70 * 1024], vec![b'\n']].concat();
    let cases: [(&[u8], &str); 6] = [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", "bad_header"),
        (b"\n", "bad_header"),
        (b"{\"type\":\"ping\",\"data_length\":-5}\n", "bad_header"),
        (b"{\"type\":\"audio-chunk\",\"payload_length\":99999999}\n", "too_large"),
        (b"{\"type\":\"ping\",\"data_length\":99999999}\n", "too_large"),
        (&long, "too_large"),
    ];
    for (nonsense, code) in cases {
        let mut client = Client::connect(&server).await;
        let _ = client.try_send(nonsense).await; // it may be closed before all of it is taken
        let error = client.next().await;
        // What is still on its way may reset the connection before the error is read.
        assert!(error.is_none_or(|error| error.kind == "error" && error.data["code"] == code), "{code}");
        client.closed().await;
    }
    let mut client = Client::connect(&server).await;
    client.send("ping", json!({"text": "well"}), &[]).await;
    assert_eq!(client.event("pong").await.text(), "well");
    server.stop().await;
}

#[tokio::test]
async fn clients_may_leave_at_any_point() {
    let server = server(&["--wyoming-connections", "200"]).await;
    let sound: Vec<u8> = recording("what time is it").iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let format = json!({"rate": 16000, "width": 2, "channels": 1});
    let mut whole = bytes("transcribe", &json!({"language": "en"}), &[]);
    whole.extend(bytes("audio-start", &format, &[]));
    for piece in sound.chunks(4096) {
        whole.extend(bytes("audio-chunk", &format, piece));
    }
    whole.extend(bytes("audio-stop", &json!({}), &[]));
    whole.extend(bytes("synthesize-start", &json!({}), &[]));
    whole.extend(bytes("synthesize-chunk", &json!({"text": "What time is it? Tell me a story."}), &[]));
    whole.extend(bytes("synthesize-stop", &json!({}), &[]));
    join_all((0..40).map(|part| {
        let (server, whole) = (&server, &whole);
        async move {
            let mut client = Client::connect(server).await;
            let _ = client.try_send(&whole[..whole.len() * part / 40]).await;
        }
    }))
    .await;
    // All of it, and gone while the answer comes.
    let mut client = Client::connect(&server).await;
    client.try_send(&whole).await.expect("connected");
    client.event("audio-chunk").await;
    drop(client);
    let mut client = Client::connect(&server).await;
    client.say(&recording("what time is it")).await;
    assert!(client.event("transcript").await.text().to_lowercase().contains("time"));
    server.stop().await;
}

#[tokio::test]
async fn one_too_many_is_told() {
    let server = server(&["--wyoming-connections", "1"]).await;
    let mut first = Client::connect(&server).await;
    first.send("ping", json!({"text": "in"}), &[]).await;
    first.event("pong").await;
    let mut second = Client::connect(&server).await;
    assert_eq!(second.event("error").await.data["code"], "busy");
    second.closed().await;
    drop(first);
    // Its place becomes free as soon as its end is noticed.
    let let_in = async {
        loop {
            let mut third = Client::connect(&server).await;
            let _ = third.try_send(&bytes("ping", &json!({"text": "in"}), &[])).await;
            if third.next().await.is_some_and(|event| event.kind == "pong") {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, let_in).await.expect("a place becomes free");
    server.stop().await;
}

#[tokio::test]
async fn a_server_that_stops_tells_what_it_understood() {
    let server = server(&[]).await;
    let mut client = Client::connect(&server).await;
    let format = json!({"rate": 16000, "width": 2, "channels": 1});
    client.send("audio-start", format.clone(), &[]).await;
    let mut samples = recording("what time is it").to_vec();
    samples.extend(vec![0; 32_000]);
    let sound: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    client.send("audio-chunk", format, &sound).await;
    client.event("transcript-chunk").await;
    let stopping = tokio::spawn(server.stop());
    client.event("transcript").await;
    assert_eq!(client.of_kind("error").len(), 1, "{:?}", client.kinds());
    client.closed().await;
    stopping.await.expect("it stops");
}

#[tokio::test]
async fn a_server_that_stops_hears_the_sentence_out() {
    let server = server(&["--drain-seconds", "300"]).await;
    let address = server.wyoming.expect("a door");
    let mut client = Client::connect(&server).await;
    let mut idle = Client::connect(&server).await;
    let sound: Vec<u8> = recording("what time is it").iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let format = json!({"rate": 16000, "width": 2, "channels": 1});
    client.send("transcribe", json!({"language": "en"}), &[]).await;
    client.send("audio-start", format.clone(), &[]).await;
    let (first, rest) = sound.split_at(sound.len() / 4 * 2);
    client.send("audio-chunk", format.clone(), first).await;
    client.event("transcript-start").await;
    let stopping = tokio::spawn(server.stop());
    idle.closed().await;
    let mut late = Client::connect_at(address).await;
    assert_eq!(late.event("error").await.data["code"], "shutting_down");
    late.closed().await;
    client.send("audio-chunk", format, rest).await;
    client.send("audio-stop", json!({}), &[]).await;
    let heard = client.event("transcript").await.text().to_lowercase();
    assert!(heard.contains("what time is it"), "{heard}");
    client.closed().await;
    stopping.await.expect("it stops");
}
