//! How far word times are from where the words are: words spoken one by one and joined with short gaps.

use std::sync::Arc;

use aigolos::{
    audio::Mono16k,
    engine::{Priority, RecognizeRequest, Recognizer, whisper::Whisper},
    model::SessionId,
};

use crate::{
    percentile,
    recordings::{bare, speak},
};

const GAP_MS: u32 = 60;

pub fn report(whisper: &Whisper) {
    let sentences = [
        "turn on the kitchen light",
        "set a timer for seven minutes",
        "tell me another joke please",
        "what time is it now",
    ];
    let (mut starts, mut ends, mut missed) = (vec![], vec![], 0);
    for voice in ["en-us", "en-gb+m5", "en-us+f3"] {
        for sentence in sentences {
            let mut audio = Mono16k::silence(300);
            let mut truth = vec![];
            for word in sentence.split(' ') {
                let sound = trimmed(&speak(voice, word));
                truth.push((audio.ms(), audio.ms() + sound.ms()));
                audio.append(&sound);
                audio.append(&Mono16k::silence(GAP_MS));
            }
            let request = RecognizeRequest {
                session: SessionId::fresh(),
                priority: Priority::Final,
                audio: Arc::new(audio),
                language: None,
                prompt: None,
                words: true,
                translate: false,
                temperature: None,
            };
            let heard = whisper.submit(request).blocking_recv().expect("answered").expect("decodes");
            if bare(&heard.text) != bare(sentence) {
                missed += 1;
                continue;
            }
            for (word, (start, end)) in heard.words.iter().zip(truth) {
                starts.push(f64::from(word.start_ms) - f64::from(start));
                ends.push(f64::from(word.end_ms) - f64::from(end));
            }
        }
    }
    println!("word times: {} words of {} sentences ({missed} misheard)", starts.len(), 12 - missed);
    for (name, errors) in [("start", &starts), ("end", &ends)] {
        let sizes: Vec<f64> = errors.iter().map(|error| error.abs()).collect();
        println!(
            "  {name:5} error: p50 {:+.0} ms; size p50 {:.0} ms  p90 {:.0} ms",
            percentile(errors, 0.5),
            percentile(&sizes, 0.5),
            percentile(&sizes, 0.9)
        );
    }
}

/// Without the silence around it.
fn trimmed(audio: &Mono16k) -> Mono16k {
    let loud = |sample: &i16| sample.unsigned_abs() > 300;
    let samples = audio.samples();
    let from = samples.iter().position(loud).unwrap_or(0);
    let to = samples.iter().rposition(loud).map_or(samples.len(), |at| at + 1);
    audio.slice(from..to)
}
