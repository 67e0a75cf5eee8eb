//! What the halves of a socket share: the conversation, and two queues in the order in which it filled them.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

use crate::{
    conversation::message::{Command, Event},
    protocol::openai::realtime::{fault::Fault, translate::Conversation, wire::server::ServerEvent},
};

/// Commands that may wait for the session, a minute of sound. Full: the socket is not read. One frame may hold more.
const COMMANDS: usize = 600;
/// Events that may wait for the socket. Full: it is not read.
const EVENTS: usize = 256;

/// See the module.
pub(super) struct Shared {
    inner: Mutex<Inner>,
    /// Woken when there is a command.
    commanded: Notify,
    /// Woken when there is an event.
    filled: Notify,
    /// Woken when one of either was taken.
    drained: Notify,
}

struct Inner {
    conversation: Conversation,
    commands: VecDeque<Command>,
    events: VecDeque<ServerEvent>,
}

impl Shared {
    pub(super) fn new(conversation: Conversation, events: Vec<ServerEvent>) -> Self {
        let inner = Inner { conversation, commands: VecDeque::new(), events: events.into() };
        Self { inner: Mutex::new(inner), commanded: Notify::new(), filled: Notify::new(), drained: Notify::new() }
    }

    /// A text frame came.
    pub(super) fn client(&self, text: &str) {
        let mut inner = self.lock();
        let (commands, events) = inner.conversation.client(text);
        inner.commands.extend(commands);
        inner.events.extend(events);
        drop(inner);
        self.commanded.notify_one();
        self.filled.notify_one();
    }

    /// The session tells something.
    pub(super) fn event(&self, event: Event) {
        let mut inner = self.lock();
        let events = inner.conversation.event(event);
        inner.events.extend(events);
    }

    /// Something came that is no event.
    pub(super) fn refuse(&self, fault: Fault) {
        let mut inner = self.lock();
        let events = inner.conversation.refuse(fault);
        inner.events.extend(events);
        drop(inner);
        self.filled.notify_one();
    }

    /// Waits until more may come.
    pub(super) async fn room(&self) {
        loop {
            {
                let inner = self.lock();
                if inner.commands.len() < COMMANDS && inner.events.len() < EVENTS {
                    return;
                }
            }
            // One waits here alone, so a wake between the look and the wait is kept for it.
            self.drained.notified().await;
        }
    }

    /// The next command for the session.
    pub(super) async fn command(&self) -> Command {
        loop {
            let command = self.lock().commands.pop_front();
            if let Some(command) = command {
                self.drained.notify_one();
                return command;
            }
            self.commanded.notified().await;
        }
    }

    /// The next event for the client; cancel-safe.
    pub(super) async fn told(&self) -> ServerEvent {
        loop {
            let event = self.lock().events.pop_front();
            if let Some(event) = event {
                self.drained.notify_one();
                return event;
            }
            self.filled.notified().await;
        }
    }

    pub(super) fn into_conversation(self) -> Conversation {
        self.inner.into_inner().unwrap_or_else(PoisonError::into_inner).conversation
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
