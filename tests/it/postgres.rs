//! A real PostgreSQL, from the system's packages, in a folder and on a port of its own.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use aigolos::store::{PostgresServer, StoreSettings};

use super::daemon::{Daemon, folder, free_port};

/// The one that tests share: each takes a database of its own.
pub fn postgres() -> &'static Cluster {
    static SHARED: OnceLock<Cluster> = OnceLock::new();
    SHARED.get_or_init(Cluster::start_own)
}

/// A database server. Ends when dropped, and with the test process.
pub struct Cluster {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
    daemon: Mutex<Option<Daemon>>,
    databases: AtomicU32,
}

impl Cluster {
    /// One that no other test sees, to be stopped and started.
    pub fn start_own() -> Self {
        let programs = programs();
        let folder = folder("aigolos-postgres-");
        if is_root() {
            let owned = Command::new("chown").arg(format!("{NOBODY}:")).arg(&folder).status().expect("chown");
            assert!(owned.success(), "chown");
        }
        let data = folder.join("data");
        let made = as_nobody(&programs.join("initdb"))
            .arg("-D")
            .arg(&data)
            .args(["-U", "aigolos", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"])
            .output();
        succeeded("initdb", &made.expect("initdb runs"));
        let mut cluster = Self { programs, folder, port: 0, daemon: Mutex::new(None), databases: AtomicU32::new(0) };
        for attempt in 1.. {
            cluster.port = free_port();
            match cluster.try_start() {
                Ok(()) => break,
                // Somebody else took the port in between.
                Err(error) => assert!(attempt < 5, "{error}"),
            }
            let _ = std::fs::remove_file(cluster.folder.join("log"));
        }
        cluster
    }

    /// Makes an empty database and gives its URL.
    pub fn fresh_database(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        format!("postgresql://aigolos:secret@127.0.0.1:{}/{name}", self.port)
    }

    /// The settings of a store in an empty database.
    pub fn fresh_settings(&self) -> StoreSettings {
        StoreSettings::Postgres { server: PostgresServer::Url(self.fresh_database()), connections: 8 }
    }

    /// Has a database do something, and gives what it prints.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let port = self.port.to_string();
        let done = Command::new(self.programs.join("psql"))
            .args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", "aigolos", "-p", &port])
            .args(["-d", database, "-c", sql])
            .output()
            .expect("psql runs");
        succeeded("psql", &done);
        String::from_utf8_lossy(&done.stdout).trim().to_owned()
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts all connections and answers no more, as if its machine had failed.
    pub fn stop(&self) {
        let daemon = self.daemon.lock().unwrap_or_else(PoisonError::into_inner).take();
        daemon.expect("it runs").stop();
    }

    /// Comes back where it was, with what it had.
    pub fn start(&self) {
        if let Err(error) = self.try_start() {
            panic!("{error}");
        }
    }

    fn try_start(&self) -> Result<(), String> {
        let mut daemon = self.daemon.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(daemon.is_none(), "it runs");
        let port = self.port.to_string();
        let mut command = as_nobody(&self.programs.join("postgres"));
        command.arg("-D").arg(self.folder.join("data")).args(["-p", &port, "-h", "127.0.0.1"]);
        // Nothing of it has to outlast the machine; what was said to be written outlasts the server.
        for setting in [
            "unix_socket_directories=",
            "fsync=off",
            "full_page_writes=off",
            "max_connections=200",
            "shared_buffers=32MB",
        ] {
            command.args(["-c", setting]);
        }
        let words: Vec<_> = std::iter::once(command.get_program()).chain(command.get_args()).collect();
        let words: Vec<_> = words.into_iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let ready = || {
            let mut asked = Command::new(self.programs.join("pg_isready"));
            asked.args(["-q", "-h", "127.0.0.1", "-p", &port]).status().is_ok_and(|status| status.success())
        };
        *daemon = Some(Daemon::start(&self.folder, &words, ready)?);
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // A running server removes its folder; one that was stopped left it.
        drop(self.daemon.lock().unwrap_or_else(PoisonError::into_inner).take());
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Whom PostgreSQL runs as when root tests: it refuses to be root.
const NOBODY: &str = "nobody";

fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id");
    String::from_utf8_lossy(&id.stdout).trim() == "0"
}

fn as_nobody(program: &Path) -> Command {
    if is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", NOBODY, "--regid", "nogroup", "--clear-groups", "--"]).arg(program).current_dir("/");
        return command;
    }
    Command::new(program)
}

/// Where the newest PostgreSQL has its programs: beside each other in a folder of its version, or on the path.
fn programs() -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse::<u32>().ok()?, entry.path().join("bin"))))
        .filter(|(_, programs)| programs.join("postgres").is_file())
        .max();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = || std::env::split_paths(&path).find(|folder| folder.join("initdb").is_file());
    newest
        .map(|(_, programs)| programs)
        .or_else(on_path)
        .expect("this test needs PostgreSQL\nhint: run `make deps`, or install the package postgresql")
}

fn succeeded(what: &str, output: &Output) {
    assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_cluster_comes_back_with_what_it_had() {
    let cluster = Cluster::start_own();
    let url = cluster.fresh_database();
    assert!(url.ends_with(&format!(":{}/test0", cluster.port())), "{url}");
    cluster.sql("test0", "CREATE TABLE kept AS SELECT 'привет' AS word");
    cluster.stop();
    cluster.start();
    assert_eq!(cluster.sql("test0", "SELECT word FROM kept"), "привет");
    let folder = cluster.folder.clone();
    drop(cluster);
    assert!(!folder.exists(), "nothing stays behind");
}
