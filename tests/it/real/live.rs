//! The doors that are spoken into, in real time, several speakers at once: frames of 20 ms as from a microphone, and silence
//! behind the words.

use std::time::Duration;

use aigolos::audio::{Pcm, RateConverter, SampleRate};
use futures::{StreamExt, stream};
use serde_json::{Value, json};

use super::{ENGLISH, server, spoken, spoken::Spoken, tally::Tally};
use crate::{
    harness::{Received, TestServer},
    realtime::client::Realtime,
    wyoming::client::Client as Wyoming,
};

const FRAME: Duration = Duration::from_millis(20);
/// How many speak at once.
const SPEAKERS: usize = 3;
/// whisper.cpp itself, hearing each recording whole, has two of these 48 words wrong; six may be, a command that is not
/// understood besides.
const MOST: f64 = 0.125;

/// Lets `SPEAKERS` speak at a time, each into a connection of their own, and counts what was written down.
async fn everybody(say: impl AsyncFn(&'static Spoken) -> String) {
    let texts: Vec<(&Spoken, String)> = stream::iter(spoken::short())
        .map(async |spoken| (spoken, say(spoken).await))
        .buffered(SPEAKERS)
        .collect()
        .await;
    let mut tally = Tally::default();
    for (spoken, text) in &texts {
        tally.add(spoken, text);
    }
    tally.hold(MOST);
}

fn text_of<'e>(event: &'e Value, field: &str) -> &'e str {
    event[field].as_str().unwrap_or_else(|| panic!("no {field} in {event}"))
}

fn joined<'t>(texts: impl Iterator<Item = &'t str>) -> String {
    texts.map(str::trim).filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
}

async fn native(server: &TestServer, spoken: &Spoken) -> String {
    let (mut client, _) = server.session(json!({"mode": "transcribe", "language": "en"})).await;
    let samples = spoken.with_silence();
    let mut frames = samples.chunks(320);
    let mut beat = tokio::time::interval(FRAME);
    loop {
        tokio::select! {
            _ = beat.tick() => match frames.next() {
                Some(frame) => client.send_audio(frame).await,
                None => break,
            },
            received = client.next() => assert!(!matches!(received, Received::Closed(_)), "closed: {:#?}", client.events()),
        }
    }
    // Who ends the session waits for the rest for 15 s at most; on a busy machine that may be too short.
    while client.of_kind("transcript.final").len() < client.of_kind("speech.stopped").len() {
        assert!(!matches!(client.next().await, Received::Closed(_)), "closed: {:#?}", client.events());
    }
    client.send(json!({"type": "session.end"})).await;
    client.closed().await;
    for last in client.of_kind("transcript.final") {
        let mut stable = "";
        for partial in client.of_kind("transcript.partial").into_iter().filter(|event| event["turn"] == last["turn"]) {
            let longer = text_of(partial, "stable");
            assert!(longer.starts_with(stable), "{}: {stable:?} became {longer:?}", spoken.name);
            stable = longer;
        }
        assert!(text_of(last, "text").starts_with(stable), "{}: {stable:?} became {last}", spoken.name);
    }
    joined(client.of_kind("transcript.final").into_iter().map(|event| text_of(event, "text")))
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_written_down_while_they_speak() {
    let (server, _folder) = server(ENGLISH, &[]).await;
    everybody(async |spoken| native(&server, spoken).await).await;
    server.stop().await;
}

async fn realtime(server: &TestServer, spoken: &Spoken) -> String {
    const ITEM: &str = "conversation.item.input_audio_transcription";
    let input =
        json!({"transcription": {"model": "whisper-1", "language": "en"}, "turn_detection": {"type": "server_vad"}});
    let session = json!({"type": "transcription", "audio": {"input": input}});
    let mut client = Realtime::session_at(server, "/v1/realtime?intent=transcription", session).await;
    let samples = Pcm::new(SampleRate::HZ_16000, spoken.with_silence());
    let samples = RateConverter::whole(&samples, SampleRate::HZ_24000).samples;
    let mut frames = samples.chunks(480);
    let mut beat = tokio::time::interval(FRAME);
    loop {
        tokio::select! {
            _ = beat.tick() => match frames.next() {
                Some(frame) => client.append(frame).await,
                None => break,
            },
            event = client.next() => assert!(event.is_some_and(|event| event["type"] != "error"), "{:#?}", client.log),
        }
    }
    let begun = |client: &Realtime| client.of_kind("input_audio_buffer.speech_started").len();
    let done = |client: &Realtime| client.of_kind(&format!("{ITEM}.completed")).len();
    while done(&client) < begun(&client) {
        client.next().await.expect("the session goes on");
    }
    let committed = client.of_kind("input_audio_buffer.committed");
    let texts = committed.iter().map(|committed| {
        let id = &committed["item_id"];
        let completed = client.of_kind(&format!("{ITEM}.completed")).into_iter().find(|event| event["item_id"] == *id);
        let text = text_of(completed.expect("every utterance is written down"), "transcript");
        let deltas = client.of_kind(&format!("{ITEM}.delta")).into_iter().filter(|event| event["item_id"] == *id);
        let deltas: String = deltas.map(|event| text_of(event, "delta")).collect();
        assert_eq!(deltas, text, "{}: the pieces are the text", spoken.name);
        text
    });
    joined(texts)
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_written_down_over_realtime() {
    let (server, _folder) = server(ENGLISH, &[]).await;
    everybody(async |spoken| realtime(&server, spoken).await).await;
    server.stop().await;
}

async fn wyoming(server: &TestServer, spoken: &Spoken) -> String {
    let mut client = Wyoming::connect(server).await;
    let format = json!({"rate": 16000, "width": 2, "channels": 1});
    client.send("transcribe", json!({"language": "en"}), &[]).await;
    client.send("audio-start", format.clone(), &[]).await;
    let mut beat = tokio::time::interval(FRAME);
    for frame in spoken.with_silence().chunks(320) {
        beat.tick().await;
        let bytes: Vec<u8> = frame.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        client.send("audio-chunk", format.clone(), &bytes).await;
    }
    client.send("audio-stop", json!({}), &[]).await;
    let text = client.event("transcript").await.text().to_owned();
    let pieces: String =
        client.of_kind("transcript-chunk").into_iter().map(super::super::wyoming::client::Event::text).collect();
    assert_eq!(pieces, text, "{}: the pieces are the text", spoken.name);
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_written_down_over_wyoming() {
    let (server, _folder) = server(ENGLISH, &["--wyoming-bind", "127.0.0.1:0"]).await;
    everybody(async |spoken| wyoming(&server, spoken).await).await;
    server.stop().await;
}
