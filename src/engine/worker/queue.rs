//! The queue of a pool: finals before partials before recordings, sessions in turn within a class.

use std::{
    collections::{HashMap, VecDeque},
    time::Instant,
};

use tokio::sync::oneshot;

use super::super::{EngineError, Priority};
use crate::model::SessionId;

/// A job that waits for a thread.
pub struct Waiting<J, O> {
    pub session: SessionId,
    pub job: J,
    pub reply: oneshot::Sender<Result<O, EngineError>>,
    pub since: Instant,
    /// Where it was asked for: log lines of its work are of that.
    pub span: tracing::Span,
}

impl<J, O> Waiting<J, O> {
    /// Whether its caller has gone.
    pub fn abandoned(&self) -> bool {
        self.reply.is_closed()
    }

    pub fn answer(self, result: Result<O, EngineError>) {
        // Nobody listening any more is no loss.
        let _ = self.reply.send(result);
    }
}

/// Holds no limit itself: its owner asks [`len`](Self::len) first.
pub struct Queue<J, O> {
    finals: Lane<J, O>,
    partials: Lane<J, O>,
    recordings: Lane<J, O>,
}

impl<J, O> Default for Queue<J, O> {
    fn default() -> Self {
        Self { finals: Lane::default(), partials: Lane::default(), recordings: Lane::default() }
    }
}

impl<J, O> Queue<J, O> {
    /// Live jobs that wait; recordings have a bound of their own.
    pub fn len(&self) -> usize {
        self.finals.count + self.partials.count
    }

    /// Whether nothing at all waits.
    pub fn is_empty(&self) -> bool {
        self.len() + self.recordings.count == 0
    }

    pub fn finals(&self) -> usize {
        self.finals.count
    }

    pub fn partials(&self) -> usize {
        self.partials.count
    }

    pub fn recordings(&self) -> usize {
        self.recordings.count
    }

    pub fn push(&mut self, priority: Priority, waiting: Waiting<J, O>) {
        match priority {
            Priority::Final => self.finals.push(waiting),
            Priority::Partial => self.partials.push(waiting),
            Priority::Recording => self.recordings.push(waiting),
        }
    }

    /// The next job; a piece of a recording only if `recordings` says that there is a thread for it.
    pub fn pop(&mut self, recordings: bool) -> Option<(Priority, Waiting<J, O>)> {
        let waiting = self.finals.pop().map(|job| (Priority::Final, job));
        let waiting = waiting.or_else(|| self.partials.pop().map(|job| (Priority::Partial, job)));
        waiting.or_else(|| if recordings { self.recordings.pop().map(|job| (Priority::Recording, job)) } else { None })
    }

    pub fn has_partial(&self, session: SessionId) -> bool {
        self.partials.jobs.contains_key(&session)
    }

    /// Puts `newer` where its session's partial waits and gives that one back.
    pub fn replace_partial(&mut self, newer: Waiting<J, O>) -> Option<Waiting<J, O>> {
        let place = self.partials.jobs.get_mut(&newer.session)?.front_mut()?;
        Some(std::mem::replace(place, newer))
    }

    pub fn remove_partial(&mut self, session: SessionId) -> Option<Waiting<J, O>> {
        self.partials.remove(session)
    }

    /// The partial whose session is the last in turn.
    pub fn pop_newest_partial(&mut self) -> Option<Waiting<J, O>> {
        let session = *self.partials.turns.back()?;
        self.partials.remove(session)
    }

    /// Drops what nobody waits for any more and says how many that were.
    pub fn remove_abandoned(&mut self) -> u64 {
        self.finals.remove_abandoned() + self.partials.remove_abandoned() + self.recordings.remove_abandoned()
    }

    pub fn drain(&mut self) -> Vec<Waiting<J, O>> {
        std::iter::from_fn(|| self.pop(true).map(|(_, waiting)| waiting)).collect()
    }
}

/// Jobs by session, and the sessions in the order in which they get their turn: each has one entry while it has jobs.
struct Lane<J, O> {
    turns: VecDeque<SessionId>,
    jobs: HashMap<SessionId, VecDeque<Waiting<J, O>>>,
    count: usize,
}

impl<J, O> Default for Lane<J, O> {
    fn default() -> Self {
        Self { turns: VecDeque::new(), jobs: HashMap::new(), count: 0 }
    }
}

impl<J, O> Lane<J, O> {
    fn push(&mut self, waiting: Waiting<J, O>) {
        let session = waiting.session;
        let jobs = self.jobs.entry(session).or_default();
        if jobs.is_empty() {
            self.turns.push_back(session);
        }
        jobs.push_back(waiting);
        self.count += 1;
    }

    fn pop(&mut self) -> Option<Waiting<J, O>> {
        let session = self.turns.pop_front()?;
        let jobs = self.jobs.get_mut(&session)?;
        let waiting = jobs.pop_front();
        self.count -= usize::from(waiting.is_some());
        if jobs.is_empty() {
            self.jobs.remove(&session);
        } else {
            self.turns.push_back(session);
        }
        waiting
    }

    /// The session's first job, where a session has only one.
    fn remove(&mut self, session: SessionId) -> Option<Waiting<J, O>> {
        let removed = self.jobs.remove(&session)?;
        self.turns.retain(|turn| *turn != session);
        self.count -= removed.len();
        removed.into_iter().next()
    }

    fn remove_abandoned(&mut self) -> u64 {
        let before = self.count;
        for jobs in self.jobs.values_mut() {
            jobs.retain(|job| !job.abandoned());
        }
        self.jobs.retain(|_, jobs| !jobs.is_empty());
        self.turns.retain(|session| self.jobs.contains_key(session));
        self.count = self.jobs.values().map(VecDeque::len).sum();
        (before - self.count) as u64
    }
}
