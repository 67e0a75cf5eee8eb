//! Recordings that are not taken, and how that is said.

use aigolos::audio::{Pcm, SampleRate, write_wav};
use reqwest::Method;
use serde_json::{Value, json};

use super::client::{Part, TRANSCRIPTIONS, refused, request, transcribe};
use crate::{harness::TestServer, work::client::talk_opus};

/// The parts; the status, the code, the field, and what the message says.
type Case<'c> = (&'c [Part<'c>], u16, Value, Value, &'c str);

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_named() {
    let server = TestServer::start(&[]).await;
    let good = talk_opus(&["Hello."]);
    let file = Part::File("a.opus", &good);
    let value = || json!("invalid_value");
    let cases: [Case; 14] = [
        (
            &[Part::Text("model", "whisper-1")],
            400,
            json!("missing_required_parameter"),
            json!("file"),
            "file: it is missing",
        ),
        (&[], 400, json!("missing_required_parameter"), json!("file"), "file"),
        (&[Part::File("a.wav", b"")], 400, value(), json!("file"), "empty"),
        (&[Part::File("a.wav", b"words and no sound")], 400, value(), json!("file"), "it is text"),
        (&[Part::File("a.png", b"\x89PNG\r\n\x1a\n and so on")], 400, value(), json!("file"), "a picture"),
        (&[Part::File("a.flac", b"fLaC and then nothing")], 400, value(), json!("file"), "cannot be read"),
        (&[Part::File("a.mp3", &[7; 5_000])], 400, value(), json!("file"), "nothing that is known"),
        (&[file, file], 400, value(), json!("file"), "there are two"),
        (&[file, Part::Text("language", "klingon")], 400, value(), json!("language"), "ISO 639-1"),
        (&[file, Part::Text("language", "de")], 400, value(), json!("language"), "does not know de"),
        (&[Part::Text("temperature", "2"), file], 400, value(), json!("temperature"), "between 0 and 1"),
        (
            &[Part::Text("response_format", "diarized_json"), file],
            400,
            json!("unsupported_value"),
            json!("response_format"),
            "verbose_json",
        ),
        (&[Part::Text("response_format", "xml"), file], 400, value(), json!("response_format"), "srt"),
        (
            &[Part::Text("timestamp_granularities[]", "letter"), file],
            400,
            value(),
            json!("timestamp_granularities"),
            "word",
        ),
    ];
    for (parts, status, code, param, said) in cases {
        let (got, error, message) = refused(transcribe(&server, TRANSCRIPTIONS, parts).await).await;
        assert_eq!((got, &error["code"], &error["param"]), (status, &code, &param), "{error}");
        assert_eq!(error["type"], "invalid_request_error");
        assert!(message.contains(said), "{said}: {message}");
    }
    for (kind, body) in
        [("application/json", "{}"), ("multipart/form-data", "x"), ("multipart/form-data; boundary=x", "--x\r\n")]
    {
        let request = request(&server, Method::POST, TRANSCRIPTIONS).header("content-type", kind).body(body);
        let (status, error, _) = refused(request.send().await.expect("an answer")).await;
        assert_eq!((status, &error["type"]), (400, &json!("invalid_request_error")), "{kind}");
    }
    let left = std::fs::read_dir(server.folder().join("uploads")).expect("a folder").count();
    assert_eq!(left, 0, "nothing stays of what was refused");
    server.stop().await;
}

/// A WAV file of exactly so many bytes.
fn wav_of(bytes: usize) -> Vec<u8> {
    let mut file = write_wav(&Pcm::new(SampleRate::HZ_16000, vec![0; (bytes - 44) / 2]));
    file.resize(bytes, 0);
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn openais_limit_is_ours_at_least() {
    fn parts(file: &[u8]) -> [Part<'_>; 2] {
        [Part::File("a.wav", file), Part::Text("model", "whisper-1")]
    }
    let server = TestServer::start(&["--max-upload-mb", "1"]).await;
    let limit = 25 << 20;
    for bytes in [limit + 1, limit + (1 << 20)] {
        let file = wav_of(bytes);
        let (status, error, message) = refused(transcribe(&server, TRANSCRIPTIONS, &parts(&file)).await).await;
        assert_eq!((status, &error["type"]), (413, &json!("invalid_request_error")), "{bytes}");
        assert!(message.contains("25 megabytes"), "{message}");
    }
    let file = wav_of(2 << 20);
    assert_eq!(transcribe(&server, TRANSCRIPTIONS, &parts(&file)).await.status(), 200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_long_is_too_large() {
    let server = TestServer::start(&["--max-audio-minutes", "1"]).await;
    let file = wav_of(44 + 32_000 * 61);
    let (status, _, message) = refused(transcribe(&server, TRANSCRIPTIONS, &[Part::File("a.wav", &file)]).await).await;
    assert_eq!(status, 413);
    assert!(message.contains("MAX_AUDIO_MINUTES"), "{message}");
    server.stop().await;
}
