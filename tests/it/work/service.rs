//! Jobs below HTTP: whose they are, how many, and whose turn it is.

use std::{path::Path, sync::Arc, time::Duration};

use aigolos::{
    engine::Engines,
    job::{JobError, JobRequest, JobSettings, Jobs},
    model::{JobId, UnixMs, UserId},
    store::{self, JobRecord, JobState, NewUser, Store, StoreSettings},
};

use super::{client::talk_opus, fakes::HeldEars};
use crate::harness::{PATIENCE, bundled_engines};

async fn person(store: &dyn Store, name: &str) -> UserId {
    let user = NewUser {
        id: UserId::fresh(),
        email: format!("{name}@example.org"),
        name: name.into(),
        password_hash: String::new(),
        admin: false,
        verified_at: None,
        language: None,
        created_at: UnixMs::now(),
    };
    store.add_user(&user).await.expect("a fresh address").id
}

async fn opened(folder: &Path) -> Arc<dyn Store> {
    let settings = StoreSettings::Sqlite { folder: folder.to_owned() };
    store::open_when_there(&settings, PATIENCE).await.expect("a store")
}

fn settings(folder: &Path) -> JobSettings {
    JobSettings { folder: folder.join("uploads"), server: "this".into(), max_jobs: 2, ..JobSettings::default() }
}

async fn submit(jobs: &Jobs, user: UserId, file: &[u8]) -> Result<JobRecord, JobError> {
    let mut upload = jobs.upload(user, "talk.opus", None).await?;
    for piece in file.chunks(1_000) {
        upload.push(piece).await?;
    }
    jobs.submit(upload, &JobRequest::default()).await
}

/// The last event of a job.
async fn end(jobs: &Jobs, user: UserId, id: JobId) -> String {
    let mut watch = jobs.watch(user, id, 0).await.expect("the store answers").expect("a job");
    let mut last = String::new();
    while let Some(event) = tokio::time::timeout(PATIENCE, watch.next()).await.expect("in time") {
        last = event.expect("the store answers").kind;
    }
    last
}

#[tokio::test(flavor = "multi_thread")]
async fn jobs_are_their_owners_and_not_too_many() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = opened(folder.path()).await;
    let (ann, ben) = (person(&*store, "ann").await, person(&*store, "ben").await);
    let engines = bundled_engines().await;
    let ears = Arc::new(HeldEars::new(engines.recognizer.clone(), 0));
    let jobs = Jobs::start(store, Engines { recognizer: ears.clone(), ..engines }, settings(folder.path()));
    let jobs = jobs.expect("a folder");
    let file = talk_opus(&["Hello."]);
    let first = submit(&jobs, ann, &file).await.expect("it is taken");
    let sending = jobs.upload(ann, "b.wav", None).await.expect("one may be on its way");
    assert!(matches!(submit(&jobs, ann, &file).await, Err(JobError::TooMany(2))));
    let theirs = submit(&jobs, ben, &file).await.expect("others have their own places");
    drop(sending);
    let second = submit(&jobs, ann, &file).await.expect("what broke off is forgotten");

    for id in [first.id, second.id] {
        assert!(jobs.job(ben, id).await.expect("the store answers").is_none());
        assert!(jobs.watch(ben, id, 0).await.expect("the store answers").is_none());
        assert!(jobs.cancel(ben, id).await.expect("the store answers").is_none());
    }
    let mine: Vec<JobId> = jobs.jobs(ann, 10).await.expect("the store answers").iter().map(|job| job.id).collect();
    assert_eq!(mine, [second.id, first.id]);

    ears.permits.add_permits(1_000);
    for (user, id) in [(ann, first.id), (ann, second.id), (ben, theirs.id)] {
        assert_eq!(end(&jobs, user, id).await, "done");
        let job = jobs.job(user, id).await.expect("the store answers").expect("a job");
        assert_eq!(job.state, JobState::Done);
    }
    submit(&jobs, ann, &file).await.expect("there is room again");
    let patience = tokio::time::timeout(PATIENCE, jobs.shut_down());
    patience.await.expect("it stops");
    assert!(matches!(submit(&jobs, ann, &file).await, Err(JobError::Stopping)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_of_another_server_is_watched_and_cancelled_through_the_store() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = opened(folder.path()).await;
    let jobs = Jobs::start(store.clone(), bundled_engines().await, settings(folder.path())).expect("a folder");
    let job = JobRecord {
        id: JobId::fresh(),
        user: UserId::LOCAL,
        server: "another".into(),
        state: JobState::Running,
        file: "a.wav".into(),
        bytes: 1,
        request: serde_json::json!({}),
        outcome: None,
        created_at: UnixMs::now(),
        ended_at: None,
    };
    store.add_job(&job).await.expect("kept");
    let cancelled = jobs.cancel(UserId::LOCAL, job.id).await.expect("the store answers").expect("a job");
    assert_eq!(cancelled.state, JobState::Cancelled);
    assert_eq!(end(&jobs, UserId::LOCAL, job.id).await, "cancelled", "although nobody told an event");
    assert!(tokio::time::timeout(Duration::from_secs(30), jobs.shut_down()).await.is_ok());
}
