//! `aigolos serve`: binds, says where, serves until it is told to stop, and lets sessions end properly.

use std::{future::Future, io, net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use axum::http::Uri;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    EXIT_USAGE,
    archive::Archive,
    config::Config,
    engines, keeping, listen,
    router::{self, Parts},
    tls::{self, Tls},
    wyoming,
};
use crate::{
    conversation::{
        driver::DriverSettings,
        history::PromptSettings,
        hub::{Hub, HubSettings},
        message::{SessionOptions, TurnDetection},
        transcript::TranscriptSettings,
    },
    engine::Engines,
    protocol::{
        native::routes::NativeSettings,
        openai::realtime::routes::RealtimeSettings,
        rest::{admin::Admin, work::Work},
    },
};

/// How long open sessions may take to say goodbye.
const DRAIN: Duration = Duration::from_secs(10);

/// A server that is up: where it listens, and its sessions.
pub struct Server {
    pub address: SocketAddr,
    /// Where Wyoming clients connect, if they may.
    pub wyoming: Option<SocketAddr>,
    pub hub: Hub,
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
    let engines = engines(&config).await?;
    let listener = TcpListener::bind(config.bind).await.map_err(|error| {
        format!(
            "{} cannot be listened on: {error}\nhint: something else may be there; set BIND to another port",
            config.bind
        )
    })?;
    run(&config, engines, listener, stop_signal(), |server| {
        println!("aigolos is listening; open {}://{}", config.scheme(), server.address);
        if let Some(address) = server.wyoming {
            println!("Wyoming clients connect to tcp://{address}");
        }
    })
    .await?;
    Ok(ExitCode::SUCCESS)
}

/// Serves on `listener` until `stop` completes; `main` and the tests enter by this same door. `up` is called once,
/// when requests are accepted.
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
    tls::use_ring();
    let tls = Tls::of(config).map_err(io::Error::other)?;
    let address = listener.local_addr()?;
    for (part, info) in
        [("asr", engines.recognizer.info()), ("llm", engines.chat.info()), ("tts", engines.speech.info())]
    {
        tracing::info!(part, engine = info.engine, model = info.model, demo = info.demo, hint = info.hint, "in use");
    }
    let (stopping, sockets) = (CancellationToken::new(), TaskTracker::new());
    let store = keeping::open_store(config).await.map_err(io::Error::other)?;
    tracing::info!(kind = store.kind(), "the store is open");
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
    let hub = Hub::new(engines, hub_settings(config), archive.journal());
    let accounts = keeping::accounts(config, store, address).map_err(io::Error::other)?;
    let router = router::router(Parts {
        hub: hub.clone(),
        native: native_settings(config),
        realtime: realtime_settings(config),
        accounts: accounts.clone(),
        archive: archive.clone(),
        people_changed: archive.watch_over(hub.clone()),
        admin: Admin { hub: hub.clone(), models: config.settings.models_dir.clone().into() },
        work,
        manners: keeping::manners(config).map_err(io::Error::other)?,
        tls: tls.clone(),
        pages: keeping::pages(config),
        allowed_hosts: allowed_hosts(config),
        shutdown: stopping.clone(),
        sockets: sockets.clone(),
    });
    up(&Server { address, wyoming: wyoming.as_ref().map(|door| door.address), hub: hub.clone() });

    let serving_wyoming = wyoming.map(|door| tokio::spawn(door.serve(stopping.clone(), DRAIN)));
    let (told, drained) = (stopping.clone(), hub.clone());
    let shutdown = async move {
        stop.await;
        tracing::info!(sessions = drained.sessions(), "stopping");
        // Sessions first, so that each tells its client why; then the sockets that carry them.
        if tokio::time::timeout(DRAIN, drained.shut_down()).await.is_err() {
            tracing::warn!("some sessions did not end in time");
        }
        told.cancel();
    };
    listen::serve(listener, tls, router, shutdown).await;
    if let Some(serving) = serving_wyoming {
        let _ = serving.await; // a panic was told already
    }
    // Upgraded sockets are not waited for there.
    sockets.close();
    let _ = tokio::time::timeout(DRAIN, sockets.wait()).await;
    replies.close();
    let _ = tokio::time::timeout(DRAIN, replies.wait()).await;
    if tokio::time::timeout(DRAIN, jobs.shut_down()).await.is_err() {
        tracing::warn!("some jobs did not stop in time");
    }
    accounts.close(DRAIN).await;
    archive.finish().await;
    Ok(())
}

async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = match signal(SignalKind::terminate()) {
        Ok(terminate) => terminate,
        Err(error) => {
            tracing::warn!(%error, "SIGTERM cannot be listened for");
            return std::future::pending().await;
        }
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
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
