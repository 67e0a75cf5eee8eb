//! The doors that take a whole recording.

use std::process::Stdio;

use aigolos::audio::{Pcm, SampleRate, write_wav};
use futures::{StreamExt, stream};

use super::{ENGLISH, model, server, spoken, spoken::Spoken, tally::Tally};
use crate::{
    harness::{PATIENCE, TestServer},
    openai_rest::client::{Part, transcribed},
    work::client::{Events, id_of, transcribe},
};

/// whisper.cpp itself, with its whole context for every recording, has 7.5 % on these; a word more in twenty is allowed, for
/// other processors round differently and a short recording changes as a whole.
const MOST: f64 = 0.125;

async fn rest(server: &TestServer, name: &str, file: &[u8]) -> String {
    let parts = [Part::Text("model", "whisper-1"), Part::Text("language", "en"), Part::File(name, file)];
    let (status, answer) = transcribed(server, &parts).await;
    assert_eq!(status, 200, "{name}: {answer}");
    answer["text"].as_str().expect("text").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_english_recording_is_written_down_by_openais_request() {
    let (server, _folder) = server(ENGLISH, &[]).await;
    let all = spoken::in_language("en");
    assert!(all.len() >= 20, "{} recordings", all.len());
    let texts: Vec<(&Spoken, String)> = stream::iter(all)
        .map(async |spoken| (spoken, rest(&server, &spoken.name, &spoken.file).await))
        .buffered(2)
        .collect()
        .await;
    let mut tally = Tally::default();
    for (spoken, text) in &texts {
        tally.add(spoken, text);
    }
    tally.hold(MOST);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn recordings_are_written_down_as_jobs() {
    let (server, _folder) = server(ENGLISH, &[]).await;
    let mut tally = Tally::default();
    for spoken in spoken::named(&["ohf_cancel_timer", "harvard_spk2_snt5", "libri_61_70968_0000", "quiet_fleurs_en_04"])
    {
        let (status, made) = transcribe(&server, "", "spoken.flac", &spoken.file, &[("language", "en")]).await;
        assert_eq!(status, 202, "{made}");
        let mut events = Events::of_job(&server, &id_of(&made), None).await;
        let done = events.until("done").await;
        tally.add(spoken, done.data["text"].as_str().expect("text"));
    }
    // Quiet and few: a quarter of the words.
    tally.hold(0.25);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_prints_what_was_said() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let mut tally = Tally::default();
    for spoken in spoken::named(&["ohf_turn_off_all_of_the_lights_in_the_office", "arctic_axb_a0006"]) {
        let file = folder.path().join("spoken.wav");
        let wav = write_wav(&Pcm::new(SampleRate::HZ_16000, spoken.samples.clone()));
        std::fs::write(&file, wav).expect("room for a file");
        let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_aigolos"))
            .arg("transcribe")
            .arg(&file)
            .env("ASR_MODEL_NAME", model(ENGLISH))
            .env("DEFAULT_LANGUAGE", "en")
            .env("DATA_DIR", folder.path())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(4 * PATIENCE, output).await.expect("it ends").expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        tally.add(spoken, &String::from_utf8_lossy(&output.stdout));
    }
    tally.hold(0.2);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_or_doubled_where_utterances_meet_in_a_long_recording() {
    let (server, _folder) = server(ENGLISH, &[]).await;
    let (mut samples, mut said) = (vec![], String::new());
    for (number, spoken) in
        spoken::short().into_iter().chain(spoken::named(&["librivox_austen_0890", "fleurs_en_01"])).enumerate()
    {
        samples.extend(&spoken.samples);
        samples.extend(vec![0; 6_400 + 2_000 * (number % 7)]);
        said = format!("{said} {}", spoken.text);
    }
    assert!(samples.len() > 35 * 16_000, "longer than Whisper hears at once: {} s", samples.len() / 16_000);
    let text = rest(&server, "long.wav", &write_wav(&Pcm::new(SampleRate::HZ_16000, samples))).await;
    let mut tally = Tally::default();
    tally.add_text("eleven utterances", &said, &text);
    // As above; an utterance that is lost is more than that.
    tally.hold(MOST);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rooms_in_which_nobody_speaks_have_no_words() {
    let (server, _folder) = server(ENGLISH, &[]).await;
    for name in ["home_background.flac", "sb_noise3.flac"] {
        let file = std::fs::read(spoken::folder().join("noise").join(name)).expect("a recording");
        assert_eq!(rest(&server, name, &file).await, "", "{name}");
    }
    server.stop().await;
}
