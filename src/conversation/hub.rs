//! All sessions of this server: admits them, hands sockets their hold on one, forgets them when they end.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use super::outbox::Outgoing;
use super::{
    driver::{Driver, DriverSettings},
    history::History,
    message::{Command, SessionOptions},
    outbox::Outbox,
};
use crate::{
    engine::Engines,
    model::{ConversationId, SessionId},
};

/// Commands that may wait for a session that is behind; at 20 to 100 ms of audio each, up to two seconds or so.
/// Full: the socket reads no further, which slows the client down.
const COMMANDS: usize = 24;

/// Limits of all sessions together, and what each one runs with.
#[derive(Debug, Clone)]
pub struct HubSettings {
    /// Sessions at once; one more is refused.
    pub max_sessions: usize,
    /// What a refused client is told to wait.
    pub retry_after: Duration,
    /// Conversations whose history is kept in memory after their session ended; the oldest is forgotten first.
    pub kept_conversations: usize,
    pub driver: DriverSettings,
}

impl Default for HubSettings {
    fn default() -> Self {
        Self {
            max_sessions: 64,
            retry_after: Duration::from_secs(2),
            kept_conversations: 256,
            driver: DriverSettings::default(),
        }
    }
}

/// Why a session was not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    Full { max: usize, retry_after: Duration },
    UnknownSession,
    ShuttingDown,
}

/// The session ended while a command was on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionGone;

/// See the module.
#[derive(Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

struct Inner {
    engines: Engines,
    settings: HubSettings,
    sessions: Mutex<HashMap<SessionId, Arc<Session>>>,
    histories: Mutex<Vec<(ConversationId, History)>>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

/// What the hub knows of one session.
struct Session {
    conversation: ConversationId,
    options: Mutex<SessionOptions>,
    commands: mpsc::Sender<Command>,
    outbox: Arc<Outbox>,
    cancel: CancellationToken,
}

impl Hub {
    #[must_use]
    pub fn new(engines: Engines, settings: HubSettings) -> Self {
        Self {
            inner: Arc::new(Inner {
                engines,
                settings,
                sessions: Mutex::default(),
                histories: Mutex::default(),
                tasks: TaskTracker::new(),
                shutdown: CancellationToken::new(),
            }),
        }
    }

    /// Begins a session.
    ///
    /// # Errors
    /// [`Refused::Full`] when all are taken and none of them waits for a resume; [`Refused::ShuttingDown`].
    pub fn start(&self, options: SessionOptions, conversation: Option<ConversationId>) -> Result<Attachment, Refused> {
        let inner = &self.inner;
        if inner.shutdown.is_cancelled() {
            return Err(Refused::ShuttingDown);
        }
        let id = SessionId::fresh();
        let mut sessions = lock(&inner.sessions);
        if sessions.len() >= inner.settings.max_sessions {
            // Someone at the door comes before someone who may never come back.
            let longest = sessions
                .iter()
                .filter_map(|(id, session)| session.outbox.detached_for().map(|since| (since, *id)))
                .max_by_key(|(since, _)| *since);
            let Some((_, abandoned)) = longest else {
                return Err(Refused::Full {
                    max: inner.settings.max_sessions,
                    retry_after: inner.settings.retry_after,
                });
            };
            if let Some(session) = sessions.remove(&abandoned) {
                session.cancel.cancel();
            }
        }
        let history = conversation.and_then(|id| self.recall(id));
        let conversation = conversation.unwrap_or_else(ConversationId::fresh);
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let session = Arc::new(Session {
            conversation,
            options: Mutex::new(options.clone()),
            commands,
            outbox: Arc::default(),
            cancel: inner.shutdown.child_token(),
        });
        sessions.insert(id, Arc::clone(&session));
        drop(sessions);

        let attachment = Attachment::new(id, Arc::clone(&session), false, None);
        let driver = Driver::new(
            id,
            inner.engines.clone(),
            inner.settings.driver.clone(),
            options,
            history,
            Arc::clone(&session.outbox),
        );
        let hub = self.clone();
        let cancel = session.cancel.clone();
        tracing::info!(session.id = %id, conversation.id = %conversation, "session started");
        inner.tasks.spawn(async move {
            let history = driver.run(inbox, cancel).await;
            hub.forget(id, conversation, history);
            tracing::info!(session.id = %id, "session ended");
        });
        Ok(attachment)
    }

    /// Takes up a session again on a new socket. A socket still attached reads no more.
    ///
    /// # Errors
    /// [`Refused::UnknownSession`] when there is none by that id any more.
    pub fn resume(&self, id: SessionId, last_seq: u64) -> Result<Attachment, Refused> {
        let session = lock(&self.inner.sessions).get(&id).cloned().ok_or(Refused::UnknownSession)?;
        tracing::info!(session.id = %id, "session resumed");
        Ok(Attachment::new(id, session, true, Some(last_seq)))
    }

    #[must_use]
    pub fn engines(&self) -> &Engines {
        &self.inner.engines
    }

    #[must_use]
    pub fn settings(&self) -> &HubSettings {
        &self.inner.settings
    }

    /// Sessions at this moment, those that wait for a resume included.
    #[must_use]
    pub fn sessions(&self) -> usize {
        lock(&self.inner.sessions).len()
    }

    /// Ends every session with a reason its client is told, and waits until all are gone.
    pub async fn shut_down(&self) {
        self.inner.shutdown.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    fn recall(&self, id: ConversationId) -> Option<History> {
        let mut histories = lock(&self.inner.histories);
        let at = histories.iter().position(|(kept, _)| *kept == id)?;
        Some(histories.remove(at).1)
    }

    fn forget(&self, id: SessionId, conversation: ConversationId, history: History) {
        lock(&self.inner.sessions).remove(&id);
        let mut histories = lock(&self.inner.histories);
        if histories.len() >= self.inner.settings.kept_conversations.max(1) {
            histories.remove(0);
        }
        histories.push((conversation, history));
    }
}

/// One socket's hold on a session. Dropping it detaches: the session waits for a resume, then ends.
pub struct Attachment {
    pub session: SessionId,
    pub conversation: ConversationId,
    pub resumed: bool,
    /// When the hold was taken.
    pub since: Instant,
    handle: Arc<Session>,
    reader: u64,
}

impl Attachment {
    fn new(session: SessionId, handle: Arc<Session>, resumed: bool, last_seq: Option<u64>) -> Self {
        let reader = handle.outbox.attach(last_seq);
        Self { session, conversation: handle.conversation, resumed, since: Instant::now(), handle, reader }
    }

    /// The options in effect.
    #[must_use]
    pub fn options(&self) -> SessionOptions {
        lock(&self.handle.options).clone()
    }

    /// Hands a command to the session; waits while the session is behind.
    ///
    /// # Errors
    /// [`SessionGone`] once the session has ended.
    pub async fn send(&self, command: Command) -> Result<(), SessionGone> {
        if let Command::Update(options) = &command {
            lock(&self.handle.options).clone_from(options);
        }
        self.handle.commands.send(command).await.map_err(|_| SessionGone)
    }

    /// The next event for this socket; safe to cancel. `None`: the session is over, or another socket took it.
    pub async fn next(&self) -> Option<Outgoing> {
        self.handle.outbox.next(self.reader).await
    }

    /// The next number on the wire, for an event the protocol makes itself; take it when the event is written.
    #[must_use]
    pub fn take_seq(&self) -> u64 {
        self.handle.outbox.take_seq()
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        self.handle.outbox.detach(self.reader);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
