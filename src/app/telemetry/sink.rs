//! Where lines go: a thread of its own writes them, so that a full pipe or a slow disk holds up nobody. Its queue is bounded:
//! what does not fit is dropped, counted, and told in a line of its own as soon as lines get through again.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use file_rotate::{ContentLimit, FileRotate, compression::Compression, suffix::AppendCount};
use jiff::Timestamp;
use serde_json::Value;
use tracing::Level;

use super::format::{Look, Record};

/// Lines that may wait to be written; a few seconds of a server that is asked a thousand times a second.
const LINES: usize = 8_192;
/// How long the end of the process waits for what is still to be written.
const FLUSH_WITHIN: Duration = Duration::from_secs(2);
/// Between two complaints about a file that takes nothing.
const COMPLAIN_EVERY: Duration = Duration::from_mins(1);

enum Order {
    Line(String),
    Flush(SyncSender<()>),
}

/// See the module.
#[derive(Clone)]
pub(super) struct Sink {
    queue: SyncSender<Order>,
    lost: Arc<AtomicU64>,
}

impl Sink {
    /// Standard output for a server, standard error for a command.
    pub(super) fn console(serving: bool, look: Look) -> Result<Self, String> {
        let to: Box<dyn Write + Send> = if serving { Box::new(io::stdout()) } else { Box::new(io::stderr()) };
        // Nobody is left to be told that nobody reads.
        Self::start("aigolos-log", to, look, |_| {})
    }

    /// A file that is put aside after `mb` megabytes; `kept` of those put aside stay.
    pub(super) fn file(path: &str, mb: u32, kept: u32) -> Result<Self, String> {
        let failed = |error: io::Error| {
            format!(
                "LOG_FILE cannot be written: {path}: {error}\nhint: name a file in a folder that the server may write to"
            )
        };
        let path = std::path::absolute(path).map_err(failed)?;
        fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).map_err(failed)?;
        let mut options = OpenOptions::new();
        options.read(true).create(true).append(true).mode(0o640);
        options.open(&path).map_err(failed)?;
        let limit = ContentLimit::BytesSurpassed(mb as usize * 1_000_000);
        let file = FileRotate::new(&path, AppendCount::new(kept as usize), limit, Compression::None, Some(options));
        let mut complained: Option<Instant> = None;
        Self::start("aigolos-file", Box::new(file), Look::Json, move |error| {
            if complained.is_none_or(|last| last.elapsed() > COMPLAIN_EVERY) {
                complained = Some(Instant::now());
                // Not through the log, which is what fails; and not a panic where nobody reads.
                let _ = writeln!(io::stderr(), "warning: LOG_FILE takes no lines: {error}");
            }
        })
    }

    fn start(
        name: &str,
        to: Box<dyn Write + Send>,
        look: Look,
        failed: impl FnMut(&io::Error) + Send + 'static,
    ) -> Result<Self, String> {
        let (queue, waiting) = sync_channel(LINES);
        let lost = Arc::new(AtomicU64::new(0));
        let sink = Self { queue, lost: Arc::clone(&lost) };
        thread::Builder::new()
            .name(name.into())
            .spawn(move || write(&waiting, to, &lost, look, failed))
            .map_err(|error| format!("no thread for the log: {error}"))?;
        Ok(sink)
    }

    /// Hands over a line; never waits.
    pub(super) fn write(&self, line: String) {
        if let Err(TrySendError::Full(_)) = self.queue.try_send(Order::Line(line)) {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Waits until what was handed over is written, or for [`FLUSH_WITHIN`].
    pub(super) fn flush(&self) {
        let until = Instant::now() + FLUSH_WITHIN;
        let (done, written) = sync_channel(1);
        let mut order = Order::Flush(done);
        while let Err(TrySendError::Full(back)) = self.queue.try_send(order) {
            if Instant::now() > until {
                return;
            }
            order = back;
            thread::sleep(Duration::from_millis(5));
        }
        let _ = written.recv_timeout(until.saturating_duration_since(Instant::now()));
    }
}

fn write(
    waiting: &Receiver<Order>,
    mut to: Box<dyn Write + Send>,
    lost: &AtomicU64,
    look: Look,
    mut failed: impl FnMut(&io::Error),
) {
    for order in waiting {
        match order {
            Order::Line(line) => {
                let gone = lost.swap(0, Ordering::Relaxed);
                let told = (gone > 0).then(|| lines_lost(gone, look));
                // Before the line: those that were lost came before those that wait now, or among them.
                let written = told.map_or(Ok(()), |told| to.write_all(told.as_bytes()));
                if let Err(error) = written.and_then(|()| to.write_all(line.as_bytes())) {
                    lost.fetch_add(gone + 1, Ordering::Relaxed);
                    failed(&error);
                }
            }
            Order::Flush(done) => {
                let gone = lost.swap(0, Ordering::Relaxed);
                if gone > 0 {
                    let _ = to.write_all(lines_lost(gone, look).as_bytes()); // nothing more can be done about it
                }
                let _ = to.flush();
                let _ = done.send(());
            }
        }
    }
}

fn lines_lost(count: u64, look: Look) -> String {
    let fields = [("lost".into(), Value::from(count))];
    let message = "log lines were lost: they came faster than they could be written";
    let target = "aigolos::app::telemetry";
    Record { at: Timestamp::now(), level: Level::WARN, target, message, fields: &fields }.line(look)
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc};

    use super::*;

    /// Takes nothing until it is let, then keeps what it gets.
    struct Held {
        let_go: mpsc::Receiver<()>,
        kept: Arc<Mutex<Vec<u8>>>,
    }

    impl Write for Held {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.let_go.recv(); // at once when the other end is gone
            self.kept.lock().expect("not poisoned").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_queue_drops_lines_and_says_how_many() {
        let (go, let_go) = mpsc::channel();
        let kept = Arc::new(Mutex::new(Vec::new()));
        let held = Held { let_go, kept: Arc::clone(&kept) };
        let sink = Sink::start("held", Box::new(held), Look::Json, |_| {}).expect("a thread");
        for number in 0..LINES + 100 {
            sink.write(format!("{{\"number\":{number}}}\n")); // would hang here if it waited
        }
        drop(go);
        sink.flush();
        let text = String::from_utf8(kept.lock().expect("not poisoned").clone()).expect("text");
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let lost: u64 = lines.iter().filter_map(|line| line["lost"].as_u64()).sum();
        let written = lines.iter().filter(|line| line["number"].is_u64()).count();
        assert!((99..=100).contains(&lost), "one was in the writer's hands: {lost}");
        assert_eq!(written + lost as usize, LINES + 100);
    }

    #[test]
    fn a_file_is_put_aside_and_so_many_are_kept() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("logs/app.json.log");
        let sink = Sink::file(path.to_str().expect("text"), 1, 2).expect("a file");
        let line = format!("{}\n", "x".repeat(99_999));
        for _ in 0..55 {
            sink.write(line.clone());
        }
        sink.flush();
        let mut names: Vec<_> = fs::read_dir(path.parent().expect("a folder"))
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("text"))
            .collect();
        names.sort();
        assert_eq!(names, ["app.json.log", "app.json.log.1", "app.json.log.2"]);
        let size = fs::metadata(folder.path().join("logs/app.json.log.1")).expect("a file").len();
        assert!((1_000_000..=1_200_000).contains(&size), "whole lines, a little more than the limit: {size}");
    }

    #[test]
    fn a_file_that_cannot_be_had_is_an_error_with_a_hint() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = Sink::file(folder.path().to_str().expect("text"), 1, 1).err().expect("it is a folder");
        assert!(error.contains("LOG_FILE") && error.contains("hint:"), "{error}");
    }
}
