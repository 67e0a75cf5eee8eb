//! What these tests send and how they read what comes.

use std::{collections::VecDeque, sync::Arc};

use aigolos::audio::{OggOpus, OpusSettings, Pcm, SampleRate, write_wav};
use futures::{StreamExt, stream::BoxStream};
use serde_json::Value;

use crate::harness::{PATIENCE, TestServer, recording};

/// A body of `multipart/form-data`, and its content type.
pub fn form(file: Option<(&str, &[u8])>, fields: &[(&str, &str)]) -> (String, Vec<u8>) {
    const BOUNDARY: &str = "----just-a-boundary";
    let mut body = vec![];
    for (name, value) in fields {
        let part = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        body.extend(part.as_bytes());
    }
    if let Some((name, bytes)) = file {
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n"
        );
        body.extend(head.as_bytes());
        body.extend(bytes);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{BOUNDARY}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={BOUNDARY}"), body)
}

/// Sends a recording; gives the status and the JSON that came.
pub async fn transcribe(
    server: &TestServer,
    query: &str,
    name: &str,
    bytes: &[u8],
    fields: &[(&str, &str)],
) -> (u16, Value) {
    let (kind, body) = form(Some((name, bytes)), fields);
    post(server, &format!("/api/asr/transcribe/{query}"), &kind, body).await
}

pub async fn post(server: &TestServer, path: &str, kind: &str, body: Vec<u8>) -> (u16, Value) {
    let request = reqwest::Client::new().post(server.url(path)).header("content-type", kind).body(body);
    answer(request).await
}

pub async fn post_json(server: &TestServer, path: &str, body: &Value) -> (u16, Value) {
    post(server, path, "application/json", body.to_string().into_bytes()).await
}

pub async fn get(server: &TestServer, path: &str) -> (u16, Value) {
    answer(reqwest::Client::new().get(server.url(path))).await
}

pub async fn delete(server: &TestServer, path: &str) -> (u16, Value) {
    answer(reqwest::Client::new().delete(server.url(path))).await
}

async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.timeout(PATIENCE).send().await.expect("an answer");
    let status = response.status().as_u16();
    let text = response.text().await.expect("a body");
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

/// The id of the job that was made.
pub fn id_of(made: &Value) -> String {
    made["job"]["id"].as_str().unwrap_or_else(|| panic!("a job: {made}")).to_owned()
}

/// A server-sent event.
#[derive(Debug, Clone, PartialEq)]
pub struct SentEvent {
    pub id: Option<u64>,
    pub kind: String,
    pub data: Value,
}

/// A stream of server-sent events.
pub struct Events {
    bytes: BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    text: String,
    waiting: VecDeque<SentEvent>,
}

impl Events {
    pub fn of(response: reqwest::Response) -> Self {
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { bytes: response.bytes_stream().boxed(), text: String::new(), waiting: VecDeque::new() }
    }

    /// The events of a job after the one with the id `after`.
    pub async fn of_job(server: &TestServer, id: &str, after: Option<u64>) -> Self {
        Self::of(job_events(server, id, after).await)
    }

    /// The next event; `None` at the end.
    pub async fn next(&mut self) -> Option<SentEvent> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                return Some(event);
            }
            let more = tokio::time::timeout(PATIENCE, self.bytes.next()).await.expect("an event or the end");
            self.text.push_str(std::str::from_utf8(&more?.ok()?).expect("whole characters"));
            while let Some(end) = self.text.find("\n\n") {
                self.waiting.extend(parsed(&self.text[..end]));
                self.text.drain(..end + 2);
            }
        }
    }

    /// All until the end.
    pub async fn rest(mut self) -> Vec<SentEvent> {
        let mut all = vec![];
        while let Some(event) = self.next().await {
            all.push(event);
        }
        all
    }

    /// The next event of `kind`.
    pub async fn until(&mut self, kind: &str) -> SentEvent {
        loop {
            let event = self.next().await.unwrap_or_else(|| panic!("it ended before {kind}"));
            if event.kind == kind {
                return event;
            }
        }
    }
}

pub async fn job_events(server: &TestServer, id: &str, after: Option<u64>) -> reqwest::Response {
    let mut request = reqwest::Client::new().get(server.url(&format!("/api/jobs/{id}/events")));
    if let Some(after) = after {
        request = request.header("last-event-id", after.to_string());
    }
    request.send().await.expect("an answer")
}

fn parsed(block: &str) -> Option<SentEvent> {
    let (mut id, mut kind, mut data) = (None, String::new(), String::new());
    for line in block.lines() {
        match line.split_once(':').map(|(field, value)| (field, value.trim_start())) {
            Some(("id", value)) => id = value.parse().ok(),
            Some(("event", value)) => value.clone_into(&mut kind),
            Some(("data", value)) => data.push_str(value),
            _ => {}
        }
    }
    (!kind.is_empty()).then(|| SentEvent { id, kind, data: serde_json::from_str(&data).expect("JSON") })
}

/// The texts among events, in order.
pub fn texts(events: &[SentEvent]) -> Vec<String> {
    let texts = events.iter().filter(|event| event.kind == "text");
    texts.map(|event| event.data["text"].as_str().expect("text").to_owned()).collect()
}

/// Somebody says each of `sentences`, with two seconds between them.
pub fn talk(sentences: &[&str]) -> Pcm {
    let mut samples = vec![];
    for sentence in sentences {
        samples.extend_from_slice(&recording(sentence));
        samples.extend(std::iter::repeat_n(0, 32_000));
    }
    Pcm::new(SampleRate::HZ_16000, samples)
}

/// The same as a small file.
pub fn talk_opus(sentences: &[&str]) -> Vec<u8> {
    OggOpus::whole(&talk(sentences), OpusSettings { bitrate: 40_000, complexity: 5 })
}

pub fn talk_wav(sentences: &[&str]) -> Vec<u8> {
    write_wav(&talk(sentences))
}

/// What the recording of the fixtures says.
pub fn five_plus_seven() -> Arc<[i16]> {
    recording("What is five plus seven?")
}
