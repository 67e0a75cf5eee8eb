//! Servers of others that tests start: each ends with the test, and with the test process however that ends.

use std::{
    io::Write,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use uuid::Uuid;

/// The longest that such a server takes to start or to stop, on any machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// Starts the server that follows the folder, and waits for a line. Its input is a pipe that the test process holds:
/// when that process is gone, the line is empty.
const KEEPER: &str = r#"
trap : INT TERM HUP
folder=$1
shift
"$@" </dev/null >>"$folder/log" 2>&1 &
read -r word
# PostgreSQL leaves at once on the first, Redis does not hear it.
kill -QUIT $! 2>/dev/null
kill -TERM $! 2>/dev/null
wait $!
[ "$word" = stop ] || rm -rf "$folder"
"#;

/// A running server, in a folder of its own.
pub struct Daemon {
    keeper: Child,
    folder: PathBuf,
}

impl Daemon {
    /// Starts `command` and waits until `ready` says so; what the server says goes to `log` in `folder`.
    pub fn start(folder: &Path, command: &[String], ready: impl Fn() -> bool) -> Result<Self, String> {
        let keeper =
            Command::new("sh").args(["-c", KEEPER, "sh"]).arg(folder).args(command).stdin(Stdio::piped()).spawn();
        let daemon = Self { keeper: keeper.expect("a shell"), folder: folder.to_owned() };
        let until = Instant::now() + PATIENCE;
        while !ready() {
            let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
            // What it says when somebody else took the port.
            if Instant::now() > until || log.to_lowercase().contains("could not create") {
                return Err(format!("{} does not start:\n{log}", command.join(" ")));
            }
            thread::sleep(Duration::from_millis(50));
        }
        Ok(daemon)
    }

    /// Stops it as if its machine had failed, and keeps its folder.
    pub fn stop(mut self) {
        let mut line = self.keeper.stdin.take().expect("its input is a pipe");
        writeln!(line, "stop").expect("the keeper reads");
        drop(line);
        self.keeper.wait().expect("it ends");
    }
}

/// Removes its folder as well.
impl Drop for Daemon {
    fn drop(&mut self) {
        if self.keeper.stdin.take().is_some() {
            let _ = self.keeper.wait();
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

/// A port that nobody has, below those that systems give to whoever asks for any: it stays free while the server that
/// has it is stopped for a while.
pub fn free_port() -> u16 {
    loop {
        let port = 20_000 + (Uuid::new_v4().as_u128() % 12_000) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// A folder of its own for a server; the server removes it.
pub fn folder(name: &str) -> PathBuf {
    tempfile::Builder::new().prefix(name).tempdir().expect("a folder").keep()
}
