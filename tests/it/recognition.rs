//! Long recordings through the real recogniser: no part of them is lost, and the order is kept.

use std::process::Command;

use aigolos::{
    audio::{Mono16k, Resampler, read_wav},
    conversation::offline::{WholeOptions, transcribe_whole},
    engine::{
        Recognizer,
        vad::{VadEngine, detector},
        whisper::{Whisper, WhisperSettings},
    },
};

const SENTENCES: [&str; 8] = [
    "What time is it?",
    "Set a timer for ten minutes.",
    "Turn on the light in the kitchen.",
    "Tell me a joke.",
    "What is seven plus eight?",
    "Good morning.",
    "Thank you very much.",
    "Stop the music.",
];

fn speak(text: &str) -> Mono16k {
    let spoken = Command::new("espeak-ng").args(["--stdout", "-v", "en-us", text]).output();
    let spoken = spoken.expect("this test needs the `espeak-ng` command");
    Resampler::whole(&read_wav(spoken.stdout.as_slice()).expect("espeak-ng writes WAV"))
}

#[tokio::test]
async fn a_recording_longer_than_the_model_hears_is_heard_whole() {
    let whisper = Whisper::load(WhisperSettings { workers: 2, ..WhisperSettings::default() }).expect("it loads");
    let mut audio = Mono16k::silence(1_000);
    for round in 0..3 {
        for sentence in SENTENCES {
            audio.append(&speak(sentence));
            audio.append(&Mono16k::silence(if round == 1 { 900 } else { 250 }));
        }
    }
    assert!(audio.ms() > 3 * whisper.max_audio().as_millis() as u32);
    let options = WholeOptions { words: true, ..WholeOptions::default() };
    let mut told = vec![];
    let mut ears = detector(VadEngine::Cascade);
    let heard = transcribe_whole(&whisper, &mut *ears, &audio, &options, |done| told.push(done)).await;
    let heard = heard.expect("it decodes");

    let count = |text: &str| text.split_whitespace().count();
    assert!(count(&heard.text).abs_diff(3 * count(&SENTENCES.join(" "))) <= 4, "{}", heard.text);
    for sentence in SENTENCES {
        let found = heard.text.matches(sentence.trim_end_matches(['.', '?'])).count();
        assert!(found >= 2, "{sentence}: {found} of 3 in {}", heard.text);
    }
    assert!(heard.words.is_sorted_by_key(|word| word.start_ms), "{:?}", heard.words);
    assert!(told.len() > 3 && told.is_sorted());
}
