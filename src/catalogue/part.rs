//! A file that is not whole yet: who may write to it, and a thread that does.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Seek as _, SeekFrom, Write as _},
    path::Path,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use tokio::{sync::mpsc, task::JoinHandle};

/// Pieces on their way to the disk; when full, the network waits.
const PIECES: usize = 16;
/// How often a taken lock is tried.
const TRY_EVERY: Duration = Duration::from_millis(250);

/// Says that nobody else, in this process or another, fetches the same model. Ends with its last copy, or the process.
#[derive(Debug, Clone)]
pub(super) struct Guard(#[expect(dead_code, reason = "held, not read")] Arc<File>);

impl Guard {
    /// Takes it at once, or not.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn try_take(path: &Path) -> io::Result<Option<Self>> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = File::options().create(true).truncate(false).write(true).open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self(Arc::new(file)))),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Waits until it is free; `waiting` is called once if it is not.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub async fn take(path: &Path, waiting: impl FnOnce()) -> io::Result<Self> {
        let mut waiting = Some(waiting);
        loop {
            if let Some(guard) = Self::try_take(path)? {
                return Ok(guard);
            }
            if let Some(waiting) = waiting.take() {
                waiting();
            }
            tokio::time::sleep(TRY_EVERY).await;
        }
    }
}

/// A file being written. The thread that writes keeps the guard until the last piece is on the disk, also when nobody
/// waits for it any more.
pub(super) struct Part {
    pieces: mpsc::Sender<Bytes>,
    written: JoinHandle<io::Result<()>>,
}

impl Part {
    /// Opens `path` to go on at `from`; what stood behind is gone.
    pub fn open(path: &Path, from: u64, guard: &Guard) -> io::Result<Self> {
        let mut file = File::options().create(true).truncate(false).write(true).open(path)?;
        file.set_len(from)?;
        file.seek(SeekFrom::Start(from))?;
        let (pieces, mut coming) = mpsc::channel::<Bytes>(PIECES);
        let guard = guard.clone();
        let written = tokio::task::spawn_blocking(move || {
            let _guard = guard;
            while let Some(piece) = coming.blocking_recv() {
                file.write_all(&piece)?;
            }
            file.sync_all()
        });
        Ok(Self { pieces, written })
    }

    /// Hands over a piece; an error says only that [`finish`](Self::finish) has one.
    pub async fn write(&mut self, piece: Bytes) -> Result<(), ()> {
        self.pieces.send(piece).await.map_err(drop)
    }

    /// Waits until everything is on the disk.
    pub async fn finish(self) -> io::Result<()> {
        drop(self.pieces);
        self.written.await.unwrap_or_else(|_| Err(io::Error::other("the writing thread has ended")))
    }
}
