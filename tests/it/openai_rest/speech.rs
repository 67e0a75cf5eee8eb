//! Speech in every format, as it is made.

use std::{
    sync::{Arc, Mutex, atomic::Ordering},
    time::Duration,
};

use aigolos::{
    audio::{Mono16k, Pcm, RateConverter, SampleRate},
    engine::{EngineInfo, Engines, SpeakRequest, SpeechStream, Synthesizer, VoiceInfo},
    protocol::openai::rest::speech::FORMATS,
};
use data_encoding::BASE64;
use futures::StreamExt as _;
use serde_json::{Value, json};

use super::client::{events_of, get, post, refused, sound_in, sound_of_pcm};
use crate::{
    harness::{PATIENCE, TestServer, bundled_engines, heard_in, loudness},
    work::fakes::HeldVoice,
};

const PATH: &str = "/v1/audio/speech";
const SENTENCES: &str =
    "This is the first of the sentences. This is the second sentence of three. And this is the last.";

async fn heard(sound: &Mono16k) -> String {
    let pcm = Pcm::new(SampleRate::HZ_16000, sound.samples().to_vec());
    heard_in(RateConverter::whole(&pcm, SampleRate::HZ_24000).samples).await.to_lowercase()
}

fn sound(format: &str, bytes: &[u8]) -> Mono16k {
    if format == "pcm" { sound_of_pcm(bytes) } else { sound_in(bytes) }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_format_sounds_and_says_its_words() {
    let server = TestServer::start(&[]).await;
    for (format, kind, head) in [
        ("mp3", "audio/mpeg", &b""[..]),
        ("opus", "audio/ogg", b"OggS"),
        ("flac", "audio/flac", b"fLaC"),
        ("wav", "audio/wav", b"RIFF"),
        ("pcm", "audio/pcm", b""),
    ] {
        let body = json!({"model": "tts-1", "voice": "alloy", "input": "What time is it?", "response_format": format});
        let answer = post(&server, PATH, &body).await;
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["content-type"]),
            (200, &kind.parse().expect("a header"))
        );
        assert!(answer.headers().get("content-length").is_none(), "it is sent as it is made");
        let bytes = answer.bytes().await.expect("all of it");
        if format == "wav" {
            let said = u32::from_le_bytes(bytes[40..44].try_into().expect("four bytes"));
            assert_eq!(said as usize, bytes.len() - 44, "a short one says how long it is");
        }
        assert!(bytes.starts_with(head), "{format}");
        let sound = sound(format, &bytes);
        assert!(loudness(sound.samples()) > 300.0 && sound.ms() > 500, "{format} sounds");
        assert!(heard(&sound).await.contains("what time is it"), "{format}");
    }
    assert_eq!(FORMATS.len(), 5, "all are tried here");
    let default = post(&server, PATH, &json!({"model": "gpt-4o-mini-tts", "voice": "coral", "input": "Hello."})).await;
    assert_eq!(default.headers()["content-type"], "audio/mpeg");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_carry_the_same_sound() {
    let server = TestServer::start(&[]).await;
    for format in ["pcm", "mp3", "flac"] {
        let body =
            json!({"model": "m", "input": "What time is it?", "response_format": format, "stream_format": "sse"});
        let events = events_of(post(&server, PATH, &body).await).await;
        let events: Vec<Value> = events.iter().map(|event| serde_json::from_str(event).expect("JSON")).collect();
        let (done, deltas) = events.split_last().expect("events");
        assert_eq!(done["type"], "speech.audio.done");
        assert!(
            ["input_tokens", "output_tokens", "total_tokens"].iter().all(|name| done["usage"][name].is_u64()),
            "{done}"
        );
        let mut bytes = vec![];
        for delta in deltas {
            assert_eq!(delta["type"], "speech.audio.delta");
            bytes.extend(BASE64.decode(delta["audio"].as_str().expect("text").as_bytes()).expect("base64"));
        }
        assert!(heard(&sound(format, &bytes)).await.contains("what time is it"), "{format}");
    }
    server.stop().await;
}

/// A voice that notes how it was asked to speak.
struct NotedVoice {
    inner: Arc<dyn Synthesizer>,
    asked: Mutex<Vec<SpeakRequest>>,
}

impl Synthesizer for NotedVoice {
    fn info(&self) -> EngineInfo {
        self.inner.info()
    }

    fn voices(&self) -> Vec<VoiceInfo> {
        self.inner.voices()
    }

    fn speak(&self, request: SpeakRequest) -> SpeechStream {
        self.asked.lock().expect("nobody panicked").push(request.clone());
        self.inner.speak(request)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn voices_are_known_by_id_and_strangers_have_the_default() {
    let folder = tempfile::tempdir().expect("a folder");
    let engines = bundled_engines().await;
    let voice = Arc::new(NotedVoice { inner: engines.speech.clone(), asked: Mutex::default() });
    let server = TestServer::start_with(folder.path(), &[], Some(Engines { speech: voice.clone(), ..engines })).await;
    let (status, voices) = get(&server, "/v1/audio/voices").await;
    assert_eq!(status, 200);
    let voices = voices["voices"].as_array().expect("voices");
    assert!(voices.iter().all(|voice| voice["id"].is_string() && voice["name"].is_string()), "{voices:?}");
    let other = voices.iter().find(|voice| voice["language"] == "ru").expect("espeak-ng speaks Russian");
    let id = other["id"].as_str().expect("text");
    for (wish, asked) in [
        (json!(id), Some(id)),
        (json!({ "id": id }), Some(id)),
        (Value::Null, None),
        (json!("ash"), None),
        (json!("nobody"), None),
        (json!({"id": "nobody"}), None),
    ] {
        let body = json!({"model": "m", "input": "Hello.", "voice": wish, "speed": 1.5});
        let answer = post(&server, PATH, &body).await;
        assert_eq!(answer.status(), 200, "{body}");
        assert!(!answer.bytes().await.expect("all of it").is_empty());
        let request = voice.asked.lock().expect("nobody panicked").pop().expect("it was asked");
        assert_eq!((request.voice.as_deref(), request.text.as_str()), (asked, "Hello."), "{body}");
        assert!((request.speed - 1.5).abs() < f32::EPSILON);
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn speed_is_followed() {
    let server = TestServer::start(&[]).await;
    let length = async |speed: f64| {
        let body = json!({"input": SENTENCES, "response_format": "pcm", "speed": speed});
        post(&server, PATH, &body).await.bytes().await.expect("all of it").len()
    };
    assert!(length(0.5).await > 2 * length(2.0).await);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sound_comes_before_the_whole_is_made_and_ends_with_its_listener() {
    let folder = tempfile::tempdir().expect("a folder");
    let engines = bundled_engines().await;
    let voice = Arc::new(HeldVoice::new(engines.speech.clone(), 1));
    let server = TestServer::start_with(folder.path(), &[], Some(Engines { speech: voice.clone(), ..engines })).await;
    // A FLAC or WAV of less than 30 s waits for its length.
    for (format, _) in FORMATS.into_iter().filter(|(format, _)| !["flac", "wav"].contains(format)) {
        voice.begun.store(0, Ordering::SeqCst);
        let answer = post(&server, PATH, &json!({"input": SENTENCES, "response_format": format})).await;
        let mut sound = answer.bytes_stream();
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
    // Who goes away is not spoken to: nobody takes the permit of the second sentence.
    let answer = post(&server, PATH, &json!({"input": SENTENCES})).await;
    voice.begun.store(0, Ordering::SeqCst);
    drop(answer);
    let gone = async {
        while Arc::strong_count(&voice.begun) > 1 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, gone).await.expect("the voice hears of it");
    voice.permits.add_permits(10);
    assert_eq!(voice.begun.load(Ordering::SeqCst), 0, "nothing more is spoken");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_voice_that_fails_is_told_by_status_by_event_or_breaks_off() {
    let folder = tempfile::tempdir().expect("a folder");
    let engines = bundled_engines().await;
    for fails_at in [1, 2] {
        let mut voice = HeldVoice::new(engines.speech.clone(), 1_000);
        voice.fails_at = Some(fails_at);
        let voice = Arc::new(voice);
        let engines = Engines { speech: voice.clone(), ..engines.clone() };
        let server = TestServer::start_with(folder.path(), &[], Some(engines)).await;
        let answer = post(&server, PATH, &json!({"input": SENTENCES})).await;
        if fails_at == 1 {
            let (status, error, _) = refused(answer).await;
            assert_eq!(
                (status, &error["type"], &error["code"]),
                (502, &json!("server_error"), &json!("engine_failed"))
            );
        } else {
            assert_eq!(answer.status(), 200);
            assert!(answer.bytes().await.is_err(), "half a text is not all of it");
            voice.begun.store(0, Ordering::SeqCst);
            let events =
                events_of(post(&server, PATH, &json!({"input": SENTENCES, "stream_format": "sse"})).await).await;
            let last: Value = serde_json::from_str(events.last().expect("events")).expect("JSON");
            assert_eq!(last["error"]["type"], "server_error");
        }
        server.stop().await;
    }
}

/// Programs that cut an answer in pieces send such pieces too.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_to_speak_is_a_moment_of_silence() {
    let server = TestServer::start(&[]).await;
    for text in ["👍", "...", "—", "***", "---", "?", "✅ 🎉", "“”", "①", "```\nx = 1\n```"] {
        for (format, _) in FORMATS {
            let answer = post(&server, PATH, &json!({"input": text, "response_format": format})).await;
            assert_eq!(answer.status(), 200, "{text} {format}");
            let bytes = answer.bytes().await.expect("all of it");
            let sound = sound(format, &bytes);
            assert!((50..400).contains(&sound.ms()), "{text} {format}: {} ms", sound.ms());
            assert!(loudness(sound.samples()) < 5.0, "{text} {format}");
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_german_voice_says_german_words() {
    let folder = tempfile::tempdir().expect("a folder");
    let engines = bundled_engines().await;
    let voice = Arc::new(NotedVoice { inner: engines.speech.clone(), asked: Mutex::default() });
    let server = TestServer::start_with(folder.path(), &[], Some(Engines { speech: voice.clone(), ..engines })).await;
    for (named, written, said) in [
        ("de", "Es sind 20 °C & es kostet 5 €.", "Es sind 20 Grad Celsius und es kostet 5 Euro."),
        ("fr-fr", "Il fait 20 °C.", "Il fait 20 degrés Celsius."),
        ("ru", "Сейчас 2 °C.", "Сейчас два градуса Цельсия."),
        ("alloy", "It is 20 °C.", "It is twenty degrees Celsius."),
        ("alloy", "Зараз 20 °C і сонячно.", "Зараз 20 градусів Цельсія і сонячно."),
    ] {
        let answer = post(&server, PATH, &json!({"input": written, "voice": named, "response_format": "pcm"})).await;
        assert!(!answer.bytes().await.expect("all of it").is_empty());
        let request = voice.asked.lock().expect("nobody panicked").pop().expect("it was asked");
        assert_eq!(request.text, said, "{named}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_wishes_are_refused_by_name() {
    let server = TestServer::start(&[]).await;
    for (body, code, param, said) in [
        (json!({"voice": "alloy"}), "missing_required_parameter", "input", "input"),
        (json!({"input": ""}), "invalid_value", "input", "it is empty"),
        (json!({"input": "a".repeat(5_001)}), "invalid_value", "input", "5001 characters"),
        (json!({"input": 7}), "invalid_value", "input", "expected a string"),
        (json!({"input": "Hello.", "voice": 7}), "invalid_value", "voice", "neither a name nor an object with an id"),
        (json!({"input": "Hello.", "speed": 0.2}), "invalid_value", "speed", "0.25"),
        (json!({"input": "Hello.", "speed": 4.1}), "invalid_value", "speed", "0.25"),
        (json!({"input": "Hello.", "speed": "fast"}), "invalid_value", "speed", "fast"),
        (
            json!({"input": "Hello.", "response_format": "aac"}),
            "unsupported_value",
            "response_format",
            "mp3, opus, flac",
        ),
        (json!({"input": "Hello.", "stream_format": "tape"}), "invalid_value", "stream_format", "sse"),
    ] {
        let (status, error, message) = refused(post(&server, PATH, &body).await).await;
        assert_eq!((status, &error["code"], &error["param"]), (400, &json!(code), &json!(param)), "{body}: {error}");
        assert_eq!(error["type"], "invalid_request_error");
        assert!(message.contains(said), "{said}: {message}");
    }
    server.stop().await;
}
