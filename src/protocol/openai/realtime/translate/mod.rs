//! The translation: a client's events and what the session tells go in, the session's commands and the server's events
//! come out. Pure: no socket, no clock, and in tests no chance either.
//!
//! [`inward`](self) handles what the client asks, [`speech`](self) the person's utterances, [`reply`](self) responses.
//! What the session refuses is told under the client's own name for the event, which its tag leads back to.

mod ask;
mod create;
mod inward;
mod reply;
mod speech;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use self::{ask::Asked, speech::Utterance};
use super::{
    fault::Fault,
    ids::Ids,
    items::{Item, Items},
    response::Response,
    session_object::{Config, Format, Offer, SessionKind},
    wire::{
        Flavour,
        client::ClientEvent,
        server::{self, Body, Kind, ServerEvent},
    },
};
use crate::{
    audio::Decoder,
    conversation::message::{CancelReason, Command, Event, SessionOptions},
};

/// What a connection begins with.
#[derive(Debug)]
pub struct Setup {
    pub flavour: Flavour,
    pub config: Config,
    pub offer: Offer,
    /// When the session expires, in Unix seconds.
    pub expires_at: i64,
    pub ids: Ids,
}

/// One connection's conversation; see the module.
#[derive(Debug)]
pub struct Conversation {
    flavour: Flavour,
    config: Config,
    offer: Offer,
    expires_at: i64,
    ids: Ids,
    session_id: String,
    /// The id of the conversation.
    name: String,

    items: Items,
    responses: Vec<Response>,
    utterances: VecDeque<Utterance>,
    /// Tags of the clearings that the session has not followed yet.
    clearing: VecDeque<u64>,
    /// Commands whose answer carries their tag.
    asked: VecDeque<(u64, Asked)>,
    last_tag: u64,
    last_given: u64,

    decoder: Decoder,
    /// Sound appended so far, and up to where it belongs to what was committed, both in samples at 24 kHz.
    appended: u64,
    claimed: u64,
    /// The assistant has been heard.
    spoken: bool,
    /// Sound or items have come.
    begun: bool,
    /// The client truncated the running response, which ends it: cancelling it as well is no mistake.
    cut_short: bool,

    commands: Vec<Command>,
    events: Vec<ServerEvent>,
}

impl Conversation {
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        let Setup { flavour, config, offer, expires_at, mut ids } = setup;
        Self {
            session_id: ids.fresh("sess"),
            name: ids.fresh("conv"),
            decoder: decoder(config.input),
            flavour,
            config,
            offer,
            expires_at,
            ids,
            items: Items::default(),
            responses: Vec::new(),
            utterances: VecDeque::new(),
            clearing: VecDeque::new(),
            asked: VecDeque::new(),
            last_tag: 0,
            last_given: 0,
            appended: 0,
            claimed: 0,
            spoken: false,
            begun: false,
            cut_short: false,
            commands: Vec::new(),
            events: Vec::new(),
        }
    }

    /// What the core begins with.
    #[must_use]
    pub fn options(&self) -> SessionOptions {
        self.config.options(&self.offer)
    }

    /// The first events.
    pub fn hello(&mut self) -> Vec<ServerEvent> {
        self.tell_session(Kind::SessionCreated, Kind::TranscriptionCreated);
        if self.config.kind == SessionKind::Realtime {
            let conversation = server::Conversation { id: self.name.clone(), object: "realtime.conversation" };
            self.tell(Kind::ConversationCreated, Body::Conversation { conversation });
        }
        std::mem::take(&mut self.events)
    }

    /// Takes a text frame of the client.
    pub fn client(&mut self, text: &str) -> (Vec<Command>, Vec<ServerEvent>) {
        let incoming = ClientEvent::parse(text);
        let followed = incoming.event.and_then(|event| self.follow(event, incoming.event_id.as_ref()));
        if let Err(fault) = followed {
            self.tell_fault(fault, incoming.event_id);
        }
        (std::mem::take(&mut self.commands), std::mem::take(&mut self.events))
    }

    /// Takes what the session tells. [`Event::Closed`] is the socket's business.
    pub fn event(&mut self, event: Event) -> Vec<ServerEvent> {
        match event {
            Event::SpeechStarted { turn, at_ms } => self.speech_started(turn, at_ms),
            Event::SpeechStopped { turn, until_ms, .. } => self.speech_stopped(turn, until_ms),
            Event::Partial { turn, stable, .. } => self.partial(turn, &stable),
            Event::Final { turn, text, start_ms, end_ms, rejected, .. } => {
                self.written_down(turn, &text, end_ms.saturating_sub(start_ms), rejected.is_some());
            }
            Event::Nudged { turn, start_ms, end_ms } => self.nudged(turn, start_ms, end_ms),
            Event::ReplyStarted { turn, tag } => self.reply_started(turn, tag),
            Event::ReplyText { turn, delta } => self.reply_text(turn, &delta),
            Event::ReplyAudio { turn, audio, .. } => self.reply_audio(turn, &audio),
            Event::ReplyCall { turn, call, id, name } => self.reply_call(turn, call, id, name),
            Event::ReplyArguments { turn, call, delta } => self.reply_arguments(turn, call, &delta),
            Event::ReplyCalled { turn, call, arguments } => self.reply_called(turn, call, arguments),
            Event::ReplyDone { turn, stop, prompt_tokens, reply_tokens, .. } => {
                self.reply_done(turn, stop, prompt_tokens, reply_tokens);
            }
            Event::ReplyCancelled { turn, reason, .. } => self.reply_cancelled(turn, reason),
            Event::ReplyCut { heard, tag, .. } => self.reply_cut(heard, tag),
            Event::Cleared { tag } => self.cleared(tag),
            Event::Failed { turn: Some(turn), error } => self.failed(turn, error),
            Event::Refused { code, message, tag, .. } => self.refused(code, message, tag),
            // Clients of this protocol play what they have, and end on errors that no event of theirs caused.
            Event::ReplyPaused { .. }
            | Event::ReplyResumed { .. }
            | Event::Progress { .. }
            | Event::Failed { turn: None, .. }
            | Event::Closed { .. } => {}
        }
        std::mem::take(&mut self.events)
    }

    /// The session is over: what is open is closed properly, then `fault` says why.
    pub fn over(&mut self, fault: Option<Fault>) -> Vec<ServerEvent> {
        let turns: Vec<_> = self.responses.iter().map(|response| response.turn).collect();
        for turn in turns {
            self.reply_cancelled(turn, CancelReason::Closing);
        }
        if let Some(fault) = fault {
            self.tell_fault(fault, None);
        }
        std::mem::take(&mut self.events)
    }

    /// An event that could not be taken at all, such as a binary frame.
    pub fn refuse(&mut self, fault: Fault) -> Vec<ServerEvent> {
        self.tell_fault(fault, None);
        std::mem::take(&mut self.events)
    }

    // ------------------------------------------------------------ shared steps

    /// An item, wherever it stands at this moment.
    fn item(&self, id: &str) -> Option<&Item> {
        let kept = self.items.get(id)?;
        let running = self.responses.iter().filter(|response| !response.wish.beside).flat_map(|r| &r.output);
        running.into_iter().find(|item| item.id == id).or(Some(kept))
    }

    /// Tells an event, where this spelling has it.
    fn tell(&mut self, kind: Kind, body: Body) {
        if kind.name(self.flavour).is_some() {
            let event_id = self.ids.fresh("event");
            self.events.push(ServerEvent { kind, event_id, flavour: self.flavour, body });
        }
    }

    fn tell_fault(&mut self, fault: Fault, event_id: Option<String>) {
        self.tell(Kind::Error, Body::Error { error: fault.body(event_id) });
    }

    fn tell_session(&mut self, realtime: Kind, transcription: Kind) {
        let kind = if self.config.kind == SessionKind::Realtime { realtime } else { transcription };
        let session = self.config.json(self.flavour, &self.session_id, self.expires_at, &self.offer);
        self.tell(kind, Body::Session { session });
    }
}

/// Reads what is appended in `format`.
fn decoder(format: Format) -> Decoder {
    Decoder::new(format.encoding(), format.rate())
}
