//! Engines that can be exchanged while they are used: each forwards to the one in use at that moment.
//!
//! What runs goes on with the engine it began on. That one leaves memory when the last of its work is done: a reply or a
//! sentence holds it by its stream, an utterance or a recording by [`Engines::ears`]. Until then both engines are in
//! memory, and while the new one is loaded as well.
//!
//! Forwarding is one atomic load; no lock, nobody waits for an exchange. An engine that is no longer in use is dropped on a
//! thread of its own, since that may wait for other threads.

use std::{
    sync::{Arc, Condvar, Mutex, OnceLock, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use futures::future::BoxFuture;

use super::{
    ChatModel, ChatRequest, ChatStream, EngineError, EngineInfo, Engines, Recognition, RecognizeRequest, Recognizer,
    SpeakRequest, Speaker, SpeechStream, Synthesizer, VoiceInfo, tokens::TokenCount, worker::Load,
};

/// The switches before all engines of a server.
#[derive(Clone)]
pub struct Switches {
    pub recognizer: Arc<Switch<dyn Recognizer>>,
    pub chat: Arc<Switch<dyn ChatModel>>,
    pub speech: Arc<Switch<dyn Synthesizer>>,
}

impl Switches {
    /// Puts switches before `engines`; gives them, and the engines to hand out.
    #[must_use]
    pub fn before(engines: Engines) -> (Self, Engines) {
        let switches = Self {
            recognizer: Arc::new(Switch::new(engines.recognizer, None)),
            chat: Arc::new(Switch::new(engines.chat, None)),
            speech: Arc::new(Switch::new(engines.speech, None)),
        };
        let engines = Engines {
            recognizer: switches.recognizer.clone(),
            chat: switches.chat.clone(),
            speech: switches.speech.clone(),
            ..engines
        };
        (switches, engines)
    }
}

/// An engine that can be exchanged; itself one.
pub struct Switch<E: Exchangeable + ?Sized> {
    current: ArcSwap<Held<E>>,
}

impl<E: Exchangeable + ?Sized> Switch<E> {
    /// Forwards to `engine`. `note`: what is to be said about it besides its own hint.
    #[must_use]
    pub fn new(engine: Arc<E>, note: Option<String>) -> Self {
        Self { current: ArcSwap::from_pointee(Held::new(engine, note)) }
    }

    /// From now on `engine` does what is asked.
    pub fn exchange(&self, engine: Arc<E>, note: Option<String>) {
        self.current.store(Arc::new(Held::new(engine, note)));
    }

    /// Changes what is to be said about the engine in use.
    pub fn note(&self, note: Option<String>) {
        let engine = self.current.load().engine.clone();
        self.exchange(engine, note);
    }
}

impl Recognizer for Switch<dyn Recognizer> {
    fn info(&self) -> EngineInfo {
        self.current.load().info()
    }

    fn max_audio(&self) -> Duration {
        self.current.load().max_audio()
    }

    fn submit(&self, request: RecognizeRequest) -> Recognition {
        self.current.load().submit(request)
    }

    fn wake(&self) {
        self.current.load().wake();
    }

    fn rest(&self, now: Instant, unused_for: Duration) -> bool {
        self.current.load().rest(now, unused_for)
    }

    fn current(&self) -> Option<Arc<dyn Recognizer>> {
        Some(self.current.load_full())
    }

    fn load(&self) -> Option<Load> {
        self.current.load().load()
    }
}

impl ChatModel for Switch<dyn ChatModel> {
    fn info(&self) -> EngineInfo {
        let held = self.current.load();
        held.noted(held.engine.info())
    }

    fn reply(&self, request: ChatRequest) -> ChatStream {
        self.current.load().engine.reply(request)
    }

    fn warm_up(&self) -> BoxFuture<'static, Result<(), EngineError>> {
        self.current.load().engine.warm_up()
    }

    fn tokens(&self) -> TokenCount {
        self.current.load().engine.tokens()
    }

    fn probe(&self) -> BoxFuture<'static, Result<(), String>> {
        self.current.load().engine.probe()
    }
}

impl Synthesizer for Switch<dyn Synthesizer> {
    fn info(&self) -> EngineInfo {
        let held = self.current.load();
        held.noted(held.engine.info())
    }

    fn voices(&self) -> Vec<VoiceInfo> {
        self.current.load().engine.voices()
    }

    fn speaker(&self, request: &SpeakRequest) -> Speaker {
        self.current.load().engine.speaker(request)
    }

    fn speak(&self, request: SpeakRequest) -> SpeechStream {
        self.current.load().engine.speak(request)
    }

    fn wake(&self) {
        self.current.load().engine.wake();
    }

    fn rest(&self, now: Instant, unused_for: Duration) -> bool {
        self.current.load().engine.rest(now, unused_for)
    }
}

/// Waits until engines that are no longer in use have been dropped; `false`: some have not been after `within`. To be
/// asked before the process ends, whose libraries must not be taken down under a thread that still uses them.
pub fn all_dropped(within: Duration) -> bool {
    let dropping = DROPPING.0.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = DROPPING.1.wait_timeout_while(dropping, within, |count| *count > 0);
    waited.is_ok_and(|(count, _)| *count == 0)
}

/// What stands behind a [`Switch`].
pub trait Exchangeable: Send + Sync + 'static {}

impl Exchangeable for dyn Recognizer {}
impl Exchangeable for dyn ChatModel {}
impl Exchangeable for dyn Synthesizer {}

/// An engine in use. Whoever still holds it when another took its place keeps it in memory.
struct Held<E: Exchangeable + ?Sized> {
    // The order of the fields is the order in which they are dropped.
    engine: Arc<E>,
    note: Option<String>,
    /// Closed when `engine` has been let go of here: the last hold is then another thread's.
    let_go: OnceLock<mpsc::Sender<()>>,
}

impl<E: Exchangeable + ?Sized> Held<E> {
    fn new(engine: Arc<E>, note: Option<String>) -> Self {
        Self { engine, note, let_go: OnceLock::new() }
    }

    fn noted(&self, mut info: EngineInfo) -> EngineInfo {
        if let Some(note) = &self.note {
            info.hint = Some(info.hint.map_or_else(|| note.clone(), |hint| format!("{note}; {hint}")));
        }
        info
    }
}

impl<E: Exchangeable + ?Sized> Drop for Held<E> {
    fn drop(&mut self) {
        let (let_go, gone) = mpsc::channel();
        let engine = Dropping::new(self.engine.clone());
        let drops = move || {
            let _ = gone.recv(); // an error is what is waited for
            drop(engine);
        };
        // Without a thread it is dropped here.
        if thread::Builder::new().name("engine-drop".into()).spawn(drops).is_ok() {
            let _ = self.let_go.set(let_go); // nobody else could have
        }
    }
}

impl Recognizer for Held<dyn Recognizer> {
    fn info(&self) -> EngineInfo {
        self.noted(self.engine.info())
    }

    fn max_audio(&self) -> Duration {
        self.engine.max_audio()
    }

    fn submit(&self, request: RecognizeRequest) -> Recognition {
        self.engine.submit(request)
    }

    fn wake(&self) {
        self.engine.wake();
    }

    fn rest(&self, now: Instant, unused_for: Duration) -> bool {
        self.engine.rest(now, unused_for)
    }

    fn load(&self) -> Option<Load> {
        self.engine.load()
    }
}

/// How many engines are being dropped.
static DROPPING: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

/// A hold that counts while it lasts.
struct Dropping<E: ?Sized> {
    _engine: Arc<E>,
    _counted: Counted,
}

impl<E: ?Sized> Dropping<E> {
    fn new(engine: Arc<E>) -> Self {
        *DROPPING.0.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Self { _engine: engine, _counted: Counted }
    }
}

/// Dropped after the engine.
struct Counted;

impl Drop for Counted {
    fn drop(&mut self) {
        *DROPPING.0.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        DROPPING.1.notify_all();
    }
}

#[cfg(test)]
mod tests;
