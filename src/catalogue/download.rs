//! A download as it is seen from outside: its state, how far it is, how fast, and a way to stop it.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use serde::Serialize;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{digest::Checked, trouble::Told};
use crate::{engine::models::ModelKind, model::UnixMs};

/// The rate is measured over this long.
const WINDOW: Duration = Duration::from_secs(2);

/// How a download stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum DownloadState {
    /// Others come first.
    Queued,
    /// Another process fetches the same model; it has the go.
    Waiting,
    Downloading,
    /// All has come, and the model is being made of it.
    Converting,
    /// All is here, and is being compared with what it must be.
    Checking,
    Done,
    Failed,
    Cancelled,
}

impl DownloadState {
    /// Nothing more will happen.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }

    /// Its name on every wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Waiting => "waiting",
            Self::Downloading => "downloading",
            Self::Converting => "converting",
            Self::Checking => "checking",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// How far a download is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Download {
    pub id: Uuid,
    /// What is fetched, as it was asked for; a chat model with `ollama:` before it.
    pub name: String,
    pub kind: ModelKind,
    pub state: DownloadState,
    /// Bytes that are here, those of an earlier try included.
    pub bytes: u64,
    /// Null: not known yet.
    pub total: Option<u64>,
    /// Bytes a second, lately.
    pub rate: u64,
    /// Against what it was checked; null: not checked yet, or Ollama has done it.
    pub checked: Option<Checked>,
    /// Where it is fetched from, or came from; null: not known yet.
    pub source: Option<String>,
    /// Sources that were tried before, each with the reason why it is not the one.
    pub skipped: Vec<Skipped>,
    /// It was there already.
    pub already: bool,
    /// Why it failed.
    pub trouble: Option<Told>,
    /// Milliseconds since 1970.
    #[schema(value_type = i64)]
    pub started_at: UnixMs,
}

/// A source that did not have a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Skipped {
    pub source: String,
    pub reason: String,
}

/// The inner side: what changes a download, and what stops it.
#[derive(Debug)]
pub(super) struct Handle {
    told: watch::Sender<Download>,
    pub cancel: CancellationToken,
    meter: Mutex<Meter>,
}

#[derive(Debug)]
struct Meter {
    since: Instant,
    from: u64,
}

impl Handle {
    pub fn new(name: &str, kind: ModelKind, total: Option<u64>, cancel: CancellationToken) -> Self {
        let download = Download {
            id: Uuid::now_v7(),
            name: name.into(),
            kind,
            state: DownloadState::Queued,
            bytes: 0,
            total,
            rate: 0,
            checked: None,
            source: None,
            skipped: Vec::new(),
            already: false,
            trouble: None,
            started_at: UnixMs::now(),
        };
        let meter = Mutex::new(Meter { since: Instant::now(), from: 0 });
        Self { told: watch::Sender::new(download), cancel, meter }
    }

    pub fn now(&self) -> Download {
        self.told.borrow().clone()
    }

    pub fn watch(&self) -> watch::Receiver<Download> {
        self.told.subscribe()
    }

    pub fn change(&self, change: impl FnOnce(&mut Download)) {
        self.told.send_modify(change);
    }

    pub fn enter(&self, state: DownloadState) {
        self.told.send_if_modified(|download| std::mem::replace(&mut download.state, state) != state);
    }

    /// So many bytes are here.
    pub fn bytes(&self, bytes: u64, total: Option<u64>) {
        let mut meter = self.meter.lock().unwrap_or_else(PoisonError::into_inner);
        let passed = meter.since.elapsed();
        let mut rate = None;
        // It begins to come, or begins anew: what was here already says nothing of how fast it comes.
        if self.told.borrow().state != DownloadState::Downloading || bytes < meter.from {
            *meter = Meter { since: Instant::now(), from: bytes };
            rate = Some(0);
        } else if passed >= Duration::from_millis(250) {
            rate = Some(((bytes - meter.from) as f64 / passed.as_secs_f64()) as u64);
            if passed > WINDOW {
                *meter = Meter { since: Instant::now(), from: bytes };
            }
        }
        self.told.send_modify(|download| {
            download.state = DownloadState::Downloading;
            download.bytes = bytes;
            download.total = total.or(download.total);
            download.rate = rate.unwrap_or(download.rate);
        });
    }
}
