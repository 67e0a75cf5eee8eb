//! To the core: a configuration as [`SessionOptions`].

use serde_json::Value;

use super::{Config, Offer, SessionKind, update::short};
use crate::{
    conversation::message::{Mode, Pace, SessionOptions, TurnDetection},
    protocol::openai::realtime::fault::Fault,
};

const MAX_VOICE: usize = 256;

impl Config {
    /// The same as the core takes it.
    #[must_use]
    pub fn options(&self, offer: &Offer) -> SessionOptions {
        let defaults = &offer.defaults;
        let transcription = self.transcription.as_ref();
        let spelling = transcription
            .map(|wish| wish.prompt.iter().chain(&wish.keywords).map(String::as_str).collect::<Vec<_>>().join(", "));
        SessionOptions {
            mode: match self.kind {
                SessionKind::Realtime => Mode::Converse,
                SessionKind::Transcription => Mode::Transcribe,
            },
            language: transcription.and_then(|wish| wish.language.clone()).or_else(|| defaults.language.clone()),
            voice: respond_voice(&self.voice, offer),
            speed: self.speed as f32,
            output_rate: self.output.rate(),
            turn_detection: self.turn_detection.map_or(TurnDetection::Manual, |vad| vad.detection()),
            instructions: self.instructions.clone(),
            words: false,
            speak: self.speak,
            pace: Pace::AsMade,
            spelling: spelling.filter(|text| !text.is_empty()),
            tools: self.tools.clone(),
            tool_choice: self.tool_choice.clone(),
            max_tokens: self.max_tokens,
            temperature: self.temperature.map(|value| value as f32),
        }
    }
}

/// The voice by that name, or the configured one for a name that only OpenAI knows.
#[must_use]
pub fn respond_voice(name: &str, offer: &Offer) -> Option<String> {
    let known = offer.voices.iter().any(|voice| voice == name);
    if known { Some(name.to_owned()) } else { offer.defaults.voice.clone() }
}

/// `voice` of a response, if there is one.
///
/// # Errors
/// Something that is no voice.
pub fn override_of(wish: Option<&Value>, param: &str) -> Result<Option<String>, Fault> {
    wish.map_or(Ok(None), |wish| voice(wish, param))
}

/// A voice's name: a string, or an object with an id; `null` is none.
pub(super) fn voice(wish: &Value, param: &str) -> Result<Option<String>, Fault> {
    let name = match wish {
        Value::Null => return Ok(None),
        Value::String(name) => name,
        Value::Object(fields) => match fields.get("id") {
            Some(Value::String(id)) => id,
            _ => return Err(Fault::missing(format!("{param}.id"))),
        },
        _ => return Err(Fault::wrong_type(param, "a string")),
    };
    short(param, name, MAX_VOICE)?;
    Ok(Some(name.clone()))
}
