//! Logs and traces of this process: lines to standard output (`serve`) or standard error (commands), and to a file if one is
//! set; spans of turns to a collector if one is set. What a line looks like: `format`; where it goes: `sink`.

mod format;
mod level;
mod lines;
mod panics;
mod sink;
mod traces;

use std::io::IsTerminal;

use tracing::{Metadata, level_filters::LevelFilter};
use tracing_subscriber::{
    Layer,
    filter::{FilterExt, filter_fn},
    layer::SubscriberExt,
    reload,
    util::SubscriberInitExt,
};

pub use self::level::{Control, toggle_on_signal};
use self::{format::Look, lines::Lines, sink::Sink, traces::Traces};
use super::config::Config;
use crate::model::{TRACE_PART, TRACE_ROOT};

/// Events of this target are written whatever the filter says: where the server listens, who changed the filter.
pub const ALWAYS: &str = "aigolos::always";

/// What must end properly before the process does.
pub struct Telemetry {
    sinks: Vec<Sink>,
    traces: Option<Traces>,
}

/// Who reads what is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForWhom {
    /// Whoever keeps the server's logs.
    Server,
    /// The same for a command that runs for ever.
    Service,
    /// Somebody who waits for a command, and reads its own words.
    Person,
}

/// Starts logs and traces. `serving`: the process is a server, not a command that prints its result.
///
/// # Errors
/// When a file cannot be written or an address cannot be used; the text says what to do.
pub fn start(config: &Config, for_whom: ForWhom, runtime: &tokio::runtime::Handle) -> Result<Telemetry, String> {
    let logs = &config.settings.logs;
    let serving = for_whom == ForWhom::Server;
    let terminal = if serving { std::io::stdout().is_terminal() } else { std::io::stderr().is_terminal() };
    let look = match logs.log_format.as_str() {
        "json" => Look::Json,
        "text" => Look::text(terminal),
        _ if config.settings.debug || terminal || for_whom == ForWhom::Person => Look::text(terminal),
        _ => Look::Json,
    };
    let console = Sink::console(serving, look)?;
    // A command beside a running server must not move the server's file away.
    let file = (serving && !logs.log_file.is_empty())
        .then(|| Sink::file(&logs.log_file, logs.log_file_mb, logs.log_files_kept))
        .transpose()?;
    let traces =
        (serving && !logs.otel_exporter_otlp_endpoint.is_empty()).then(|| Traces::start(logs, runtime)).transpose()?;

    let wanted = level::configured(config, for_whom);
    let (filter, wrong) = level::or_info(&wanted);
    let (filter, handle) = reload::Layer::new(filter);
    let lines = Lines::new(vec![(console.clone(), look)], file.clone());
    let subscriber = tracing_subscriber::registry()
        .with(lines.with_filter(filter.or(filter_fn(has_ids).with_max_level_hint(LevelFilter::INFO))))
        .with(traces.as_ref().map(|traces| traces.layer().with_filter(filter_fn(is_traced))));
    let sinks = [Some(console), file].into_iter().flatten().collect();
    // Only a test that starts two servers in one process gets here twice.
    if let Err(error) = subscriber.try_init() {
        tracing::debug!(%error, "logging was started before");
        return Ok(Telemetry { sinks, traces });
    }
    let reload = move |filter| handle.reload(filter).map_err(|error| error.to_string());
    Control::install(if wrong.is_some() { "info".into() } else { wanted }, reload);
    panics::install();
    if let Some(error) = wrong {
        tracing::warn!(error, "LOG_LEVEL is not a filter; using info");
    }
    if !logs.log_file.is_empty() && !serving {
        tracing::debug!("only `serve` writes LOG_FILE");
    }
    Ok(Telemetry { sinks, traces })
}

/// What log lines need besides what the filter lets through: the spans that carry ids.
fn has_ids(metadata: &Metadata<'_>) -> bool {
    let target = metadata.target();
    target == ALWAYS || metadata.is_span() && target.starts_with("aigolos") && target != TRACE_PART
}

/// Spans only: a log line within one may hold what was said.
fn is_traced(metadata: &Metadata<'_>) -> bool {
    metadata.is_span() && [TRACE_ROOT, TRACE_PART].contains(&metadata.target())
}

impl Telemetry {
    /// Sends and writes what waits; takes a few seconds at most.
    pub fn finish(self) {
        if let Some(traces) = self.traces {
            traces.finish();
        }
        for sink in &self.sinks {
            sink.flush();
        }
    }
}
