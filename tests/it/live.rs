//! The whole pipeline, live, with the bundled engines: speech in, words while it lasts, an answer aloud.

use serde_json::json;

use crate::harness::{Received, TestServer, heard_in, loudness, recording};

#[tokio::test(flavor = "multi_thread")]
async fn a_spoken_question_is_written_down_while_it_lasts_and_answered_aloud() {
    let server = TestServer::start(&[]).await;
    let (mut client, ready) = server.session(json!({})).await;
    assert_eq!(ready["engines"]["asr"]["demo"], true, "the page can say that these are the demo engines");
    client.speak_until(&recording("What is five plus seven?"), "reply.done").await;

    let kinds: Vec<_> = client.events().iter().filter_map(|event| event["type"].as_str()).map(str::to_owned).collect();
    let at =
        |kind: &str| kinds.iter().position(|found| found == kind).unwrap_or_else(|| panic!("no {kind} in {kinds:?}"));
    assert!(at("speech.started") < at("transcript.partial"));
    assert!(at("transcript.partial") < at("speech.stopped"), "words came while the person spoke");
    assert!(at("speech.stopped") < at("transcript.final") && at("transcript.final") < at("reply.started"));
    assert_eq!(kinds.iter().filter(|kind| *kind == "transcript.final").count(), 1);

    let numbers: Vec<_> = client.events().iter().map(|event| event["seq"].as_u64().expect("a number")).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");

    assert_eq!(client.of_kind("transcript.final")[0]["text"], "What is five plus seven?");
    let said = client.of_kind("reply.done")[0]["text"].as_str().expect("text").to_owned();
    assert!(said.to_lowercase().contains("twelve"), "{said}");
    let told: String = client.of_kind("reply.text.delta").iter().filter_map(|event| event["delta"].as_str()).collect();
    assert_eq!(told.trim(), said);

    let sound = client.sound(1);
    assert!(loudness(&sound) > 300.0, "the reply is not silence");
    let heard = heard_in(sound).await.to_lowercase();
    assert!(heard.contains("twelve"), "the round trip: said {said:?}, heard {heard:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stable_text_only_grows_and_the_final_begins_with_it() {
    let server = TestServer::start(&[]).await;
    let (mut client, _) = server.session(json!({"mode": "transcribe", "words": true})).await;
    let speech = recording("Please set a timer for twenty five minutes.");
    let end = client.speak_until(&speech, "transcript.final").await;
    let text = end["text"].as_str().expect("text");
    let mut stable = String::new();
    for partial in client.of_kind("transcript.partial") {
        let now = partial["stable"].as_str().expect("text").to_owned();
        assert!(now.starts_with(&stable), "{stable:?} became {now:?}");
        stable = now;
    }
    assert!(text.starts_with(&stable), "{stable:?} is not where {text:?} begins");
    assert!(text.contains("timer"), "{text}");
    let words = end["words"].as_array().expect("asked for");
    assert_eq!(words.len(), text.split_whitespace().count());
    assert!(client.of_kind("reply.started").is_empty(), "transcribing does not answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn speaking_over_a_reply_stops_it_and_only_what_was_heard_is_remembered() {
    let server = TestServer::start(&[]).await;
    let (mut client, _) = server.session(json!({})).await;
    client.send(json!({"type": "text.send", "text": "count to twenty"})).await;
    let reply = client.event("reply.started").await;
    let speech = recording("Stop the music please.");
    let cancelled = client.speak_until(&speech[6_400..], "reply.cancelled").await;
    assert_eq!((&cancelled["turn"], &cancelled["reason"]), (&reply["turn"], &json!("barge_in")));
    let heard = cancelled["heard_text"].as_str().expect("text");
    assert!(!heard.is_empty() && !heard.contains("twenty"), "{heard}");
    let paused = client.of_kind("reply.paused");
    assert_eq!(paused.len(), 1, "it paused before it stopped");

    // Nothing of the cancelled turn after its end; the new turn is answered.
    let begun = client.log.len();
    client.speak_until(&[], "reply.done").await;
    let late = client.log[begun..].iter().any(|received| matches!(received, Received::Audio { turn: 1, .. }));
    assert!(!late, "sound of a cancelled turn");
}

#[tokio::test(flavor = "multi_thread")]
async fn push_to_talk_ends_with_the_commit_and_says_when_there_was_nothing() {
    let server = TestServer::start(&[]).await;
    let (mut client, _) = server.session(json!({"turn_detection": {"type": "manual"}})).await;
    client.send(json!({"type": "audio.commit", "id": "c1"})).await;
    let error = client.event("error").await;
    assert_eq!((&error["code"], &error["in_reply_to"]), (&json!("nothing_to_commit"), &json!("c1")));
    // Faster than real time, and with a pause in the middle that would end a turn.
    client.send_audio(&recording("Hello.")).await;
    client.send_audio(&vec![0; 16_000]).await;
    client.send_audio(&recording("What time is it?")).await;
    client.send(json!({"type": "audio.commit"})).await;
    let text = client.event("transcript.final").await["text"].as_str().expect("text").to_lowercase();
    assert!(text.contains("hello") && text.contains("time"), "{text}");
    client.event("reply.done").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_and_noise_are_not_written_down() {
    let server = TestServer::start(&[]).await;
    let (mut client, _) = server.session(json!({"mode": "transcribe"})).await;
    // Five seconds of noise, by a generator whose sequence is always the same.
    let mut state = 1_u32;
    let noise: Vec<i16> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        ((state >> 16) as i16) / 24
    })
    .take(80_000)
    .collect();
    for part in noise.chunks(1_600) {
        client.send_audio(part).await;
    }
    client.send(json!({"type": "session.end"})).await;
    assert_eq!(client.closed().await, Some(1000));
    for end in client.of_kind("transcript.final") {
        assert_eq!(end["text"], "", "{end}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_rate_and_encoding_is_heard_alike() {
    use aigolos::audio::{Encoding, Pcm, RateConverter, SampleRate, encode};
    use futures::SinkExt;
    use tokio_tungstenite::tungstenite::Message;

    let server = TestServer::start(&[]).await;
    let speech = Pcm::new(SampleRate::HZ_16000, recording("What time is it?").to_vec());
    // Half the band carries half the sound: of a telephone's we only expect the beginning.
    for (encoding, name, hz, expected) in [
        (Encoding::PcmS16le, "pcm_s16le", 48_000, "What time is it?"),
        (Encoding::PcmF32le, "pcm_f32le", 44_100, "What time is it?"),
        (Encoding::Alaw, "alaw", 16_000, "What time is it?"),
        (Encoding::Mulaw, "mulaw", 8_000, "What"),
    ] {
        let audio = json!({"encoding": name, "sample_rate": hz});
        let (mut client, _) = server.session(json!({"mode": "transcribe", "audio": audio})).await;
        let rate = SampleRate::new(hz).expect("accepted");
        let bytes = encode(&RateConverter::whole(&speech, rate).samples, encoding);
        // Cut where no sample ends.
        for part in bytes.chunks(1_001) {
            client.socket.send(Message::binary(part.to_vec())).await.expect("connected");
        }
        client.send(json!({"type": "session.end"})).await;
        let text = client.event("transcript.final").await["text"].as_str().expect("text").to_owned();
        assert!(text.starts_with(expected), "{name} at {hz} Hz: {text}");
    }
}
