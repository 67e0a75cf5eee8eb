//! A whole model: its files fetched beside the others, then put in place one after the other, what makes it seen last.

use std::{
    fs,
    path::{Path, PathBuf},
};

use tokio::sync::Semaphore;

use super::{
    download::{DownloadState, Handle},
    entries::{Entry, RemoteFile},
    fetch::{self, Fetcher, Step},
    in_use::sync_folder,
    installed::{self, Installed, InstalledFile, Manifest},
    part::Guard,
    trouble::Trouble,
};
use crate::model::UnixMs;

/// The folder below the models folder where files grow; nobody looks for models there.
pub(super) const PARTIAL: &str = ".partial";

/// What says that somebody works on the model `name`.
pub(super) fn lock(folder: &Path, name: &str) -> PathBuf {
    folder.join(PARTIAL).join(format!("{name}.lock"))
}

/// Where the files of `entry` grow.
pub(super) fn parts(folder: &Path, entry: &Entry) -> Vec<PathBuf> {
    entry.files.iter().map(|file| part(folder, file)).collect()
}

/// Fetches and installs `entry`. Dropping it is the cancellation: what has come stays, and is gone on with.
pub(super) async fn install(
    fetcher: &Fetcher,
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
    let come: u64 = parts(folder, entry).iter().filter_map(|part| fs::metadata(part).ok()).map(|part| part.len()).sum();
    fetcher.room(&lock, entry.bytes().saturating_sub(come))?;
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
        let part = part(folder, file);
        let fetched = fetcher.fetch(file, &part, &guard, &tell).await?;
        before += fetched.bytes;
        handle.change(|download| download.checked = Some(fetched.checked));
        whole.push((file, part, fetched));
    }
    for (file, part, _) in &whole {
        place(folder, file, part)?;
    }
    let files = whole
        .into_iter()
        .map(|(file, _, fetched)| InstalledFile {
            path: file.place.clone(),
            bytes: fetched.bytes,
            sha256: fetched.sha256,
            checked: fetched.checked,
        })
        .collect();
    let record = Installed { kind: entry.kind, installed_at: UnixMs::now(), files };
    let noted = Manifest::change(folder, |manifest| drop(manifest.models.insert(entry.name.into(), record)));
    if let Err(error) = noted {
        // The model is whole and in its place; only a later `verify` will not know what it was.
        tracing::warn!(%error, model = entry.name, "what was installed could not be noted");
    }
    handle.change(|download| {
        download.bytes = before;
        download.total = Some(before);
    });
    Ok(())
}

fn part(folder: &Path, file: &RemoteFile) -> PathBuf {
    let name = file.place.file_name().unwrap_or(file.place.as_os_str());
    folder.join(PARTIAL).join(name).with_added_extension("part")
}

/// From one moment to the next: nobody sees half of it, and a power cut leaves it here or there.
fn place(folder: &Path, file: &RemoteFile, part: &Path) -> Result<(), Trouble> {
    let target = folder.join(&file.place);
    let parent = target.parent().unwrap_or(folder);
    fs::create_dir_all(parent)
        .and_then(|()| fs::rename(part, &target))
        .and_then(|()| sync_folder(&target))
        .map_err(|error| fetch::disk(&target, &error))?;
    fetch::discard(part); // what was known of it
    Ok(())
}
