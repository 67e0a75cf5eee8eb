//! How soon a reply is heard with a Piper voice, by the length of its first sentence:
//! `PIPER_VOICES=FOLDER cargo bench --bench speech`. docs/benchmarks.md explains the figures.
//!
//! Each sentence is spoken whole, as it was before replies began with a phrase, and as the splitter cuts it now; all ways
//! take turns, so that what else runs on the machine disturbs them alike.

use std::{fs, num::NonZeroUsize, time::Instant};

use aigolos::{
    conversation::sentence::Splitter,
    engine::{
        SpeakRequest, Synthesizer,
        piper::PiperSettings,
        speech::{SpeechEngine, SpeechSettings, choose},
    },
};

const RUNS: usize = 15;
const SENTENCES: [&str; 6] = [
    "Sure.",
    "Yes, I can help you with that.",
    "The weather today is sunny with a light breeze.",
    "The museum in the old town opens every day at nine in the morning.",
    "It takes about three hours by train because the line goes around the mountains in the north.",
    "The quick answer is that the sky looks blue when the light of the sun is scattered by the air above us in all directions.",
];

fn main() {
    let folder = std::env::var("PIPER_VOICES").unwrap_or_else(|_| "models/local/piper".into());
    let one = voice(&folder, 1);
    let two = voice(&folder, 2);
    println!("voice {}, medians of {RUNS} runs; processor time of the whole process beside them", one.info().model);
    println!(
        "chars  whole, 1 thread   whole, 2 threads   first piece       1 thread   2 threads   ms until the first sound / ms of processor time"
    );
    for sentence in SENTENCES {
        let whole: String = spoken(sentence).into_iter().map(|(_, said)| said).collect::<Vec<_>>().join(" ");
        let piece =
            spoken(&format!("{sentence} And then")).first().map_or_else(String::new, |(_, piece)| piece.clone());
        let mut runs: [Vec<(f64, f64)>; 4] = Default::default();
        for _ in 0..RUNS {
            for (run, (engine, text)) in
                runs.iter_mut().zip([(&one, &whole), (&two, &whole), (&one, &piece), (&two, &piece)])
            {
                run.push(first_sound(engine.as_ref(), text));
            }
        }
        let [whole_one, whole_two, piece_one, piece_two] = runs.map(median);
        println!(
            "{:5}  {whole_one:15}   {whole_two:16}   {:14}   {piece_one:8}   {piece_two:9}   {piece}",
            sentence.len(),
            piece.len()
        );
    }
}

fn voice(folder: &str, threads: usize) -> std::sync::Arc<dyn Synthesizer> {
    let at_least_one = |count| NonZeroUsize::new(count).expect("not zero");
    let piper = PiperSettings {
        folder: folder.into(),
        threads: at_least_one(threads),
        workers: at_least_one(1),
        ..PiperSettings::default()
    };
    let settings = SpeechSettings { engine: SpeechEngine::Piper, piper, ..SpeechSettings::default() };
    let engine = choose(&settings).expect("a Piper voice in PIPER_VOICES, and ONNX Runtime");
    first_sound(engine.as_ref(), "It is loaded when this was heard.");
    engine
}

/// What is written and said, piece by piece.
fn spoken(text: &str) -> Vec<(String, String)> {
    let mut splitter = Splitter::new(Some("en"));
    let mut pieces = splitter.push(text);
    pieces.extend(splitter.finish());
    pieces.into_iter().map(|piece| (piece.text, piece.spoken)).collect()
}

/// Milliseconds until the first sound of `text`, and of processor time until all of it was made.
fn first_sound(engine: &dyn Synthesizer, text: &str) -> (f64, f64) {
    let (began, busy) = (Instant::now(), processor_ms());
    let request = SpeakRequest { text: text.into(), voice: None, language: None, speed: 1.0 };
    let mut sound = engine.speak(request);
    let first = sound.blocking_recv().expect("sound").expect("no error");
    let waited = began.elapsed().as_secs_f64() * 1_000.0;
    assert!(!first.samples.is_empty());
    while sound.blocking_recv().is_some() {}
    (waited, processor_ms() - busy)
}

/// Of all threads of this process; Linux tells it in hundredths of a second or better by thread.
fn processor_ms() -> f64 {
    let of = |task: fs::DirEntry| -> Option<f64> {
        let stat = fs::read_to_string(task.path().join("schedstat")).ok()?;
        stat.split(' ').next()?.parse::<f64>().ok()
    };
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten().filter_map(Result::ok);
    tasks.filter_map(of).sum::<f64>() / 1e6
}

fn median(mut runs: Vec<(f64, f64)>) -> String {
    runs.sort_by(|a, b| a.0.total_cmp(&b.0));
    let waited = runs[runs.len() / 2].0;
    runs.sort_by(|a, b| a.1.total_cmp(&b.1));
    format!("{waited:.0} / {:.0}", runs[runs.len() / 2].1)
}
