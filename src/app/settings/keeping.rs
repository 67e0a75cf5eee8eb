//! Settings of the store, the accounts, mail, and the limits of requests; see the parent.

use clap::Args;

/// What is kept, for whom, and how much of it.
#[derive(Debug, Clone, Args)]
pub struct Keeping {
    /// The database: `postgresql://user:password@host/name`; empty: PostgreSQL if POSTGRES_DB is set, else the file `aigolos.sqlite` in DATA_DIR
    #[arg(
        long,
        env = "DATABASE_URL",
        default_value = "",
        hide_env_values = true,
        global = true,
        help_heading = "Store"
    )]
    pub database_url: String,
    /// PostgreSQL database; with it the other POSTGRES_ settings count
    #[arg(long, env = "POSTGRES_DB", default_value = "", global = true, help_heading = "Store")]
    pub postgres_db: String,
    /// PostgreSQL user
    #[arg(long, env = "POSTGRES_USER", default_value = "aigolos", global = true, help_heading = "Store")]
    pub postgres_user: String,
    /// PostgreSQL password
    #[arg(
        long,
        env = "POSTGRES_PASSWORD",
        default_value = "",
        hide_env_values = true,
        global = true,
        help_heading = "Store"
    )]
    pub postgres_password: String,
    /// PostgreSQL host name, or a folder with its socket
    #[arg(long, env = "POSTGRES_HOST", default_value = "localhost", global = true, help_heading = "Store")]
    pub postgres_host: String,
    /// PostgreSQL port
    #[arg(long, env = "POSTGRES_PORT", default_value_t = 5432, value_parser = clap::value_parser!(u16).range(1..), global = true, help_heading = "Store")]
    pub postgres_port: u16,
    /// Connections to the database at most
    #[arg(long, env = "DATABASE_CONNECTIONS", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=200), global = true, help_heading = "Store")]
    pub database_connections: u32,
    /// Megabytes of turns that may wait on disk while the database is away; what comes after that is not kept, and the health report says so
    #[arg(long, env = "SPOOL_MAX_MB", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000), global = true, help_heading = "Store")]
    pub spool_max_mb: u32,
    /// Days after which untouched conversations are deleted, unless their owner chose otherwise; 0: never
    #[arg(long, env = "RETENTION_DAYS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=36_500), global = true, help_heading = "Store")]
    pub retention_days: u32,
    /// Days after which kept sound is deleted; 0: with its conversation
    #[arg(long, env = "AUDIO_RETENTION_DAYS", default_value_t = 30, value_parser = clap::value_parser!(u32).range(0..=36_500), global = true, help_heading = "Store")]
    pub audio_retention_days: u32,
    /// Keep the sound of conversations where there are no accounts; with accounts each person decides
    #[arg(long, env = "KEEP_AUDIO", default_value_t = false, action = clap::ArgAction::Set, global = true, help_heading = "Store")]
    pub keep_audio: bool,
    /// Who may use the server: `open` (anyone who reaches it, no password) or `required` (people with an account)
    #[arg(long, env = "AUTH_MODE", default_value = "open", value_parser = ["open", "required"], global = true, help_heading = "Accounts")]
    pub auth_mode: String,
    /// Who may make an account: `open`, `invitation` (those an administrator invited) or `closed`
    #[arg(long, env = "SIGNUP", default_value = "open", value_parser = ["open", "invitation", "closed"], global = true, help_heading = "Accounts")]
    pub signup: String,
    /// Keys the tokens of log-ins and mails; changing it ends them all. Empty: made at the first start and kept in DATA_DIR
    #[arg(
        long,
        env = "SECRET_KEY",
        default_value = "",
        hide_env_values = true,
        global = true,
        help_heading = "Accounts"
    )]
    pub secret_key: String,
    /// Days a log-in lasts without use
    #[arg(long, env = "SESSION_DAYS", default_value_t = 14, value_parser = clap::value_parser!(u32).range(1..=365), global = true, help_heading = "Accounts")]
    pub session_days: u32,
    /// How people reach the server, for links in mails (`https://voice.example.org`); empty: `http://` (`https://` with TLS_CERT) and BIND
    #[arg(long, env = "PUBLIC_URL", default_value = "", global = true, help_heading = "Accounts")]
    pub public_url: String,
    /// Whether browsers send the log-in over HTTPS only; `auto`: if PUBLIC_URL begins with https, or TLS_CERT is set
    #[arg(long, env = "COOKIE_SECURE", default_value = "auto", value_parser = ["auto", "true", "false"], global = true, help_heading = "Accounts")]
    pub cookie_secure: String,
    /// Where mail goes: `smtp`, `console` (the log) or `file` (one file each in DATA_DIR/mail)
    #[arg(long, env = "EMAIL_BACKEND", default_value = "console", value_parser = ["smtp", "console", "file"], global = true, help_heading = "Mail")]
    pub email_backend: String,
    /// SMTP server
    #[arg(long, env = "EMAIL_HOST", default_value = "localhost", global = true, help_heading = "Mail")]
    pub email_host: String,
    /// SMTP port: 25, 587 (STARTTLS) or 465 (TLS from the start)
    #[arg(long, env = "EMAIL_PORT", default_value_t = 25, value_parser = clap::value_parser!(u16).range(1..), global = true, help_heading = "Mail")]
    pub email_port: u16,
    /// Encrypt: STARTTLS, or TLS from the start on port 465
    #[arg(long, env = "EMAIL_USE_TLS", default_value_t = false, action = clap::ArgAction::Set, global = true, help_heading = "Mail")]
    pub email_use_tls: bool,
    /// SMTP user; empty: no log-in
    #[arg(long, env = "EMAIL_HOST_USER", default_value = "", global = true, help_heading = "Mail")]
    pub email_host_user: String,
    /// SMTP password
    #[arg(
        long,
        env = "EMAIL_HOST_PASSWORD",
        default_value = "",
        hide_env_values = true,
        global = true,
        help_heading = "Mail"
    )]
    pub email_host_password: String,
    /// A certificate (PEM) to trust besides the usual ones, for a mail server of one's own; empty: none
    #[arg(long, env = "EMAIL_CA_FILE", default_value = "", global = true, help_heading = "Mail")]
    pub email_ca_file: String,
    /// Sender of mails
    #[arg(
        long,
        env = "EMAIL_FROM",
        default_value = "aigolos <aigolos@localhost>",
        global = true,
        help_heading = "Mail"
    )]
    pub email_from: String,
    /// Largest recording to transcribe, in megabytes
    #[arg(long, env = "MAX_UPLOAD_MB", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=2_000), global = true, help_heading = "Work and limits")]
    pub max_upload_mb: u32,
    /// Longest recording to transcribe, in minutes
    #[arg(long, env = "MAX_AUDIO_MINUTES", default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..=1_440), global = true, help_heading = "Work and limits")]
    pub max_audio_minutes: u32,
    /// Recordings transcribed at once
    #[arg(long, env = "JOB_WORKERS", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=64), global = true, help_heading = "Work and limits")]
    pub job_workers: u32,
    /// Recordings one person may have waiting
    #[arg(long, env = "MAX_JOBS", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000), global = true, help_heading = "Work and limits")]
    pub max_jobs: u32,
    /// Days after which finished work is forgotten; its text stays in the history
    #[arg(long, env = "JOB_RETENTION_DAYS", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=3_650), global = true, help_heading = "Work and limits")]
    pub job_retention_days: u32,
    /// Longest message or text to speak, in characters
    #[arg(long, env = "MAX_TEXT_CHARS", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=100_000), global = true, help_heading = "Work and limits")]
    pub max_text_chars: u32,
    /// Seconds until a request's answer must have begun; uploads, waits for work and streams have their own limits
    #[arg(long, env = "REQUEST_TIMEOUT", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3_600), global = true, help_heading = "Work and limits")]
    pub request_timeout: u64,
    /// Requests a minute from one person or address; 0: any number
    #[arg(long, env = "RATE_LIMIT", default_value_t = 300, value_parser = clap::value_parser!(u32).range(0..=1_000_000), global = true, help_heading = "Work and limits")]
    pub rate_limit: u32,
    /// Log-ins, sign-ups and password requests a minute from one address; 0: any number
    #[arg(long, env = "RATE_LIMIT_AUTH", default_value_t = 20, value_parser = clap::value_parser!(u32).range(0..=1_000_000), global = true, help_heading = "Work and limits")]
    pub rate_limit_auth: u32,
    /// Redis that counts requests for several servers together (`redis://host:6379/0`); empty: each server counts its own
    #[arg(
        long,
        env = "REDIS_URL",
        default_value = "",
        hide_env_values = true,
        global = true,
        help_heading = "Work and limits"
    )]
    pub redis_url: String,
    /// Addresses of reverse proxies whose X-Forwarded-For is believed, comma-separated; empty: none
    #[arg(long, env = "TRUSTED_PROXIES", value_delimiter = ',', global = true, help_heading = "Work and limits")]
    pub trusted_proxies: Vec<String>,
}
