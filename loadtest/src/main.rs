//! Synthetic callers for a voice server that speaks `aigolos.v1`: each streams the same recording in real time, waits
//! for its transcript or its answer, and notes when each stage came. Knows the server by its protocol alone, so it
//! builds without the engines and runs against any machine.

mod caller;
mod machine;
mod options;
mod recording;
mod report;
mod tally;
mod turn;

#[cfg(test)]
mod fake;

use std::{process::ExitCode, sync::Arc};

use clap::Parser;

use self::{options::Options, recording::Recording, report::Report, tally::Tally};

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let recording = match options.check().and_then(|()| Recording::read(&options.file)) {
        Ok(recording) => Arc::new(recording),
        Err(problem) => {
            eprintln!("loadtest: {problem}");
            return ExitCode::from(2);
        }
    };
    let calls = caller::run(&options, &recording).await;
    let tally = Tally::of(&calls);
    let report = Report { options: &options, recording: &recording, tally: &tally };
    if options.json {
        println!("{:#}", report.json());
    } else {
        print!("{}", report.table());
    }
    if tally.failures(options.allow_refused).is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
