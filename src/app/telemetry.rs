//! Where logs go: readable on a terminal or with `DEBUG=true`, JSON otherwise; always standard error.

use std::io::IsTerminal;

use tracing_subscriber::{EnvFilter, fmt};

use super::config::Config;

/// Starts logging. A filter that does not parse falls back to `info` and says so.
pub fn start(config: &Config) {
    let settings = &config.settings;
    let wanted =
        if settings.debug && settings.log_level == "info" { "aigolos=debug,info" } else { &settings.log_level };
    let filter = EnvFilter::try_new(wanted).unwrap_or_else(|error| {
        eprintln!("warning: LOG_LEVEL is not a filter ({error}); using info");
        EnvFilter::new("info")
    });
    let builder = fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = if settings.debug || std::io::stderr().is_terminal() {
        builder.with_target(false).try_init()
    } else {
        builder.json().flatten_event(true).try_init()
    };
    // Only a test that starts two servers in one process gets here twice.
    if let Err(error) = started {
        tracing::debug!(%error, "logging was started before");
    }
}
