//! What the server tells of itself in numbers: each measure's name, kind, labels and meaning, in one table.
//!
//! Counters and histograms are told from where things happen, on any floor: `metrics::histogram!(measure::X, ..)`.
//! Without a recorder that costs next to nothing. States (queue lengths, sessions, ages) are not told but read when
//! somebody asks, by `app::metrics`. docs/operations.md prints the table; a test holds the two equal.
//!
//! Labels are bounded: each either has its values here, or names a set that the server itself makes up. Never an id,
//! never what a client wrote.

mod table;

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

pub use table::*;

/// What a measure is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Counter,
    Gauge,
    /// With the upper bounds of its buckets.
    Histogram(&'static [f64]),
}

impl Kind {
    /// As Prometheus calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }
}

/// What a label can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// One of these; every one is there from the start, at zero, so that the first event is seen as a change.
    These(&'static [&'static str]),
    /// One of a set that is made elsewhere in the server, described here.
    Of(&'static str),
}

/// One line of the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measure {
    pub name: &'static str,
    pub kind: Kind,
    pub labels: &'static [(&'static str, Values)],
    /// One sentence, without a full stop.
    pub help: &'static str,
    /// Told from where it happens; `false`: read when somebody asks.
    pub told: bool,
}

impl Measure {
    /// By its name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        ALL.iter().find(|measure| measure.name == name)
    }

    /// Its unit, which its name ends in.
    #[must_use]
    pub fn unit(&self) -> Option<&'static str> {
        let name = self.name.strip_suffix("_total").unwrap_or(self.name);
        ["seconds", "bytes", "ratio"].into_iter().find(|unit| name.ends_with(unit))
    }

    /// Every combination of its labels, where all of them are known.
    #[must_use]
    pub fn combinations(&self) -> Vec<Vec<(&'static str, &'static str)>> {
        let mut all = vec![Vec::new()];
        for (label, values) in self.labels {
            let Values::These(values) = values else { return Vec::new() };
            all = all
                .into_iter()
                .flat_map(|known: Vec<_>| {
                    values.iter().map(move |value| [known.clone(), vec![(*label, *value)]].concat())
                })
                .collect();
        }
        all
    }
}

/// Time that adds up: the recorder's counters are whole numbers, and seconds are not.
#[derive(Debug, Default)]
pub struct Seconds(AtomicU64);

impl Seconds {
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    pub fn add(&self, more: Duration) {
        self.0.fetch_add(more.as_micros() as u64, Ordering::Relaxed);
    }

    #[must_use]
    pub fn get(&self) -> f64 {
        self.0.load(Ordering::Relaxed) as f64 / 1e6
    }
}

/// Sound that clients sent.
pub static RECEIVED: Seconds = Seconds::new();
/// Sound that clients were sent.
pub static SENT: Seconds = Seconds::new();
/// Sound that was recognised.
pub static RECOGNIZED: Seconds = Seconds::new();
/// Sound that was made of text.
pub static SYNTHESIZED: Seconds = Seconds::new();

/// Something that is going on: counted in a gauge from its making to its drop.
pub struct Ongoing(metrics::Gauge);

impl Ongoing {
    /// One more in `gauge`, which must have come out of `metrics::gauge!`.
    #[must_use]
    pub fn new(gauge: metrics::Gauge) -> Self {
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for Ongoing {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// How many times longer than its sound something took to compute; `None`: there was no sound.
#[must_use]
pub fn realtime_factor(compute: Duration, sound: Duration) -> Option<f64> {
    (!sound.is_zero()).then(|| compute.as_secs_f64() / sound.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_say_what_they_count() {
        let names: HashSet<_> = ALL.iter().map(|measure| measure.name).collect();
        assert_eq!(names.len(), ALL.len(), "a name stands twice");
        for measure in ALL {
            let name = measure.name;
            assert!(name.starts_with("aigolos_") || name.starts_with("process_"), "{name}");
            assert_eq!(name.ends_with("_total"), measure.kind == Kind::Counter, "{name}");
            assert!(!measure.help.is_empty() && !measure.help.ends_with('.'), "{name}");
            assert!(!measure.told || measure.kind != Kind::Gauge || name == SYNTHESIS_JOBS || name == CONNECTIONS);
            if let Kind::Histogram(buckets) = measure.kind {
                assert!(buckets.windows(2).all(|pair| pair[0] < pair[1]), "{name}");
            }
        }
    }

    #[test]
    fn all_combinations_of_known_labels_are_made() {
        let measure = Measure {
            name: "x",
            kind: Kind::Counter,
            labels: &[("a", Values::These(&["1", "2"])), ("b", Values::These(&["3"]))],
            help: "",
            told: true,
        };
        assert_eq!(measure.combinations(), [vec![("a", "1"), ("b", "3")], vec![("a", "2"), ("b", "3")]]);
        let open = Measure { labels: &[("a", Values::Of("anything"))], ..measure };
        assert!(open.combinations().is_empty());
        assert_eq!(Measure { labels: &[], ..measure }.combinations(), [vec![]]);
    }
}
