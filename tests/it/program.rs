//! The real program, in a process of its own, for what is one per process: the log, the tracer.

use std::{
    net::SocketAddr,
    path::Path,
    process::{Command as Plain, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::Notify,
    task::JoinHandle,
};

use crate::harness::PATIENCE;

/// A server with the bundled engines; killed when dropped.
pub struct Program {
    pub address: SocketAddr,
    child: Child,
    lines: Arc<Lines>,
    reading: Vec<JoinHandle<()>>,
    folder: TempDir,
}

/// What it has written to standard output so far.
#[derive(Default)]
struct Lines {
    so_far: Mutex<Vec<String>>,
    more: Notify,
}

impl Lines {
    fn all(&self) -> Vec<String> {
        self.so_far.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Program {
    /// Starts it with `settings` and waits until it says where it listens.
    pub async fn start(settings: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let mut command = command(folder.path(), settings);
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("the program starts");
        let lines = Arc::new(Lines::default());
        let reading = vec![tokio::spawn(read(child.stdout.take().expect("piped"), Arc::clone(&lines)))];
        let mut program = Self { address: ([127, 0, 0, 1], 0).into(), child, lines, reading, folder };
        let line = program.line(|line| line.contains("open http")).await;
        let (_, address) = line.split_once("http://").expect("an address");
        let address: String = address.chars().take_while(|c| c.is_ascii_digit() || ".:".contains(*c)).collect();
        program.address = address.parse().expect("an address");
        program
    }

    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The first line so far, or the next, that is `wanted`.
    pub async fn line(&self, wanted: impl Fn(&str) -> bool) -> String {
        let found = async {
            loop {
                let more = self.lines.more.notified();
                if let Some(line) = self.lines.all().into_iter().find(|line| wanted(line)) {
                    return line;
                }
                more.await;
            }
        };
        let found = tokio::time::timeout(PATIENCE, found).await;
        found.unwrap_or_else(|_| panic!("no such line in:\n{}", self.lines.all().join("\n")))
    }

    pub fn lines(&self) -> Vec<String> {
        self.lines.all()
    }

    pub fn signal(&self, name: &str) {
        let id = self.child.id().expect("it runs").to_string();
        assert!(Plain::new("kill").args([&format!("-{name}"), &id]).status().expect("kill runs").success());
    }

    /// Asks it to stop, waits until it has, and gives all that it wrote.
    pub async fn stop(mut self) -> (ExitStatus, Vec<String>) {
        self.signal("TERM");
        let ended = tokio::time::timeout(PATIENCE * 2, self.child.wait()).await.expect("it stops").expect("it ran");
        for reading in self.reading.drain(..) {
            tokio::time::timeout(PATIENCE, reading).await.expect("its output ends").expect("no panic");
        }
        (ended, self.lines.all())
    }
}

/// The program with `settings`, in `folder`, and nothing of this process' environment that it would read.
pub fn command(folder: &Path, settings: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aigolos"));
    command.arg("serve").current_dir(folder).env("DATA_DIR", folder);
    let usual = [
        ("BIND", "127.0.0.1:0"),
        ("ASR_MODEL_NAME", "nano"),
        ("TTS_ENGINE", "espeak"),
        ("LLM_BACKEND", "builtin"),
        ("LOG_FORMAT", "json"),
        ("RATE_LIMIT", "0"),
        ("RATE_LIMIT_AUTH", "0"),
    ];
    command.envs(usual).envs(settings.iter().copied());
    command
}

/// The lines as the JSON they are.
pub fn parsed(lines: &[String]) -> Vec<Value> {
    lines.iter().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"))).collect()
}

/// Longer than anything a server that stops waits for.
pub const A_LONG_TIME: Duration = Duration::from_secs(50);

async fn read(from: impl AsyncRead + Unpin, lines: Arc<Lines>) {
    let mut from = BufReader::new(from).lines();
    while let Some(line) = from.next_line().await.expect("text") {
        lines.so_far.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        lines.more.notify_waiters();
    }
}
