//! The jobs of this server: taken in, done in turn, watched, cancelled, taken up again after a restart.

mod now;

use std::{
    collections::HashMap,
    fs, io,
    panic::AssertUnwindSafe,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

pub use self::now::Recording;
use futures::FutureExt;
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;

use super::{
    error::JobError,
    kind::{check_name, kind_of},
    live::{Live, Watch, patiently},
    outcome::{End, Failure, JobRequest, last_event},
    queue::Queue,
    run::{Tools, run},
    upload::{Counts, Slot, Upload, clean_name},
};
use crate::{
    engine::Engines,
    measure,
    model::{JobId, TRACE_ROOT, UnixMs, UserId},
    store::{JobEvent, JobRecord, JobState, Store, StoreError},
};

/// How jobs are done.
#[derive(Debug, Clone)]
pub struct JobSettings {
    /// Where recordings lie until they are done: `DATA_DIR/uploads`.
    pub folder: PathBuf,
    /// Who this server is, see [`server_id`].
    pub server: String,
    /// `MAX_UPLOAD_MB`, in bytes.
    pub max_bytes: u64,
    /// `MAX_AUDIO_MINUTES`.
    pub longest: Duration,
    /// `JOB_WORKERS`: jobs done at once.
    pub workers: usize,
    /// `MAX_JOBS`: jobs one person may have queued, running and being sent.
    pub max_jobs: usize,
}

impl Default for JobSettings {
    fn default() -> Self {
        Self {
            folder: "data/uploads".into(),
            server: String::new(),
            max_bytes: 10 << 20,
            longest: Duration::from_hours(2),
            workers: 1,
            max_jobs: 20,
        }
    }
}

/// Names the server whose data folder this is: several may share a database, but each has its own disk.
///
/// # Errors
/// When the folder cannot be read or written.
pub fn server_id(data: &Path) -> io::Result<String> {
    fs::create_dir_all(data)?;
    let path = data.join("server.id");
    match fs::read_to_string(&path) {
        Ok(id) if !id.trim().is_empty() => Ok(id.trim().to_owned()),
        Ok(_) => fresh_id(&path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => fresh_id(&path),
        Err(error) => Err(error),
    }
}

fn fresh_id(path: &Path) -> io::Result<String> {
    let id = JobId::fresh().to_string();
    fs::write(path, format!("{id}\n"))?;
    Ok(id)
}

/// The jobs of this server; clones are the same.
#[derive(Clone)]
pub struct Jobs(Arc<Inner>);

struct Inner {
    tools: Tools,
    settings: JobSettings,
    counts: Counts,
    state: Mutex<State>,
    /// A job waits.
    queued: Notify,
    tasks: TaskTracker,
    /// Recordings whose text is wanted at once.
    now: now::Counter,
}

#[derive(Default)]
struct State {
    queue: Queue,
    /// Queued and running.
    live: HashMap<JobId, (Arc<Live>, JobRecord)>,
}

impl Jobs {
    /// Begins to work, with what was left undone when the server last stopped.
    ///
    /// # Errors
    /// When the folder cannot be made or read.
    pub fn start(store: Arc<dyn Store>, engines: Engines, settings: JobSettings) -> io::Result<Self> {
        fs::create_dir_all(&settings.folder)?;
        let left: Vec<PathBuf> =
            fs::read_dir(&settings.folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<_>>()?;
        let stopping = CancellationToken::new();
        let tools = Tools { store, engines, longest: settings.longest, stopping };
        let jobs = Self(Arc::new(Inner {
            tools,
            settings,
            counts: Counts::default(),
            state: Mutex::default(),
            queued: Notify::new(),
            tasks: TaskTracker::new(),
            now: now::Counter::default(),
        }));
        jobs.0.tasks.spawn(jobs.clone().take_up(left));
        for _ in 0..jobs.0.settings.workers.max(1) {
            jobs.0.tasks.spawn(jobs.clone().work());
        }
        Ok(jobs)
    }

    /// How many wait, and how many are being done (or written down).
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let state = self.state();
        let queued = state.queue.len();
        (queued, state.live.len().saturating_sub(queued))
    }

    /// The largest recording, in bytes.
    #[must_use]
    pub fn max_bytes(&self) -> u64 {
        self.0.settings.max_bytes
    }

    /// Begins to take a recording called `name`; `media_type` counts where the name says nothing.
    ///
    /// # Errors
    /// [`JobError`]: a name of no recording, too many jobs, or a disk that takes no more.
    pub async fn upload(&self, user: UserId, name: &str, media_type: Option<&str>) -> Result<Upload, JobError> {
        if self.0.tools.stopping.is_cancelled() {
            return Err(JobError::Stopping);
        }
        let name = clean_name(name);
        check_name(&name, media_type)?;
        let most = self.0.settings.max_jobs;
        let slot = Slot::take(&self.0.counts, user, most).ok_or(JobError::TooMany(most))?;
        Upload::new(&self.0.settings.folder, user, &name, self.0.settings.max_bytes, slot).await
    }

    /// Makes a job of a recording that has arrived.
    ///
    /// # Errors
    /// [`JobError`]: an empty file, one that is not what its name says, or a store that is away.
    pub async fn submit(&self, mut upload: Upload, request: &JobRequest) -> Result<JobRecord, JobError> {
        upload.finish().await?;
        let path = self.path(upload.id);
        let (name, media_type) = (upload.name.clone(), request.media_type.clone());
        let looked =
            tokio::task::spawn_blocking(move || kind_of(&mut fs::File::open(path)?, &name, media_type.as_deref()));
        looked.await.map_err(io::Error::other)???;
        let job = JobRecord {
            id: upload.id,
            user: upload.user,
            server: self.0.settings.server.clone(),
            state: JobState::Queued,
            file: if upload.name.is_empty() { "recording".into() } else { upload.name.clone() },
            bytes: upload.bytes,
            request: serde_json::to_value(request).unwrap_or_default(),
            outcome: None,
            created_at: UnixMs::now(),
            ended_at: None,
        };
        // In a task of its own: a client that goes away now must not leave half a job.
        let (jobs, made) = (self.clone(), job.clone());
        let keeping = async move {
            let Some(slot) = upload.slot.take() else { return Err(JobError::Stopping) };
            jobs.0.tools.store.add_job(&made).await?;
            upload.keep();
            let live = Arc::new(Live::new(made.id, made.user, vec![], slot));
            live.progress("upload", 1.0);
            jobs.enqueue(live, made);
            Ok(())
        };
        let kept = self.0.tasks.spawn(keeping.in_current_span());
        kept.await.map_err(io::Error::other)??;
        Ok(job)
    }

    /// One job of `user`'s.
    ///
    /// # Errors
    /// The store's.
    pub async fn job(&self, user: UserId, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        self.0.tools.store.job(user, id).await
    }

    /// The newest jobs of `user`'s.
    ///
    /// # Errors
    /// The store's.
    pub async fn jobs(&self, user: UserId, limit: u32) -> Result<Vec<JobRecord>, StoreError> {
        self.0.tools.store.jobs(user, limit).await
    }

    /// What a job told after event `after`, and tells from now on; `None` if `user` has no such job.
    ///
    /// # Errors
    /// The store's.
    pub async fn watch(&self, user: UserId, id: JobId, after: u64) -> Result<Option<Watch>, StoreError> {
        if let Some((live, _)) = self.live(user, id) {
            return Ok(Some(Watch::live(live, after)));
        }
        match self.job(user, id).await? {
            Some(job) => Watch::stored(self.0.tools.store.clone(), job, after).await.map(Some),
            None => Ok(None),
        }
    }

    /// Stops a job, unless it has ended, and gives it as it is afterwards; `None` if `user` has no such job.
    ///
    /// # Errors
    /// The store's.
    pub async fn cancel(&self, user: UserId, id: JobId) -> Result<Option<JobRecord>, StoreError> {
        const PATIENCE: Duration = Duration::from_secs(10);
        if let Some((live, _)) = self.live(user, id) {
            live.cancel.cancel();
            if self.state().queue.remove(user, id) {
                self.0.tasks.spawn(self.clone().end(live.clone(), End::Cancelled));
            }
            tokio::select! {
                () = live.wait_for_close() => return self.job(user, id).await,
                () = self.0.tools.stopping.cancelled() => {}
                () = tokio::time::sleep(PATIENCE) => {}
            }
            return Err(StoreError::Unreachable("the end of a job is not written down yet".into()));
        }
        let Some(job) = self.job(user, id).await? else { return Ok(None) };
        if !job.state.ended() {
            // Another server does it, and finds out when it is done.
            self.0.tools.store.move_job(id, JobState::Cancelled, None, UnixMs::now()).await?;
        }
        self.job(user, id).await
    }

    /// Stops a job that nobody waits for any more, in the background.
    pub fn abandon(&self, user: UserId, id: JobId) {
        let jobs = self.clone();
        self.0.tasks.spawn(async move {
            if jobs.0.tools.stopping.is_cancelled() {
                // Or it would be done after the next start.
                let _ = jobs.0.tools.store.move_job(id, JobState::Cancelled, None, UnixMs::now()).await;
                return;
            }
            if let Err(error) = jobs.cancel(user, id).await {
                tracing::warn!(job.id = %id, %error, "a job that nobody waits for was not cancelled");
            }
        });
    }

    /// Stops working. Jobs that have not ended are taken up after the next start.
    pub async fn shut_down(&self) {
        self.0.tools.stopping.cancel();
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    fn enqueue(&self, live: Arc<Live>, job: JobRecord) {
        live.progress("queued", 0.0);
        let saver = (live.clone(), self.0.clone());
        self.0.tasks.spawn(async move {
            let (live, inner) = saver;
            live.save_events(&*inner.tools.store, &inner.tools.stopping).await;
        });
        let mut state = self.state();
        state.queue.push(job.user, job.id);
        tracing::info!(job.id = %job.id, user.id = %job.user, bytes = job.bytes, "a job is queued");
        state.live.insert(job.id, (live, job));
        drop(state);
        self.0.queued.notify_one();
    }

    /// Takes up what was left undone, and removes files that belong to nothing: uploads that broke off.
    async fn take_up(self, left: Vec<PathBuf>) {
        let Tools { store, stopping, .. } = &self.0.tools;
        let server = &self.0.settings.server;
        let Some(found) = patiently(stopping, || store.unfinished_jobs(server)).await else { return };
        let unfinished = match found {
            Ok(unfinished) => unfinished,
            Err(error) => {
                tracing::error!(%error, "jobs left undone cannot be found");
                return;
            }
        };
        for path in left {
            let id = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.parse::<JobId>().ok());
            if id.is_some_and(|id| unfinished.iter().all(|job| job.id != id)) {
                let _ = fs::remove_file(path);
            }
        }
        for job in unfinished {
            let Some(events) = patiently(stopping, || store.job_events(job.id, 0)).await else { return };
            let events: Vec<JobEvent> = events.unwrap_or_default();
            // They were within the limit when they were taken.
            let Some(slot) = Slot::take(&self.0.counts, job.user, usize::MAX) else { continue };
            self.enqueue(Arc::new(Live::new(job.id, job.user, events, slot)), job);
        }
    }

    /// Does one job after the other.
    async fn work(self) {
        let Tools { store, stopping, .. } = &self.0.tools;
        while !stopping.is_cancelled() {
            let next = {
                let mut state = self.state();
                state.queue.pop().and_then(|id| state.live.get(&id).cloned())
            };
            let Some((live, job)) = next else {
                tokio::select! {
                    () = self.0.queued.notified() => continue,
                    () = stopping.cancelled() => return,
                }
            };
            // Others may wait too: a notification wakes one worker only.
            self.0.queued.notify_one();
            // A trace of its own: whoever asked for it has gone long since.
            let span =
                tracing::info_span!(target: TRACE_ROOT, parent: None, "job", job.id = %job.id, user.id = %job.user);
            let done = async {
                let moved = patiently(stopping, || store.move_job(job.id, JobState::Running, None, UnixMs::now()));
                if let Ok(false) = moved.await? {
                    return Some(End::Cancelled); // by another server
                }
                let done = AssertUnwindSafe(run(&self.0.tools, &live, &job, self.path(job.id))).catch_unwind();
                // What went wrong is in the log already.
                done.instrument(span).await.unwrap_or_else(|_| Some(End::Failed(Failure::internal())))
            };
            let end = tokio::select! {
                biased;
                () = stopping.cancelled() => None,
                () = live.cancel.cancelled() => Some(End::Cancelled),
                end = done => end,
            };
            if let Some(end) = end {
                self.clone().end(live, end).await;
            }
        }
    }

    /// Writes down how a job ended, in its record first: whoever hears of the end finds it there.
    async fn end(self, live: Arc<Live>, end: End) {
        let Tools { store, stopping, .. } = &self.0.tools;
        tokio::select! {
            () = live.wait_until_saved() => {}
            () = stopping.cancelled() => return,
        }
        let (mut state, mut data) = (end.state(), end.data());
        let outcome = (state != JobState::Cancelled).then_some(&data);
        match patiently(stopping, || store.move_job(live.id, state, outcome, UnixMs::now())).await {
            None => return,
            Some(Ok(true)) => {}
            // Another server was asked to cancel it.
            Some(Ok(false)) => (state, data) = (JobState::Cancelled, End::Cancelled.data()),
            Some(Err(error)) => tracing::error!(job.id = %live.id, %error, "the end of a job cannot be written down"),
        }
        // Whoever hears of the end finds nothing left of it.
        let _ = fs::remove_file(self.path(live.id));
        live.slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(kind) = last_event(state) {
            live.last(kind, data);
        }
        tokio::select! {
            () = live.wait_until_saved() => {}
            () = stopping.cancelled() => return,
        }
        tracing::info!(job.id = %live.id, user.id = %live.user, outcome = state.name(), "a job ended");
        let ended = match state {
            JobState::Done => "done",
            JobState::Cancelled => "cancelled",
            JobState::Failed | JobState::Queued | JobState::Running => "failed",
        };
        metrics::counter!(measure::JOBS_ENDED, "state" => ended).increment(1);
        self.state().live.remove(&live.id);
        live.close();
    }

    fn live(&self, user: UserId, id: JobId) -> Option<(Arc<Live>, JobRecord)> {
        self.state().live.get(&id).filter(|(live, _)| live.user == user).cloned()
    }

    fn path(&self, id: JobId) -> PathBuf {
        self.0.settings.folder.join(id.to_string())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
