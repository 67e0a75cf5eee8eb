//! A server that only looks like one, for the tests: it hears loudness, not words, and fails on demand.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{net::TcpListener, net::TcpStream};
use tokio_tungstenite::{
    accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
        http::HeaderValue,
        protocol::{CloseFrame, frame::coding::CloseCode},
    },
};

/// How it behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    Answers,
    /// All sessions are taken.
    Full,
    /// Cuts the connection when speech ends.
    Dies,
    /// Never ends a turn.
    Mute,
}

/// Starts one and gives its address.
pub async fn server(habit: Habit) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("ws://{}/ws", listener.local_addr().expect("it is bound"));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                // The client may leave at any point; that ends this socket and nothing else.
                let _ = serve(stream, habit).await;
            });
        }
    });
    url
}

#[expect(clippy::result_large_err, clippy::unnecessary_wraps, reason = "the library's own signature")]
fn choose_protocol(_: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    response.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("aigolos.v1"));
    Ok(response)
}

async fn serve(stream: TcpStream, habit: Habit) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    let mut socket = accept_hdr_async(stream, choose_protocol).await?;
    let mut seq = 0;
    let mut event = |mut event: Value| {
        seq += 1;
        event["seq"] = json!(seq);
        Message::text(event.to_string())
    };
    let start = socket.next().await;
    assert!(matches!(&start, Some(Ok(Message::Text(text))) if text.contains("session.start")), "{start:?}");
    if habit == Habit::Full {
        let error = json!({"type": "error", "code": "overloaded", "message": "full", "hint": "wait"});
        socket.send(event(error)).await?;
        return socket.close(Some(CloseFrame { code: CloseCode::Again, reason: "overloaded".into() })).await;
    }
    socket.send(event(json!({"type": "session.ready", "engines": {"asr": {"engine": "fake"}}}))).await?;
    let (mut turn, mut voiced, mut silent) = (0, 0, 0);
    while let Some(message) = socket.next().await {
        match message? {
            Message::Binary(frame) => {
                let loud = frame.chunks_exact(2).any(|s| i16::from_le_bytes([s[0], s[1]]).unsigned_abs() > 1_000);
                (voiced, silent) = if loud { (voiced + 1, 0) } else { (voiced, silent + 1) };
                if loud && voiced == 5 {
                    turn += 1;
                    let partial =
                        json!({"type": "transcript.partial", "turn": turn, "stable": "", "unstable": "what thyme"});
                    socket.send(event(partial)).await?;
                }
                if voiced == 0 || silent < 5 || habit == Habit::Mute {
                    continue;
                }
                if habit == Habit::Dies {
                    return Ok(());
                }
                voiced = 0;
                let text = "what time is it";
                socket.send(event(json!({"type": "transcript.final", "turn": turn, "text": text}))).await?;
                socket.send(event(json!({"type": "reply.text.delta", "turn": turn, "delta": "ten"}))).await?;
                for chunk in 0..3u32 {
                    let mut frame = [u32::to_le_bytes(turn), chunk.to_le_bytes()].concat();
                    frame.resize(8 + 1_920, 0);
                    socket.send(Message::binary(frame)).await?;
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                let timings = json!({"first_audio_ms": 101});
                socket.send(event(json!({"type": "reply.done", "turn": turn, "timings": timings}))).await?;
            }
            Message::Text(text) if text.contains("session.end") => {
                socket.send(event(json!({"type": "session.closed", "reason": "client_ended"}))).await?;
                return socket.close(Some(CloseFrame { code: CloseCode::Normal, reason: "".into() })).await;
            }
            _ => {}
        }
    }
    Ok(())
}
