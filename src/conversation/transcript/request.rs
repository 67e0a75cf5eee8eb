//! What an utterance asks for and gives.

use std::{sync::Arc, time::Duration};

use crate::{audio::Mono16k, engine::Priority, model::Word};

/// When and how an utterance is decoded.
#[derive(Debug, Clone, PartialEq)]
pub struct TranscriptSettings {
    /// Audio before the first decode, with what was kept from before the speech began (400 ms of it by default).
    pub first_ms: u32,
    /// New audio before the next decode, at least.
    pub step_ms: u32,
    /// New audio after which there is a decode whatever it costs.
    pub longest_step_ms: u32,
    /// Silence after which what was said is decoded without waiting for a step: if nothing more comes, that decode is
    /// the final one.
    pub pause_ms: u32,
    /// Length of the tail from which it is cut at a stable word.
    pub trim_after_ms: u32,
    /// The longest audio the recogniser hears ([`crate::engine::Recognizer::max_audio`]).
    pub max_audio_ms: u32,
    /// Audio up to this length costs the recogniser the same: its encoder's shortest context.
    pub flat_ms: u32,
    /// Compute that all decodes of an utterance may take together, over that of one decode of all of it.
    pub compute_ratio: f32,
    /// Whether the final text carries word times.
    pub words: bool,
}

impl Default for TranscriptSettings {
    /// For the bundled model.
    fn default() -> Self {
        Self {
            first_ms: 750,
            step_ms: 300,
            longest_step_ms: 1_500,
            pause_ms: 100,
            trim_after_ms: 4_000,
            max_audio_ms: 6_000,
            flat_ms: 2_300,
            compute_ratio: 2.5,
            words: false,
        }
    }
}

impl TranscriptSettings {
    /// Follows what a recogniser hears at once ([`crate::engine::Recognizer::max_audio`]).
    #[must_use]
    pub fn for_max_audio(self, max_audio: Duration) -> Self {
        let max_audio_ms = u32::try_from(max_audio.as_millis()).unwrap_or(u32::MAX).max(2_000);
        // Whisper models made for whole windows have a longer shortest context.
        let flat_ms = if max_audio_ms > 10_000 { 7_600 } else { self.flat_ms };
        Self { max_audio_ms, trim_after_ms: (max_audio_ms / 3 * 2).min(12_000), flat_ms, ..self }
    }
}

/// Something to decode for an utterance.
#[derive(Debug, Clone, PartialEq)]
pub struct Decode {
    /// Comes back with the answer, so that answers to what is no longer wanted can be told.
    pub generation: u64,
    pub audio: Arc<Mono16k>,
    /// Where `audio` begins, in ms of the stream.
    pub offset_ms: u64,
    pub class: Priority,
    /// Whether word times are needed.
    pub words: bool,
    /// Text that came before; always `None` so far: a recogniser that is told its own mistakes repeats them.
    pub prompt: Option<String>,
    /// The language found so far, for where the session leaves that to the model: naming it halves the cost.
    pub language: Option<String>,
}

/// What is still missing for the final text.
#[derive(Debug, Clone, PartialEq)]
pub enum FinalNeed {
    /// These decodes; more than one if the speech is longer than the recogniser hears at once.
    Decode(Vec<Decode>),
    /// The answers of the decodes that are under way.
    Wait,
    /// Nothing.
    Ready(FinalText),
}

/// An utterance's text.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FinalText {
    /// Begins with the last stable text that was shown.
    pub text: String,
    /// Where asked for; times in ms of the stream.
    pub words: Vec<Word>,
    /// ISO 639-1, where the recogniser told.
    pub language: Option<String>,
    /// Why there is no text although there was sound.
    pub rejected: Option<&'static str>,
    /// Of the last decode, at most 0.
    pub mean_log_probability: f32,
    /// Compute of all decodes of this utterance.
    pub compute: Duration,
}
