//! A pool of named threads behind one bounded queue: finals before partials, and pieces of recordings when there is room.
//!
//! The rules, in the order in which they bite:
//! - A session has at most one partial waiting. A newer one takes its place in the queue, the older one answers
//!   [`EngineError::Superseded`].
//! - An arriving final removes its session's waiting partial and aborts its running one. If no worker is idle it also
//!   aborts the partial of another session that started last: that costs one repeated partial, and saves a wait.
//! - A piece of a recording runs when nothing live waits. While people talk recordings leave one thread free;
//!   otherwise they have all of them, and the first partial or final that finds all busy with recordings takes one back. A
//!   final that finds all threads busy takes one from a recording before it takes one from a partial.
//! - Within a class sessions take turns, so one with many jobs waiting cannot starve the others; jobs of one session
//!   keep their order.
//! - A job whose receiver was dropped is skipped; one that runs is aborted.
//! - Full queue: a partial is refused with [`EngineError::Overloaded`]; a final is always taken, and takes the place
//!   of the newest waiting partial if there is one. What bounds the finals is that a caller waits for one before it
//!   submits the next (an utterance has at most two in flight): sessions x 2.
//! - A panicking job answers [`EngineError::Failed`]; its thread makes itself a fresh worker and goes on.
//! - Workers that nobody has used for long may leave memory (`rest`); their threads stay, the queue's rules go on holding, and
//!   each thread makes itself a fresh worker when it next gets a job or is told to.
//!
//! Nothing here knows Whisper: a [`Worker`] is anything that turns jobs into outputs and looks at [`Running::aborted`]
//! now and then.

mod admit;
mod queue;
mod rest;
#[cfg(test)]
mod tests;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use self::{
    queue::{Queue, Waiting},
    rest::Order,
};
use super::{EngineError, Priority};
use crate::model::SessionId;

/// What a pool's threads do. Each thread owns one, made by the factory given to [`Pool::start`].
pub trait Worker: Send + 'static {
    type Job: Send + 'static;
    type Output: Send + 'static;

    /// Does `job`. Long work asks [`Running::aborted`] and gives up when it says so, with any result at all: the
    /// pool answers for it.
    ///
    /// # Errors
    /// Goes to the caller as it is.
    fn run(&mut self, job: Self::Job, running: &Running) -> Result<Self::Output, EngineError>;
}

/// How a pool is sized.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolSettings {
    /// Threads, at least 1.
    pub workers: usize,
    /// Jobs that may wait before partials are refused, at least 1.
    pub queue: usize,
}

/// What a pool is doing and has done, for metrics.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Load {
    pub workers: usize,
    pub waiting_partials: usize,
    pub waiting_finals: usize,
    pub waiting_recordings: usize,
    pub running: usize,
    /// Jobs that ran to their end, well or not.
    pub done: u64,
    /// Partials refused or pushed out because the queue was full.
    pub shed: u64,
    /// Partials that made way for newer work, waiting or running.
    pub superseded: u64,
    /// Jobs whose caller went away before they were answered.
    pub abandoned: u64,
    pub panics: u64,
}

/// For so long after a partial or a final, more are expected.
const LIVE: Duration = Duration::from_secs(10);

/// A job's answer; drop it to cancel the job.
pub type Answer<T> = oneshot::Receiver<Result<T, EngineError>>;

/// What a worker may know of the job it is doing.
pub struct Running<'a> {
    /// How long the job waited for a thread.
    pub queued: Duration,
    withdrawn: &'a AtomicBool,
    caller_gone: &'a (dyn Fn() -> bool + Sync),
}

impl Running<'_> {
    /// Whether nobody wants the answer any more. Cheap enough to ask a thousand times a second, from any thread.
    #[must_use]
    pub fn aborted(&self) -> bool {
        self.withdrawn.load(Ordering::Relaxed) || (self.caller_gone)()
    }

    /// Runs `work` outside any pool, where nothing aborts it.
    pub fn unpooled<T>(work: impl FnOnce(&Running) -> T) -> T {
        work(&Running { queued: Duration::ZERO, withdrawn: &AtomicBool::new(false), caller_gone: &|| false })
    }
}

/// The threads and their queue. Dropping it closes it.
pub struct Pool<W: Worker> {
    shared: Arc<Shared<W>>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared<W: Worker> {
    engine: &'static str,
    capacity: usize,
    state: Mutex<State<W>>,
    /// Signalled once per arriving job, and to all on closing.
    arrived: Condvar,
}

struct State<W: Worker> {
    queue: Queue<W::Job, W::Output>,
    /// One place per thread.
    running: Vec<Option<Occupant>>,
    /// Smoothed time one job takes, for `retry_after_ms`.
    job_time: Duration,
    load: Load,
    /// What each thread holds, and is to do about it before its next job.
    places: Vec<Place>,
    /// When work last came, ended or was announced.
    last_use: Instant,
    /// When a partial or a final last came.
    last_live: Option<Instant>,
    /// No more work comes: the threads end when what waits is done.
    finishing: bool,
    closed: bool,
}

/// A thread's worker.
#[derive(Clone, Copy, Default)]
struct Place {
    loaded: bool,
    /// To leave memory.
    rests: bool,
    /// To be made before there is a job for it.
    wakes: bool,
}

struct Occupant {
    session: SessionId,
    priority: Priority,
    started: Instant,
    withdrawn: Arc<AtomicBool>,
}

impl<W: Worker> Pool<W> {
    /// Makes the workers, then starts a thread named `NAME-INDEX` for each. `make` is called again after a panic.
    ///
    /// # Errors
    /// The first error of `make`, or [`EngineError::Failed`] if the system gives no thread.
    pub fn start(
        engine: &'static str,
        settings: &PoolSettings,
        make: impl Fn(usize) -> Result<W, EngineError> + Send + Sync + 'static,
    ) -> Result<Self, EngineError> {
        let workers = settings.workers.max(1);
        let shared = Arc::new(Shared {
            engine,
            capacity: settings.queue.max(1),
            state: Mutex::new(State {
                queue: Queue::default(),
                running: (0..workers).map(|_| None).collect(),
                job_time: Duration::from_millis(100),
                load: Load::default(),
                places: vec![Place { loaded: true, ..Place::default() }; workers],
                last_use: Instant::now(),
                last_live: None,
                finishing: false,
                closed: false,
            }),
            arrived: Condvar::new(),
        });
        let make = Arc::new(make);
        // Built up inside the pool, so that an error half way closes the threads already running.
        let mut pool = Self { shared, threads: Vec::with_capacity(workers) };
        for index in 0..workers {
            let worker = make(index)?;
            let (shared, make) = (pool.shared.clone(), make.clone());
            let thread = thread::Builder::new()
                .name(format!("{engine}-{index}"))
                .spawn(move || shared.work(index, worker, &*make))
                .map_err(|error| EngineError::Failed { engine, reason: format!("no thread: {error}") })?;
            pool.threads.push(thread);
        }
        Ok(pool)
    }

    /// Queues a job by the rules above.
    pub fn submit(&self, session: SessionId, priority: Priority, job: W::Job) -> Answer<W::Output> {
        let (reply, answer) = oneshot::channel();
        let waiting = Waiting { session, job, reply, since: Instant::now(), span: tracing::Span::current() };
        let mut state = self.shared.lock();
        if state.closed {
            waiting.answer(Err(EngineError::Closed));
            return answer;
        }
        state.used();
        if priority != Priority::Recording {
            state.last_live = Some(Instant::now());
        }
        match priority {
            Priority::Partial => state.admit_partial(waiting, self.shared.capacity),
            Priority::Final => state.admit_final(waiting, self.shared.capacity),
            // Whoever transcribes a recording submits two pieces at a time; the number of recordings is bounded.
            Priority::Recording => state.queue.push(Priority::Recording, waiting),
        }
        drop(state);
        self.shared.arrived.notify_one();
        answer
    }

    #[must_use]
    pub fn load(&self) -> Load {
        let state = self.shared.lock();
        Load {
            workers: state.running.len(),
            waiting_partials: state.queue.partials(),
            waiting_finals: state.queue.finals(),
            waiting_recordings: state.queue.recordings(),
            running: state.running.iter().flatten().count(),
            ..state.load
        }
    }

    /// Takes no more work, answers what waits and what runs with [`EngineError::Closed`]; running jobs are aborted.
    /// The threads end as soon as their jobs give up; dropping the pool waits for that.
    pub fn close(&self) {
        let mut state = self.shared.lock();
        state.closed = true;
        for waiting in state.queue.drain() {
            waiting.answer(Err(EngineError::Closed));
        }
        for occupant in state.running.iter().flatten() {
            occupant.withdrawn.store(true, Ordering::Relaxed);
        }
        drop(state);
        self.shared.arrived.notify_all();
    }
}

impl<W: Worker> Drop for Pool<W> {
    fn drop(&mut self) {
        self.close();
        for thread in self.threads.drain(..) {
            // A thread can only have died of a panic outside any job, which was reported as it happened.
            let _ = thread.join();
        }
    }
}

impl<W: Worker> Shared<W> {
    /// No code that can panic runs under the lock, so a poisoned one still holds whole data.
    fn lock(&self) -> MutexGuard<'_, State<W>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self, index: usize, worker: W, make: &dyn Fn(usize) -> Result<W, EngineError>) {
        let mut worker = Some(worker);
        while let Some(order) = self.take(index) {
            let (waiting, queued, withdrawn) = match order {
                Order::Job(waiting, queued, withdrawn) => (waiting, queued, withdrawn),
                Order::Rest => {
                    drop(worker.take());
                    self.holds(index, false);
                    continue;
                }
                Order::Wake => {
                    worker = worker.or_else(|| self.made(index, make));
                    self.holds(index, worker.is_some());
                    continue;
                }
            };
            let Waiting { job, reply, span, .. } = waiting;
            let entered = span.enter();
            span.record("queue_ms", queued.as_millis() as u64);
            let mut started = Instant::now();
            let caller_gone = || reply.is_closed();
            let running = Running { queued, withdrawn: &withdrawn, caller_gone: &caller_gone };
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                let worker = match &mut worker {
                    Some(worker) => worker,
                    lost => {
                        let fresh = lost.insert(make(index)?);
                        // Making one takes its time: that is no part of the job, which may have become needless.
                        started = Instant::now();
                        if running.aborted() {
                            return Err(EngineError::Superseded);
                        }
                        fresh
                    }
                };
                worker.run(job, &running)
            }))
            .ok();
            let panicked = outcome.is_none();
            span.record("compute_ms", started.elapsed().as_millis() as u64);
            let (queue_ms, compute_ms) = (queued.as_millis() as u64, started.elapsed().as_millis() as u64);
            tracing::trace!(engine = self.engine, queue_ms, compute_ms, "a job is done");
            drop(entered);
            drop(span);
            let outcome = outcome.unwrap_or_else(|| {
                worker = None; // whatever it was in the middle of is lost with it
                Err(EngineError::Failed { engine: self.engine, reason: "a bug stopped this job".into() })
            });
            self.holds(index, worker.is_some());
            // Free the thread's place before answering: whoever sees the answer also sees the place free.
            let outcome = self.give_back(index, started.elapsed(), panicked, &withdrawn, outcome);
            if reply.send(outcome).is_err() {
                self.lock().load.abandoned += 1;
            }
        }
    }

    /// Waits for something to do and, where it is a job, takes the thread's place; `None` when the pool closes.
    fn take(&self, index: usize) -> Option<Order<W>> {
        let mut state = self.lock();
        loop {
            if state.closed {
                return None;
            }
            if let Some(order) = state.order(index) {
                return Some(order);
            }
            if let Some((priority, waiting)) = state.next() {
                let withdrawn = Arc::new(AtomicBool::new(false));
                state.running[index] = Some(Occupant {
                    session: waiting.session,
                    priority,
                    started: Instant::now(),
                    withdrawn: withdrawn.clone(),
                });
                let queued = waiting.since.elapsed();
                return Some(Order::Job(waiting, queued, withdrawn));
            }
            if state.finishing {
                return None;
            }
            state = self.arrived.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn give_back(
        &self,
        index: usize,
        took: Duration,
        panicked: bool,
        withdrawn: &AtomicBool,
        outcome: Result<W::Output, EngineError>,
    ) -> Result<W::Output, EngineError> {
        let mut state = self.lock();
        state.used();
        state.running[index] = None;
        state.load.done += 1;
        state.load.panics += u64::from(panicked);
        if !withdrawn.load(Ordering::Relaxed) {
            state.job_time = (state.job_time * 7 + took) / 8;
            return outcome;
        }
        if state.closed {
            return Err(EngineError::Closed);
        }
        state.load.superseded += 1;
        Err(EngineError::Superseded)
    }
}
