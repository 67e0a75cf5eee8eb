//! Backups: everything comes back, row by row, from either database into either, or nothing changes.

use std::{collections::BTreeMap, fs, path::Path, sync::Arc};

use aigolos::{
    app::backup::{self, BackupError, Made, Places},
    model::{JobId, SessionId, TurnId, UnixMs, UserId},
    store::{
        ApiKey, JobEvent, JobRecord, JobState, Listing, LoginSession, NewUser, Purpose, Scope, Side, Store,
        StoreSettings, Token, TurnAudio, TurnRecord, UserChange,
        copy::{CopyError, Piece, TABLES, read_all},
        open,
        spool::{Spool, SpoolSettings},
    },
};
use serde_json::json;
use tempfile::TempDir;
use tokio::sync::mpsc;
use uuid::Uuid;

use crate::{postgres::postgres, store_story::said};

mod columns;
mod evil;
mod program;
mod served;

/// A place of its own: an empty data folder, and an empty database.
struct Place {
    folder: TempDir,
    places: Places,
}

impl Place {
    fn sqlite() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let store = StoreSettings::Sqlite { folder: folder.path().join("data") };
        Self::with(folder, store)
    }

    fn postgresql() -> Self {
        Self::with(tempfile::tempdir().expect("a folder"), postgres().fresh_settings())
    }

    fn with(folder: TempDir, store: StoreSettings) -> Self {
        let places = Places { data: folder.path().join("data"), store, secret_is_set: false };
        Self { folder, places }
    }

    fn data(&self) -> &Path {
        &self.places.data
    }

    async fn store(&self) -> Arc<dyn Store> {
        open(&self.places.store).await.expect("a store")
    }

    async fn backup(&self) -> Made {
        backup::make(&self.places, &self.folder.path().join("backups"), true).await.expect("a backup")
    }

    async fn restore(&self, made: &Made, force: bool) -> Result<(), BackupError> {
        backup::restore(&self.places, &made.path, force).await.map(drop)
    }

    /// All rows, by table.
    async fn rows(&self) -> BTreeMap<&'static str, String> {
        let (send, mut pieces) = mpsc::channel::<Piece>(1);
        let taking = async {
            let mut rows = BTreeMap::<_, String>::new();
            while let Some(piece) = pieces.recv().await {
                let text = String::from_utf8(piece.lines).expect("JSON is text");
                rows.entry(piece.table.name).or_default().push_str(&text);
            }
            rows
        };
        let (read, rows) = tokio::join!(read_all(&self.places.store, send), taking);
        read.expect("read");
        rows
    }

    /// The files of the data folder that a backup has, by name.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let mut files = BTreeMap::new();
        for name in ["secret.key", "server.id", "in-use.json"] {
            if let Ok(bytes) = fs::read(self.data().join(name)) {
                files.insert(name.to_owned(), bytes);
            }
        }
        for entry in fs::read_dir(self.data().join("uploads")).into_iter().flatten().flatten() {
            let name = entry.file_name().into_string().expect("plain names");
            files.insert(format!("uploads/{name}"), fs::read(entry.path()).expect("read"));
        }
        files
    }

    /// Turns that wait for the database.
    fn waiting(&self) -> u64 {
        let spool = Spool::open(SpoolSettings { folder: self.data().join("spool"), max_bytes: 1 << 20 });
        let spool = spool.expect("nobody has it");
        let waiting = spool.report().waiting;
        spool.close();
        waiting
    }
}

/// Some of everything. Gives a user and one of their turns, which has the word "тайна".
async fn fill(place: &Place) -> (UserId, TurnRecord) {
    let store = place.store().await;
    let id = UserId::fresh();
    let user = NewUser {
        id,
        email: "ann@example.org".into(),
        name: "Ann O'Neil 🙂 \\ \" \n".into(),
        password_hash: "$argon2id$nothing".into(),
        admin: true,
        verified_at: Some(UnixMs(-1)),
        language: Some("ru".into()),
        created_at: UnixMs(i64::MAX),
    };
    store.add_user(&user).await.expect("added");
    store.change_user(id, &UserChange::RetentionDays(Some(30))).await.expect("changed");
    store.change_user(UserId::LOCAL, &UserChange::KeepAudio(true)).await.expect("changed");
    let login = LoginSession {
        id: Uuid::new_v4(),
        token_hash: (0..=255).collect(),
        user: id,
        created_at: UnixMs(1),
        last_seen_at: UnixMs(2),
        expires_at: UnixMs(3),
        address: "::1".into(),
        user_agent: "a browser".into(),
    };
    store.add_login(&login).await.expect("added");
    for (user, hash) in [(None, vec![0]), (Some(id), vec![0xff, 0])] {
        let purpose = if user.is_some() { Purpose::ResetPassword } else { Purpose::Invitation };
        let token = Token { hash, purpose, user, email: "bob@example.org".into(), expires_at: UnixMs(9) };
        store.add_token(&token).await.expect("added");
    }
    let key = ApiKey {
        id: Uuid::new_v4(),
        user: id,
        name: "a program".into(),
        prefix: "aig_abcdef".into(),
        hash: vec![7; 32],
        scopes: vec![Scope::Asr, Scope::Tts],
        created_at: UnixMs(1),
        expires_at: None,
        last_used_at: Some(UnixMs(5)),
    };
    store.add_key(&key).await.expect("added");

    let turn = TurnRecord { text: "это тайна\u{2028}и \u{10ffff}".into(), ..said(id, 1_000, "") };
    let second = TurnRecord { turn: TurnId(2), reply: None, language: None, words: Vec::new(), ..turn.clone() };
    let gone = said(UserId::LOCAL, 5_000, "удалено");
    let local = said(UserId::LOCAL, 6_000, "what time is it");
    store.write_turns(&[gone.clone(), turn.clone(), second, local]).await.expect("written");
    assert!(store.delete_conversation(UserId::LOCAL, gone.conversation).await.expect("deleted"));
    for side in [Side::User, Side::Reply] {
        let (user, conversation, session) = (turn.user, turn.conversation, turn.session);
        let ogg_opus = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        let audio = TurnAudio { user, conversation, session, turn: turn.turn, side, ogg_opus };
        store.write_audio(&audio).await.expect("written");
    }

    let data = place.data();
    fs::create_dir_all(data.join("uploads")).expect("made");
    fs::write(data.join("server.id"), "this-server\n").expect("written");
    fs::write(data.join("secret.key"), "a key that nobody knows, made up").expect("written");
    fs::write(data.join("in-use.json"), r#"{"asr":"base.en","llm":null,"tts":null}"#).expect("written");
    for (state, server) in
        [(JobState::Queued, "this-server"), (JobState::Done, "this-server"), (JobState::Queued, "other")]
    {
        let job = JobRecord {
            id: JobId::fresh(),
            user: id,
            server: server.into(),
            state: JobState::Queued,
            file: "запись.ogg".into(),
            bytes: 1 << 40,
            request: json!({"language": null}),
            outcome: None,
            created_at: UnixMs(1),
            ended_at: None,
        };
        store.add_job(&job).await.expect("added");
        fs::write(data.join("uploads").join(job.id.to_string()), job.id.uuid().as_bytes().repeat(5_000))
            .expect("written");
        let event = JobEvent { seq: 1, kind: "progress".into(), data: json!({"fraction": 0.5}) };
        store.add_job_event(job.id, &event).await.expect("added");
        if state == JobState::Done {
            let outcome = json!({"text": "a\u{0}b"});
            store.move_job(job.id, state, Some(&outcome), UnixMs(2)).await.expect("moved");
        }
    }
    // What the database has not seen yet.
    let spool = Spool::open(SpoolSettings { folder: data.join("spool"), max_bytes: 1 << 20 }).expect("nobody has it");
    for n in 1..=3 {
        spool.keep_turn(&TurnRecord { session: SessionId::fresh(), turn: TurnId(n), ..turn.clone() });
    }
    spool.close();
    (id, turn)
}

async fn comes_back(from: Place, into: Place) {
    let (user, turn) = fill(&from).await;
    let made = from.backup().await;
    let whole = from.rows().await;
    assert!(TABLES.iter().all(|table| whole.contains_key(table.name)), "the test fills every table");
    let counted: BTreeMap<_, _> =
        whole.iter().map(|(table, rows)| ((*table).to_owned(), rows.lines().count() as u64)).collect();
    assert_eq!(made.manifest.rows, counted);
    let mode = std::os::unix::fs::MetadataExt::mode(&made.path.metadata().expect("there")) & 0o777;
    assert_eq!(mode, 0o600, "it opens doors");

    into.restore(&made, false).await.expect("restored");
    assert_eq!(into.rows().await, whole);
    let mut files = from.files();
    // Of the recordings only the one that waits for this server.
    let queued: Vec<_> =
        whole["jobs"].lines().filter(|job| job.contains("queued") && job.contains("this-server")).collect();
    assert_eq!(queued.len(), 1);
    files.retain(|name, _| name.strip_prefix("uploads/").is_none_or(|id| queued[0].contains(id)));
    assert_eq!(into.files(), files);
    assert_eq!(into.waiting(), 3);
    assert!(!into.data().join("restore").exists());

    // The search was made anew, and new rows get numbers of their own.
    let store = into.store().await;
    for query in ["тайна", "заголовок", "дела"] {
        let listing = Listing { query: query.into(), after: None, limit: 9 };
        let found = store.conversations(user, &listing).await.expect("read");
        assert_eq!(found.iter().map(|found| found.conversation.id).collect::<Vec<_>>(), [turn.conversation], "{query}");
    }
    store.write_turns(&[said(user, 9_000, "и дальше")]).await.expect("written");
    assert_eq!(
        store.conversations(user, &Listing { query: String::new(), after: None, limit: 9 }).await.expect("read").len(),
        2
    );
    drop(store);

    // What is there is replaced only by those who say so; then nothing of it is left.
    let refused = into.restore(&made, false).await.expect_err("it is not empty");
    assert!(matches!(refused, BackupError::NotEmpty(_) | BackupError::Copy(CopyError::NotEmpty)), "{refused}");
    into.restore(&made, true).await.expect("replaced");
    assert_eq!(into.rows().await, whole);
    assert_eq!(into.waiting(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn from_sqlite_into_sqlite() {
    comes_back(Place::sqlite(), Place::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_sqlite_into_postgresql() {
    comes_back(Place::sqlite(), Place::postgresql()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_postgresql_into_sqlite() {
    comes_back(Place::postgresql(), Place::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_postgresql_into_postgresql() {
    comes_back(Place::postgresql(), Place::postgresql()).await;
}

/// A backup made while others write has one moment: of a conversation it has the turns up to some turn, and the
/// conversation as it was then.
async fn sees_one_moment(place: Place) {
    let store = place.store().await;
    let first = said(UserId::LOCAL, 1_000, "слово");
    let (stop, mut stopped) = tokio::sync::oneshot::channel::<()>();
    let (begun, has_begun) = tokio::sync::oneshot::channel::<()>();
    let writing = tokio::spawn({
        let first = first.clone();
        async move {
            let mut begun = Some(begun);
            for n in 1.. {
                let turn = TurnRecord { turn: TurnId(n), at: UnixMs(1_000 + i64::from(n)), ..first.clone() };
                store.write_turns(&[turn]).await.expect("written");
                if n == 20
                    && let Some(begun) = begun.take()
                {
                    let _ = begun.send(());
                }
                if stopped.try_recv().is_ok() {
                    return n;
                }
            }
            0
        }
    });
    has_begun.await.expect("it writes");
    let made = place.backup().await;
    stop.send(()).expect("it still writes");
    let written = writing.await.expect("no panic");

    let other = Place::sqlite();
    other.restore(&made, false).await.expect("restored");
    let store = other.store().await;
    let turns = store.turns(UserId::LOCAL, first.conversation).await.expect("read");
    let conversation = store.conversation(UserId::LOCAL, first.conversation).await.expect("read").expect("there");
    let numbers: Vec<_> = turns.iter().map(|(turn, _)| turn.turn.0).collect();
    assert_eq!(numbers, (1..=numbers.len() as u32).collect::<Vec<_>>(), "none is missing");
    assert!(numbers.len() >= 20 && numbers.len() <= written as usize);
    assert_eq!(conversation.updated_at, turns.last().expect("some").0.at, "the same moment");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_sqlite_sees_one_moment() {
    sees_one_moment(Place::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_of_postgresql_sees_one_moment() {
    sees_one_moment(Place::postgresql()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_backups_go_when_a_new_one_is_whole() {
    let place = Place::sqlite();
    place.store().await;
    let folder = place.folder.path().join("backups");
    fs::create_dir_all(&folder).expect("made");
    let old: Vec<_> = (1..=4).map(|day| folder.join(format!("aigolos-2026010{day}T000000Z.tar.gz"))).collect();
    for path in &old {
        fs::write(path, "old").expect("written");
    }
    fs::write(folder.join("notes.txt"), "mine").expect("written");
    fs::write(folder.join(".aigolos-20260101T000000Z.tar.gz.x.part"), "left by a dead process").expect("written");

    // No new one, no old one gone.
    let nowhere = Places { store: StoreSettings::Sqlite { folder: folder.join("nowhere") }, ..place.places.clone() };
    let error = backup::make_and_prune(&nowhere, &folder, 1, true).await.expect_err("there is no database");
    assert!(error.to_string().contains("there is no database yet"), "{error}");
    assert!(old.iter().all(|path| path.exists()));

    let made = backup::make_and_prune(&place.places, &folder, 2, true).await.expect("made");
    let mut left: Vec<_> = fs::read_dir(&folder).expect("read").map(|entry| entry.expect("read").path()).collect();
    left.sort();
    assert_eq!(left, [old[3].clone(), made.path, folder.join("notes.txt")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_without_the_key_says_so() {
    let place = Place::sqlite();
    fill(&place).await;
    let made = backup::make(&place.places, &place.folder.path().join("b"), false).await.expect("made");
    assert!(!made.manifest.secret);
    assert!(made.manifest.members.iter().all(|member| member.name != "files/secret.key"));
    let other = Place::sqlite();
    fs::create_dir_all(other.data()).expect("made");
    fs::write(other.data().join("secret.key"), "the key that was there before").expect("written");
    other.restore(&made, false).await.expect("restored");
    assert_eq!(other.files()["secret.key"], b"the key that was there before");
}
