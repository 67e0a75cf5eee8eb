//! What requests about models carry, and what they are answered with.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::{
    catalogue::{ChatModelFile, Checked, Download, Licence, Listed, OLLAMA, Suggestion, Told, same_chat_model},
    engine::models::ModelKind,
};

/// All models, and what is on its way.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelsList {
    pub models: Vec<ModelEntry>,
    /// Where chat models come from.
    pub ollama: OllamaState,
    /// The oldest first; those that have ended lately too.
    pub downloads: Vec<Download>,
}

/// Whether Ollama can be asked.
#[derive(Debug, Serialize, ToSchema)]
pub struct OllamaState {
    /// Host and port.
    pub place: String,
    /// Null: it answers.
    pub trouble: Option<Told>,
}

/// A model that can be fetched, is here, or both.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ModelEntry {
    /// What it is asked for by: `base.en`, `ru_RU-irina-medium`, `ollama:qwen2.5:0.5b`.
    pub id: String,
    pub kind: ModelKind,
    pub name: String,
    /// `en`, `ru_RU`; null: many, or not known.
    pub language: Option<String>,
    /// Of a voice: `x_low`, `low`, `medium` or `high`.
    pub quality: Option<String>,
    /// Of a voice: how many people it can sound like.
    pub speakers: u32,
    /// Its licence's name; null: `GET /api/models/card` has its text, or it is not known.
    pub licence: Option<String>,
    /// Whether `GET /api/models/card` has its licence.
    pub card: bool,
    /// On the disk, or about what will come; 0: not known.
    pub bytes: u64,
    pub installed: bool,
    pub in_use: bool,
    /// It is inside the program: not to be fetched or removed.
    pub built_in: bool,
    /// It can be fetched.
    pub can_pull: bool,
    /// Against what it was checked when it came; null: it was put there by hand, or by Ollama.
    pub checked: Option<Checked>,
}

/// What to fetch.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PullModel {
    /// An `id` of the list; `ollama:` and any name of Ollama's library.
    #[schema(max_length = 250)]
    pub name: String,
    /// Also if it is here already.
    #[serde(default)]
    pub again: bool,
}

/// What to use.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UseModel {
    /// An `id` of the list. With a `kind` also the name of something built in (`nano`), or `auto`: what the settings say.
    #[schema(max_length = 250)]
    pub name: String,
    #[serde(default)]
    pub kind: Option<ModelKind>,
}

/// Which model.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ModelName {
    /// An `id` of the list.
    #[param(max_length = 250)]
    pub name: String,
}

/// Which download.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct WhichDownload {
    /// Its id; left out: all.
    pub download: Option<Uuid>,
}

/// A download that has begun, or how it ended.
#[derive(Debug, Serialize, ToSchema)]
pub struct OneDownload {
    pub download: Download,
    /// Where its progress is told.
    pub events: String,
}

/// The terms of a model.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModelCard {
    pub name: String,
    pub text: String,
    /// Where it was read; null: it needs no reading.
    pub address: Option<String>,
}

/// What was chosen, by kind; null: what the settings say.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChosenModels {
    pub asr: Option<String>,
    pub llm: Option<String>,
    pub tts: Option<String>,
}

impl OneDownload {
    pub fn of(download: Download) -> Self {
        Self { events: format!("/api/models/events?download={}", download.id), download }
    }
}

impl ModelEntry {
    /// A Whisper model or a voice.
    pub fn of(listed: &Listed<'_>, in_use: &[(ModelKind, String)]) -> Self {
        let licence = listed.entry.map(|entry| &entry.licence);
        let noted = listed.record.as_ref().map(|record| &record.files);
        let here = listed.present.as_ref().map(|file| file.bytes);
        Self {
            id: listed.name.clone(),
            kind: listed.kind,
            name: listed.name.clone(),
            language: listed.entry.and_then(|entry| entry.language).map(str::to_owned),
            quality: listed.entry.and_then(|entry| entry.quality).map(str::to_owned),
            speakers: listed.entry.map_or(0, |entry| entry.speakers),
            licence: licence.and_then(|licence| match licence {
                Licence::Named(name) => Some((*name).to_owned()),
                Licence::Card { .. } => None,
            }),
            card: matches!(licence, Some(Licence::Card { .. })),
            bytes: here.or(listed.entry.map(crate::catalogue::Entry::bytes)).unwrap_or_default(),
            installed: here.is_some(),
            in_use: here.is_some() && in_use.iter().any(|(kind, name)| *kind == listed.kind && *name == listed.name),
            built_in: false,
            can_pull: listed.entry.is_some(),
            checked: noted.and_then(|files| files.last()).map(|file| file.checked),
        }
    }

    /// A chat model that Ollama has, or is worth fetching.
    pub fn chat(
        name: &str,
        here: Option<&ChatModelFile>,
        suggestion: Option<&Suggestion>,
        in_use: Option<&str>,
    ) -> Self {
        let about = suggestion.map(|suggestion| suggestion.about_bytes);
        Self {
            id: format!("{OLLAMA}{name}"),
            kind: ModelKind::Llm,
            name: name.to_owned(),
            language: None,
            quality: None,
            speakers: 0,
            licence: suggestion.map(|suggestion| suggestion.licence.to_owned()),
            card: false,
            bytes: here.map(|model| model.bytes).or(about).unwrap_or_default(),
            installed: here.is_some(),
            in_use: in_use.is_some_and(|used| same_chat_model(used, name)),
            built_in: false,
            can_pull: true,
            checked: None,
        }
    }

    /// What is in use and is part of the program, or of a server that holds its own models.
    pub fn built_in(kind: ModelKind, name: &str) -> Self {
        Self {
            id: name.to_owned(),
            kind,
            name: name.to_owned(),
            language: None,
            quality: None,
            speakers: 0,
            licence: None,
            card: false,
            bytes: 0,
            installed: true,
            in_use: true,
            built_in: true,
            can_pull: false,
            checked: None,
        }
    }
}
