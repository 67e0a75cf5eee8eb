//! A client of the Realtime protocol, as plain as can be.

use std::net::SocketAddr;

use aigolos::audio::{Pcm, RateConverter, SampleRate};
use base64ish::{decode, encode};
use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Error, Message, client::IntoClientRequest, handshake::client::Response},
};

use crate::harness::{PATIENCE, TestServer, recording};

/// Base64 as the wire has it.
mod base64ish {
    pub fn encode(bytes: &[u8]) -> String {
        data_encoding::BASE64.encode(bytes)
    }

    pub fn decode(text: &str) -> Vec<u8> {
        data_encoding::BASE64.decode(text.as_bytes()).expect("the server sends base64")
    }
}

/// See the module.
pub struct Realtime {
    pub socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Everything received so far.
    pub log: Vec<Value>,
    /// The code it was closed with.
    pub closed: Option<u16>,
}

impl Realtime {
    pub async fn open(
        server: &TestServer,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(Self, Response), Error> {
        Self::open_at(server.address, path, headers).await
    }

    pub async fn open_at(
        address: SocketAddr,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<(Self, Response), Error> {
        let mut request = format!("ws://{address}{path}").into_client_request().expect("an address");
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header"));
        }
        let (socket, response) = connect_async(request).await?;
        Ok((Self { socket, log: Vec::new(), closed: None }, response))
    }

    /// A conversation, with `session` wished.
    pub async fn session(server: &TestServer, session: Value) -> Self {
        Self::session_at(server, "/v1/realtime?model=gpt-realtime", session).await
    }

    pub async fn session_at(server: &TestServer, path: &str, session: Value) -> Self {
        let (mut client, _) = Self::open(server, path, &[]).await.expect("the server accepts");
        client.event("session.created").await;
        client.send(json!({"type": "session.update", "session": session})).await;
        client.event("session.updated").await;
        client
    }

    pub async fn send(&mut self, event: Value) {
        self.socket.send(Message::text(event.to_string())).await.expect("connected");
    }

    pub async fn send_raw(&mut self, message: Message) {
        self.socket.send(message).await.expect("connected");
    }

    /// The next event; `None`: closed.
    pub async fn next(&mut self) -> Option<Value> {
        let received = tokio::time::timeout(PATIENCE, async {
            loop {
                match self.socket.next().await {
                    None | Some(Err(_)) => return None,
                    Some(Ok(Message::Close(frame))) => {
                        self.closed = frame.map(|frame| frame.code.into());
                        return None;
                    }
                    Some(Ok(Message::Text(text))) => {
                        assert!(text.len() < 1 << 20, "a frame of {} bytes", text.len());
                        return Some(serde_json::from_str::<Value>(&text).expect("text frames are JSON"));
                    }
                    Some(Ok(_)) => {}
                }
            }
        })
        .await
        .unwrap_or_else(|_| panic!("nothing came; so far: {:#?}", self.kinds()));
        if let Some(event) = &received {
            self.log.push(event.clone());
        }
        received
    }

    /// Waits for the next event of `kind`.
    pub async fn event(&mut self, kind: &str) -> Value {
        loop {
            match self.next().await {
                Some(event) if event["type"] == kind => return event,
                Some(event) if event["type"] == "error" => panic!("{event:#}; so far: {:#?}", self.kinds()),
                Some(_) => {}
                None => panic!("closed ({:?}) before {kind}; so far: {:#?}", self.closed, self.kinds()),
            }
        }
    }

    /// Waits for the next error and gives its body.
    pub async fn error(&mut self) -> Value {
        loop {
            match self.next().await {
                Some(event) if event["type"] == "error" => return event["error"].clone(),
                Some(_) => {}
                None => panic!("closed ({:?}) before an error; so far: {:#?}", self.closed, self.kinds()),
            }
        }
    }

    /// Waits for the close and gives its code.
    pub async fn until_closed(&mut self) -> Option<u16> {
        while self.next().await.is_some() {}
        self.closed
    }

    /// Appends samples at 24 kHz, faster than they were spoken.
    pub async fn append(&mut self, samples: &[i16]) {
        for piece in samples.chunks(2_400) {
            self.append_bytes(&piece.iter().flat_map(|sample| sample.to_le_bytes()).collect::<Vec<_>>()).await;
        }
    }

    pub async fn append_bytes(&mut self, bytes: &[u8]) {
        self.send(json!({"type": "input_audio_buffer.append", "audio": encode(bytes)})).await;
    }

    /// The types of all events so far.
    pub fn kinds(&self) -> Vec<&str> {
        self.log.iter().filter_map(|event| event["type"].as_str()).collect()
    }

    pub fn of_kind(&self, kind: &str) -> Vec<&Value> {
        self.log.iter().filter(|event| event["type"] == kind).collect()
    }

    /// The last event of `kind` so far.
    pub fn event_so_far(&self, kind: &str) -> Value {
        let events = self.of_kind(kind);
        (*events.last().unwrap_or_else(|| panic!("no {kind} in {:#?}", self.kinds()))).clone()
    }

    /// The pieces of `kind`, joined.
    pub fn joined(&self, kind: &str) -> String {
        self.of_kind(kind).iter().filter_map(|event| event["delta"].as_str()).collect()
    }

    /// The sound of all replies so far, as bytes.
    pub fn sound(&self, kind: &str) -> Vec<u8> {
        self.of_kind(kind).iter().flat_map(|event| decode(event["delta"].as_str().expect("base64"))).collect()
    }
}

/// `text` spoken, at 24 kHz, with so much silence after it.
pub fn spoken(text: &str, silence_ms: usize) -> Vec<i16> {
    let at_16 = Pcm::new(SampleRate::HZ_16000, recording(text).to_vec());
    let mut samples = RateConverter::whole(&at_16, SampleRate::HZ_24000).samples;
    samples.extend(vec![0; silence_ms * 24]);
    samples
}

/// Bytes of pcm16 as samples.
pub fn samples(bytes: &[u8]) -> Vec<i16> {
    bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}
