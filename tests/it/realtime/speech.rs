//! Spoken turns.

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
