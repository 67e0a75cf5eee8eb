//! Speech in every format, as it is made.

use std::{
    io::{Seek, Write},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use aigolos::{
    audio::{Mono16k, Pcm, Resampler, SampleRate},
    engine::Engines,
    job::{decode::decode, kind::kind_of},
};
use futures::StreamExt;
use serde_json::{Value, json};

use super::{
    client::{get, post_json},
    fakes::HeldVoice,
};
use crate::harness::{PATIENCE, TestServer, bundled_engines, loudness};

const PATH: &str = "/api/tts/synthesize/";

async fn synthesize(server: &TestServer, body: Value) -> reqwest::Response {
    let request = reqwest::Client::new().post(server.url(PATH)).header("content-type", "application/json");
    request.header("accept-encoding", "gzip").body(body.to_string()).send().await.expect("an answer")
}

fn read(bytes: &[u8], name: &str) -> Mono16k {
    let mut file = tempfile::tempfile().expect("room for a file");
    file.write_all(bytes).expect("room for a file");
    file.rewind().expect("a file");
    let (kind, start) = kind_of(&mut file, name, None).expect("readable").expect(name);
    decode(file, kind, start, Duration::from_mins(10), |_| true).expect(name)
}

const TEXT: &str =
    "# Weather\n\nIt is **sunny** today, 25 °C 🌞. Tomorrow it will rain; see https://example.org/weather for more!";

#[tokio::test(flavor = "multi_thread")]
async fn every_format_sounds_and_is_as_long() {
    let server = TestServer::start(&[]).await;
    let mut lengths = vec![];
    for (format, kind, name) in [
        ("wav", "audio/wav", "speech.wav"),
        ("pcm", "audio/pcm;rate=24000", "speech.pcm"),
        ("opus", "audio/ogg", "speech.opus"),
        ("mp3", "audio/mpeg", "speech.mp3"),
    ] {
        let response = synthesize(&server, json!({"text": TEXT, "format": format})).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], kind);
        assert_eq!(response.headers()["content-disposition"], format!("inline; filename=\"{name}\""));
        assert!(response.headers().get("content-encoding").is_none(), "sound is not packed twice");
        let bytes = response.bytes().await.expect("all of it");
        let audio = if format == "pcm" {
            let samples = bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
            Resampler::whole(&Pcm::new(SampleRate::HZ_24000, samples))
        } else {
            read(&bytes, name)
        };
        assert!(loudness(audio.samples()) > 300.0, "{format} sounds");
        lengths.push(audio.ms());
    }
    assert!(lengths[0] > 3_000, "{lengths:?}");
    // espeak-ng's own length varies by a few milliseconds from time to time; MP3 adds silence at its ends.
    assert!(lengths.iter().all(|length| length.abs_diff(lengths[0]) < 250), "{lengths:?}");
    let default = synthesize(&server, json!({"text": "Hello."})).await;
    assert_eq!(default.headers()["content-type"], "audio/wav");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn speed_and_language_are_followed() {
    let server = TestServer::start(&[]).await;
    let length = async |body: Value| {
        let bytes = synthesize(&server, body).await.bytes().await.expect("all of it");
        read(&bytes, "a.wav").ms()
    };
    let text = "The quick brown fox jumps over the lazy dog.";
    let (slow, fast) =
        (length(json!({"text": text, "speed": 0.5})).await, length(json!({"text": text, "speed": 2})).await);
    assert!(slow > fast * 2, "{slow} {fast}");
    assert!(length(json!({"text": "Сегодня хорошая погода.", "language": "ru"})).await > 800);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_comes_before_the_whole_is_made() {
    let folder = tempfile::tempdir().expect("a folder");
    let engines = bundled_engines().await;
    let voice = Arc::new(HeldVoice::new(engines.speech.clone(), 1));
    let server = TestServer::start_with(folder.path(), &[], Some(Engines { speech: voice.clone(), ..engines })).await;
    let text = "This is the first of the sentences. This is the second sentence of three. And this is the last.";
    for format in ["wav", "pcm", "opus", "mp3"] {
        voice.begun.store(0, Ordering::SeqCst);
        let response = synthesize(&server, json!({"text": text, "format": format})).await;
        let mut sound = response.bytes_stream();
        let first = tokio::time::timeout(PATIENCE, sound.next()).await.expect("it comes").expect("a piece");
        assert!(!first.expect("sound").is_empty(), "{format}");
        assert_eq!(voice.begun.load(Ordering::SeqCst), 1, "{format}: the second sentence has not begun");
        voice.permits.add_permits(2);
        let mut more = 0;
        while let Some(piece) = tokio::time::timeout(PATIENCE, sound.next()).await.expect("it goes on") {
            more += piece.expect("sound").len();
        }
        assert!(more > 4_000 && voice.begun.load(Ordering::SeqCst) == 3, "{format}: {more}");
        voice.permits.add_permits(1);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voice_that_fails_is_told_by_status_or_breaks_off() {
    let folder = tempfile::tempdir().expect("a folder");
    let engines = bundled_engines().await;
    let text = "This is the first of the sentences. This is the second sentence.";
    for (fails_at, status) in [(1, 502), (2, 200)] {
        let mut voice = HeldVoice::new(engines.speech.clone(), 1_000);
        voice.fails_at = Some(fails_at);
        let engines = Engines { speech: Arc::new(voice), ..engines.clone() };
        let server = TestServer::start_with(folder.path(), &[], Some(engines)).await;
        let response = synthesize(&server, json!({ "text": text })).await;
        assert_eq!(response.status(), status);
        match fails_at {
            1 => assert_eq!(response.headers()["content-type"], "application/problem+json"),
            _ => assert!(response.bytes().await.is_err(), "half a text is not all of it"),
        }
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn voices_are_listed_and_wrong_wishes_refused() {
    let server = TestServer::start(&[]).await;
    let (status, voices) = get(&server, "/api/tts/voices/").await;
    assert_eq!(status, 200);
    let all = voices["voices"].as_array().expect("voices");
    assert!(all.iter().any(|voice| voice["language"] == "ru" && voice["name"].is_string()), "{voices}");
    let default = voices["default"].as_str().expect("espeak-ng has one");
    assert!(all.iter().any(|voice| voice["id"] == default));
    assert_eq!(synthesize(&server, json!({"text": "Hello.", "voice": default})).await.status(), 200);
    for (body, said) in [
        (json!({"text": "Hello.", "voice": "nobody"}), "voice: there is no such voice"),
        (json!({"text": "Hello.", "speed": 0.2}), "speed"),
        (json!({"text": "Hello.", "speed": 4.1}), "speed"),
        (json!({"text": "Hello.", "format": "aiff"}), "format"),
        (json!({"text": "Hello.", "language": "klingon"}), "language"),
        (json!({"text": ""}), "text: it is empty"),
        (json!({"text": "a".repeat(5_001)}), "text: 5001 characters"),
    ] {
        let (status, problem) = post_json(&server, PATH, &body).await;
        assert_eq!(status, 422, "{body}: {problem}");
        let text = format!("{} {}", problem["detail"], problem["hint"]);
        assert!(text.contains(said), "{said}: {problem}");
    }
    let silence = synthesize(&server, json!({"text": "🌞 ---"})).await;
    assert_eq!(silence.status(), 200);
    let silence = read(&silence.bytes().await.expect("all of it"), "a.wav");
    assert!(silence.ms() > 50 && loudness(silence.samples()) < 5.0, "a moment of silence");
    let (_, problem) = post_json(&server, PATH, &json!({"text": "Hello.", "voice": "nobody"})).await;
    assert!(problem["hint"].as_str().is_some_and(|hint| hint.contains("/api/tts/voices/")), "{problem}");
    server.stop().await;
}
