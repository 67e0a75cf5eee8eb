//! The same for OpenAI's Realtime protocol.

use std::{net::SocketAddr, time::Duration};

use data_encoding::BASE64;
use futures::{SinkExt, StreamExt, stream::SplitStream};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_tungstenite::{connect_async, tungstenite::Message};

use crate::{
    caller::{OUTPUT_RATE, PATIENCE, Socket, Turn},
    mouth::Mouth,
    utterance::Utterance,
};

/// The only rate of PCM in this protocol.
pub const RATE: u32 = 24_000;

/// A session with somebody who listens and speaks.
pub struct RealtimeCaller {
    events: SplitStream<Socket>,
    mouth: Mouth,
}

impl RealtimeCaller {
    pub async fn start(address: SocketAddr, silence_ms: u32) -> Self {
        let address = format!("ws://{address}/v1/realtime?model=gpt-realtime");
        let (socket, _) = connect_async(address).await.expect("the server listens");
        let (mut sink, mut events) = socket.split();
        let update = json!({"type": "session.update", "session": {"type": "realtime", "audio": {"input": {
            "transcription": {"model": "whisper-1"},
            "turn_detection": {"type": "server_vad", "silence_duration_ms": silence_ms},
        }}}});
        sink.send(Message::text(update.to_string())).await.expect("the socket is open");
        loop {
            let Some(Ok(Message::Text(event))) = events.next().await else { panic!("no session.updated") };
            let event: Value = serde_json::from_str(&event).expect("JSON");
            match event["type"].as_str() {
                Some("session.updated") => break,
                Some("error") => panic!("{event}"),
                _ => {}
            }
        }
        let mouth = Mouth::open(sink, RATE, |bytes| {
            Message::text(json!({"type": "input_audio_buffer.append", "audio": BASE64.encode(bytes)}).to_string())
        });
        Self { events, mouth }
    }

    /// Says it, waits for the answer and hears that to its end.
    pub async fn say(&mut self, utterance: &Utterance) -> Turn {
        let base = self.mouth.say(&utterance.samples(RATE)).await;
        let end = base + Duration::from_millis(utterance.end_ms);
        let mut turn = Turn::default();
        let mut played_out = Instant::now();
        let mut done = false;
        while !done || turn.last_final.is_none() {
            let message = match timeout_at(end + PATIENCE, self.events.next()).await {
                Ok(Some(Ok(message))) => message,
                Ok(_) => panic!("the server hung up"),
                Err(_) => {
                    turn.failure = Some("no end of the turn".to_owned());
                    return turn;
                }
            };
            let now = Instant::now();
            let Message::Text(text) = message else { continue };
            let event: Value = serde_json::from_str(&text).expect("JSON");
            match event["type"].as_str().unwrap_or_default() {
                "conversation.item.input_audio_transcription.completed" => {
                    turn.last_final = Some(now.saturating_duration_since(end));
                    event["transcript"].as_str().unwrap_or_default().clone_into(&mut turn.heard);
                    if turn.heard.is_empty() {
                        turn.failure = Some("rejected".to_owned());
                        return turn;
                    }
                }
                "response.output_audio.delta" => {
                    turn.first_audio.get_or_insert(now.saturating_duration_since(end));
                    let samples =
                        BASE64.decode(event["delta"].as_str().unwrap_or_default().as_bytes()).expect("base64").len();
                    let seconds = samples as f64 / 2.0 / f64::from(OUTPUT_RATE);
                    played_out = played_out.max(now) + Duration::from_secs_f64(seconds);
                }
                "response.done" => {
                    let status = &event["response"]["status"];
                    if status != "completed" {
                        turn.failure = Some(status.to_string());
                    }
                    done = true;
                }
                "error" => turn.failure = Some(event["error"]["message"].to_string()),
                _ => {}
            }
        }
        // The next sentence must not interrupt this answer.
        sleep_until(played_out + Duration::from_millis(500)).await;
        turn
    }
}
