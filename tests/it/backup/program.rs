//! The commands, as a person or a service runs them.

use std::{
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use super::Place;

const PATIENCE: Duration = Duration::from_mins(1);

fn aigolos(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aigolos"));
    command.arg("--data-dir").arg(data).current_dir(data.parent().expect("it has one")).env_remove("BACKUP_DIR");
    command
}

fn done(command: &mut Command) -> (String, String) {
    let Output { status, stdout, stderr } = command.output().expect("it runs");
    let (out, error) = (String::from_utf8_lossy(&stdout).into_owned(), String::from_utf8_lossy(&stderr).into_owned());
    assert!(status.success(), "{out}{error}");
    (out, error)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_made_listed_looked_at_and_restored() {
    let place = Place::sqlite();
    super::fill(&place).await;
    let (out, _) = done(aigolos(place.data()).arg("backup"));
    assert!(out.contains("whole") && out.contains("2 users") && out.contains("keep it secret"), "{out}");
    let (list, _) = done(aigolos(place.data()).args(["backup", "--list"]));
    let file = list.split_whitespace().last().expect("a file").to_owned();
    assert!(file.contains("/backups/aigolos-20"), "{list}");
    let (out, _) = done(aigolos(place.data()).args(["backup", "--verify", &file]));
    assert!(out.contains("is whole"), "{out}");

    let other = TempDir::new().expect("a folder");
    let data = other.path().join("data");
    let (out, _) = done(aigolos(&data).args(["restore", &file]));
    assert!(out.contains("restored") && out.contains("into sqlite"), "{out}");
    let refused = aigolos(&data).args(["restore", &file]).output().expect("it runs");
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && told.contains("--force"), "{told}");
    // What it writes to a pipe is the same kind of file.
    let piped = aigolos(&data).args(["backup", "-o", "-"]).output().expect("it runs");
    let copy = other.path().join("piped.tar.gz");
    std::fs::write(&copy, piped.stdout).expect("written");
    done(aigolos(&data).arg("backup").arg("--verify").arg(&copy));
    let twice = aigolos(&data).arg("backup").arg("-o").arg(&copy).output().expect("it runs");
    assert!(String::from_utf8_lossy(&twice.stderr).contains("exists already"));
}

#[test]
fn a_service_waits_for_the_database_and_stops_when_told() {
    let folder = TempDir::new().expect("a folder");
    let data = folder.path().join("data");
    std::fs::create_dir(&data).expect("made");
    let child = aigolos(&data)
        .args(["backup", "--every", "1h"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut child = Ended(child);
    // It says that there is no database, and stays.
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.0.stderr.take().expect("piped")));
    let line = lines.next().expect("a line").expect("text");
    assert!(line.contains("no backup could be made"), "{line}");
    // Now there is one.
    tokio::runtime::Runtime::new().expect("a runtime").block_on(async {
        let settings = aigolos::store::StoreSettings::Sqlite { folder: data.clone() };
        aigolos::store::open(&settings).await.expect("a store");
    });
    let line = lines.find(|line| line.as_ref().is_ok_and(|line| line.contains("a backup was made")));
    line.expect("it tries again").expect("text");
    let told = Command::new("kill").args(["-TERM", &child.0.id().to_string()]).status().expect("kill");
    assert!(told.success());
    let until = Instant::now() + PATIENCE;
    let status = loop {
        if let Some(status) = child.0.try_wait().expect("ours") {
            break status;
        }
        assert!(Instant::now() < until, "it does not end");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(status.success(), "{status}");
    let made = aigolos::app::backup::kept(&data.join("backups")).expect("read");
    assert_eq!(made.len(), 1);
}

/// A process that ends with the test.
struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
