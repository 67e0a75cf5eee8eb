//! Which voice engine a server speaks with, and which language a text is in.

use std::{
    ops::RangeInclusive,
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};

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

/// The engine the settings ask for. espeak-ng is needed in any case: Piper speaks its phonemes. With
/// [`SpeechEngine::Auto`] a default voice may be of either engine, and is used by the one that has it.
///
/// # Errors
/// [`EngineError::ModelMissing`] with a hint if what was asked for is not there; with [`SpeechEngine::Auto`] only if
/// even espeak-ng has no data, or nobody the voice.
pub fn choose(settings: &SpeechSettings) -> Result<Arc<dyn Synthesizer>, EngineError> {
    match settings.engine {
        SpeechEngine::Espeak => Ok(Arc::new(Espeak::open(&settings.espeak)?)),
        SpeechEngine::Piper => Ok(Arc::new(Piper::open(&settings.piper, phonemizer(settings)?)?)),
        SpeechEngine::Auto => auto(settings),
    }
}

fn phonemizer(settings: &SpeechSettings) -> Result<Espeak, EngineError> {
    Espeak::open(&EspeakSettings { voice: None, ..settings.espeak.clone() })
}

fn auto(settings: &SpeechSettings) -> Result<Arc<dyn Synthesizer>, EngineError> {
    let mut espeak = phonemizer(settings)?;
    let mut piper = settings.piper.clone();
    let of_piper = Piper::knows_default(&piper);
    let mut preferred = false;
    if let Some(voice) = settings.espeak.voice.as_deref()
        && (espeak.has_voice(voice) || !(of_piper && piper.voice.is_some()))
    {
        espeak = espeak.speaking(voice)?;
        preferred = !(of_piper && piper.voice.is_some());
    }
    if !of_piper {
        piper.voice = None;
    }
    match Piper::open(&piper, espeak.clone()) {
        Ok(piper) => Ok(Arc::new(Both { piper, espeak, preferred })),
        Err(error) => {
            tracing::info!(%error, hint = error.hint(), "piper is not there, espeak-ng speaks");
            let hint = format!("Piper is not in use: {error}; {}", error.hint());
            Ok(Arc::new(Instead { espeak, hint }))
        }
    }
}

/// Piper, and espeak-ng for the languages Piper has no voice for.
struct Both {
    piper: Piper,
    espeak: Espeak,
    /// espeak-ng has the default voice: it speaks that voice's language too.
    preferred: bool,
}

impl Synthesizer for Both {
    fn info(&self) -> EngineInfo {
        if self.preferred {
            let hint = Some("Piper voices are there too: choose one, or name it in TTS_VOICE".into());
            return EngineInfo { hint, ..self.espeak.info() };
        }
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
        let lacking =
            |language: &str| !self.piper.speaks(language) || (self.preferred && self.espeak.prefers(language));
        let others = self.espeak.voices().into_iter().filter(|voice| lacking(&voice.language));
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
        let piper = match language(&request) {
            Some(language) => self.piper.speaks(&language) && !(self.preferred && self.espeak.prefers(&language)),
            None => !self.preferred,
        };
        if piper { self.piper.speak(request) } else { self.espeak.speak(request) }
    }

    fn wake(&self) {
        if !self.preferred {
            self.piper.wake();
        }
    }

    fn rest(&self, now: Instant, unused_for: Duration) -> bool {
        self.piper.rest(now, unused_for)
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

/// A script, the language a text in it is taken for, and the languages that are written in it.
struct Script {
    letters: &'static [RangeInclusive<char>],
    usual: &'static str,
    written: &'static [&'static str],
}

const SCRIPTS: &[Script] = &[
    Script {
        letters: &['\u{400}'..='\u{52f}'],
        usual: "ru",
        written: &["ru", "uk", "be", "bg", "sr", "mk", "kk", "ky", "tt", "ba", "cv", "mn", "tg"],
    },
    Script { letters: &['\u{370}'..='\u{3ff}', '\u{1f00}'..='\u{1fff}'], usual: "el", written: &["el", "grc"] },
    Script { letters: &['\u{590}'..='\u{5ff}'], usual: "he", written: &["he", "yi"] },
    Script { letters: &['\u{600}'..='\u{6ff}'], usual: "ar", written: &["ar", "fa", "ur", "ug", "ku", "sd", "ps"] },
    Script { letters: &['\u{900}'..='\u{97f}'], usual: "hi", written: &["hi", "mr", "ne", "sa"] },
    Script { letters: &['\u{ac00}'..='\u{d7af}'], usual: "ko", written: &["ko"] },
    // Kana and kanji; Chinese has no kana.
    Script {
        letters: &['\u{3040}'..='\u{30ff}', '\u{4e00}'..='\u{9fff}'],
        usual: "zh",
        written: &["zh", "ja", "yue", "hak"],
    },
];

/// The language to speak `request` in: the one it names, unless most of its letters are of a script that language is
/// not written in; an English voice reads Russian text letter by letter or not at all.
pub(super) fn language(request: &SpeakRequest) -> Option<String> {
    let named = request
        .language
        .as_deref()
        .map(|tag| tag.split(['-', '_']).next().unwrap_or_default().trim().to_ascii_lowercase());
    let named = named.filter(|tag| !tag.is_empty());
    let letters = || request.text.chars().filter(|c| c.is_alphabetic());
    let count = letters().count();
    let of = |script: &&Script| letters().filter(|c| script.letters.iter().any(|range| range.contains(c))).count();
    let Some(script) = SCRIPTS.iter().find(|script| of(script) * 2 > count) else {
        // The tag as it was given: `en-GB` is more than `en`.
        return named.and(request.language.clone());
    };
    if named.is_some_and(|named| script.written.contains(&named.as_str())) {
        return request.language.clone();
    }
    let kana = script.usual == "zh" && letters().any(|c| matches!(c, '\u{3040}'..='\u{30ff}'));
    Some(if kana { "ja" } else { script.usual }.to_owned())
}

#[cfg(test)]
mod tests;
