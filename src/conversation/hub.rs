//! All sessions of this server. (Stand-in with the agreed interface; the real one replaces this file.)

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Mutex, mpsc};

use super::message::{Command, Event, SessionOptions};
use crate::{
    engine::Engines,
    model::{ConversationId, SessionId},
};

#[derive(Clone)]
pub struct Hub {
    engines: Engines,
    settings: Arc<HubSettings>,
}

#[derive(Debug, Clone)]
pub struct HubSettings {
    pub max_sessions: usize,
    pub driver: DriverSettings,
}

#[derive(Debug, Clone)]
pub struct DriverSettings {
    pub idle_timeout: Duration,
    pub resume_window: Duration,
    pub audio_ahead: Duration,
    pub slow_reader: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    Full { max: usize, retry_after: Duration },
    UnknownSession,
    ShuttingDown,
}

/// The session is over; nobody listens any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionGone;

pub struct Outgoing {
    pub seq: u64,
    pub event: Event,
}

pub struct Attachment {
    pub session: SessionId,
    pub conversation: ConversationId,
    pub resumed: bool,
    options: SessionOptions,
    commands: mpsc::Sender<Command>,
    events: Mutex<mpsc::Receiver<Outgoing>>,
    seq: Arc<AtomicU64>,
}

impl Attachment {
    pub fn options(&self) -> SessionOptions {
        self.options.clone()
    }

    pub async fn send(&self, command: Command) -> Result<(), SessionGone> {
        self.commands.send(command).await.map_err(|_| SessionGone)
    }

    pub async fn next(&self) -> Option<Outgoing> {
        self.events.lock().await.recv().await
    }

    pub fn take_seq(&self) -> u64 {
        self.seq.fetch_add(1, Ordering::Relaxed)
    }
}

impl Hub {
    pub fn start(
        &self,
        _options: SessionOptions,
        _conversation: Option<ConversationId>,
    ) -> Result<Attachment, Refused> {
        Err(Refused::ShuttingDown)
    }

    pub fn resume(&self, _session: SessionId, _last_seq: u64) -> Result<Attachment, Refused> {
        Err(Refused::UnknownSession)
    }

    pub fn engines(&self) -> &Engines {
        &self.engines
    }

    pub fn settings(&self) -> &HubSettings {
        &self.settings
    }
}
