//! Settings of running the server: measured, stopped, saved, behind TLS.

use clap::Args;

/// Metrics, stopping, backups, and what browsers are told about TLS.
#[derive(Debug, Clone, Args)]
pub struct Operating {
    /// Address and port of its own for Prometheus' `/metrics` (`127.0.0.1:9464`); empty: none
    #[arg(long, env = "METRICS_BIND", default_value = "", global = true, help_heading = "Operation")]
    pub metrics_bind: String,
    /// With this, `/metrics` is also on BIND, for whoever sends it as bearer token; empty: not there
    #[arg(
        long,
        env = "METRICS_TOKEN",
        default_value = "",
        hide_env_values = true,
        global = true,
        help_heading = "Operation"
    )]
    pub metrics_token: String,
    /// Seconds that running turns get to finish when the server is told to stop
    #[arg(long, env = "DRAIN_SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(0..=3_600), global = true, help_heading = "Operation")]
    pub drain_seconds: u32,
    /// Seconds between being not ready and refusing new sessions, so that a balancer sends people elsewhere first
    #[arg(long, env = "DRAIN_NOTICE_SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=600), global = true, help_heading = "Operation")]
    pub drain_notice_seconds: u32,
    /// Seconds for which browsers that came by HTTPS shall come by nothing else (HSTS), such as 31536000; 0: not said
    #[arg(long, env = "HSTS_SECONDS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=63_072_000), global = true, help_heading = "Operation")]
    pub hsts_seconds: u32,
    /// Where `aigolos backup` writes; empty: `backups` in DATA_DIR
    #[arg(long, env = "BACKUP_DIR", default_value = "", global = true, help_heading = "Operation")]
    pub backup_dir: String,
    /// Backups kept; older ones are removed after a new one is whole; 0: all
    #[arg(long, env = "BACKUP_KEEP", default_value_t = 7, value_parser = clap::value_parser!(u32).range(0..=10_000), global = true, help_heading = "Operation")]
    pub backup_keep: u32,
}
