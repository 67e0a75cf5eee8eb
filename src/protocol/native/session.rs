//! One socket of the native protocol, from its first event to its close code.

mod listen;
mod tell;

use std::{sync::Arc, time::Duration};

use axum::extract::ws::{Message, WebSocket};
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use self::{
    listen::{Asked, Listener},
    tell::Teller,
};
use super::{
    frames::Microphone,
    routes::NativeSettings,
    translate::{self, Format, Offer},
    wire::{ClientEvent, Incoming, ServerEvent, SessionClosed},
};
use crate::{
    account::Identity,
    audio::Encoding,
    conversation::{
        hub::{Attachment, Hub},
        message::CloseReason,
    },
    measure::{self, Ongoing},
    model::SessionId,
    protocol::{
        caller::Caller,
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

/// Serves `socket` of `identity` until it ends. `waiting` is given back once a session has started.
pub async fn serve(server: Server, identity: Identity, socket: WebSocket, waiting: OwnedSemaphorePermit) {
    let _open = Ongoing::new(metrics::gauge!(measure::CONNECTIONS, "protocol" => "native"));
    let (mut reader, mut writer) = socket::split(socket, &server.settings.socket, Some(server.settings.start_within));
    let opened = tokio::select! {
        opened = open(&server, &identity, &mut reader, &mut writer) => opened,
        () = server.shutdown.cancelled() => Err(Some(Parting::new(ApiError::shutting_down(), close::GOING_AWAY))),
    };
    drop(waiting);
    match opened {
        Ok(session) => {
            // From here on the session knows better than the socket whether anything happens.
            reader.set_idle(None);
            let Attachment { session: id, conversation, .. } = &session.attachment;
            let span = tracing::info_span!("socket", session.id = %id, conversation.id = %conversation);
            session.run(&server, reader, writer).instrument(span).await;
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
async fn open(
    server: &Server,
    identity: &Identity,
    reader: &mut Reader,
    writer: &mut Writer,
) -> Result<Session, Option<Parting>> {
    let settings = &server.settings;
    let patience = patience(server);
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
                let begun = match event {
                    Ok(event) => Session::begin(server, identity, event).await,
                    Err(error) => Err(error),
                };
                match begun {
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
            Code::ShuttingDown => Some(close::SERVICE_RESTART),
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
    TooBig,
    SlowReader,
    Shutdown,
}

impl Session {
    async fn begin(server: &Server, identity: &Identity, event: ClientEvent) -> Result<Self, ApiError> {
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
        let caller = Caller(identity.clone());
        let owner = caller.owner(server.settings.keep_audio);
        let attachment = if let Some(resume) = start.resume {
            let attachment = server.hub.resume(owner.user, resume.session_id, resume.last_seq)?;
            caller.may_begin(attachment.options().mode)?;
            attachment
        } else {
            caller.may_begin(start.options.mode)?;
            server.hub.start(owner, start.options, start.conversation).await?
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
        let Self { attachment, input, output, offer } = self;
        tracing::debug!(resumed = attachment.resumed, "socket attached");
        let (answers, answered) = mpsc::channel(ANSWERS);
        let asked = Asked::default();
        let listener = Listener {
            attachment: &attachment,
            microphone: Microphone::new(input.encoding, input.rate),
            options: attachment.options(),
            offer,
            answers,
            asked: &asked,
        };
        let patience = patience(server);
        let teller = Teller { attachment: &attachment, answers: answered, asked: &asked, output, patience };
        let ending = tokio::select! {
            ending = listener.listen(&mut reader) => ending,
            ending = teller.tell(&mut writer) => ending,
            ending = too_long_in_shutdown(server) => ending,
        };
        tracing::debug!(reason = ?ending, "socket ends");
        say_goodbye(server, ending, attachment, reader, writer).await;
    }
}

/// How long one write may take. The session itself ends when nothing is read for its `slow_reader`; this is for what
/// it cannot see, a last event that does not get out.
fn patience(server: &Server) -> Duration {
    server.hub.settings().driver.slow_reader + Duration::from_secs(1)
}

/// In a shutdown the session tells its end itself; this is for the case that it does not.
async fn too_long_in_shutdown(server: &Server) -> Ending {
    server.shutdown.cancelled().await;
    tokio::time::sleep(GOODBYE).await;
    Ending::Shutdown
}

/// The last events and the close code. Afterwards the session is let go: it is over, or it waits for a resume.
async fn say_goodbye(server: &Server, ending: Ending, attachment: Attachment, reader: Reader, mut writer: Writer) {
    let settings = &server.hub.settings().driver;
    let slow_reader = || Some(ApiError::slow_reader(settings.slow_reader));
    let (error, code, reason) = match ending {
        Ending::Gone => return,
        Ending::Resumed => (None, close::NORMAL, "resumed"),
        Ending::TooBig => {
            let error = ApiError::message_too_big(server.settings.socket.max_message_bytes);
            (Some(error), close::TOO_BIG, "message_too_big")
        }
        Ending::SlowReader => (slow_reader(), close::SLOW_READER, "slow_reader"),
        Ending::Shutdown => (Some(ApiError::shutting_down()), close::GOING_AWAY, "shutting_down"),
        Ending::Over { reason, .. } => match reason {
            CloseReason::ClientEnded => (None, close::NORMAL, "client_ended"),
            CloseReason::Abandoned => (None, close::NORMAL, "abandoned"),
            CloseReason::Idle => (Some(ApiError::idle(settings.idle_timeout)), close::IDLE, "idle"),
            CloseReason::SlowReader => (slow_reader(), close::SLOW_READER, "slow_reader"),
            CloseReason::Revoked => (Some(ApiError::revoked()), close::REVOKED, "revoked"),
            CloseReason::Shutdown => (Some(ApiError::shutting_down()), close::GOING_AWAY, "shutting_down"),
            CloseReason::Restart => (None, close::SERVICE_RESTART, "restart"),
        },
    };
    // `session.closed` is the last event, so an error goes before it and takes its number.
    let (error, closed) = match (error, ending) {
        (Some(error), Ending::Over { seq, reason }) => (Some(error.event(seq)), Some((attachment.take_seq(), reason))),
        (None, Ending::Over { seq, reason }) => (None, Some((seq, reason))),
        (error, _) => (error.map(|error| error.event(attachment.take_seq())), None),
    };
    let closed = closed.map(|(seq, reason)| {
        let goes_on = reason == CloseReason::Restart;
        ServerEvent::SessionClosed(SessionClosed {
            seq,
            session_id: attachment.session,
            reason: reason.into(),
            conversation_id: goes_on.then_some(attachment.conversation),
            retry_after_ms: goes_on.then(|| come_back_after(attachment.session)),
        })
    });
    drop(attachment);
    for event in error.map(ServerEvent::Error).iter().chain(&closed) {
        if write(&mut writer, event, GOODBYE).await.is_err() {
            return;
        }
    }
    socket::farewell(reader, writer, code, reason, GOODBYE).await;
}

/// When the client of a session that ended for a restart should connect again: not all of them at once.
fn come_back_after(session: SessionId) -> u64 {
    let spread = session.uuid().as_bytes().iter().fold(0_u64, |sum, byte| sum * 31 % 1_000 + u64::from(*byte));
    500 + spread % 1_000
}

async fn write(writer: &mut Writer, event: &ServerEvent, patience: Duration) -> Result<(), WriteError> {
    let text = serde_json::to_string(event).expect("events are structs of strings, numbers and lists");
    writer.write(Message::Text(text.into()), patience).await
}
