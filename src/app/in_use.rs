//! The models in use: puts another one in their place while they are used, and lets them leave memory when nobody uses them.
//!
//! One task does it all, one thing after the other; engines are loaded on threads of their own. The choice is in
//! `DATA_DIR/in-use.json`, which `aigolos models use` writes too, so the task looks at it now and then.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime},
};

use arc_swap::ArcSwap;
use async_trait::async_trait;
use tokio::{
    sync::{mpsc, oneshot},
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;

use super::{
    config::Config,
    engines::{self, chat, chosen_chat, chosen_recognizer, chosen_speech, unheeded, unusable, voice, whisper},
};
use crate::{
    catalogue::in_use::{ChooseError, Chooser, InUse},
    engine::{
        ChatModel, Recognizer, SpeakRequest, Synthesizer,
        models::ModelKind,
        ollama::Found,
        piper::{self, Stamp},
        switch::{Switch, Switches},
    },
};

/// How often the file of choices and the folder of voices are looked at.
const LOOK: Duration = Duration::from_secs(2);
/// Choices that may wait while one is being loaded; more are refused.
const WAITING: usize = 4;
/// How long Ollama has to say whether it has a model.
const OLLAMA_ANSWERS: Duration = Duration::from_secs(3);
/// How long a new voice has for its first words.
const FIRST_WORDS: Duration = Duration::from_mins(1);

/// A way to the task. See the module.
#[derive(Clone)]
pub struct ModelsInUse {
    asks: mpsc::Sender<Ask>,
    chosen: Arc<ArcSwap<InUse>>,
}

impl ModelsInUse {
    /// Starts the task, which ends with `stopping`. What stands behind `switches` is what [`engines::engines`] gave.
    #[must_use]
    pub fn start(config: &Config, switches: Switches, stopping: CancellationToken) -> Self {
        let (asks, asked) = mpsc::channel(WAITING);
        // Where it cannot be read the engines have said so.
        let seen = InUse::load(&config.settings.data_dir).unwrap_or_default();
        let chosen = Arc::new(ArcSwap::from_pointee(seen.clone()));
        let minutes = config.settings.library.idle_unload_minutes;
        let keeper = Keeper {
            config: config.clone(),
            switches,
            chosen: chosen.clone(),
            seen,
            written: written(&config.settings.data_dir),
            unreadable: None,
            voices: None,
            coming: None,
            unused_for: (minutes > 0).then(|| Duration::from_secs(u64::from(minutes) * 60)),
        };
        tokio::spawn(async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = keeper.run(asked) => {}
            }
        });
        Self { asks, chosen }
    }

    /// Looks at once whether something is to be done, as if it were `now`; gives back when it is done.
    pub async fn look(&self, now: Instant) {
        let (reply, done) = oneshot::channel();
        if self.asks.send(Ask::Look(now, reply)).await.is_ok() {
            let _ = done.await; // an error: the server stops
        }
    }

    async fn ask(&self, ask: Ask, done: oneshot::Receiver<Done>, name: &str) -> Done {
        let unusable = |reason: &str, hint: &str| ChooseError::Unusable {
            name: name.to_owned(),
            reason: reason.into(),
            hint: hint.into(),
        };
        self.asks
            .try_send(ask)
            .map_err(|_| unusable("other models are being loaded", "try again when they are in use"))?;
        done.await.unwrap_or_else(|_| Err(unusable("the server is stopping", "try again when it is back")))
    }
}

#[async_trait]
impl Chooser for ModelsInUse {
    /// `auto` takes the choice back: the settings decide again. While one choice is loaded others wait their turn, a few.
    async fn choose(&self, kind: ModelKind, name: &str) -> Result<(), ChooseError> {
        let (reply, done) = oneshot::channel();
        let choice = (name != "auto").then(|| name.to_owned());
        self.ask(Ask::Choose(kind, choice, reply), done, name).await
    }

    async fn renew(&self, kind: ModelKind) -> Result<(), ChooseError> {
        let (reply, done) = oneshot::channel();
        self.ask(Ask::Renew(kind, reply), done, kind.name()).await
    }

    fn chosen(&self) -> InUse {
        InUse::clone(&self.chosen.load())
    }
}

type Done = Result<(), ChooseError>;

enum Ask {
    Choose(ModelKind, Option<String>, oneshot::Sender<Done>),
    Renew(ModelKind, oneshot::Sender<Done>),
    Look(Instant, oneshot::Sender<()>),
}

/// An engine ready for use.
enum Fresh {
    Recognizer(Arc<dyn Recognizer>),
    Chat(Arc<dyn ChatModel>),
    /// With the voices that were there when it was made.
    Speech(Arc<dyn Synthesizer>, Vec<Stamp>),
}

struct Keeper {
    config: Config,
    switches: Switches,
    chosen: Arc<ArcSwap<InUse>>,
    /// What has been acted on, well or not.
    seen: InUse,
    /// When the file was written that this came from.
    written: Option<(SystemTime, u64)>,
    /// Why the file could not be read the last time; said once.
    unreadable: Option<String>,
    /// The voices the engine in use was made with; `None`: not known yet.
    voices: Option<Vec<Stamp>>,
    /// Others that were there at the last look: taken up when they do not change any more.
    coming: Option<Vec<Stamp>>,
    unused_for: Option<Duration>,
}

impl Keeper {
    async fn run(mut self, mut asked: mpsc::Receiver<Ask>) {
        let mut looks = tokio::time::interval(LOOK);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                // Nobody left who could ask: the file may still change.
                Some(ask) = asked.recv() => match ask {
                    // Who does not listen any more gets what was asked for all the same.
                    Ask::Choose(kind, name, reply) => drop(reply.send(self.choose(kind, name).await)),
                    Ask::Renew(kind, reply) => drop(reply.send(self.renew(kind).await)),
                    Ask::Look(now, reply) => {
                        self.look(now).await;
                        let _ = reply.send(());
                    }
                },
                _ = looks.tick() => self.look(Instant::now()).await,
            }
        }
    }

    async fn choose(&mut self, kind: ModelKind, name: Option<String>) -> Done {
        if self.config.given(kind.setting()) {
            return Err(ChooseError::Given { setting: kind.setting() });
        }
        let fresh = self.fresh(kind, name.as_deref()).await?;
        // Others may have chosen other kinds meanwhile.
        let data = self.config.settings.data_dir.clone();
        let saved = {
            let name = name.clone();
            on_thread(move || {
                let mut chosen = InUse::load(&data)?;
                chosen.set(kind, name);
                chosen.save(&data).map(|()| written(&data))
            })
            .await
        };
        match saved {
            Some(Ok(written)) => self.written = written,
            failed => {
                fresh.drop_elsewhere();
                return Err(failed.and_then(Result::err).map_or_else(|| no_thread(kind.name()), ChooseError::from));
            }
        }
        self.seen.set(kind, name);
        self.chosen.store(Arc::new(self.seen.clone()));
        self.exchange(fresh, None);
        Ok(())
    }

    async fn renew(&mut self, kind: ModelKind) -> Done {
        let given = self.config.given(kind.setting());
        let name = self.seen.of(kind).filter(|_| !given).map(str::to_owned);
        let fresh = self.fresh(kind, name.as_deref()).await?;
        self.exchange(fresh, None);
        Ok(())
    }

    async fn look(&mut self, now: Instant) {
        self.look_at_file().await;
        self.look_at_voices().await;
        if let Some(unused_for) = self.unused_for {
            let Switches { recognizer, speech, .. } = &self.switches;
            for (part, rests) in [("asr", recognizer.rest(now, unused_for)), ("tts", speech.rest(now, unused_for))] {
                if rests {
                    tracing::info!(part, "not used for long: leaves memory until it is needed");
                }
            }
        }
    }

    /// Takes up what the command line has chosen.
    async fn look_at_file(&mut self) {
        let data = self.config.settings.data_dir.clone();
        let Some((at, loaded)) = on_thread(move || (written(&data), InUse::load(&data))).await else { return };
        let file = match loaded {
            Ok(file) => file,
            Err(error) => {
                let error = error.to_string();
                if self.unreadable.as_ref() != Some(&error) {
                    tracing::warn!(error, "the choice of models is left as it is");
                }
                self.unreadable = Some(error);
                return;
            }
        };
        self.unreadable = None;
        let rewritten = at != self.written;
        self.written = at;
        for kind in ModelKind::ALL {
            // Who chooses again what could not be had may have mended it.
            let again = rewritten && file.of(kind).is_some_and(|name| name != self.model(kind));
            if file.of(kind) == self.seen.of(kind) && !again {
                continue;
            }
            let name = file.of(kind).map(str::to_owned);
            self.seen.set(kind, name.clone());
            self.chosen.store(Arc::new(self.seen.clone()));
            if self.config.given(kind.setting()) {
                unheeded(kind, &ChooseError::Given { setting: kind.setting() });
                continue;
            }
            match self.fresh(kind, name.as_deref()).await {
                Ok(fresh) => self.exchange(fresh, None),
                Err(error) => {
                    let note = Some(unheeded(kind, &error));
                    match kind {
                        ModelKind::Asr => self.switches.recognizer.note(note),
                        ModelKind::Llm => self.switches.chat.note(note),
                        ModelKind::Tts => self.switches.speech.note(note),
                    }
                }
            }
        }
    }

    /// The model in use.
    fn model(&self, kind: ModelKind) -> String {
        match kind {
            ModelKind::Asr => self.switches.recognizer.info().model,
            ModelKind::Llm => self.switches.chat.info().model,
            ModelKind::Tts => self.switches.speech.info().model,
        }
    }

    /// Takes up voices that were put into the folder, changed or taken out.
    async fn look_at_voices(&mut self) {
        if self.config.settings.tts_engine == "espeak" {
            return;
        }
        let folder = self.config.settings.models_dir.join("piper");
        let Some(found) = on_thread(move || piper::stamps(&folder)).await else { return };
        let known = self.voices.get_or_insert_with(|| found.clone());
        if *known == found {
            self.coming = None;
        } else if self.coming.as_ref() == Some(&found) {
            let config = self.config.clone();
            match on_thread(move || engines::speech(&config)).await {
                Some(Ok(speech)) => self.exchange(Fresh::Speech(speech, found), None),
                failed => {
                    let error = failed.and_then(Result::err).map(|error| format!("{error}; {}", error.hint()));
                    tracing::warn!(error, "the new voices are not taken up");
                    (self.voices, self.coming) = (Some(found), None);
                }
            }
        } else {
            self.coming = Some(found);
        }
    }

    /// An engine by the name that is chosen, or as the settings say; it has shown that it works.
    async fn fresh(&self, kind: ModelKind, name: Option<&str>) -> Result<Fresh, ChooseError> {
        let (config, name) = (self.config.clone(), name.map(str::to_owned));
        let asked = name.clone().unwrap_or_else(|| "auto".into());
        match kind {
            ModelKind::Asr => {
                let load = move || match name {
                    Some(name) => chosen_recognizer(&config, &name),
                    None => whisper(&config.settings).map_err(|error| unusable("auto", &error)),
                };
                // Loading it decodes on every thread of it.
                on_thread(load).await.unwrap_or_else(|| Err(no_thread(&asked))).map(Fresh::Recognizer)
            }
            ModelKind::Tts => {
                let load = move || {
                    let voices = piper::stamps(&config.settings.models_dir.join("piper"));
                    let engine = match name {
                        Some(name) => chosen_speech(&config, &name)?,
                        None => voice(&config.settings).map_err(|error| unusable("auto", &error))?,
                    };
                    Ok((engine, voices))
                };
                let (engine, voices) = on_thread(load).await.unwrap_or_else(|| Err(no_thread(&asked)))?;
                let spoken = speaks(&*engine, &asked).await;
                let fresh = Fresh::Speech(engine, voices);
                if let Err(error) = spoken {
                    fresh.drop_elsewhere();
                    return Err(error);
                }
                Ok(fresh)
            }
            ModelKind::Llm => {
                let Some(name) = name else {
                    let told = |error: engines::EnginesError| ChooseError::Unusable {
                        name: asked,
                        reason: error.to_string(),
                        hint: "see `aigolos config`".into(),
                    };
                    return chat(&config.settings).await.map(Fresh::Chat).map_err(|error| told(error.into()));
                };
                let (ollama, found) = chosen_chat(&config, &name, OLLAMA_ANSWERS).await?;
                if let Found::NoServer { reason } = found {
                    let reason = format!("no answer from Ollama ({reason})");
                    return Err(ChooseError::Unusable {
                        name,
                        reason,
                        hint: "start Ollama, or say in OLLAMA_BASE_URL where it is".into(),
                    });
                }
                ollama.warm_up().await.map_err(|error| unusable(&name, &error))?;
                Ok(Fresh::Chat(Arc::new(ollama)))
            }
        }
    }

    fn exchange(&mut self, fresh: Fresh, note: Option<String>) {
        let (part, info) = match &fresh {
            Fresh::Recognizer(engine) => ("asr", engine.info()),
            Fresh::Chat(engine) => ("llm", engine.info()),
            Fresh::Speech(engine, _) => ("tts", engine.info()),
        };
        tracing::info!(part, engine = info.engine, model = info.model, hint = info.hint, "in use from now on");
        match fresh {
            Fresh::Recognizer(engine) => self.switches.recognizer.exchange(engine, note),
            Fresh::Chat(engine) => self.switches.chat.exchange(engine, note),
            Fresh::Speech(engine, voices) => {
                (self.voices, self.coming) = (Some(voices), None);
                self.switches.speech.exchange(engine, note);
            }
        }
    }
}

impl Fresh {
    /// For an engine that is not put into use: dropping it may wait for its threads.
    fn drop_elsewhere(self) {
        match self {
            Self::Recognizer(engine) => drop(Switch::new(engine, None)),
            Self::Chat(engine) => drop(Switch::new(engine, None)),
            Self::Speech(engine, _) => drop(Switch::new(engine, None)),
        }
    }
}

/// What becomes another whenever the file of choices is written: its time, and its number, since clocks tick slowly.
fn written(data_dir: &Path) -> Option<(SystemTime, u64)> {
    let file = fs::metadata(InUse::path(data_dir)).ok()?;
    Some((file.modified().ok()?, file.ino()))
}

/// Whether it says something.
async fn speaks(engine: &dyn Synthesizer, name: &str) -> Done {
    let unusable = |reason: String, hint: String| ChooseError::Unusable { name: name.to_owned(), reason, hint };
    // Figures are read in every language.
    let request = SpeakRequest { text: "1, 2.".into(), voice: None, language: None, speed: 1.0 };
    let mut sound = engine.speak(request);
    match tokio::time::timeout(FIRST_WORDS, sound.recv()).await {
        Ok(Some(Ok(_))) => Ok(()),
        Ok(Some(Err(error))) => Err(unusable(error.to_string(), error.hint())),
        Ok(None) => Err(unusable("it makes no sound".into(), "get the voice again".into())),
        Err(_) => Err(unusable("it takes too long to speak".into(), "choose a smaller voice".into())),
    }
}

/// Does what may take long on a thread of its own; `None` if the system gives none, or the work panicked.
pub(super) async fn on_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (reply, done) = oneshot::channel();
    let work = move || drop(reply.send(work()));
    let thread = std::thread::Builder::new().name("in-use".into()).spawn(work).ok()?;
    {
        let mut threads = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
        threads.retain(|thread| !thread.is_finished());
        threads.push(thread);
    }
    done.await.ok()
}

/// Threads that may be loading an engine.
static THREADS: Mutex<Vec<JoinHandle<()>>> = Mutex::new(Vec::new());

/// Waits for the engines that are being loaded, at most `patience`: their libraries take their own parts down when the
/// process ends, and must not meet a thread that still uses them.
pub(super) fn wait_for_threads(patience: Duration) {
    let threads = std::mem::take(&mut *THREADS.lock().unwrap_or_else(PoisonError::into_inner));
    let until = Instant::now() + patience;
    while threads.iter().any(|thread| !thread.is_finished()) && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn no_thread(name: &str) -> ChooseError {
    ChooseError::Unusable {
        name: name.to_owned(),
        reason: "loading it stopped half-way".into(),
        hint: "try again; the server's log has the details".into(),
    }
}
