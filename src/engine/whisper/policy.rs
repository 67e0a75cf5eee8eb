//! How much context the encoder gets, and what is tried when a result is in doubt.
//!
//! Whisper was trained on windows of 30 s: 1500 encoder steps, the rest of the window silence. The encoder's cost grows
//! with its context, so short audio gets a shorter one; but a context that ends close behind the speech makes real
//! models repeat themselves or stop early, all the more without timestamps. The policies below were measured on
//! recordings of people (docs/benchmarks.md, `cargo bench --bench contexts`); the nano model alone was trained on short
//! windows.
//!
//! A result in doubt ([`super::guard`]) is decoded again: with a wider context, then with the whole window and several
//! beams. Two different decodes that agree are believed, whatever they repeat: people do say "no, no, no".

use super::{super::Priority, model::Facts};

/// Steps of the context that are left free behind the audio: whisper.cpp rounds up, and words at the very end of the
/// context are heard badly.
pub const SPARE_STEPS: u32 = 12;

/// How the encoder's context follows the length of the audio, in steps of 20 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ContextPolicy {
    /// The shortest context.
    pub floor: u32,
    /// Steps behind the audio, at least.
    pub margin: u32,
    /// Contexts are multiples of this.
    pub grain: u32,
    /// Whether the decoder writes timestamp tokens: a few more tokens, fewer loops.
    pub timestamps: bool,
}

impl ContextPolicy {
    /// The nano model in live use: trained with contexts of 128, 256 and 512.
    const NANO_PARTIAL: Self = Self { floor: 64, margin: SPARE_STEPS, grain: 32, timestamps: false };
    const NANO: Self = Self { floor: 128, margin: SPARE_STEPS, grain: 32, timestamps: false };
    /// OpenAI's models and those made of them, first try.
    const SHORT: Self = Self { floor: 512, margin: 128, grain: 64, timestamps: false };
    /// The same for files, where nobody waits for the end of a sentence.
    const RECORDING: Self = Self { floor: 1024, margin: 256, grain: 64, timestamps: true };
    /// Their second try.
    const WIDE: Self = Self { floor: 1024, margin: 512, grain: 64, timestamps: true };

    /// The context for `steps` of audio to a model that holds at most `most`; `None` if they are too many.
    fn context(self, steps: u32, most: u32) -> Option<u32> {
        if steps + SPARE_STEPS > most + 1 {
            return None;
        }
        Some((steps + self.margin).next_multiple_of(self.grain).max(self.floor).min(most))
    }
}

/// One way to decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Attempt {
    /// Encoder steps.
    pub context: u32,
    pub timestamps: bool,
    /// Hypotheses followed side by side; 1: greedy.
    pub beams: u8,
}

/// What to try for `samples` of audio, in order, or nothing if they are too many for the model. `first` replaces the
/// measured policy of the first try; without `again` there is only that one.
pub fn attempts(
    facts: &Facts,
    samples: usize,
    priority: Priority,
    first: Option<ContextPolicy>,
    again: bool,
) -> Vec<Attempt> {
    let Ok(steps) = u32::try_from(samples.div_ceil(320)) else { return vec![] };
    let most = facts.audio_context;
    let policy = first.unwrap_or(match priority {
        Priority::Partial if facts.nano() => ContextPolicy::NANO_PARTIAL,
        _ if facts.nano() => ContextPolicy::NANO,
        Priority::Recording => ContextPolicy::RECORDING,
        _ => ContextPolicy::SHORT,
    });
    let Some(context) = policy.context(steps, most) else { return vec![] };
    let timestamps = policy.timestamps && facts.timestamps();
    let mut attempts = vec![Attempt { context, timestamps, beams: 1 }];
    if again && !facts.nano() {
        let wide = ContextPolicy::WIDE.context(steps, most).unwrap_or(most);
        attempts.push(Attempt { context: wide, timestamps: facts.timestamps(), beams: 1 });
        // A partial is soon followed by another; it does not search longer.
        if priority != Priority::Partial {
            attempts.push(Attempt { context: most, timestamps: facts.timestamps(), beams: 5 });
        }
    }
    attempts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiny() -> Facts {
        Facts {
            vocabulary: 51_864,
            audio_context: 1500,
            audio_width: 384,
            audio_layers: 4,
            text_layers: 4,
            ..Facts::default()
        }
    }

    fn contexts(facts: &Facts, ms: usize, priority: Priority) -> Vec<u32> {
        attempts(facts, ms * 16, priority, None, true).iter().map(|attempt| attempt.context).collect()
    }

    #[test]
    fn contexts_follow_the_audio_and_grow_with_each_try() {
        assert_eq!(contexts(&tiny(), 1_000, Priority::Final), [512, 1024, 1500]);
        assert_eq!(contexts(&tiny(), 12_000, Priority::Final), [768, 1152, 1500]);
        assert_eq!(contexts(&tiny(), 3_000, Priority::Recording), [1024, 1024, 1500]);
        assert_eq!(contexts(&tiny(), 29_500, Priority::Recording), [1500, 1500, 1500]);
        assert_eq!(contexts(&tiny(), 1_000, Priority::Partial), [512, 1024]);
        assert!(contexts(&tiny(), 30_500, Priority::Final).is_empty(), "the end would be lost in silence");
    }

    #[test]
    fn the_nano_model_is_tried_once_in_the_windows_it_was_trained_on() {
        let nano = Facts { audio_context: 512, audio_width: 128, ..tiny() };
        assert_eq!(contexts(&nano, 1_000, Priority::Partial), [64]);
        assert_eq!(contexts(&nano, 1_000, Priority::Final), [128]);
    }

    #[test]
    fn distilled_models_know_no_timestamps() {
        let distil = Facts { text_layers: 2, ..tiny() };
        assert!(attempts(&distil, 16_000, Priority::Final, None, true).iter().all(|attempt| !attempt.timestamps));
    }
}
