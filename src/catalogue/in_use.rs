//! Which models were chosen: the file `in-use.json`, and the trait of whoever puts a choice into effect.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::engine::models::ModelKind;

/// The file in `DATA_DIR`.
const FILE: &str = "in-use.json";
/// Three names fit into much less.
const MAX_BYTES: u64 = 64 << 10;

/// The models that were chosen, by kind; `None`: what the settings say. A setting that was given counts more than a
/// choice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct InUse {
    /// As `ASR_MODEL_NAME`: `base.en`.
    pub asr: Option<String>,
    /// As `LLM_MODEL_NAME`: `qwen2.5:0.5b`.
    pub llm: Option<String>,
    /// As `TTS_VOICE`: `ru_RU-irina-medium`.
    pub tts: Option<String>,
}

/// Why the file of choices cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum InUseError {
    #[error("{path} cannot be read: {error}\nhint: let the server read DATA_DIR")]
    Read { path: PathBuf, error: io::Error },
    #[error(
        "{path} does not say which models are in use: {reason}\nhint: remove it, then choose again with `aigolos models use`"
    )]
    Broken { path: PathBuf, reason: String },
    #[error("{path} cannot be written: {error}\nhint: let the server write to DATA_DIR, and free some room there")]
    Write { path: PathBuf, error: io::Error },
}

impl InUse {
    /// Where the choices for `data_dir` lie.
    #[must_use]
    pub fn path(data_dir: &Path) -> PathBuf {
        data_dir.join(FILE)
    }

    /// What was chosen; nothing if the file is not there. Fields nobody knows are passed over.
    ///
    /// # Errors
    /// [`InUseError`] if it is there and cannot be understood.
    pub fn load(data_dir: &Path) -> Result<Self, InUseError> {
        let path = Self::path(data_dir);
        let read = fs::metadata(&path).and_then(|file| match file.len() {
            0..=MAX_BYTES => fs::read(&path),
            _ => Err(io::Error::other("it is far too long")),
        });
        match read {
            Ok(bytes) => {
                serde_json::from_slice(&bytes).map_err(|error| InUseError::Broken { path, reason: error.to_string() })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(InUseError::Read { path, error }),
        }
    }

    /// Writes the choices down: whoever reads meanwhile sees the old ones or the new ones, whole.
    ///
    /// # Errors
    /// [`InUseError::Write`]; the old file is then as it was.
    pub fn save(&self, data_dir: &Path) -> Result<(), InUseError> {
        let path = Self::path(data_dir);
        let mut text = serde_json::to_vec_pretty(self).unwrap_or_default(); // three optional texts are always JSON
        text.push(b'\n');
        fs::create_dir_all(data_dir)
            .and_then(|()| write_whole(&path, &text))
            .map_err(|error| InUseError::Write { path, error })
    }

    /// What was chosen for `kind`.
    #[must_use]
    pub fn of(&self, kind: ModelKind) -> Option<&str> {
        match kind {
            ModelKind::Asr => self.asr.as_deref(),
            ModelKind::Llm => self.llm.as_deref(),
            ModelKind::Tts => self.tts.as_deref(),
        }
    }

    /// Chooses `name` for `kind`; `None` takes the choice back.
    pub fn set(&mut self, kind: ModelKind, name: Option<String>) {
        match kind {
            ModelKind::Asr => self.asr = name,
            ModelKind::Llm => self.llm = name,
            ModelKind::Tts => self.tts = name,
        }
    }
}

/// Why a model is not in use now although it was asked for; everything is as it was.
#[derive(Debug, thiserror::Error)]
pub enum ChooseError {
    #[error("{name} is not there\nhint: fetch it with `aigolos models pull {name}`")]
    Missing { name: String },
    /// The operator's setting counts more.
    #[error(
        "{setting} is set, and counts more than a choice\nhint: remove {setting} from the environment, .env or the command line, and start again"
    )]
    Given { setting: &'static str },
    /// It does not load; `hint` says what to do.
    #[error("{name} cannot be used: {reason}\nhint: {hint}")]
    Unusable { name: String, reason: String, hint: String },
    #[error(transparent)]
    File(#[from] InUseError),
}

/// Whoever puts another model into use while the server runs.
#[async_trait]
pub trait Chooser: Send + Sync {
    /// Loads `name`, puts it in the place of what is in use, and writes the choice down. What runs ends on the old one.
    /// `auto` takes the choice back.
    ///
    /// # Errors
    /// [`ChooseError`]; then nothing has changed.
    async fn choose(&self, kind: ModelKind, name: &str) -> Result<(), ChooseError>;

    /// Makes the engine of `kind` anew by what is set and chosen, because a model that it lacked has come.
    ///
    /// # Errors
    /// [`ChooseError`]; then nothing has changed.
    async fn renew(&self, kind: ModelKind) -> Result<(), ChooseError>;

    /// What was chosen, as the file says.
    fn chosen(&self) -> InUse;
}

/// Puts `bytes` at `path` so that a crash leaves the old file or the new one.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let (id, count) = (std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{id}-{count}.tmp"));
    let beside = PathBuf::from(beside);
    let written = fs::File::create(&beside).and_then(|mut file| {
        file.write_all(bytes)?;
        file.sync_all()
    });
    let placed = written.and_then(|()| fs::rename(&beside, path)).and_then(|()| sync_folder(path));
    if placed.is_err() {
        let _ = fs::remove_file(&beside); // it may never have been there
    }
    placed
}

/// Makes the names in the folder of `path` survive a power cut.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) => fs::File::open(folder)?.sync_all(),
        None => fs::File::open(".")?.sync_all(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_loaded() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let data = folder.path().join("not/yet/there");
        assert_eq!(InUse::load(&data).expect("nothing was chosen"), InUse::default());
        let mut chosen = InUse::default();
        chosen.set(ModelKind::Asr, Some("base.en".into()));
        chosen.set(ModelKind::Tts, Some("ru_RU-irina-medium".into()));
        chosen.save(&data).expect("writable");
        chosen.set(ModelKind::Tts, None);
        chosen.save(&data).expect("writable");
        let loaded = InUse::load(&data).expect("readable");
        assert_eq!((loaded.of(ModelKind::Asr), loaded.of(ModelKind::Tts)), (Some("base.en"), None));
        assert_eq!(fs::read_dir(&data).expect("a folder").count(), 1, "nothing is left beside it");
    }

    #[test]
    fn fields_nobody_knows_are_passed_over_and_nonsense_is_an_error_with_a_hint() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        fs::write(InUse::path(folder.path()), r#"{"llm": "qwen2.5:0.5b", "vad": "other"}"#).expect("writable");
        assert_eq!(InUse::load(folder.path()).expect("readable").of(ModelKind::Llm), Some("qwen2.5:0.5b"));
        for nonsense in ["", "7", r#"{"asr": 3}"#, "{\"asr\": \"ba"] {
            fs::write(InUse::path(folder.path()), nonsense).expect("writable");
            let error = InUse::load(folder.path()).expect_err(nonsense).to_string();
            assert!(error.contains("in-use.json") && error.contains("hint: "), "{error}");
        }
    }
}
