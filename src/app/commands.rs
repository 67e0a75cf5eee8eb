//! What `aigolos` does besides serving.

pub mod backup;
pub mod dev_cert;
pub mod models;
pub mod shell;
pub mod user;

use std::{fs, io::IsTerminal, path::Path, process::ExitCode, time::Duration};

use super::{
    config::Config,
    engines::{recognizer, speech},
};
use crate::{
    audio::{Pcm, RateConverter, Resampler, read_wav, write_wav},
    conversation::{
        offline::{WholeOptions, transcribe_whole},
        sentence::Splitter,
    },
    engine::{SpeakRequest, Speaker, speech::spoken_language, vad},
};

/// Recordings longer than this show how far they are.
const LONG: Duration = Duration::from_secs(20);

type Outcome = Result<ExitCode, Box<dyn std::error::Error>>;

/// `aigolos config`.
#[expect(clippy::unnecessary_wraps, reason = "all commands end alike")]
pub fn print_config(config: &Config) -> Outcome {
    print!("{}", config.redacted());
    Ok(ExitCode::SUCCESS)
}

/// `aigolos transcribe`.
pub async fn transcribe(config: &Config, file: &Path, words: bool) -> Outcome {
    let opened = fs::File::open(file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    let pcm = read_wav(std::io::BufReader::new(opened)).map_err(|error| format!("{}: {error}", file.display()))?;
    let recognizer = recognizer(config)?;
    let mut detector = vad::detector(config.settings.vad_engine);
    let language = (config.settings.default_language != "auto").then(|| config.settings.default_language.clone());
    let options = WholeOptions { language, words, ..WholeOptions::default() };
    let shows_progress = pcm.duration() > LONG && std::io::stderr().is_terminal();
    let audio = Resampler::whole(&pcm);
    let transcript = transcribe_whole(recognizer.as_ref(), detector.as_mut(), &audio, &options, |done| {
        if shows_progress {
            eprint!("\r{:3.0} %", done * 100.0);
        }
    })
    .await
    .map_err(|error| format!("{error}\nhint: {}", error.hint()))?;
    if shows_progress {
        eprintln!();
    }
    if let Some(reason) = transcript.rejected {
        eprintln!("no words: {reason}");
    }
    println!("{}", transcript.text);
    for word in &transcript.words {
        println!("{:>8} {:>8}  {}", word.start_ms, word.end_ms, word.text);
    }
    Ok(ExitCode::SUCCESS)
}

/// `aigolos say`.
pub async fn say(config: &Config, text: &str, output: &Path, voice: Option<String>) -> Outcome {
    let engine = speech(config)?;
    if let Some(voice) = voice.as_ref().filter(|wanted| engine.voices().iter().all(|known| known.id != **wanted)) {
        return Err(format!("there is no voice {voice}\nhint: `aigolos check` lists the voices").into());
    }
    let language = spoken_language(engine.as_ref(), voice.as_deref(), None);
    let mut splitter = Splitter::new(language.as_deref());
    let mut sentences = splitter.push(text);
    sentences.extend(splitter.finish());
    let mut whole: Option<Pcm> = None;
    let mut speakers: Vec<Speaker> = Vec::new();
    for sentence in sentences.into_iter().filter(|sentence| !sentence.spoken.trim().is_empty()) {
        let request = SpeakRequest { text: sentence.spoken, voice: voice.clone(), language: None, speed: 1.0 };
        let speaker = engine.speaker(&request);
        if !speakers.contains(&speaker) {
            speakers.push(speaker);
        }
        let mut sound = engine.speak(request);
        while let Some(piece) = sound.recv().await {
            let piece = piece.map_err(|error| format!("{error}\nhint: {}", error.hint()))?;
            let whole = whole.get_or_insert_with(|| Pcm::new(piece.rate, Vec::new()));
            let piece = if piece.rate == whole.rate { piece } else { RateConverter::whole(&piece, whole.rate) };
            whole.samples.extend(piece.samples);
        }
    }
    let whole = whole.ok_or("there is nothing to say in that text\nhint: give it words")?;
    fs::write(output, write_wav(&whole)).map_err(|error| format!("{} cannot be written: {error}", output.display()))?;
    // On stderr: the sound may go to stdout, and scripts read that.
    let names: Vec<String> = speakers.iter().map(|speaker| format!("{} {}", speaker.engine, speaker.voice)).collect();
    eprintln!("spoken by {}", names.join(" and "));
    if let Some(hint) = engine.info().hint {
        eprintln!("hint: {hint}");
    }
    Ok(ExitCode::SUCCESS)
}
