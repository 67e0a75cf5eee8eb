//! What these tests send and how they read what comes.

use aigolos::{
    audio::{Mono16k, Resampler},
    job::{decode::decode, kind::content_of},
};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::Value;

use crate::harness::{PATIENCE, TestServer};

/// A part of a form.
#[derive(Clone, Copy)]
pub enum Part<'p> {
    Text(&'p str, &'p str),
    /// A file's name and its bytes.
    File(&'p str, &'p [u8]),
}

/// A body of `multipart/form-data` with its parts in this order, and its content type.
pub fn form(parts: &[Part]) -> (String, Vec<u8>) {
    const BOUNDARY: &str = "----no-line-of-the-files";
    let mut body = vec![];
    for part in parts {
        body.extend(format!("--{BOUNDARY}\r\nContent-Disposition: form-data; ").bytes());
        match part {
            Part::Text(name, value) => body.extend(format!("name=\"{name}\"\r\n\r\n{value}").bytes()),
            Part::File(name, bytes) => {
                let head =
                    format!("name=\"file\"; filename=\"{name}\"\r\nContent-Type: application/octet-stream\r\n\r\n");
                body.extend(head.bytes());
                body.extend(*bytes);
            }
        }
        body.extend(b"\r\n");
    }
    body.extend(format!("--{BOUNDARY}--\r\n").bytes());
    (format!("multipart/form-data; boundary={BOUNDARY}"), body)
}

pub const TRANSCRIPTIONS: &str = "/v1/audio/transcriptions";

pub fn request(server: &TestServer, method: Method, path: &str) -> RequestBuilder {
    reqwest::Client::new().request(method, server.url(path)).timeout(PATIENCE * 2)
}

/// Asks for the text of a recording.
pub async fn transcribe(server: &TestServer, path: &str, parts: &[Part<'_>]) -> Response {
    let (kind, body) = form(parts);
    request(server, Method::POST, path).header("content-type", kind).body(body).send().await.expect("an answer")
}

/// The same, and the answer as JSON.
pub async fn transcribed(server: &TestServer, parts: &[Part<'_>]) -> (u16, Value) {
    json_of(transcribe(server, TRANSCRIPTIONS, parts).await).await
}

pub async fn post(server: &TestServer, path: &str, body: &Value) -> Response {
    let request = request(server, Method::POST, path).header("content-type", "application/json");
    request.body(body.to_string()).send().await.expect("an answer")
}

pub async fn get(server: &TestServer, path: &str) -> (u16, Value) {
    json_of(request(server, Method::GET, path).send().await.expect("an answer")).await
}

pub async fn json_of(response: Response) -> (u16, Value) {
    let status = response.status().as_u16();
    assert_eq!(response.headers()["content-type"], "application/json", "{status}");
    (status, response.json().await.expect("JSON"))
}

/// Holds an answer against OpenAI's shape and gives its status, `code` and message.
pub async fn refused(response: Response) -> (u16, Value, String) {
    let has_id = response.headers().contains_key("x-request-id");
    let (status, body) = json_of(response).await;
    let error = body["error"].as_object().unwrap_or_else(|| panic!("an error: {body}"));
    let mut fields: Vec<&str> = error.keys().map(String::as_str).collect();
    fields.sort_unstable();
    assert_eq!(fields, ["code", "message", "param", "type"], "{body}");
    assert_eq!(body.as_object().map(serde_json::Map::len), Some(1), "{body}");
    assert!(has_id, "the request is named");
    let message = body["error"]["message"].as_str().expect("text").to_owned();
    (status, body["error"].clone(), message)
}

/// The data of an answer's events, until the end.
pub async fn events_of(response: Response) -> Vec<String> {
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    events_in(&response.text().await.expect("all of it"))
}

/// The data of whole events.
pub fn events_in(text: &str) -> Vec<String> {
    let blocks = text.split("\n\n").filter(|block| !block.is_empty() && !block.starts_with(':'));
    blocks
        .map(|block| block.strip_prefix("data: ").unwrap_or_else(|| panic!("only data: {block:?}")).to_owned())
        .collect()
}

/// The sound in a file, whatever it is.
pub fn sound_in(bytes: &[u8]) -> Mono16k {
    use std::io::{Seek as _, Write as _};
    let mut file = tempfile::tempfile().expect("room for a file");
    file.write_all(bytes).expect("room for a file");
    file.rewind().expect("a file");
    let (kind, start) = content_of(&mut file).expect("readable").expect("a kind that is known");
    decode(file, kind, start, std::time::Duration::from_mins(10), |_| true).expect("sound")
}

/// Samples of 24 kHz as the engines hear them.
pub fn sound_of_pcm(bytes: &[u8]) -> Mono16k {
    use aigolos::audio::{Pcm, SampleRate};
    let samples = bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    Resampler::whole(&Pcm::new(SampleRate::HZ_24000, samples))
}
