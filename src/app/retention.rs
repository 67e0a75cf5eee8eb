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

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        model::{ConversationId, SessionId, TurnId, UserId},
        store::{ConversationKind, Listing, Side, Source, StoreSettings, TurnAudio, TurnRecord, open},
    };

    const DAY: i64 = 86_400_000;

    fn turn(conversation: ConversationId, at: i64) -> TurnRecord {
        TurnRecord {
            user: UserId::LOCAL,
            conversation,
            kind: ConversationKind::Talk,
            session: SessionId::from(Uuid::from_u128(1)),
            turn: TurnId(1),
            revision: 1,
            at: UnixMs(at),
            source: Source::Typed,
            text: "hello".into(),
            language: None,
            words: Vec::new(),
            start_ms: 0,
            end_ms: 0,
            title: "hello".into(),
            reply: None,
        }
    }

    #[tokio::test]
    async fn what_is_past_its_time_goes_and_the_rest_stays() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let settings = StoreSettings::Sqlite { folder: folder.path().into() };
        let store = open(&settings).await.expect("a scratch folder");
        let (old, new) = (ConversationId::fresh(), ConversationId::fresh());
        let now = 100 * DAY;
        store.write_turns(&[turn(old, now - 40 * DAY), turn(new, now - 20 * DAY)]).await.expect("written");
        let sound = TurnAudio {
            user: UserId::LOCAL,
            conversation: new,
            session: turn(new, 0).session,
            turn: TurnId(1),
            side: Side::User,
            ogg_opus: vec![1, 2, 3],
        };
        store.write_audio(&sound).await.expect("written");
        let everything = RetentionSettings { days: None, audio_days: None, job_days: 7 };
        assert_eq!(sweep(store.as_ref(), everything, UnixMs(now)).await.expect("swept"), 0);

        let month = RetentionSettings { days: Some(30), audio_days: Some(10), job_days: 7 };
        assert_eq!(sweep(store.as_ref(), month, UnixMs(now)).await.expect("swept"), 1);
        let all = Listing { query: String::new(), after: None, limit: 10 };
        let left = store.conversations(UserId::LOCAL, &all).await.expect("read");
        assert_eq!(left.iter().map(|found| found.conversation.id).collect::<Vec<_>>(), [new]);
        let kept = store.audio(UserId::LOCAL, new, sound.session, TurnId(1), Side::User).await.expect("read");
        assert_eq!(kept, None, "sound goes before its words");
    }
}
