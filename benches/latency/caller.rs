//! The client of the native protocol: speaks, and notes when what comes back.

use std::{net::SocketAddr, time::Duration};

use futures::{SinkExt, StreamExt, stream::SplitStream};
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    time::{Instant, sleep_until, timeout_at},
};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use crate::{mouth::Mouth, utterance::Utterance};

pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

pub const OUTPUT_RATE: u32 = 24_000;
/// How long one turn may take after it was spoken.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// What one turn took. Times count from where the speech begins or ends by its loudness.
#[derive(Default)]
pub struct Turn {
    pub heard: String,
    pub first_partial: Option<Duration>,
    pub last_final: Option<Duration>,
    pub first_audio: Option<Duration>,
    /// The server's own timings.
    pub server: Value,
    pub failure: Option<String>,
}

impl Turn {
    /// In one word or number, for people who watch.
    pub fn outcome(&self) -> String {
        match (&self.failure, self.first_audio) {
            (Some(failure), _) => failure.clone(),
            (None, Some(audio)) => format!("{} ms", audio.as_millis()),
            (None, None) => "no audio".to_owned(),
        }
    }
}

/// A session with somebody who listens and speaks.
pub struct Caller {
    events: SplitStream<Socket>,
    mouth: Mouth,
    rate: u32,
    pub engines: String,
}

impl Caller {
    /// `rate`: what it is spoken to in; the turn ends after `silence_ms`.
    pub async fn start(address: SocketAddr, rate: u32, silence_ms: u32) -> Self {
        let (socket, _) = connect_async(format!("ws://{address}/ws")).await.expect("the server listens");
        let (mut sink, mut events) = socket.split();
        let start = json!({
            "type": "session.start",
            "audio": {"encoding": "pcm_s16le", "sample_rate": rate},
            "output": {"encoding": "pcm_s16le", "sample_rate": OUTPUT_RATE},
            // Fixed, so that it can be taken off.
            "turn_detection": {"silence_ms": silence_ms, "adaptive": false},
        });
        sink.send(Message::text(start.to_string())).await.expect("the socket is open");
        let Some(Ok(Message::Text(ready))) = events.next().await else { panic!("no session.ready") };
        let ready: Value = serde_json::from_str(&ready).expect("JSON");
        assert_eq!(ready["type"], "session.ready", "{ready}");
        let name = |role: &str| {
            let engine = &ready["engines"][role];
            let text = |field: &str| engine[field].as_str().unwrap_or("?").to_owned();
            format!("{role} {}/{}", text("engine"), text("model"))
        };
        let engines = ["vad", "asr", "llm", "tts"].map(name).join(", ");
        let mouth = Mouth::open(sink, rate, |bytes| Message::binary(bytes.to_vec()));
        Self { events, mouth, rate, engines }
    }

    /// Says it, waits for the answer and hears that to its end.
    pub async fn say(&mut self, utterance: &Utterance) -> Turn {
        let base = self.mouth.say(&utterance.samples(self.rate)).await;
        let (start, end) =
            (base + Duration::from_millis(utterance.start_ms), base + Duration::from_millis(utterance.end_ms));
        let mut turn = Turn::default();
        let mut played_out = Instant::now();
        let deadline = end + PATIENCE;
        loop {
            let message = match timeout_at(deadline, self.events.next()).await {
                Ok(Some(Ok(message))) => message,
                Ok(_) => panic!("the server hung up"),
                Err(_) => {
                    turn.failure = Some("no end of the turn".to_owned());
                    return turn;
                }
            };
            let now = Instant::now();
            match message {
                Message::Binary(frame) => {
                    turn.first_audio.get_or_insert(now.saturating_duration_since(end));
                    let samples = frame.len().saturating_sub(8) as f64 / 2.0;
                    played_out = played_out.max(now) + Duration::from_secs_f64(samples / f64::from(OUTPUT_RATE));
                }
                Message::Text(text) => {
                    let event: Value = serde_json::from_str(&text).expect("JSON");
                    match event["type"].as_str().unwrap_or_default() {
                        "transcript.partial" => {
                            turn.first_partial.get_or_insert(now.saturating_duration_since(start));
                        }
                        "transcript.final" => {
                            turn.last_final = Some(now.saturating_duration_since(end));
                            event["text"].as_str().unwrap_or_default().clone_into(&mut turn.heard);
                            if turn.heard.is_empty() {
                                turn.failure = Some(format!("rejected: {}", event["rejected"]));
                                return turn;
                            }
                        }
                        "reply.done" => {
                            turn.server = event["timings"].clone();
                            break;
                        }
                        "reply.cancelled" if now > end => {
                            turn.failure = Some(format!("cancelled: {}", event["reason"]));
                            break;
                        }
                        "error" => turn.failure = Some(event["message"].to_string()),
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        // The next sentence must not interrupt this answer.
        sleep_until(played_out + Duration::from_millis(500)).await;
        turn
    }
}
