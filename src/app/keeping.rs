//! What is kept: opens the store and the spool before it, starts what works on them, and ends it all in order.

use std::{error::Error, path::PathBuf, sync::Arc, time::Duration};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    config::Config,
    recorder::Recorder,
    retention::{RetentionSettings, keep_sweeping},
};
use crate::store::{
    PostgresServer, Store, StoreSettings, open_when_there,
    spool::{Spool, SpoolSettings},
};

/// How long the server waits for a database that starts together with it.
const DATABASE_WITHIN: Duration = Duration::from_secs(30);
/// How long what waits may take to be written when the server stops; the rest is written at the next start.
const WRITTEN_WITHIN: Duration = Duration::from_secs(5);

/// The store, and what stands between it and the conversations.
pub struct Keeping {
    pub store: Arc<dyn Store>,
    pub spool: Arc<Spool>,
    pub recorder: Arc<Recorder>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Keeping {
    /// Opens everything; what an earlier run left in the spool is being written from here on.
    ///
    /// # Errors
    /// When the database or the data folder cannot be used; the text says what to do.
    pub async fn open(config: &Config) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let store = open_when_there(&store_settings(config), DATABASE_WITHIN).await?;
        let spool = SpoolSettings {
            folder: config.settings.data_dir.join("spool"),
            max_bytes: u64::from(config.settings.keeping.spool_max_mb) * 1_000_000,
        };
        let spool = Arc::new(Spool::open(spool)?);
        let recorder = Arc::new(Recorder::start(Arc::clone(&store), Arc::clone(&spool))?);
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(Arc::clone(&spool).drain(Arc::clone(&store) as _, stop.clone()));
        tasks.spawn(keep_sweeping(Arc::clone(&store), retention(config), stop.clone()));
        Ok(Self { store, spool, recorder, stop, tasks })
    }

    /// Writes what waits, as far as time allows, and gives the folders back.
    pub async fn close(self) {
        if !self.recorder.finish(WRITTEN_WITHIN).await {
            let waiting = self.spool.report().waiting;
            tracing::warn!(waiting, "turns wait on disk for the database; they are written at the next start");
        }
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.spool.close();
    }
}

/// Which database the settings mean.
pub fn store_settings(config: &Config) -> StoreSettings {
    let settings = &config.settings.keeping;
    let postgres = |server| StoreSettings::Postgres { server, connections: settings.database_connections };
    if !settings.database_url.is_empty() {
        return postgres(PostgresServer::Url(settings.database_url.clone()));
    }
    if settings.postgres_db.is_empty() {
        return StoreSettings::Sqlite { folder: PathBuf::clone(&config.settings.data_dir) };
    }
    postgres(PostgresServer::Parts {
        host: settings.postgres_host.clone(),
        port: settings.postgres_port,
        user: settings.postgres_user.clone(),
        password: settings.postgres_password.clone(),
        database: settings.postgres_db.clone(),
    })
}

fn retention(config: &Config) -> RetentionSettings {
    let settings = &config.settings.keeping;
    let days = |days: u32| (days > 0).then_some(days);
    RetentionSettings {
        days: days(settings.retention_days),
        audio_days: days(settings.audio_retention_days),
        job_days: settings.job_retention_days,
    }
}
