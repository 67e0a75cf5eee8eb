//! Voices in a folder: `NAME.onnx` with `NAME.onnx.json` beside it, as Piper's voices are published.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use serde_json::{Value, json};

use crate::{audio::SampleRate, engine::VoiceInfo};

/// How deep voices may lie below the folder, and how many files are looked at.
const MAX_DEPTH: usize = 6;
const MAX_FILES: usize = 10_000;
/// A configuration is some kilobytes; one with a thousand speakers about fifty.
const MAX_CONFIG_BYTES: u64 = 4 << 20;
/// Speakers of one voice that are listed by name; all can be asked for.
const MAX_LISTED: usize = 32;

/// A voice that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The `.onnx` file.
    pub path: PathBuf,
    pub reason: String,
}

/// A voice that can be loaded.
#[derive(Debug, Clone)]
pub(super) struct Voice {
    /// The file's name without `.onnx`: `en_US-lessac-medium`.
    pub id: String,
    pub name: String,
    /// ISO 639-1.
    pub language: String,
    pub rate: SampleRate,
    pub path: PathBuf,
    /// The espeak-ng voice whose phonemes it was trained on.
    pub phonemes: String,
    /// The speaker used unless another is named.
    pub speaker: i64,
    speakers: Arc<BTreeMap<String, i64>>,
    speaker_count: i64,
    /// In the form piper-rs reads.
    pub config: Arc<Value>,
}

impl Voice {
    /// The number of the speaker called `name`, or with that number.
    pub fn speaker(&self, name: &str) -> Option<i64> {
        let number = || name.parse().ok().filter(|number| (0..self.speaker_count).contains(number));
        self.speakers.get(name).copied().or_else(number)
    }

    /// As shown to people: the voice, and its speakers if they are few.
    pub fn listed(&self) -> Vec<VoiceInfo> {
        let info = |id, name| VoiceInfo { id, name, language: self.language.clone(), rate: self.rate };
        if self.speakers.is_empty() || self.speakers.len() > MAX_LISTED {
            return vec![info(self.id.clone(), self.name.clone())];
        }
        let speaker = |name: &String| info(format!("{}#{name}", self.id), format!("{}, speaker {name}", self.name));
        self.speakers.keys().map(speaker).collect()
    }
}

/// All voices below `folder`, those for conversation first, and those that cannot be used.
pub(super) fn find(folder: &Path) -> (Vec<Voice>, Vec<Broken>) {
    let mut paths = Vec::new();
    let mut budget = MAX_FILES;
    collect(folder, MAX_DEPTH, &mut budget, &mut paths);
    paths.sort_unstable();
    let (mut voices, mut broken) = (Vec::<Voice>::new(), Vec::new());
    for path in paths {
        match read(&path) {
            Ok(voice) if voices.iter().any(|known| known.id == voice.id) => {
                broken.push(Broken { path, reason: "there is another voice of this name".into() });
            }
            Ok(voice) => voices.push(voice),
            Err(reason) => broken.push(Broken { path, reason }),
        }
    }
    voices.sort_by_key(|voice| rank(&voice.id));
    (voices, broken)
}

/// A voice's files as they are: their place, and of `.onnx` and `.onnx.json` the size and the time of the last change.
pub type Stamp = (PathBuf, [Option<(u64, SystemTime)>; 2]);

/// What lies below `folder`; differs as soon as a voice is added, removed or changed.
#[must_use]
pub fn stamps(folder: &Path) -> Vec<Stamp> {
    let mut paths = Vec::new();
    let mut budget = MAX_FILES;
    collect(folder, MAX_DEPTH, &mut budget, &mut paths);
    paths.sort_unstable();
    let stamp = |path: &Path| fs::metadata(path).ok().and_then(|file| Some((file.len(), file.modified().ok()?)));
    paths
        .into_iter()
        .map(|path| {
            let files = [stamp(&path), stamp(&path.with_extension("onnx.json"))];
            (path, files)
        })
        .collect()
}

/// Medium voices are the best bargain of quality and time; the sort is stable, so names decide among equals.
fn rank(id: &str) -> usize {
    ["-medium", "-high", "-low", "-x_low"].iter().position(|quality| id.ends_with(quality)).unwrap_or(1)
}

fn collect(folder: &Path, depth: usize, budget: &mut usize, paths: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.filter_map(Result::ok) {
        if *budget == 0 {
            return;
        }
        *budget -= 1;
        let path = entry.path();
        if path.is_dir() {
            if depth > 0 {
                collect(&path, depth - 1, budget, paths);
            }
        } else if path.extension().is_some_and(|extension| extension == "onnx") {
            paths.push(path);
        }
    }
}

fn read(path: &Path) -> Result<Voice, String> {
    let beside = path.with_extension("onnx.json");
    let size = fs::metadata(&beside).map_err(|_| "its .onnx.json is missing".to_owned())?.len();
    if size > MAX_CONFIG_BYTES {
        return Err(format!("its .onnx.json has {size} bytes, more than any voice needs"));
    }
    let text = fs::read_to_string(&beside).map_err(|error| format!("its .onnx.json cannot be read ({error})"))?;
    let config: Value = serde_json::from_str(&text).map_err(|error| format!("its .onnx.json is no JSON ({error})"))?;
    let id = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    voice(id, path.to_owned(), &config)
}

fn voice(id: String, path: PathBuf, config: &Value) -> Result<Voice, String> {
    let text = |pointer: &str| config.pointer(pointer).and_then(Value::as_str).filter(|text| !text.is_empty());
    let hz =
        config.pointer("/audio/sample_rate").and_then(Value::as_u64).ok_or("its .onnx.json names no sample rate")?;
    let rate = u32::try_from(hz).ok().and_then(|hz| SampleRate::new(hz).ok());
    let rate = rate.ok_or_else(|| format!("its sample rate of {hz} Hz is outside 8000 to 48000"))?;
    if let Some(other) = text("/phoneme_type").filter(|kind| *kind != "espeak") {
        return Err(format!("it wants phonemes of the kind {other}, known is espeak"));
    }
    let phonemes = text("/espeak/voice").ok_or("its .onnx.json names no espeak voice")?.to_owned();
    let language = text("/language/family").or_else(|| text("/language/code")).unwrap_or(&phonemes);
    let language: String = language.chars().take_while(char::is_ascii_alphabetic).collect::<String>().to_lowercase();
    let speakers: BTreeMap<String, i64> = config
        .pointer("/speaker_id_map")
        .and_then(Value::as_object)
        .map(|map| map.iter().filter_map(|(name, id)| Some((name.clone(), id.as_i64()?))).collect())
        .unwrap_or_default();
    let speaker_count = config.pointer("/num_speakers").and_then(Value::as_i64).unwrap_or(1).max(1);
    if speakers.values().any(|id| !(0..speaker_count).contains(id)) {
        return Err(format!("a speaker's number is outside its {speaker_count} speakers"));
    }
    let ids = config.pointer("/phoneme_id_map").and_then(Value::as_object);
    let ids = ids.ok_or("its .onnx.json has no phoneme_id_map")?;
    // piper-rs takes one character a phoneme; longer ones belong to other kinds of phonemes.
    let ids: serde_json::Map<String, Value> =
        ids.iter().filter(|(key, _)| key.chars().count() == 1).map(|(key, id)| (key.clone(), id.clone())).collect();
    if ids.len() < 10 || ids.values().any(|id| id.as_array().is_none_or(|id| id.iter().any(|id| id.as_i64().is_none())))
    {
        return Err("its phoneme_id_map is not one".into());
    }
    let number = |pointer: &str, usual: f64| config.pointer(pointer).and_then(Value::as_f64).unwrap_or(usual);
    let config = Arc::new(json!({
        "audio": { "sample_rate": hz },
        "espeak": { "voice": phonemes },
        "inference": {
            "noise_scale": number("/inference/noise_scale", 0.667),
            "length_scale": number("/inference/length_scale", 1.0),
            "noise_w": number("/inference/noise_w", 0.8),
        },
        "num_speakers": speaker_count,
        "speaker_id_map": speakers,
        "phoneme_id_map": ids,
    }));
    let name = readable(&id, text("/language/name_english"), text("/language/country_english"), text("/audio/quality"));
    Ok(Voice {
        speaker: 0,
        id,
        name,
        language,
        rate,
        path,
        phonemes,
        speakers: Arc::new(speakers),
        speaker_count,
        config,
    })
}

/// "Lessac (English, United States, medium)" for `en_US-lessac-medium`.
fn readable(id: &str, language: Option<&str>, country: Option<&str>, quality: Option<&str>) -> String {
    let name = id.split('-').nth(1).unwrap_or(id).replace('_', " ");
    let mut letters = name.chars();
    let name: String = letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect();
    let details: Vec<&str> = [language, country, quality].into_iter().flatten().collect();
    if details.is_empty() { name } else { format!("{name} ({})", details.join(", ")) }
}
