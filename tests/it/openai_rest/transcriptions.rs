//! Recordings become text in every form.

use aigolos::audio::{Flac, Mp3, OggOpus, OpusSettings, Pcm, SampleRate, write_wav};
use serde_json::{Value, json};

use super::client::{Part, TRANSCRIPTIONS, json_of, transcribe, transcribed};
use crate::{
    harness::TestServer,
    work::client::{five_plus_seven, get, talk_opus},
};

fn lower(text: &Value) -> String {
    text.as_str().expect("text").to_lowercase()
}

fn file_of<F>(mut stream: F, push: impl Fn(&mut F, &Pcm) -> Vec<u8>, finish: impl Fn(F) -> Vec<u8>) -> Vec<u8> {
    let mut file = push(&mut stream, &spoken());
    file.extend(finish(stream));
    file
}

fn spoken() -> Pcm {
    Pcm::new(SampleRate::HZ_16000, five_plus_seven().to_vec())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_recording_is_heard_whatever_it_is_called() {
    let server = TestServer::start(&[]).await;
    for (name, bytes) in [
        ("audio.wav", write_wav(&spoken())),
        ("audio", file_of(Mp3::new(), Mp3::push, Mp3::finish)),
        ("audio.mp3", file_of(Flac::new(), Flac::push, Flac::finish)),
        ("blob.bin", OggOpus::whole(&spoken(), OpusSettings::LIVE)),
    ] {
        let parts = [Part::Text("model", "whisper-1"), Part::Text("language", "en"), Part::File(name, &bytes)];
        let (status, text) = transcribed(&server, &parts).await;
        assert_eq!(status, 200, "{name}: {text}");
        assert!(lower(&text["text"]).contains("five plus seven"), "{name}: {text}");
        assert_eq!(text["usage"]["type"], "duration");
        assert!(text["usage"]["seconds"].as_f64().is_some_and(|seconds| (1.5..4.0).contains(&seconds)), "{text}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_come_in_any_order_and_unknown_ones_are_left_alone() {
    let server = TestServer::start(&[]).await;
    let file = talk_opus(&["What time is it?"]);
    let file = Part::File("a.opus", &file);
    let fields = [
        Part::Text("model", "gpt-4o-transcribe"),
        Part::Text("language", "en-US"),
        Part::Text("response_format", "verbose_json"),
        Part::Text("timestamp_granularities[]", "word"),
        Part::Text("temperature", "0"),
        Part::Text("prompt", "A question."),
        Part::Text("chunking_strategy[type]", "server_vad"),
        Part::Text("include[]", "logprobs"),
        Part::Text("something_new", "whatever"),
    ];
    let mut answers = vec![];
    for parts in [
        [&[file][..], &fields].concat(),
        [&fields[..], &[file]].concat(),
        [&fields[..4], &[file], &fields[4..]].concat(),
    ] {
        let (status, text) = transcribed(&server, &parts).await;
        assert_eq!(status, 200, "{text}");
        assert!(lower(&text["text"]).contains("what time is it"), "{text}");
        assert!(text["words"].as_array().is_some_and(|words| words.len() >= 4), "{text}");
        answers.push(text["text"].clone());
    }
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn verbose_json_has_times_that_fit_the_sound() {
    let server = TestServer::start(&[]).await;
    let file = talk_opus(&["What time is it?", "Stop the music please."]);
    let parts = [
        Part::File("talk.ogg", &file),
        Part::Text("response_format", "verbose_json"),
        Part::Text("timestamp_granularities", "word"),
        Part::Text("timestamp_granularities", "segment"),
    ];
    let (status, text) = transcribed(&server, &parts).await;
    assert_eq!(status, 200, "{text}");
    assert_eq!((&text["task"], &text["language"]), (&json!("transcribe"), &json!("english")));
    let duration = text["duration"].as_f64().expect("a number");
    let segments = text["segments"].as_array().expect("segments");
    assert!(segments.len() >= 2, "{text}");
    let mut before = 0.0;
    for (segment, id) in segments.iter().zip(0..) {
        let time = |name: &str| segment[name].as_f64().expect("a number");
        assert_eq!(segment["id"], id);
        assert!(before <= time("start") && time("start") < time("end") && time("end") <= duration, "{text}");
        assert!(time("avg_logprob") <= 0.0 && time("compression_ratio") > 0.0, "{segment}");
        assert!((0.0..=1.0).contains(&time("no_speech_prob")) && segment["seek"].is_u64(), "{segment}");
        assert!(segment["tokens"].is_array() && segment["temperature"].is_number(), "{segment}");
        before = time("end");
    }
    assert!(segments[0]["start"].as_f64() > Some(0.3) && segments[1]["start"].as_f64() > Some(3.0), "{text}");
    assert!(segments[0]["tokens"].as_array().is_some_and(|tokens| tokens.len() > 2), "{text}");
    let words = text["words"].as_array().expect("words");
    assert!(words.len() >= 7 && words.iter().all(|word| word["start"].as_f64() < word["end"].as_f64()), "{text}");
    server.stop().await;
}

/// `HH:MM:SS,mmm` in milliseconds.
fn ms(clock: &str, point: char) -> u64 {
    let (time, ms) = clock.split_once(point).unwrap_or_else(|| panic!("{clock}"));
    let parts: Vec<u64> = time.split(':').map(|part| part.parse().expect("a number")).collect();
    assert!(parts.len() == 3 && ms.len() == 3, "{clock}");
    ((parts[0] * 60 + parts[1]) * 60 + parts[2]) * 1000 + ms.parse::<u64>().expect("a number")
}

#[tokio::test(flavor = "multi_thread")]
async fn plain_text_and_subtitles_are_no_json() {
    let server = TestServer::start(&[]).await;
    let file = talk_opus(&["What time is it?", "Stop the music please."]);
    let ask = async |format: &str| {
        let parts = [Part::Text("response_format", format), Part::File("talk.ogg", &file)];
        let answer = transcribe(&server, TRANSCRIPTIONS, &parts).await;
        assert_eq!(answer.status(), 200);
        let kind = answer.headers()["content-type"].to_str().expect("ASCII").to_owned();
        (kind, answer.text().await.expect("text"))
    };
    let (kind, text) = ask("text").await;
    assert!(kind.starts_with("text/plain") && text.ends_with('\n') && !text.starts_with('{'), "{kind} {text}");
    assert!(text.to_lowercase().contains("what time is it"), "{text}");
    for (format, kind, point) in [("srt", "text/plain", ','), ("vtt", "text/vtt", '.')] {
        let (told, text) = ask(format).await;
        assert!(told.starts_with(kind), "{told}");
        let text = if format == "vtt" { text.strip_prefix("WEBVTT\n\n").expect("a head").to_owned() } else { text };
        let cues: Vec<Vec<&str>> = text.trim_end().split("\n\n").map(|cue| cue.lines().collect()).collect();
        assert!(cues.len() >= 2, "{text}");
        let mut before = 0;
        for (cue, number) in cues.iter().zip(1..) {
            let times = usize::from(format == "srt");
            assert!(format == "vtt" || cue[0] == number.to_string(), "{text}");
            let (start, end) = cue[times].split_once(" --> ").expect("times");
            let (start, end) = (ms(start, point), ms(end, point));
            assert!(before <= start && start < end && !cue[times + 1].is_empty(), "{text}");
            before = end;
        }
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_an_empty_text() {
    let server = TestServer::start(&[]).await;
    let silence = write_wav(&Pcm::new(SampleRate::HZ_16000, vec![0; 48_000]));
    let (status, text) = transcribed(&server, &[Part::File("silence.wav", &silence)]).await;
    assert_eq!((status, &text["text"], &text["usage"]["seconds"]), (200, &json!(""), &json!(3.0)), "{text}");
    let parts = [Part::File("silence.wav", &silence), Part::Text("response_format", "verbose_json")];
    let (_, text) = transcribed(&server, &parts).await;
    assert_eq!((&text["text"], &text["segments"], &text["duration"]), (&json!(""), &json!([]), &json!(3.0)));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn translations_answer_in_english_and_nothing_is_kept() {
    let server = TestServer::start(&[]).await;
    let file = talk_opus(&["What time is it?"]);
    let parts = [Part::File("a.opus", &file), Part::Text("response_format", "verbose_json")];
    let (status, text) = json_of(transcribe(&server, "/v1/audio/translations", &parts).await).await;
    assert_eq!((status, &text["task"], &text["language"]), (200, &json!("translate"), &json!("english")), "{text}");
    assert!(lower(&text["text"]).contains("what time is it"), "{text}");
    assert_eq!(get(&server, "/api/conversations/").await.1["conversations"], json!([]));
    assert_eq!(get(&server, "/api/jobs/").await.1["jobs"], json!([]));
    let left = std::fs::read_dir(server.folder().join("uploads")).expect("a folder").count();
    assert_eq!(left, 0, "the file is gone");
    server.stop().await;
}
