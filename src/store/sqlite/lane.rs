//! Named threads that each own a connection, behind one bounded queue.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    thread::{self, JoinHandle},
};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::fault;
use crate::store::{StoreError, meter::measured};

/// Pieces of work that may wait; who comes then waits outside.
const QUEUE: usize = 64;

type Work = Box<dyn FnOnce(&mut Connection) + Send>;

/// See the module. Dropping it lets the threads finish what waits, and waits for them.
pub(super) struct Lane {
    /// What its work is: `read` or `write`.
    kind: &'static str,
    queue: Option<mpsc::Sender<Work>>,
    threads: Vec<JoinHandle<()>>,
}

impl Lane {
    /// Starts a thread named `store-KIND-INDEX` for each connection.
    pub fn start(kind: &'static str, connections: Vec<Connection>) -> Result<Self, StoreError> {
        let (queue, work) = mpsc::channel(QUEUE);
        let work = Arc::new(Mutex::new(work));
        // Built up inside the lane, so that an error half way ends the threads already running.
        let mut lane = Self { kind, queue: Some(queue), threads: Vec::with_capacity(connections.len()) };
        for (index, connection) in connections.into_iter().enumerate() {
            let work = Arc::clone(&work);
            let thread = thread::Builder::new().name(format!("store-{kind}-{index}"));
            let thread = thread.spawn(move || serve(connection, &work));
            lane.threads.push(thread.map_err(|error| StoreError::Failed(format!("no thread: {error}")))?);
        }
        Ok(lane)
    }

    /// Has one of the threads do `work`.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, done) = oneshot::channel();
        let work = move |connection: &mut Connection| {
            let _ = answer.send(work(connection));
        };
        // The queue is there until the lane is dropped, its other end until the threads end: after the queue.
        let gone = || StoreError::Failed("the database is closed".into());
        let answered = async {
            let queue = self.queue.as_ref().ok_or_else(gone)?;
            queue.send(Box::new(work)).await.map_err(|_| gone())?;
            let lost = |_| StoreError::Failed("a bug stopped this work".into());
            done.await.map_err(lost)?.map_err(fault)
        };
        measured(self.kind, answered).await
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            // Work that panics is caught, so there is no result to look at.
            let _ = thread.join();
        }
    }
}

fn serve(mut connection: Connection, work: &Mutex<mpsc::Receiver<Work>>) {
    loop {
        // Whoever holds the lock is the next to get work. Nothing that can panic runs under it.
        let next = work.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        let Some(next) = next else { return };
        // A transaction that is left by a panic is undone as it is dropped; the caller sees its answer vanish.
        if catch_unwind(AssertUnwindSafe(|| next(&mut connection))).is_err() {
            tracing::error!("a bug stopped work of the database's");
        }
    }
}
