mod rest;

use std::sync::mpsc::{self, Receiver, Sender};

use proptest::prelude::*;

use super::*;

/// What a job of these tests does once it has said that it began.
enum Play {
    Finish,
    /// Goes on until the test says so.
    Gate(Receiver<()>),
    /// Goes on until it is aborted, as native code does: by asking.
    Abort,
    Panic,
}

struct Task {
    id: u32,
    play: Play,
    began: Sender<u32>,
}

struct Player;

impl Worker for Player {
    type Job = Task;
    type Output = u32;

    fn run(&mut self, task: Task, running: &Running) -> Result<u32, EngineError> {
        task.began.send(task.id).expect("the test listens until the pool is gone");
        match task.play {
            Play::Finish => {}
            Play::Gate(gate) => gate.recv().unwrap_or(()),
            Play::Abort => {
                while !running.aborted() {
                    thread::yield_now();
                }
            }
            Play::Panic => panic!("a job that panics on purpose"),
        }
        Ok(task.id)
    }
}

/// A pool with its jobs' beginnings.
struct Stage {
    pool: Pool<Player>,
    began: Receiver<u32>,
    sender: Sender<u32>,
}

impl Stage {
    fn new(workers: usize, queue: usize) -> Self {
        let (sender, began) = mpsc::channel();
        let pool = Pool::start("player", &PoolSettings { workers, queue }, |_| Ok(Player)).expect("threads start");
        Self { pool, began, sender }
    }

    fn submit(&self, session: SessionId, priority: Priority, id: u32, play: Play) -> Answer<u32> {
        self.pool.submit(session, priority, Task { id, play, began: self.sender.clone() })
    }

    fn finishing(&self, session: SessionId, priority: Priority, id: u32) -> Answer<u32> {
        self.submit(session, priority, id, Play::Finish)
    }

    /// Occupies a thread until the gate given back is dropped.
    fn occupy(&self) -> (Sender<()>, Answer<u32>) {
        let (open, gate) = mpsc::channel();
        let answer = self.submit(SessionId::fresh(), Priority::Final, 0, Play::Gate(gate));
        assert_eq!(self.began.recv(), Ok(0));
        (open, answer)
    }

    fn order(&self, count: usize) -> Vec<u32> {
        self.began.iter().take(count).collect()
    }
}

fn answer(answer: Answer<u32>) -> Result<u32, EngineError> {
    answer.blocking_recv().expect("every job is answered")
}

#[test]
fn finals_go_first_and_sessions_take_turns() {
    let stage = Stage::new(1, 16);
    let (open, _busy) = stage.occupy();
    let (a, b, c) = (SessionId::fresh(), SessionId::fresh(), SessionId::fresh());
    let mut answers = vec![
        stage.finishing(c, Priority::Partial, 1),
        stage.finishing(a, Priority::Final, 2),
        stage.finishing(a, Priority::Final, 3),
        stage.finishing(a, Priority::Final, 4),
        stage.finishing(b, Priority::Final, 5),
    ];
    answers.push(stage.finishing(b, Priority::Partial, 6));
    drop(open);
    assert_eq!(stage.order(6), [2, 5, 3, 4, 1, 6]);
    for answer in answers {
        assert!(answer.blocking_recv().expect("answered").is_ok());
    }
}

#[test]
fn a_newer_partial_takes_the_older_ones_place() {
    let stage = Stage::new(1, 16);
    let (open, _busy) = stage.occupy();
    let (a, b) = (SessionId::fresh(), SessionId::fresh());
    let old = stage.finishing(a, Priority::Partial, 1);
    let other = stage.finishing(b, Priority::Partial, 2);
    let new = stage.finishing(a, Priority::Partial, 3);
    assert_eq!(answer(old), Err(EngineError::Superseded));
    drop(open);
    assert_eq!(stage.order(2), [3, 2]);
    assert_eq!((answer(other), answer(new)), (Ok(2), Ok(3)));
    assert_eq!(stage.pool.load().superseded, 1);
}

#[test]
fn a_final_removes_its_sessions_waiting_partial() {
    let stage = Stage::new(1, 16);
    let (open, _busy) = stage.occupy();
    let session = SessionId::fresh();
    let partial = stage.finishing(session, Priority::Partial, 1);
    let last = stage.finishing(session, Priority::Final, 2);
    assert_eq!(answer(partial), Err(EngineError::Superseded));
    drop(open);
    assert_eq!(answer(last), Ok(2));
}

#[test]
fn a_final_aborts_its_sessions_running_partial_though_a_thread_is_idle() {
    let stage = Stage::new(2, 16);
    let (mine, other) = (SessionId::fresh(), SessionId::fresh());
    let (open, gate) = mpsc::channel();
    let running = stage.submit(mine, Priority::Partial, 1, Play::Abort);
    assert_eq!(stage.began.recv(), Ok(1));
    let last = stage.finishing(mine, Priority::Final, 2);
    assert_eq!(answer(running), Err(EngineError::Superseded));
    assert_eq!(answer(last), Ok(2));
    assert_eq!(stage.began.recv(), Ok(2));

    // With an idle thread nobody else's partial is touched.
    let spared = stage.submit(other, Priority::Partial, 3, Play::Gate(gate));
    assert_eq!(stage.began.recv(), Ok(3));
    assert_eq!(answer(stage.finishing(mine, Priority::Final, 4)), Ok(4));
    drop(open);
    assert_eq!(answer(spared), Ok(3));
}

#[test]
fn a_final_without_an_idle_thread_takes_the_youngest_partials() {
    let stage = Stage::new(2, 16);
    let (open, gate) = mpsc::channel();
    let older = stage.submit(SessionId::fresh(), Priority::Partial, 1, Play::Gate(gate));
    assert_eq!(stage.began.recv(), Ok(1));
    let younger = stage.submit(SessionId::fresh(), Priority::Partial, 2, Play::Abort);
    assert_eq!(stage.began.recv(), Ok(2));
    let last = stage.finishing(SessionId::fresh(), Priority::Final, 3);
    assert_eq!(answer(younger), Err(EngineError::Superseded));
    assert_eq!(answer(last), Ok(3));
    drop(open);
    assert_eq!(answer(older), Ok(1));
}

#[test]
fn recordings_leave_a_thread_for_the_living_and_give_theirs_up_for_a_final() {
    let stage = Stage::new(2, 16);
    let recording = SessionId::fresh();
    assert_eq!(answer(stage.finishing(SessionId::fresh(), Priority::Partial, 9)), Ok(9));
    assert_eq!(stage.order(1), [9], "somebody talks");
    let first = stage.submit(recording, Priority::Recording, 1, Play::Abort);
    assert_eq!(stage.began.recv(), Ok(1));
    let second = stage.finishing(recording, Priority::Recording, 2);
    assert_eq!(answer(stage.finishing(SessionId::fresh(), Priority::Partial, 3)), Ok(3));
    assert_eq!(stage.order(1), [3], "the second piece has waited");
    let (open, busy) = stage.occupy();
    assert_eq!(answer(stage.finishing(SessionId::fresh(), Priority::Final, 4)), Ok(4));
    assert_eq!(answer(first), Err(EngineError::Superseded));
    assert_eq!(answer(second), Ok(2));
    drop(open);
    assert_eq!(answer(busy), Ok(0));
    assert_eq!(stage.pool.load().waiting_recordings, 0);
}

#[test]
fn recordings_have_all_threads_until_somebody_talks() {
    let stage = Stage::new(2, 16);
    let recording = SessionId::fresh();
    let (open, gate) = mpsc::channel();
    let first = stage.submit(recording, Priority::Recording, 1, Play::Gate(gate));
    assert_eq!(stage.began.recv(), Ok(1));
    let second = stage.submit(recording, Priority::Recording, 2, Play::Abort);
    assert_eq!(stage.began.recv(), Ok(2), "nobody talks");
    assert_eq!(answer(stage.finishing(SessionId::fresh(), Priority::Partial, 3)), Ok(3));
    assert_eq!(answer(second), Err(EngineError::Superseded), "the youngest gives its thread up");
    drop(open);
    assert_eq!(answer(first), Ok(1));
}

#[test]
fn one_thread_serves_recordings_too() {
    let stage = Stage::new(1, 16);
    let (open, _busy) = stage.occupy();
    let piece = stage.finishing(SessionId::fresh(), Priority::Recording, 1);
    let partial = stage.finishing(SessionId::fresh(), Priority::Partial, 2);
    drop(open);
    assert_eq!(stage.order(2), [2, 1]);
    assert!(answer(piece).is_ok() && answer(partial).is_ok());
}

#[test]
fn a_job_without_a_caller_is_skipped_or_aborted() {
    let stage = Stage::new(1, 16);
    let (open, _busy) = stage.occupy();
    let session = SessionId::fresh();
    drop(stage.finishing(session, Priority::Final, 1));
    let running = stage.submit(session, Priority::Final, 2, Play::Abort);
    drop(open);
    assert_eq!(stage.began.recv(), Ok(2));
    drop(running);
    assert_eq!(answer(stage.finishing(session, Priority::Final, 3)), Ok(3));
    assert_eq!(stage.order(1), [3]);
    assert_eq!(stage.pool.load().abandoned, 2);
}

#[test]
fn a_full_queue_refuses_partials_and_takes_finals() {
    let stage = Stage::new(1, 2);
    let (open, _busy) = stage.occupy();
    let sessions: Vec<SessionId> = (0..4).map(|_| SessionId::fresh()).collect();
    let first = stage.finishing(sessions[0], Priority::Partial, 1);
    let second = stage.finishing(sessions[1], Priority::Partial, 2);
    let refused = answer(stage.finishing(sessions[2], Priority::Partial, 3));
    assert!(matches!(refused, Err(EngineError::Overloaded { retry_after_ms: 50.. })), "{refused:?}");
    // A waiting partial may still be replaced.
    let newer = stage.finishing(sessions[0], Priority::Partial, 4);
    assert_eq!(answer(first), Err(EngineError::Superseded));
    let last = stage.finishing(sessions[3], Priority::Final, 5);
    assert!(matches!(answer(second), Err(EngineError::Overloaded { .. })));
    assert_eq!(stage.pool.load().shed, 2);
    drop(open);
    assert_eq!(stage.order(2), [5, 4]);
    assert_eq!((answer(last), answer(newer)), (Ok(5), Ok(4)));
}

#[test]
fn abandoned_jobs_make_room() {
    let stage = Stage::new(1, 1);
    let (_open, _busy) = stage.occupy();
    drop(stage.finishing(SessionId::fresh(), Priority::Partial, 1));
    let taken = stage.finishing(SessionId::fresh(), Priority::Partial, 2);
    assert_eq!((stage.pool.load().waiting_partials, stage.pool.load().shed), (1, 0));
    stage.pool.close();
    assert_eq!(answer(taken), Err(EngineError::Closed));
}

#[test]
fn a_panic_costs_one_job() {
    let (sender, began) = mpsc::channel();
    let (made, makes) = mpsc::channel();
    let make = move |index| made.send(index).map(|()| Player).map_err(|_| EngineError::Closed);
    let settings = PoolSettings { workers: 1, queue: 4 };
    let stage = Stage { pool: Pool::start("player", &settings, make).expect("starts"), began, sender };
    let session = SessionId::fresh();
    let lost = answer(stage.submit(session, Priority::Final, 1, Play::Panic));
    assert!(matches!(lost, Err(EngineError::Failed { engine: "player", .. })), "{lost:?}");
    assert_eq!(answer(stage.finishing(session, Priority::Final, 2)), Ok(2));
    assert_eq!(stage.pool.load().panics, 1);
    drop(stage);
    assert_eq!(makes.iter().count(), 2);
}

#[test]
fn closing_answers_everybody() {
    let stage = Stage::new(1, 16);
    let session = SessionId::fresh();
    let running = stage.submit(session, Priority::Final, 1, Play::Abort);
    assert_eq!(stage.began.recv(), Ok(1));
    let waiting = stage.finishing(session, Priority::Final, 2);
    stage.pool.close();
    assert_eq!(answer(waiting), Err(EngineError::Closed));
    assert_eq!(answer(running), Err(EngineError::Closed));
    assert_eq!(answer(stage.finishing(session, Priority::Final, 3)), Err(EngineError::Closed));
}

#[test]
fn a_worker_that_cannot_be_made_is_an_error_at_the_start() {
    let failure = EngineError::Failed { engine: "player", reason: "no memory".into() };
    let (error, settings) = (failure.clone(), PoolSettings { workers: 3, queue: 1 });
    let made = Pool::<Player>::start(
        "player",
        &settings,
        move |index| if index == 2 { Err(error.clone()) } else { Ok(Player) },
    );
    assert_eq!(made.err(), Some(failure));
}

proptest! {
    /// Whatever comes in whatever order: finals are all done, partials are done, superseded or refused, and nothing
    /// stays behind.
    #[test]
    fn every_job_is_answered(
        workers in 1..4_usize,
        queue in 1..6_usize,
        jobs in prop::collection::vec((0..4_usize, prop::bool::weighted(0.3), prop::bool::weighted(0.1)), 0..60),
    ) {
        let stage = Stage::new(workers, queue);
        let sessions: Vec<SessionId> = (0..4).map(|_| SessionId::fresh()).collect();
        let mut answers = vec![];
        for (id, (session, last, leaves)) in jobs.into_iter().enumerate() {
            let priority = if last { Priority::Final } else { Priority::Partial };
            let pending = stage.finishing(sessions[session], priority, id as u32);
            if !leaves {
                answers.push((id as u32, priority, pending));
            }
            prop_assert!(stage.pool.load().waiting_partials <= queue.min(4));
        }
        for (id, priority, pending) in answers {
            let result = answer(pending);
            let fair = match (&result, priority) {
                (Ok(done), _) => *done == id,
                (Err(EngineError::Superseded | EngineError::Overloaded { .. }), Priority::Partial) => true,
                _ => false,
            };
            prop_assert!(fair, "{id}: {result:?}");
        }
        prop_assert_eq!(stage.pool.load().panics, 0);
    }

    /// The queue on its own: each session's jobs in order, and nobody is served twice while another waits once.
    #[test]
    fn sessions_take_turns(arrivals in prop::collection::vec(0..5_usize, 1..40)) {
        let sessions: Vec<SessionId> = (0..5).map(|_| SessionId::fresh()).collect();
        let mut queue = Queue::<usize, ()>::default();
        let mut kept = vec![];
        for (job, session) in arrivals.iter().enumerate() {
            let (reply, answer) = oneshot::channel();
            kept.push(answer);
            queue.push(Priority::Final, Waiting { session: sessions[*session], job, reply, since: Instant::now(), span: tracing::Span::none() });
        }
        let mut served = [0; 5];
        let mut last = [None; 5];
        while let Some((_, waiting)) = queue.pop(true) {
            let session = sessions.iter().position(|s| *s == waiting.session).expect("one of these");
            prop_assert!(last[session] < Some(waiting.job));
            last[session] = Some(waiting.job);
            served[session] += 1;
            let total = |s: usize| arrivals.iter().filter(|arrival| **arrival == s).count();
            for other in 0..5 {
                prop_assert!(served[session] <= served[other] + 1 || served[other] == total(other));
            }
        }
        prop_assert_eq!(served.iter().sum::<usize>(), arrivals.len());
        prop_assert_eq!(queue.len(), 0);
    }
}
