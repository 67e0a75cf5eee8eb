//! One socket of the protocol, from `session.created` to its close code.
//!
//! Three halves run at once around one [`Conversation`]: one listens to the client, one hands commands to the session,
//! which may be behind, and one tells what there is to tell. So the socket is read, and pings are answered, while the
//! session works through a recording that came at once.

mod shared;

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::ws::{Message, WebSocket},
};
use tokio::time::Instant;
use tracing::Instrument;

use self::shared::Shared;
use super::{
    fault::{Blame, Fault},
    ids::Ids,
    routes::Door,
    session_object::{Config, Offer},
    translate::{Conversation, Setup},
    wire::{Flavour, server::ServerEvent},
};
use crate::{
    conversation::{
        hub::{Attachment, Outgoing, Refused},
        journal::Owner,
        message::{CloseReason, Command, Event},
    },
    measure::{self, Ongoing},
    model::UnixMs,
    protocol::{
        error::ApiError,
        socket::{self, Reader, Received, WriteError, Writer, close},
    },
};

/// How long each of the last words to a socket may take.
const GOODBYE: Duration = Duration::from_secs(2);
/// Closes a socket whose client must not simply come again; what OpenAI's own service does.
const FATAL: u16 = 4000;

/// What a socket begins with.
pub(super) struct Opening {
    pub owner: Owner,
    pub flavour: Flavour,
    pub config: Config,
    pub offer: Offer,
}

/// Why a socket ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Over(CloseReason),
    Gone,
    TooBig,
    SlowReader,
    Expired,
    Shutdown,
    Refused(Refused),
}

/// Serves `socket` until it ends.
pub(super) async fn serve(door: Door, opening: Opening, socket: WebSocket) {
    let _open = Ongoing::new(metrics::gauge!(measure::CONNECTIONS, "protocol" => "realtime"));
    let (reader, writer) = socket::split(socket, &door.settings.socket, None);
    let Opening { owner, flavour, config, offer } = opening;
    let lasts = door.settings.lasts;
    let setup = Setup { flavour, config, offer, expires_at: UnixMs::now().after(lasts).0 / 1_000, ids: Ids::Random };
    let mut conversation = Conversation::new(setup);
    let attachment = match door.hub.start(owner, conversation.options(), None).await {
        Ok(attachment) => attachment,
        Err(refused) => return goodbye(&door, Ending::Refused(refused), conversation, reader, writer).await,
    };
    let events = conversation.hello();
    // Lines of the socket are of its session from here on.
    let Attachment { session, conversation: of, .. } = &attachment;
    let span = tracing::info_span!("socket", session.id = %session, conversation.id = %of);
    talk(&door, attachment, conversation, events, reader, writer, lasts).instrument(span).await;
}

async fn talk(
    door: &Door,
    attachment: Attachment,
    conversation: Conversation,
    events: Vec<ServerEvent>,
    mut reader: Reader,
    mut writer: Writer,
    lasts: Duration,
) {
    tracing::debug!("socket attached");
    let line = Line { attachment: &attachment, shared: Shared::new(conversation, events), patience: patience(door) };
    let ending = tokio::select! {
        ending = line.listen(&mut reader) => ending,
        ending = line.feed() => ending,
        ending = line.tell(&mut writer) => ending,
        () = tokio::time::sleep_until(Instant::now() + lasts) => Ending::Expired,
        ending = too_long_in_shutdown(door) => ending,
    };
    tracing::debug!(reason = ?ending, "socket ends");
    let conversation = line.shared.into_conversation();
    if !matches!(ending, Ending::Over(_)) {
        // Nobody can come back to it: it need not wait. What it still tells is for nobody.
        let _ = tokio::time::timeout(GOODBYE, attachment.send(Command::End)).await;
    }
    drop(attachment);
    goodbye(door, ending, conversation, reader, writer).await;
}

/// The three halves.
struct Line<'a> {
    attachment: &'a Attachment,
    shared: Shared,
    /// How long one write may take.
    patience: Duration,
}

impl Line<'_> {
    async fn listen(&self, reader: &mut Reader) -> Ending {
        loop {
            self.shared.room().await;
            match reader.next().await {
                // The session decides what is idle.
                Received::Gone | Received::Idle => return Ending::Gone,
                Received::TooBig => return Ending::TooBig,
                Received::Binary(bytes) => self.shared.binary(&bytes),
                Received::Text(text) => self.shared.client(&text),
                Received::Hasty { text, wait } => {
                    tokio::time::sleep(wait).await;
                    self.shared.client(&text);
                }
            }
        }
    }

    /// Hands over commands; waits where the session is behind. Its end is told by [`tell`](Self::tell).
    async fn feed(&self) -> Ending {
        loop {
            let command = self.shared.command().await;
            if self.attachment.send(command).await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    async fn tell(&self, writer: &mut Writer) -> Ending {
        loop {
            let written = tokio::select! {
                biased;
                () = writer.ping_due() => writer.ping(self.patience).await,
                event = self.shared.told() => write(writer, &event, self.patience).await,
                outgoing = self.attachment.next() => match outgoing {
                    None => return Ending::Gone,
                    Some(Outgoing { event: Event::Closed { reason, .. }, .. }) => return Ending::Over(reason),
                    Some(Outgoing { event, .. }) => {
                        self.shared.event(event);
                        Ok(())
                    }
                },
            };
            match written {
                Ok(()) => {}
                Err(WriteError::Slow) => return Ending::SlowReader,
                Err(WriteError::Gone) => return Ending::Gone,
            }
        }
    }
}

/// How long one write may take; see the native protocol.
fn patience(door: &Door) -> Duration {
    door.hub.settings().driver.slow_reader + Duration::from_secs(1)
}

/// In a shutdown the session tells its end itself; this is for the case that it does not.
async fn too_long_in_shutdown(door: &Door) -> Ending {
    door.shutdown.cancelled().await;
    tokio::time::sleep(GOODBYE).await;
    Ending::Shutdown
}

/// The last events and the close code. Clients come again after the codes of RFC 6455 that mean "not now".
async fn goodbye(door: &Door, ending: Ending, mut conversation: Conversation, reader: Reader, mut writer: Writer) {
    let driver = &door.hub.settings().driver;
    let server = |code, error: ApiError| {
        let text = format!("{}; {}", error.message, error.hint);
        Some(Fault { blame: Blame::Server, ..Fault::new(code, text) })
    };
    let slow_reader = || (server("slow_reader", ApiError::slow_reader(driver.slow_reader)), close::TRY_AGAIN_LATER);
    let shutting_down = || (server("server_shutting_down", ApiError::shutting_down()), close::GOING_AWAY);
    let (fault, code) = match ending {
        Ending::Gone => return,
        Ending::TooBig => {
            let error = ApiError::message_too_big(door.settings.socket.max_message_bytes);
            (Some(Fault::new("message_too_big", format!("{}; {}", error.message, error.hint))), close::TOO_BIG)
        }
        Ending::SlowReader => slow_reader(),
        Ending::Expired => {
            let minutes = door.settings.lasts.as_secs() / 60;
            let text = format!("Your session hit the maximum duration of {minutes} minutes; connect again.");
            (Some(Fault::new("session_expired", text)), close::GOING_AWAY)
        }
        Ending::Shutdown | Ending::Refused(Refused::ShuttingDown) => shutting_down(),
        Ending::Refused(refused) => (server("server_overloaded", refused.into()), close::TRY_AGAIN_LATER),
        Ending::Over(reason) => match reason {
            CloseReason::ClientEnded | CloseReason::Abandoned => (None, close::NORMAL),
            CloseReason::Idle => {
                let error = ApiError::idle(driver.idle_timeout);
                (Some(Fault::new("session_idle", format!("{}; {}", error.message, error.hint))), close::GOING_AWAY)
            }
            CloseReason::SlowReader => slow_reader(),
            CloseReason::Revoked => (Some(Fault::new("session_revoked", ApiError::revoked().message)), FATAL),
            CloseReason::Shutdown | CloseReason::Restart => shutting_down(),
        },
    };
    let reason = match (code, fault.as_ref().and_then(|fault| fault.code)) {
        (FATAL, _) => "invalid_request_error.session_revoked",
        (_, code) => code.unwrap_or("closed"),
    };
    for event in conversation.over(fault) {
        if write(&mut writer, &event, GOODBYE).await.is_err() {
            return;
        }
    }
    socket::farewell(reader, writer, code, reason, GOODBYE).await;
}

async fn write(writer: &mut Writer, event: &ServerEvent, patience: Duration) -> Result<(), WriteError> {
    writer.write(Message::Text(event.json().into()), patience).await
}

impl Shared {
    fn binary(&self, _: &Bytes) {
        self.refuse(Fault::new("invalid_event", "binary frames are not read; send one JSON object per text frame"));
    }
}
