//! The states that are read when somebody asks.

use std::path::{Path, PathBuf};

use super::{page::Page, process};
use crate::{
    app::{archive::Archive, backup, config::Config, health::Health, tls::Tls},
    conversation::hub::Hub,
    job::Jobs,
    measure,
    model::UnixMs,
};

/// What the binary was built for.
const FEATURES: [(&str, bool); 4] = [
    ("cuda", cfg!(feature = "cuda")),
    ("vulkan", cfg!(feature = "vulkan")),
    ("metal", cfg!(feature = "metal")),
    ("openblas", cfg!(feature = "openblas")),
];

/// Where states are read from.
#[derive(Clone)]
pub struct Sources {
    pub hub: Hub,
    pub archive: Archive,
    pub jobs: Jobs,
    pub health: Health,
    pub tls: Option<Tls>,
    pub folders: Folders,
}

/// Folders whose state is told.
#[derive(Debug, Clone)]
pub struct Folders {
    data: PathBuf,
    models: PathBuf,
    backups: PathBuf,
}

impl Folders {
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let (settings, backups) = (&config.settings, &config.settings.operating.backup_dir);
        let data = settings.data_dir.clone();
        Self {
            backups: if backups.is_empty() { data.join("backups") } else { backups.into() },
            models: settings.models_dir.clone(),
            data,
        }
    }
}

impl Sources {
    /// All of them, in Prometheus' text form.
    pub async fn read(&self) -> String {
        let mut page = Page::default();
        self.live(&mut page);
        let (standing, (spool, size)) = tokio::join!(self.health.standing(), self.archive.waiting());
        page.one(measure::READY, flag(standing.ready));
        page.one(measure::DRAINING, flag(standing.stopping));
        page.one(measure::STORE_UP, flag(standing.store));
        page.one(measure::CHAT_UP, flag(standing.chat));
        page.one(measure::SPOOL_TURNS, spool.waiting as f64);
        page.one(measure::SPOOL_LOST, spool.lost as f64);
        if let Some(size) = size {
            let age = size.oldest.map_or(0, |oldest| UnixMs::now().0.saturating_sub(oldest.0).max(0));
            page.one(measure::SPOOL_OLDEST, age as f64 / 1e3);
            page.one(measure::SPOOL_BYTES, size.bytes as f64);
            page.one(measure::SPOOL_MAX_BYTES, size.max_bytes as f64);
        }
        page.one(measure::TLS_EXPIRY, self.tls.as_ref().and_then(Tls::ends).map(|end| end.as_second() as f64));
        let folders = self.folders.clone();
        // These ask the disk.
        let slow = tokio::task::spawn_blocking(move || {
            let mut page = Page::default();
            folders.tell(&mut page);
            process::tell(&mut page);
            page.text()
        });
        let mut text = page.text();
        text.push_str(&slow.await.unwrap_or_default());
        text
    }

    /// What is known at once.
    fn live(&self, page: &mut Page) {
        let sessions = self.hub.list();
        let attached = sessions.iter().filter(|session| session.attached).count();
        let waiting = sessions.len() - attached;
        page.each(measure::SESSIONS, "state", [("attached", attached as f64), ("waiting", waiting as f64)]);
        page.one(measure::SESSIONS_MAX, self.hub.settings().max_sessions as f64);
        page.one(measure::AUDIO_RECEIVED, measure::RECEIVED.get());
        page.one(measure::AUDIO_SENT, measure::SENT.get());
        page.one(measure::RECOGNITION_AUDIO, measure::RECOGNIZED.get());
        page.one(measure::SYNTHESIS_AUDIO, measure::SYNTHESIZED.get());
        let (queued, running) = self.jobs.counts();
        page.each(measure::JOBS, "state", [("queued", queued as f64), ("running", running as f64)]);

        let engines = self.hub.engines();
        if let Some(load) = engines.recognizer.load() {
            let waiting = [
                ("partial", load.waiting_partials as f64),
                ("final", load.waiting_finals as f64),
                ("recording", load.waiting_recordings as f64),
            ];
            page.each(measure::RECOGNITION_WAITING, "priority", waiting);
            page.one(measure::RECOGNITION_RUNNING, load.running as f64);
            page.one(measure::RECOGNITION_WORKERS, load.workers as f64);
            let jobs = [
                ("done", load.done),
                ("shed", load.shed),
                ("superseded", load.superseded),
                ("abandoned", load.abandoned),
                ("panicked", load.panics),
            ];
            page.each(measure::RECOGNITION_JOBS, "outcome", jobs.map(|(outcome, count)| (outcome, count as f64)));
        }
        let infos = [("asr", engines.recognizer.info()), ("llm", engines.chat.info()), ("tts", engines.speech.info())];
        let infos = infos.iter().map(|(part, info)| {
            let demo = if info.demo { "true" } else { "false" };
            ([("part", *part), ("engine", info.engine.as_str()), ("model", info.model.as_str()), ("demo", demo)], 1.0)
        });
        page.family(measure::ENGINE_INFO, infos);
        let features: Vec<_> = FEATURES.iter().filter(|(_, on)| *on).map(|(name, _)| *name).collect();
        let features = if features.is_empty() { "none".to_owned() } else { features.join(",") };
        let build = [
            ("version", env!("CARGO_PKG_VERSION")),
            ("commit", option_env!("AIGOLOS_COMMIT").unwrap_or("unknown")),
            ("features", &features),
        ];
        page.family(measure::BUILD_INFO, [(build, 1.0)]);

        let runtime = tokio::runtime::Handle::current().metrics();
        page.one(measure::RUNTIME_WORKERS, runtime.num_workers() as f64);
        page.one(measure::RUNTIME_TASKS, runtime.num_alive_tasks() as f64);
        page.one(measure::RUNTIME_QUEUE, runtime.global_queue_depth() as f64);
        let busy: f64 =
            (0..runtime.num_workers()).map(|worker| runtime.worker_total_busy_duration(worker).as_secs_f64()).sum();
        page.one(measure::RUNTIME_BUSY, busy);
    }
}

impl Folders {
    fn tell(&self, page: &mut Page) {
        // A folder that is not there yet is made on the disk of the one it is to be in.
        let there = |path: &Path| path.ancestors().find(|path| path.exists()).map(Path::to_owned);
        let disks = [("data", there(&self.data)), ("models", there(&self.models))];
        let ask = |of: fn(PathBuf) -> std::io::Result<u64>| {
            let disks = disks.iter().filter_map(|(name, path)| Some((*name, path.clone()?)));
            disks.filter_map(|(name, path)| Some((name, of(path).ok()? as f64))).collect::<Vec<_>>()
        };
        page.each(measure::DISK_FREE, "folder", ask(fs4::available_space));
        page.each(measure::DISK_TOTAL, "folder", ask(fs4::total_space));
        let backups = backup::kept(&self.backups).unwrap_or_default();
        page.one(measure::BACKUPS, backups.len() as f64);
        page.one(measure::BACKUP_NEWEST, backups.last().map(|newest| newest.at.as_second() as f64));
    }
}

fn flag(yes: bool) -> f64 {
    f64::from(u8::from(yes))
}
