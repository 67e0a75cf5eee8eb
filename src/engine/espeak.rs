//! The embedded voice: espeak-ng inside this process, and the phonemes that Piper voices are driven with.
//!
//! espeak-ng is one machine with global state, so one named thread owns it (`machine`) and everybody else sends it
//! jobs. It is some hundred times faster than real time; a sentence's sound is handed out piece by piece as it is
//! made, and a listener that has gone stops the work at the next piece.

mod data;
mod machine;
mod voices;

use std::{path::PathBuf, sync::Arc};

use tokio::sync::mpsc;

use self::machine::Machine;
use super::{EngineError, EngineInfo, SpeakRequest, Speaker, SpeechStream, Synthesizer, VoiceInfo, script, speech};

/// How espeak-ng is set up.
#[derive(Debug, Clone, Default)]
pub struct EspeakSettings {
    /// The folder `espeak-ng-data`, or the one that holds it (`ESPEAK_DATA`). `None`: beside the executable, in
    /// `../share/aigolos`, in the build folder the executable lies in, or the system's.
    pub data: Option<PathBuf>,
    /// The voice used when a request names neither voice nor language (`TTS_VOICE`). `None`: `en-us`.
    pub voice: Option<String>,
}

/// The most characters of one request; longer text is refused, since the one machine serves everybody.
pub const MAX_CHARS: usize = 4_000;

/// Words per minute at speed 1.0: espeak-ng's own normal. It speaks no slower than 80 words per minute (speed 0.46).
const NORMAL_WPM: f32 = 175.0;

/// Speech by espeak-ng. Clones and further instances share the one machine.
#[derive(Clone)]
pub struct Espeak {
    machine: Arc<Machine>,
    default: String,
}

impl Espeak {
    /// Starts the machine, or joins the one that runs already (its data folder stays the one it started with).
    ///
    /// # Errors
    /// [`EngineError::ModelMissing`] if there is no voice data or it does not fit the linked espeak-ng.
    pub fn open(settings: &EspeakSettings) -> Result<Self, EngineError> {
        let machine = machine::shared(|| data::find(settings.data.as_deref()))?;
        Self { machine, default: "en-us".into() }.speaking(settings.voice.as_deref().unwrap_or("en-us"))
    }

    /// The same with another default voice.
    pub(super) fn speaking(self, voice: &str) -> Result<Self, EngineError> {
        match voices::named(&self.machine.voices, voice) {
            Some(found) => Ok(Self { default: found.id.clone(), ..self }),
            None => Err(EngineError::ModelMissing {
                name: format!("espeak-ng voice {voice}"),
                hint: "set TTS_VOICE to a language tag espeak-ng knows, such as en-us, en-gb, ru or de".into(),
            }),
        }
    }

    /// Phonemes (IPA, as Piper voices are trained on) of `text`, one string per sentence, with the marks that end
    /// clauses. `voice` is a voice name as Piper's configurations give it: `en-us`, `ru`. Blocks until the machine
    /// has time.
    ///
    /// # Errors
    /// [`EngineError::Overloaded`] if too much waits for the machine, [`EngineError::Failed`] for an unknown voice
    /// or text that is too long.
    pub fn phonemes(&self, text: &str, voice: &str) -> Result<Vec<String>, EngineError> {
        self.machine.phonemes(speakable(text)?, voice)
    }

    /// Whether `id` names a voice of espeak-ng.
    pub(super) fn has_voice(&self, id: &str) -> bool {
        voices::named(&self.machine.voices, id).is_some()
    }

    /// Whether the default voice speaks `language`.
    pub(super) fn prefers(&self, language: &str) -> bool {
        let voice = voices::for_language(&self.machine.voices, language, &self.default);
        voice.is_some_and(|voice| voice.id == self.default)
    }

    fn choose(&self, request: &SpeakRequest) -> &str {
        let voices = &self.machine.voices;
        let speaks = |language: &str| voices::for_language(voices, language, &self.default);
        request
            .voice
            .as_deref()
            .and_then(|name| voices::named(voices, name))
            .or_else(|| {
                let language = speech::language(request)?;
                speaks(&language).or_else(|| speaks(script::usual(&language)?))
            })
            .map_or(self.default.as_str(), |voice| voice.id.as_str())
    }
}

impl Synthesizer for Espeak {
    fn info(&self) -> EngineInfo {
        let mut languages: Vec<String> =
            self.machine.voices.iter().map(|voice| voice.language.clone()).filter(|tag| tag.len() == 2).collect();
        languages.sort_unstable();
        languages.dedup();
        EngineInfo {
            engine: "espeak".into(),
            model: self.default.clone(),
            demo: true,
            loaded: true,
            hint: Some("for a natural voice put a Piper voice (.onnx and .onnx.json) into MODELS_DIR/piper".into()),
            languages,
        }
    }

    fn voices(&self) -> Vec<VoiceInfo> {
        self.machine
            .voices
            .iter()
            .map(|voice| VoiceInfo {
                id: voice.id.clone(),
                name: voice.name.clone(),
                language: voice.language.clone(),
                rate: self.machine.rate,
            })
            .collect()
    }

    fn speaker(&self, request: &SpeakRequest) -> Speaker {
        Speaker { engine: "espeak".into(), voice: self.choose(request).to_owned() }
    }

    fn speak(&self, request: SpeakRequest) -> SpeechStream {
        let (out, stream) = mpsc::channel(machine::MAX_PIECES + 1);
        let voice = self.choose(&request).to_owned();
        let speed = if request.speed.is_finite() { request.speed.clamp(0.25, 4.0) } else { 1.0 };
        let sent = speakable(&request.text)
            .and_then(|text| self.machine.speak(text, &voice, (NORMAL_WPM * speed) as i32, out.clone()));
        if let Err(error) = sent {
            // The channel is fresh and its receiver in our hands: there is room.
            let _ = out.try_send(Err(error));
        }
        stream
    }
}

/// `text` within the limit and free of what would change espeak-ng's state: NUL ends a C string, U+0001 begins its
/// embedded commands.
fn speakable(text: &str) -> Result<String, EngineError> {
    let chars = text.chars().count();
    if chars > MAX_CHARS {
        return Err(EngineError::Failed {
            engine: "espeak",
            reason: format!("a sentence may have {MAX_CHARS} characters, not {chars}"),
        });
    }
    Ok(text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect())
}

#[cfg(test)]
mod tests;
