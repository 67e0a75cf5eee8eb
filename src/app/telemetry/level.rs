//! Which lines are written: the filter of `LOG_LEVEL`, and how it is changed while the server runs.

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::{ALWAYS, ForWhom};
use crate::{
    app::config::Config,
    model::{UnixMs, UserId},
    protocol::rest::admin_logs::{LogLevel, LogLevelNow},
};

/// What a server is switched to by SIGUSR1.
const DEBUG: &str = "aigolos=debug,info";
/// The names of levels, from none to all.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

static CONTROL: OnceLock<Control> = OnceLock::new();

/// The filter of this process.
#[derive(Clone)]
pub struct Control(Arc<Inner>);

type Reload = Box<dyn Fn(EnvFilter) -> Result<(), String> + Send + Sync>;

struct Inner {
    configured: String,
    state: Mutex<State>,
    reload: Reload,
}

struct State {
    filter: String,
    back_at: Option<UnixMs>,
    /// Counts changes: a timer of an earlier one does nothing.
    change: u64,
}

impl Control {
    /// The one that was installed; where logs were never started (tests), one that changes nothing.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        CONTROL.get().cloned().unwrap_or_else(|| Self::new(configured(config, ForWhom::Server), Box::new(|_| Ok(()))))
    }

    pub(super) fn install(
        configured: String,
        reload: impl Fn(EnvFilter) -> Result<(), String> + Send + Sync + 'static,
    ) {
        let _ = CONTROL.set(Self::new(configured, Box::new(reload))); // logs start once
    }

    fn new(configured: String, reload: Reload) -> Self {
        let state = State { filter: configured.clone(), back_at: None, change: 0 };
        Self(Arc::new(Inner { configured, state: Mutex::new(state), reload }))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, filter: &str, back_after: Option<Duration>) -> Result<u64, String> {
        let parsed = parse(filter)?;
        let mut state = self.state();
        (self.0.reload)(parsed)?;
        state.change += 1;
        filter.clone_into(&mut state.filter);
        state.back_at = back_after.map(|after| UnixMs::now().after(after));
        Ok(state.change)
    }

    fn back(&self, change: u64) {
        if self.state().change == change && self.put(&self.0.configured, None).is_ok() {
            tracing::info!(target: ALWAYS, filter = self.0.configured, "the log level is back");
        }
    }
}

impl LogLevel for Control {
    fn now(&self) -> LogLevelNow {
        let state = self.state();
        LogLevelNow {
            filter: state.filter.clone(),
            configured: self.0.configured.clone(),
            back_at: state.back_at.map(|at| at.0),
        }
    }

    fn set(&self, by: UserId, filter: &str, back_after: Option<Duration>) -> Result<LogLevelNow, String> {
        let change = self.put(filter, back_after)?;
        let back_after_s = back_after.map(|after| after.as_secs());
        tracing::info!(target: ALWAYS, { by.id = %by, filter, back_after_s }, "the log level was changed");
        if let Some(after) = back_after {
            let control = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(after).await;
                control.back(change);
            });
        }
        Ok(self.now())
    }
}

/// Follows SIGUSR1 for as long as the process lives: to debug, and back.
pub async fn toggle_on_signal(config: &Config) {
    let control = Control::of(config);
    let mut asked = match signal(SignalKind::user_defined1()) {
        Ok(asked) => asked,
        Err(error) => return tracing::warn!(%error, "SIGUSR1 cannot be listened for"),
    };
    while asked.recv().await.is_some() {
        let filter = if control.now().filter == DEBUG { control.0.configured.clone() } else { DEBUG.to_owned() };
        if control.put(&filter, None).is_ok() {
            tracing::info!(target: ALWAYS, filter, signal = "SIGUSR1", "the log level was changed");
        }
    }
}

/// The filter the settings ask for.
pub(super) fn configured(config: &Config, for_whom: ForWhom) -> String {
    let settings = &config.settings;
    // Commands say themselves what they do and what went wrong.
    if for_whom == ForWhom::Person && !settings.debug && !config.given("LOG_LEVEL") {
        return "warn,aigolos::catalogue=error".into();
    }
    if settings.debug && settings.log_level == "info" { DEBUG.into() } else { settings.log_level.clone() }
}

/// `wanted`, or `info` and what is wrong with `wanted`.
pub(super) fn or_info(wanted: &str) -> (EnvFilter, Option<String>) {
    match parse(wanted) {
        Ok(filter) => (filter, None),
        Err(wrong) => (EnvFilter::new("info"), Some(wrong)),
    }
}

/// Reads a filter. A bare word that is no level would be taken for a target of which all is written, and of all else
/// nothing; it is a slip of the pen.
fn parse(filter: &str) -> Result<EnvFilter, String> {
    let mut depth = 0_i32;
    let parts = filter.split(|c| {
        depth += match c {
            '[' | '{' => 1,
            ']' | '}' => -1,
            _ => 0,
        };
        c == ',' && depth == 0
    });
    for part in parts.map(str::trim) {
        let level = part.rsplit_once('=').filter(|_| !part.ends_with(']')).map_or(part, |(_, level)| level);
        let known = LEVELS.iter().any(|name| name.eq_ignore_ascii_case(level));
        if !known && !level.ends_with(']') {
            return Err(format!("{level:?} is not a level; levels are {}", LEVELS.join(", ")));
        }
    }
    // Migrations tell of each step; a filter that names them comes after this and counts.
    EnvFilter::builder().parse(format!("refinery_core=warn,{filter}")).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_levels_and_targets_with_levels() {
        for good in
            ["info", "WARN", "aigolos=debug,info", "off", "info,aigolos::store=trace", "[turn{turn.id=3}]=debug"]
        {
            assert!(parse(good).is_ok(), "{good}: {:?}", parse(good).err());
        }
        for bad in ["", "inof", "aigolos=loud", "info,", "debug;info", "aigolos"] {
            let error = parse(bad).err().unwrap_or_else(|| panic!("{bad:?} was taken"));
            assert!(error.contains("levels are"), "{bad}: {error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_goes_back_unless_another_came() {
        let control = Control::new("warn".into(), Box::new(|_| Ok(())));
        let minute = Some(Duration::from_mins(1));
        let now = control.set(UserId::LOCAL, "debug", minute).expect("a filter");
        assert!(now.filter == "debug" && now.back_at.is_some());
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert_eq!((control.now().filter.as_str(), control.now().back_at), ("warn", None));

        control.set(UserId::LOCAL, "debug", minute).expect("a filter");
        control.set(UserId::LOCAL, "trace", None).expect("a filter");
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert_eq!(control.now().filter, "trace", "the first one's timer does not count");
        assert!(control.set(UserId::LOCAL, "loud", None).is_err());
        assert_eq!(control.now().filter, "trace");
    }
}
