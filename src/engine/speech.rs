//! Which voice engine a server speaks with, and which language a text is in.

use std::{str::FromStr, sync::Arc};

use super::{
    EngineError, EngineInfo, SpeakRequest, SpeechStream, Synthesizer, VoiceInfo,
    espeak::{Espeak, EspeakSettings},
    piper::{Piper, PiperSettings},
};

/// Which engine speaks (`TTS_ENGINE`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SpeechEngine {
    /// Piper where it can, espeak-ng for the languages it lacks or if it is not there at all; what is in use is said.
    #[default]
    Auto,
    /// Piper or an error.
    Piper,
    /// The embedded voice.
    Espeak,
}

impl FromStr for SpeechEngine {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.trim().to_ascii_lowercase().as_str() {
            "auto" => Ok(Self::Auto),
            "piper" => Ok(Self::Piper),
            "espeak" | "espeak-ng" => Ok(Self::Espeak),
            other => Err(format!("TTS_ENGINE is auto, piper or espeak, not {other}")),
        }
    }
}

/// How speech is made.
#[derive(Debug, Clone, Default)]
pub struct SpeechSettings {
    pub engine: SpeechEngine,
    pub espeak: EspeakSettings,
    pub piper: PiperSettings,
}

/// The engine the settings ask for. espeak-ng is needed in any case: Piper speaks its phonemes.
///
/// # Errors
/// [`EngineError::ModelMissing`] with a hint if what was asked for is not there; with [`SpeechEngine::Auto`] only if
/// even espeak-ng has no data.
pub fn choose(settings: &SpeechSettings) -> Result<Arc<dyn Synthesizer>, EngineError> {
    let espeak = Espeak::open(&settings.espeak)?;
    let piper = match settings.engine {
        SpeechEngine::Espeak => return Ok(Arc::new(espeak)),
        SpeechEngine::Piper | SpeechEngine::Auto => Piper::open(&settings.piper, espeak.clone()),
    };
    match (settings.engine, piper) {
        (SpeechEngine::Auto, Ok(piper)) => Ok(Arc::new(Both { piper, espeak })),
        (SpeechEngine::Auto, Err(error)) => {
            tracing::info!(%error, hint = error.hint(), "piper is not there, espeak-ng speaks");
            let hint = format!("Piper is not in use: {error}; {}", error.hint());
            Ok(Arc::new(Instead { espeak, hint }))
        }
        (_, piper) => Ok(Arc::new(piper?)),
    }
}

/// Piper, and espeak-ng for the languages Piper has no voice for.
struct Both {
    piper: Piper,
    espeak: Espeak,
}

impl Synthesizer for Both {
    fn info(&self) -> EngineInfo {
        let mut info = self.piper.info();
        let more = self.espeak.info().languages;
        let lacking: Vec<String> = more.into_iter().filter(|tag| !info.languages.contains(tag)).collect();
        let other = "languages without a Piper voice are spoken by espeak-ng";
        info.hint = Some(info.hint.map_or_else(|| other.into(), |hint| format!("{hint}; {other}")));
        info.languages.extend(lacking);
        info
    }

    fn voices(&self) -> Vec<VoiceInfo> {
        let mut voices = self.piper.voices();
        let others = self.espeak.voices().into_iter().filter(|voice| !self.piper.speaks(&voice.language));
        voices.extend(others.map(|voice| VoiceInfo { name: format!("{}, espeak-ng", voice.name), ..voice }));
        voices
    }

    fn speak(&self, request: SpeakRequest) -> SpeechStream {
        let voice = request.voice.as_deref();
        if voice.is_some_and(|id| self.piper.has_voice(id)) {
            return self.piper.speak(request);
        }
        if voice.is_some_and(|id| self.espeak.has_voice(id)) {
            return self.espeak.speak(request);
        }
        if language(&request).is_none_or(|language| self.piper.speaks(&language)) {
            self.piper.speak(request)
        } else {
            self.espeak.speak(request)
        }
    }
}

/// espeak-ng in Piper's place, saying why.
struct Instead {
    espeak: Espeak,
    hint: String,
}

impl Synthesizer for Instead {
    fn info(&self) -> EngineInfo {
        EngineInfo { hint: Some(self.hint.clone()), ..self.espeak.info() }
    }

    fn voices(&self) -> Vec<VoiceInfo> {
        self.espeak.voices()
    }

    fn speak(&self, request: SpeakRequest) -> SpeechStream {
        self.espeak.speak(request)
    }
}

/// Scripts, the language a text in them is taken for, and the languages that are written in them.
const SCRIPTS: &[(fn(char) -> bool, &str, &[&str])] = &[
    (
        |c| matches!(c, '\u{400}'..='\u{52f}'),
        "ru",
        &["ru", "uk", "be", "bg", "sr", "mk", "kk", "ky", "tt", "ba", "cv", "mn", "tg"],
    ),
    (|c| matches!(c, '\u{370}'..='\u{3ff}'), "el", &["el", "grc"]),
    (|c| matches!(c, '\u{590}'..='\u{5ff}'), "he", &["he", "yi"]),
    (|c| matches!(c, '\u{600}'..='\u{6ff}'), "ar", &["ar", "fa", "ur", "ug", "ku", "sd", "ps"]),
    (|c| matches!(c, '\u{900}'..='\u{97f}'), "hi", &["hi", "mr", "ne", "sa"]),
    (|c| matches!(c, '\u{3040}'..='\u{30ff}'), "ja", &["ja"]),
    (|c| matches!(c, '\u{ac00}'..='\u{d7af}'), "ko", &["ko"]),
    (|c| matches!(c, '\u{4e00}'..='\u{9fff}'), "zh", &["zh", "ja", "yue", "ko"]),
];

/// The language to speak `request` in: the one it names, unless most of its letters are of a script that language is
/// not written in; an English voice reads Russian text letter by letter or not at all.
pub(super) fn language(request: &SpeakRequest) -> Option<String> {
    let named = request
        .language
        .as_deref()
        .map(|tag| tag.split(['-', '_']).next().unwrap_or_default().trim().to_ascii_lowercase());
    let named = named.filter(|tag| !tag.is_empty());
    let letters = request.text.chars().filter(|c| c.is_alphabetic()).count();
    let script = SCRIPTS.iter().find(|(belongs, ..)| {
        let theirs = request.text.chars().filter(|&c| belongs(c)).count();
        theirs * 2 > letters
    });
    // Kana are fewer than half of the letters of many a Japanese sentence.
    let kana = || request.text.chars().any(|c| matches!(c, '\u{3040}'..='\u{30ff}'));
    match (named, script) {
        (Some(named), Some((_, usual, written))) if !written.contains(&named.as_str()) => {
            Some(if *usual == "zh" && kana() { "ja".into() } else { (*usual).to_owned() })
        }
        (None, Some((_, usual, _))) => Some(if *usual == "zh" && kana() { "ja".into() } else { (*usual).to_owned() }),
        // The tag as it was given: `en-GB` is more than `en`.
        (Some(_), _) => request.language.clone(),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests;
