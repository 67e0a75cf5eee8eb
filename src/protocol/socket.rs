//! One WebSocket, read and written at the same time: the halves every protocol on a socket is made of.
//!
//! [`Reader`] and [`Writer`] run concurrently, so that a slow reader at the far end never keeps us from reading, and
//! pings are answered while a write waits. The reader finds the dead (no pong), the idle and the hasty (token bucket);
//! the writer pings, and gives up on who does not read. Nothing is queued here: back-pressure reaches both ends as is.

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket},
};
use futures::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};
use tokio_tungstenite::tungstenite;

/// Close codes in use; those from 4000 on are ours.
pub mod close {
    pub const NORMAL: u16 = 1000;
    pub const GOING_AWAY: u16 = 1001;
    pub const TOO_BIG: u16 = 1009;
    pub const SERVICE_RESTART: u16 = 1012;
    pub const TRY_AGAIN_LATER: u16 = 1013;
    pub const IDLE: u16 = 4001;
    pub const SLOW_READER: u16 = 4002;
    pub const REVOKED: u16 = 4003;
}

/// How long agreeing to a goodbye may take.
const AGREEMENT: Duration = Duration::from_secs(1);

/// How much a socket may do.
#[derive(Debug, Clone)]
pub struct SocketSettings {
    /// The longest message taken, in bytes.
    pub max_message_bytes: usize,
    /// How often a ping is sent.
    pub ping_every: Duration,
    /// How long its pong (or any other sign of life) may take before the socket counts as dead.
    pub pong_within: Duration,
    /// Text events a second in the long run.
    pub events_per_second: u32,
    /// Text events at once.
    pub event_burst: u32,
}

impl Default for SocketSettings {
    fn default() -> Self {
        Self {
            max_message_bytes: 1 << 20,
            ping_every: Duration::from_secs(20),
            pong_within: Duration::from_secs(20),
            events_per_second: 50,
            event_burst: 100,
        }
    }
}

/// Takes a socket apart. It is alive as of now.
#[must_use]
pub fn split(socket: WebSocket, settings: &SocketSettings, idle: Option<Duration>) -> (Reader, Writer) {
    let (sink, stream) = socket.split();
    let now = Instant::now();
    let reader = Reader {
        stream,
        max_message_bytes: settings.max_message_bytes,
        silence: settings.ping_every + settings.pong_within,
        heard: now,
        idle,
        active: now,
        bucket: Bucket::new(settings.events_per_second, settings.event_burst, now),
        deaf: false,
    };
    let mut ping = interval_at(now + settings.ping_every, settings.ping_every);
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    (reader, Writer { sink, ping })
}

// -------------------------------------------------------------------- reading

/// What came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    Text(Utf8Bytes),
    /// A text frame beyond the rate limit: not to be followed, only to be refused.
    Hasty {
        text: Utf8Bytes,
        /// When the next one may come.
        wait: Duration,
    },
    Binary(Bytes),
    /// A message over the limit. Reading is over.
    TooBig,
    /// Neither text nor binary for the idle time-out.
    Idle,
    /// The socket is closed or dead.
    Gone,
}

/// The reading half.
pub struct Reader {
    stream: SplitStream<WebSocket>,
    max_message_bytes: usize,
    /// Without any frame for so long, the other side is dead.
    silence: Duration,
    heard: Instant,
    idle: Option<Duration>,
    /// When the last text or binary frame came.
    active: Instant,
    bucket: Bucket,
    /// The library met a length far over the limit and cannot read on.
    deaf: bool,
}

impl Reader {
    /// The next message; cancel-safe. Pings are answered and pongs noted on the way.
    pub async fn next(&mut self) -> Received {
        loop {
            let dead = self.heard + self.silence;
            let idle = self.idle.map(|idle| self.active + idle).filter(|idle| *idle <= dead);
            let message = tokio::select! {
                // What waits to be read counts before any deadline: the caller may have kept us from reading.
                biased;
                message = self.stream.next() => message,
                () = sleep_until(idle.unwrap_or(dead)) => {
                    return if idle.is_some() { Received::Idle } else { Received::Gone };
                }
            };
            let now = Instant::now();
            self.heard = now;
            let message = match message {
                Some(Ok(message)) => message,
                Some(Err(error)) if is_too_big(&error) => {
                    self.deaf = true;
                    return Received::TooBig;
                }
                Some(Err(_)) | None => return Received::Gone,
            };
            match message {
                Message::Text(text) if text.len() > self.max_message_bytes => return Received::TooBig,
                Message::Binary(bytes) if bytes.len() > self.max_message_bytes => return Received::TooBig,
                Message::Text(text) => {
                    self.active = now;
                    return match self.bucket.take(now) {
                        Ok(()) => Received::Text(text),
                        Err(wait) => Received::Hasty { text, wait },
                    };
                }
                Message::Binary(bytes) => {
                    self.active = now;
                    return Received::Binary(bytes);
                }
                Message::Close(_) => {
                    // Our agreement leaves with the next read; without it the other side takes its own goodbye for a fault.
                    let _ = timeout(AGREEMENT, self.stream.next()).await;
                    return Received::Gone;
                }
                Message::Ping(_) | Message::Pong(_) => {}
            }
        }
    }

    /// Changes the idle time-out; `None`: somebody else watches.
    pub fn set_idle(&mut self, idle: Option<Duration>) {
        self.idle = idle;
    }
}

/// What the WebSocket library takes: more than we do, so that a message a little too long is read to its end and the
/// goodbye arrives; much longer ones it gives up on before they are read.
#[must_use]
pub fn library_limit(settings: &SocketSettings) -> usize {
    settings.max_message_bytes.saturating_mul(2)
}

fn is_too_big(error: &axum::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        if let Some(tungstenite::Error::Capacity(_)) = inner.downcast_ref() {
            return true;
        }
        cause = inner.source();
    }
    false
}

/// A token bucket: `burst` at once, `per_second` in the long run.
#[derive(Debug, Clone)]
struct Bucket {
    /// What one token takes to grow.
    interval: Duration,
    burst: Duration,
    /// When the bucket will be, or was, full.
    full_at: Instant,
}

impl Bucket {
    fn new(per_second: u32, burst: u32, now: Instant) -> Self {
        let interval = Duration::from_secs(1) / per_second.max(1);
        Self { interval, burst: interval * burst.max(1), full_at: now }
    }

    /// Takes a token, or tells when there will be one.
    fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let full_at = self.full_at.max(now) + self.interval;
        let debt = full_at - now;
        if let Some(wait) = debt.checked_sub(self.burst).filter(|wait| !wait.is_zero()) {
            return Err(wait);
        }
        self.full_at = full_at;
        Ok(())
    }
}

// -------------------------------------------------------------------- writing

/// The other side did not take a message in time, or is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteError {
    Slow,
    Gone,
}

/// The writing half.
pub struct Writer {
    sink: SplitSink<WebSocket, Message>,
    ping: tokio::time::Interval,
}

impl Writer {
    /// Writes one message and waits until the network took it, at most `patience`.
    pub async fn write(&mut self, message: Message, patience: Duration) -> Result<(), WriteError> {
        match timeout(patience, self.sink.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(WriteError::Gone),
            Err(_) => Err(WriteError::Slow),
        }
    }

    /// Waits until a ping is due; cancel-safe. Send it with [`ping`](Self::ping).
    pub async fn ping_due(&mut self) {
        self.ping.tick().await;
    }

    pub async fn ping(&mut self, patience: Duration) -> Result<(), WriteError> {
        self.write(Message::Ping(Bytes::new()), patience).await
    }
}

/// Says goodbye: sends the close frame, then reads what is still under way until the other side agrees or
/// `patience` is over (a connection torn down over unread bytes would lose the close frame).
pub async fn farewell(mut reader: Reader, mut writer: Writer, code: u16, reason: &'static str, patience: Duration) {
    let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
    let deadline = Instant::now() + patience;
    if writer.write(Message::Close(Some(frame)), patience).await.is_err() {
        return;
    }
    if reader.deaf {
        // What is under way cannot be read away: all we can do is leave the other side time to read.
        return sleep_until(deadline).await;
    }
    let read_on = async { while let Some(Ok(_)) = reader.stream.next().await {} };
    tokio::select! {
        () = read_on => {}
        () = sleep_until(deadline) => {}
    }
}

#[cfg(test)]
mod tests;
