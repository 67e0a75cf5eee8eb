//! One client: frames in, events out, one request for text and any number for speech under way. Every request that was
//! begun ends with the event its client waits for, whatever went wrong: some wait without a time limit.

use std::{sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    frame::{Frame, FrameError, Frames},
    hearing::{self, Hearing},
    serve::{Ends, Wyoming},
    speaking::Speaking,
    wire::{AudioFormat, Incoming, Outgoing, Transcribe},
};
use crate::{
    conversation::hub::Refused,
    measure::{self, Ongoing},
};

/// A client that asks for nothing and waits for nothing is let go after this.
const IDLE: Duration = Duration::from_mins(10);
/// How long a client may take none of what it is sent.
const WRITE_WITHIN: Duration = Duration::from_secs(30);
/// How long a server that leaves waits for sound that was announced.
const EXPECTED: Duration = Duration::from_secs(5);
/// Read at a time.
const READ: usize = 16 * 1024;

/// Serves one client until it goes, or what it sends cannot be read, or one of `ends` is cancelled and what was begun has
/// ended. `abort`: at once.
pub(super) async fn run(stream: TcpStream, wyoming: Arc<Wyoming>, ends: Ends, abort: CancellationToken) {
    let _open = Ongoing::new(metrics::gauge!(measure::CONNECTIONS, "protocol" => "wyoming"));
    // Small pieces of sound must not wait for each other.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY cannot be set");
    }
    let (from, to) = stream.into_split();
    let speaking = wyoming.speaking();
    let mut connection = Connection {
        input: Input { from, frames: Frames::default() },
        to,
        wyoming,
        asked: Transcribe::default(),
        hearing: None,
        next: None,
        speaking,
        expected: None,
        ends,
    };
    tokio::select! {
        ended = connection.run() => if let Err(gone) = ended {
            tracing::debug!(reason = %gone, "a Wyoming client is gone");
        },
        () = abort.cancelled() => {}
    }
}

/// Why a connection ends.
#[derive(Debug, thiserror::Error)]
enum Gone {
    #[error("closed")]
    Closed,
    #[error("idle")]
    Idle,
    #[error("it reads nothing")]
    Stuck,
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Unreadable(FrameError),
}

struct Connection {
    input: Input,
    to: OwnedWriteHalf,
    wyoming: Arc<Wyoming>,
    /// What the next sound is to be written down like.
    asked: Transcribe,
    hearing: Option<Hearing>,
    /// Sound of the next request, which came before the transcript of the last; nothing is read until that is told.
    next: Option<Frame>,
    speaking: Speaking,
    /// Since when sound is expected that was announced.
    expected: Option<Instant>,
    ends: Ends,
}

struct Input {
    from: OwnedReadHalf,
    frames: Frames,
}

impl Input {
    /// The next frame, or why there is none; safe to cancel.
    async fn next(&mut self) -> Result<Result<Frame, FrameError>, Gone> {
        loop {
            match self.frames.next_frame() {
                Ok(Some(frame)) => return Ok(Ok(frame)),
                Ok(None) => {}
                Err(error) => return Ok(Err(error)),
            }
            self.frames.unread.reserve(READ);
            if self.from.read_buf(&mut self.frames.unread).await? == 0 {
                return Err(Gone::Closed);
            }
        }
    }
}

impl Connection {
    async fn run(&mut self) -> Result<(), Gone> {
        let mut heard_of = Instant::now();
        loop {
            let (leaving, stopping) = (self.ends.leave.is_cancelled(), self.ends.stop.is_cancelled());
            let at_rest = self.hearing.is_none() && self.speaking.idle();
            if at_rest && (stopping || leaving && self.nothing_begun()) {
                return Ok(());
            }
            if self.hearing.is_none()
                && let Some(frame) = self.next.take()
            {
                let events = self.take(frame).await;
                self.write(events).await?;
            }
            let (hearing, speaking) = (&mut self.hearing, &mut self.speaking);
            let behind = self.next.is_some() || hearing.as_ref().is_some_and(Hearing::behind) || speaking.behind();
            let busy = !speaking.idle() || hearing.as_ref().is_some_and(Hearing::stopped);
            let told = async {
                match hearing {
                    Some(hearing) => hearing.next().await,
                    None => std::future::pending().await,
                }
            };
            let events = tokio::select! {
                frame = self.input.next(), if !behind && !stopping => {
                    heard_of = Instant::now();
                    match frame? {
                        Ok(frame) => self.take(frame).await,
                        Err(error) => {
                            self.write(vec![Outgoing::error(error.code(), &error)]).await?;
                            if !error.is_passed() {
                                return Err(Gone::Unreadable(error));
                            }
                            continue;
                        }
                    }
                }
                told = told => {
                    if told.over {
                        self.hearing = None;
                    }
                    told.events
                }
                events = speaking.next() => events,
                () = self.ends.stop.cancelled(), if !stopping => continue,
                () = self.ends.leave.cancelled(), if !leaving => continue,
                // What was announced may never come.
                () = tokio::time::sleep(EXPECTED), if leaving && at_rest => continue,
                () = tokio::time::sleep_until(heard_of + IDLE), if !busy && !behind => return Err(Gone::Idle),
            };
            self.write(events).await?;
        }
    }

    /// Does what a frame asks; gives what is answered at once.
    async fn take(&mut self, frame: Frame) -> Vec<Outgoing> {
        if self.hearing.as_ref().is_some_and(Hearing::stopped) && matches!(&*frame.kind, "audio-start" | "audio-chunk")
        {
            self.next = Some(frame);
            return vec![];
        }
        let event = match Incoming::read(frame) {
            Ok(Some(event)) => event,
            Ok(None) => return vec![],
            Err(error) => return vec![Outgoing::error("bad_event", error)],
        };
        match event {
            Incoming::Describe => vec![Outgoing::Info(self.wyoming.info())],
            Incoming::Ping(ping) => vec![Outgoing::Pong { text: ping.text }],
            Incoming::Transcribe(asked) => {
                self.asked = asked;
                self.expected = Some(Instant::now());
                vec![]
            }
            Incoming::AudioStart(format) => self.begin(format).await,
            Incoming::AudioChunk(format, payload) => {
                let mut events = vec![];
                if self.hearing.is_none() {
                    events = self.begin(format).await;
                }
                if let Some(hearing) = &mut self.hearing
                    && let Err(unheard) = hearing.hear(format, &payload).await
                {
                    events.push(Outgoing::error(unheard.code(), &unheard));
                }
                events
            }
            Incoming::AudioStop => {
                match &mut self.hearing {
                    Some(hearing) => hearing.stop().await,
                    // No sound at all, or no session could be had for it.
                    None => {
                        return vec![
                            Outgoing::Transcript { text: String::new(), language: None },
                            Outgoing::TranscriptStop {},
                        ];
                    }
                }
                self.asked = Transcribe::default();
                vec![]
            }
            Incoming::Synthesize(_) if self.speaking.streaming() => vec![],
            Incoming::Synthesize(asked) => long(self.speaking.whole(&asked.text, &asked.manner)),
            Incoming::SynthesizeStart(manner) => {
                self.speaking.stop(); // one that was begun and not ended
                self.speaking.start(&manner);
                vec![]
            }
            Incoming::SynthesizeChunk(piece) => long(self.speaking.piece(&piece.text.unwrap_or_default())),
            Incoming::SynthesizeStop => {
                self.speaking.stop();
                vec![]
            }
        }
    }

    /// Whether the client is in the middle of nothing, as far as can be known.
    fn nothing_begun(&self) -> bool {
        let expected = self.expected.is_some_and(|since| since.elapsed() < EXPECTED);
        !expected && self.next.is_none() && !self.speaking.streaming()
    }

    /// A new stream of sound; one that was not ended is given up.
    async fn begin(&mut self, format: AudioFormat) -> Vec<Outgoing> {
        self.hearing = None;
        self.expected = None;
        let options = hearing::options(&self.asked, &self.wyoming.defaults);
        match Hearing::begin(&self.wyoming.hub, options, format.timestamp.unwrap_or(0)).await {
            Ok((hearing, started)) => {
                self.hearing = Some(hearing);
                vec![started]
            }
            Err(Refused::Full { max, .. }) => {
                vec![Outgoing::error("busy", format!("all {max} sessions are taken"))]
            }
            Err(Refused::ShuttingDown | Refused::UnknownSession) => {
                vec![Outgoing::error("shutting_down", "the server is stopping")]
            }
        }
    }

    async fn write(&mut self, events: Vec<Outgoing>) -> Result<(), Gone> {
        if events.is_empty() {
            return Ok(());
        }
        let bytes: Vec<u8> = events.into_iter().flat_map(|event| event.into_frame().to_bytes()).collect();
        timeout(WRITE_WITHIN, self.to.write_all(&bytes)).await.map_err(|_| Gone::Stuck)?.map_err(Gone::Io)
    }
}

fn long(taken: Result<(), super::speaking::TooLong>) -> Vec<Outgoing> {
    taken.err().map(|error| Outgoing::error("text_too_long", error)).into_iter().collect()
}
