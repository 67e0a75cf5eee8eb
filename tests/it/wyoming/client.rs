//! A small Wyoming client, and a server for it.

use std::collections::VecDeque;

use serde_json::{Map, Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
};

use crate::harness::{PATIENCE, TestServer};

/// A server with a Wyoming door on a free port, and whatever flags say.
pub async fn server(flags: &[&str]) -> TestServer {
    TestServer::start(&[&["--wyoming-bind", "127.0.0.1:0"], flags].concat()).await
}

/// What came.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub kind: String,
    pub data: Map<String, Value>,
    pub payload: Vec<u8>,
}

impl Event {
    pub fn text(&self) -> &str {
        self.data.get("text").and_then(Value::as_str).unwrap_or_else(|| panic!("{} has no text", self.kind))
    }

    pub fn number(&self, field: &str) -> u64 {
        self.data.get(field).and_then(Value::as_u64).unwrap_or_else(|| panic!("{} has no {field}", self.kind))
    }
}

pub struct Client {
    from: BufReader<OwnedReadHalf>,
    pub to: OwnedWriteHalf,
    /// Everything since the last look, sound included.
    pub log: VecDeque<Event>,
}

impl Client {
    pub async fn connect(server: &TestServer) -> Self {
        Self::connect_at(server.wyoming.expect("it was asked for a Wyoming door")).await
    }

    pub async fn connect_at(address: std::net::SocketAddr) -> Self {
        let (from, to) = TcpStream::connect(address).await.expect("it listens").into_split();
        Self { from: BufReader::new(from), to, log: VecDeque::new() }
    }

    /// Sends an event as the published library does: data beside the header.
    pub async fn send(&mut self, kind: &str, data: Value, payload: &[u8]) {
        self.to.write_all(&bytes(kind, &data, payload)).await.expect("connected");
    }

    /// As [`send`](Self::send), to a server that may have closed.
    pub async fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.to.write_all(bytes).await
    }

    /// The next event; `None`: closed.
    pub async fn next(&mut self) -> Option<Event> {
        let event = tokio::time::timeout(PATIENCE, self.read()).await;
        let event = event.unwrap_or_else(|_| panic!("nothing came; so far: {:?}", self.kinds()))?;
        self.log.push_back(event.clone());
        Some(event)
    }

    /// Waits for the next event of `kind`.
    pub async fn event(&mut self, kind: &str) -> Event {
        loop {
            match self.next().await {
                Some(event) if event.kind == kind => return event,
                Some(_) => {}
                None => panic!("closed before {kind}; so far: {:?}", self.kinds()),
            }
        }
    }

    /// Waits until the server closes.
    pub async fn closed(&mut self) {
        while self.next().await.is_some() {}
    }

    /// Everything so far by name, sound counted once.
    pub fn kinds(&self) -> Vec<&str> {
        let mut kinds: Vec<&str> = self.log.iter().map(|event| event.kind.as_str()).collect();
        kinds.dedup_by(|next, before| next == before && *next == "audio-chunk");
        kinds
    }

    pub fn of_kind(&self, kind: &str) -> Vec<&Event> {
        self.log.iter().filter(|event| event.kind == kind).collect()
    }

    /// All sound so far and its rate.
    pub fn sound(&self) -> (u64, Vec<i16>) {
        let rate = self.of_kind("audio-start")[0].number("rate");
        let chunks = self.of_kind("audio-chunk");
        assert!(chunks.iter().all(|chunk| chunk.number("rate") == rate), "one rate in all groups");
        let bytes = chunks.iter().flat_map(|chunk| chunk.payload.chunks_exact(2));
        (rate, bytes.map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect())
    }

    /// Sends audio-start, all of `samples` at 16 kHz as fast as it goes, and audio-stop.
    pub async fn say(&mut self, samples: &[i16]) {
        let format = json!({"rate": 16000, "width": 2, "channels": 1});
        self.send("audio-start", format.clone(), &[]).await;
        for piece in samples.chunks(1024) {
            let bytes: Vec<u8> = piece.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            self.send("audio-chunk", format.clone(), &bytes).await;
        }
        self.send("audio-stop", json!({"timestamp": null}), &[]).await;
    }

    async fn read(&mut self) -> Option<Event> {
        let mut line = Vec::new();
        // A server that closes with something unread may reset the connection, at any byte.
        if !matches!(self.from.read_until(b'\n', &mut line).await, Ok(1..)) || line.pop() != Some(b'\n') {
            return None;
        }
        let header: Value = serde_json::from_slice(&line).expect("headers are JSON");
        let mut part = async |length: &str| {
            let mut bytes = vec![0; header[length].as_u64().unwrap_or(0) as usize];
            self.from.read_exact(&mut bytes).await.ok().map(|_| bytes)
        };
        let (data, payload) = (part("data_length").await?, part("payload_length").await?);
        let data = if data.is_empty() { Map::new() } else { serde_json::from_slice(&data).expect("data is JSON") };
        Some(Event { kind: header["type"].as_str().expect("a type").to_owned(), data, payload })
    }
}

/// A frame.
pub fn bytes(kind: &str, data: &Value, payload: &[u8]) -> Vec<u8> {
    let data = if data.as_object().is_some_and(Map::is_empty) { vec![] } else { data.to_string().into_bytes() };
    let mut header = json!({"type": kind, "version": "1.10.2"});
    for (name, length) in [("data_length", data.len()), ("payload_length", payload.len())] {
        if length > 0 {
            header[name] = length.into();
        }
    }
    [format!("{header}\n").as_bytes(), &data, payload].concat()
}
