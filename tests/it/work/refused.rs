//! What is not taken, and how that is said.

use aigolos::audio::{Pcm, SampleRate, write_wav};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::client::{form, get, post, talk_wav, transcribe};
use crate::harness::TestServer;

/// A file's name, its bytes, fields beside it; the status, the code, and what the answer says.
type Case<'c> = (&'c str, &'c [u8], &'c [(&'c str, &'c str)], u16, &'c str, &'c str);

/// A WAV file of exactly so many bytes.
fn wav_of(bytes: usize) -> Vec<u8> {
    let mut file = write_wav(&Pcm::new(SampleRate::HZ_16000, vec![0; (bytes - 44) / 2]));
    file.resize(bytes, 0);
    file
}

fn uploads(server: &TestServer) -> usize {
    std::fs::read_dir(server.folder().join("uploads")).expect("a folder").count()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_taken_is_refused_with_the_reason() {
    let server = TestServer::start(&[]).await;
    let wav = talk_wav(&["Hello."]);
    let english = [("language", "en")];
    let cases: [Case; 9] = [
        ("talk.mp3", &wav, &[], 415, "unsupported_media", "is a WAV recording"),
        ("picture.wav", b"\x89PNG\r\n\x1a\n and so on", &[], 415, "unsupported_media", "a picture"),
        ("notes.txt", b"words", &[], 415, "unsupported_media", ".txt"),
        ("talk", &wav, &[], 415, "unsupported_media", "without an ending"),
        ("noise.mp3", &[7; 5_000], &english, 415, "unsupported_media", "nothing that is known"),
        ("empty.wav", b"", &[], 422, "invalid_field", "empty"),
        ("talk.wav", &wav, &[("language", "klingon")], 422, "invalid_field", "language"),
        ("talk.wav", &wav, &[("language", "de")], 422, "invalid_field", "does not know de"),
        ("talk.wav", &wav, &[("words", "perhaps")], 422, "invalid_field", "words"),
    ];
    for (name, bytes, fields, status, code, said) in cases {
        let (got, problem) = transcribe(&server, "", name, bytes, fields).await;
        assert_eq!((got, &problem["code"]), (status, &json!(code)), "{name} {fields:?}: {problem}");
        assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(said)), "{name}: {problem}");
    }
    // A good head and nothing behind it is found out by the job.
    let (status, problem) = transcribe(&server, "?wait=true", "cut.flac", b"fLaC and then nothing", &[]).await;
    assert_eq!((status, &problem["code"]), (415, &json!("unsupported_media")), "{problem}");
    let (kind, body) = form(None, &[("language", "en")]);
    let (status, problem) = post(&server, "/api/asr/transcribe/", &kind, body).await;
    assert_eq!((status, &problem["detail"]), (422, &json!("file: there is none")));
    let (status, _) = post(&server, "/api/asr/transcribe/", "multipart/form-data", b"x".to_vec()).await;
    assert_eq!(status, 400);
    let (status, _) = post(&server, "/api/asr/transcribe/?wait=maybe", &kind, vec![]).await;
    assert_eq!(status, 422);
    assert_eq!(uploads(&server), 0, "nothing stays of what was refused");
    let (_, list) = get(&server, "/api/jobs/").await;
    let states: Vec<&Value> = list["jobs"].as_array().expect("jobs").iter().map(|job| &job["state"]).collect();
    assert_eq!(states, ["failed"]);
    assert_eq!(list["jobs"][0]["outcome"]["status"], 415, "a failure is kept as a problem: {list}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_byte_too_many_is_too_many() {
    let server = TestServer::start(&["--max-upload-mb", "1"]).await;
    let limit = 1 << 20;
    let (status, text) = transcribe(&server, "?wait=true", "just.wav", &wav_of(limit), &[]).await;
    assert_eq!(status, 200, "{text}");
    for bytes in [limit + 1, 3 * limit] {
        let (status, problem) = transcribe(&server, "", "over.wav", &wav_of(bytes), &[]).await;
        assert_eq!((status, &problem["code"]), (413, &json!("too_large")), "{bytes}: {problem}");
        let (status, problem) = post(&server, "/api/asr/transcribe/?filename=a.wav", "audio/wav", wav_of(bytes)).await;
        assert_eq!((status, &problem["code"]), (413, &json!("too_large")), "{bytes}: {problem}");
    }
    assert_eq!(uploads(&server), 0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_before_sending_is_answered_before_sending() {
    let server = TestServer::start(&["--max-upload-mb", "1"]).await;
    let mut stream = TcpStream::connect(server.address).await.expect("it listens");
    let head = format!(
        "POST /api/asr/transcribe/ HTTP/1.1\r\nHost: {}\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 5000000\r\nExpect: 100-continue\r\n\r\n",
        server.address
    );
    stream.write_all(head.as_bytes()).await.expect("sent");
    let mut answer = vec![0; 12];
    tokio::time::timeout(crate::harness::PATIENCE, stream.read_exact(&mut answer))
        .await
        .expect("an answer")
        .expect("read");
    assert_eq!(answer, b"HTTP/1.1 413");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_long_is_said_by_the_job() {
    let server = TestServer::start(&["--max-audio-minutes", "1"]).await;
    let (status, problem) = transcribe(&server, "?wait=true", "long.wav", &wav_of(44 + 32_000 * 61), &[]).await;
    assert_eq!((status, &problem["code"]), (413, &json!("too_large")), "{problem}");
    assert_eq!(problem["detail"], "the recording is longer than 1 minutes");
    server.stop().await;
}
