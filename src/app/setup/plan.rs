//! What is wanted, and what of it is missing.

use super::{super::config::Config, USUAL, VOICE, here, voices_speak};
use crate::{
    catalogue::{InUse, Library},
    engine::models::ModelKind,
};

/// What `MODELS_FETCH` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wish {
    /// The bundled engines do.
    Never,
    /// A recogniser for every language that is fast enough, and a voice.
    Auto,
    /// These.
    Names(Vec<String>),
}

impl Wish {
    /// Of a setting: `auto`, `never`, or names separated by commas.
    #[must_use]
    pub fn of(text: &str) -> Self {
        match text.trim() {
            "auto" => Self::Auto,
            "" | "never" | "none" => Self::Never,
            names => Self::Names(names.split([',', ' ']).filter(|name| !name.is_empty()).map(str::to_owned).collect()),
        }
    }
}

/// What a part of the server lacks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Need {
    #[default]
    Nothing,
    /// The one that the settings or somebody chose.
    Named(String),
    /// One that fits the machine.
    Best,
}

/// What is to be fetched.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    pub recognizer: Need,
    pub voice: Need,
    /// Further ones, asked for by name.
    pub others: Vec<String>,
    /// Why no voice is fetched although there is none.
    pub voiceless: Option<String>,
}

impl Plan {
    /// What is missing on this machine.
    #[must_use]
    pub fn of(config: &Config, library: &Library, wish: &Wish) -> Self {
        let chosen = InUse::load(&config.settings.data_dir).unwrap_or_default(); // whoever uses it says what is wrong
        match wish {
            Wish::Never => Self::default(),
            Wish::Names(names) => {
                let present: Vec<_> =
                    [ModelKind::Asr, ModelKind::Tts].into_iter().flat_map(|kind| here(library, kind)).collect();
                let others = names.iter().filter(|name| !present.contains(name)).cloned().collect();
                Self { others, ..Self::default() }
            }
            Wish::Auto => {
                let mut plan = Self {
                    recognizer: need(config, library, &chosen, ModelKind::Asr, &config.settings.asr_model_name),
                    voice: need(config, library, &chosen, ModelKind::Tts, &config.settings.tts_voice),
                    ..Self::default()
                };
                if config.settings.tts_engine == "espeak" {
                    plan.voice = Need::Nothing;
                }
                if plan.voice != Need::Nothing
                    && let Err(reason) = voices_speak(config)
                {
                    plan.voiceless = Some(reason);
                    plan.voice = Need::Nothing;
                }
                plan
            }
        }
    }

    /// Whether everything is here.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.recognizer == Need::Nothing && self.voice == Need::Nothing && self.others.is_empty()
    }

    /// What is fetched first.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        let name = |need: &Need, best: &str| match need {
            Need::Nothing => None,
            Need::Named(name) => Some(name.clone()),
            Need::Best => Some(best.to_owned()),
        };
        let mut names: Vec<_> = name(&self.recognizer, USUAL).into_iter().chain(name(&self.voice, VOICE)).collect();
        names.extend(self.others.iter().cloned());
        names
    }
}

fn need(config: &Config, library: &Library, chosen: &InUse, kind: ModelKind, setting: &str) -> Need {
    let present = here(library, kind);
    let named = match chosen.of(kind) {
        _ if config.given(kind.setting()) => Some(setting),
        chosen => chosen,
    };
    match named {
        // A speaker may be named behind the voice. What nobody can fetch (`nano`, a path, an espeak-ng voice) is left alone.
        Some(name) => {
            let name = name.split('#').next().unwrap_or(name);
            let lacks =
                library.find(name).is_some_and(|entry| entry.kind == kind) && !present.iter().any(|it| it == name);
            if lacks { Need::Named(name.to_owned()) } else { Need::Nothing }
        }
        None if present.is_empty() => Need::Best,
        None => Need::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::catalogue::LibrarySettings;

    fn plan(arguments: &[&str], files: &[&str], chosen: Option<(ModelKind, &str)>) -> Plan {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("piper")).expect("writable");
        files.iter().for_each(|name| fs::write(at(name), b"x").expect("writable"));
        let data = at("data").to_str().expect("UTF-8").to_owned();
        let mut given = vec!["aigolos", "--data-dir", &data];
        given.extend(arguments);
        let (_, config) = Config::parse(given.into_iter().map(Into::into)).expect("valid");
        if let Some((kind, name)) = chosen {
            let mut choice = InUse::default();
            choice.set(kind, Some(name.into()));
            choice.save(&config.settings.data_dir).expect("writable");
        }
        let settings = LibrarySettings { folder: folder.path().to_owned(), ..LibrarySettings::default() };
        let library = Library::new(settings).expect("valid");
        let mut plan = Plan::of(&config, &library, &Wish::Auto);
        // Whether this machine has ONNX Runtime is another matter.
        if plan.voiceless.take().is_some() {
            plan.voice = Need::Best;
        }
        plan
    }

    #[test]
    fn a_machine_with_nothing_needs_a_recogniser_and_a_voice() {
        let nothing = plan(&[], &[], None);
        assert_eq!(nothing.names(), [USUAL, VOICE]);
        assert_eq!((&nothing.recognizer, nothing.is_empty()), (&Need::Best, false));
    }

    #[test]
    fn what_is_there_or_chosen_is_left_as_it_is() {
        let voice = ["piper/xx.onnx", "piper/xx.onnx.json"];
        assert!(plan(&[], &["ggml-small.bin", voice[0], voice[1]], None).is_empty());
        assert_eq!(plan(&[], &voice, None).names(), [USUAL]);
        for arguments in [["--asr-model-name", "nano"], ["--asr-model-name", "/models/mine.bin"]] {
            assert_eq!(plan(&arguments, &voice, None).names(), Vec::<String>::new(), "{arguments:?}");
        }
        assert!(plan(&[], &voice, Some((ModelKind::Asr, "nano"))).is_empty());
        assert_eq!(plan(&["--tts-engine", "espeak"], &["ggml-small.bin"], None).voice, Need::Nothing);
    }

    #[test]
    fn what_is_named_and_can_be_fetched_is_fetched() {
        let voice = ["piper/xx.onnx", "piper/xx.onnx.json"];
        assert_eq!(plan(&["--asr-model-name", "small"], &voice, None).names(), ["small"]);
        assert_eq!(plan(&[], &voice, Some((ModelKind::Asr, "base.en"))).names(), ["base.en"]);
        assert_eq!(plan(&["--asr-model-name", "auto"], &voice, None).names(), [USUAL]);
        assert_eq!(
            Wish::of("small, ru_RU-irina-medium"),
            Wish::Names(vec!["small".into(), "ru_RU-irina-medium".into()])
        );
        assert_eq!((Wish::of("none"), Wish::of("auto")), (Wish::Never, Wish::Auto));
    }
}
