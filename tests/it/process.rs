//! The real program in a process of its own, for what only a process can show: signals, exit codes, its environment.

use std::{
    net::SocketAddr,
    path::Path,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

/// A process of a build for tests that loads its engines while other tests have the machine.
const PATIENCE: Duration = Duration::from_secs(90);

pub struct Process {
    child: Child,
    pub address: SocketAddr,
}

impl Process {
    /// A server with the bundled engines, whatever `flags` say, and `environment` besides.
    pub async fn start(data: &Path, flags: &[&str], environment: &[(&str, &str)]) -> Self {
        let defaults =
            ["--asr-model-name", "nano", "--tts-engine", "espeak", "--llm-backend", "builtin", "--log-level", "warn"];
        let defaults = defaults.chunks(2).filter(|pair| !flags.contains(&pair[0])).flatten();
        let mut child = Command::new(env!("CARGO_BIN_EXE_aigolos"))
            .args(["--bind", "127.0.0.1:0", "--data-dir"])
            .arg(data)
            .args(defaults)
            .args(flags)
            .env("LOG_FORMAT", "text")
            .envs(environment.iter().copied())
            .current_dir(data)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let listening = async {
            while let Some(line) = lines.next_line().await.expect("text") {
                if let Some((_, address)) = line.split_once("open http://") {
                    return address.trim().parse().expect("an address");
                }
            }
            panic!("it ended before it listened");
        };
        let address = tokio::time::timeout(PATIENCE, listening).await.expect("it listens in time");
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Self { child, address }
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Sends a signal, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let id = self.child.id().expect("it has not been waited for").to_string();
        let sent = std::process::Command::new("kill").args([&format!("-{name}"), &id]).status().expect("kill");
        assert!(sent.success(), "kill -{name}");
    }

    /// As `kill -9` ends it.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("it runs");
    }

    /// Waits until it has ended.
    pub async fn ended(mut self) -> ExitStatus {
        tokio::time::timeout(PATIENCE, self.child.wait()).await.expect("it ends in time").expect("it ran")
    }
}
