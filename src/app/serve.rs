//! `aigolos serve`: binds, says where, serves until it is told to stop, and lets sessions end properly.

use std::{future::Future, io, net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use axum::http::Uri;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    EXIT_USAGE,
    archive::Archive,
    backup,
    config::Config,
    engines,
    health::Health,
    in_use::ModelsInUse,
    keeping, library,
    lifecycle::Lifecycle,
    listen,
    metrics::{self, Metrics},
    router::{self, Parts},
    setup, systemd,
    telemetry::{self, ALWAYS, Control},
    tls::{self, Tls},
    wyoming,
};
use crate::{
    catalogue::Chooser,
    conversation::{
        driver::DriverSettings,
        history::PromptSettings,
        hub::{Hub, HubSettings},
        message::{SessionOptions, TurnDetection},
        transcript::TranscriptSettings,
    },
    engine::{Engines, switch::Switches},
    protocol::{
        native::routes::NativeSettings,
        openai::realtime::routes::RealtimeSettings,
        rest::{models::Models, work::Work},
    },
};

/// A server that is up: where it listens, and its sessions.
pub struct Server {
    pub address: SocketAddr,
    /// Where Wyoming clients connect, if they may.
    pub wyoming: Option<SocketAddr>,
    /// Where the metrics are, if they have a port of their own.
    pub metrics: Option<SocketAddr>,
    pub hub: Hub,
    /// Exchanges the models in use.
    pub models: ModelsInUse,
}

/// The `serve` command.
///
/// # Errors
/// When an engine cannot be had or the address cannot be bound; the text says what to do.
pub async fn serve(config: Config) -> Result<ExitCode, Box<dyn std::error::Error>> {
    if let Err(error) = Tls::of(&config) {
        eprintln!("error: {error}");
        return Ok(ExitCode::from(EXIT_USAGE));
    }
    tokio::spawn({
        let config = config.clone();
        async move { telemetry::toggle_on_signal(&config).await }
    });
    let engines = engines(&config).await?;
    let listener = TcpListener::bind(config.bind).await.map_err(|error| {
        format!(
            "{} cannot be listened on: {error}\nhint: something else may be there; set BIND to another port",
            config.bind
        )
    })?;
    let life = Lifecycle::of_signals();
    run_until(&config, engines, listener, life.clone(), |server| {
        // Whatever LOG_LEVEL says: whoever started it waits for this.
        if let Some(address) = server.wyoming {
            let url = format!("tcp://{address}");
            tracing::info!(target: ALWAYS, url, "Wyoming clients connect to {url}");
        }
        if let Some(address) = server.metrics {
            let url = format!("http://{address}/metrics");
            tracing::info!(target: ALWAYS, url, "metrics are at {url}");
        }
        let url = format!("{}://{}", config.scheme(), server.address);
        tracing::info!(target: ALWAYS, url, "aigolos is listening; open {url}");
        systemd::up(server.hub.clone(), life);
    })
    .await?;
    Ok(ExitCode::SUCCESS)
}

/// Serves on `listener` until `stop` completes and what was begun by then is finished. `up` is called once, when requests
/// are accepted.
///
/// # Errors
/// When the store or a setting cannot be used; the text says what to do.
pub async fn run(
    config: &Config,
    engines: Engines,
    listener: TcpListener,
    stop: impl Future<Output = ()> + Send + 'static,
    up: impl FnOnce(&Server),
) -> io::Result<()> {
    let life = Lifecycle::default();
    let asked = life.clone();
    let waiting = tokio::spawn(async move {
        stop.await;
        asked.drain(true);
    });
    let ended = run_until(config, engines, listener, life, up).await;
    waiting.abort();
    ended
}

/// The same for a server that `life` ends; `main` and the tests enter by this same door.
async fn run_until(
    config: &Config,
    engines: Engines,
    listener: TcpListener,
    life: Lifecycle,
    up: impl FnOnce(&Server),
) -> io::Result<()> {
    tls::use_ring();
    let tls = Tls::of(config).map_err(io::Error::other)?;
    let address = listener.local_addr()?;
    for (part, info) in
        [("asr", engines.recognizer.info()), ("llm", engines.chat.info()), ("tts", engines.speech.info())]
    {
        tracing::info!(
            part,
            engine = info.engine,
            model = info.model,
            demo = info.demo,
            hint = info.hint,
            "an engine is in use"
        );
    }
    let (stopping, sockets) = (CancellationToken::new(), TaskTracker::new());
    let _stops = stopping.clone().drop_guard(); // also where it does not come to serving
    let (switches, engines) = Switches::before(engines);
    let in_use = ModelsInUse::start(config, switches, stopping.clone());
    let store = keeping::open_store(config).await.map_err(io::Error::other)?;
    tracing::info!(kind = store.kind(), "the store is open");
    backup::finish_interrupted(&config.settings.data_dir, store.as_ref()).await.map_err(io::Error::other)?;
    let archive = Archive::start(config, Arc::clone(&store)).map_err(io::Error::other)?;
    let jobs = keeping::jobs(config, Arc::clone(&store), engines.clone())?;
    let work = Work {
        jobs: jobs.clone(),
        engines: engines.clone(),
        journal: archive.journal(),
        prompt: hub_settings(config).driver.prompt,
        max_chars: config.settings.keeping.max_text_chars as usize,
        default_language: native_settings(config).defaults.language,
        default_voice: native_settings(config).defaults.voice,
        shutdown: stopping.clone(),
        replies: TaskTracker::new(),
    };
    let replies = work.replies.clone();
    let wyoming =
        wyoming::open(config, engines.clone(), hub_settings(config), native_settings(config).defaults).await?;
    let library = library::open(config).map_err(io::Error::other)?;
    let chooser: Arc<dyn Chooser> = Arc::new(in_use.clone());
    if config.settings.library.llm_pull {
        let fetching = library::fetch_chat_model(config.clone(), library.clone(), Arc::clone(&chooser));
        tokio::spawn(stopping.clone().run_until_cancelled_owned(fetching));
    }
    if config.settings.library.models_fetch != "never" {
        let fetching = setup::while_serving(config.clone(), library.clone(), Arc::clone(&chooser));
        tokio::spawn(stopping.clone().run_until_cancelled_owned(fetching));
    }
    let hub = Hub::new(engines, hub_settings(config), archive.journal());
    let health = Health::new(hub.clone(), archive.clone(), life.clone(), stopping.clone(), tls.clone());
    let metrics_door = metrics::Door::open(config).await?;
    let sources = metrics::Sources {
        hub: hub.clone(),
        archive: archive.clone(),
        jobs: jobs.clone(),
        health: health.clone(),
        tls: tls.clone(),
        folders: metrics::Folders::of(config),
    };
    let unwatched = CancellationToken::new();
    let metrics = Metrics::start(config, sources, unwatched.clone());
    let metrics_token = config.settings.operating.metrics_token.clone();
    let accounts = keeping::accounts(config, store, address).map_err(io::Error::other)?;
    let router = router::router(Parts {
        hub: hub.clone(),
        native: native_settings(config),
        realtime: realtime_settings(config),
        accounts: accounts.clone(),
        archive: archive.clone(),
        people_changed: archive.watch_over(hub.clone()),
        health,
        metrics: metrics.clone().map(|metrics| (metrics, metrics_token)).filter(|(_, token)| !token.is_empty()),
        models: Models {
            library: library.clone(),
            chooser: Arc::clone(&chooser),
            hub: hub.clone(),
            shutdown: stopping.clone(),
        },
        log: Arc::new(Control::of(config)),
        work,
        manners: keeping::manners(config).map_err(io::Error::other)?,
        pages: keeping::pages(config),
        allowed_hosts: allowed_hosts(config),
        life: life.clone(),
        shutdown: stopping.clone(),
        sockets: sockets.clone(),
    });
    up(&Server {
        address,
        wyoming: wyoming.as_ref().map(|door| door.address),
        metrics: metrics_door.as_ref().map(|door| door.address),
        hub: hub.clone(),
        models: in_use,
    });

    let serving_metrics =
        metrics_door.zip(metrics).map(|(door, metrics)| tokio::spawn(door.serve(metrics, unwatched.clone())));
    let doors = TaskTracker::new();
    if let Some(door) = wyoming {
        doors.spawn(door.serve(life.refusing().clone(), stopping.clone(), life.cut_within()));
    }
    let shutdown = async {
        let operating = &config.settings.operating;
        let seconds = |seconds: u32| Duration::from_secs(u64::from(seconds));
        let (notice, drain) = (seconds(operating.drain_notice_seconds), seconds(operating.drain_seconds));
        // Sessions first, so that each tells its client why; then the sockets that carry them.
        life.see_out(&hub, &doors, notice, drain).await;
        // What has come stays, and is gone on with.
        library.close();
        stopping.cancel();
    };
    listen::serve(listener, tls, router, shutdown, || life.cut_within()).await;
    let within = || life.cut_within();
    let _ = tokio::time::timeout(within(), doors.wait()).await;
    // Upgraded sockets are not waited for there.
    sockets.close();
    let _ = tokio::time::timeout(within(), sockets.wait()).await;
    replies.close();
    let _ = tokio::time::timeout(within(), replies.wait()).await;
    if tokio::time::timeout(within(), jobs.shut_down()).await.is_err() {
        tracing::warn!("some jobs did not stop in time");
    }
    accounts.close(within()).await;
    archive.finish().await;
    // The last to go: who watches sees the end.
    unwatched.cancel();
    if let Some(serving) = serving_metrics {
        let _ = serving.await; // a panic was told already
    }
    Ok(())
}

fn hub_settings(config: &Config) -> HubSettings {
    let settings = &config.settings;
    let prompt = PromptSettings::default();
    HubSettings {
        max_sessions: settings.max_sessions as usize,
        driver: DriverSettings {
            idle_timeout: Duration::from_secs(settings.idle_timeout),
            resume_window: Duration::from_secs(settings.resume_window),
            prompt: PromptSettings {
                system_prompt: if settings.system_prompt.is_empty() {
                    prompt.system_prompt
                } else {
                    settings.system_prompt.clone()
                },
                history_tokens: settings.history_tokens as usize,
            },
            transcript: TranscriptSettings::default(),
            log_transcripts: settings.logs.log_transcripts,
            ..DriverSettings::default()
        },
        ..HubSettings::default()
    }
}

fn native_settings(config: &Config) -> NativeSettings {
    let settings = &config.settings;
    let some = |text: &str| (!text.is_empty() && text != "auto").then(|| text.to_owned());
    let mut defaults = SessionOptions {
        language: some(&settings.default_language),
        voice: some(&settings.tts_voice),
        ..SessionOptions::default()
    };
    if let TurnDetection::Voice { threshold, soft_silence_ms, silence_ms, .. } = &mut defaults.turn_detection {
        *threshold = settings.vad_threshold;
        *soft_silence_ms = settings.soft_silence_ms;
        *silence_ms = settings.silence_ms;
    }
    NativeSettings {
        origins: keeping::origins(config),
        keep_audio: settings.keeping.keep_audio,
        defaults,
        ..NativeSettings::default()
    }
}

fn realtime_settings(config: &Config) -> RealtimeSettings {
    let native = native_settings(config);
    RealtimeSettings {
        socket: RealtimeSettings::socket(),
        origins: native.origins,
        keep_audio: native.keep_audio,
        defaults: native.defaults,
        lasts: Duration::from_secs(u64::from(config.settings.clients.realtime_session_minutes) * 60),
    }
}

/// `None`: any host.
fn allowed_hosts(config: &Config) -> Option<Vec<String>> {
    let hosts = &config.settings.allowed_hosts;
    if hosts.iter().any(|host| host == "*") || (hosts.is_empty() && !config.bind.ip().is_loopback()) {
        return None;
    }
    // A proxy passes on the name that people use.
    let public = config.settings.keeping.public_url.parse::<Uri>().ok();
    Some(hosts.iter().cloned().chain(public.and_then(|url| url.host().map(str::to_owned))).collect())
}
