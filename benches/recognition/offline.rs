//! One recording, one decode: ours, the bare library call, and pywhispercpp, in turns.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Arc,
    time::Instant,
};

use aigolos::{
    audio::{Mono16k, Pcm, SampleRate, write_wav},
    engine::{Priority, RecognizeRequest, Recognizer, whisper::Whisper},
    model::SessionId,
};
use whisper_rs::{FullParams, SamplingStrategy, WhisperContext, WhisperContextParameters, WhisperState};

use crate::{
    MODEL, percentile,
    recordings::{Recording, bare},
};

const ROUNDS: usize = 5;
pub fn report(whisper: &Whisper, recordings: &[Recording]) {
    // What does not fit into one call is another matter: bare calls lose the rest.
    let recordings: Vec<&Recording> =
        recordings.iter().filter(|r| r.audio.ms() <= whisper.max_audio().as_millis() as u32).collect();
    let mut parameters = WhisperContextParameters::default();
    parameters.use_gpu(false);
    let context = WhisperContext::new_with_params(MODEL, parameters).expect("the model loads");
    let mut state = context.create_state().expect("a state");
    let mut peer = Peer::start();
    if peer.is_none() {
        println!("pywhispercpp: not measured, BENCH_PYTHON names no Python that has it");
    }
    // Per recording and round: ours, bare, bare with the same context, pywhispercpp.
    let mut times: [Vec<f64>; 4] = Default::default();
    let mut right = [0_usize; 4];
    for round in 0..=ROUNDS {
        for recording in &recordings {
            let steps = (recording.audio.len().div_ceil(320) + 12).next_multiple_of(32).max(128) as i32;
            for turn in 0..4 {
                let who = (turn + round) % 4;
                let (ms, text) = match who {
                    0 => ours(whisper, &recording.audio),
                    1 => full(&mut state, &recording.audio, 0),
                    2 => full(&mut state, &recording.audio, steps),
                    _ => match &mut peer {
                        Some(peer) => peer.transcribe(&recording.audio),
                        None => continue,
                    },
                };
                if round > 0 {
                    times[who].push(ms);
                    right[who] += usize::from(bare(&text) == bare(&recording.text));
                }
            }
        }
    }
    println!("offline          ms p50 /   p90   all words right   ours / this: p10   p50   p90");
    let names = ["ours", "whisper_full", "  same context", "pywhispercpp"];
    for ((name, theirs), right) in names.iter().zip(&times).zip(right) {
        if theirs.is_empty() {
            continue;
        }
        let ratios: Vec<f64> = times[0].iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
        println!(
            "{name:15} {:7.1} / {:5.1} {:14.0} %  {:17.3} {:5.3} {:5.3}",
            percentile(theirs, 0.5),
            percentile(theirs, 0.9),
            100.0 * right as f64 / theirs.len() as f64,
            percentile(&ratios, 0.1),
            percentile(&ratios, 0.5),
            percentile(&ratios, 0.9),
        );
    }
    println!();
    floors(&mut state, &recordings);
}

/// Encoder contexts to compare, in steps of 20 ms.
const CONTEXTS: [i32; 7] = [64, 96, 128, 192, 256, 384, 512];

/// What a smaller encoder context saves, and costs: the bare call on the sentences that fit into the smallest.
fn floors(state: &mut WhisperState, recordings: &[&Recording]) {
    let sentences: Vec<&&Recording> = recordings.iter().filter(|recording| recording.audio.ms() < 1_200).collect();
    println!("encoder context, {} sentences below 1.2 s", sentences.len());
    let mut times: [Vec<f64>; 7] = Default::default();
    let mut right = [0_usize; 7];
    for _ in 0..ROUNDS {
        for recording in &sentences {
            for (at, context) in CONTEXTS.into_iter().enumerate() {
                let (ms, text) = full(state, &recording.audio, context);
                times[at].push(ms);
                right[at] += usize::from(bare(&text) == bare(&recording.text));
            }
        }
    }
    for ((context, times), right) in CONTEXTS.iter().zip(times).zip(right) {
        let share = 100.0 * right as f64 / times.len() as f64;
        println!("  {context:4} steps: p50 {:6.1} ms   all words right {share:.0} %", percentile(&times, 0.5));
    }
    println!();
}

pub fn ours(whisper: &Whisper, audio: &Mono16k) -> (f64, String) {
    let audio = Arc::new(audio.clone());
    let started = Instant::now();
    let request = RecognizeRequest {
        session: SessionId::fresh(),
        priority: Priority::Final,
        audio,
        language: None,
        prompt: None,
        words: false,
        translate: false,
        temperature: None,
    };
    let heard = whisper.submit(request).blocking_recv().expect("answered").expect("decodes");
    (started.elapsed().as_secs_f64() * 1e3, heard.text)
}

/// The plain call with the library's defaults, greedy, one thread, no second tries.
fn full(state: &mut WhisperState, audio: &Mono16k, context: i32) -> (f64, String) {
    let started = Instant::now();
    let mut parameters = FullParams::new(SamplingStrategy::Greedy { best_of: 1 });
    parameters.set_n_threads(1);
    parameters.set_language(Some("en"));
    parameters.set_temperature_inc(0.0);
    parameters.set_print_progress(false);
    parameters.set_print_timestamps(false);
    parameters.set_audio_ctx(context);
    state.full(parameters, &audio.to_f32()).expect("decodes");
    let text: String = state.as_iter().map(|segment| segment.to_str_lossy().unwrap_or_default().into_owned()).collect();
    (started.elapsed().as_secs_f64() * 1e3, text)
}

/// A Python process that decodes the files it is told and measures itself.
struct Peer {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    folder: tempfile::TempDir,
}

impl Peer {
    fn start() -> Option<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/recognition/pywhispercpp_bench.py");
        let python = env::var_os("BENCH_PYTHON").map_or_else(|| PathBuf::from("python3"), PathBuf::from);
        let mut command = Command::new(python);
        let mut child = command
            .args([script, MODEL])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let (input, output) = (child.stdin.take()?, BufReader::new(child.stdout.take()?));
        let mut peer = Self { child, input, output, folder: tempfile::tempdir().ok()? };
        (peer.line()? == "ready").then_some(peer)
    }

    fn transcribe(&mut self, audio: &Mono16k) -> (f64, String) {
        let path = self.folder.path().join("recording.wav");
        let wav = write_wav(&Pcm::new(SampleRate::HZ_16000, audio.samples().to_vec()));
        std::fs::write(&path, wav).expect("a scratch file");
        writeln!(self.input, "{}", path.display()).expect("pywhispercpp lives");
        let answer = self.line().expect("pywhispercpp answers");
        let (ms, text) = answer.split_once('\t').expect("time, tab, text");
        (ms.parse().expect("a number"), text.to_owned())
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.output.read_line(&mut line).ok()?;
        Some(line.trim().to_owned())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
