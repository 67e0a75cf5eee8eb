//! What is kept and how: the store, the spool before it, the recorder before that, and what sweeps behind them.

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use tokio::{sync::Notify, time::Instant};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    config::Config,
    recorder::Recorder,
    retention::{RetentionSettings, keep_sweeping},
    watch::keep_watch,
};
use crate::{
    conversation::{hub::Hub, journal::Journal},
    store::{
        Store,
        spool::{Spool, SpoolReport, SpoolSettings, SpoolSize, SpoolState},
    },
};

/// How long a health report waits for the database.
const PING_WITHIN: Duration = Duration::from_secs(2);
/// How long a stopping server gives what was said last to reach the database; then it waits on disk.
const FINISH_WITHIN: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Clone)]
pub struct Archive {
    store: Arc<dyn Store>,
    spool: Arc<Spool>,
    recorder: Arc<Recorder>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// How the store is, for the health report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct StoreHealth {
    pub state: StoreState,
    /// `postgresql` or `sqlite`.
    pub kind: &'static str,
    /// How long it took to answer; left out while it is away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u64>,
    /// What was said and is not in the database yet.
    pub waiting_turns: u64,
    /// What was said since the start and could not be kept, because the spool was full.
    pub lost_turns: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StoreState {
    Ok,
    /// What is said waits on disk.
    Away,
    /// It is back, and what waited is being written.
    CatchingUp,
}

impl Archive {
    /// Starts the spool in DATA_DIR and all that runs around `store`.
    ///
    /// # Errors
    /// When another server has the spool, or its folder cannot be written to; the text says what to do.
    pub fn start(config: &Config, store: Arc<dyn Store>) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let settings = &config.settings;
        let keeping = &settings.keeping;
        let days = |days: u32| (days > 0).then_some(days);
        let spool = Arc::new(Spool::open(SpoolSettings {
            folder: settings.data_dir.join("spool"),
            max_bytes: u64::from(keeping.spool_max_mb) << 20,
        })?);
        let recorder = Arc::new(Recorder::start(Arc::clone(&store), Arc::clone(&spool))?);
        let retention = RetentionSettings {
            days: days(keeping.retention_days),
            audio_days: days(keeping.audio_retention_days),
            job_days: keeping.job_retention_days,
        };
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(Arc::clone(&spool).drain(Arc::clone(&store) as _, stop.clone()));
        tasks.spawn(keep_sweeping(Arc::clone(&store), retention, stop.clone()));
        Ok(Self { store, spool, recorder, stop, tasks })
    }

    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store)
    }

    /// What sessions tell.
    #[must_use]
    pub fn journal(&self) -> Arc<dyn Journal> {
        Arc::clone(&self.recorder) as _
    }

    /// Ends sessions of `hub` whose owners may no longer come in; looks at once when the answer is notified.
    #[must_use]
    pub fn watch_over(&self, hub: Hub) -> Arc<Notify> {
        let poked = Arc::new(Notify::new());
        self.tasks.spawn(keep_watch(hub, self.store(), Arc::clone(&poked), self.stop.clone()));
        poked
    }

    /// How the store is now.
    pub async fn health(&self) -> StoreHealth {
        let begun = Instant::now();
        let ping = tokio::time::timeout(PING_WITHIN, self.store.ping()).await;
        let latency_ms = matches!(ping, Ok(Ok(()))).then(|| begun.elapsed().as_millis() as u64);
        let report = self.spool.report();
        let state = match (latency_ms, report.state) {
            (None, _) => StoreState::Away,
            (Some(_), SpoolState::Ok) => StoreState::Ok,
            (Some(_), SpoolState::Away | SpoolState::CatchingUp) => StoreState::CatchingUp,
        };
        StoreHealth {
            state,
            kind: self.store.kind(),
            latency_ms,
            waiting_turns: report.waiting,
            lost_turns: report.lost,
        }
    }

    /// What waits before the database, for metrics.
    pub async fn waiting(&self) -> (SpoolReport, Option<SpoolSize>) {
        let spool = Arc::clone(&self.spool);
        // It reads a file.
        let size = tokio::task::spawn_blocking(move || spool.size()).await.ok();
        (self.spool.report(), size)
    }

    /// Brings what was said last into the store, then stops and gives the spool back. After the sessions have ended.
    pub async fn finish(&self) {
        if !self.recorder.finish(FINISH_WITHIN).await {
            let waiting = self.spool.report().waiting;
            tracing::warn!(waiting, "the database is away; what waits on disk is written at the next start");
        }
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.spool.close();
    }
}
