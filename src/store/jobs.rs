//! Long work: its state, and the events it told.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::StoreError;
use crate::model::{JobId, UnixMs, UserId};

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum JobState {
    Queued,
    Running,
    Done,
    Failed,
    Cancelled,
}

impl JobState {
    /// Its name in logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more will happen.
    #[must_use]
    pub fn ended(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Cancelled)
    }
}

/// One job.
#[derive(Debug, Clone, PartialEq)]
pub struct JobRecord {
    pub id: JobId,
    pub user: UserId,
    /// The server whose disk has the job's file; only that one runs it.
    pub server: String,
    pub state: JobState,
    /// The name the file was sent with, and its size in bytes.
    pub file: String,
    pub bytes: u64,
    /// What was asked for: language, words and so on, as JSON.
    pub request: serde_json::Value,
    /// What came of it, or the error, as JSON.
    pub outcome: Option<serde_json::Value>,
    pub created_at: UnixMs,
    pub ended_at: Option<UnixMs>,
}

/// Something a job told.
#[derive(Debug, Clone, PartialEq)]
pub struct JobEvent {
    /// Counts from 1 within the job.
    pub seq: u64,
    /// `progress`, `text`, `done`, `failed`, `cancelled`.
    pub kind: String,
    pub data: serde_json::Value,
}

/// The store of jobs. Whatever is another user's is not found; U+0000 is left out of names, but not out of JSON.
#[async_trait]
pub trait Jobs: Send + Sync {
    /// One that is there already, or whose user is gone, is passed over.
    async fn add_job(&self, job: &JobRecord) -> Result<(), StoreError>;
    async fn job(&self, user: UserId, id: JobId) -> Result<Option<JobRecord>, StoreError>;
    /// A user's jobs, the newest first.
    async fn jobs(&self, user: UserId, limit: u32) -> Result<Vec<JobRecord>, StoreError>;
    /// Those of this server that have not ended, the oldest first: what to take up after a restart.
    async fn unfinished_jobs(&self, server: &str) -> Result<Vec<JobRecord>, StoreError>;
    /// Moves a job on, unless it has ended: whether it was moved. Ends it with `outcome` where `state` is an end;
    /// otherwise `outcome` is passed over.
    async fn move_job(
        &self,
        id: JobId,
        state: JobState,
        outcome: Option<&serde_json::Value>,
        now: UnixMs,
    ) -> Result<bool, StoreError>;
    /// Adds an event, also to a job that has ended; one whose `seq` is there already, or whose job is gone, is passed
    /// over.
    async fn add_job_event(&self, id: JobId, event: &JobEvent) -> Result<(), StoreError>;
    /// The events after `after`, in order. Whose job it is must have been asked before.
    async fn job_events(&self, id: JobId, after: u64) -> Result<Vec<JobEvent>, StoreError>;
    /// Deletes jobs that ended before `before`, with their events; gives how many.
    async fn forget_jobs(&self, before: UnixMs) -> Result<u64, StoreError>;
}
