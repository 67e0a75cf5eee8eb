//! The database that goes away and comes back, and the one that is not what it should be.

use std::{sync::Arc, time::Duration};

use aigolos::{
    model::UserId,
    store::{PostgresServer, Store, StoreError, StoreSettings, open, open_when_there},
};

use super::{
    harness::PATIENCE,
    postgres::{Cluster, postgres},
    store_story::said,
};

fn at(url: String) -> StoreSettings {
    StoreSettings::Postgres { server: PostgresServer::Url(url), connections: 4 }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    tokio::task::spawn_blocking(work).await.expect("no panic")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_failed_while_the_database_was_away_works_when_it_is_back() {
    let cluster = Arc::new(blocking(Cluster::start_own).await);
    let store = open(&at(cluster.fresh_database())).await.expect("a store");
    let turn = said(UserId::LOCAL, 1_000, "до");
    store.write_turns(std::slice::from_ref(&turn)).await.expect("written");

    let stopping = Arc::clone(&cluster);
    blocking(move || stopping.stop()).await;
    let late = said(UserId::LOCAL, 2_000, "во время");
    // The first may be told by a connection that just broke, the next by one that cannot be made.
    for _ in 0..2 {
        let error = store.write_turns(std::slice::from_ref(&late)).await.expect_err("it is away");
        assert!(matches!(error, StoreError::Unreachable(_)), "{error}");
    }
    let error = store.user(UserId::LOCAL).await.expect_err("it is away");
    assert!(matches!(error, StoreError::Unreachable(_)), "{error}");
    let error = store.ping().await.expect_err("it is away");
    assert!(matches!(error, StoreError::Unreachable(_)), "{error}");

    let starting = Arc::clone(&cluster);
    blocking(move || starting.start()).await;
    let writing = async {
        while let Err(error) = store.write_turns(&[turn.clone(), late.clone()]).await {
            assert!(matches!(error, StoreError::Unreachable(_)), "{error}");
        }
    };
    tokio::time::timeout(PATIENCE, writing).await.expect("it is back");
    for turn in [turn, late] {
        let read = store.turns(UserId::LOCAL, turn.conversation).await.expect("read");
        assert_eq!(read, [(turn, vec![])], "once");
    }
    store.ping().await.expect("an answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_starts_before_its_database_waits_for_it() {
    let cluster = Arc::new(blocking(Cluster::start_own).await);
    let settings = at(cluster.fresh_database());
    let stopping = Arc::clone(&cluster);
    blocking(move || stopping.stop()).await;

    let error = open(&settings).await.err().expect("it is away");
    assert!(matches!(error, StoreError::Unreachable(_)), "{error}");
    assert!(error.to_string().contains("hint: is PostgreSQL running there?"), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
    let error = open_when_there(&settings, Duration::from_millis(300)).await.err().expect("patience has an end");
    assert!(matches!(error, StoreError::Unreachable(_)), "{error}");

    let waiting = tokio::spawn(async move { open_when_there(&settings, PATIENCE * 3).await });
    let starting = Arc::clone(&cluster);
    blocking(move || starting.start()).await;
    waiting.await.expect("no panic").expect("a store").ping().await.expect("an answer");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_does_not_fit_says_why() {
    let url = postgres().fresh_database();
    let (server, name) = url.rsplit_once('/').expect("a path");
    for (url, wanted) in [
        (format!("{url}?sslmode=require"), "demands an encrypted connection"),
        (format!("{server}/nowhere"), "hint: DATABASE_URL, or POSTGRES_USER"),
        ("postgresql:/nonsense".to_owned(), "hint: write it like postgresql://"),
    ] {
        let error = open_when_there(&at(url), PATIENCE).await.err().expect("refused");
        assert!(matches!(error, StoreError::Failed(_)), "not worth waiting for: {error}");
        assert!(error.to_string().contains(wanted) && !error.to_string().contains("secret"), "{error}");
    }

    let narrow = format!("{name}_narrow");
    let made = format!("CREATE DATABASE {narrow} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0");
    postgres().sql("postgres", &made);
    let error = open(&at(format!("{server}/{narrow}"))).await.err().expect("refused");
    assert!(error.to_string().contains("hint: make a new one with ENCODING 'UTF8'"), "{error}");

    // Tables of a version that is not out yet.
    let store = open(&at(url.clone())).await.expect("a store");
    drop(store);
    let newer =
        "INSERT INTO refinery_schema_history SELECT 999, 'later', applied_on, '1' FROM refinery_schema_history LIMIT 1";
    postgres().sql(name, newer);
    let error = open(&at(url)).await.err().expect("refused");
    assert!(error.to_string().contains("a newer aigolos"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = StoreSettings::Sqlite { folder: folder.path().to_owned() };
    let store: Arc<dyn Store> = open(&settings).await.expect("a store");
    drop(store);
    let file = rusqlite::Connection::open(folder.path().join("aigolos.sqlite")).expect("the file");
    let newer =
        "INSERT INTO refinery_schema_history SELECT 999, 'later', applied_on, '1' FROM refinery_schema_history LIMIT 1";
    file.execute(newer, []).expect("written");
    let error = open(&settings).await.err().expect("refused");
    assert!(error.to_string().contains("a newer aigolos"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_is_there_after_a_restart() {
    let folder = tempfile::tempdir().expect("a folder");
    for settings in [StoreSettings::Sqlite { folder: folder.path().to_owned() }, postgres().fresh_settings()] {
        let turn = said(UserId::LOCAL, 1_000, "слово");
        let store = open(&settings).await.expect("a store");
        store.write_turns(std::slice::from_ref(&turn)).await.expect("written");
        drop(store);
        let store = open(&settings).await.expect("a store");
        assert_eq!(store.turns(UserId::LOCAL, turn.conversation).await.expect("read"), [(turn, vec![])]);
    }
}
