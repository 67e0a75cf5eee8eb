//! The tally for people and for programs.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::{
    machine,
    options::{Mode, Options},
    recording::Recording,
    tally::{Spread, Tally},
};

/// See the module.
pub struct Report<'a> {
    pub options: &'a Options,
    pub recording: &'a Recording,
    pub tally: &'a Tally,
}

const PERCENTS: [f64; 4] = [50.0, 90.0, 95.0, 99.0];
/// Frames later than this at the 99th percentile mean that the callers' machine was the bottleneck.
const TOO_LATE_MS: f64 = 20.0;

impl Report<'_> {
    /// The stages in the order they happen: name, spread, and what of it the client asked for (silence), in ms.
    fn stages(&self) -> Vec<(&str, &Spread, f64)> {
        let silence = f64::from(self.options.silence_ms);
        let tally = self.tally;
        let mut stages = vec![
            ("connect -> session.ready", &tally.ready, 0.0),
            ("speech start -> first partial", &tally.first_partial, 0.0),
            ("speech end -> final", &tally.last_final, silence),
        ];
        if self.options.mode == Mode::Converse {
            stages.push(("speech end -> first reply text", &tally.first_text, silence));
            stages.push(("speech end -> first audio", &tally.first_audio, silence));
        }
        stages
    }

    pub fn table(&self) -> String {
        let mut out = String::new();
        // Writing to a string cannot fail.
        let _ = self.write_table(&mut out);
        out
    }

    fn write_table(&self, out: &mut String) -> std::fmt::Result {
        let Self { options, recording, tally } = self;
        let speech = &recording.speech;
        writeln!(
            out,
            "{} callers, {} turns each, {}: {} ({:.2} s, speech from {:.2} to {:.2} s) to {}",
            options.callers,
            options.turns,
            options.mode.name(),
            recording.name,
            recording.duration().as_secs_f64(),
            speech.start.as_secs_f64(),
            speech.end.as_secs_f64(),
            options.url,
        )?;
        writeln!(out, "callers' machine: {}", machine::name())?;
        writeln!(out, "server: {}\n", tally.engines.as_deref().unwrap_or("no session was started"))?;

        write!(out, "{:<38}{:>6}", "milliseconds", "n")?;
        for percent in PERCENTS {
            write!(out, "{:>9}", format!("p{percent}"))?;
        }
        writeln!(out, "{:>9}", "max")?;
        for (name, spread, silence) in self.stages() {
            row(out, name, spread, 0.0)?;
            if silence > 0.0 {
                row(out, &format!("    minus {silence} ms of silence"), spread, silence)?;
            }
        }
        if !tally.refused.is_empty() {
            row(out, "connect -> refused", &tally.refused, 0.0)?;
        }
        for (name, spread) in &tally.server {
            row(out, &format!("server says: {name}"), spread, 0.0)?;
        }
        row(out, "frames sent late (this program)", &tally.lateness, 0.0)?;

        let counts = tally.counts;
        writeln!(out, "\nturns {} of {}", tally.turns, u64::from(options.callers) * u64::from(options.turns))?;
        writeln!(
            out,
            "partials {}, words taken back {}, stable text changed {}, utterances cut {}",
            counts.partials, counts.revised_words, counts.broken_promises, counts.cut_off
        )?;
        writeln!(
            out,
            "underruns {} ({} ms), chunks out of order {}, gaps in seq {}",
            counts.underruns,
            counts.underrun_time.as_millis(),
            counts.chunks_out_of_order,
            counts.seq_gaps
        )?;
        let list = |pairs: Vec<(String, u32)>| {
            let listed: Vec<_> = pairs.iter().map(|(name, count)| format!("{name} x{count}")).collect();
            if listed.is_empty() { "none".to_owned() } else { listed.join(", ") }
        };
        writeln!(out, "errors: {}", list(tally.errors.clone().into_iter().collect()))?;
        let closes = tally.closes.iter().map(|(code, count)| (code.to_string(), *count)).collect();
        writeln!(out, "close codes: {}", list(closes))?;
        if tally.lateness.percentile(99.0) > TOO_LATE_MS {
            writeln!(out, "warning: this machine sent frames late; the numbers are partly its own")?;
        }
        for (failure, count) in tally.failures(options.allow_refused) {
            writeln!(out, "FAILED x{count}: {failure}")?;
        }
        Ok(())
    }

    pub fn json(&self) -> Value {
        let Self { options, recording, tally } = self;
        let stages: serde_json::Map<_, _> = self
            .stages()
            .into_iter()
            .map(|(name, spread, silence)| {
                let mut stage = spread_json(spread);
                if silence > 0.0 {
                    stage["minus_silence_ms"] = json!(silence);
                }
                (name.to_owned(), stage)
            })
            .collect();
        let server: serde_json::Map<_, _> =
            tally.server.iter().map(|(name, spread)| (name.clone(), spread_json(spread))).collect();
        let closes: serde_json::Map<_, _> =
            tally.closes.iter().map(|(code, count)| (code.to_string(), json!(count))).collect();
        let counts = tally.counts;
        json!({
            "url": options.url, "callers": options.callers, "turns_each": options.turns, "mode": options.mode.name(),
            "machine": machine::name(), "server": tally.engines,
            "recording": {
                "name": recording.name, "duration_ms": recording.duration().as_millis() as u64,
                "speech_start_ms": recording.speech.start.as_millis() as u64,
                "speech_end_ms": recording.speech.end.as_millis() as u64,
            },
            "stages": stages, "server_timings": server, "refused": spread_json(&tally.refused),
            "frames_late": spread_json(&tally.lateness), "turns": tally.turns,
            "partials": counts.partials, "revised_words": counts.revised_words,
            "stable_changed": counts.broken_promises, "cut_off": counts.cut_off, "underruns": counts.underruns,
            "underrun_ms": counts.underrun_time.as_millis() as u64,
            "chunks_out_of_order": counts.chunks_out_of_order, "seq_gaps": counts.seq_gaps,
            "errors": tally.errors, "closes": closes, "failures": tally.failures(options.allow_refused),
        })
    }
}

/// One line of the table, less `minus`; nothing comes before it happened, so never below zero.
fn row(out: &mut String, name: &str, spread: &Spread, minus: f64) -> std::fmt::Result {
    write!(out, "{name:<38}{:>6}", spread.len())?;
    let values = PERCENTS.iter().map(|&percent| spread.percentile(percent)).chain([spread.max()]);
    for value in values {
        if spread.is_empty() {
            write!(out, "{:>9}", "-")?;
        } else {
            write!(out, "{:>9.1}", (value - minus).max(0.0))?;
        }
    }
    writeln!(out)
}

fn spread_json(spread: &Spread) -> Value {
    if spread.is_empty() {
        return json!({"n": 0});
    }
    let [p50, p90, p95, p99] = PERCENTS.map(|percent| spread.percentile(percent));
    json!({"n": spread.len(), "p50_ms": p50, "p90_ms": p90, "p95_ms": p95, "p99_ms": p99, "max_ms": spread.max()})
}
