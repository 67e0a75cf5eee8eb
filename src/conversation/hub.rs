//! All sessions of this server: admits them, hands sockets their hold on one, forgets them when they end.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::mpsc;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::Instrument;
use uuid::Uuid;

pub use super::outbox::Outgoing;
use super::{
    driver::{Beginning, Driver, DriverSettings, Stop},
    history::Exchange,
    journal::{Journal, JournalAway, Owner},
    message::{CloseReason, Command, Event, Mode, SessionOptions},
    outbox::Outbox,
};
use crate::{
    engine::Engines,
    measure,
    model::{ConversationId, SessionId, UnixMs, UserId},
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
    /// How long a session may wait for what was said before; then it begins without.
    pub recall_within: Duration,
    pub driver: DriverSettings,
}

impl Default for HubSettings {
    fn default() -> Self {
        Self {
            max_sessions: 64,
            retry_after: Duration::from_secs(2),
            recall_within: Duration::from_secs(2),
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

impl Refused {
    /// Counts it.
    fn told(self) -> Self {
        let reason = match self {
            Self::Full { .. } => "full",
            Self::UnknownSession => "unknown_session",
            Self::ShuttingDown => "shutting_down",
        };
        metrics::counter!(measure::SESSIONS_REFUSED, "reason" => reason).increment(1);
        self
    }
}

/// The session ended while a command was on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionGone;

/// A session as it is now, for those who watch over the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveSession {
    pub id: SessionId,
    pub conversation: ConversationId,
    pub user: UserId,
    /// The log-in or key it was begun with.
    pub pass: Option<Uuid>,
    pub mode: Mode,
    pub since: UnixMs,
    /// Whether a socket is attached; `false`: it waits for a resume.
    pub attached: bool,
}

/// See the module.
#[derive(Clone)]
pub struct Hub {
    inner: Arc<Inner>,
}

struct Inner {
    engines: Engines,
    settings: HubSettings,
    journal: Arc<dyn Journal>,
    sessions: Mutex<HashMap<SessionId, Arc<Session>>>,
    tasks: TaskTracker,
    /// Cancelled: no new sessions, and those that are end when what was begun is finished.
    leave: CancellationToken,
    shutdown: CancellationToken,
}

/// What the hub knows of one session.
struct Session {
    conversation: ConversationId,
    owner: Owner,
    since: UnixMs,
    options: Mutex<SessionOptions>,
    commands: mpsc::Sender<Command>,
    outbox: Arc<Outbox>,
    stop: Stop,
}

impl Hub {
    #[must_use]
    pub fn new(engines: Engines, settings: HubSettings, journal: Arc<dyn Journal>) -> Self {
        Self {
            inner: Arc::new(Inner {
                engines,
                settings,
                journal,
                sessions: Mutex::default(),
                tasks: TaskTracker::new(),
                leave: CancellationToken::new(),
                shutdown: CancellationToken::new(),
            }),
        }
    }

    /// Begins a session. A `conversation` that is not there, or is another's, is not gone on with: a new one begins.
    /// Where it cannot be told, the session goes on with it, remembers nothing of it, and says so.
    ///
    /// # Errors
    /// [`Refused::Full`] when all are taken and none of them waits for a resume; [`Refused::ShuttingDown`].
    pub async fn start(
        &self,
        owner: Owner,
        options: SessionOptions,
        conversation: Option<ConversationId>,
    ) -> Result<Attachment, Refused> {
        let inner = &self.inner;
        if let Some(full) = self.full(&lock(&inner.sessions)) {
            return Err(full.told()); // at once, whatever the journal is doing
        }
        let (conversation, earlier) = self.recall(owner.user, conversation).await;
        let id = SessionId::fresh();
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let session = Arc::new(Session {
            conversation,
            owner,
            since: UnixMs::now(),
            options: Mutex::new(options.clone()),
            commands,
            outbox: Arc::default(),
            stop: Stop::under(&inner.shutdown, &inner.leave),
        });
        let attachment = Attachment::new(id, Arc::clone(&session), false, None);
        self.admit(id, &session).map_err(Refused::told)?;
        metrics::counter!(measure::SESSIONS_STARTED).increment(1);
        if let Err(error) = &earlier {
            tracing::warn!(session.id = %id, conversation.id = %conversation, %error, "begins without memory");
            session.outbox.push(Event::Progress { task: "history.load", stage: "away".into(), fraction: None });
        }
        let beginning = Beginning {
            session: id,
            conversation,
            owner,
            options,
            earlier: earlier.unwrap_or_default(),
            journal: Arc::clone(&inner.journal),
            outbox: Arc::clone(&session.outbox),
        };
        let driver = Driver::new(inner.engines.clone(), inner.settings.driver.clone(), beginning);
        let (hub, stop) = (self.clone(), session.stop.clone());
        let user = owner.user;
        tracing::info!(session.id = %id, conversation.id = %conversation, user.id = %user, "session started");
        let running = async move {
            driver.run(inbox, stop).await;
            lock(&hub.inner.sessions).remove(&id);
        };
        let span = tracing::info_span!(parent: None, "session", session.id = %id, conversation.id = %conversation, user.id = %user);
        inner.tasks.spawn(running.instrument(span));
        Ok(attachment)
    }

    /// Takes up a session again on a new socket. A socket still attached reads no more.
    ///
    /// # Errors
    /// [`Refused::UnknownSession`] when `user` has none by that id any more.
    pub fn resume(&self, user: UserId, id: SessionId, last_seq: u64) -> Result<Attachment, Refused> {
        let session = lock(&self.inner.sessions).get(&id).filter(|session| session.owner.user == user).cloned();
        let session = session.ok_or_else(|| Refused::UnknownSession.told())?;
        metrics::counter!(measure::SESSIONS_RESUMED).increment(1);
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

    /// All of them, the oldest first.
    #[must_use]
    pub fn list(&self) -> Vec<LiveSession> {
        let sessions = lock(&self.inner.sessions);
        let mut list: Vec<_> = sessions
            .iter()
            .map(|(id, session)| LiveSession {
                id: *id,
                conversation: session.conversation,
                user: session.owner.user,
                pass: session.owner.pass,
                mode: lock(&session.options).mode,
                since: session.since,
                attached: session.outbox.detached_for().is_none(),
            })
            .collect();
        list.sort_by_key(|session| (session.since, session.id.uuid()));
        list
    }

    /// Ends one session; whether there was one. Its client is told [`CloseReason::Revoked`].
    pub fn end(&self, id: SessionId) -> bool {
        let session = lock(&self.inner.sessions).get(&id).cloned();
        session.is_some_and(|session| {
            session.stop.stop(CloseReason::Revoked);
            true
        })
    }

    /// Ends all sessions of a user who may no longer come in; gives how many.
    pub fn end_of(&self, user: UserId) -> usize {
        let theirs: Vec<_> =
            lock(&self.inner.sessions).values().filter(|session| session.owner.user == user).cloned().collect();
        for session in &theirs {
            session.stop.stop(CloseReason::Revoked);
        }
        theirs.len()
    }

    /// Takes no new session from now on and lets each that is finish what was begun; waits until all are gone, however
    /// long that takes. Their clients are told [`CloseReason::Restart`].
    pub async fn leave(&self) {
        self.inner.leave.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    /// Whether no new session is taken any more.
    #[must_use]
    pub fn leaving(&self) -> bool {
        self.inner.leave.is_cancelled() || self.inner.shutdown.is_cancelled()
    }

    /// Ends every session with a reason its client is told, and waits until all are gone.
    pub async fn shut_down(&self) {
        self.inner.shutdown.cancel();
        self.inner.tasks.close();
        self.inner.tasks.wait().await;
    }

    /// Which conversation to go on with, and what was said in it.
    async fn recall(
        &self,
        user: UserId,
        wanted: Option<ConversationId>,
    ) -> (ConversationId, Result<Vec<Exchange>, JournalAway>) {
        let Some(wanted) = wanted else { return (ConversationId::fresh(), Ok(Vec::new())) };
        let recall = self.inner.journal.recall(user, wanted);
        match tokio::time::timeout(self.inner.settings.recall_within, recall).await {
            Ok(Ok(Some(earlier))) => (wanted, Ok(earlier)),
            Ok(Ok(None)) => (ConversationId::fresh(), Ok(Vec::new())),
            Ok(Err(away)) => (wanted, Err(away)),
            Err(_) => (wanted, Err(JournalAway("no answer in time".into()))),
        }
    }

    /// Why nobody can be admitted now.
    fn full(&self, sessions: &HashMap<SessionId, Arc<Session>>) -> Option<Refused> {
        let settings = &self.inner.settings;
        if self.leaving() {
            return Some(Refused::ShuttingDown);
        }
        let full = sessions.len() >= settings.max_sessions
            && sessions.values().all(|session| session.outbox.detached_for().is_none());
        full.then_some(Refused::Full { max: settings.max_sessions, retry_after: settings.retry_after })
    }

    fn admit(&self, id: SessionId, session: &Arc<Session>) -> Result<(), Refused> {
        let mut sessions = lock(&self.inner.sessions);
        if let Some(full) = self.full(&sessions) {
            return Err(full);
        }
        if sessions.len() >= self.inner.settings.max_sessions {
            // Someone at the door comes before someone who may never come back.
            let longest = sessions
                .iter()
                .filter_map(|(id, session)| session.outbox.detached_for().map(|since| (since, *id)))
                .max_by_key(|(since, _)| *since);
            if let Some(gone) = longest.and_then(|(_, abandoned)| sessions.remove(&abandoned)) {
                gone.stop.stop(CloseReason::Abandoned);
            }
        }
        sessions.insert(id, Arc::clone(session));
        Ok(())
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
