//! A real Redis, from the system's packages, on a port of its own.

use std::{path::PathBuf, process::Command};

use super::daemon::{Daemon, folder, free_port};

/// Ends when dropped, and with the test process.
pub struct Redis {
    folder: PathBuf,
    port: u16,
    daemon: Option<Daemon>,
}

impl Redis {
    pub fn start_own() -> Self {
        let version = Command::new("redis-server").arg("--version").output();
        version.expect("this test needs Redis\nhint: run `make deps`, or install the package redis-server");
        let mut redis = Self { folder: folder("aigolos-redis-"), port: 0, daemon: None };
        for attempt in 1.. {
            redis.port = free_port();
            match redis.try_start() {
                Ok(()) => break,
                // Somebody else took the port in between.
                Err(error) => assert!(attempt < 5, "{error}"),
            }
            let _ = std::fs::remove_file(redis.folder.join("log"));
        }
        redis
    }

    /// What `REDIS_URL` says.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Cuts all connections and forgets everything.
    pub fn stop(&mut self) {
        self.daemon.take().expect("it runs").stop();
    }

    /// Comes back where it was.
    pub fn start(&mut self) {
        if let Err(error) = self.try_start() {
            panic!("{error}");
        }
    }

    fn try_start(&mut self) -> Result<(), String> {
        assert!(self.daemon.is_none(), "it runs");
        let port = self.port.to_string();
        let folder = self.folder.to_string_lossy().into_owned();
        let command = ["redis-server", "--port", &port, "--bind", "127.0.0.1", "--save", "", "--dir", &folder];
        let command: Vec<_> = command.into_iter().map(String::from).collect();
        let ready = || {
            let asked = Command::new("redis-cli").args(["-p", &port, "ping"]).output();
            asked.is_ok_and(|output| output.stdout.starts_with(b"PONG"))
        };
        self.daemon = Some(Daemon::start(&self.folder, &command, ready)?);
        Ok(())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // A running server removes its folder; one that was stopped left it.
        drop(self.daemon.take());
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn redis_stops_and_comes_back() {
    let mut redis = Redis::start_own();
    let ping = |url: &str| {
        let asked = Command::new("redis-cli").args(["-u", url, "ping"]).output().expect("redis-cli runs");
        asked.stdout.starts_with(b"PONG")
    };
    assert!(ping(&redis.url()));
    redis.stop();
    assert!(!ping(&redis.url()));
    redis.start();
    assert!(ping(&redis.url()));
    let folder = redis.folder.clone();
    drop(redis);
    assert!(!folder.exists(), "nothing stays behind");
}
