//! Which voice engine a server speaks with, and in which language.

use std::{
    str::FromStr,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    EngineError, EngineInfo, SpeakRequest, Speaker, SpeechStream, Synthesizer, VoiceInfo,
    espeak::{Espeak, EspeakSettings},
    piper::{Piper, PiperSettings},
    script,
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

impl Both {
    /// The engine for `request`.
    fn speaks(&self, request: &SpeakRequest) -> &dyn Synthesizer {
        let voice = request.voice.as_deref();
        let piper = if voice.is_some_and(|id| self.piper.has_voice(id)) {
            true
        } else if voice.is_some_and(|id| self.espeak.has_voice(id)) {
            false
        } else {
            match language(request) {
                Some(language) => self.piper.speaks(&language) && !(self.preferred && self.espeak.prefers(&language)),
                None => !self.preferred,
            }
        };
        if piper { &self.piper } else { &self.espeak }
    }
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

    fn speaker(&self, request: &SpeakRequest) -> Speaker {
        self.speaks(request).speaker(request)
    }

    fn speak(&self, request: SpeakRequest) -> SpeechStream {
        self.speaks(&request).speak(request)
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

    fn speaker(&self, request: &SpeakRequest) -> Speaker {
        self.espeak.speaker(request)
    }

    fn speak(&self, request: SpeakRequest) -> SpeechStream {
        self.espeak.speak(request)
    }
}

/// The language to speak `request` in: the one it names, unless its letters say otherwise.
pub(super) fn language(request: &SpeakRequest) -> Option<String> {
    script::language(&request.text, request.language.as_deref())
}

/// The language that `speech` speaks with `voice`, else in `language`, else with its default voice; a longer tag (`en-gb`)
/// where the voice's name has one.
#[must_use]
pub fn spoken_language(speech: &dyn Synthesizer, voice: Option<&str>, language: Option<&str>) -> Option<String> {
    let voices = speech.voices();
    let of = |id: &str| {
        // Speakers are listed with their voice's name before them.
        let listed = |known: &&VoiceInfo| known.id == id || known.id.split('#').next() == id.split('#').next();
        voices.iter().find(listed).map(tag)
    };
    voice.and_then(of).or_else(|| language.map(str::to_owned)).or_else(|| of(&speech.info().model))
}

/// `en-us` of the voice `en_US-joe-medium`, `en` of one whose name says nothing.
fn tag(voice: &VoiceInfo) -> String {
    let id = voice.id.to_ascii_lowercase().replace('_', "-");
    let mut parts = id.split('-');
    let (language, country) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let full = language == voice.language && country.len() == 2 && country.chars().all(|c| c.is_ascii_alphabetic());
    if full { format!("{language}-{country}") } else { voice.language.clone() }
}

#[cfg(test)]
mod tests;
