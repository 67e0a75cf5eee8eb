//! The same for a server that serves meanwhile with what it has, and takes up what comes.

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use futures::future::join_all;
use tokio::sync::watch;

use super::{
    super::{config::Config, library::told_now_and_then},
    Need, Outcome, Plan, Shows, Wish, here, set_up,
};
use crate::{
    catalogue::{Chooser, Download, Library},
    engine::models::ModelKind,
};

/// Waits before it is tried again: the first, and the longest.
const WAITS: (Duration, Duration) = (Duration::from_mins(1), Duration::from_hours(1));

struct Log;

#[async_trait]
impl Shows for Log {
    async fn follow(&self, downloads: Vec<watch::Receiver<Download>>) -> Vec<Download> {
        join_all(downloads.into_iter().map(told_now_and_then)).await
    }

    fn say(&self, text: &str) {
        tracing::info!("{text}");
    }
}

/// Fetches what `MODELS_FETCH` wants and puts it into use. Ends when all is there; goes on trying until then.
pub async fn while_serving(config: Config, library: Library, chooser: Arc<dyn Chooser>) {
    let wish = Wish::of(&config.settings.library.models_fetch);
    let mut wait = WAITS.0;
    loop {
        let plan = Plan::of(&config, &library, &wish);
        if let Some(reason) = &plan.voiceless {
            tracing::info!(reason, "no voice is fetched: it could not speak here");
        }
        if plan.is_empty() {
            return;
        }
        tracing::info!(
            models = plan.names().join(", "),
            "models are fetched; until they are here, what is here serves"
        );
        let outcome = set_up(&config, &library, &plan, &Log).await;
        take_up(&config, &library, &plan, &outcome, &*chooser).await;
        if outcome.failed.is_empty() {
            return;
        }
        for (model, reason, hint) in &outcome.failed {
            let retry_ms = wait.as_millis() as u64;
            tracing::warn!(model, reason, hint, retry_ms, "a model could not be fetched; what is here serves on");
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 3).min(WAITS.1);
    }
}

async fn take_up(config: &Config, library: &Library, plan: &Plan, outcome: &Outcome, chooser: &dyn Chooser) {
    for measured in &outcome.measured {
        let decode_ms = measured.took.as_millis() as u64;
        tracing::info!(model = measured.name, decode_ms, used = measured.used, "5 s of speech were decoded");
    }
    let came = |kind| outcome.fetched.iter().any(|download| download.kind == kind && !download.already);
    let several = here(library, ModelKind::Asr).len() > 1;
    let given = config.given(ModelKind::Asr.setting());
    let recognizer = match &outcome.recognizer {
        Some(name) if several && !given && plan.recognizer == Need::Best => chooser.choose(ModelKind::Asr, name).await,
        _ if came(ModelKind::Asr) => chooser.renew(ModelKind::Asr).await,
        _ => Ok(()),
    };
    let voice = if came(ModelKind::Tts) { chooser.renew(ModelKind::Tts).await } else { Ok(()) };
    for error in [recognizer, voice].into_iter().filter_map(Result::err) {
        tracing::warn!(%error, "a model is there, but cannot be used");
    }
}
