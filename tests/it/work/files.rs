//! Every kind of recording becomes its words, and a conversation.

use std::{path::Path, process::Command};

use aigolos::audio::{Mp3, OggOpus, OpusSettings, Pcm, SampleRate, write_wav};
use serde_json::Value;

use super::client::{Events, five_plus_seven, get, id_of, post, talk_opus, transcribe};
use crate::harness::TestServer;

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/recordings");
    std::fs::read(folder.join(name)).expect("a fixture")
}

fn by_sox(name: &str, options: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (folder.path().join("from.wav"), folder.path().join(name));
    let pcm = Pcm::new(SampleRate::HZ_16000, five_plus_seven().to_vec());
    std::fs::write(&from, write_wav(&pcm)).expect("room for a file");
    let done = Command::new("sox").arg(&from).args(options).arg(&to).status().expect("sox is installed");
    assert!(done.success(), "sox makes {name}");
    std::fs::read(to).expect("sox made it")
}

fn mp3(pcm: &Pcm) -> Vec<u8> {
    let mut stream = Mp3::new();
    let mut file = stream.push(pcm);
    file.extend(stream.finish());
    file
}

fn lower(text: &Value) -> String {
    text.as_str().expect("text").to_lowercase()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_recording_becomes_its_words() {
    let server = TestServer::start(&[]).await;
    let pcm = Pcm::new(SampleRate::HZ_16000, five_plus_seven().to_vec());
    for (name, bytes) in [
        ("a.wav", write_wav(&pcm)),
        ("stereo.wav", by_sox("stereo.wav", &["-c", "2", "-r", "44100", "-b", "24"])),
        ("studio.flac", by_sox("studio.flac", &["-r", "96000"])),
        ("a.mp3", mp3(&pcm)),
        ("vorbis.ogg", by_sox("vorbis.ogg", &["-C", "6"])),
        ("a.opus", OggOpus::whole(&pcm, OpusSettings::LIVE)),
        ("opus.webm", fixture("opus.webm")),
        ("aac.m4a", fixture("aac.m4a")),
        ("video.mp4", fixture("video.mp4")),
    ] {
        let (status, text) = transcribe(&server, "?wait=true", name, &bytes, &[("language", "en")]).await;
        assert_eq!(status, 200, "{name}: {text}");
        assert!(lower(&text["text"]).contains("five plus seven"), "{name}: {text}");
        let duration = text["duration_ms"].as_u64().expect("a length");
        assert!((1_500..4_000).contains(&duration), "{name}: {text}");
        assert!(text["segments"][0].get("words").is_none(), "nobody asked for words: {text}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transcript_is_a_conversation_with_times() {
    let server = TestServer::start(&[]).await;
    let file = talk_opus(&["What time is it?", "Stop the music please."]);
    let (status, text) = transcribe(&server, "?wait=true", "Утро 1.opus", &file, &[("words", "true")]).await;
    assert_eq!(status, 200, "{text}");
    let segments = text["segments"].as_array().expect("segments");
    assert!(segments.len() >= 2, "{text}");
    assert_eq!(text["language"], "en");
    let starts: Vec<u64> = segments.iter().map(|segment| segment["start_ms"].as_u64().expect("a time")).collect();
    assert!(starts.is_sorted() && starts[0] > 300 && starts[1] > 3_000, "{text}");
    for segment in segments {
        let words = segment["words"].as_array().expect("words were asked for");
        let joined: Vec<&str> = words.iter().map(|word| word["text"].as_str().expect("text")).collect();
        assert_eq!(joined.join(" "), segment["text"].as_str().expect("text"));
        assert!(words.iter().all(|word| word["start_ms"].as_u64() < word["end_ms"].as_u64()), "{segment}");
    }
    let id = text["conversation_id"].as_str().expect("a conversation");
    let (status, kept) = get(&server, &format!("/api/conversations/{id}")).await;
    assert_eq!(status, 200, "{kept}");
    assert_eq!(kept["conversation"]["title"], "Утро 1.opus");
    assert_eq!(kept["conversation"]["kind"], "file");
    let turns = kept["turns"].as_array().expect("turns");
    assert_eq!(turns.len(), segments.len());
    for (turn, segment) in turns.iter().zip(segments) {
        assert_eq!((&turn["text"], &turn["source"]), (&segment["text"], &Value::from("file")));
        assert_eq!(turn["start_ms"], segment["start_ms"]);
        assert!(!turn["words"].as_array().expect("words").is_empty(), "{turn}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_tells_what_it_does() {
    let server = TestServer::start(&[]).await;
    let (status, made) = transcribe(&server, "", "talk.opus", &talk_opus(&["What time is it?"]), &[]).await;
    assert_eq!(status, 202, "{made}");
    let id = id_of(&made);
    assert_eq!(made["events"], format!("/api/jobs/{id}/events"));
    assert_eq!(made["job"]["file"], "talk.opus");
    let events = Events::of_job(&server, &id, None).await.rest().await;
    let ids: Vec<u64> = events.iter().map(|event| event.id.expect("an id")).collect();
    assert_eq!(ids, (1..=ids.len() as u64).collect::<Vec<_>>(), "{events:#?}");
    let stage = |name: &str, fraction: f64| {
        events.iter().position(|e| e.kind == "progress" && e.data["stage"] == name && e.data["fraction"] == fraction)
    };
    let order = [
        stage("upload", 1.0),
        stage("queued", 0.0),
        stage("decode", 0.0),
        stage("decode", 1.0),
        stage("transcribe", 0.0),
        events.iter().position(|event| event.kind == "text"),
        stage("transcribe", 1.0),
        events.iter().position(|event| event.kind == "done"),
    ];
    assert!(order.iter().all(Option::is_some) && order.is_sorted(), "{order:?} in {events:#?}");
    assert_eq!(events.last().map(|event| event.kind.as_str()), Some("done"));

    let (_, job) = get(&server, &format!("/api/jobs/{id}")).await;
    assert_eq!(job["job"]["state"], "done", "who hears of the end finds it: {job}");
    assert_eq!(job["job"]["outcome"], events.last().expect("the end").data);
    let (_, list) = get(&server, "/api/jobs/").await;
    assert_eq!(list["jobs"][0]["id"], id);
    let left = std::fs::read_dir(server.folder().join("uploads")).expect("a folder").count();
    assert_eq!(left, 0, "the file is gone");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_no_error_and_no_conversation() {
    let server = TestServer::start(&[]).await;
    let silence = write_wav(&Pcm::new(SampleRate::HZ_16000, vec![0; 48_000]));
    let (status, text) = transcribe(&server, "?wait=true", "silence.wav", &silence, &[]).await;
    assert_eq!((status, &text["text"], &text["duration_ms"]), (200, &Value::from(""), &Value::from(3_000)), "{text}");
    assert!(text["conversation_id"].is_null() && text["segments"].as_array().is_some_and(Vec::is_empty), "{text}");
    let (_, list) = get(&server, "/api/conversations/").await;
    assert_eq!(list["conversations"].as_array().map(Vec::len), Some(0));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_body_is_a_file_too() {
    let server = TestServer::start(&[]).await;
    let file = OggOpus::whole(&Pcm::new(SampleRate::HZ_16000, five_plus_seven().to_vec()), OpusSettings::LIVE);
    for path in ["/api/asr/transcribe/?wait=true&filename=x.opus&language=en", "/api/asr/transcribe/?wait=true"] {
        let (status, text) = post(&server, path, "audio/ogg", file.clone()).await;
        assert_eq!(status, 200, "{text}");
        assert!(lower(&text["text"]).contains("five plus seven"), "{text}");
    }
    let (status, problem) = post(&server, "/api/asr/transcribe/", "application/json", b"{}".to_vec()).await;
    assert_eq!((status, &problem["code"]), (415, &Value::from("unsupported_media")));
    server.stop().await;
}
