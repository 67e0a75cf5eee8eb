//! Under load: people in every phase of a conversation while their server is stopped, and another one that shares its
//! database and takes them over.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use futures::future::join_all;
use serde_json::{Value, json};
use tokio::sync::{Barrier, watch};

use super::{drains, session};
use crate::{
    harness::{Client, PATIENCE, Received, recording},
    postgres::postgres,
    process::Process,
};

/// Who is where when the order comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Connected, and nobody says anything.
    Idle,
    /// Connected with an open microphone, and nobody says anything.
    Listening,
    /// In the middle of a sentence.
    Speaking,
    /// The talk button is held down, and let go later.
    Holding,
    /// The sentence has ended and its words are not final.
    Waiting,
    /// The answer is being spoken.
    Hearing,
    /// Something was typed the moment before.
    Typed,
}

const PEOPLE: [Phase; 10] = [
    Phase::Idle,
    Phase::Listening,
    Phase::Speaking,
    Phase::Speaking,
    Phase::Holding,
    Phase::Waiting,
    Phase::Waiting,
    Phase::Hearing,
    Phase::Hearing,
    Phase::Typed,
];

/// What the people share.
#[derive(Clone)]
struct Scene {
    first: SocketAddr,
    second: SocketAddr,
    /// Everybody has come to their phase.
    set: Arc<Barrier>,
    /// Who speaks may come to an end.
    finish: watch::Receiver<bool>,
    speech: Arc<[i16]>,
}

/// What somebody saw of one conversation.
struct Seen {
    phase: Phase,
    conversation: String,
    /// Whether they began a turn; then its words and its answer.
    turn: Option<(String, String)>,
}

impl Scene {
    async fn play(self, phase: Phase) -> Seen {
        let detection = if matches!(phase, Phase::Holding | Phase::Waiting) { "manual" } else { "vad" };
        let start = json!({"type": "session.start", "turn_detection": {"type": detection}});
        let mut client = Client::connect(self.first).await;
        client.send(start.clone()).await;
        let conversation = client.event("session.ready").await["conversation_id"].as_str().expect("an id").to_owned();
        match phase {
            Phase::Idle => {
                self.set.wait().await;
            }
            Phase::Listening => {
                client.send_audio(&vec![0; 16_000]).await;
                self.set.wait().await;
                client.send_audio(&[0; 1_600]).await;
            }
            Phase::Speaking => self.speak(&mut client).await,
            Phase::Holding => {
                client.send_audio(&self.speech).await;
                client.event("speech.started").await;
                self.set.wait().await;
                self.finished().await;
                client.send(json!({"type": "audio.commit"})).await;
            }
            Phase::Waiting => {
                client.send_audio(&self.speech).await;
                client.send(json!({"type": "audio.commit"})).await;
                self.set.wait().await;
            }
            Phase::Hearing => {
                client.send(json!({"type": "text.send", "text": "Tell me a story."})).await;
                while !matches!(client.next().await, Received::Audio { .. }) {}
                self.set.wait().await;
            }
            Phase::Typed => {
                client.send(json!({"type": "text.send", "text": "What is five plus seven?"})).await;
                self.set.wait().await;
            }
        }
        let closed = client.event("session.closed").await;
        assert_eq!(closed["reason"], "restart", "{phase:?}: {:#?}", client.events());
        assert_eq!(closed["conversation_id"], *conversation, "{phase:?}");
        assert!(closed["retry_after_ms"].is_u64(), "{phase:?}");
        assert_eq!(client.closed().await, Some(1012), "{phase:?}");
        let turn = finished_turn(phase, &client);
        self.goes_on(&conversation, turn.is_some()).await;
        Seen { phase, conversation, turn }
    }

    /// Speaks in real time, over the order to stop, until everybody may come to an end.
    async fn speak(&self, client: &mut Client) {
        let mut beat = tokio::time::interval(Duration::from_millis(20));
        let mut place = 0;
        let mut set = std::pin::pin!(self.set.wait());
        let (mut started, mut is_set) = (false, false);
        loop {
            tokio::select! {
                _ = beat.tick() => {
                    let end = (place + 320).min(self.speech.len());
                    client.send_audio(&self.speech[place..end]).await;
                    // Round and round without the silence at the beginning: one long sentence.
                    place = if end == self.speech.len() { 8_000 } else { end };
                    if place == 8_000 && *self.finish.borrow() {
                        break;
                    }
                }
                _ = &mut set, if started && !is_set => is_set = true,
                received = client.next() => match received {
                    Received::Event(event) if event["type"] == "speech.started" => started = true,
                    Received::Closed(code) => panic!("cut off in mid-sentence: {code:?}"),
                    _ => {}
                }
            }
        }
        client.send_audio(&vec![0; 32_000]).await;
    }

    async fn finished(&self) {
        let mut finish = self.finish.clone();
        finish.wait_for(|finish| *finish).await.expect("the test goes on");
    }

    /// The other server knows the conversation, and answers in it.
    async fn goes_on(&self, conversation: &str, known: bool) {
        let mut client = Client::connect(self.second).await;
        client.send(json!({"type": "session.start", "conversation_id": conversation, "speak": false})).await;
        let ready = client.event("session.ready").await;
        assert_eq!(ready["conversation_id"] == *conversation, known, "nothing was said, or it is known");
        client.send(json!({"type": "text.send", "text": "hello"})).await;
        client.event("reply.done").await;
    }
}

/// The words and the answer of the one turn that was begun.
fn finished_turn(phase: Phase, client: &Client) -> Option<(String, String)> {
    let done = client.of_kind("reply.done");
    let cut = client.of_kind("reply.cancelled");
    assert!(cut.is_empty(), "{phase:?}: {:#?}", client.events());
    if matches!(phase, Phase::Idle | Phase::Listening) {
        assert!(done.is_empty());
        return None;
    }
    assert_eq!(done.len(), 1, "{phase:?}: {:#?}", client.events());
    let answer = done[0]["text"].as_str().expect("text").to_owned();
    let turn = done[0]["turn"].as_u64().expect("a number") as u32;
    assert!(!client.sound(turn).is_empty(), "{phase:?}: the answer was spoken");
    let last = client.log.iter().rposition(|received| matches!(received, Received::Audio { .. }));
    let told =
        client.log.iter().position(|received| matches!(received, Received::Event(e) if e["type"] == "session.closed"));
    assert!(last < told, "{phase:?}: sound after the end");
    let words = match phase {
        Phase::Hearing => "Tell me a story.".to_owned(),
        Phase::Typed => "What is five plus seven?".to_owned(),
        _ => {
            let finals = client.of_kind("transcript.final");
            assert_eq!(finals.len(), 1, "{phase:?}: {:#?}", client.events());
            finals[0]["text"].as_str().expect("text").to_owned()
        }
    };
    assert!(!words.is_empty(), "{phase:?}");
    Some((words, answer))
}

/// An answer in writing, streamed while the order comes.
async fn reads(server: SocketAddr, set: Arc<Barrier>) {
    use futures::StreamExt;
    let body = json!({"message": "Tell me a story."}).to_string();
    let asked = reqwest::Client::new().post(format!("http://{server}/api/llm/chat/"));
    let answer = asked.header("content-type", "application/json").body(body).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    set.wait().await;
    let mut stream = answer.bytes_stream();
    let mut text = String::new();
    while let Some(bytes) = stream.next().await {
        text.push_str(&String::from_utf8_lossy(&bytes.expect("not broken off")));
    }
    assert!(text.contains("event: done"), "{text}");
}

/// A recording that is being written down while the order comes.
async fn uploads(server: SocketAddr, speech: Arc<[i16]>, set: Arc<Barrier>) {
    let pcm = aigolos::audio::Pcm::new(aigolos::audio::SampleRate::HZ_16000, speech.to_vec());
    let wav = aigolos::audio::write_wav(&pcm);
    let head =
        "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\nContent-Type: audio/wav\r\n\r\n";
    let (first, rest) = wav.split_at(wav.len() / 2);
    let (first, rest) = ([head.as_bytes(), first].concat(), [rest, b"\r\n--b--\r\n"].concat());
    // Half of it before the order, half of it after.
    let body = futures::stream::unfold(Some((Some(first), rest, set)), async |state| {
        let (first, rest, set) = state?;
        if let Some(first) = first {
            return Some((Ok::<_, std::io::Error>(first), Some((None, rest, set))));
        }
        set.wait().await;
        Some((Ok(rest), None))
    });
    let asked = reqwest::Client::new().post(format!("http://{server}/api/asr/transcribe/?wait=true"));
    let asked = asked.header("content-type", "multipart/form-data; boundary=b");
    let answer = asked.body(reqwest::Body::wrap_stream(Box::pin(body))).send().await.expect("an answer");
    assert_eq!(answer.status(), 200, "{:?}", answer.text().await);
}

/// Nobody new is let in, in any protocol, and is told when to come again.
async fn refuses(server: &Process) {
    let mut client = Client::connect(server.address).await;
    client.send(json!({"type": "session.start"})).await;
    let error = client.event("error").await;
    assert_eq!((&error["code"], error["retry_after_ms"].is_u64()), (&json!("shutting_down"), true), "{error}");
    assert_eq!(client.closed().await, Some(1012));

    let realtime = tokio_tungstenite::connect_async(format!("ws://{}/v1/realtime", server.address)).await;
    match realtime {
        Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => {
            assert_eq!(answer.status(), 503);
            assert!(answer.headers().contains_key("retry-after"));
        }
        other => panic!("{other:?}"),
    }
    for (path, body) in
        [("/api/llm/chat/", json!({"message": "hello"})), ("/v1/audio/speech", json!({"input": "hello"}))]
    {
        let asked = reqwest::Client::new().post(server.url(path)).header("content-type", "application/json");
        let answer = asked.body(body.to_string()).send().await.expect("an answer");
        assert_eq!(answer.status(), 503, "{path}");
        assert!(answer.headers().contains_key("retry-after"), "{path}");
    }
    let history = reqwest::get(server.url("/api/conversations/")).await.expect("an answer");
    assert_eq!(history.status(), 200, "looking at what there is goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_a_server_is_stopped_under_load() {
    let folders = [tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder")];
    let database = postgres().fresh_database();
    let flags = ["--database-url", &database, "--drain-seconds", "300"];
    let (first, second) =
        tokio::join!(Process::start(folders[0].path(), &flags, &[]), Process::start(folders[1].path(), &flags, &[]));
    let set = Arc::new(Barrier::new(PEOPLE.len() + 3));
    let (finish, finishes) = watch::channel(false);
    let speech = recording("what time is it");
    let scene = Scene {
        first: first.address,
        second: second.address,
        set: Arc::clone(&set),
        finish: finishes,
        speech: Arc::clone(&speech),
    };
    let reading = tokio::spawn(reads(first.address, Arc::clone(&set)));
    let uploading = tokio::spawn(uploads(first.address, speech, Arc::clone(&set)));
    let people = PEOPLE.map(|phase| tokio::spawn(scene.clone().play(phase)));
    tokio::time::timeout(PATIENCE * 3, set.wait()).await.expect("everybody comes to their phase");
    let asked = std::time::Instant::now();
    first.signal("TERM");
    drains(&first).await;
    refuses(&first).await;
    finish.send_replace(true);

    let seen = tokio::time::timeout(PATIENCE * 6, join_all(people)).await.expect("everybody comes to an end");
    reading.await.expect("it was read to its end");
    uploading.await.expect("it was written down");
    assert!(first.ended().await.success());
    let took = asked.elapsed();
    let mut finished = 0;
    for seen in seen {
        let Seen { phase, conversation, turn } = seen.expect("it went well");
        let Some((words, answer)) = turn else { continue };
        let kept = reqwest::get(second.url(&format!("/api/conversations/{conversation}"))).await.expect("an answer");
        let kept: Value = serde_json::from_str(&kept.text().await.expect("text")).expect("JSON");
        let turn = &kept["turns"][0];
        assert_eq!(turn["text"], *words, "{phase:?}: {kept}");
        assert_eq!(
            (&turn["reply"]["text"], &turn["reply"]["interrupted"]),
            (&json!(answer), &json!(false)),
            "{phase:?}"
        );
        finished += 1;
    }
    let begun = PEOPLE.iter().filter(|phase| !matches!(phase, Phase::Idle | Phase::Listening)).count();
    println!(
        "{} people: {begun} turns begun, {finished} finished, {} lost; stopped in {:.1} s",
        PEOPLE.len(),
        begun - finished,
        took.as_secs_f32()
    );
    assert_eq!(finished, begun);
    let (mut client, _) = session(&second, json!({"type": "session.start"})).await;
    client.send(json!({"type": "session.end"})).await;
    assert_eq!(client.closed().await, Some(1000));
    second.signal("TERM");
    assert!(second.ended().await.success());
}
