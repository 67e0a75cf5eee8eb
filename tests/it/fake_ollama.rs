//! A chat server that does exactly what a test tells it to, byte by byte: an honest little HTTP/1.1 server on
//! 127.0.0.1, one request per connection, answers in chunked encoding so that each piece arrives by itself.
#![allow(dead_code, reason = "each test module uses a part of it")]

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// The model the canned scripts have.
pub const MODEL: &str = "qwen2.5:7b";

/// What the server does next.
#[derive(Debug, Clone)]
pub enum Step {
    /// Status line and headers of a streamed answer.
    Head(u16, &'static str),
    /// One piece of the body.
    Piece(Vec<u8>),
    /// Silence.
    Pause(Duration),
    /// Silence until the test says so.
    Gate(watch::Receiver<bool>),
    /// Waits until the client has gone, and counts it.
    Hang,
    /// The orderly end of the body; without it the connection just closes.
    End,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: String,
    /// `Null` if there is none.
    pub body: Value,
}

impl Request {
    /// A chat request that only loads the model.
    pub fn loads(&self) -> bool {
        self.path.ends_with("/api/chat") && self.body["messages"].as_array().is_none_or(Vec::is_empty)
    }
}

/// What to answer to the n-th request (from 0) of the same path.
pub type Script = dyn Fn(&Request, usize) -> Vec<Step> + Send + Sync;

pub struct FakeChat {
    pub address: SocketAddr,
    requests: Arc<Mutex<Vec<Request>>>,
    gone: watch::Receiver<usize>,
    server: JoinHandle<()>,
}

impl Drop for FakeChat {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl FakeChat {
    pub async fn start(script: impl Fn(&Request, usize) -> Vec<Step> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (leaves, gone) = watch::channel(0);
        let (script, leaves, log): (Arc<Script>, _, _) = (Arc::new(script), Arc::new(leaves), Arc::clone(&requests));
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&log), Arc::clone(&leaves)));
            }
        });
        Self { address, requests, gone, server }
    }

    /// Ollama with [`MODEL`]: lists it, loads it, and answers each chat by `chat`, given how many came before.
    pub async fn ollama(chat: impl Fn(usize) -> Vec<Step> + Send + Sync + 'static) -> Self {
        Self::start(move |request, n| match request.path.as_str() {
            "/api/tags" => tags(&[MODEL]),
            "/api/chat" if request.loads() => json_answer(
                200,
                &json!({"model": MODEL, "created_at": "2026-11-22T10:00:00Z",
                    "message": {"role": "assistant", "content": ""}, "done_reason": "load", "done": true}),
            ),
            "/api/chat" => chat(n),
            _ => not_found(),
        })
        .await
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What was asked so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until `count` clients have left a [`Step::Hang`].
    pub async fn hung_up(&self, count: usize) {
        let mut gone = self.gone.clone();
        gone.wait_for(|gone| *gone >= count).await.expect("the server lives");
    }
}

/// Ollama's answer, one line for each piece, then the last line with its counts.
pub fn ndjson(pieces: &[&str]) -> Vec<u8> {
    let mut bytes: Vec<u8> = pieces.iter().flat_map(|piece| line(piece)).collect();
    bytes.extend(last_line());
    bytes
}

pub fn line(piece: &str) -> Vec<u8> {
    let line = json!({"model": MODEL, "created_at": "2026-11-22T10:00:00.123Z",
        "message": {"role": "assistant", "content": piece}, "done": false});
    format!("{line}\n").into_bytes()
}

pub fn last_line() -> Vec<u8> {
    let line = json!({"model": MODEL, "created_at": "2026-11-22T10:00:01.5Z", "message": {"role": "assistant", "content": ""},
        "done_reason": "stop", "done": true, "total_duration": 5_043_500_667_u64, "load_duration": 5_025_959,
        "prompt_eval_count": 26, "prompt_eval_duration": 325_953_000, "eval_count": 29, "eval_duration": 4_709_213_000_u64});
    format!("{line}\n").into_bytes()
}

/// The same as an OpenAI event stream.
pub fn sse(pieces: &[&str]) -> Vec<u8> {
    let event = |value: Value| format!("data: {value}\n\n");
    let chunk = |delta: Value, finish: Option<&str>| {
        json!({"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": MODEL,
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]})
    };
    let mut text = event(chunk(json!({"role": "assistant", "content": ""}), None));
    text.push_str(": keep-alive\r\n\r\n");
    for piece in pieces {
        text.push_str(&event(chunk(json!({"content": piece}), None)));
    }
    text.push_str(&event(chunk(json!({}), Some("stop"))));
    text.push_str(&event(json!({"id": "c1", "object": "chat.completion.chunk", "choices": [],
        "usage": {"prompt_tokens": 26, "completion_tokens": 29, "total_tokens": 55}})));
    text.push_str("data: [DONE]\n\n");
    text.into_bytes()
}

/// A whole streamed answer in the given pieces.
pub fn streamed(content_type: &'static str, pieces: &[&[u8]]) -> Vec<Step> {
    let mut steps = vec![Step::Head(200, content_type)];
    steps.extend(pieces.iter().map(|piece| Step::Piece(piece.to_vec())));
    steps.push(Step::End);
    steps
}

/// `bytes` cut in two at `at`.
pub fn cut_at(content_type: &'static str, bytes: &[u8], at: usize) -> Vec<Step> {
    streamed(content_type, &[&bytes[..at], &bytes[at..]])
}

/// `bytes` one at a time.
pub fn byte_by_byte(content_type: &'static str, bytes: &[u8]) -> Vec<Step> {
    streamed(content_type, &bytes.chunks(1).collect::<Vec<_>>())
}

pub fn json_answer(status: u16, body: &Value) -> Vec<Step> {
    vec![Step::Head(status, "application/json"), Step::Piece(body.to_string().into_bytes()), Step::End]
}

pub fn tags(models: &[&str]) -> Vec<Step> {
    let models: Vec<Value> = models
        .iter()
        .map(|name| json!({"name": name, "model": name, "modified_at": "2026-11-01T00:00:00Z", "size": 4_683_087_332_u64}))
        .collect();
    json_answer(200, &json!({ "models": models }))
}

pub fn model_missing() -> Vec<Step> {
    json_answer(404, &json!({"error": format!("model '{MODEL}' not found")}))
}

pub fn not_found() -> Vec<Step> {
    vec![Step::Head(404, "text/plain"), Step::Piece(b"404 page not found".to_vec()), Step::End]
}

async fn serve(
    mut stream: TcpStream,
    script: Arc<Script>,
    log: Arc<Mutex<Vec<Request>>>,
    leaves: Arc<watch::Sender<usize>>,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let Some(request) = read_request(&mut stream).await? else { return Ok(()) };
    let steps = {
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        let n = log.iter().filter(|other| other.path == request.path && other.loads() == request.loads()).count();
        log.push(request.clone());
        script(&request, n)
    };
    for step in steps {
        match step {
            Step::Head(status, content_type) => {
                let head = format!(
                    "HTTP/1.1 {status} Whatever\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\nconnection: \
                     close\r\n\r\n"
                );
                stream.write_all(head.as_bytes()).await?;
            }
            // An empty chunk would end the body.
            Step::Piece(bytes) if bytes.is_empty() => {}
            Step::Piece(bytes) => {
                let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
                chunk.extend_from_slice(&bytes);
                chunk.extend_from_slice(b"\r\n");
                stream.write_all(&chunk).await?;
            }
            Step::Pause(time) => tokio::time::sleep(time).await,
            Step::Gate(mut open) => drop(open.wait_for(|open| *open).await),
            Step::Hang => {
                let mut rest = [0; 64];
                while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
                leaves.send_modify(|gone| *gone += 1);
                return Ok(());
            }
            Step::End => stream.write_all(b"0\r\n\r\n").await?,
        }
    }
    stream.shutdown().await
}

/// `None`: the client connected and went.
async fn read_request(stream: &mut TcpStream) -> std::io::Result<Option<Request>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .and_then(|(_, value)| value.trim().parse().ok())
                .unwrap_or(0);
            if bytes.len() >= end + 4 + length {
                let mut words = head.split_whitespace().map(str::to_owned);
                let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
                let body = serde_json::from_slice(&bytes[end + 4..end + 4 + length]).unwrap_or_default();
                return Ok(Some(Request { method, path, headers: head, body }));
            }
        }
        match stream.read(&mut buffer).await? {
            0 => return Ok(None),
            read => bytes.extend_from_slice(&buffer[..read]),
        }
    }
}
