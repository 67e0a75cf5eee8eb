//! What waits on disk until the database has it.
//!
//! Whoever has something to keep appends it here, which is one small write to a local file: it survives the process from
//! then on (not a power failure: nothing waits for the disk). A task of its own [drains](Spool::drain) it into the
//! store, in order, and tries for as long as the database is away. A write that may or may not have arrived is made
//! again; the store knows revisions it has seen, so every turn is there once.
//!
//! A record is a frame of length, checksum and content. A frame that a dying process left unfinished fails its
//! checksum and is cut off at the next start. A frame that the store keeps refusing is set aside in `rejected/`, so that
//! it holds up nothing behind it, and is tried again at the next start.

pub mod copy;
mod drain;
mod files;
mod frame;
#[cfg(test)]
mod tests;

use std::{
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::{Notify, watch};

use self::{
    files::{Appended, Files},
    frame::Entry,
};
use super::{TurnAudio, TurnRecord};
use crate::{
    measure,
    model::{ConversationId, UnixMs, UserId},
};

/// Where it lies and how much of it there may be.
#[derive(Debug, Clone)]
pub struct SpoolSettings {
    /// Made if it is not there. One server at a time.
    pub folder: PathBuf,
    /// `SPOOL_MAX_MB`, in bytes. Full: what comes then is not kept. Sound stops at half of it.
    pub max_bytes: u64,
}

/// Why there is no spool.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    #[error("{0} is in use by another server\nhint: give each server a DATA_DIR of its own, or stop the other one")]
    Taken(PathBuf),
    #[error("{path} cannot be used: {error}\nhint: DATA_DIR must be a folder that the server may write to")]
    Io { path: PathBuf, error: std::io::Error },
}

/// How the way to the database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpoolState {
    /// What came was written.
    Ok,
    /// The last write did not get through.
    Away,
    /// It gets through again; what waited is being written.
    CatchingUp,
}

/// What a health report says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolReport {
    pub state: SpoolState,
    /// Turns (each state of one counts) that the database does not have yet.
    pub waiting: u64,
    /// Turns that were not kept since the start because the spool was full or its disk failed.
    pub lost: u64,
}

/// How full it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpoolSize {
    pub bytes: u64,
    pub max_bytes: u64,
    /// When the oldest turn that waits was spoken; `None`: none waits.
    pub oldest: Option<UnixMs>,
}

/// See the module.
pub struct Spool {
    files: Mutex<Files>,
    /// Woken when there is something to drain.
    filled: Notify,
    /// Entries that wait.
    waiting: watch::Sender<u64>,
    status: Mutex<Status>,
}

struct Status {
    state: SpoolState,
    lost: u64,
    /// When the log was last told of a loss.
    told: Option<Instant>,
}

/// The log hears of losses this often.
const TELL_EVERY: Duration = Duration::from_mins(1);

impl Spool {
    /// Takes the folder, cuts off what a process did not finish writing, and counts what waits.
    ///
    /// # Errors
    /// [`SpoolError::Taken`] while another server has it.
    pub fn open(settings: SpoolSettings) -> Result<Self, SpoolError> {
        let files = Files::open(settings)?;
        let waiting = files.waiting();
        let state = if waiting == 0 { SpoolState::Ok } else { SpoolState::CatchingUp };
        if waiting > 0 {
            tracing::info!(waiting, "turns of an earlier run wait for the database");
        }
        Ok(Self {
            files: Mutex::new(files),
            filled: Notify::new(),
            waiting: watch::Sender::new(waiting),
            status: Mutex::new(Status { state, lost: 0, told: None }),
        })
    }

    /// Keeps a turn until the store has it. What cannot be kept is counted and told in the log.
    pub fn keep_turn(&self, turn: &TurnRecord) {
        self.keep(&frame::of_turn(turn), true);
    }

    /// Keeps sound until the store has it; the first to be left out when space is short.
    pub fn keep_audio(&self, audio: &TurnAudio) {
        self.keep(&frame::of_audio(audio), false);
    }

    /// The turns of a conversation that wait, oldest first; reads files. Ask here before asking the store, so that what
    /// is on its way from here to there is seen at least once.
    #[must_use]
    pub fn waiting_turns(&self, user: UserId, conversation: ConversationId) -> Vec<TurnRecord> {
        let parts = self.files().parts();
        let entries = parts.iter().flat_map(|part| part.read(u64::MAX, usize::MAX));
        let turns = entries.filter_map(|read| match read.entry {
            Some(Entry::Turn(turn)) if turn.user == user && turn.conversation == conversation => Some(*turn),
            _ => None,
        });
        turns.collect()
    }

    #[must_use]
    pub fn report(&self) -> SpoolReport {
        let waiting = self.files().waiting_turns();
        let status = self.status();
        SpoolReport { state: status.state, waiting, lost: status.lost }
    }

    /// How full it is, for metrics; may read a file.
    #[must_use]
    pub fn size(&self) -> SpoolSize {
        let (oldest, bytes, max_bytes) = {
            let files = self.files();
            (files.oldest(), files.bytes(), files.max_bytes())
        };
        // A turn comes before its sound, so it is one of the first.
        let reads = oldest.map_or_else(Vec::new, |part| part.read(u64::MAX, 3));
        let turn = reads.into_iter().find_map(|read| match read.entry {
            Some(Entry::Turn(turn)) => Some(turn.at),
            _ => None,
        });
        SpoolSize { bytes, max_bytes, oldest: turn }
    }

    /// Waits until nothing waits, or `within` is over; whether it is empty.
    pub async fn flush(&self, within: Duration) -> bool {
        let mut waiting = self.waiting.subscribe();
        tokio::time::timeout(within, waiting.wait_for(|waiting| *waiting == 0)).await.is_ok_and(|found| found.is_ok())
    }

    /// Gives the folder back, for another server of the same process to take. What is appended afterwards is lost.
    pub fn close(&self) {
        self.files().close();
    }

    fn keep(&self, frame: &[u8], turn: bool) {
        let begun = Instant::now();
        let appended = self.files().append(frame, turn);
        if turn {
            metrics::histogram!(measure::JOURNAL_WRITE).record(begun.elapsed());
        }
        match appended {
            Appended::Kept => {
                self.waiting.send_modify(|waiting| *waiting += 1);
                self.filled.notify_one();
            }
            Appended::Full | Appended::Failed(_) if !turn => tracing::debug!("sound was not kept: the spool is full"),
            Appended::Full => self.lost("it is full; the database has been away too long"),
            Appended::Failed(error) => self.lost(&error.to_string()),
        }
    }

    fn lost(&self, reason: &str) {
        let mut status = self.status();
        status.lost += 1;
        if status.told.is_none_or(|told| told.elapsed() >= TELL_EVERY) {
            status.told = Some(Instant::now());
            tracing::error!(lost = status.lost, reason, "turns are not kept: the spool does not take them");
        }
    }

    fn became(&self, state: SpoolState) {
        self.status().state = state;
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn status(&self) -> MutexGuard<'_, Status> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
