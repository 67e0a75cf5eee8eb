//! One story, told to both databases: everything the store promises, step by step.

use std::sync::Arc;

use aigolos::{
    model::{ConversationId, JobId, SessionId, Timings, TurnId, UnixMs, UserId, Word},
    store::{
        ApiKey, ConversationKind, Cursor, JobEvent, JobRecord, JobState, Listing, LoginSession, NewUser, Purpose,
        Scope, Side, Source, Store, StoreError, StoreSettings, Token, TurnAudio, TurnRecord, TurnReply, User,
        UserChange, open,
    },
};
use futures::future::join_all;
use serde_json::json;
use uuid::Uuid;

use super::postgres::postgres;

mod accounts;
mod talks;

pub use self::talks::said;

const DAY: i64 = 86_400_000;

#[tokio::test(flavor = "multi_thread")]
async fn the_story_of_sqlite() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = StoreSettings::Sqlite { folder: folder.path().join("data") };
    let store = open(&settings).await.expect("a store");
    assert_eq!(store.kind(), "sqlite");
    story(store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_open_the_same_file_together_are_safe() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = StoreSettings::Sqlite { folder: folder.path().join("data") };
    opened_together(&settings).await;
    let mode = std::os::unix::fs::MetadataExt::mode(&folder.path().join("data").metadata().expect("the folder"));
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_of_postgresql() {
    let store = open(&postgres().fresh_settings()).await.expect("a store");
    assert_eq!(store.kind(), "postgresql");
    story(store).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_that_open_the_same_database_together_are_safe() {
    opened_together(&postgres().fresh_settings()).await;
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_says_what_to_do() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("file");
    std::fs::write(&file, "not a folder").expect("written");
    let error = open(&StoreSettings::Sqlite { folder: file }).await.err().expect("an error");
    assert!(error.to_string().contains("hint: set DATA_DIR"), "{error}");
}

/// Eight open the store at once, and each finds it whole.
async fn opened_together(settings: &StoreSettings) {
    let opening = (0..8).map(|_| {
        let settings = settings.clone();
        tokio::spawn(async move { open(&settings).await })
    });
    let mut stores = Vec::new();
    for opened in join_all(opening).await {
        stores.push(opened.expect("no panic").expect("a store"));
    }
    for store in &stores {
        store.ping().await.expect("an answer");
        assert!(store.user(UserId::LOCAL).await.expect("read").is_some());
    }
    let writing = stores.iter().map(|store| {
        let store = Arc::clone(store);
        tokio::spawn(async move { somebody(&store, &format!("{}@example.org", Uuid::new_v4())).await })
    });
    for written in join_all(writing).await {
        written.expect("written");
    }
    assert_eq!(stores[0].users("", None, 100).await.expect("read").len(), stores.len());
}

async fn story(store: Arc<dyn Store>) {
    store.ping().await.expect("an answer");
    accounts::users(&store).await;
    accounts::logins(&store).await;
    accounts::tokens(&store).await;
    accounts::keys(&store).await;
    talks::turns(&store).await;
    talks::another_never_sees_it(&store).await;
    talks::pages(&store).await;
    talks::search(&store).await;
    talks::sound(&store).await;
    talks::deleting(&store).await;
    talks::retiring(&store).await;
    jobs(&store).await;
    hostile_text(&store).await;
    at_once(&store).await;
}

async fn somebody(store: &Arc<dyn Store>, email: &str) -> User {
    store.add_user(&new_user(email)).await.expect("a new user")
}

fn new_user(email: &str) -> NewUser {
    NewUser {
        id: UserId::fresh(),
        email: email.into(),
        name: "Somebody".into(),
        password_hash: "$argon2id$x".into(),
        admin: false,
        verified_at: None,
        language: Some("ru".into()),
        created_at: UnixMs(1_000),
    }
}

fn job(user: UserId, server: &str, created: i64) -> JobRecord {
    JobRecord {
        id: JobId::fresh(),
        user,
        server: server.into(),
        state: JobState::Queued,
        file: "запись.ogg".into(),
        bytes: 10 << 20,
        request: json!({"language": "ru", "words": true}),
        outcome: None,
        created_at: UnixMs(created),
        ended_at: None,
    }
}

async fn jobs(store: &Arc<dyn Store>) {
    let (ann, bob) = (somebody(store, "ann.j@example.org").await.id, somebody(store, "bob.j@example.org").await.id);
    let (here, there) = (&*Uuid::new_v4().to_string(), &*Uuid::new_v4().to_string());
    let (first, second, elsewhere) = (job(ann, here, 1_000), job(ann, here, 2_000), job(ann, there, 3_000));
    for job in [&second, &first, &elsewhere] {
        store.add_job(job).await.expect("added");
        store.add_job(job).await.expect("written twice is written once");
    }
    assert_eq!(store.job(ann, first.id).await.expect("read"), Some(first.clone()));
    assert_eq!(store.job(bob, first.id).await.expect("read"), None, "another's");
    assert_eq!(store.jobs(bob, 9).await.expect("read"), []);
    assert_eq!(store.jobs(ann, 2).await.expect("read"), [elsewhere.clone(), second.clone()]);
    assert_eq!(store.unfinished_jobs(here).await.expect("read"), [first.clone(), second.clone()]);

    let outcome = json!({"text": "привет\u{0}", "segments": [1.5]});
    assert!(store.move_job(first.id, JobState::Running, Some(&outcome), UnixMs(5)).await.expect("moved"));
    let running = store.job(ann, first.id).await.expect("read").expect("there");
    assert_eq!(running, JobRecord { state: JobState::Running, ..first.clone() }, "only an end has an outcome");
    assert_eq!(store.unfinished_jobs(here).await.expect("read").len(), 2);
    assert!(store.move_job(first.id, JobState::Done, Some(&outcome), UnixMs(6)).await.expect("moved"));
    let done = store.job(ann, first.id).await.expect("read").expect("there");
    let (state, ended_at) = (JobState::Done, Some(UnixMs(6)));
    assert_eq!(done, JobRecord { state, outcome: Some(outcome), ended_at, ..first.clone() });
    for state in [JobState::Queued, JobState::Running, JobState::Done, JobState::Failed, JobState::Cancelled] {
        assert!(!store.move_job(first.id, state, None, UnixMs(7)).await.expect("refused"), "it has ended");
    }
    assert_eq!(store.job(ann, first.id).await.expect("read"), Some(done));
    assert!(!store.move_job(JobId::fresh(), JobState::Running, None, UnixMs(7)).await.expect("there is none"));
    assert_eq!(store.unfinished_jobs(here).await.expect("read"), std::slice::from_ref(&second));

    let event = |seq, kind: &str| JobEvent { seq, kind: kind.into(), data: json!({"fraction": 0.5, "n": seq}) };
    for seq in [2, 1, 3] {
        store.add_job_event(first.id, &event(seq, "progress")).await.expect("added");
        store.add_job_event(first.id, &event(seq, "text")).await.expect("passed over");
    }
    store.add_job_event(JobId::fresh(), &event(1, "progress")).await.expect("passed over");
    let events = store.job_events(first.id, 0).await.expect("read");
    assert_eq!(events, [event(1, "progress"), event(2, "progress"), event(3, "progress")]);
    assert_eq!(store.job_events(first.id, 2).await.expect("read"), [event(3, "progress")]);
    assert_eq!(store.job_events(first.id, u64::MAX).await.expect("read"), []);
    assert_eq!(store.job_events(second.id, 0).await.expect("read"), []);

    assert_eq!(store.forget_jobs(UnixMs(6)).await.expect("forgotten"), 0);
    assert_eq!(store.forget_jobs(UnixMs(7)).await.expect("forgotten"), 1, "what has not ended stays");
    assert_eq!(store.job(ann, first.id).await.expect("read"), None);
    assert_eq!(store.job_events(first.id, 0).await.expect("read"), []);
    assert!(store.move_job(second.id, JobState::Cancelled, None, UnixMs(8)).await.expect("moved"));
    store.add_job(&job(UserId::fresh(), here, 1)).await.expect("passed over");
    assert_eq!(store.unfinished_jobs(here).await.expect("read"), []);
}

async fn hostile_text(store: &Arc<dyn Store>) {
    let new = NewUser { name: "a\0b".into(), language: Some("\0".into()), ..new_user("nu\0l@example.org") };
    let user = store.add_user(&new).await.expect("added");
    assert_eq!((&*user.email, &*user.name, user.language.as_deref()), ("nul@example.org", "ab", Some("")));
    for email in ["nul\0@example.org", "nul@example.org"] {
        assert_eq!(store.user_by_email(email).await.expect("read").as_ref(), Some(&user), "{email:?}");
    }
    store.users("\0", Some("\0"), 1).await.expect("read");
    let named = store.change_user(user.id, &UserChange::Name("\0".into())).await.expect("changed").expect("there");
    assert_eq!(named.name, "");

    let long = "Ещё слово 🙂 ".repeat(6_000) + "последнее";
    let family = "👨‍👩‍👧‍👦 \u{202e}הפוך\u{0301} \u{ffff}\u{10ffff}";
    let mut turns = Vec::new();
    for text in ["за\0вет", &long, family, "' OR 1=1; DROP TABLE turns; --", &"я".repeat(100_000)] {
        let reply =
            TurnReply { text: text.into(), heard: text.into(), ..talks::said(user.id, 1, "").reply.expect("one") };
        let turn = TurnRecord { title: text.into(), reply: Some(reply), ..talks::said(user.id, 1_000, text) };
        store.write_turns(std::slice::from_ref(&turn)).await.expect("written");
        store.rename_conversation(user.id, turn.conversation, text).await.expect("renamed");
        turns.push(turn);
    }
    for turn in &turns {
        let (read, _) = store.turns(user.id, turn.conversation).await.expect("read").remove(0);
        let wanted = turn.text.replace('\0', "");
        let reply = read.reply.expect("a reply");
        assert_eq!([&read.text, &read.title, &reply.text, &reply.heard], [&wanted; 4]);
    }
    for (query, index) in [("завет", 0), ("последнее", 1), ("הפוך", 2), ("drop table", 3), (&"я".repeat(70), 4)]
    {
        let listing = Listing { query: query.into(), after: None, limit: 9 };
        let found = store.conversations(user.id, &listing).await.expect("read");
        assert_eq!(found.len(), 1, "{query}");
        assert_eq!(found[0].conversation.id, turns[index].conversation);
        assert!(found[0].snippet.as_ref().expect("a snippet").contains('\u{e000}'));
    }
    // More different words than any index holds.
    let words: Vec<_> = (0..200_000).map(|n| format!("слово{n}.ru/{n}")).collect();
    store.write_turns(&[talks::said(user.id, 1_000, &words.join(" "))]).await.expect("written");
}

/// Many who write the same and read in between: every turn is there once.
async fn at_once(store: &Arc<dyn Store>) {
    let user = somebody(store, "at.once@example.org").await.id;
    let first = talks::said(user, 1_000, "слово");
    let turns: Vec<_> =
        (1..=8).map(|n| TurnRecord { turn: TurnId(n), at: UnixMs(1_000 + i64::from(n)), ..first.clone() }).collect();
    let writing = (0..24).map(|n: usize| {
        let (store, mut turns) = (Arc::clone(store), turns.clone());
        turns.rotate_left(n % 8);
        tokio::spawn(async move {
            // Two servers may get into each other's way; they are told to try again.
            while let Err(error) = store.write_turns(&turns).await {
                assert!(matches!(error, StoreError::Unreachable(_)), "{error}");
            }
            store.turns(user, turns[0].conversation).await.expect("read").len()
        })
    });
    for read in join_all(writing).await {
        assert_eq!(read.expect("no panic"), turns.len());
    }
    let (id, expected) = (first.conversation, turns.clone());
    let read: Vec<_> = store.turns(user, id).await.expect("read").into_iter().map(|(turn, _)| turn).collect();
    assert_eq!(read, expected);

    // Somebody deletes while others write: when all is quiet it is gone.
    let writing = (0..8).map(|_| {
        let (store, turns) = (Arc::clone(store), turns.clone());
        tokio::spawn(async move { while store.write_turns(&turns).await.is_err() {} })
    });
    let deleting = store.delete_conversation(user, id);
    let (written, deleted) = tokio::join!(join_all(writing), deleting);
    assert!(written.into_iter().all(|written| written.is_ok()));
    assert!(deleted.expect("deleted"));
    assert_eq!(store.turns(user, id).await.expect("read"), []);
}
