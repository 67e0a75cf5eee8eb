//! Recordings to text for somebody who waits: no job is made, nothing is kept.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Jobs;
use crate::{
    conversation::offline::{Heard, WholeOptions, transcribe_pieces},
    engine::{EngineError, Transcript},
    job::{
        error::JobError,
        outcome::Failure,
        read::{Claim, Sound, read},
        upload::{Slot, Upload},
    },
    model::UserId,
};

/// Recordings decoded and heard at once: each takes a thread for its decoding, and 2 MB a minute until it is heard.
const AT_ONCE: usize = 4;
/// Recordings that may wait for that; more are refused, to be sent again later.
const WAITING: usize = 16;

/// Who is served now and who waits.
pub(super) struct Counter {
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
}

impl Default for Counter {
    fn default() -> Self {
        Self { places: Arc::new(Semaphore::new(AT_ONCE)), waiting: AtomicUsize::new(0) }
    }
}

impl Counter {
    async fn place(&self) -> Result<OwnedSemaphorePermit, JobError> {
        struct Waits<'w>(&'w AtomicUsize);
        impl Drop for Waits<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        if let Ok(place) = self.places.clone().try_acquire_owned() {
            return Ok(place);
        }
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let _waits = Waits(&self.waiting);
        if before >= WAITING {
            return Err(JobError::Busy);
        }
        self.places.clone().acquire_owned().await.map_err(|_| JobError::Stopping)
    }
}

/// The sound of a recording whose text is wanted now. Its place is free again when it is dropped.
pub struct Recording {
    sound: Sound,
    _place: OwnedSemaphorePermit,
    _slot: Option<Slot>,
}

impl Recording {
    /// Its length in milliseconds.
    #[must_use]
    pub fn ms(&self) -> u32 {
        self.sound.audio.ms()
    }

    /// How many pieces it is heard in.
    #[must_use]
    pub fn pieces(&self) -> usize {
        self.sound.spoken.len()
    }

    /// Its text; `told` hears each piece as soon as it and all before it are heard. Dropping the future stops the work.
    ///
    /// # Errors
    /// The first error of a piece.
    pub async fn hear(&self, options: &WholeOptions, told: impl FnMut(&Heard)) -> Result<Transcript, EngineError> {
        transcribe_pieces(&*self.sound.ears, &self.sound.audio, &self.sound.spoken, options, told).await
    }
}

impl Jobs {
    /// Begins to take a recording of at most `most` bytes whose text is wanted now. What it is called does not count.
    ///
    /// # Errors
    /// [`JobError`]: too many recordings of this person, or a disk that takes no more.
    pub async fn spool(&self, user: UserId, most: u64) -> Result<Upload, JobError> {
        if self.0.tools.stopping.is_cancelled() {
            return Err(JobError::Stopping);
        }
        let max = self.0.settings.max_jobs;
        let slot = Slot::take(&self.0.counts, user, max).ok_or(JobError::TooMany(max))?;
        Upload::new(&self.0.settings.folder, user, "", most, slot).await
    }

    /// Reads a recording that has arrived, and finds out where somebody speaks in it. Waits its turn; the file is gone
    /// afterwards. Dropping the future stops it.
    ///
    /// # Errors
    /// The outer one: an empty file, or too many who wait; the inner one: what is in it cannot be read.
    pub async fn open(&self, mut upload: Upload) -> Result<Result<Recording, Failure>, JobError> {
        upload.finish().await?;
        let place = self.0.now.place().await?;
        let tools = &self.0.tools;
        let read = read(&tools.engines, tools.longest, self.path(upload.id), Claim::Nothing, |_| {}).await;
        Ok(read.map(|sound| Recording { sound, _place: place, _slot: upload.slot.take() }))
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[tokio::test]
    async fn some_are_served_some_wait_and_the_rest_are_refused() {
        let counter = Counter::default();
        let mut served = vec![];
        for _ in 0..AT_ONCE {
            served.push(counter.place().await.expect("a place"));
        }
        let mut waiting: Vec<_> = (0..WAITING).map(|_| Box::pin(counter.place())).collect();
        assert!(waiting.iter_mut().all(|one| one.now_or_never().is_none()));
        assert!(matches!(counter.place().now_or_never(), Some(Err(JobError::Busy))));
        waiting.pop();
        let mut next = Box::pin(counter.place());
        assert!((&mut next).now_or_never().is_none(), "who went away waits no more");
        served.pop();
        let first = waiting.remove(0).now_or_never();
        assert!(matches!(first, Some(Ok(_))), "who came first is served first");
    }
}
