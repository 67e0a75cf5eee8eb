//! Backups and servers: who logged in stays logged in, and nobody restores under a running server.

use std::fs;

use aigolos::{
    app::backup::{self, BackupError, Places},
    store::{PostgresServer, StoreSettings, copy::CopyError},
};
use reqwest::Method;
use serde_json::json;
use tempfile::TempDir;

use crate::{
    accounts::visitor::{Browser, Database, Mailbox, PASSWORD, server_on, with_key},
    harness::{PATIENCE, TestServer},
    postgres::postgres,
};

const ACCOUNTS: [&str; 6] = ["--auth-mode", "required", "--rate-limit-auth", "0", "--email-backend", "file"];

fn places(data: &std::path::Path, database: Option<&str>) -> Places {
    let store = match database {
        Some(url) => StoreSettings::Postgres { server: PostgresServer::Url(url.into()), connections: 2 },
        None => StoreSettings::Sqlite { folder: data.to_owned() },
    };
    Places { data: data.to_owned(), store, secret_is_set: false }
}

/// Restores what a server has into another folder and database, and logs in there.
async fn people_come_back(from: Database, into: Database) {
    let flags = from.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let server = server_on(Database::Sqlite, &[&ACCOUNTS[..], &flags[..]].concat()).await;
    let mut ann = Browser::join(&server, &mut Mailbox::of(&server), "ann@example.org").await;
    let key = ann.post("/api/keys/", json!({"name": "a program", "scopes": ["asr"]})).await.expect(201).body;
    let key = key["secret"].as_str().expect("a secret").to_owned();
    let cookie = ann.cookie.clone();

    // Beside the running server.
    let backups = TempDir::new().expect("a folder");
    let made = backup::make(&places(server.folder(), flags.get(1).copied()), backups.path(), true).await.expect("made");
    server.stop().await;

    let data = TempDir::new().expect("a folder");
    let flags = into.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    backup::restore(&places(data.path(), flags.get(1).copied()), &made.path, false).await.expect("restored");
    let server = TestServer::start_in(data.path(), &[&ACCOUNTS[..], &flags[..]].concat()).await;
    let mut again = Browser::at(&server);
    again.cookie = cookie;
    assert_eq!(again.email().await.as_deref(), Some("ann@example.org"), "the log-in outlasts it");
    let me = with_key(&server, &key, Method::GET, "/api/auth/me").await.expect(200);
    assert_eq!(me.body["user"]["email"], "ann@example.org");
    Browser::at(&server).log_in("ann@example.org", PASSWORD).await.expect(200);
    assert_ne!(Browser::at(&server).log_in("ann@example.org", "another password").await.status, 200);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_come_back_into_postgresql() {
    people_come_back(Database::Sqlite, Database::Postgresql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_come_back_into_sqlite() {
    people_come_back(Database::Postgresql, Database::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_restores_under_a_running_server() {
    let url = postgres().fresh_database();
    let server = TestServer::start(&["--database-url", &url]).await;
    // It is up once it answers.
    reqwest::get(server.url("/api/health/")).await.expect("it answers");
    let data = server.folder().to_owned();
    let backups = TempDir::new().expect("a folder");
    let made = backup::make(&places(&data, Some(&url)), backups.path(), true).await.expect("made");

    let error = backup::restore(&places(&data, Some(&url)), &made.path, true).await.expect_err("the folder is in use");
    assert!(matches!(error, BackupError::Spool(_)), "{error}");
    // Another machine's folder, the same database.
    let elsewhere = TempDir::new().expect("a folder");
    let error = backup::restore(&places(elsewhere.path(), Some(&url)), &made.path, true).await;
    let error = error.expect_err("the database is in use");
    assert!(matches!(error, BackupError::Copy(CopyError::InUse)), "{error}");
    assert!(!elsewhere.path().join("restore").exists());

    server.stop().await;
    backup::restore(&places(elsewhere.path(), Some(&url)), &made.path, true).await.expect("nobody uses it now");
}

/// A restore that died after the database had it is finished at the next start; one that died before is forgotten.
#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_restore_is_finished_or_forgotten() {
    let data = TempDir::new().expect("a folder");
    let server = TestServer::start_in(data.path(), &[]).await;
    reqwest::get(server.url("/api/health/")).await.expect("it answers");
    server.stop().await;
    let backups = TempDir::new().expect("a folder");
    let made = backup::make(&places(data.path(), None), backups.path(), true).await.expect("made");
    backup::restore(&places(data.path(), None), &made.path, true).await.expect("restored");
    let name: Vec<u8> = rusqlite::Connection::open(data.path().join("aigolos.sqlite"))
        .and_then(|connection| connection.query_row("SELECT id FROM restored", [], |row| row.get(0)))
        .expect("it is named");
    let name = uuid::Uuid::from_slice(&name).expect("an id");

    for (ready, outcome) in [(name, "the new key"), (uuid::Uuid::new_v4(), "the old key")] {
        fs::write(data.path().join("secret.key"), "the old key of log-ins").expect("written");
        let new = data.path().join("restore/new");
        fs::create_dir_all(new.join("spool")).expect("made");
        fs::create_dir_all(new.join("uploads")).expect("made");
        fs::create_dir_all(data.path().join("restore/old")).expect("made");
        fs::write(new.join("secret.key"), "the new key of log-ins").expect("written");
        fs::write(data.path().join("restore/ready"), ready.to_string()).expect("written");
        let server = TestServer::start_in(data.path(), &[]).await;
        let asked = tokio::time::timeout(PATIENCE, reqwest::get(server.url("/api/health/"))).await;
        asked.expect("in time").expect("it answers");
        let key = fs::read_to_string(data.path().join("secret.key")).expect("there");
        assert!(key.starts_with(outcome), "{key}");
        assert!(!data.path().join("restore").exists());
        server.stop().await;
    }
}
