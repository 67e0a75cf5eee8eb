//! How soon one live session answers: `cargo bench --bench latency`.
//!
//! A server with the bundled engines in this process, one session over a real WebSocket, utterances by espeak-ng streamed
//! in real time. `-- --quick` says six of them instead of all. `-- --realtime` compares OpenAI's Realtime protocol with the native
//! one: a session of each, the same samples said to them in turn.

mod caller;
mod mouth;
mod realtime;
mod utterance;

use std::{ffi::OsString, net::SocketAddr, time::Duration};

use aigolos::app::{self, config::Config};
use hdrhistogram::Histogram;
use tokio::{net::TcpListener, sync::oneshot};

use caller::{Caller, Turn};
use realtime::RealtimeCaller;

/// What the client asks for; taken off the times after the end of speech.
const SILENCE_MS: u32 = 500;

fn main() {
    let asked = |flag: &str| std::env::args().any(|argument| argument == flag);
    let most = if asked("--quick") { 6 } else { usize::MAX };
    let runtime = tokio::runtime::Runtime::new().expect("the async runtime starts");
    if asked("--realtime") {
        let turns = runtime.block_on(served(async |address| compared(address, most).await));
        report_comparison(&turns);
    } else {
        let turns = runtime.block_on(served(async |address| measure(address, most).await));
        report(&turns);
    }
    runtime.shutdown_timeout(Duration::from_secs(1));
}

/// What `work` gives while a server with the bundled engines runs.
async fn served<T>(work: impl AsyncFnOnce(SocketAddr) -> T) -> T {
    let line = ["aigolos", "--asr-model-name", "nano", "--tts-engine", "espeak", "--llm-backend", "builtin"];
    let (_, config) = Config::parse(line.map(OsString::from)).expect("these are flags");
    let engines = app::engines(&config).await.expect("the bundled engines load");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(async move {
        let stop = async {
            let _ = stopped.await;
        };
        app::run(&config, engines, listener, stop, |_| {}).await
    });
    let result = work(address).await;
    let _ = stop.send(());
    server.await.expect("the server does not panic").expect("the listener holds");
    result
}

async fn measure(address: SocketAddr, most: usize) -> Vec<Turn> {
    let mut caller = Caller::start(address, 16_000, SILENCE_MS).await;
    println!("machine: {}\n{}\n", machine(), caller.engines);
    let mut turns = Vec::new();
    for utterance in utterance::all().into_iter().take(most) {
        let turn = caller.say(&utterance).await;
        println!("{:44} {:44} {}", utterance.text, turn.heard, turn.outcome());
        turns.push(turn);
    }
    turns
}

/// Each utterance by the native protocol and by Realtime, at the same rate; which goes first changes.
async fn compared(address: SocketAddr, most: usize) -> Vec<(Turn, Turn)> {
    let mut native = Caller::start(address, realtime::RATE, SILENCE_MS).await;
    let mut realtime = RealtimeCaller::start(address, SILENCE_MS).await;
    println!("machine: {}, {}\n{}\n", machine(), load(), native.engines);
    let mut turns = Vec::new();
    for (index, utterance) in utterance::all().into_iter().take(most).enumerate() {
        let (one, other) = if index % 2 == 0 {
            let one = native.say(&utterance).await;
            (one, realtime.say(&utterance).await)
        } else {
            let other = realtime.say(&utterance).await;
            (native.say(&utterance).await, other)
        };
        println!("{:44} native {:32} realtime {}", utterance.text, one.outcome(), other.outcome());
        turns.push((one, other));
    }
    turns
}

fn report_comparison(turns: &[(Turn, Turn)]) {
    let ms = |turn: &Turn| turn.first_audio.map(|duration| duration.as_secs_f64() * 1_000.0);
    let both: Vec<(f64, f64)> = turns.iter().filter_map(|(one, other)| Some((ms(one)?, ms(other)?))).collect();
    println!("\n{} utterances, {} answered aloud by both; {} at the end\n", turns.len(), both.len(), load());
    println!("{:52}{:>4}{:>8}{:>8}{:>8}{:>8}", "speech end -> first audio, ms", "n", "p50", "p90", "p95", "max");
    let mut columns = [
        ("native", both.iter().map(|(native, _)| *native).collect::<Vec<_>>()),
        ("realtime", both.iter().map(|(_, realtime)| *realtime).collect()),
        (
            "realtime less native, of the same utterance",
            both.iter().map(|(native, realtime)| realtime - native).collect(),
        ),
    ];
    for (name, values) in &mut columns {
        values.sort_by(f64::total_cmp);
        print!("{name:52}{:>4}", values.len());
        for percent in [50, 90, 95, 100] {
            // The smallest value that so many percent do not exceed; differences may be below zero.
            let at = (values.len() * percent).div_ceil(100).saturating_sub(1);
            print!("{:>8.1}", values.get(at).copied().unwrap_or(f64::NAN));
        }
        println!();
    }
}

fn report(turns: &[Turn]) {
    let answered = turns.iter().filter(|turn| turn.first_audio.is_some()).count();
    println!("\n{} utterances, {answered} answered aloud, in one session\n", turns.len());
    println!("{:52}{:>4}{:>8}{:>8}{:>8}{:>8}{:>8}", "milliseconds", "n", "p50", "p90", "p95", "p99", "max");
    let silence = f64::from(SILENCE_MS);
    let ms = |duration: Option<Duration>| duration.map(|duration| duration.as_secs_f64() * 1_000.0);
    row("speech start -> first partial", turns.iter().filter_map(|turn| ms(turn.first_partial)));
    row(
        "speech end -> final, less the silence",
        turns.iter().filter_map(|turn| ms(turn.last_final)).map(|t| t - silence),
    );
    row("speech end -> first audio", turns.iter().filter_map(|turn| ms(turn.first_audio)));
    row(
        "speech end -> first audio, less the silence",
        turns.iter().filter_map(|turn| ms(turn.first_audio)).map(|t| t - silence),
    );
    for stage in
        ["soft_end", "final_transcript", "first_token", "first_sentence", "first_sound", "hard_end", "first_audio"]
    {
        let name = format!("{stage}_ms");
        let values = turns.iter().filter_map(|turn| turn.server[&name].as_f64());
        row(&format!("the server's own {name}"), values);
    }
    // The server's clock starts at its last voiced frame, so this is free of where our loudness says speech ended.
    let own = turns
        .iter()
        .filter_map(|turn| Some(turn.server["first_audio_ms"].as_f64()? - turn.server["hard_end_ms"].as_f64()?));
    row("the server's own first audio after its hard end", own);
}

fn row(name: &str, values: impl Iterator<Item = f64>) {
    // Tenths of a millisecond; a histogram knows no negative ones, and being early is as good as being on time.
    let mut histogram = Histogram::<u64>::new(3).expect("three digits are allowed");
    for value in values {
        histogram.record((value.max(0.0) * 10.0).round() as u64).expect("it grows by itself");
    }
    print!("{name:52}{:>4}", histogram.len());
    for percent in [50.0, 90.0, 95.0, 99.0, 100.0] {
        print!("{:>8.1}", histogram.value_at_percentile(percent) as f64 / 10.0);
    }
    println!();
}

fn machine() -> String {
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!("{}, {cores} cores", model.map_or(std::env::consts::ARCH, |(_, name)| name))
}

/// How busy the machine is with anything.
fn load() -> String {
    let loadavg = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    format!("load {}", loadavg.split(' ').next().unwrap_or("unknown"))
}
