//! Sentences of the bundled model's vocabulary, spoken by voices it was not trained on and some it was.

use std::process::Command;

use aigolos::audio::{Mono16k, Resampler, read_wav};

/// What was said, and its sound with nothing before or behind it.
pub struct Recording {
    pub text: String,
    pub audio: Mono16k,
}

/// Accent and variant of espeak-ng; `m5` and `steph` are held out of training.
const VOICES: [&str; 3] = ["en-us", "en-gb+m5", "en-us+steph"];

const TEXTS: [&str; 18] = [
    "What time is it?",
    "Set a timer for ten minutes.",
    "Turn on the light in the kitchen.",
    "What is seven plus eight?",
    "Tell me a joke.",
    "My name is Alice.",
    "Play some jazz.",
    "What's the weather like tomorrow?",
    "Good morning.",
    "Thank you very much.",
    "Remind me in twenty five minutes.",
    "Can you help me?",
    "What is the temperature outside?",
    "Set an alarm for seven in the morning.",
    "How are you today?",
    "Turn off the radio in the living room please.",
    "My favorite color is blue.",
    "Stop the music.",
];

/// Every sentence by every voice; and, per voice, three sentences and all of them in one go.
pub fn all() -> Vec<Recording> {
    let mut recordings = vec![];
    for voice in VOICES {
        recordings.extend(TEXTS.iter().map(|text| Recording { text: (*text).into(), audio: speak(voice, text) }));
        for count in [3, TEXTS.len()] {
            let text = TEXTS[..count].join(" ");
            recordings.push(Recording { audio: speak(voice, &text), text });
        }
    }
    recordings
}

pub fn speak(voice: &str, text: &str) -> Mono16k {
    let output = Command::new("espeak-ng").args(["--stdout", "-v", voice, text]).output();
    let output = output.expect("the bench needs the `espeak-ng` command");
    Resampler::whole(&read_wav(&output.stdout[..]).expect("espeak-ng gives a WAV file"))
}

/// Words without case and punctuation.
pub fn bare(text: &str) -> Vec<String> {
    let clean = |word: &str| word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect();
    text.split_whitespace().map(clean).filter(|word: &String| !word.is_empty()).collect()
}

/// Words that have to be changed, added or left out to make one text of the other.
pub fn edits(one: &[String], other: &[String]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, word) in one.iter().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, against) in other.iter().enumerate() {
            let substitute = diagonal + usize::from(word != against);
            diagonal = row[j + 1];
            row[j + 1] = substitute.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}
