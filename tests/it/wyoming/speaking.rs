//! Text to speech: sound that can be understood, streamed sentence by sentence.

use serde_json::json;

use super::client::{Client, server};
use crate::harness::{heard_in, loudness};

/// What our own recogniser hears.
async fn understood(client: &Client) -> String {
    use aigolos::audio::{Pcm, RateConverter, SampleRate};
    let (rate, samples) = client.sound();
    assert!(loudness(&samples) > 500.0, "it sounds");
    let rate = SampleRate::new(rate as u32).expect("a rate");
    heard_in(RateConverter::whole(&Pcm::new(rate, samples), SampleRate::HZ_24000).samples).await.to_lowercase()
}

#[tokio::test]
async fn a_text_is_spoken_in_small_chunks() {
    let server = server(&[]).await;
    let mut client = Client::connect(&server).await;
    client.send("synthesize", json!({"text": "What time is it?", "voice": {"language": "en_US"}}), &[]).await;
    client.event("audio-stop").await;
    assert_eq!(client.kinds(), ["audio-start", "audio-chunk", "audio-stop"]);
    let start = &client.log[0];
    assert_eq!((start.number("width"), start.number("channels")), (2, 1));
    let chunks = client.of_kind("audio-chunk");
    let (last, full) = chunks.split_last().expect("there is sound");
    assert!(full.iter().all(|chunk| chunk.payload.len() == 2048) && last.payload.len() <= 2048);
    assert!(chunks.is_sorted_by_key(|chunk| chunk.number("timestamp")));
    assert!(understood(&client).await.contains("time"), "{}", understood(&client).await);

    // Again on the same connection, with marks that are not spoken; and a voice that nobody has.
    client.log.clear();
    let ssml = "<speak>What <emphasis level=\"strong\">time</emphasis> is it?</speak>";
    client.send("synthesize", json!({"text": ssml, "text_format": "ssml", "voice": {"name": "nobody"}}), &[]).await;
    client.event("audio-stop").await;
    assert!(understood(&client).await.contains("time"), "{}", understood(&client).await);

    // There is always an answer.
    client.log.clear();
    client.send("synthesize", json!({"text": " * * * "}), &[]).await;
    client.event("audio-stop").await;
    assert_eq!(client.kinds(), ["audio-start", "audio-stop"]);
    server.stop().await;
}

#[tokio::test]
async fn text_in_pieces_is_spoken_as_it_comes_and_once() {
    let server = server(&[]).await;
    let mut client = Client::connect(&server).await;
    client.send("synthesize-start", json!({"voice": {"language": "en"}}), &[]).await;
    for piece in ["What ti", "me is it? ", "Tell me a story, plea", "se. And"] {
        client.send("synthesize-chunk", json!({"text": piece}), &[]).await;
    }
    // The first two sentences are there before the text is complete.
    client.event("audio-stop").await;
    client.event("audio-stop").await;
    client.send("synthesize-chunk", json!({"text": " then stop."}), &[]).await;
    // For servers that cannot stream.
    client.send("synthesize", json!({"text": "What time is it? Tell me a story, please. And then stop."}), &[]).await;
    client.send("synthesize-stop", json!({}), &[]).await;
    client.event("synthesize-stopped").await;
    let groups = client.of_kind("audio-start").len();
    assert!((3..=4).contains(&groups), "{groups} groups: {:?}", client.kinds());
    assert_eq!(client.of_kind("audio-stop").len(), groups);
    assert_eq!(client.kinds().last(), Some(&"synthesize-stopped"));
    let heard = understood(&client).await;
    assert!(heard.contains("time") && heard.contains("story"), "{heard}");
    assert_eq!(heard.matches("story").count(), 1, "spoken twice: {heard}");

    // Nothing in pieces is nothing, and ends.
    client.log.clear();
    client.send("synthesize-start", json!({}), &[]).await;
    client.send("synthesize-stop", json!({}), &[]).await;
    client.event("synthesize-stopped").await;
    assert_eq!(client.kinds(), ["synthesize-stopped"]);
    // And a whole text is spoken again.
    client.send("synthesize", json!({"text": "hello"}), &[]).await;
    client.event("audio-stop").await;
    server.stop().await;
}

#[tokio::test]
async fn too_long_a_text_is_refused_and_answered() {
    let server = server(&["--max-text-chars", "40"]).await;
    let mut client = Client::connect(&server).await;
    client.send("synthesize", json!({"text": "word ".repeat(20)}), &[]).await;
    client.event("audio-stop").await;
    assert_eq!(client.kinds(), ["error", "audio-start", "audio-stop"]);
    assert_eq!(client.log[0].data["code"], "text_too_long");
    client.log.clear();
    client.send("synthesize-start", json!({}), &[]).await;
    for _ in 0..20 {
        client.send("synthesize-chunk", json!({"text": "word "}), &[]).await;
    }
    client.send("synthesize-stop", json!({}), &[]).await;
    client.event("synthesize-stopped").await;
    assert_eq!(client.of_kind("error").len(), 1);
    server.stop().await;
}
