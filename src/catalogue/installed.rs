//! What was installed, and what it was then: `installed.json` in the models folder. Files put there by hand are used all the
//! same; nothing is known of them.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{
    digest::{self, Checked, Published},
    entries::Entry,
    in_use::write_whole,
};
use crate::{
    engine::models::{self, ModelFile, ModelKind},
    model::UnixMs,
};

const FILE: &str = "installed.json";
/// Thousands of models.
const MAX_BYTES: u64 = 8 << 20;

/// Everything that was installed, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Manifest {
    pub models: BTreeMap<String, Installed>,
}

/// A model that was installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Installed {
    pub kind: ModelKind,
    pub installed_at: UnixMs,
    pub files: Vec<InstalledFile>,
}

/// A file as it was when it was installed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstalledFile {
    /// Below the models folder.
    pub path: PathBuf,
    pub bytes: u64,
    pub sha256: String,
    /// Against what it was checked when it came.
    pub checked: Checked,
}

/// The list of what was installed cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error(
    "{path} cannot be used: {reason}\nhint: remove it; models stay, but what was checked when they came is forgotten"
)]
pub struct ManifestError {
    path: PathBuf,
    reason: String,
}

/// What a look at a model's files found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every byte is as it was when it was installed, or as its makers publish it.
    Whole {
        against: &'static str,
    },
    /// This file is not.
    Changed {
        path: PathBuf,
        expected: String,
        found: String,
    },
    /// This file is gone.
    Gone {
        path: PathBuf,
    },
    /// It was put there by hand, and nobody publishes what it must be.
    Unknown,
    Unreadable {
        path: PathBuf,
        reason: String,
    },
}

impl Manifest {
    /// # Errors
    /// [`ManifestError`] if it is there and cannot be understood.
    pub fn load(folder: &Path) -> Result<Self, ManifestError> {
        let path = folder.join(FILE);
        let read = fs::metadata(&path).and_then(|file| match file.len() {
            0..=MAX_BYTES => fs::read(&path),
            _ => Err(io::Error::other("it is far too long")),
        });
        let read = match read {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => Err(error.to_string()),
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| error.to_string()),
        };
        read.map_err(|reason| ManifestError { path, reason })
    }

    /// Changes it on the disk, one process after the other.
    ///
    /// # Errors
    /// [`ManifestError`]; it is then as it was.
    pub fn change(folder: &Path, change: impl FnOnce(&mut Self)) -> Result<(), ManifestError> {
        let path = folder.join(FILE);
        let failed = |error: io::Error| ManifestError { path: path.clone(), reason: error.to_string() };
        let lock = fs::create_dir_all(folder)
            .and_then(|()| {
                fs::File::options().create(true).truncate(false).write(true).open(folder.join(".installed.lock"))
            })
            .map_err(failed)?;
        lock.lock().map_err(failed)?; // held for milliseconds, and let go with the file
        let mut manifest = Self::load(folder)?;
        change(&mut manifest);
        let mut text = serde_json::to_vec_pretty(&manifest).unwrap_or_default();
        text.push(b'\n');
        write_whole(&path, &text).map_err(failed)
    }
}

/// The model called `name` as it lies in `folder`.
#[must_use]
pub fn present(folder: &Path, name: &str) -> Option<ModelFile> {
    models::files(folder).into_iter().find(|file| file.name == name)
}

/// The files that belong to a model; a voice's description is one. What makes it seen comes first.
#[must_use]
pub fn belonging(file: &ModelFile) -> Vec<PathBuf> {
    match file.kind {
        ModelKind::Tts => vec![file.path.clone(), models::description(&file.path)],
        ModelKind::Asr | ModelKind::Llm => vec![file.path.clone()],
    }
}

/// The terms of a voice, as they lie beside it.
#[must_use]
pub fn card(onnx: &Path) -> PathBuf {
    onnx.with_extension("MODEL_CARD")
}

/// Reads all of a model's files and compares them; takes seconds for a large one.
#[must_use]
pub fn verify(folder: &Path, file: &ModelFile, record: Option<&Installed>, entry: Option<&Entry>) -> Verdict {
    if let Some(record) = record {
        for known in &record.files {
            let path = folder.join(&known.path);
            let found = match digest::of_file(&path, None, || true) {
                Ok(found) => found,
                Err(error) if error.kind() == ErrorKind::NotFound => return Verdict::Gone { path },
                Err(error) => return Verdict::Unreadable { path, reason: error.to_string() },
            };
            if found.sha256 != known.sha256 {
                return Verdict::Changed { path, expected: known.sha256.clone(), found: found.sha256 };
            }
        }
        return Verdict::Whole { against: "what it was when it was installed" };
    }
    if let Some(entry) = entry
        && let Some(verdict) = made(folder, entry)
    {
        return verdict;
    }
    let Some(entry) = entry.filter(|entry| entry.files.iter().all(|file| file.digest.is_some())) else {
        return Verdict::Unknown;
    };
    for path in belonging(file) {
        let Some(published) =
            entry.files.iter().find(|known| known.place.file_name() == path.file_name()).and_then(|known| known.digest)
        else {
            return Verdict::Unknown;
        };
        let (Published::Md5(expected) | Published::Sha1(expected)) = published;
        match digest::of_file(&path, Some(published), || true) {
            Ok(found) if found.other.as_deref() == Some(expected) => {}
            Ok(found) => {
                let found = found.other.unwrap_or_default();
                return Verdict::Changed { path, expected: expected.to_owned(), found };
            }
            Err(error) => return Verdict::Unreadable { path, reason: error.to_string() },
        }
    }
    Verdict::Whole { against: "what its makers publish" }
}

/// Whether every file is as one of the recipes makes it; `None`: another file may be right too.
fn made(folder: &Path, entry: &Entry) -> Option<Verdict> {
    entry
        .recipes
        .iter()
        .any(|recipe| {
            recipe.files.iter().all(|file| {
                let found = digest::of_file(&folder.join(&file.place), None, || true);
                found.is_ok_and(|found| found.sha256 == file.sha256)
            })
        })
        .then_some(Verdict::Whole { against: "what Python packages hold" })
}
