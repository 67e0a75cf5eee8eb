//! What a first decode's encoder context costs and loses: `cargo bench --bench contexts -- MODEL FOLDER`.
//!
//! Decodes every WAV file of FOLDER with MODEL (a ggml file) under a number of context policies, once each, on one
//! thread and without second tries, and then as the server does it. Prints a line for each decode, tab-separated: policy,
//! file, CPU seconds, mean log-probability, no-speech probability, tries, text. `scripts/quality` makes word error
//! rates of such texts; the policies chosen from them are in `src/engine/whisper/policy.rs`.

use std::{fs, path::PathBuf, sync::Arc};

use aigolos::{
    audio::{Resampler, read_wav},
    engine::{
        Priority, RecognizeRequest, Recognizer,
        whisper::{ContextPolicy, Whisper, WhisperModel, WhisperSettings},
    },
    model::SessionId,
};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let [model, folder, rest @ ..] = arguments.as_slice() else {
        println!("usage: cargo bench --bench contexts -- MODEL FOLDER [LANGUAGE or -] [POLICY...]");
        return;
    };
    let language = rest.first().filter(|language| *language != "-").cloned();
    let wanted: Vec<&String> = rest.iter().skip(1).collect();
    for (name, context, fallback) in policies() {
        if !wanted.is_empty() && !wanted.iter().any(|wanted| **wanted == name) {
            continue;
        }
        let model = WhisperModel::File(PathBuf::from(model));
        let settings = WhisperSettings { workers: 1, threads_per_worker: 1, ..WhisperSettings::for_machine(model, 1) };
        let whisper = Whisper::load(WhisperSettings { context, fallback, ..settings }).expect("the model loads");
        for (file, audio) in recordings(folder) {
            let before = cpu_seconds();
            let request = RecognizeRequest {
                session: SessionId::fresh(),
                priority: Priority::Final,
                audio: Arc::new(audio),
                language: language.clone(),
                prompt: None,
                words: false,
                translate: false,
                temperature: None,
            };
            let heard = whisper.submit(request).blocking_recv().expect("answered").expect("decodes");
            let cpu = cpu_seconds() - before;
            let (mean, no_speech) = (heard.mean_log_probability, heard.no_speech_probability.unwrap_or(-1.0));
            let (text, rejected) = (heard.text, heard.rejected.unwrap_or("-"));
            println!("{name}\t{file}\t{cpu:.2}\t{mean:.3}\t{no_speech:.3}\t{rejected}\t{text}");
        }
    }
}

/// Name, policy of the first try, whether there are others.
fn policies() -> Vec<(String, Option<ContextPolicy>, bool)> {
    let mut policies = vec![];
    for (floor, margin) in
        [(256, 128), (384, 128), (512, 128), (640, 128), (768, 128), (768, 256), (1024, 256), (1500, 0)]
    {
        for timestamps in [false, true] {
            let name = format!("{floor}+{margin}{}", if timestamps { "t" } else { "" });
            policies.push((name, Some(ContextPolicy { floor, margin, grain: 64, timestamps }), false));
        }
    }
    policies.push(("server".into(), None, true));
    policies
}

fn recordings(folder: &str) -> Vec<(String, aigolos::audio::Mono16k)> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("read").path()).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "wav"));
    files.sort();
    let read = |path: PathBuf| {
        let audio = Resampler::whole(&read_wav(fs::File::open(&path).expect("opens")).expect("a WAV file"));
        (path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), audio)
    };
    files.into_iter().map(read).collect()
}

/// User and system time of this process, in steps of 10 ms.
fn cpu_seconds() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / 100.0
}
