//! What was asked for on the command line.

use std::{net::IpAddr, path::PathBuf, time::Duration};

use clap::{Parser, ValueEnum};
use tokio_tungstenite::tungstenite::http::Uri;

/// Callers that stream a recording to a voice server in real time, and percentiles of how it answered.
#[derive(Debug, Clone, Parser)]
#[command(version)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct Options {
    /// The server's WebSocket.
    #[arg(long, default_value = "ws://127.0.0.1:8080/ws")]
    pub url: String,
    /// A WAV file with one utterance, at 8 to 48 kHz.
    #[arg(long)]
    pub file: PathBuf,
    /// Callers at the same time.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub callers: u32,
    /// Utterances of each caller.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub turns: u32,
    /// Time over which the callers arrive, evenly.
    #[arg(long, default_value_t = 0)]
    pub ramp_ms: u64,
    /// Whether callers are answered or only written down.
    #[arg(long, value_enum, default_value_t = Mode::Converse)]
    pub mode: Mode,
    /// The silence that ends a turn, as asked of the server.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(100..=10_000))]
    pub silence_ms: u32,
    /// Let the server shorten or stretch that silence; "minus the silence" is then only roughly right.
    #[arg(long)]
    pub adaptive: bool,
    /// The longest a caller waits for one turn after it has spoken, in seconds.
    #[arg(long, default_value_t = 30)]
    pub patience: u64,
    /// The longest the whole test may take, in seconds; callers not done by then have failed.
    #[arg(long, default_value_t = 600)]
    pub limit: u64,
    /// Print JSON instead of a table.
    #[arg(long)]
    pub json: bool,
    /// Callers refused because the server is full are no failure.
    #[arg(long)]
    pub allow_refused: bool,
    /// Call a server on another machine. Only do this to one you run.
    #[arg(long)]
    pub allow_remote: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    Converse,
    Transcribe,
}

impl Mode {
    pub fn name(self) -> &'static str {
        match self {
            Self::Converse => "converse",
            Self::Transcribe => "transcribe",
        }
    }
}

impl Options {
    /// # Errors
    /// What is wrong and what to do, when the address cannot be called.
    pub fn check(&self) -> Result<(), String> {
        let uri: Uri = self.url.parse().map_err(|error| format!("{}: {error}", self.url))?;
        if uri.scheme_str() != Some("ws") {
            return Err(format!("{}: only ws:// can be called; put TLS in front of neither or both", self.url));
        }
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let local = host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback());
        if !local && !self.allow_remote {
            return Err(format!("{host} is not this machine\nhint: --allow-remote, if it is a server you run"));
        }
        Ok(())
    }

    pub fn patience(&self) -> Duration {
        Duration::from_secs(self.patience)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(args: &[&str]) -> Result<(), String> {
        Options::try_parse_from(["loadtest", "--file", "x.wav"].iter().chain(args)).expect("known flags").check()
    }

    #[test]
    fn only_this_machine_is_called_unless_allowed() {
        for url in ["ws://127.0.0.1:8080/ws", "ws://localhost/ws", "ws://[::1]:9/ws", "ws://127.9.9.9/"] {
            assert_eq!(check(&["--url", url]), Ok(()));
        }
        for url in ["ws://example.org/ws", "ws://192.168.0.1/", "ws://localhost.example.org/", "wss://localhost/", "x"]
        {
            assert!(check(&["--url", url]).is_err(), "{url}");
        }
        assert_eq!(check(&["--url", "ws://example.org/ws", "--allow-remote"]), Ok(()));
    }
}
