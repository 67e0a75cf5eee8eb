//! One caller's life: connect, start a session, say the recording turn by turn, hang up.
//!
//! Two tasks share a socket. The *mouth* sends a frame every 20 ms on a fixed schedule, silence when there is nothing
//! to say, so that a server that falls behind is not given time to recover; the *ear* reads and measures.

use std::{
    collections::BTreeMap,
    ops::ControlFlow::{self, Break, Continue},
    sync::Arc,
    time::Duration,
};

use futures::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use serde_json::{Value, json};
use tokio::{
    net::TcpStream,
    sync::{mpsc, oneshot},
    time::{Instant, MissedTickBehavior, interval, sleep_until, timeout_at},
};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest, http::HeaderValue},
};

use crate::{
    options::Options,
    recording::{FRAME_MS, Recording},
    tally::Spread,
    turn::{Standing, TurnResult, TurnWatch},
};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

const FRAME: Duration = Duration::from_millis(FRAME_MS);
const OUTPUT_RATE: u32 = 24_000;
const ACK_EVERY: Duration = Duration::from_millis(200);
/// How long the connection and its first answer may take.
const CONNECT: Duration = Duration::from_secs(15);
/// How long the goodbye may take.
const GOODBYE: Duration = Duration::from_secs(10);

/// What one caller saw.
#[derive(Debug, Default)]
pub struct Call {
    /// Connecting to `session.ready`.
    pub ready: Option<Duration>,
    /// Connecting to the refusal, when the server was full.
    pub refused: Option<Duration>,
    pub turns: Vec<TurnResult>,
    /// Errors by their code.
    pub errors: BTreeMap<String, u32>,
    /// Close codes by number; 0: cut off without one.
    pub close: Option<u16>,
    /// Events whose `seq` was not one more than the last.
    pub seq_gaps: u32,
    /// How late frames were sent: a measure of this program, not of the server.
    pub lateness: Spread,
    /// The engines as the server names them.
    pub engines: Option<String>,
    /// Why the call did not go as it should.
    pub failure: Option<String>,
}

/// Lets all callers call, and gives what each saw.
pub async fn run(options: &Options, recording: &Arc<Recording>) -> Vec<Call> {
    let start = Instant::now();
    let deadline = start + Duration::from_secs(options.limit);
    let ramp = Duration::from_millis(options.ramp_ms);
    let calls: Vec<_> = (0..options.callers)
        .map(|number| {
            let (options, recording) = (options.clone(), Arc::clone(recording));
            let arrival = start + ramp * number / options.callers;
            tokio::spawn(async move {
                sleep_until(arrival).await;
                let mut call = Call::default();
                if timeout_at(deadline, call.make(&options, &recording)).await.is_err() {
                    call.failure = Some(format!("not done within the {} s of --limit", options.limit));
                }
                call
            })
        })
        .collect();
    let panicked = |_| Call { failure: Some("a fault of loadtest itself".into()), ..Call::default() };
    futures::future::join_all(calls).await.into_iter().map(|call| call.unwrap_or_else(panicked)).collect()
}

impl Call {
    async fn make(&mut self, options: &Options, recording: &Arc<Recording>) {
        let began = Instant::now();
        let opened = timeout_at(began + CONNECT, self.open(options, recording, began)).await;
        let mut ear = match opened {
            Ok(Ok(ear)) => ear,
            Ok(Err(problem)) => {
                self.failure = Some(problem);
                return;
            }
            Err(_) => {
                self.failure = Some(format!("no session within {} s", CONNECT.as_secs()));
                return;
            }
        };
        for _ in 0..options.turns {
            match self.turn(&mut ear, options, recording).await {
                Continue(turn) => self.turns.push(turn),
                Break(turn) => {
                    self.failure.clone_from(&turn.failure);
                    self.turns.push(turn);
                    break;
                }
            }
        }
        self.hang_up(ear).await;
    }

    async fn open(&mut self, options: &Options, recording: &Arc<Recording>, began: Instant) -> Result<Ear, String> {
        let mut request = options.url.as_str().into_client_request().map_err(|error| error.to_string())?;
        request.headers_mut().insert("sec-websocket-protocol", HeaderValue::from_static("aigolos.v1"));
        let (socket, _) = connect_async(request).await.map_err(|error| format!("cannot connect: {error}"))?;
        let (mut sink, mut stream) = socket.split();
        let start = json!({
            "type": "session.start",
            "mode": options.mode.name(),
            "audio": {"encoding": "pcm_s16le", "sample_rate": recording.rate},
            "output": {"encoding": "pcm_s16le", "sample_rate": OUTPUT_RATE},
            "turn_detection": {
                "soft_silence_ms": options.silence_ms.clamp(60, 200),
                "silence_ms": options.silence_ms,
                "adaptive": options.adaptive,
            },
        });
        sink.send(Message::text(start.to_string())).await.map_err(|error| format!("cannot start: {error}"))?;
        loop {
            match stream.next().await {
                Some(Ok(Message::Text(text))) => {
                    let event: Value = serde_json::from_str(&text).unwrap_or_default();
                    match event["type"].as_str() {
                        Some("session.ready") => {
                            self.ready = Some(began.elapsed());
                            self.engines = Some(engines(&event));
                            let last_seq = event["seq"].as_u64().unwrap_or_default();
                            let (orders, taken) = mpsc::channel(16);
                            let mouth = tokio::spawn(speak(sink, taken, Arc::clone(recording)));
                            return Ok(Ear { stream, orders, mouth, last_seq });
                        }
                        Some("error") => {
                            let code = self.note_error(&event);
                            if code == "overloaded" {
                                self.refused = Some(began.elapsed());
                            }
                            self.close = close_code(&mut stream).await;
                            return Err(format!("refused: {code}: {}", event["message"].as_str().unwrap_or_default()));
                        }
                        _ => {}
                    }
                }
                Some(Ok(Message::Close(frame))) => {
                    self.close = Some(frame.map_or(0, |frame| frame.code.into()));
                    return Err("closed before the session started".into());
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(format!("cut off before the session started: {error}")),
                None => return Err("cut off before the session started".into()),
            }
        }
    }

    /// Says the recording once and waits for what follows. After a break there is no other turn.
    async fn turn(
        &mut self,
        ear: &mut Ear,
        options: &Options,
        recording: &Recording,
    ) -> ControlFlow<TurnResult, TurnResult> {
        let cut_off = |why: &str| Break(TurnResult { failure: Some(why.into()), ..TurnResult::default() });
        let (answer, begins) = oneshot::channel();
        if ear.orders.send(Order::Speak(answer)).await.is_err() {
            return cut_off("the connection broke");
        }
        let Ok(base) = begins.await else { return cut_off("the connection broke") };
        let speech = base + recording.speech.start..base + recording.speech.end;
        let deadline = base + recording.duration() + options.patience();
        let mut watch = TurnWatch::new(options.mode, speech, OUTPUT_RATE);
        let mut acks = interval(ACK_EVERY);
        acks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut acknowledged = None;
        let mut done = false;
        loop {
            let until = match watch.played_out() {
                Some(end) if done => end,
                _ if done => return Continue(watch.finish()),
                _ => deadline,
            };
            tokio::select! {
                message = ear.stream.next() => {
                    let now = Instant::now();
                    match message {
                        Some(Ok(Message::Text(text))) => {
                            let event = self.note(ear, &text);
                            done |= watch.event(now, &event) == Standing::Done;
                        }
                        Some(Ok(Message::Binary(frame))) => watch.audio(now, &frame),
                        Some(Ok(Message::Close(frame))) => {
                            let code = frame.map_or(0, |frame| frame.code.into());
                            self.close = Some(code);
                            return Break(watch.fail(format!("closed in mid-turn with {code}")));
                        }
                        Some(Ok(_)) => {}
                        Some(Err(error)) => return Break(watch.fail(format!("cut off in mid-turn: {error}"))),
                        None => return Break(watch.fail("cut off in mid-turn")),
                    }
                }
                _ = acks.tick() => {
                    if let Some(played @ (turn, played_ms)) = watch.played(Instant::now())
                        && acknowledged != Some(played)
                    {
                        acknowledged = Some(played);
                        let ack = json!({"type": "playback.ack", "turn": turn, "played_ms": played_ms});
                        // A mouth that has gone is noticed by the ear.
                        let _ = ear.orders.send(Order::Say(ack)).await;
                    }
                }
                () = sleep_until(until) => {
                    if done {
                        return Continue(watch.finish());
                    }
                    return Break(watch.fail(format!("no end of the turn within {} s", options.patience)));
                }
            }
        }
    }

    async fn hang_up(&mut self, mut ear: Ear) {
        if self.close.is_none() {
            let _ = ear.orders.send(Order::Say(json!({"type": "session.end"}))).await;
            let goodbye = async {
                while let Some(Ok(message)) = ear.stream.next().await {
                    match message {
                        Message::Close(frame) => return Some(frame.map_or(0, |frame| frame.code.into())),
                        Message::Text(text) => {
                            self.note(&mut ear, &text);
                        }
                        _ => {}
                    }
                }
                Some(0)
            };
            let code = timeout_at(Instant::now() + GOODBYE, goodbye).await;
            self.close = code.unwrap_or_default();
            if self.close != Some(1000) && self.failure.is_none() {
                self.failure = Some(format!("session.end was answered with {:?}, not 1000", self.close));
            }
        }
        drop(ear.orders);
        self.lateness = ear.mouth.await.unwrap_or_default();
    }

    /// Notes what concerns the whole call and gives the event.
    fn note(&mut self, ear: &mut Ear, text: &str) -> Value {
        let event: Value = serde_json::from_str(text).unwrap_or_default();
        let seq = event["seq"].as_u64().unwrap_or_default();
        self.seq_gaps += u32::from(seq != ear.last_seq + 1);
        ear.last_seq = seq;
        if event["type"] == "error" {
            self.note_error(&event);
        }
        event
    }

    fn note_error(&mut self, event: &Value) -> String {
        let code = event["code"].as_str().unwrap_or("without a code").to_owned();
        *self.errors.entry(code.clone()).or_default() += 1;
        code
    }
}

async fn close_code(stream: &mut SplitStream<Socket>) -> Option<u16> {
    while let Some(Ok(message)) = stream.next().await {
        if let Message::Close(frame) = message {
            return frame.map(|frame| frame.code.into());
        }
    }
    None
}

fn engines(ready: &Value) -> String {
    let name = |role: &str| {
        let engine = &ready["engines"][role];
        let text = |field: &str| engine[field].as_str().unwrap_or("?").to_owned();
        let demo = if engine["demo"] == true { " (demo)" } else { "" };
        format!("{role} {}/{}{demo}", text("engine"), text("model"))
    };
    ["vad", "asr", "llm", "tts"].map(name).join(", ")
}

/// The reading side of a call.
struct Ear {
    stream: SplitStream<Socket>,
    /// Sixteen orders wait at most; then the ear waits for the mouth, which is the connection's own pace.
    orders: mpsc::Sender<Order>,
    mouth: tokio::task::JoinHandle<Spread>,
    last_seq: u64,
}

enum Order {
    /// Say the recording; the answer is when its first sample counts as spoken.
    Speak(oneshot::Sender<Instant>),
    Say(Value),
}

/// The mouth; gives how late each frame was when the connection could have taken it.
async fn speak(
    mut sink: SplitSink<Socket, Message>,
    mut orders: mpsc::Receiver<Order>,
    recording: Arc<Recording>,
) -> Spread {
    let mut lateness = Spread::default();
    // A frame can be sent when its last sample has been spoken.
    let mut due = Instant::now() + FRAME;
    let mut next = usize::MAX;
    loop {
        let sent = tokio::select! {
            biased;
            order = orders.recv() => match order {
                None => return lateness,
                Some(Order::Say(event)) => sink.send(Message::text(event.to_string())).await,
                Some(Order::Speak(answer)) => {
                    next = 0;
                    let _ = answer.send(due.checked_sub(FRAME).unwrap_or(due));
                    Ok(())
                }
            },
            () = sleep_until(due) => {
                lateness.add(due.elapsed());
                due += FRAME;
                let frame = recording.frame(next);
                next = next.saturating_add(1);
                sink.send(Message::binary(frame)).await
            }
        };
        if sent.is_err() {
            return lateness;
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::{
        fake::{self, Habit},
        recording::tests::tone,
        report::Report,
        tally::{Counts, Tally},
    };

    async fn tally(habit: Habit, flags: &[&str]) -> (Tally, String) {
        let url = fake::server(habit).await;
        let options = ["loadtest", "--file", "tone.wav", "--url", &url];
        let options = Options::try_parse_from(options.iter().chain(flags)).expect("known flags");
        let recording = Recording::new("tone.wav".into(), 16_000, &tone(16_000, 300)).expect("it is loud");
        let recording = Arc::new(recording);
        let tally = Tally::of(&run(&options, &recording).await);
        let report = Report { options: &options, recording: &recording, tally: &tally };
        let json = report.json();
        assert_eq!(json["turns"], tally.turns);
        let table = report.table();
        (tally, table)
    }

    #[tokio::test]
    async fn callers_are_answered_turn_by_turn() {
        let (tally, table) = tally(Habit::Answers, &["--callers", "3", "--turns", "2", "--ramp-ms", "30"]).await;
        assert_eq!(tally.failures(false), BTreeMap::new(), "{table}");
        assert_eq!((tally.turns, tally.ready.len()), (6, 3));
        for spread in [&tally.first_partial, &tally.last_final, &tally.first_text, &tally.first_audio] {
            assert_eq!(spread.len(), 6);
        }
        // Five frames of silence, and the recording's speech ends on a frame.
        assert!(tally.last_final.percentile(0.0) >= 90.0, "{table}");
        assert_eq!(tally.server["first_audio_ms"].len(), 6);
        assert_eq!(tally.closes, BTreeMap::from([(1000, 3)]));
        assert_eq!(tally.counts.seq_gaps + tally.counts.chunks_out_of_order + tally.counts.cut_off, 0);
        assert_eq!(tally.counts.partials, 6);
        assert!(table.contains("asr fake/?") && table.contains("minus 500 ms of silence"), "{table}");
    }

    #[tokio::test]
    async fn a_transcription_ends_with_its_final() {
        let (tally, table) = tally(Habit::Answers, &["--callers", "1", "--mode", "transcribe"]).await;
        assert_eq!((tally.failures(false), tally.turns), (BTreeMap::new(), 1), "{table}");
        assert!(!table.contains("first audio"), "{table}");
    }

    #[tokio::test]
    async fn a_full_server_refuses_and_that_is_told_apart() {
        let (tally, table) = tally(Habit::Full, &["--callers", "2"]).await;
        assert_eq!(tally.refused.len(), 2);
        assert_eq!(tally.errors["overloaded"], 2);
        assert_eq!(tally.closes, BTreeMap::from([(1013, 2)]));
        assert_eq!((tally.failures(true).len(), tally.failures(false).len()), (0, 1), "{table}");
        assert_eq!(tally.counts, Counts::default());
    }

    #[tokio::test]
    async fn a_server_that_dies_or_goes_mute_is_a_failure() {
        let (dead, table) = tally(Habit::Dies, &["--callers", "1"]).await;
        assert_eq!(dead.failures(true).len(), 1, "{table}");
        assert!(table.contains("cut off in mid-turn"), "{table}");
        let (mute, table) = tally(Habit::Mute, &["--callers", "1", "--patience", "0"]).await;
        assert_eq!(mute.failures(true).into_keys().collect::<Vec<_>>(), ["no end of the turn within 0 s"], "{table}");
    }

    #[tokio::test]
    async fn nobody_there_and_the_limit_are_failures_too() {
        let options = ["loadtest", "--file", "x", "--url", "ws://127.0.0.1:1/ws", "--callers", "1"];
        let options = Options::try_parse_from(options).expect("known flags");
        let recording = Recording::new("tone.wav".into(), 16_000, &tone(16_000, 300)).expect("it is loud");
        let recording = Arc::new(recording);
        let nobody = Tally::of(&run(&options, &recording).await);
        assert!(nobody.failures(true).keys().all(|failure| failure.starts_with("cannot connect")));
        let (late, table) = tally(Habit::Mute, &["--callers", "1", "--limit", "1"]).await;
        assert_eq!(late.failures(true).len(), 1, "{table}");
        assert!(table.contains("--limit"), "{table}");
    }
}
