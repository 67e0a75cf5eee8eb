//! Workers that leave memory while nobody needs them, and come back; and a pool's quiet end.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use super::{super::EngineError, Pool, Shared, State, Worker, queue::Waiting};

/// What a thread does next.
pub(super) enum Order<W: Worker> {
    /// A job, how long it waited, and what tells that it is no longer wanted.
    Job(Waiting<W::Job, W::Output>, Duration, Arc<AtomicBool>),
    /// Its worker leaves memory.
    Rest,
    /// It makes itself a worker.
    Wake,
}

impl<W: Worker> Pool<W> {
    /// Whether a worker is in memory.
    #[must_use]
    pub fn loaded(&self) -> bool {
        self.shared.lock().places.iter().any(|place| place.loaded)
    }

    /// Lets the workers leave memory if nothing has been asked of them for `unused_for` at the time `now`; whether it
    /// does. Returns at once, the threads let go by themselves. The next job waits until there is a worker again.
    pub fn rest_unused(&self, now: Instant, unused_for: Duration) -> bool {
        let mut state = self.shared.lock();
        let idle = state.queue.is_empty() && state.running.iter().all(Option::is_none);
        let used = now.saturating_duration_since(state.last_use) < unused_for;
        if !idle || used || state.places.iter().all(|place| !place.loaded || place.rests) {
            return false;
        }
        for place in &mut state.places {
            (place.rests, place.wakes) = (true, false);
        }
        drop(state);
        self.shared.arrived.notify_all();
        true
    }

    /// Has workers made where they left memory, before the job comes that needs them. Returns at once.
    pub fn wake(&self) {
        let mut state = self.shared.lock();
        state.used();
        for place in &mut state.places {
            place.wakes = !place.loaded;
        }
        let any = state.places.iter().any(|place| place.wakes);
        drop(state);
        if any {
            self.shared.arrived.notify_all();
        }
    }

    /// Does what somebody still waits for, then ends the threads. Blocks for as long as that takes.
    pub fn finish(&mut self) {
        self.shared.lock().finishing = true;
        self.shared.arrived.notify_all();
        for thread in self.threads.drain(..) {
            // A thread can only have died of a panic outside any job, which was reported as it happened.
            let _ = thread.join();
        }
    }
}

impl<W: Worker> State<W> {
    /// Work came, ended or was announced: nobody rests now.
    pub(super) fn used(&mut self) {
        self.last_use = Instant::now();
        for place in &mut self.places {
            place.rests = false;
        }
    }

    /// What the thread is to do about its worker.
    pub(super) fn order(&mut self, index: usize) -> Option<Order<W>> {
        let place = self.places.get_mut(index)?;
        if std::mem::take(&mut place.rests) {
            return Some(Order::Rest);
        }
        std::mem::take(&mut place.wakes).then_some(Order::Wake)
    }
}

impl<W: Worker> Shared<W> {
    pub(super) fn holds(&self, index: usize, loaded: bool) {
        let mut state = self.lock();
        if let Some(place) = state.places.get_mut(index) {
            place.loaded = loaded;
        }
    }

    /// A worker made before there is a job for it. Where that fails, the job will hear why.
    pub(super) fn made(&self, index: usize, make: &dyn Fn(usize) -> Result<W, EngineError>) -> Option<W> {
        let made = catch_unwind(AssertUnwindSafe(|| make(index)));
        self.lock().used();
        match made {
            Ok(Ok(worker)) => Some(worker),
            Ok(Err(error)) => {
                tracing::warn!(engine = self.engine, %error, hint = error.hint(), "cannot be loaded again");
                None
            }
            Err(_) => None, // the panic has been told
        }
    }
}
