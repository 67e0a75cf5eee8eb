//! One socket of the native protocol, from its first event to its close code.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::extract::ws::{Message, WebSocket};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::sync::CancellationToken;

use super::{
    frames::Microphone,
    routes::NativeSettings,
    translate::{self, Format, Frame, Offer},
    wire::{self, ClientEvent, Incoming, ServerEvent},
};
use crate::{
    audio::Encoding,
    conversation::{
        hub::{Attachment, Commands, Hub, Outgoing},
        message::{CloseReason, Command, Event, SessionOptions},
    },
    protocol::{
        error::{ApiError, Code, ErrorEvent},
        socket::{self, Reader, Received, WriteError, Writer, close},
    },
};

/// How long each of the last words to a socket may take.
const GOODBYE: Duration = Duration::from_secs(2);
/// Answers of the listening half that wait for the telling one. Full: listening waits, so who sends faults and does
/// not read the answers is not read either.
const ANSWERS: usize = 16;

/// What a socket needs of its server.
#[derive(Clone)]
pub struct Server {
    pub hub: Hub,
    pub settings: Arc<NativeSettings>,
    pub shutdown: CancellationToken,
}

/// Serves `socket` until it ends. `waiting` is given back once a session has started.
pub async fn serve(server: Server, socket: WebSocket, waiting: OwnedSemaphorePermit) {
    let (mut reader, mut writer) = socket::split(socket, &server.settings.socket, server.settings.start_within);
    let opened = tokio::select! {
        opened = open(&server, &mut reader, &mut writer) => opened,
        () = server.shutdown.cancelled() => Err(Some(Parting::new(ApiError::shutting_down(), close::GOING_AWAY))),
    };
    drop(waiting);
    match opened {
        Ok(session) => {
            reader.set_idle(server.hub.settings().idle_timeout);
            session.run(&server, reader, writer).await;
        }
        Err(Some(Parting { event, code })) => {
            let reason = event.code.name();
            if write(&mut writer, &ServerEvent::Error(event), GOODBYE).await.is_ok() {
                socket::farewell(reader, writer, code, reason, GOODBYE).await;
            }
        }
        Err(None) => {}
    }
}

/// An error after which the socket closes.
struct Parting {
    event: ErrorEvent,
    code: u16,
}

impl Parting {
    /// Before there is a session nothing is numbered.
    fn new(error: ApiError, code: u16) -> Self {
        Self { event: error.event(0), code }
    }
}

/// Waits for a `session.start` that can be followed, and answers it. `Err(None)`: the socket is gone.
async fn open(server: &Server, reader: &mut Reader, writer: &mut Writer) -> Result<Session, Option<Parting>> {
    let settings = &server.settings;
    let patience = server.hub.settings().slow_reader;
    let mut told_of_audio = false;
    loop {
        let (in_reply_to, error) = match reader.next().await {
            Received::Gone => return Err(None),
            Received::Idle => return Err(Some(Parting::new(ApiError::idle(settings.start_within), close::IDLE))),
            Received::TooBig => {
                let error = ApiError::message_too_big(settings.socket.max_message_bytes);
                return Err(Some(Parting::new(error, close::TOO_BIG)));
            }
            // One answer is enough for a stream of frames.
            Received::Binary(_) if told_of_audio => continue,
            Received::Binary(_) => {
                told_of_audio = true;
                (None, not_started())
            }
            Received::Hasty { text, wait } => (ClientEvent::parse(&text).id, ApiError::rate_limited(wait)),
            Received::Text(text) => {
                let Incoming { id, event } = ClientEvent::parse(&text);
                match event.and_then(|event| Session::begin(server, event)) {
                    Ok(session) => {
                        let written = write(writer, &session.ready(server), patience).await;
                        return written.map(|()| session).map_err(|_| None);
                    }
                    Err(error) => (id, error),
                }
            }
        };
        let closes = match error.code {
            Code::Overloaded => Some(close::TRY_AGAIN_LATER),
            Code::ShuttingDown => Some(close::GOING_AWAY),
            _ => None,
        };
        let event = ErrorEvent { in_reply_to, ..error.event(0) };
        if let Some(code) = closes {
            return Err(Some(Parting { event, code }));
        }
        if write(writer, &ServerEvent::Error(event), patience).await.is_err() {
            return Err(None);
        }
    }
}

fn not_started() -> ApiError {
    ApiError::new(Code::NotStarted, "there is no session yet", "send session.start first")
}

/// A started session on its socket.
struct Session {
    attachment: Attachment,
    input: Format,
    output: Encoding,
    offer: Offer,
}

/// Why a socket ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// The session is over; its last event has this number.
    Over {
        seq: u64,
        reason: CloseReason,
    },
    /// Another socket resumed the session.
    Resumed,
    Gone,
    Idle,
    TooBig,
    SlowReader,
    Shutdown,
}

impl From<WriteError> for Ending {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Slow => Self::SlowReader,
            WriteError::Gone => Self::Gone,
        }
    }
}

/// What the listening half wants told.
enum Answer {
    Error { error: ApiError, in_reply_to: Option<String> },
    Updated(Box<SessionOptions>),
}

/// The client's names for the requests whose failure only the session finds.
#[derive(Default)]
struct Asked {
    commit: Option<String>,
    cancel: Option<String>,
}

impl Session {
    fn begin(server: &Server, event: ClientEvent) -> Result<Self, ApiError> {
        let ClientEvent::SessionStart(event) = event else {
            return Err(not_started());
        };
        let engines = server.hub.engines();
        let offer = Offer {
            defaults: server.settings.defaults.clone(),
            languages: engines.recognizer.info().languages,
            voices: engines.speech.voices(),
            max_text_chars: server.settings.max_text_chars,
        };
        let start = translate::start(*event, &offer)?;
        let attachment = match start.resume {
            Some(resume) => server.hub.resume(resume.session_id, resume.last_seq)?,
            None => server.hub.start(start.options, start.conversation)?,
        };
        Ok(Self { attachment, input: start.input, output: start.output, offer })
    }

    fn ready(&self, server: &Server) -> ServerEvent {
        let settings = &server.settings;
        let limits =
            translate::limits(server.hub.settings(), settings.socket.max_message_bytes, settings.max_text_chars);
        translate::ready(&self.attachment, self.input, self.output, server.hub.engines(), limits)
    }

    async fn run(self, server: &Server, mut reader: Reader, mut writer: Writer) {
        let Self { mut attachment, input, output, offer } = self;
        let session = attachment.session;
        tracing::info!(session.id = %session, resumed = attachment.resumed, "socket attached");
        let patience = server.hub.settings().slow_reader;
        let (answers, mut answered) = mpsc::channel(ANSWERS);
        let asked = Mutex::new(Asked::default());
        let ears = Ears {
            microphone: Microphone::new(input.encoding, input.rate),
            commands: attachment.commands(),
            options: attachment.options.clone(),
            offer,
            answers,
            asked: &asked,
        };
        let ending = tokio::select! {
            ending = ears.listen(&mut reader) => ending,
            ending = tell(&mut writer, &mut attachment, &mut answered, &asked, output, patience) => ending,
            () = server.shutdown.cancelled() => Ending::Shutdown,
        };
        tracing::info!(session.id = %session, ?ending, "socket ends");
        say_goodbye(server, ending, attachment, reader, writer).await;
    }
}

/// The listening half of a socket.
struct Ears<'a> {
    microphone: Microphone,
    commands: Commands,
    /// In effect, as far as this socket asked.
    options: SessionOptions,
    offer: Offer,
    answers: mpsc::Sender<Answer>,
    asked: &'a Mutex<Asked>,
}

/// The session or the other half has ended; that half says how.
struct Over;

impl Ears<'_> {
    async fn listen(mut self, reader: &mut Reader) -> Ending {
        loop {
            let heard = match reader.next().await {
                Received::Gone => return Ending::Gone,
                Received::Idle => return Ending::Idle,
                Received::TooBig => return Ending::TooBig,
                Received::Binary(bytes) => self.audio(&bytes).await,
                Received::Hasty { text, wait } => {
                    self.answer_error(ClientEvent::parse(&text).id, ApiError::rate_limited(wait)).await
                }
                Received::Text(text) => {
                    let Incoming { id, event } = ClientEvent::parse(&text);
                    match event.and_then(|event| self.translate(event)) {
                        Ok(followed) => self.follow(followed).await,
                        Err(error) => self.answer_error(id, error).await,
                    }
                }
            };
            if heard.is_err() {
                return std::future::pending().await;
            }
        }
    }

    async fn audio(&mut self, bytes: &[u8]) -> Result<(), Over> {
        for command in self.microphone.hear(bytes) {
            // Waits while the session is behind; meanwhile the socket is not read and the client slows down.
            self.commands.send(command).await.map_err(|_| Over)?;
        }
        Ok(())
    }

    fn translate(&mut self, event: ClientEvent) -> Result<Command, ApiError> {
        Ok(match event {
            ClientEvent::SessionStart(_) => {
                return Err(ApiError::new(
                    Code::AlreadyStarted,
                    "the session has started",
                    "change it with session.update, or open another socket",
                ));
            }
            ClientEvent::SessionUpdate(event) => {
                self.options = translate::update(*event, &self.options, &self.offer)?;
                Command::Update(Box::new(self.options.clone()))
            }
            ClientEvent::AudioCommit(event) => {
                self.asked.lock().unwrap_or_else(PoisonError::into_inner).commit = event.id;
                Command::Commit
            }
            ClientEvent::AudioClear(_) => Command::Clear,
            ClientEvent::TextSend(event) => translate::text(event, self.offer.max_text_chars)?,
            ClientEvent::ReplyCancel(event) => {
                self.asked.lock().unwrap_or_else(PoisonError::into_inner).cancel = event.id;
                Command::Cancel(event.turn)
            }
            ClientEvent::PlaybackAck(event) => Command::Played { turn: event.turn, played_ms: event.played_ms },
            ClientEvent::SessionEnd(_) => Command::End,
        })
    }

    async fn follow(&self, command: Command) -> Result<(), Over> {
        let updated = match &command {
            Command::Update(options) => Some(Answer::Updated(options.clone())),
            _ => None,
        };
        self.commands.send(command).await.map_err(|_| Over)?;
        match updated {
            Some(answer) => self.answers.send(answer).await.map_err(|_| Over),
            None => Ok(()),
        }
    }

    async fn answer_error(&self, in_reply_to: Option<String>, error: ApiError) -> Result<(), Over> {
        self.answers.send(Answer::Error { error, in_reply_to }).await.map_err(|_| Over)
    }
}

/// The telling half of a socket: the session's events, the answers of the listening half, and pings.
async fn tell(
    writer: &mut Writer,
    attachment: &mut Attachment,
    answers: &mut mpsc::Receiver<Answer>,
    asked: &Mutex<Asked>,
    output: Encoding,
    patience: Duration,
) -> Ending {
    // An answer has taken its number and waits for the session's events with lower ones.
    let mut held: Option<(u64, ServerEvent)> = None;
    loop {
        let outgoing = tokio::select! {
            biased;
            () = writer.ping_due() => match writer.ping(patience).await {
                Ok(()) => continue,
                Err(error) => return error.into(),
            },
            Some(answer) = answers.recv(), if held.is_none() => {
                let seq = attachment.take_seq();
                held = Some((seq, numbered(answer, seq)));
                continue;
            }
            outgoing = attachment.next() => match outgoing {
                Some(outgoing) => Some(outgoing),
                None => return Ending::Resumed,
            },
            () = std::future::ready(()), if held.is_some() => None,
        };
        let due = outgoing.as_ref().is_none_or(|outgoing| held.as_ref().is_some_and(|(seq, _)| outgoing.seq > *seq));
        if due
            && let Some((_, event)) = held.take()
            && let Err(error) = write(writer, &event, patience).await
        {
            return error.into();
        }
        let Some(outgoing) = outgoing else { continue };
        if let Event::Closed { reason, .. } = outgoing.event {
            return Ending::Over { seq: outgoing.seq, reason };
        }
        if let Err(error) = write_outgoing(writer, outgoing, asked, output, patience).await {
            return error.into();
        }
    }
}

fn numbered(answer: Answer, seq: u64) -> ServerEvent {
    match answer {
        Answer::Error { error, in_reply_to } => ServerEvent::Error(ErrorEvent { in_reply_to, ..error.event(seq) }),
        Answer::Updated(options) => translate::updated(seq, &options),
    }
}

async fn write_outgoing(
    writer: &mut Writer,
    outgoing: Outgoing,
    asked: &Mutex<Asked>,
    output: Encoding,
    patience: Duration,
) -> Result<(), WriteError> {
    match translate::event(outgoing, output) {
        None => Ok(()),
        Some(Frame::Audio(bytes)) => writer.write(Message::Binary(bytes.into()), patience).await,
        Some(Frame::Text(mut event)) => {
            if let ServerEvent::Error(error) = &mut *event {
                let mut asked = asked.lock().unwrap_or_else(PoisonError::into_inner);
                match error.code {
                    Code::NothingToCommit => error.in_reply_to = asked.commit.take(),
                    Code::NothingToCancel => error.in_reply_to = asked.cancel.take(),
                    _ => {}
                }
            }
            write(writer, &event, patience).await
        }
    }
}

/// The last events and the close code. Afterwards the session is let go: it waits for a resume, or it is over.
async fn say_goodbye(server: &Server, ending: Ending, attachment: Attachment, reader: Reader, mut writer: Writer) {
    let settings = server.hub.settings();
    let (error, closed, code, reason) = match ending {
        Ending::Gone => return,
        Ending::Resumed => (None, None, close::NORMAL, "resumed"),
        Ending::TooBig => {
            let error = ApiError::message_too_big(server.settings.socket.max_message_bytes);
            (Some(error), None, close::TOO_BIG, "message_too_big")
        }
        Ending::Over { reason: reason @ CloseReason::ClientEnded, .. } => {
            (None, Some(reason), close::NORMAL, "client_ended")
        }
        Ending::Over { reason: reason @ CloseReason::Abandoned, .. } => {
            (None, Some(reason), close::NORMAL, "abandoned")
        }
        Ending::Idle | Ending::Over { reason: CloseReason::Idle, .. } => {
            (Some(ApiError::idle(settings.idle_timeout)), Some(CloseReason::Idle), close::IDLE, "idle")
        }
        // Found at the socket, the session stays to be resumed.
        Ending::SlowReader => {
            (Some(ApiError::slow_reader(settings.slow_reader)), None, close::SLOW_READER, "slow_reader")
        }
        Ending::Over { reason: CloseReason::SlowReader, .. } => (
            Some(ApiError::slow_reader(settings.slow_reader)),
            Some(CloseReason::SlowReader),
            close::SLOW_READER,
            "slow_reader",
        ),
        Ending::Shutdown | Ending::Over { reason: CloseReason::Shutdown, .. } => {
            (Some(ApiError::shutting_down()), Some(CloseReason::Shutdown), close::GOING_AWAY, "shutting_down")
        }
    };
    if ending == Ending::Idle {
        // Nobody is there: there is nothing to keep for a resume. If the session is gone or stuck, so be it.
        let _ = tokio::time::timeout(GOODBYE, attachment.commands().send(Command::End)).await;
    }
    let mut numbers = match ending {
        Ending::Over { seq, .. } => Some(seq),
        _ => None,
    };
    let mut next_seq = || numbers.take().unwrap_or_else(|| attachment.take_seq());
    let error = error.map(|error| ServerEvent::Error(error.event(next_seq())));
    let closed = closed.map(|reason| ServerEvent::SessionClosed {
        seq: next_seq(),
        session_id: attachment.session,
        reason: wire::CloseReason::from(reason),
    });
    drop(attachment);
    for event in error.iter().chain(&closed) {
        if write(&mut writer, event, GOODBYE).await.is_err() {
            return;
        }
    }
    socket::farewell(reader, writer, code, reason, GOODBYE).await;
}

async fn write(writer: &mut Writer, event: &ServerEvent, patience: Duration) -> Result<(), WriteError> {
    let text = serde_json::to_string(event).expect("events are structs of strings, numbers and lists");
    writer.write(Message::Text(text.into()), patience).await
}
