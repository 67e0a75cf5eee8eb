//! Whose turn it is: people take turns, and each one's jobs keep their order.

use std::collections::{HashMap, VecDeque};

use crate::model::{JobId, UserId};

/// Jobs that wait. What bounds it is how many each person may have.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: HashMap<UserId, VecDeque<JobId>>,
    /// Who is next; everybody in `waiting` once.
    turns: VecDeque<UserId>,
}

impl Queue {
    pub fn push(&mut self, user: UserId, job: JobId) {
        let jobs = self.waiting.entry(user).or_default();
        if jobs.is_empty() {
            self.turns.push_back(user);
        }
        jobs.push_back(job);
    }

    pub fn pop(&mut self) -> Option<JobId> {
        let user = self.turns.pop_front()?;
        let jobs = self.waiting.get_mut(&user)?;
        let job = jobs.pop_front();
        if jobs.is_empty() {
            self.waiting.remove(&user);
        } else {
            self.turns.push_back(user);
        }
        job
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.waiting.values().map(VecDeque::len).sum()
    }

    /// Takes one job out; whether it was there.
    pub fn remove(&mut self, user: UserId, job: JobId) -> bool {
        let Some(jobs) = self.waiting.get_mut(&user) else { return false };
        let before = jobs.len();
        jobs.retain(|waiting| *waiting != job);
        let removed = jobs.len() < before;
        if jobs.is_empty() {
            self.waiting.remove(&user);
            self.turns.retain(|next| *next != user);
        }
        removed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_take_turns() {
        let (ann, ben) = (UserId::fresh(), UserId::fresh());
        let jobs: Vec<JobId> = (0..6).map(|_| JobId::fresh()).collect();
        let mut queue = Queue::default();
        for job in &jobs[..4] {
            queue.push(ann, *job);
        }
        queue.push(ben, jobs[4]);
        assert!(queue.remove(ann, jobs[1]) && !queue.remove(ann, jobs[1]) && !queue.remove(ben, jobs[0]));
        queue.push(ben, jobs[5]);
        let order: Vec<_> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, [jobs[0], jobs[4], jobs[2], jobs[5], jobs[3]]);
        queue.push(ann, jobs[1]);
        assert!(queue.remove(ann, jobs[1]));
        assert_eq!(queue.pop(), None);
        queue.push(ann, jobs[2]);
        assert_eq!((queue.pop(), queue.pop()), (Some(jobs[2]), None));
    }
}
