//! A job that has not ended: what it has told, and who listens.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::{
    outcome::{Segment, ended_by, last_event},
    upload::Slot,
};
use crate::{
    model::{JobId, UserId},
    store::{JobEvent, JobRecord, Store, StoreError},
};

/// Progress is told in steps of at least this.
const STEP: f32 = 0.01;
/// And at most so often.
const PACE: Duration = Duration::from_millis(250);
/// How often the store is asked about a job that another server does.
const ELSEWHERE: Duration = Duration::from_secs(1);

/// A job on this server, queued or running.
pub(super) struct Live {
    pub id: JobId,
    pub user: UserId,
    /// Somebody wants it to stop.
    pub cancel: CancellationToken,
    told: Mutex<Told>,
    /// Something waits to be saved.
    arrived: Notify,
    /// Changes whenever something was saved.
    changed: watch::Sender<()>,
    /// The person's place among those who may have jobs; given up at the end.
    pub slot: Mutex<Option<Slot>>,
}

#[derive(Default)]
struct Told {
    /// In the store, and seen by watchers; in order, from 1.
    saved: Vec<JobEvent>,
    /// Not in the store yet. Progress replaces progress, so that a store that is away fills no memory.
    waiting: VecDeque<(&'static str, Value)>,
    /// One event is on its way to the store.
    saving: bool,
    /// The newest progress.
    stage: &'static str,
    fraction: f32,
    at: Option<Instant>,
    /// The job ended and will not be saved further.
    closed: bool,
}

impl Live {
    /// `saved`: what it told before the server was started anew.
    pub fn new(id: JobId, user: UserId, saved: Vec<JobEvent>, slot: Slot) -> Self {
        Self {
            id,
            user,
            cancel: CancellationToken::new(),
            told: Mutex::new(Told { saved, ..Told::default() }),
            arrived: Notify::new(),
            changed: watch::Sender::new(()),
            slot: Mutex::new(Some(slot)),
        }
    }

    /// Tells how far `stage` is, if that is worth telling.
    pub fn progress(&self, stage: &'static str, fraction: f32) {
        let mut told = self.told();
        let (now, moved) = (Instant::now(), fraction - told.fraction >= STEP || fraction >= 1.0);
        let soon = told.at.is_some_and(|at| now.duration_since(at) < PACE) && fraction < 1.0;
        if told.stage == stage && (!moved || soon || told.fraction >= 1.0) {
            return;
        }
        let replaced = |(kind, data): &(&str, Value)| *kind == "progress" && data["stage"] == stage;
        if told.waiting.back().is_some_and(replaced) {
            told.waiting.pop_back();
        }
        (told.stage, told.fraction, told.at) = (stage, fraction, Some(now));
        // Thousandths are fine enough, and short.
        let fraction = (f64::from(fraction.clamp(0.0, 1.0)) * 1_000.0).round() / 1_000.0;
        told.waiting.push_back(("progress", json!({ "stage": stage, "fraction": fraction })));
        self.arrived.notify_one();
    }

    /// Tells a segment of text, unless it was told before the server was started anew.
    pub fn text(&self, segment: &Segment) {
        let mut told = self.told();
        let before =
            |event: &JobEvent| event.kind == "text" && event.data["end_ms"].as_u64() > Some(segment.start_ms.into());
        if told.saved.iter().rev().any(before) {
            return;
        }
        let data = json!({ "start_ms": segment.start_ms, "end_ms": segment.end_ms, "text": segment.text });
        told.waiting.push_back(("text", data));
        self.arrived.notify_one();
    }

    /// Tells how it ended.
    pub fn last(&self, kind: &'static str, data: Value) {
        self.told().waiting.push_back((kind, data));
        self.arrived.notify_one();
    }

    /// The event that ended it, if it was saved.
    pub fn ended(&self) -> Option<JobEvent> {
        self.told().saved.last().filter(|event| ended_by(&event.kind).is_some()).cloned()
    }

    /// Waits until all that was told is saved.
    pub async fn wait_until_saved(&self) {
        self.wait_for(|told| told.waiting.is_empty() && !told.saving).await;
    }

    /// Waits until it is closed.
    pub async fn wait_for_close(&self) {
        self.wait_for(|told| told.closed).await;
    }

    async fn wait_for(&self, what: impl Fn(&Told) -> bool) {
        let mut changes = self.changed.subscribe();
        // The guard must not live across the wait.
        while !what(&self.told()) {
            if changes.changed().await.is_err() {
                return;
            }
        }
    }

    /// Nothing more will be saved: its watchers have what they will get.
    pub fn close(&self) {
        self.told().closed = true;
        self.changed.send_replace(());
    }

    /// Saves what is told, as it is told, until the last event is saved or `stopping`.
    pub async fn save_events(&self, store: &dyn Store, stopping: &CancellationToken) {
        while self.ended().is_none() {
            let next = {
                let mut told = self.told();
                let seq = told.saved.len() as u64 + 1;
                told.saving = !told.waiting.is_empty();
                told.waiting.pop_front().map(|(kind, data)| JobEvent { seq, kind: kind.into(), data })
            };
            let Some(event) = next else {
                tokio::select! {
                    () = self.arrived.notified() => continue,
                    () = stopping.cancelled() => return,
                }
            };
            match patiently(stopping, || store.add_job_event(self.id, &event)).await {
                None => return,
                Some(Err(error)) => tracing::error!(job.id = %self.id, %error, "what a job tells cannot be kept"),
                Some(Ok(())) => {}
            }
            let mut told = self.told();
            told.saved.push(event);
            told.saving = false;
            drop(told);
            self.changed.send_replace(());
        }
    }

    fn after(&self, seq: u64) -> Option<JobEvent> {
        self.told().saved.get(usize::try_from(seq).unwrap_or(usize::MAX)).cloned()
    }

    fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does something with the store, again and again while that cannot be reached; `None` if `stopping` came first.
pub(super) async fn patiently<T, F: Future<Output = Result<T, StoreError>>>(
    stopping: &CancellationToken,
    mut what: impl FnMut() -> F,
) -> Option<Result<T, StoreError>> {
    let mut pause = Duration::from_millis(200);
    loop {
        let done = tokio::select! {
            done = what() => done,
            () = stopping.cancelled() => return None,
        };
        let Err(StoreError::Unreachable(reason)) = done else { return Some(done) };
        tracing::debug!(reason, "a job waits for the store");
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = stopping.cancelled() => return None,
        }
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

/// Hears what a job tells, from some event on, until its end.
pub struct Watch {
    after: u64,
    source: Source,
}

enum Source {
    Live { live: Arc<Live>, changes: watch::Receiver<()> },
    Stored { events: VecDeque<JobEvent>, elsewhere: Option<(Arc<dyn Store>, Box<JobRecord>)> },
}

impl Watch {
    pub(super) fn live(live: Arc<Live>, after: u64) -> Self {
        let changes = live.changed.subscribe();
        Self { after, source: Source::Live { live, changes } }
    }

    /// A job that has ended, or that another server does.
    pub(super) async fn stored(store: Arc<dyn Store>, job: JobRecord, after: u64) -> Result<Self, StoreError> {
        let events = VecDeque::from(store.job_events(job.id, after).await?);
        let mut watch = Self { after, source: Source::Stored { events, elsewhere: None } };
        let Source::Stored { events, elsewhere } = &mut watch.source else { return Ok(watch) };
        match last_event(job.state) {
            None => *elsewhere = Some((store, Box::new(job))),
            // Cancelled from elsewhere, or ended while the store was going away: the record has the last word.
            Some(kind) if !events.iter().any(|event| ended_by(&event.kind).is_some()) => {
                let all = if after == 0 { None } else { Some(store.job_events(job.id, 0).await?) };
                let all = all.as_deref().unwrap_or_else(|| events.make_contiguous());
                let last = all.last();
                if last.is_none_or(|event| ended_by(&event.kind).is_none()) {
                    let seq = last.map_or(0, |event| event.seq).max(after) + 1;
                    let data = job.outcome.unwrap_or_else(|| json!({}));
                    events.push_back(JobEvent { seq, kind: kind.into(), data });
                }
            }
            Some(_) => {}
        }
        Ok(watch)
    }

    /// Whether nothing is left to hear.
    #[must_use]
    pub fn is_over(&self) -> bool {
        match &self.source {
            Source::Live { live, .. } => live.ended().is_some_and(|last| last.seq <= self.after),
            Source::Stored { events, elsewhere } => events.is_empty() && elsewhere.is_none(),
        }
    }

    /// The next event; `None` after the last.
    ///
    /// # Errors
    /// When the store went away; what was not heard can be asked for again.
    pub async fn next(&mut self) -> Option<Result<JobEvent, StoreError>> {
        loop {
            match &mut self.source {
                Source::Live { live, changes } => {
                    changes.borrow_and_update();
                    if let Some(event) = live.after(self.after) {
                        self.after = event.seq;
                        return Some(Ok(event));
                    }
                    if live.ended().is_some() || live.told().closed || changes.changed().await.is_err() {
                        return None;
                    }
                }
                Source::Stored { events, elsewhere } => {
                    if let Some(event) = events.pop_front() {
                        self.after = event.seq;
                        if ended_by(&event.kind).is_some() {
                            *elsewhere = None;
                        }
                        return Some(Ok(event));
                    }
                    let (store, job) = elsewhere.clone()?;
                    tokio::time::sleep(ELSEWHERE).await;
                    match Self::again(store, &job, self.after).await {
                        Ok(Some(watch)) => *self = watch,
                        Ok(None) => return None,
                        Err(error) => return Some(Err(error)),
                    }
                }
            }
        }
    }

    async fn again(store: Arc<dyn Store>, job: &JobRecord, after: u64) -> Result<Option<Self>, StoreError> {
        match store.job(job.user, job.id).await? {
            Some(job) => Self::stored(store, job, after).await.map(Some),
            None => Ok(None),
        }
    }
}
