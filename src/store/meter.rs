//! What the databases tell the metrics.

use std::{future::Future, time::Instant};

use super::StoreError;
use crate::measure;

/// Does `work`, a `read` or a `write`, and tells how long it took and how it failed.
pub(super) async fn measured<T>(
    kind: &'static str,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let begun = Instant::now();
    let result = work.await;
    metrics::histogram!(measure::STORE_OPERATIONS, "kind" => kind).record(begun.elapsed());
    let failure = match &result {
        // An address that is taken is an answer.
        Ok(_) | Err(StoreError::Exists(_)) => return result,
        Err(StoreError::Unreachable(_)) => "unreachable",
        Err(StoreError::Failed(_)) => "failed",
    };
    metrics::counter!(measure::STORE_FAILURES, "kind" => failure).increment(1);
    result
}
