//! Speech to text: the right words, streamed without a retraction, in any format, for several clients at once.

use futures::future::join_all;
use serde_json::{Value, json};

use super::client::{Client, server};
use crate::harness::recording;

fn words(text: &str) -> String {
    text.to_lowercase().chars().filter(|c| c.is_alphanumeric() || *c == ' ').collect()
}

/// What Home Assistant and streaming clients rely on.
fn is_orderly(client: &Client) {
    let kinds: Vec<_> = client.kinds().into_iter().filter(|kind| kind.starts_with("transcript")).collect();
    assert_eq!(kinds.first(), Some(&"transcript-start"), "{kinds:?}");
    assert_eq!(kinds[kinds.len() - 2..], ["transcript", "transcript-stop"], "{kinds:?}");
    assert!(kinds[1..kinds.len() - 2].iter().all(|kind| *kind == "transcript-chunk"), "{kinds:?}");
    let joined: String = client.of_kind("transcript-chunk").iter().map(|chunk| chunk.text()).collect();
    assert_eq!(joined, client.of_kind("transcript")[0].text(), "chunks joined are the transcript");
}

#[tokio::test]
async fn a_recording_is_written_down() {
    let server = server(&[]).await;
    let mut client = Client::connect(&server).await;
    client.send("transcribe", json!({"language": "en-US", "transcript_names": ["Anna"]}), &[]).await;
    client.say(&recording("what time is it")).await;
    let transcript = client.event("transcript").await;
    assert_eq!(words(transcript.text()), "what time is it");
    assert_eq!(transcript.data["language"], "en");
    client.event("transcript-stop").await;
    is_orderly(&client);
    let (started, stopped) = (client.of_kind("voice-started"), client.of_kind("voice-stopped"));
    assert_eq!((started.len(), stopped.len()), (1, 1), "{:?}", client.kinds());
    assert!(started[0].number("timestamp") < stopped[0].number("timestamp"));

    // The connection stays, and what was asked for the first recording does not concern the second.
    client.log.clear();
    client.say(&recording("tell me a story")).await;
    assert_eq!(words(client.event("transcript").await.text()), "tell me a story");
    client.event("transcript-stop").await;
    is_orderly(&client);
    server.stop().await;
}

#[tokio::test]
async fn several_utterances_are_one_transcript() {
    let server = server(&[]).await;
    let mut client = Client::connect(&server).await;
    let mut samples = recording("what time is it").to_vec();
    samples.extend(vec![0; 16_000 * 2]);
    samples.extend(recording("tell me a story").iter());
    samples.extend(vec![0; 16_000 * 2]);
    client.say(&samples).await;
    let transcript = client.event("transcript").await;
    assert_eq!(words(transcript.text()), "what time is it tell me a story");
    client.event("transcript-stop").await;
    is_orderly(&client);
    assert_eq!(client.of_kind("voice-started").len(), 2, "{:?}", client.kinds());
    assert_eq!(client.of_kind("transcript").len(), 1);
    server.stop().await;
}

#[tokio::test]
async fn text_comes_while_somebody_speaks() {
    let server = server(&[]).await;
    let mut client = Client::connect(&server).await;
    let format = json!({"rate": 16000, "width": 2, "channels": 1, "timestamp": 5000});
    client.send("audio-start", format.clone(), &[]).await;
    let mut samples = recording("what time is it").to_vec();
    samples.extend(vec![0; 32_000]);
    let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    client.send("audio-chunk", format, &bytes).await;
    // Without audio-stop.
    assert!(client.event("voice-started").await.number("timestamp") >= 5_000);
    let mut heard = String::new();
    while words(&heard) != "what time is it" {
        heard.push_str(client.event("transcript-chunk").await.text());
    }
    assert!(client.of_kind("transcript").is_empty());
    client.send("audio-stop", json!({}), &[]).await;
    assert_eq!(client.event("transcript").await.text(), heard);
    server.stop().await;
}

#[tokio::test]
async fn silence_is_an_empty_transcript() {
    let server = server(&[]).await;
    let mut client = Client::connect(&server).await;
    client.say(&vec![0; 16_000]).await;
    assert_eq!(client.event("transcript").await.text(), "");
    client.event("transcript-stop").await;
    is_orderly(&client);
    for sound in [&[][..], &[3; 100]] {
        client.say(sound).await;
        assert_eq!(client.event("transcript").await.text(), "");
    }
    // Not even a beginning.
    client.send("audio-stop", json!({}), &[]).await;
    assert_eq!(client.event("transcript").await.text(), "");
    server.stop().await;
}

#[tokio::test]
async fn who_does_not_wait_for_a_transcript_has_all_of_them_in_order() {
    let server = server(&[]).await;
    let mut client = Client::connect(&server).await;
    client.say(&recording("what time is it")).await;
    client.say(&recording("tell me a story")).await;
    for text in ["what time is it", "tell me a story"] {
        assert_eq!(words(client.event("transcript").await.text()), text);
        client.event("transcript-stop").await;
    }
    server.stop().await;
}

/// The recording at another rate, width and number of channels.
fn written(samples: &[i16], rate: u32, width: usize, channels: usize) -> Vec<u8> {
    use aigolos::audio::{Pcm, RateConverter, SampleRate};
    let to = SampleRate::new(rate).expect("a rate");
    let pcm = RateConverter::whole(&Pcm::new(SampleRate::HZ_16000, samples.to_vec()), to);
    let sample = |sample: i16| match width {
        1 => vec![((sample >> 8) + 128) as u8],
        2 => sample.to_le_bytes().to_vec(),
        _ => [&vec![0; width - 2][..], &sample.to_le_bytes()].concat(),
    };
    pcm.samples.iter().flat_map(|&value| sample(value).repeat(channels)).collect()
}

#[tokio::test]
async fn any_format_is_heard_for_several_clients_at_once() {
    let server = server(&[]).await;
    let samples = recording("what time is it");
    let formats = [(8_000, 2, 1), (44_100, 2, 2), (16_000, 4, 1), (22_050, 3, 1), (48_000, 1, 2)];
    let heard = join_all(formats.map(|(rate, width, channels)| {
        let (server, samples) = (&server, samples.clone());
        async move {
            let mut client = Client::connect(server).await;
            let format = json!({"rate": rate, "width": width, "channels": channels});
            client.send("audio-start", format.clone(), &[]).await;
            // Pieces that cut samples in two.
            for piece in written(&samples, rate, width, channels).chunks(1_023) {
                client.send("audio-chunk", format.clone(), piece).await;
            }
            client.send("audio-stop", json!({}), &[]).await;
            (format, client.event("transcript").await.text().to_owned())
        }
    }))
    .await;
    for (format, text) in heard {
        // Eight bits are a noisy telephone: some words are enough there.
        let expected = if format["width"] == 1 || format["rate"] == 8_000 { "time" } else { "what time is it" };
        assert!(words(&text).contains(expected), "{format}: {text}");
    }
    server.stop().await;
}

#[tokio::test]
async fn sound_that_cannot_be_read_is_refused_and_nothing_is_lost() {
    let server = server(&[]).await;
    let mut client = Client::connect(&server).await;
    let wrong: [Value; 3] = [
        json!({"rate": 16000, "width": 9, "channels": 1}),
        json!({"rate": 1, "width": 2, "channels": 1}),
        json!({"rate": "x"}),
    ];
    client.send("audio-start", json!({"rate": 16000, "width": 2, "channels": 1}), &[]).await;
    for wrong in wrong {
        client.send("audio-chunk", wrong, &[0; 32]).await;
        let error = client.event("error").await;
        assert!(["bad_audio", "bad_event"].contains(&error.data["code"].as_str().expect("a code")), "{error:?}");
    }
    let bytes: Vec<u8> = recording("what time is it").iter().flat_map(|sample| sample.to_le_bytes()).collect();
    client.send("audio-chunk", json!({"rate": 16000, "width": 2, "channels": 1}), &bytes).await;
    client.send("audio-stop", json!({}), &[]).await;
    assert_eq!(words(client.event("transcript").await.text()), "what time is it");
    server.stop().await;
}
