//! The telling half of a socket: the session's events, the answers of the listening half, and pings.

use std::time::Duration;

use axum::extract::ws::Message;
use tokio::sync::mpsc;

use super::{
    Ending,
    listen::{Answer, Asked},
    write,
};
use crate::{
    audio::Encoding,
    conversation::{
        hub::{Attachment, Outgoing},
        message::Event,
    },
    protocol::{
        error::ErrorEvent,
        native::{
            translate::{self, Frame},
            wire::ServerEvent,
        },
        socket::{WriteError, Writer},
    },
};

/// See the module.
pub(super) struct Teller<'a> {
    pub attachment: &'a Attachment,
    pub answers: mpsc::Receiver<Answer>,
    pub asked: &'a Asked,
    pub output: Encoding,
    /// How long one write may take.
    pub patience: Duration,
}

impl Teller<'_> {
    /// Tells until the session is over or the socket ends. Numbers are taken in the order of writing, here alone.
    pub(super) async fn tell(mut self, writer: &mut Writer) -> Ending {
        loop {
            let written = tokio::select! {
                biased;
                () = writer.ping_due() => writer.ping(self.patience).await,
                Some(answer) = self.answers.recv() => self.answer(writer, answer).await,
                outgoing = self.attachment.next() => match outgoing {
                    None => return Ending::Resumed,
                    Some(Outgoing { seq, event: Event::Closed { reason, .. } }) => return Ending::Over { seq, reason },
                    Some(outgoing) => self.event(writer, outgoing).await,
                },
            };
            match written {
                Ok(()) => {}
                Err(WriteError::Slow) => return Ending::SlowReader,
                Err(WriteError::Gone) => return Ending::Gone,
            }
        }
    }

    async fn answer(&self, writer: &mut Writer, answer: Answer) -> Result<(), WriteError> {
        let seq = self.attachment.take_seq();
        let event = match answer {
            Answer::Error { error, in_reply_to } => ServerEvent::Error(ErrorEvent { in_reply_to, ..error.event(seq) }),
            Answer::Updated(options) => translate::updated(seq, &options),
        };
        write(writer, &event, self.patience).await
    }

    async fn event(&self, writer: &mut Writer, outgoing: Outgoing) -> Result<(), WriteError> {
        match translate::event(outgoing, self.output) {
            None => Ok(()),
            Some(Frame::Audio(bytes)) => writer.write(Message::Binary(bytes.into()), self.patience).await,
            Some(Frame::Text(mut event)) => {
                if let ServerEvent::Error(error) = &mut *event {
                    error.in_reply_to = self.asked.refused(error.code);
                }
                write(writer, &event, self.patience).await
            }
        }
    }
}
