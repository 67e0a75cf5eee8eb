//! Workers that leave memory and come back.

use super::*;

const LONG: Duration = Duration::from_mins(10);

/// A pool whose workers are made when the test lets them, and counts them.
struct Lazy {
    stage: Stage,
    made: Receiver<usize>,
    gate: Sender<Result<(), EngineError>>,
}

impl Lazy {
    fn new(workers: usize) -> Self {
        let (sender, began) = mpsc::channel();
        let (tell, made) = mpsc::channel();
        let (gate, open) = mpsc::channel();
        for _ in 0..workers {
            gate.send(Ok(())).expect("the pool will ask");
        }
        let (tell, open) = (Mutex::new(tell), Mutex::new(open));
        let make = move |index| {
            let _ = tell.lock().expect("not poisoned").send(index);
            open.lock().expect("not poisoned").recv().unwrap_or(Err(EngineError::Closed)).map(|()| Player)
        };
        let pool = Pool::start("player", &PoolSettings { workers, queue: 4 }, make).expect("threads start");
        let stage = Stage { pool, began, sender };
        assert_eq!(made.iter().take(workers).count(), workers);
        Self { stage, made, gate }
    }

    /// All workers gone.
    fn resting(workers: usize) -> Self {
        let lazy = Self::new(workers);
        assert!(lazy.stage.pool.rest_unused(Instant::now() + LONG, LONG));
        lazy.until(|pool| !pool.loaded());
        lazy
    }

    /// Threads let go and come back by themselves.
    fn until(&self, wanted: impl Fn(&Pool<Player>) -> bool) {
        let began = Instant::now();
        while !wanted(&self.stage.pool) {
            assert!(began.elapsed() < Duration::from_secs(30), "never");
            thread::yield_now();
        }
    }
}

#[test]
fn only_workers_that_nobody_used_for_long_leave_memory() {
    let lazy = Lazy::new(2);
    let pool = &lazy.stage.pool;
    assert!(!pool.rest_unused(Instant::now(), LONG), "too soon");
    let (open, busy) = lazy.stage.occupy();
    assert!(!pool.rest_unused(Instant::now() + LONG * 2, LONG), "one is at work");
    drop(open);
    assert_eq!(answer(busy), Ok(0));
    assert!(pool.loaded());
    assert!(pool.rest_unused(Instant::now() + LONG * 2, LONG));
    lazy.until(|pool| !pool.loaded());
    assert!(!pool.rest_unused(Instant::now() + LONG * 2, LONG), "they are gone already");
    assert!(lazy.made.try_recv().is_err(), "and nobody made others");
}

#[test]
fn a_job_waits_for_its_worker_and_partials_meanwhile_keep_to_the_rules() {
    let lazy = Lazy::resting(1);
    let (a, b) = (SessionId::fresh(), SessionId::fresh());
    let first = lazy.stage.finishing(a, Priority::Partial, 1);
    assert_eq!(lazy.made.recv(), Ok(0), "the first job has its worker made");
    let older = lazy.stage.finishing(b, Priority::Partial, 2);
    let newer = lazy.stage.finishing(b, Priority::Partial, 3);
    assert_eq!(answer(older), Err(EngineError::Superseded), "one waits for each session, loading or not");
    let many: Vec<_> = (0..3).map(|id| lazy.stage.finishing(SessionId::fresh(), Priority::Partial, 10 + id)).collect();
    let refused = lazy.stage.finishing(SessionId::fresh(), Priority::Partial, 20);
    assert!(matches!(answer(refused), Err(EngineError::Overloaded { .. })), "the queue stays bounded");
    let last = lazy.stage.finishing(a, Priority::Final, 4);
    lazy.gate.send(Ok(())).expect("the pool asks");
    assert_eq!(answer(first), Err(EngineError::Superseded), "its final came while it waited");
    assert_eq!((answer(last), answer(newer)), (Ok(4), Ok(3)));
    assert_eq!(lazy.stage.order(2), [4, 3], "what was given up is not begun");
    let answers: Vec<_> = many.into_iter().map(answer).collect();
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 2, "the final took a place: {answers:?}");
    assert!(lazy.stage.pool.loaded());
    assert!(lazy.stage.pool.load().running == 0 && lazy.made.try_recv().is_err());
}

#[test]
fn who_is_woken_is_there_before_the_job() {
    let lazy = Lazy::resting(2);
    lazy.stage.pool.wake();
    lazy.gate.send(Ok(())).expect("the pool asks");
    lazy.gate.send(Ok(())).expect("the pool asks");
    let mut made: Vec<_> = lazy.made.iter().take(2).collect();
    made.sort_unstable();
    assert_eq!(made, [0, 1]);
    lazy.until(Pool::loaded);
    lazy.stage.pool.wake();
    assert_eq!(answer(lazy.stage.finishing(SessionId::fresh(), Priority::Final, 1)), Ok(1));
    assert!(lazy.made.try_recv().is_err(), "nobody is made twice");
}

#[test]
fn a_worker_that_cannot_be_made_again_fails_that_job_and_is_tried_for_the_next() {
    let lazy = Lazy::resting(1);
    let missing = EngineError::ModelMissing { name: "x".into(), hint: "put it back".into() };
    lazy.gate.send(Err(missing.clone())).expect("the pool asks");
    assert_eq!(answer(lazy.stage.finishing(SessionId::fresh(), Priority::Final, 1)), Err(missing));
    lazy.gate.send(Ok(())).expect("the pool asks");
    assert_eq!(answer(lazy.stage.finishing(SessionId::fresh(), Priority::Final, 2)), Ok(2));
}

#[test]
fn finishing_does_what_somebody_waits_for_and_skips_the_rest() {
    let mut stage = Stage::new(1, 8);
    let (open, busy) = stage.occupy();
    let session = SessionId::fresh();
    let waiting = stage.finishing(session, Priority::Final, 1);
    drop(stage.finishing(session, Priority::Final, 2));
    let recording = stage.finishing(SessionId::fresh(), Priority::Recording, 3);
    drop(open);
    stage.pool.finish();
    assert_eq!((answer(busy), answer(waiting), answer(recording)), (Ok(0), Ok(1), Ok(3)));
    assert_eq!(stage.began.try_iter().collect::<Vec<_>>(), [1, 3]);
}
