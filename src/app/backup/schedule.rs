//! A backup every so often, for a service of its own: one at once if the newest is too old, then on time.

use std::{fmt, path::Path, str::FromStr, time::Duration};

use jiff::{SignedDuration, Timestamp};

use super::{
    BackupError, Made, Places,
    folder::{kept, prune},
    make::make,
    on_file,
};

/// How soon it tries again after a failure: first, and at most.
const AGAIN: Duration = Duration::from_secs(10);
const AGAIN_AT_MOST: Duration = Duration::from_mins(10);
/// Clocks are set; nobody sleeps past it for longer.
const NAP: Duration = Duration::from_mins(1);

/// How often: `24h`, `7d`, `90m`, `30s`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Every(pub Duration);

impl FromStr for Every {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("not a time between 1s and 365d: {text}; 24h, 7d, 90m and 30s are");
        let unit = text.chars().last().ok_or_else(wrong)?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return Err(wrong()),
        };
        let number: u64 = text.strip_suffix(unit).and_then(|number| number.parse().ok()).ok_or_else(wrong)?;
        let whole = number.checked_mul(seconds).filter(|whole| (1..=365 * 86_400).contains(whole)).ok_or_else(wrong)?;
        Ok(Self(Duration::from_secs(whole)))
    }
}

impl fmt::Display for Every {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} s", self.0.as_secs())
    }
}

/// Makes backups until `stop` completes, then ends at once: a draft is no backup. What fails is logged and tried
/// again; older backups stay while no new one comes.
pub async fn keep_making(
    places: &Places,
    folder: &Path,
    every: Every,
    keep: u32,
    with_secret: bool,
    stop: impl Future<Output = ()>,
) {
    let work = async {
        let mut pause = AGAIN;
        loop {
            let wait = match kept(folder) {
                Ok(all) => due(all.last().map(|newest| newest.at), every, Timestamp::now()),
                Err(_) => Duration::ZERO, // making one will say why
            };
            if !wait.is_zero() {
                tokio::time::sleep(wait.min(NAP)).await;
                continue;
            }
            match make_and_prune(places, folder, keep, with_secret).await {
                Ok(made) => {
                    pause = AGAIN;
                    let (path, bytes, rows) = (made.path.display(), made.bytes, made.manifest.all_rows());
                    tracing::info!(file = %path, bytes, rows, "a backup was made");
                }
                Err(error) => {
                    tracing::error!(%error, retry_ms = pause.as_millis() as u64, "no backup could be made");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(AGAIN_AT_MOST);
                }
            }
        }
    };
    tokio::select! {
        () = stop => {}
        () = work => {}
    }
}

/// Makes a backup, and only then removes those that are too many.
///
/// # Errors
/// [`BackupError`]; nothing was removed then, unless it was the removing that failed.
pub async fn make_and_prune(places: &Places, folder: &Path, keep: u32, with_secret: bool) -> Result<Made, BackupError> {
    let made = make(places, folder, with_secret).await?;
    prune(folder, keep).map_err(on_file(folder, "an old backup cannot be removed; the new one is whole"))?;
    Ok(made)
}

/// How long until the next one, if the newest was made `at`. One from the future (a clock that was wrong) does not count.
fn due(at: Option<Timestamp>, every: Every, now: Timestamp) -> Duration {
    let Some(at) = at.filter(|at| *at <= now) else { return Duration::ZERO };
    let every = SignedDuration::try_from(every.0).unwrap_or(SignedDuration::MAX);
    let left = every.saturating_sub(now.duration_since(at));
    Duration::try_from(left).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read() {
        for (text, seconds) in [("24h", 86_400), ("7d", 604_800), ("90m", 5_400), ("30s", 30)] {
            assert_eq!(text.parse(), Ok(Every(Duration::from_secs(seconds))));
        }
        for text in ["", "h", "0h", "24", "-1h", "1.5h", "9999d", "18446744073709551615d", "24ч", "1H"] {
            assert!(text.parse::<Every>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_next_one_is_due_by_the_newest() {
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().expect("a moment");
        let day = Every(Duration::from_hours(24));
        let ago = |hours: i64| Some(now - SignedDuration::from_hours(hours));
        assert_eq!(due(None, day, now), Duration::ZERO);
        assert_eq!(due(ago(25), day, now), Duration::ZERO);
        assert_eq!(due(ago(23), day, now), Duration::from_hours(1));
        assert_eq!(due(ago(0), day, now), Duration::from_hours(24));
        assert_eq!(due(ago(-48), day, now), Duration::ZERO);
    }
}
