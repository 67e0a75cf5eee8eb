//! From the spool into the store: in order, again and again until it is written.

use std::{sync::Arc, time::Duration};

use rand::Rng;
use tokio_util::sync::CancellationToken;

use super::{Spool, SpoolState, files::Read, frame::Entry};
use crate::store::{StoreError, Talks, TurnRecord};

/// Frames written together, and their bytes.
const BATCH: usize = 64;
const BATCH_BYTES: u64 = 1 << 20;
/// A write that takes longer counts as not made.
const WRITE_WITHIN: Duration = Duration::from_secs(30);
/// Waits between tries while the database is away: doubled from the first to the last.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// Times a frame by itself is refused before it is set aside.
const TRIES: u32 = 4;

/// Where a drain stands.
#[derive(Default)]
struct Progress {
    /// Tries of the same frames that came to nothing.
    failures: u32,
    /// Frames to write one by one: one of so many was refused, and the others should not suffer.
    careful: usize,
}

impl Spool {
    /// Writes what waits into `store`, and what comes, until `stop`. One at a time.
    pub async fn drain(self: Arc<Self>, store: Arc<dyn Talks>, stop: CancellationToken) {
        let mut progress = Progress::default();
        loop {
            let filled = self.filled.notified();
            let most = if progress.careful > 0 { 1 } else { BATCH };
            let batch = self.next(most).await;
            let wait = if batch.is_empty() {
                self.became(SpoolState::Ok);
                None
            } else {
                match write(store.as_ref(), &batch).await {
                    Ok(()) => {
                        self.written(&batch, &mut progress);
                        continue;
                    }
                    Err(error) => Some(self.refused(&batch, &error, &mut progress)),
                }
            };
            let ready = async {
                match wait {
                    Some(wait) => tokio::time::sleep(wait).await,
                    None => filled.await,
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = ready => {}
            }
        }
    }

    /// The oldest frames that wait.
    async fn next(self: &Arc<Self>, most: usize) -> Vec<Read> {
        let spool = Arc::clone(self);
        let reading = tokio::task::spawn_blocking(move || {
            loop {
                let part = spool.files().oldest();
                let Some(part) = part else { return Vec::new() };
                let reads = part.read(BATCH_BYTES, most);
                if !reads.is_empty() {
                    return reads;
                }
                let mut files = spool.files();
                files.skip_oldest();
                let waiting = files.waiting();
                drop(files);
                spool.waiting.send_replace(waiting);
            }
        });
        reading.await.unwrap_or_default()
    }

    fn written(&self, batch: &[Read], progress: &mut Progress) {
        progress.failures = 0;
        progress.careful = progress.careful.saturating_sub(batch.len());
        let away = self.status().state == SpoolState::Away;
        if away {
            tracing::info!(waiting = self.files().waiting(), "the database is back");
            self.became(SpoolState::CatchingUp);
        }
        self.done_with(batch);
    }

    fn done_with(&self, batch: &[Read]) {
        let mut files = self.files();
        for read in batch {
            files.advance(read);
        }
        let waiting = files.waiting();
        drop(files);
        self.waiting.send_replace(waiting);
    }

    /// Gives how long to wait before the next try.
    fn refused(&self, batch: &[Read], error: &StoreError, progress: &mut Progress) -> Duration {
        let away = matches!(error, StoreError::Unreachable(_));
        if self.status().state != SpoolState::Away {
            tracing::warn!(%error, "the database does not take what was said; it waits on disk");
            self.became(SpoolState::Away);
        }
        if away {
            progress.failures = progress.failures.saturating_add(1);
            return wait_after(progress.failures);
        }
        if batch.len() > 1 {
            progress.careful = batch.len();
            progress.failures = 0;
            return Duration::ZERO;
        }
        progress.failures += 1;
        if progress.failures < TRIES {
            return wait_after(progress.failures);
        }
        tracing::error!(%error, "the database refuses a turn; it is set aside in the spool's folder `rejected`");
        for read in batch {
            self.files().reject(read);
        }
        progress.failures = 0;
        progress.careful = progress.careful.saturating_sub(1);
        self.done_with(batch);
        Duration::ZERO
    }
}

/// Turns in one go, as far as they follow one another; sound one by one, behind its turn.
async fn write(store: &dyn Talks, batch: &[Read]) -> Result<(), StoreError> {
    let mut turns: Vec<TurnRecord> = Vec::new();
    for read in batch {
        match &read.entry {
            Some(Entry::Turn(turn)) => turns.push(TurnRecord::clone(turn)),
            Some(Entry::Audio(audio)) => {
                write_turns(store, &mut turns).await?;
                in_time(store.write_audio(audio)).await?;
            }
            None => return Err(StoreError::Failed("a record of another version of this server".into())),
        }
    }
    write_turns(store, &mut turns).await
}

async fn write_turns(store: &dyn Talks, turns: &mut Vec<TurnRecord>) -> Result<(), StoreError> {
    if !turns.is_empty() {
        in_time(store.write_turns(turns)).await?;
        turns.clear();
    }
    Ok(())
}

async fn in_time(writing: impl Future<Output = Result<(), StoreError>>) -> Result<(), StoreError> {
    let late = |_| StoreError::Unreachable(format!("no answer within {} s", WRITE_WITHIN.as_secs()));
    tokio::time::timeout(WRITE_WITHIN, writing).await.map_err(late)?
}

/// Doubled with each failure, a little different each time, so that servers do not come all at once.
fn wait_after(failures: u32) -> Duration {
    let wait = FIRST_WAIT.saturating_mul(1 << failures.saturating_sub(1).min(10)).min(LONGEST_WAIT);
    wait.mul_f64(rand::rng().random_range(0.8..1.2))
}
