//! The listening half of a socket: what the client says becomes commands; what cannot be followed is answered.

use std::sync::{Mutex, PoisonError};

use tokio::sync::mpsc;

use super::Ending;
use crate::{
    conversation::{
        hub::Attachment,
        message::{Command, SessionOptions},
    },
    protocol::{
        error::{ApiError, Code},
        native::{
            frames::Microphone,
            translate::{self, Offer},
            wire::{ClientEvent, Incoming},
        },
        socket::{Reader, Received},
    },
};

/// What the listening half wants told.
pub(super) enum Answer {
    Error { error: ApiError, in_reply_to: Option<String> },
    Updated(Box<SessionOptions>),
}

/// The client's names for the requests whose failure only the session finds; the latest of each.
#[derive(Default)]
pub(super) struct Asked(Mutex<AskedInner>);

#[derive(Default)]
struct AskedInner {
    commit: Option<String>,
    cancel: Option<String>,
}

impl Asked {
    fn note(&self, event: &ClientEvent) {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            ClientEvent::AudioCommit(event) => asked.commit.clone_from(&event.id),
            ClientEvent::ReplyCancel(event) => asked.cancel.clone_from(&event.id),
            _ => {}
        }
    }

    /// Which request the session refused with `code`.
    pub(super) fn refused(&self, code: Code) -> Option<String> {
        let mut asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match code {
            Code::NothingToCommit => asked.commit.take(),
            Code::NothingToCancel => asked.cancel.take(),
            _ => None,
        }
    }
}

/// See the module.
pub(super) struct Listener<'a> {
    pub attachment: &'a Attachment,
    pub microphone: Microphone,
    /// In effect, as far as is known here.
    pub options: SessionOptions,
    pub offer: Offer,
    pub answers: mpsc::Sender<Answer>,
    pub asked: &'a Asked,
}

/// The session has ended, or the telling half; that one says how.
struct Over;

impl Listener<'_> {
    /// Listens until the socket ends. When the session does, this waits for its last event to be told.
    pub(super) async fn listen(mut self, reader: &mut Reader) -> Ending {
        loop {
            let heard = match reader.next().await {
                // Once a session runs, it decides what is idle; the reader has been told.
                Received::Gone | Received::Idle => return Ending::Gone,
                Received::TooBig => return Ending::TooBig,
                Received::Binary(bytes) => self.hear(&bytes).await,
                Received::Hasty { text, wait } => {
                    self.refuse(ClientEvent::parse(&text).id, ApiError::rate_limited(wait)).await
                }
                Received::Text(text) => self.read(&text).await,
            };
            if heard.is_err() {
                return std::future::pending().await;
            }
        }
    }

    async fn hear(&mut self, bytes: &[u8]) -> Result<(), Over> {
        for command in self.microphone.hear(bytes) {
            // Waits while the session is behind; meanwhile the socket is not read and the client slows down.
            self.attachment.send(command).await.map_err(|_| Over)?;
        }
        Ok(())
    }

    async fn read(&mut self, text: &str) -> Result<(), Over> {
        let Incoming { id, event } = ClientEvent::parse(text);
        let command = match event.and_then(|event| self.translate(event)) {
            Ok(command) => command,
            Err(error) => return self.refuse(id, error).await,
        };
        let answer = match &command {
            Command::Update(options) => Some(Answer::Updated(options.clone())),
            _ => None,
        };
        self.attachment.send(command).await.map_err(|_| Over)?;
        match answer {
            Some(answer) => self.answers.send(answer).await.map_err(|_| Over),
            None => Ok(()),
        }
    }

    fn translate(&mut self, event: ClientEvent) -> Result<Command, ApiError> {
        self.asked.note(&event);
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
            ClientEvent::AudioCommit(_) => Command::Commit { respond: true },
            ClientEvent::AudioClear(_) => Command::Clear,
            ClientEvent::TextSend(event) => translate::text(event, self.offer.max_text_chars)?,
            ClientEvent::ReplyCancel(event) => Command::Cancel(event.turn),
            ClientEvent::PlaybackAck(event) => Command::Played { turn: event.turn, played_ms: event.played_ms },
            ClientEvent::SessionEnd(_) => Command::End,
        })
    }

    async fn refuse(&self, in_reply_to: Option<String>, error: ApiError) -> Result<(), Over> {
        self.answers.send(Answer::Error { error, in_reply_to }).await.map_err(|_| Over)
    }
}
