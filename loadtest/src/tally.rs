//! All calls together: how each stage spread, and everything worth counting.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;

use crate::caller::Call;

/// How durations spread; kept to a tenth of a percent.
#[derive(Debug, Clone)]
pub struct Spread(Histogram<u64>);

impl Default for Spread {
    fn default() -> Self {
        Self(Histogram::new(3).expect("three digits are within the histogram's one to five"))
    }
}

impl Spread {
    pub fn add(&mut self, duration: Duration) {
        // It grows by itself up to 2^64, so recording never fails.
        let _ = self.0.record(duration.as_micros() as u64);
    }

    pub fn len(&self) -> u64 {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// In milliseconds.
    pub fn percentile(&self, percent: f64) -> f64 {
        self.0.value_at_percentile(percent) as f64 / 1_000.0
    }

    /// In milliseconds.
    pub fn max(&self) -> f64 {
        self.0.max() as f64 / 1_000.0
    }

    fn merge(&mut self, other: &Self) {
        // For the same reason.
        let _ = self.0.add(&other.0);
    }
}

impl FromIterator<Duration> for Spread {
    fn from_iter<I: IntoIterator<Item = Duration>>(durations: I) -> Self {
        let mut spread = Self::default();
        for duration in durations {
            spread.add(duration);
        }
        spread
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Tally {
    pub ready: Spread,
    pub refused: Spread,
    pub first_partial: Spread,
    pub last_final: Spread,
    pub first_text: Spread,
    pub first_audio: Spread,
    /// The server's own timings, by name.
    pub server: BTreeMap<String, Spread>,
    pub lateness: Spread,
    pub turns: usize,
    pub counts: Counts,
    pub errors: BTreeMap<String, u32>,
    /// How many calls were closed with each code.
    pub closes: BTreeMap<u16, u32>,
    pub engines: Option<String>,
    /// What went wrong, and how often; refusals apart.
    problems: BTreeMap<String, u32>,
}

/// Sums over all turns and calls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub partials: u32,
    pub revised_words: u32,
    pub broken_promises: u32,
    pub cut_off: u32,
    pub underruns: u32,
    pub underrun_time: Duration,
    pub chunks_out_of_order: u32,
    pub seq_gaps: u32,
}

impl Tally {
    pub fn of(calls: &[Call]) -> Self {
        let turns = || calls.iter().flat_map(|call| &call.turns);
        let mut tally = Self {
            ready: calls.iter().filter_map(|call| call.ready).collect(),
            refused: calls.iter().filter_map(|call| call.refused).collect(),
            first_partial: turns().filter_map(|turn| turn.first_partial).collect(),
            last_final: turns().filter_map(|turn| turn.last_final).collect(),
            first_text: turns().filter_map(|turn| turn.first_text).collect(),
            first_audio: turns().filter_map(|turn| turn.first_audio).collect(),
            turns: turns().count(),
            engines: calls.iter().find_map(|call| call.engines.clone()),
            ..Self::default()
        };
        for call in calls {
            tally.lateness.merge(&call.lateness);
            tally.counts.seq_gaps += call.seq_gaps;
            for (code, count) in &call.errors {
                *tally.errors.entry(code.clone()).or_default() += count;
            }
            if let Some(code) = call.close {
                *tally.closes.entry(code).or_default() += 1;
            }
            if let Some(problem) = call.failure.as_ref().filter(|_| call.refused.is_none()) {
                *tally.problems.entry(problem.clone()).or_default() += 1;
            }
        }
        for turn in turns() {
            for (name, ms) in &turn.server {
                tally.server.entry(name.clone()).or_default().add(Duration::from_millis(*ms));
            }
            let counts = &mut tally.counts;
            counts.partials += turn.partials;
            counts.revised_words += turn.revised_words;
            counts.broken_promises += turn.broken_promises;
            counts.cut_off += turn.cut_off;
            counts.underruns += turn.underruns;
            counts.underrun_time += turn.underrun_time;
            counts.chunks_out_of_order += turn.chunks_out_of_order;
        }
        // A failure that ended the call is in both; a turn that failed without is counted here.
        for call in calls {
            for problem in call.turns.iter().filter_map(|turn| turn.failure.as_ref()) {
                if call.failure.as_ref() != Some(problem) {
                    *tally.problems.entry(problem.clone()).or_default() += 1;
                }
            }
        }
        tally
    }

    /// What went wrong, and how often.
    pub fn failures(&self, allow_refused: bool) -> BTreeMap<String, u32> {
        let mut failures = self.problems.clone();
        if !allow_refused && !self.refused.is_empty() {
            failures.insert("refused: the server is full (see --allow-refused)".into(), self.refused.len() as u32);
        }
        failures
    }
}
