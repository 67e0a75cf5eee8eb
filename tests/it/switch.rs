//! Models exchanged under the feet of those who use them, chosen from the page and the command line, and gone from memory
//! while nobody speaks.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use aigolos::{
    app::ModelsInUse,
    catalogue::in_use::{ChooseError, Chooser, InUse},
    engine::models::ModelKind,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::{
    fake_ollama::{self as fake, FakeChat, Step},
    harness::{Client, PATIENCE, TestServer, recording},
};

/// A models folder in which the bundled recogniser lies under two names, and a voice that beeps.
fn models() -> TempDir {
    let folder = tempfile::tempdir().expect("a scratch folder");
    for name in ["first", "second"] {
        fs::copy(source("models/nano/aigolos-nano-en-q5_1.bin"), folder.path().join(format!("ggml-{name}.bin")))
            .expect("room");
    }
    fs::create_dir(folder.path().join("piper")).expect("room");
    put_voice(folder.path(), "tone", "en_US-tone-medium");
    folder
}

fn source(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A voice of the tests under a name of its own.
fn put_voice(models: &Path, voice: &str, name: &str) {
    for end in ["onnx", "onnx.json"] {
        let from = source("models/test-voice").join(format!("{voice}.{end}"));
        fs::copy(from, models.join("piper").join(format!("{name}.{end}"))).expect("room");
    }
}

/// A server that may choose everything, with what exchanges its models.
async fn choosing(models: &TempDir, data: &Path, more: &[&str]) -> (TestServer, ModelsInUse) {
    let folder = models.path().to_str().expect("a plain name");
    let open = ["--asr-model-name", "auto", "--tts-engine", "auto", "--models-dir", folder];
    let mut server = TestServer::start_in(data, &[&open, more].concat()).await;
    let models = server.models().await;
    (server, models)
}

async fn engines(server: &TestServer) -> Value {
    let health = reqwest::get(server.url("/api/health/")).await.expect("an answer");
    health.json::<Value>().await.expect("JSON")["engines"].clone()
}

/// Looks at the health report until the engines are as they should be.
async fn engines_until(server: &TestServer, wanted: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let found = engines(server).await;
        if wanted(&found) {
            return found;
        }
        assert!(began.elapsed() < PATIENCE, "never as wanted: {found:#}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Sends what was recorded, 20 ms of it at a time.
async fn send(client: &mut Client, samples: &[i16]) {
    for frame in samples.chunks(320) {
        client.send_audio(frame).await;
    }
}

async fn said(server: &TestServer, text: &str) -> String {
    let (mut client, _) = server.session(json!({"mode": "transcribe"})).await;
    let last = client.speak_until(&recording(text), "transcript.final").await;
    last["text"].as_str().expect("text").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recogniser_exchanged_in_mid_utterance_loses_no_word() {
    let (models, data) = (models(), tempfile::tempdir().expect("a scratch folder"));
    let (server, chooser) = choosing(&models, data.path(), &[]).await;
    assert_eq!(engines(&server).await["asr"]["model"], "first", "the first file there is");
    let (mut client, _) = server.session(json!({"mode": "transcribe", "turn_detection": {"type": "manual"}})).await;
    let speech = recording("What is five plus seven?");
    let (before, after) = speech.split_at(speech.len() * 3 / 5);
    send(&mut client, before).await;
    client.event("transcript.partial").await;
    let began = Instant::now();
    chooser.choose(ModelKind::Asr, "second").await.expect("it is there");
    eprintln!("another nano model was in use after {} ms", began.elapsed().as_millis());
    assert_eq!(engines(&server).await["asr"]["model"], "second");
    send(&mut client, after).await;
    send(&mut client, &[0; 8_000]).await;
    client.send(json!({"type": "audio.commit"})).await;
    assert_eq!(client.event("transcript.final").await["text"], "What is five plus seven?");
    assert_eq!(client.of_kind("error"), Vec::<&Value>::new());
    send(&mut client, &speech).await;
    client.send(json!({"type": "audio.commit"})).await;
    assert_eq!(
        client.event("transcript.final").await["text"],
        "What is five plus seven?",
        "the new one hears the next"
    );
    assert_eq!(InUse::load(data.path()).expect("readable").asr.as_deref(), Some("second"));
    assert_eq!(chooser.chosen().asr.as_deref(), Some("second"));
    server.stop().await;
    let (server, chooser) = choosing(&models, data.path(), &[]).await;
    assert_eq!(engines(&server).await["asr"]["model"], "second", "a choice outlives the server");
    chooser.choose(ModelKind::Asr, "auto").await.expect("it can be taken back");
    assert_eq!(engines(&server).await["asr"]["model"], "first");
    assert_eq!(InUse::load(data.path()).expect("readable"), InUse::default());
}

/// Ollama with two models; replies of `old` stop in the middle until the gate opens.
async fn two_models(gate: watch::Receiver<bool>) -> FakeChat {
    FakeChat::start(move |request, _| match request.path.as_str() {
        "/api/tags" => fake::tags(&["old:1b", "new:1b"]),
        "/api/chat" if request.loads() => fake::json_answer(
            200,
            &json!({"model": request.body["model"], "created_at": "2026-11-22T10:00:00Z",
                "message": {"role": "assistant", "content": ""}, "done_reason": "load", "done": true}),
        ),
        "/api/chat" => {
            let head = Step::Head(200, "application/x-ndjson");
            if request.body["model"] == "old:1b" {
                let (begins, ends) = (fake::line("The old one begins. "), fake::line("The old one ends."));
                return vec![
                    head,
                    Step::Piece(begins),
                    Step::Gate(gate.clone()),
                    Step::Piece(ends),
                    Step::Piece(fake::last_line()),
                    Step::End,
                ];
            }
            vec![head, Step::Piece(fake::line("The new one.")), Step::Piece(fake::last_line()), Step::End]
        }
        _ => fake::not_found(),
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_under_way_ends_on_the_chat_model_it_began_on() {
    let (open, gate) = watch::channel(false);
    let ollama = two_models(gate).await;
    let (models, data) = (models(), tempfile::tempdir().expect("a scratch folder"));
    InUse { llm: Some("old:1b".into()), ..InUse::default() }.save(data.path()).expect("writable");
    let flags = ["--llm-backend", "ollama", "--ollama-base-url", &ollama.url()];
    let (server, chooser) = choosing(&models, data.path(), &flags).await;
    assert_eq!(engines(&server).await["llm"]["model"], "old:1b", "the choice counts where the setting was not given");
    let (mut client, _) = server.session(json!({"speak": false})).await;
    client.send(json!({"type": "text.send", "text": "hello"})).await;
    client.event("reply.text.delta").await;
    chooser.choose(ModelKind::Llm, "new:1b").await.expect("Ollama has it");
    assert_eq!(engines(&server).await["llm"]["model"], "new:1b");
    open.send(true).expect("the server waits");
    assert_eq!(client.event("reply.done").await["text"], "The old one begins. The old one ends.");
    client.send(json!({"type": "text.send", "text": "hello"})).await;
    assert_eq!(client.event("reply.done").await["text"], "The new one.");
    match chooser.choose(ModelKind::Llm, "third:1b").await {
        Err(ChooseError::Missing { name }) => assert_eq!(name, "ollama:third:1b"),
        other => panic!("{other:?}"),
    }
    drop(ollama);
    let error = chooser.choose(ModelKind::Llm, "old:1b").await.expect_err("nobody is there").to_string();
    assert!(error.contains("Ollama") && error.contains("hint: "), "{error}");
    assert_eq!(chooser.chosen().llm.as_deref(), Some("new:1b"));
    assert_eq!(engines(&server).await["llm"]["model"], "new:1b");
}

/// How often the sound changes sign in a second: twice its pitch.
fn crossings(samples: &[i16]) -> usize {
    let loud: Vec<i16> = samples.iter().copied().filter(|sample| sample.unsigned_abs() > 500).collect();
    loud.windows(2).filter(|pair| (pair[0] < 0) != (pair[1] < 0)).count() * 24_000 / loud.len().max(1)
}

async fn pitch_of_a_reply(client: &mut Client) -> usize {
    client.send(json!({"type": "text.send", "text": "hello"})).await;
    let turn = client.event("reply.started").await["turn"].as_u64().expect("a number") as u32;
    client.event("reply.done").await;
    crossings(&client.sound(turn))
}

#[tokio::test(flavor = "multi_thread")]
async fn who_chose_no_voice_is_spoken_to_in_the_new_one_and_new_files_are_taken_up() {
    let (models, data) = (models(), tempfile::tempdir().expect("a scratch folder"));
    let (server, chooser) = choosing(&models, data.path(), &[]).await;
    assert_eq!(engines(&server).await["tts"]["model"], "en_US-tone-medium");
    let (mut client, _) = server.session(json!({})).await;
    let before = pitch_of_a_reply(&mut client).await;
    match chooser.choose(ModelKind::Tts, "en_US-tones-medium#high").await {
        Err(ChooseError::Missing { .. }) => {}
        other => panic!("{other:?}"),
    }
    put_voice(models.path(), "tones", "en_US-tones-medium");
    // Seen at the first look, and taken up at the second if it has not changed any more.
    chooser.look(Instant::now()).await;
    chooser.look(Instant::now()).await;
    let (_, ready) = server.session(json!({})).await;
    let voices = ready["voices"].to_string();
    assert!(voices.contains("en_US-tones-medium#high"), "usable without a restart: {voices}");
    assert_eq!(engines(&server).await["tts"]["model"], "en_US-tone-medium", "a new file is not a choice");
    chooser.choose(ModelKind::Tts, "en_US-tones-medium#high").await.expect("it is there");
    assert_eq!(engines(&server).await["tts"]["model"], "en_US-tones-medium");
    let after = pitch_of_a_reply(&mut client).await;
    assert!(before.abs_diff(after) > 100, "another voice: {before} and {after} crossings a second");
    // Its files go while it is in use: the settings decide again, and the report says why.
    for end in ["onnx", "onnx.json"] {
        fs::remove_file(models.path().join(format!("piper/en_US-tones-medium.{end}"))).expect("it is there");
    }
    chooser.look(Instant::now()).await;
    chooser.look(Instant::now()).await;
    let tts = engines(&server).await["tts"].clone();
    assert_eq!(tts["model"], "en_US-tone-medium");
    assert!(tts["hint"].as_str().is_some_and(|hint| hint.contains("en_US-tones-medium#high is not there")), "{tts}");
    assert_eq!(pitch_of_a_reply(&mut client).await / 100, before / 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_choice_that_cannot_be_had_changes_nothing_and_says_why() {
    let (models, data) = (models(), tempfile::tempdir().expect("a scratch folder"));
    let whole = fs::read(models.path().join("ggml-first.bin")).expect("readable");
    fs::write(models.path().join("ggml-torn.bin"), &whole[..whole.len() / 2]).expect("writable");
    put_voice(models.path(), "tone", "en_US-empty-low");
    fs::write(models.path().join("piper/en_US-empty-low.onnx"), b"no network").expect("writable");
    let (server, chooser) = choosing(&models, data.path(), &["--llm-model-name", "given:1b"]).await;
    let before = engines(&server).await;
    for (kind, name, expected) in [
        (ModelKind::Asr, "torn", "torn cannot be used"),
        (ModelKind::Asr, "third", "third is not there"),
        (ModelKind::Asr, "../second", "is not there"),
        (ModelKind::Asr, "", "is not there"),
        (ModelKind::Llm, "other:1b", "LLM_MODEL_NAME is set"),
        (ModelKind::Tts, "de_DE-nobody-low", "is not there"),
        (ModelKind::Tts, "en_US-empty-low", "en_US-empty-low cannot be used"),
    ] {
        let error = chooser.choose(kind, name).await.expect_err(name).to_string();
        assert!(error.contains(expected) && error.contains("\nhint: "), "{name}: {error}");
    }
    assert_eq!(engines(&server).await, before);
    assert!(!InUse::path(data.path()).exists(), "nothing was chosen");
    assert_eq!(chooser.chosen(), InUse::default());
    assert_eq!(said(&server, "What time is it?").await, "What time is it?");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_command_line_chooses_is_taken_up_by_a_running_server() {
    let (models, data) = (models(), tempfile::tempdir().expect("a scratch folder"));
    let gone = InUse { asr: Some("gone".into()), tts: Some("ru_RU-gone-medium".into()), ..InUse::default() };
    gone.save(data.path()).expect("writable");
    let (server, chooser) = choosing(&models, data.path(), &[]).await;
    let found = engines(&server).await;
    assert_eq!((&found["asr"]["model"], &found["tts"]["model"]), (&json!("first"), &json!("en_US-tone-medium")));
    for (part, name) in [("asr", "gone"), ("tts", "ru_RU-gone-medium")] {
        let hint = found[part]["hint"].as_str().expect("it says why");
        assert!(hint.contains(&format!("{name} is not there; fetch it with")), "{hint}");
    }
    // By itself, within its two seconds.
    InUse { asr: Some("second".into()), ..InUse::default() }.save(data.path()).expect("writable");
    let found = engines_until(&server, |found| found["asr"]["model"] == "second").await;
    assert_eq!(found["asr"]["hint"], Value::Null);
    engines_until(&server, |found| !found["tts"]["hint"].to_string().contains("gone")).await;
    // What cannot be had leaves what is in use, and says so; what is chosen again is tried again.
    InUse { asr: Some("third".into()), ..InUse::default() }.save(data.path()).expect("writable");
    chooser.look(Instant::now()).await;
    let found = engines(&server).await;
    assert_eq!(found["asr"]["model"], "second");
    assert!(found["asr"]["hint"].as_str().is_some_and(|hint| hint.contains("third is not there")), "{found}");
    fs::copy(models.path().join("ggml-first.bin"), models.path().join("ggml-third.bin")).expect("room");
    InUse { asr: Some("third".into()), ..InUse::default() }.save(data.path()).expect("writable");
    chooser.look(Instant::now()).await;
    assert_eq!(engines(&server).await["asr"]["model"], "third");
    // Nonsense is left alone.
    fs::write(InUse::path(data.path()), "{\"asr\": ").expect("writable");
    chooser.look(Instant::now()).await;
    assert_eq!(engines(&server).await["asr"]["model"], "third");
    assert_eq!(said(&server, "What time is it?").await, "What time is it?");
}

/// Nobody uses the models for a while: until neither is in memory. What has just been used to the end may count as at work a
/// moment longer, so it is looked at again, as the server does.
async fn unused(chooser: &ModelsInUse, server: &TestServer) -> Value {
    let until = Instant::now() + PATIENCE;
    loop {
        chooser.look(Instant::now() + Duration::from_mins(4)).await;
        let found = engines(server).await;
        if found["asr"]["loaded"] == false && found["tts"]["loaded"] == false {
            return found;
        }
        assert!(Instant::now() < until, "they stay: {found:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn models_that_nobody_uses_leave_memory_and_come_back_with_the_next_session() {
    let (models, data) = (models(), tempfile::tempdir().expect("a scratch folder"));
    let (server, chooser) = choosing(&models, data.path(), &["--idle-unload-minutes", "3"]).await;
    let both = |loaded: bool| move |found: &Value| found["asr"]["loaded"] == loaded && found["tts"]["loaded"] == loaded;
    engines_until(&server, both(true)).await;
    chooser.look(Instant::now() + Duration::from_mins(1)).await;
    assert!(both(true)(&engines(&server).await), "a minute is too soon");
    let gone = unused(&chooser, &server).await;
    assert_eq!(gone["asr"]["model"], "first", "it is in use all the same");
    // A session that begins calls both back before anybody speaks.
    let (mut client, _) = server.session(json!({})).await;
    engines_until(&server, both(true)).await;
    unused(&chooser, &server).await;
    // Somebody who was silent that long is heard from the first word on, and answered aloud.
    client.speak_until(&recording("What is five plus seven?"), "reply.done").await;
    assert_eq!(client.of_kind("transcript.final")[0]["text"], "What is five plus seven?");
    assert!(!client.sound(1).is_empty());
    engines_until(&server, both(true)).await;
    // A model whose file has gone says so, and is heard with again once it is back.
    let (file, aside) = (models.path().join("ggml-first.bin"), models.path().join("aside"));
    unused(&chooser, &server).await;
    fs::rename(&file, &aside).expect("renamed");
    let (mut client, _) = server.session(json!({"mode": "transcribe"})).await;
    engines_until(&server, |found| found["asr"]["hint"].to_string().contains("cannot be loaded")).await;
    client.speak_until(&recording("What time is it?"), "error").await;
    fs::rename(&aside, &file).expect("renamed");
    assert_eq!(said(&server, "What time is it?").await, "What time is it?");
    assert_eq!(engines(&server).await["asr"]["hint"], Value::Null);
}
