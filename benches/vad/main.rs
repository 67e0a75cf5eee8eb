//! How well each voice detector tells voice from the rest, and what it costs: `cargo bench --bench vad`.
//!
//! Thresholds were chosen on other sentences, voices and seeds (`-- --tuning`) than those reported.

mod measure;
mod sounds;

use aigolos::{
    audio::{Mono16k, Pcm, Resampler, SampleRate},
    engine::vad::VadEngine,
};
use sounds::{Cast, Speech};

fn main() {
    let cast = if std::env::args().any(|arg| arg == "--tuning") { &sounds::TUNING } else { &sounds::REPORT };
    let speech = sounds::speech(cast);
    println!("machine: {}", machine());
    println!(
        "{} utterances by {} voices in {} s; ends after {} ms\n",
        speech.utterances.len(),
        cast.espeak.len() + cast.flite.len(),
        speech.samples.len() / 16_000,
        500
    );
    with_speech(cast, &speech);
    without_voice(cast);
    costs(cast, &speech);
}

fn with_speech(cast: &Cast, speech: &Speech) {
    let mut conditions = vec![
        ("clean".to_owned(), sounds::sound(speech.samples.iter().copied())),
        ("30 dB quieter".to_owned(), sounds::sound(speech.samples.iter().map(|s| s * 0.0316))),
    ];
    for (name, noise) in sounds::backgrounds(cast) {
        for snr in [20, 10, 5, 0] {
            conditions.push((format!("{name} {snr} dB"), sounds::mix(&speech.samples, &noise, f64::from(snr))));
        }
    }
    println!("                        frames, %              segments");
    println!(
        "sound          engine    found  false   found split false/min  false %   delay ms p50/p95  clipped p95  end ms p5/p50/p95"
    );
    for (name, sound) in &conditions {
        for engine in VadEngine::ALL {
            let frames = measure::frames(engine, sound, &speech.truth);
            let segments = measure::segments(engine, sound, Some(speech));
            println!(
                "{name:14} {:8} {:6.1} {:6.1}  {:3}/{:2} {:5} {:9.1} {:8.1} {:10.0} /{:5.0} {:12.0} {:8.0} /{:5.0} /{:5.0}",
                engine.as_str(),
                frames.found,
                frames.false_speech,
                segments.found,
                segments.utterances,
                segments.split,
                segments.false_per_minute,
                segments.false_time,
                segments.delay[0],
                segments.delay[1],
                segments.clipped_start,
                segments.end[0],
                segments.end[1],
                segments.end[2],
            );
        }
    }
}

fn without_voice(cast: &Cast) {
    println!("\nsound          engine    frames taken for speech %  segments/min  segment time %");
    for (name, noise) in sounds::voiceless(cast) {
        let sound = sounds::sound(noise.into_iter());
        for engine in VadEngine::ALL {
            let frames = measure::frames(engine, &sound, &vec![Some(false); sound.len() / 320]);
            let segments = measure::segments(engine, &sound, None);
            println!(
                "{name:14} {:8} {:26.1} {:13.1} {:15.1}",
                engine.as_str(),
                frames.false_speech,
                segments.false_per_minute,
                segments.false_time
            );
        }
    }
}

fn costs(cast: &Cast, speech: &Speech) {
    let noise = &sounds::backgrounds(cast)[0].1;
    let sounds = [
        ("speech and pauses", sounds::sound(speech.samples.iter().copied())),
        ("in white noise 0 dB", sounds::mix(&speech.samples, noise, 0.0)),
        ("silence", Mono16k::silence(60_000)),
    ];
    println!("\nmicroseconds of CPU per second of sound");
    println!("{:20} {:>8} {:>8} {:>8}", "", "webrtc", "earshot", "cascade");
    for (name, sound) in &sounds {
        let [webrtc, earshot, cascade] = VadEngine::ALL.map(|engine| measure::cost(engine, sound));
        println!("{name:20} {webrtc:8.0} {earshot:8.0} {cascade:8.0}");
    }
    let minute = Pcm::new(SampleRate::HZ_48000, vec![1_000; 60 * 48_000]);
    let resampling = measure::cost_of(60.0, || Resampler::whole(&minute));
    println!("resampling 48 kHz to 16 kHz, beside: {resampling:.0}");
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, name)| name);
    format!("{}, {cores} cores", model.unwrap_or(std::env::consts::ARCH))
}
