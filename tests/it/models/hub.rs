//! A hub that does what a test tells it to: it breaks, lies, hangs, sends elsewhere. One request for each connection, and
//! every byte of a body is counted.

use std::{
    collections::HashMap,
    fmt::Write as _,
    net::SocketAddr,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aigolos::{
    catalogue::{Download, Entry, Library, LibrarySettings, Licence, Patience, Published, RemoteFile, Size},
    engine::models::ModelKind,
};
use sha1::{Digest as _, Sha1};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

use crate::harness::PATIENCE;

/// What was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    pub path: String,
    pub headers: HashMap<String, String>,
}

impl Asked {
    /// Where the wanted part begins.
    pub fn from(&self) -> Option<usize> {
        self.headers.get("range")?.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok()
    }
}

/// What is answered.
#[derive(Debug, Clone, Default)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    /// The length it claims, if another than the body's; 0: none.
    pub claims: Option<usize>,
    /// After the body it neither sends nor closes.
    pub hangs: bool,
}

impl Reply {
    pub fn status(status: u16) -> Self {
        Self { status, ..Self::default() }
    }

    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Only so many bytes of the body come, then the line is cut.
    pub fn cut(mut self, after: usize) -> Self {
        self.claims = Some(self.body.len());
        self.body.truncate(after);
        self
    }

    /// The same, but the line stays.
    pub fn hang(self, after: usize) -> Self {
        Self { hangs: true, ..self.cut(after) }
    }
}

/// What an honest hub with ranges answers.
pub fn honest(asked: &Asked, content: &[u8], etag: &str) -> Reply {
    let same = asked.headers.get("if-range").is_none_or(|wanted| wanted == etag);
    let reply = match asked.from().filter(|_| same) {
        Some(from) if from >= content.len() => {
            Reply::status(416).header("content-range", format!("bytes */{}", content.len()))
        }
        Some(from) => {
            let (last, all) = (content.len() - 1, content.len());
            let range = format!("bytes {from}-{last}/{all}");
            Reply { body: content[from..].to_vec(), ..Reply::status(206).header("content-range", range) }
        }
        None => Reply { body: content.to_vec(), ..Reply::status(200) },
    };
    reply.header("etag", etag)
}

type Script = dyn Fn(&Asked, usize) -> Reply + Send + Sync;

pub struct Hub {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    served: Arc<AtomicU64>,
    hanging: watch::Receiver<usize>,
    server: JoinHandle<()>,
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl Hub {
    /// `script` answers the n-th request, from 0.
    pub async fn start(script: impl Fn(&Asked, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let (asked, served) = (Arc::<Mutex<Vec<Asked>>>::default(), Arc::<AtomicU64>::default());
        let (hangs, hanging) = watch::channel(0);
        let (script, log, count, hangs): (Arc<Script>, _, _, _) =
            (Arc::new(script), Arc::clone(&asked), Arc::clone(&served), Arc::new(hangs));
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, log, count, hangs) = (script.clone(), log.clone(), count.clone(), hangs.clone());
                tokio::spawn(async move {
                    let _ = answer(stream, &*script, &log, &count, &hangs).await; // the client may go at any time
                });
            }
        });
        Self { address, asked, served, hanging, server }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Bytes of bodies that have left.
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::SeqCst)
    }

    /// Waits until so many answers have stopped in the middle.
    pub async fn hangs(&self, count: usize) {
        let mut hanging = self.hanging.clone();
        tokio::time::timeout(PATIENCE, hanging.wait_for(|hanging| *hanging >= count))
            .await
            .expect("it hangs in time")
            .expect("the hub lives");
    }
}

async fn answer(
    mut stream: TcpStream,
    script: &Script,
    log: &Mutex<Vec<Asked>>,
    served: &AtomicU64,
    hangs: &watch::Sender<usize>,
) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).await?;
        bytes.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut lines = text.lines();
    let path = lines.next().unwrap_or_default().split(' ').nth(1).unwrap_or_default().to_owned();
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    let asked = Asked { path, headers };
    let n = {
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        log.push(asked.clone());
        log.len() - 1
    };
    let reply = script(&asked, n);
    let mut head = format!("HTTP/1.1 {} x\r\nconnection: close\r\n", reply.status);
    for (name, value) in &reply.headers {
        let _ = write!(head, "{name}: {value}\r\n"); // a String takes everything
    }
    match reply.claims {
        Some(0) => {}
        claims => {
            let _ = write!(head, "content-length: {}\r\n", claims.unwrap_or(reply.body.len()));
        }
    }
    stream.write_all(format!("{head}\r\n").as_bytes()).await?;
    for piece in reply.body.chunks(16 << 10) {
        stream.write_all(piece).await?;
        served.fetch_add(piece.len() as u64, Ordering::SeqCst);
    }
    stream.flush().await?;
    if reply.hangs {
        hangs.send_modify(|hanging| *hanging += 1);
        let mut byte = [0];
        let _ = stream.read(&mut byte).await; // until the client goes
    }
    stream.shutdown().await
}

/// Bytes that look like nothing, the same each time.
pub fn content() -> Vec<u8> {
    (0..300_000_u64).map(|at| (at.wrapping_mul(2_654_435_761).rotate_left(17) >> 11) as u8).collect()
}

pub fn sha1_of(content: &[u8]) -> &'static str {
    // A test's catalogue is as static as the program's.
    Box::leak(data_encoding::HEXLOWER.encode(&Sha1::digest(content)).into_boxed_str())
}

pub fn sha256_of(content: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(&sha2::Sha256::digest(content))
}

/// A Whisper model called `small` with this digest.
pub fn model(digest: Option<Published>) -> Entry {
    Entry {
        kind: ModelKind::Asr,
        name: "small",
        language: Some("en"),
        quality: None,
        speakers: 0,
        licence: Licence::Named("MIT"),
        files: vec![RemoteFile {
            source: "o/m/resolve/main/ggml-small.bin".into(),
            place: "ggml-small.bin".into(),
            size: Size::About(300_000),
            digest,
        }],
        recipes: Vec::new(),
    }
}

#[expect(clippy::unnecessary_wraps, reason = "as an entry has it")]
pub fn published(content: &[u8]) -> Option<Published> {
    Some(Published::Sha1(sha1_of(content)))
}

/// Settings with which nothing takes long; waits for an answer are as long as on a loaded machine.
pub fn settings(folder: &Path, hub: &Hub, entry: Entry) -> LibrarySettings {
    LibrarySettings {
        folder: folder.to_owned(),
        endpoint: hub.url(),
        keep_free: 0,
        patience: Patience {
            stall: Duration::from_secs(20),
            tries: 4,
            first_wait: Duration::from_millis(5),
            ..Patience::default()
        },
        entries: vec![entry],
        ..LibrarySettings::default()
    }
}

pub fn library(folder: &Path, hub: &Hub, entry: Entry) -> Library {
    Library::new(settings(folder, hub, entry)).expect("the settings are valid")
}

/// Pulls `name` and waits for the end.
pub async fn pulled(library: &Library, name: &str) -> Download {
    ended(library.pull(name, false).expect("it is known")).await
}

pub async fn ended(mut watch: watch::Receiver<Download>) -> Download {
    let over = watch.wait_for(|download| download.state.is_over());
    tokio::time::timeout(PATIENCE * 2, over).await.expect("it ends").expect("it is told").clone()
}

/// What lies in the folder where files grow, locks aside.
pub fn growing(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder.join(".partial")).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let mut names: Vec<_> = names.filter(|name| name.strip_suffix(".lock").is_none()).collect();
    names.sort();
    names
}
