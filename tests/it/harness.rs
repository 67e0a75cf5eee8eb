//! A real server on a free port, and a client that speaks to it. Every wait is bounded, so a test that hangs fails.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use aigolos::{
    app::{self, ModelsInUse, config::Config},
    audio::{Pcm, SampleRate, read_wav},
    engine::Engines,
};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{net::TcpListener, net::TcpStream, sync::oneshot, task::JoinHandle};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest},
};

use crate::postgres::postgres;

/// No single thing in a test takes longer than this, on any machine.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A server in this process, with the bundled engines unless flags say otherwise; stopped when dropped.
pub struct TestServer {
    pub address: SocketAddr,
    /// Where Wyoming clients connect, if flags opened that door.
    pub wyoming: Option<SocketAddr>,
    /// Where its metrics are, if flags gave them a port.
    pub metrics: Option<SocketAddr>,
    models: Option<oneshot::Receiver<ModelsInUse>>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<std::io::Result<()>>,
    /// Its own data folder, removed with it; a server that starts in another's folder has none.
    folder: Option<TempDir>,
}

impl TestServer {
    pub async fn start(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let mut server = Self::start_in(folder.path(), flags).await;
        server.folder = Some(folder);
        server
    }

    /// A server with what `folder` keeps from an earlier one.
    pub async fn start_in(folder: &Path, flags: &[&str]) -> Self {
        Self::start_with(folder, flags, None).await
    }

    /// The same with engines of the test's own.
    pub async fn start_with(folder: &Path, flags: &[&str], engines: Option<Engines>) -> Self {
        let data = folder.to_str().expect("scratch folders have plain names");
        let database = database_of(folder);
        let own = ["--database-url", database.as_deref().unwrap_or_default()];
        let own = if database.is_some() && !flags.contains(&own[0]) { &own[..] } else { &[] };
        let flags = [flags, &["--data-dir", data], own].concat();
        let arguments = [
            "aigolos",
            "--asr-model-name",
            "nano",
            "--tts-engine",
            "espeak",
            "--llm-backend",
            "builtin",
            "--drain-seconds",
            "2",
        ];
        // clap lets no flag stand twice: what the test wishes replaces the default.
        let defaults = arguments[1..].chunks(2).filter(|pair| !flags.contains(&pair[0])).flatten();
        let line = std::iter::once(&arguments[0]).chain(defaults).chain(&flags).map(OsString::from);
        let (_, config) = Config::parse(line).expect("the test's flags are valid");
        let engines = if let Some(engines) = engines {
            engines
        } else if flags
            .iter()
            .any(|flag| flag.starts_with("--llm") || flag.starts_with("--ollama") || flag.starts_with("--tts"))
        {
            app::engines(&config).await.expect("engines")
        } else {
            bundled(&config).await
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (stop, stopped) = oneshot::channel::<()>();
        let (up, is_up) = oneshot::channel();
        let (gives, models) = oneshot::channel();
        let serving = tokio::spawn(async move {
            let stop = async move {
                let _ = stopped.await;
            };
            let tell = |server: &app::Server| {
                let _ = up.send((server.wyoming, server.metrics));
                let _ = gives.send(server.models.clone());
            };
            app::run(&config, engines, listener, stop, tell).await
        });
        // Other addresses are known before it is up, and its store may take its time.
        let others = ["--wyoming-bind", "--metrics-bind"].iter().any(|flag| flags.contains(flag));
        let (wyoming, metrics) = if others { is_up.await.expect("it starts") } else { (None, None) };
        Self { address, wyoming, metrics, models: Some(models), stop: Some(stop), serving, folder: None }
    }

    /// Where it keeps what it writes.
    pub fn folder(&self) -> &Path {
        self.folder.as_ref().expect("it was started in a folder of its own").path()
    }

    /// What exchanges its models, once it is up; to be asked for once.
    pub async fn models(&mut self) -> ModelsInUse {
        let up = self.models.take().expect("asked for once");
        tokio::time::timeout(PATIENCE, up).await.expect("it starts in time").expect("it starts")
    }

    /// The address of `path`, which begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Asks it to stop and waits until it has.
    pub async fn stop(mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        let serving = &mut self.serving;
        tokio::time::timeout(PATIENCE, serving).await.expect("the server stops").expect("no panic").expect("no error");
    }

    pub async fn connect(&self) -> Client {
        Client::connect(self.address).await
    }

    /// A session in which `start` is merged into the plain `session.start`; gives its `session.ready` too.
    pub async fn session(&self, start: Value) -> (Client, Value) {
        let mut client = self.connect().await;
        let mut event = json!({"type": "session.start"});
        let fields = event.as_object_mut().expect("an object");
        fields.extend(start.as_object().expect("an object").clone());
        client.send(event).await;
        let ready = client.event("session.ready").await;
        (client, ready)
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        drop(self.stop.take()); // a dropped sender stops it as a sent one does
    }
}

/// With `TEST_DATABASE=postgresql` every server that does not name its database has one of PostgreSQL's; a server that
/// starts in an earlier one's folder has the same.
fn database_of(folder: &Path) -> Option<String> {
    static KNOWN: Mutex<BTreeMap<PathBuf, String>> = Mutex::new(BTreeMap::new());
    if std::env::var("TEST_DATABASE").is_ok_and(|database| database == "postgresql") {
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        return Some(known.entry(folder.to_owned()).or_insert_with(|| postgres().fresh_database()).clone());
    }
    None
}

/// The bundled engines take memory and half a second; all servers of the test process share them.
async fn bundled(config: &Config) -> Engines {
    static ENGINES: OnceLock<Engines> = OnceLock::new();
    if let Some(engines) = ENGINES.get() {
        return engines.clone();
    }
    let engines = app::engines(config).await.expect("the bundled engines load");
    ENGINES.get_or_init(|| engines).clone()
}

/// The bundled engines, for tests that put something in front of them.
pub async fn bundled_engines() -> Engines {
    let arguments = ["aigolos", "--asr-model-name", "nano", "--tts-engine", "espeak", "--llm-backend", "builtin"];
    let (_, config) = Config::parse(arguments.map(OsString::from)).expect("valid");
    bundled(&config).await
}

/// What a client receives.
#[derive(Debug, Clone, PartialEq)]
pub enum Received {
    Event(Value),
    Audio { turn: u32, chunk: u32, samples: Vec<i16> },
    Closed(Option<u16>),
}

/// A client of the native protocol.
pub struct Client {
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Everything received so far.
    pub log: Vec<Received>,
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        Self::connect_with(address, &[]).await
    }

    /// With further headers of the opening request.
    pub async fn connect_with(address: SocketAddr, headers: &[(&'static str, &str)]) -> Self {
        let mut request = format!("ws://{address}/ws").into_client_request().expect("an address");
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header"));
        }
        let (socket, _) = connect_async(request).await.expect("the server accepts");
        Self { socket, log: Vec::new() }
    }

    pub async fn send(&mut self, event: Value) {
        self.socket.send(Message::text(event.to_string())).await.expect("connected");
    }

    /// As [`send`](Self::send), for a server that may be gone.
    pub async fn try_send(&mut self, event: Value) -> Result<(), tokio_tungstenite::tungstenite::Error> {
        self.socket.send(Message::text(event.to_string())).await
    }

    /// The same for sound.
    pub async fn try_send_binary(&mut self, bytes: Vec<u8>) -> Result<(), tokio_tungstenite::tungstenite::Error> {
        self.socket.send(Message::binary(bytes)).await
    }

    pub async fn send_audio(&mut self, samples: &[i16]) {
        let bytes: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        self.socket.send(Message::binary(bytes)).await.expect("connected");
    }

    /// The next thing that comes.
    pub async fn next(&mut self) -> Received {
        let received = tokio::time::timeout(PATIENCE, async {
            loop {
                match self.socket.next().await {
                    None | Some(Err(_)) => return Received::Closed(None),
                    Some(Ok(Message::Close(frame))) => return Received::Closed(frame.map(|frame| frame.code.into())),
                    Some(Ok(Message::Text(text))) => {
                        return Received::Event(serde_json::from_str(&text).expect("text frames are JSON"));
                    }
                    Some(Ok(Message::Binary(bytes))) => {
                        let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"));
                        let samples =
                            bytes[8..].chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
                        return Received::Audio { turn: number(0), chunk: number(4), samples };
                    }
                    Some(Ok(_)) => {}
                }
            }
        })
        .await
        .unwrap_or_else(|_| panic!("nothing came; so far: {:#?}", self.events()));
        self.log.push(received.clone());
        received
    }

    /// Waits for the next event of `kind`.
    pub async fn event(&mut self, kind: &str) -> Value {
        loop {
            match self.next().await {
                Received::Event(event) if event["type"] == kind => return event,
                Received::Closed(code) => panic!("closed ({code:?}) before {kind}; so far: {:#?}", self.events()),
                _ => {}
            }
        }
    }

    /// Waits for the close and gives its code.
    pub async fn closed(&mut self) -> Option<u16> {
        loop {
            if let Received::Closed(code) = self.next().await {
                return code;
            }
        }
    }

    /// Streams samples at 16 kHz in real time, 20 ms a frame, while collecting what comes; then goes on with silence until
    /// an event of `until` arrives, and gives that.
    pub async fn speak_until(&mut self, samples: &[i16], until: &str) -> Value {
        let mut frames = samples.chunks(320).map(<[i16]>::to_vec);
        let mut beat = tokio::time::interval(Duration::from_millis(20));
        let begun = tokio::time::Instant::now();
        let spoken = Duration::from_millis(samples.len() as u64 / 16);
        loop {
            tokio::select! {
                _ = beat.tick() => {
                    assert!(begun.elapsed() < spoken + PATIENCE, "no {until}; so far: {:#?}", self.events());
                    self.send_audio(&frames.next().unwrap_or_else(|| vec![0; 320])).await;
                }
                received = self.next() => match received {
                    Received::Event(event) if event["type"] == until => return event,
                    Received::Closed(code) => panic!("closed ({code:?}) before {until}; so far: {:#?}", self.events()),
                    _ => {}
                }
            }
        }
    }

    /// Every event so far.
    pub fn events(&self) -> Vec<&Value> {
        self.log
            .iter()
            .filter_map(|received| if let Received::Event(event) = received { Some(event) } else { None })
            .collect()
    }

    pub fn of_kind(&self, kind: &str) -> Vec<&Value> {
        self.events().into_iter().filter(|event| event["type"] == kind).collect()
    }

    /// The sound of a turn's reply so far.
    pub fn sound(&self, of: u32) -> Vec<i16> {
        self.log
            .iter()
            .filter_map(|received| match received {
                Received::Audio { turn, samples, .. } if *turn == of => Some(samples.as_slice()),
                _ => None,
            })
            .flatten()
            .copied()
            .collect()
    }
}

/// `text` spoken by espeak-ng's command, at 16 kHz, with half a second of silence before it.
pub fn recording(text: &str) -> Arc<[i16]> {
    let output = Command::new("espeak-ng")
        .args(["-v", "en-us", "-s", "150", "--stdout", text])
        .output()
        .expect("espeak-ng is installed");
    let spoken = read_wav(output.stdout.as_slice()).expect("espeak-ng writes WAV");
    let spoken = aigolos::audio::RateConverter::whole(&spoken, SampleRate::HZ_16000);
    let mut samples = vec![0; 8_000];
    samples.extend(spoken.samples);
    samples.into()
}

/// What our own recogniser hears in a reply sent at 24 kHz.
pub async fn heard_in(samples: Vec<i16>) -> String {
    use aigolos::{
        audio::Resampler,
        engine::{Priority, RecognizeRequest},
        model::SessionId,
    };
    let (_, config) = Config::parse(["aigolos", "--asr-model-name", "nano"].map(OsString::from)).expect("valid");
    let request = RecognizeRequest {
        session: SessionId::fresh(),
        priority: Priority::Final,
        audio: Resampler::whole(&Pcm::new(SampleRate::HZ_24000, samples)).into(),
        language: None,
        prompt: None,
        words: false,
        translate: false,
        temperature: None,
    };
    let answer = bundled(&config).await.recognizer.submit(request).await;
    answer.expect("the recogniser answers").expect("it decodes").text
}

/// Root mean square of samples.
pub fn loudness(samples: &[i16]) -> f64 {
    let sum: f64 = samples.iter().map(|&sample| f64::from(sample).powi(2)).sum();
    (sum / samples.len().max(1) as f64).sqrt()
}
