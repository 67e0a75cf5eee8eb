//! What recognition costs and how steady its live text is: `cargo bench --bench recognition`.
//!
//! Offline against a bare `whisper_full` call and against pywhispercpp with the same model, files and number of
//! threads; streamed against one offline pass over the same audio. docs/benchmarks.md explains the figures.

mod offline;
mod recordings;
mod streamed;
mod times;

use aigolos::engine::whisper::{Whisper, WhisperSettings};

/// The model that everybody here runs.
const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models/nano/aigolos-nano-en-q5_1.bin");

fn main() {
    let whisper = Whisper::load(WhisperSettings { workers: 1, threads_per_worker: 1, ..WhisperSettings::default() });
    let whisper = whisper.expect("the bundled model loads");
    let recordings = recordings::all();
    println!("machine: {}", machine());
    let seconds: f32 = recordings.iter().map(|recording| recording.audio.ms() as f32 / 1000.0).sum();
    println!("{} recordings, {seconds:.0} s, bundled model, 1 worker, 1 thread\n", recordings.len());
    offline::report(&whisper, &recordings);
    streamed::report(&whisper, &recordings);
    times::report(&whisper);
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, name)| name);
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or("?").to_owned();
    format!("{}, {cores} cores, load {load} before the start", model.unwrap_or(std::env::consts::ARCH))
}

/// The value below which `part` of `values` lie.
fn percentile(values: &[f64], part: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = (part * (sorted.len().max(1) - 1) as f64).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}
