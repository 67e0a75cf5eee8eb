//! Which work a pool takes, what makes way for it, and what comes next.

use std::sync::atomic::Ordering;

use super::{
    super::{EngineError, Priority},
    LIVE, Occupant, State, Worker,
    queue::Waiting,
};

impl<W: Worker> State<W> {
    pub(super) fn admit_partial(&mut self, partial: Waiting<W::Job, W::Output>, capacity: usize) {
        if self.queue.has_partial(partial.session) {
            if let Some(older) = self.queue.replace_partial(partial) {
                self.load.superseded += 1;
                older.answer(Err(EngineError::Superseded));
            }
            return;
        }
        if self.queue.len() >= capacity {
            self.load.abandoned += self.queue.remove_abandoned();
        }
        if self.queue.len() >= capacity {
            self.load.shed += 1;
            partial.answer(Err(EngineError::Overloaded { retry_after_ms: self.retry_after_ms() }));
        } else {
            self.queue.push(Priority::Partial, partial);
            // Recordings had all threads while nobody talked.
            let recordings = |o: &Occupant| o.priority == Priority::Recording && !o.withdrawn.load(Ordering::Relaxed);
            if self.running.iter().all(|o| o.as_ref().is_some_and(recordings))
                && let Some(youngest) = self.running.iter().flatten().max_by_key(|o| o.started)
            {
                youngest.withdrawn.store(true, Ordering::Relaxed);
            }
        }
    }

    pub(super) fn admit_final(&mut self, arriving: Waiting<W::Job, W::Output>, capacity: usize) {
        let session = arriving.session;
        if let Some(waiting) = self.queue.remove_partial(session) {
            self.load.superseded += 1;
            waiting.answer(Err(EngineError::Superseded));
        }
        let mut aborted = false;
        for partial in self.running.iter().flatten().filter(|o| o.session == session && o.priority == Priority::Partial)
        {
            aborted |= !partial.withdrawn.swap(true, Ordering::Relaxed);
        }
        let all_busy = self.running.iter().all(Option::is_some);
        if all_busy && !aborted {
            let youngest = self
                .running
                .iter()
                .flatten()
                .filter(|o| o.priority != Priority::Final && !o.withdrawn.load(Ordering::Relaxed))
                .max_by_key(|o| (o.priority == Priority::Recording, o.started));
            // One that is already being aborted will free its thread for this final or an earlier one.
            let coming_free = self.running.iter().flatten().filter(|o| o.withdrawn.load(Ordering::Relaxed)).count();
            if let Some(youngest) = youngest
                && coming_free <= self.queue.finals()
            {
                youngest.withdrawn.store(true, Ordering::Relaxed);
            }
        }
        if self.queue.len() >= capacity
            && let Some(shed) = self.queue.pop_newest_partial()
        {
            self.load.shed += 1;
            shed.answer(Err(EngineError::Overloaded { retry_after_ms: self.retry_after_ms() }));
        }
        self.queue.push(Priority::Final, arriving);
    }

    /// The next job somebody still waits for.
    #[expect(clippy::type_complexity, reason = "named at its only call")]
    pub(super) fn next(&mut self) -> Option<(Priority, Waiting<W::Job, W::Output>)> {
        loop {
            let recording = |o: &&Occupant| o.priority == Priority::Recording;
            let busy = self.running.iter().flatten().filter(recording).count();
            let live = self.last_live.is_some_and(|last| last.elapsed() < LIVE);
            let (priority, waiting) = self.queue.pop(!live || busy + 1 < self.running.len().max(2))?;
            if !waiting.abandoned() {
                return Some((priority, waiting));
            }
            self.load.abandoned += 1;
        }
    }

    /// How long until what waits now will have been done.
    fn retry_after_ms(&self) -> u64 {
        let jobs = (self.queue.len() / self.running.len() + 1) as u32;
        ((self.job_time * jobs).as_millis() as u64).clamp(50, 10_000)
    }
}
