//! Settings of the doors for clients made elsewhere, and of encryption.

use clap::Args;

/// Encryption, OpenAI's protocols and Wyoming.
#[derive(Debug, Clone, Args)]
pub struct Clients {
    /// Certificate chain (PEM); with TLS_KEY the server speaks HTTPS and WSS on BIND
    #[arg(long, env = "TLS_CERT", default_value = "", global = true, help_heading = "Other clients")]
    pub tls_cert: String,
    /// The certificate's private key (PEM)
    #[arg(long, env = "TLS_KEY", default_value = "", global = true, help_heading = "Other clients")]
    pub tls_key: String,
    /// Minutes after which a session of the OpenAI Realtime protocol expires
    #[arg(long, env = "REALTIME_SESSION_MINUTES", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=1_440), global = true, help_heading = "Other clients")]
    pub realtime_session_minutes: u32,
    /// Address and port for Wyoming clients such as Home Assistant (`0.0.0.0:10300`); empty: none. It knows no accounts
    #[arg(long, env = "WYOMING_BIND", default_value = "", global = true, help_heading = "Other clients")]
    pub wyoming_bind: String,
    /// Announce the Wyoming server on the network (mDNS), where it can be reached from there
    #[arg(long, env = "WYOMING_ANNOUNCE", default_value_t = true, action = clap::ArgAction::Set, global = true, help_heading = "Other clients")]
    pub wyoming_announce: bool,
    /// Wyoming connections at once
    #[arg(long, env = "WYOMING_CONNECTIONS", default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=10_000), global = true, help_heading = "Other clients")]
    pub wyoming_connections: u32,
}
