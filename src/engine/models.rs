//! What lies in the models folder.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

/// What a model does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ModelKind {
    /// Speech to text: Whisper in ggml form.
    Asr,
    /// Text to text: a chat model, served by Ollama.
    Llm,
    /// Text to speech: a Piper voice.
    Tts,
}

impl ModelKind {
    pub const ALL: [Self; 3] = [Self::Asr, Self::Llm, Self::Tts];

    /// Its name on every wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Asr => "asr",
            Self::Llm => "llm",
            Self::Tts => "tts",
        }
    }

    /// The setting that names the model in use.
    #[must_use]
    pub const fn setting(self) -> &'static str {
        match self {
            Self::Asr => "ASR_MODEL_NAME",
            Self::Llm => "LLM_MODEL_NAME",
            Self::Tts => "TTS_VOICE",
        }
    }
}

/// A model file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelFile {
    pub kind: ModelKind,
    /// The name it is asked for by: `base.en` for `ggml-base.en.bin`, a voice's file name without `.onnx`.
    pub name: String,
    pub bytes: u64,
    /// The file itself; a voice's description lies beside it.
    #[serde(skip)]
    pub path: PathBuf,
}

/// The description that belongs to a voice's `.onnx`.
#[must_use]
pub fn description(onnx: &Path) -> PathBuf {
    onnx.with_extension("onnx.json")
}

/// The models in `folder`, Whisper's first, each kind by name. What cannot be read is left out.
#[must_use]
pub fn files(folder: &Path) -> Vec<ModelFile> {
    let file = |kind, path: &Path, prefix: &str| {
        let name = path.file_stem()?.to_str()?;
        let name = name.strip_prefix(prefix).unwrap_or(name).to_owned();
        Some(ModelFile { kind, name, bytes: fs::metadata(path).ok()?.len(), path: path.to_owned() })
    };
    let whisper = ggml_files(folder).into_iter().filter_map(|path| file(ModelKind::Asr, &path, "ggml-"));
    let voices = onnx_files(&folder.join("piper"), 2).into_iter().filter_map(|path| file(ModelKind::Tts, &path, ""));
    whisper.chain(voices).collect()
}

/// Whisper models in the models folder, by name.
pub fn ggml_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = [folder.to_path_buf(), folder.join("whisper")]
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok())
        .flat_map(|entries| entries.flatten().map(|entry| entry.path()))
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            name.starts_with("ggml-") && path.extension().is_some_and(|extension| extension == "bin")
        })
        .collect();
    files.sort();
    files
}

/// Voices in `folder` and its subfolders, so many floors down.
fn onnx_files(folder: &Path, depth: u32) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries
        .flat_map(|path| match path.is_dir() {
            true if depth > 0 => onnx_files(&path, depth - 1),
            true => Vec::new(),
            false => vec![path],
        })
        // Without its description a voice is half of one.
        .filter(|path| path.extension().is_some_and(|extension| extension == "onnx") && description(path).is_file())
        .collect();
    files.sort();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn models_are_listed_by_the_names_they_are_asked_for() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let put = |name: &str, bytes: usize| {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("writable");
            fs::write(path, vec![0; bytes]).expect("writable");
        };
        put("ggml-base.en.bin", 3);
        put("piper/ru/ru_RU-irina-medium.onnx", 5);
        put("piper/ru/ru_RU-irina-medium.onnx.json", 7);
        put("piper/half-of-one.onnx", 5);
        put(".partial/ggml-tiny.bin.part", 5);
        put("notes.txt", 9);
        let listed = files(folder.path());
        let at = |name: &str| folder.path().join(name);
        assert_eq!(
            listed,
            [
                ModelFile { kind: ModelKind::Asr, name: "base.en".into(), bytes: 3, path: at("ggml-base.en.bin") },
                ModelFile {
                    kind: ModelKind::Tts,
                    name: "ru_RU-irina-medium".into(),
                    bytes: 5,
                    path: at("piper/ru/ru_RU-irina-medium.onnx"),
                },
            ]
        );
        assert_eq!(files(Path::new("/nowhere/at/all")), []);
    }
}
