//! Forgets what nobody wants kept: conversations and sound past their time, log-ins and tokens that have expired, work
//! that ended long ago.

use std::{sync::Arc, time::Duration};

use rand::Rng;
use tokio_util::sync::CancellationToken;

use crate::{
    model::UnixMs,
    store::{Store, StoreError},
};

/// How often.
const EVERY: Duration = Duration::from_hours(1);
/// The first time is within so long of the start: servers that start together do not sweep together.
const FIRST_WITHIN: Duration = Duration::from_secs(20);

/// How long things are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetentionSettings {
    /// `RETENTION_DAYS`, for people who have no wish of their own; `None`: for ever.
    pub days: Option<u32>,
    /// `AUDIO_RETENTION_DAYS`; `None`: as long as its conversation.
    pub audio_days: Option<u32>,
    /// `JOB_RETENTION_DAYS`.
    pub job_days: u32,
}

/// Sweeps until `stop`.
pub async fn keep_sweeping(store: Arc<dyn Store>, settings: RetentionSettings, stop: CancellationToken) {
    let mut wait = FIRST_WITHIN.mul_f64(rand::rng().random_range(0.0..1.0));
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
        match sweep(store.as_ref(), settings, UnixMs::now()).await {
            Ok(0) => {}
            Ok(gone) => tracing::info!(gone, "conversations past their time were deleted"),
            Err(error) => tracing::warn!(%error, "what is past its time could not be deleted; tried again in an hour"),
        }
        wait = EVERY.mul_f64(rand::rng().random_range(0.9..1.1));
    }
}

/// One sweep; gives how many conversations went.
///
/// # Errors
/// Of the store; what could be deleted before is gone.
pub async fn sweep(store: &dyn Store, settings: RetentionSettings, now: UnixMs) -> Result<u64, StoreError> {
    let gone = store.retire(now, settings.days, settings.audio_days).await?;
    store.forget_expired(now).await?;
    let job_ms = i64::from(settings.job_days) * 86_400_000;
    store.forget_jobs(UnixMs(now.0.saturating_sub(job_ms))).await?;
    Ok(gone)
}
