//! Spoken turns.

use aigolos::audio::{Decoder, Encoding, Pcm, RateConverter, SampleRate, encode};
use serde_json::{Value, json};

use super::{
    Realtime,
    client::{samples, spoken},
};
use crate::harness::{TestServer, heard_in, loudness};

const TRANSCRIBED: &str = "conversation.item.input_audio_transcription.completed";
const DELTA: &str = "conversation.item.input_audio_transcription.delta";

fn at(client: &Realtime, kind: &str) -> usize {
    client.kinds().iter().position(|known| *known == kind).unwrap_or_else(|| panic!("no {kind}: {:#?}", client.kinds()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoken_question_is_written_down_and_answered_aloud() {
    let server = TestServer::start(&[]).await;
    let session = json!({"type": "realtime", "audio": {"input": {"transcription": {"model": "whisper-1"}}}});
    let mut client = Realtime::session(&server, session).await;
    client.append(&spoken("what time is it", 1_500)).await;
    let done = client.event("response.done").await;
    if client.of_kind(TRANSCRIBED).is_empty() {
        client.event(TRANSCRIBED).await;
    }
    let transcribed = client.of_kind(TRANSCRIBED)[0].clone();
    let transcript = transcribed["transcript"].as_str().expect("text").to_lowercase();
    assert!(transcript.contains("time"), "{transcript}");
    assert_eq!(client.joined(DELTA), transcribed["transcript"], "deltas join to the transcript");
    assert_eq!(transcribed["usage"]["type"], "duration");

    let order = [
        "input_audio_buffer.speech_started",
        "input_audio_buffer.speech_stopped",
        "input_audio_buffer.committed",
        "response.created",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_audio_transcript.delta",
        "response.output_audio.delta",
        "response.output_audio.done",
        "response.output_audio_transcript.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.done",
    ];
    let places: Vec<_> = order.iter().map(|kind| at(&client, kind)).collect();
    assert!(places.is_sorted(), "{:#?}", client.kinds());

    let (started, stopped) = (&client.log[places[0]], &client.log[places[1]]);
    let item = &client.log[places[2]]["item_id"];
    assert!(started["item_id"] == *item && stopped["item_id"] == *item && transcribed["item_id"] == *item);
    // Half a second of silence comes first, less the padding.
    let (begin, end) = (started["audio_start_ms"].as_u64(), stopped["audio_end_ms"].as_u64());
    assert!((100..=600).contains(&begin.expect("ms")), "{started}");
    assert!(end.expect("ms") > begin.expect("ms") + 1_000, "{stopped}");

    assert_eq!(done["response"]["status"], "completed");
    let said = client.joined("response.output_audio_transcript.delta");
    assert_eq!(done["response"]["output"][0]["content"][0]["transcript"], Value::from(said.clone()));
    let sound = samples(&client.sound("response.output_audio.delta"));
    assert!(loudness(&sound) > 300.0 && sound.len() > 24_000, "{} samples", sound.len());
    let heard = heard_in(sound).await;
    assert!(!heard.is_empty(), "{said:?} sounds");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_commits_by_hand_is_answered_when_asked_for_in_the_telephones_formats() {
    for (law, encoding) in [("audio/pcmu", Encoding::Mulaw), ("audio/pcma", Encoding::Alaw)] {
        let server = TestServer::start(&[]).await;
        let format = json!({"type": law});
        let input = json!({"format": format, "turn_detection": null, "transcription": {"model": "whisper-1"}});
        let session = json!({"type": "realtime", "audio": {"input": input, "output": {"format": format}}});
        let mut client = Realtime::session(&server, session).await;
        let question = Pcm::new(SampleRate::HZ_24000, spoken("what time is it", 300));
        let question = RateConverter::whole(&question, SampleRate::HZ_8000).samples;
        // In one go, as recordings come.
        client.append_bytes(&encode(&question, encoding)).await;
        client.send(json!({"type": "input_audio_buffer.commit"})).await;
        let added = client.event("conversation.item.added").await;
        client.event("conversation.item.done").await;
        client.send(json!({"type": "response.create"})).await;
        let done = client.event("response.done").await;
        assert_eq!(done["response"]["status"], "completed");
        if client.of_kind(TRANSCRIBED).is_empty() {
            client.event(TRANSCRIBED).await;
        }
        let transcribed = client.event_so_far(TRANSCRIBED);
        assert_eq!(transcribed["item_id"], added["item"]["id"]);
        assert!(transcribed["transcript"].as_str().is_some_and(|text| !text.is_empty()));
        assert!(client.of_kind("input_audio_buffer.speech_started").is_empty());
        let sound = Decoder::new(encoding, SampleRate::HZ_8000).push(&client.sound("response.output_audio.delta"));
        assert!(loudness(&sound.samples) > 300.0 && sound.samples.len() > 8_000);
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transcription_session_writes_every_utterance_down() {
    let server = TestServer::start(&[]).await;
    let path = "/v1/realtime?intent=transcription";
    let turn_detection = json!({"type": "server_vad", "prefix_padding_ms": 600, "silence_duration_ms": 350});
    let session = json!({"type": "transcription", "audio": {"input": {"turn_detection": turn_detection}}});
    let mut client = Realtime::session_at(&server, path, session).await;
    for text in ["what time is it", "tell me a story"] {
        client.append(&spoken(text, 1_500)).await;
    }
    // The shorter one may be written down first.
    for _ in 0..2 {
        client.event(TRANSCRIBED).await;
    }
    let committed = client.of_kind("input_audio_buffer.committed");
    assert_eq!(committed.len(), 2);
    assert_eq!(committed[1]["previous_item_id"], committed[0]["item_id"]);
    for (committed, word) in committed.iter().zip(["time", "story"]) {
        let written = client.of_kind(TRANSCRIBED).into_iter().find(|event| event["item_id"] == committed["item_id"]);
        let transcript =
            written.and_then(|event| event["transcript"].as_str()).expect("it was written down").to_lowercase();
        assert!(transcript.contains(word), "{transcript}");
    }
    assert!(client.kinds().iter().all(|kind| !kind.starts_with("response.")));
    client.send(json!({"type": "response.create", "event_id": "no"})).await;
    assert_eq!(client.error().await["event_id"], "no");
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn minutes_of_sound_at_once_are_slowed_and_not_refused() {
    let server = TestServer::start(&[]).await;
    let session = json!({"type": "transcription", "audio": {"input": {"turn_detection": null}}});
    let mut client = Realtime::session_at(&server, "/v1/realtime?intent=transcription", session).await;
    // More events of 20 ms than are taken at once.
    let silence = vec![0; 960];
    for _ in 0..6_000 {
        client.append_bytes(&silence).await;
    }
    client.send(json!({"type": "input_audio_buffer.commit"})).await;
    let completed = client.event(TRANSCRIBED).await;
    assert_eq!(completed["transcript"], "");
    server.stop().await;
}
