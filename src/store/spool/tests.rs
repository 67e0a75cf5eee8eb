//! The spool against a store that can be switched off, and against files cut anywhere.

use std::{
    collections::BTreeMap,
    fs,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use proptest::prelude::*;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    model::{SessionId, TurnId, UnixMs},
    store::{Conversation, ConversationKind, Found, Listing, Side, Source, StoreError, Talks, TurnReply},
};

const PATIENCE: Duration = Duration::from_secs(30);

fn turn(number: u32, revision: u32, text: &str) -> TurnRecord {
    TurnRecord {
        user: UserId::LOCAL,
        conversation: ConversationId::from(uuid::Uuid::from_u128(7)),
        kind: ConversationKind::Talk,
        session: SessionId::from(uuid::Uuid::from_u128(8)),
        turn: TurnId(number),
        revision,
        at: UnixMs(i64::from(number)),
        source: Source::Typed,
        text: text.into(),
        language: Some("en".into()),
        words: Vec::new(),
        start_ms: 0,
        end_ms: 0,
        title: text.into(),
        reply: (revision > 1).then(|| TurnReply {
            text: "yes".into(),
            heard: "yes".into(),
            interrupted: false,
            timings: crate::model::Timings::default(),
        }),
    }
}

fn sound(number: u32) -> TurnAudio {
    let TurnRecord { user, conversation, session, turn, .. } = turn(number, 1, "");
    TurnAudio { user, conversation, session, turn, side: Side::User, ogg_opus: vec![number as u8; 1000] }
}

fn settings(folder: &std::path::Path) -> SpoolSettings {
    SpoolSettings { folder: folder.to_owned(), max_bytes: 1 << 20 }
}

/// Keeps what is written by the trait's rules; every write is counted.
#[derive(Default)]
struct Fake {
    turns: Mutex<BTreeMap<u32, TurnRecord>>,
    sounds: Mutex<Vec<u32>>,
    away: AtomicBool,
    /// Writes what it is given, and says that it could not.
    loses_answers: AtomicBool,
    /// A turn it never takes.
    hates: Option<u32>,
    tries: watch::Sender<u32>,
}

impl Fake {
    fn texts(&self) -> Vec<String> {
        self.turns.lock().expect("no panic").values().map(|turn| turn.text.clone()).collect()
    }

    /// Waits until it was written to so often.
    async fn tried(&self, times: u32) {
        let mut tries = self.tries.subscribe();
        tokio::time::timeout(PATIENCE, tries.wait_for(|tries| *tries >= times)).await.expect("in time").expect("alive");
    }
}

#[async_trait]
impl Talks for Fake {
    async fn write_turns(&self, turns: &[TurnRecord]) -> Result<(), StoreError> {
        self.tries.send_modify(|tries| *tries += 1);
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::Unreachable("switched off".into()));
        }
        if turns.iter().any(|turn| Some(turn.turn.0) == self.hates) {
            return Err(StoreError::Failed("not this one".into()));
        }
        let mut kept = self.turns.lock().expect("no panic");
        for turn in turns {
            if kept.get(&turn.turn.0).is_none_or(|kept| kept.revision < turn.revision) {
                kept.insert(turn.turn.0, turn.clone());
            }
        }
        if self.loses_answers.swap(false, Ordering::SeqCst) {
            return Err(StoreError::Unreachable("the answer was lost".into()));
        }
        Ok(())
    }

    async fn write_audio(&self, audio: &TurnAudio) -> Result<(), StoreError> {
        assert!(self.turns.lock().expect("no panic").contains_key(&audio.turn.0), "sound comes behind its turn");
        self.sounds.lock().expect("no panic").push(audio.turn.0);
        Ok(())
    }

    async fn conversation(&self, _: UserId, _: ConversationId) -> Result<Option<Conversation>, StoreError> {
        unreachable!("the spool only writes")
    }
    async fn conversations(&self, _: UserId, _: &Listing) -> Result<Vec<Found>, StoreError> {
        unreachable!("the spool only writes")
    }
    async fn turns(&self, _: UserId, _: ConversationId) -> Result<Vec<(TurnRecord, Vec<Side>)>, StoreError> {
        unreachable!("the spool only writes")
    }
    async fn last_turns(&self, _: UserId, _: ConversationId, _: u32) -> Result<Vec<TurnRecord>, StoreError> {
        unreachable!("the spool only writes")
    }
    async fn audio(
        &self,
        _: UserId,
        _: ConversationId,
        _: SessionId,
        _: TurnId,
        _: Side,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        unreachable!("the spool only writes")
    }
    async fn rename_conversation(&self, _: UserId, _: ConversationId, _: &str) -> Result<bool, StoreError> {
        unreachable!("the spool only writes")
    }
    async fn delete_conversation(&self, _: UserId, _: ConversationId) -> Result<bool, StoreError> {
        unreachable!("the spool only writes")
    }
    async fn delete_conversations(&self, _: UserId) -> Result<u64, StoreError> {
        unreachable!("the spool only writes")
    }
    async fn retire(&self, _: UnixMs, _: Option<u32>, _: Option<u32>) -> Result<u64, StoreError> {
        unreachable!("the spool only writes")
    }
}

/// A spool that drains into `fake` until it is dropped.
struct Running {
    spool: Arc<Spool>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
}

impl Running {
    fn start(folder: &std::path::Path, fake: &Arc<Fake>) -> Self {
        let spool = Arc::new(Spool::open(settings(folder)).expect("a scratch folder"));
        let stop = CancellationToken::new();
        let task = tokio::spawn(Arc::clone(&spool).drain(Arc::clone(fake) as Arc<dyn Talks>, stop.clone()));
        Self { spool, stop, task }
    }

    async fn end(self) {
        self.stop.cancel();
        self.task.await.expect("no panic");
        self.spool.close();
    }
}

#[tokio::test]
async fn what_comes_is_written_in_order_and_the_files_go() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let fake = Arc::new(Fake::default());
    let running = Running::start(folder.path(), &fake);
    for number in 1..=200 {
        running.spool.keep_turn(&turn(number, 1, &format!("turn {number}")));
        running.spool.keep_audio(&sound(number));
        running.spool.keep_turn(&turn(number, 2, &format!("turn {number}")));
    }
    assert!(running.spool.flush(PATIENCE).await);
    assert_eq!(fake.turns.lock().expect("no panic").len(), 200);
    assert!(fake.turns.lock().expect("no panic").values().all(|turn| turn.revision == 2));
    assert_eq!(*fake.sounds.lock().expect("no panic"), (1..=200).collect::<Vec<_>>());
    let report = running.spool.report();
    assert_eq!((report.waiting, report.lost), (0, 0));
    running.end().await;
    let left: u64 = fs::read_dir(folder.path())
        .expect("it is there")
        .map(|entry| entry.expect("readable").metadata().expect("readable"))
        .filter(fs::Metadata::is_file)
        .map(|file| file.len())
        .sum();
    assert_eq!(left, 0, "nothing stays on disk");
}

#[tokio::test]
async fn an_outage_is_waited_out_and_told() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let fake = Arc::new(Fake::default());
    fake.away.store(true, Ordering::SeqCst);
    let running = Running::start(folder.path(), &fake);
    running.spool.keep_turn(&turn(1, 1, "one"));
    fake.tried(2).await;
    running.spool.keep_turn(&turn(2, 1, "two"));
    let report = running.spool.report();
    assert_eq!((report.state, report.waiting), (SpoolState::Away, 2));
    assert_eq!(running.spool.waiting_turns(UserId::LOCAL, turn(1, 1, "").conversation).len(), 2);
    assert!(running.spool.waiting_turns(UserId::fresh(), turn(1, 1, "").conversation).is_empty());
    // The first write after it gets through, and its answer is lost: it is made again, and the turns are there once.
    fake.loses_answers.store(true, Ordering::SeqCst);
    fake.away.store(false, Ordering::SeqCst);
    assert!(running.spool.flush(PATIENCE).await);
    assert_eq!(fake.texts(), ["one", "two"]);
    running.spool.keep_turn(&turn(3, 1, "three"));
    assert!(running.spool.flush(PATIENCE).await);
    running.end().await;
}

#[tokio::test]
async fn what_waits_outlives_the_process() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let before = Spool::open(settings(folder.path())).expect("a scratch folder");
    before.keep_turn(&turn(1, 1, "one"));
    before.keep_audio(&sound(1));
    before.keep_turn(&turn(1, 2, "one"));
    let taken = Spool::open(settings(folder.path())).err().expect("one server at a time").to_string();
    assert!(taken.contains("hint: give each server"), "{taken}");
    let full = before.size();
    assert!(full.bytes > 1_000 && full.bytes < full.max_bytes && full.oldest == Some(UnixMs(1)), "{full:?}");
    drop(before); // without a word, as kill -9 ends it

    let fake = Arc::new(Fake::default());
    let running = Running::start(folder.path(), &fake);
    assert!(running.spool.flush(PATIENCE).await);
    assert_eq!(fake.texts(), ["one"]);
    assert_eq!(*fake.sounds.lock().expect("no panic"), [1]);
    let empty = running.spool.size();
    assert!(empty.bytes == 0 && empty.oldest.is_none(), "{empty:?}");
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_turn_the_store_refuses_holds_up_no_other_and_is_tried_again_at_the_next_start() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let fake = Arc::new(Fake { hates: Some(2), ..Fake::default() });
    let spool = Spool::open(settings(folder.path())).expect("a scratch folder");
    for number in 1..=5 {
        spool.keep_turn(&turn(number, 1, &format!("turn {number}")));
    }
    spool.close();
    let running = Running::start(folder.path(), &fake);
    assert!(running.spool.flush(PATIENCE).await);
    assert_eq!(fake.texts(), ["turn 1", "turn 3", "turn 4", "turn 5"]);
    running.end().await;
    assert_eq!(fs::read_dir(folder.path().join("rejected")).expect("made").count(), 1);

    let healed = Arc::new(Fake::default());
    let running = Running::start(folder.path(), &healed);
    assert!(running.spool.flush(PATIENCE).await);
    assert_eq!(healed.texts(), ["turn 2"]);
    running.end().await;
    assert_eq!(fs::read_dir(folder.path().join("rejected")).expect("made").count(), 0);
}

#[test]
fn a_full_spool_counts_what_it_loses_and_sound_goes_first() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let spool = Spool::open(SpoolSettings { folder: folder.path().into(), max_bytes: 20_000 }).expect("a folder");
    for number in 1..=15 {
        spool.keep_audio(&sound(number));
    }
    let long = "word ".repeat(200);
    for number in 1..=20 {
        spool.keep_turn(&turn(number, 1, &long));
    }
    let report = spool.report();
    assert!(report.waiting >= 4 && report.lost > 0, "{report:?}");
    assert_eq!(report.waiting + report.lost, 20);
    let kept: Vec<u32> =
        spool.waiting_turns(UserId::LOCAL, turn(1, 1, "").conversation).iter().map(|turn| turn.turn.0).collect();
    assert_eq!(kept, (1..=report.waiting as u32).collect::<Vec<_>>(), "the first ones, whole");
}

#[test]
fn records_come_back_as_they_were() {
    for record in [turn(1, 1, "Привет \u{1F44B} \"quoted\"\n"), turn(2, 2, "")] {
        let frame = frame::of_turn(&record);
        let content = frame::read(&mut frame.as_slice()).expect("memory").expect("whole");
        assert_eq!(frame::parse(&content), Some(Entry::Turn(Box::new(record))));
    }
    let frame = frame::of_audio(&sound(3));
    let content = frame::read(&mut frame.as_slice()).expect("memory").expect("whole");
    assert_eq!(frame::parse(&content), Some(Entry::Audio(sound(3))));
    for broken in [&b"T"[..], b"T{}", b"A", b"A\xff\xff\xff\xff{}", b"X{}", b""] {
        assert_eq!(frame::parse(broken), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_file_cut_anywhere_loses_at_most_its_last_record(
        texts in prop::collection::vec("[a-zа-я ]{0,60}", 1..12),
        cut in 0.0f64..1.0,
        garbage in prop::collection::vec(any::<u8>(), 0..20),
    ) {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let spool = Spool::open(settings(folder.path())).expect("a scratch folder");
        let mut ends = vec![0];
        for (number, text) in (1..).zip(&texts) {
            let record = turn(number, 1, text);
            ends.push(ends.last().expect("one") + frame::of_turn(&record).len());
            spool.keep_turn(&record);
        }
        drop(spool);
        let file = folder.path().join(format!("{:020}.log", 1));
        let mut bytes = fs::read(&file).expect("written");
        prop_assert_eq!(bytes.len(), *ends.last().expect("one"));
        let at = (bytes.len() as f64 * cut) as usize;
        bytes.truncate(at);
        bytes.extend(garbage);
        fs::write(&file, bytes).expect("writable");

        let whole = ends.iter().filter(|end| **end <= at).count() - 1;
        let spool = Spool::open(settings(folder.path())).expect("a scratch folder");
        // Writing goes on behind the cut.
        spool.keep_turn(&turn(100, 1, "after"));
        let conversation = turn(1, 1, "").conversation;
        let found: Vec<String> =
            spool.waiting_turns(UserId::LOCAL, conversation).into_iter().map(|turn| turn.text).collect();
        let mut expected = texts[..whole].to_vec();
        expected.push("after".into());
        prop_assert_eq!(found, expected);
        prop_assert_eq!(spool.report().waiting, whole as u64 + 1);
    }
}
