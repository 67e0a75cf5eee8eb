//! What is said: sentences of the bundled model's vocabulary, by several synthetic voices.

use std::process::Command;

use aigolos::audio::{Pcm, RateConverter, SampleRate, read_wav};

const SENTENCES: [&str; 12] = [
    "What time is it?",
    "Hello, how are you?",
    "Tell me a joke.",
    "What is five plus seven?",
    "Turn on the light in the kitchen.",
    "What day is it today?",
    "My name is Alice.",
    "Can you help me?",
    "Set a timer for ten minutes.",
    "What is nine minus four?",
    "Please say that again.",
    "What is the weather like in London?",
];
const VOICES: [(&str, &str); 3] = [("en-us", "150"), ("en-gb", "165"), ("en-us+f3", "140")];

/// One utterance, and where in it somebody speaks.
pub struct Utterance {
    pub text: &'static str,
    spoken: Pcm,
    pub start_ms: u64,
    pub end_ms: u64,
}

impl Utterance {
    /// Its samples at `rate`.
    pub fn samples(&self, rate: u32) -> Vec<i16> {
        RateConverter::whole(&self.spoken, SampleRate::new(rate).expect("a rate of sound")).samples
    }
}

/// Every sentence by every voice.
pub fn all() -> Vec<Utterance> {
    let sentences = SENTENCES.iter().flat_map(|text| VOICES.iter().map(move |voice| (*text, *voice)));
    sentences.map(|(text, (voice, speed))| spoken(text, voice, speed)).collect()
}

fn spoken(text: &'static str, voice: &str, speed: &str) -> Utterance {
    let output = Command::new("espeak-ng").args(["-v", voice, "-s", speed, "--stdout", text]).output();
    let wav = read_wav(output.expect("espeak-ng is installed").stdout.as_slice()).expect("espeak-ng writes WAV");
    let samples = RateConverter::whole(&wav, SampleRate::HZ_16000).samples;
    // Steps of 10 ms within 40 dB of the loudest are speech, as in the bench of the voice detectors.
    let energy: Vec<f64> =
        samples.chunks(160).map(|step| step.iter().map(|&sample| f64::from(sample).powi(2)).sum()).collect();
    let floor = energy.iter().copied().fold(0.0, f64::max) / 10_000.0;
    let first = energy.iter().position(|step| *step > floor).expect("somebody speaks");
    let last = energy.iter().rposition(|step| *step > floor).expect("somebody speaks");
    Utterance { text, spoken: wav, start_ms: first as u64 * 10, end_ms: (last as u64 + 1) * 10 }
}
