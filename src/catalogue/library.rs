//! The models of this server: which there are, which lie here, and what is on its way. One for each process; several
//! processes with one models folder do not disturb each other.

use std::{
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    download::{Download, DownloadState, Handle},
    entries::{self, Entry, Licence, OLLAMA},
    fetch::{self, Fetcher},
    hub::{Hub, HubError},
    install::{self, PARTIAL, Sources},
    installed::{self, Installed, Manifest, ManifestError, Verdict},
    ollama::{self, Shelf},
    packages::Pip,
    part::Guard,
    settings::LibrarySettings,
    trouble::Trouble,
};
use crate::engine::models::{self, ModelFile, ModelKind};

/// Downloads that may run or wait at once; one more is refused.
const MOST_RUNNING: usize = 16;
/// Downloads that have ended are remembered, the newest of them.
const MOST_ENDED: usize = 16;
/// Tries to have Ollama fetch a model, where it goes away meanwhile.
const OLLAMA_TRIES: u32 = 4;

/// Why the library does not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    #[error("there is no model {name}")]
    Unknown { name: String, near: Vec<&'static str> },
    #[error("{name} is not there")]
    NotThere { name: String },
    #[error("{name} is in use")]
    InUse { name: String },
    #[error("{name} is being fetched")]
    Busy { name: String },
    #[error("{MOST_RUNNING} downloads run already")]
    TooMany,
    #[error("{0}")]
    Trouble(#[from] Trouble),
    #[error(transparent)]
    Manifest(#[from] ManifestError),
}

impl LibraryError {
    /// What to do about it; empty where the message says so itself.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Unknown { near, .. } if !near.is_empty() => format!("did you mean {}?", near.join(", ")),
            Self::Unknown { .. } => {
                "`aigolos models list` shows what there is; chat models are asked for as ollama:NAME".into()
            }
            Self::NotThere { name } => format!("fetch it with `aigolos models pull {name}`"),
            Self::InUse { .. } => "use another one first (`aigolos models use`)".into(),
            Self::Busy { .. } => "cancel the download, or wait for it".into(),
            Self::TooMany => "wait until one of them has ended".into(),
            Self::Trouble(trouble) => trouble.hint(),
            Self::Manifest(_) => String::new(),
        }
    }
}

/// A model as files: one that can be fetched, one that is here, or both.
#[derive(Debug, Clone)]
pub struct Listed<'a> {
    pub kind: ModelKind,
    pub name: String,
    /// What is published of it.
    pub entry: Option<&'a Entry>,
    /// How it lies here.
    pub present: Option<ModelFile>,
    /// What was noted when it was installed.
    pub record: Option<Installed>,
}

/// The models of this server; cheap to copy.
#[derive(Clone)]
pub struct Library(Arc<Inner>);

struct Inner {
    settings: LibrarySettings,
    sources: Sources,
    shelf: Option<Shelf>,
    slots: Semaphore,
    downloads: Mutex<Vec<Arc<Handle>>>,
    closing: CancellationToken,
}

impl Library {
    /// Connects to nothing.
    ///
    /// # Errors
    /// [`HubError`] names the setting that cannot be used.
    pub fn new(settings: LibrarySettings) -> Result<Self, HubError> {
        let patience = settings.patience;
        let fetcher = |endpoint: &str, token: &str| {
            let hub = Hub::new(endpoint, token, &settings.proxy, patience.connect, patience.stall)?;
            Ok(Fetcher { hub, patience, keep_free: settings.keep_free })
        };
        // The token is the hub's: no mirror sees it.
        let mirrors = settings.mirrors.iter().map(|mirror| fetcher(mirror, "").map_err(|_: HubError| HubError::Mirror));
        let hubs = std::iter::once(fetcher(&settings.endpoint, &settings.token)).chain(mirrors);
        let sources = Sources {
            hubs: hubs.collect::<Result<_, HubError>>()?,
            pip: settings.python.clone().map(|python| Pip {
                python,
                proxy: settings.proxy.clone(),
                stall: patience.stall * 2,
            }),
        };
        Ok(Self(Arc::new(Inner {
            sources,
            shelf: Shelf::new(&settings.ollama),
            slots: Semaphore::new(settings.at_once.max(1)),
            downloads: Mutex::default(),
            closing: CancellationToken::new(),
            settings,
        })))
    }

    /// Ollama, where chat models are.
    #[must_use]
    pub fn shelf(&self) -> Option<&Shelf> {
        self.0.shelf.as_ref()
    }

    /// The models folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.0.settings.folder
    }

    /// What can be fetched as files under this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Entry> {
        self.0.settings.entries.iter().find(|entry| entry.name == name)
    }

    /// Everything that can be fetched as files, and everything that lies here.
    ///
    /// # Errors
    /// When the list of what was installed cannot be read.
    pub fn list(&self) -> Result<Vec<Listed<'_>>, LibraryError> {
        let mut manifest = Manifest::load(self.folder())?;
        let mut files = models::files(self.folder());
        let mut listed: Vec<_> = self
            .0
            .settings
            .entries
            .iter()
            .map(|entry| {
                let here = files.iter().position(|file| file.kind == entry.kind && file.name == entry.name);
                let present = here.map(|at| files.remove(at));
                let record = manifest.models.remove(entry.name).filter(|_| present.is_some());
                Listed { kind: entry.kind, name: entry.name.into(), entry: Some(entry), present, record }
            })
            .collect();
        for file in files {
            let record = manifest.models.remove(&file.name);
            listed.push(Listed { kind: file.kind, name: file.name.clone(), entry: None, present: Some(file), record });
        }
        Ok(listed)
    }

    /// The kind and the bare name of a model that is here, chat models included.
    ///
    /// # Errors
    /// [`LibraryError::NotThere`], or [`LibraryError::Unknown`] if nobody knows it.
    pub async fn here(&self, name: &str) -> Result<(ModelKind, String), LibraryError> {
        if let Some(chat) = name.strip_prefix(OLLAMA) {
            let models = self.shelf_or()?.models().await?;
            let found = models.into_iter().find(|model| ollama::same(&model.name, chat));
            return found
                .map(|_| (ModelKind::Llm, chat.to_owned()))
                .ok_or_else(|| LibraryError::NotThere { name: name.into() });
        }
        match installed::present(self.folder(), name) {
            Some(file) => Ok((file.kind, file.name)),
            None if self.find(name).is_some() => Err(LibraryError::NotThere { name: name.into() }),
            None => Err(unknown(name)),
        }
    }

    /// The licence of an entry in words, and where it stands.
    ///
    /// # Errors
    /// [`LibraryError`] if there is no such model, or the text does not come.
    pub async fn card(&self, name: &str) -> Result<(String, Option<String>), LibraryError> {
        let entry = self.find(name).ok_or_else(|| unknown(name))?;
        match &entry.licence {
            Licence::Named(name) => Ok(((*name).to_owned(), None)),
            Licence::Card { source, text } => {
                let Some(hub) = self.0.sources.hubs.first().map(|fetcher| &fetcher.hub) else {
                    return Err(Trouble::Stopping.into()); // there is always one
                };
                let text = match text {
                    Some(text) => (*text).to_owned(),
                    None => hub.text(source).await?,
                };
                Ok((text, Some(hub.address(source))))
            }
        }
    }

    /// Begins to fetch a model, or joins the download that runs. `again`: also if it is here already. Must be called
    /// within a tokio runtime.
    ///
    /// # Errors
    /// [`LibraryError`] if there is no such model, or too much is asked for at once.
    pub fn pull(&self, name: &str, again: bool) -> Result<watch::Receiver<Download>, LibraryError> {
        let (kind, about) = match name.strip_prefix(OLLAMA) {
            Some(chat) if ollama::is_name(chat) => (ModelKind::Llm, None),
            Some(_) => return Err(unknown(name)),
            None => self.find(name).map(|entry| (entry.kind, Some(entry.bytes()))).ok_or_else(|| unknown(name))?,
        };
        let mut downloads = self.downloads_mut();
        let runs = |handle: &&Arc<Handle>| !handle.now().state.is_over();
        if let Some(running) = downloads.iter().filter(runs).find(|handle| handle.now().name == name) {
            return Ok(running.watch());
        }
        if downloads.iter().filter(runs).count() >= MOST_RUNNING {
            return Err(LibraryError::TooMany);
        }
        let ended = downloads.iter().filter(|handle| handle.now().state.is_over()).count();
        let mut forget = ended.saturating_sub(MOST_ENDED - 1);
        downloads.retain(|handle| {
            let goes = forget > 0 && handle.now().state.is_over();
            forget -= usize::from(goes);
            !goes
        });
        let handle = Arc::new(Handle::new(name, kind, about, self.0.closing.child_token()));
        downloads.push(Arc::clone(&handle));
        let watch = handle.watch();
        tokio::spawn(run(self.clone(), handle, again));
        Ok(watch)
    }

    /// What runs, and what ended lately; the oldest first.
    #[must_use]
    pub fn downloads(&self) -> Vec<watch::Receiver<Download>> {
        self.downloads_mut().iter().map(|handle| handle.watch()).collect()
    }

    /// The download with this id.
    #[must_use]
    pub fn download(&self, id: Uuid) -> Option<watch::Receiver<Download>> {
        self.downloads_mut().iter().find(|handle| handle.now().id == id).map(|handle| handle.watch())
    }

    /// Stops a download; what has come stays, and the next pull goes on there.
    pub async fn cancel(&self, id: Uuid) -> Option<Download> {
        let handle = self.downloads_mut().iter().find(|handle| handle.now().id == id).cloned()?;
        handle.cancel.cancel();
        let mut watch = handle.watch();
        let _ = watch.wait_for(|download| download.state.is_over()).await; // the task that runs it tells so in any case
        Some(handle.now())
    }

    /// Stops all downloads, since the server stops.
    pub fn close(&self) {
        self.0.closing.cancel();
    }

    /// Removes a model. `in_use`: kinds and bare names of those that stay.
    ///
    /// # Errors
    /// [`LibraryError`]; a model in use is not removed.
    pub async fn remove(&self, name: &str, in_use: &[(ModelKind, String)]) -> Result<(), LibraryError> {
        if let Some(chat) = name.strip_prefix(OLLAMA) {
            if in_use.iter().any(|(kind, used)| *kind == ModelKind::Llm && ollama::same(used, chat)) {
                return Err(LibraryError::InUse { name: name.into() });
            }
            self.here(name).await?;
            return Ok(self.shelf_or()?.remove(chat).await?);
        }
        let fetched = |handle: &Arc<Handle>| {
            let now = handle.now();
            now.name == name && !now.state.is_over()
        };
        if self.downloads_mut().iter().any(fetched) {
            return Err(LibraryError::Busy { name: name.into() });
        }
        let file = installed::present(self.folder(), name);
        let unfinished = self.find(name).map(|entry| install::parts(self.folder(), entry)).unwrap_or_default();
        let wheels =
            self.find(name).map(|entry| install::wheels(self.folder(), entry)).filter(|wheels| wheels.exists());
        if file.is_none() && wheels.is_none() && !unfinished.iter().any(|part| part.exists()) {
            return Err(self.here(name).await.err().unwrap_or_else(|| unknown(name)));
        }
        if file.as_ref().is_some_and(|file| in_use.iter().any(|(kind, used)| *kind == file.kind && *used == file.name))
        {
            return Err(LibraryError::InUse { name: name.into() });
        }
        let guard = Guard::try_take(&install::lock(self.folder(), name));
        let disk = |error| Trouble::Disk { path: self.folder().join(PARTIAL), reason: format!("{error}") };
        let _guard = guard.map_err(disk)?.ok_or_else(|| LibraryError::Busy { name: name.into() })?;
        for path in file.iter().flat_map(installed::belonging) {
            std::fs::remove_file(&path).map_err(|error| fetch::disk(&path, &error))?;
        }
        if let Some(file) = file.filter(|file| file.kind == ModelKind::Tts) {
            let _ = std::fs::remove_file(installed::card(&file.path)); // it may never have been there
        }
        for part in unfinished {
            fetch::discard(&part);
        }
        if let Some(wheels) = wheels {
            std::fs::remove_dir_all(&wheels).map_err(|error| fetch::disk(&wheels, &error))?;
        }
        Manifest::change(self.folder(), |manifest| drop(manifest.models.remove(name)))?;
        tracing::info!(model = name, "a model was removed");
        Ok(())
    }

    /// Reads all of a model's files and says whether they are what they were; takes seconds for a large one.
    ///
    /// # Errors
    /// [`LibraryError`] if it is not here.
    pub async fn verify(&self, name: &str) -> Result<Verdict, LibraryError> {
        let manifest = Manifest::load(self.folder())?;
        let record = manifest.models.get(name).cloned();
        let file = match (installed::present(self.folder(), name), &record) {
            (Some(file), _) => file,
            // It was installed, and something of it is gone.
            (None, Some(record)) => {
                let path = record.files.iter().map(|file| self.folder().join(&file.path)).find(|path| !path.exists());
                return Ok(Verdict::Gone { path: path.unwrap_or_else(|| self.folder().to_owned()) });
            }
            (None, None) => return Err(self.here(name).await.err().unwrap_or_else(|| unknown(name))),
        };
        let (folder, entry) = (self.folder().to_owned(), self.find(name).cloned());
        let read = move || installed::verify(&folder, &file, record.as_ref(), entry.as_ref());
        tokio::task::spawn_blocking(read).await.map_err(|_| Trouble::Stopping.into())
    }

    fn shelf_or(&self) -> Result<&Shelf, Trouble> {
        let place = || self.0.settings.ollama.clone();
        self.shelf().ok_or_else(|| Trouble::NoOllama { place: place(), reason: "that is no address".into() })
    }

    fn downloads_mut(&self) -> MutexGuard<'_, Vec<Arc<Handle>>> {
        self.0.downloads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A download from its beginning to its end, which is told in any case.
async fn run(library: Library, handle: Arc<Handle>, again: bool) {
    let name = handle.now().name;
    tracing::info!(model = name, "a download begins");
    let work = async {
        match name.strip_prefix(OLLAMA) {
            Some(chat) => chat_model(&library, chat, &handle).await,
            None => match library.find(&name) {
                Some(entry) => {
                    let Inner { sources, slots, settings, .. } = &*library.0;
                    install::install(sources, slots, &settings.folder, entry, &handle, again).await
                }
                None => Ok(()), // it was found before the download began
            },
        }
    };
    let outcome = tokio::select! {
        biased;
        () = handle.cancel.cancelled() => None,
        outcome = work => Some(outcome),
    };
    match outcome {
        Some(Ok(())) => {
            tracing::info!(model = name, bytes = handle.now().bytes, "a model is here");
            handle.enter(DownloadState::Done);
        }
        Some(Err(trouble)) => {
            tracing::warn!(model = name, error = %trouble, hint = trouble.hint(), "a model did not come");
            handle.change(|download| {
                download.state = DownloadState::Failed;
                download.trouble = Some(trouble.told());
            });
        }
        None => {
            tracing::info!(model = name, "a download was cancelled");
            handle.enter(DownloadState::Cancelled);
        }
    }
}

async fn chat_model(library: &Library, name: &str, handle: &Handle) -> Result<(), Trouble> {
    let shelf = library.shelf_or()?;
    let _slot = library.0.slots.acquire().await.map_err(|_| Trouble::Stopping)?;
    let mut wait = library.0.settings.patience.first_wait;
    for _ in 1..OLLAMA_TRIES {
        let outcome = shelf.pull(name, &|bytes, total| handle.bytes(bytes, total)).await;
        // It goes on where it stopped; one that never answered will not be there in a second.
        if !matches!(outcome, Err(Trouble::NoOllama { .. })) || handle.now().bytes == 0 {
            return outcome;
        }
        tokio::time::sleep(wait).await;
        wait *= 4;
    }
    shelf.pull(name, &|bytes, total| handle.bytes(bytes, total)).await
}

fn unknown(name: &str) -> LibraryError {
    let name: String = name.chars().take(100).collect();
    LibraryError::Unknown { near: entries::closest(&name), name }
}
