//! Settings of logs and traces.

use clap::Args;

/// Logs and traces.
#[derive(Debug, Clone, Args)]
pub struct Logs {
    /// How logs are written: `auto` (readable on a terminal or with DEBUG, JSON otherwise), `text` or `json`
    #[arg(long, env = "LOG_FORMAT", default_value = "auto", value_parser = ["auto", "text", "json"], global = true, help_heading = "Logs and traces")]
    pub log_format: String,
    /// Also write logs, always as JSON, to this file, such as `data/logs/app.json.log`; empty: none
    #[arg(long, env = "LOG_FILE", default_value = "", global = true, help_heading = "Logs and traces")]
    pub log_file: String,
    /// Megabytes after which that file is put aside and a new one begun
    #[arg(long, env = "LOG_FILE_MB", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=10_000), global = true, help_heading = "Logs and traces")]
    pub log_file_mb: u32,
    /// Files put aside that are kept
    #[arg(long, env = "LOG_FILES_KEPT", default_value_t = 5, value_parser = clap::value_parser!(u32).range(0..=1_000), global = true, help_heading = "Logs and traces")]
    pub log_files_kept: u32,
    /// Write what is said and answered into the logs; otherwise only its length is there
    #[arg(long, env = "LOG_TRANSCRIPTS", default_value_t = false, action = clap::ArgAction::Set, global = true, help_heading = "Logs and traces")]
    pub log_transcripts: bool,
    /// Where traces of turns are sent (OTLP over HTTP, `http://localhost:4318`); empty: nowhere
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        default_value = "",
        global = true,
        help_heading = "Logs and traces"
    )]
    pub otel_exporter_otlp_endpoint: String,
    /// Headers sent with them, such as `authorization=Bearer%20TOKEN`; several are parted by commas
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_HEADERS",
        default_value = "",
        hide_env_values = true,
        global = true,
        help_heading = "Logs and traces"
    )]
    pub otel_exporter_otlp_headers: String,
    /// What this server is called in traces
    #[arg(long, env = "OTEL_SERVICE_NAME", default_value = "aigolos", global = true, help_heading = "Logs and traces")]
    pub otel_service_name: String,
    /// Which share of turns is traced, 0 to 1
    #[arg(long, env = "OTEL_TRACES_SAMPLER_ARG", default_value_t = 1.0, value_parser = super::share, global = true, help_heading = "Logs and traces")]
    pub otel_traces_sampler_arg: f32,
}
