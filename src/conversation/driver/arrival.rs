//! When a client's sound comes, and for how long none has: who stops sending in mid-speech is taken to be silent, who
//! sends a second of sound at a time is not silent in between. Pure: time is an argument.

use std::time::{Duration, Instant};

/// How far ahead of the clock a client's sound counts. More is a recording sent at once: its end is not waited for as
/// long as it lasts.
const AHEAD: Duration = Duration::from_millis(1_500);

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(super) struct Arrival {
    /// Until when the sound that came lasts, were it sent as it is spoken; the next is not due before.
    until: Instant,
}

impl Arrival {
    pub(super) const fn new(now: Instant) -> Self {
        Self { until: now }
    }

    /// So much sound has come, or was put in for it.
    pub(super) fn heard(&mut self, now: Instant, sound: Duration) {
        self.until = (self.until.max(now) + sound).min(now + AHEAD);
    }

    /// So much silence was put in.
    pub(super) fn put_in(&mut self, silence: Duration) {
        self.until += silence;
    }

    /// When silence is to be put in, where a client may be `patience` late.
    pub(super) fn silent_from(&self, patience: Duration) -> Instant {
        // A patience without end is meant to have none.
        self.until.checked_add(patience).unwrap_or(self.until + Duration::from_hours(24))
    }

    /// How much silence is missing by `now`.
    pub(super) fn missing(&self, now: Instant, patience: Duration) -> Option<Duration> {
        now.checked_duration_since(self.until)?.checked_sub(patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(300);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn sound_is_missing_only_when_the_next_of_it_is_late() {
        let start = Instant::now();
        for piece in [20, 100, 1_000, 1_400] {
            let mut arrival = Arrival::new(start);
            for beat in 0..20 {
                let now = start + ms(piece * beat);
                assert_eq!(arrival.missing(now, PATIENCE), None, "pieces of {piece} ms, piece {beat}");
                arrival.heard(now, ms(piece));
            }
            let last = start + ms(piece * 19);
            assert_eq!(arrival.missing(last + ms(piece + 299), PATIENCE), None);
            assert_eq!(arrival.missing(last + ms(piece + 340), PATIENCE), Some(ms(40)));
            assert_eq!(arrival.silent_from(PATIENCE), last + ms(piece + 300));
        }
    }

    #[test]
    fn a_recording_sent_at_once_is_not_waited_for_as_long_as_it_lasts() {
        let start = Instant::now();
        let mut arrival = Arrival::new(start);
        (0..600).for_each(|_| arrival.heard(start, ms(100)));
        assert_eq!(arrival.silent_from(PATIENCE), start + AHEAD + PATIENCE);
        arrival.put_in(ms(20));
        assert_eq!(arrival.missing(start + AHEAD + PATIENCE + ms(30), PATIENCE), Some(ms(10)));
        assert!(arrival.silent_from(Duration::MAX) > start + ms(1_000_000), "patience without end");
    }
}
