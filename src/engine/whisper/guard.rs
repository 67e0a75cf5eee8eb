//! What keeps text out that nobody said.
//!
//! Whisper writes something for any sound. Nothing reaches it that the voice detector did not call speech; these are
//! the checks on what comes back, after OpenAI's decoder (mean log-probability, no-speech probability) and against
//! its best known fault, loops.

/// Limits beyond which a transcript is not believed.
#[derive(Debug, Clone, PartialEq)]
pub struct GuardSettings {
    /// Mean log-probability of the tokens below which text is rejected.
    pub min_log_probability: f32,
    /// Probability of "no speech" above which text is rejected if its log-probability is below half the limit as well.
    pub max_no_speech: f32,
    /// How often in a row a group of 2 to 6 words may stand; one word alone may stand half as often again.
    pub max_repeats: usize,
}

impl Default for GuardSettings {
    fn default() -> Self {
        Self { min_log_probability: -1.0, max_no_speech: 0.6, max_repeats: 2 }
    }
}

/// Why a transcript is not believed, if so. `no_speech` is asked only where it matters, since it costs a pass of the
/// decoder; it gives `None` where the model cannot tell.
pub fn reason(
    words: &[&str],
    mean_log_probability: f32,
    no_speech: impl FnOnce() -> Option<f32>,
    settings: &GuardSettings,
) -> Option<&'static str> {
    if words.is_empty() {
        return None;
    }
    if loops(words, settings.max_repeats) {
        return Some("repetition");
    }
    if mean_log_probability < settings.min_log_probability {
        return Some("low_probability");
    }
    let doubtful = mean_log_probability < settings.min_log_probability / 2.0;
    (doubtful && no_speech().is_some_and(|p| p > settings.max_no_speech)).then_some("no_speech")
}

/// Whether a group of words stands more often in a row than people say it. "No, no, no" and "seven seven seven" are
/// speech; "thank you thank you thank you" three times over is not.
fn loops(words: &[&str], max_repeats: usize) -> bool {
    let words: Vec<String> = words.iter().map(|word| bare(word)).filter(|word| !word.is_empty()).collect();
    (1..=6).any(|length| {
        let allowed = if length == 1 { max_repeats * 3 / 2 + 1 } else { max_repeats };
        let mut run = 0;
        // `run` counts the words that equal the word `length` before them.
        words.iter().skip(length).zip(&words).any(|(word, before)| {
            run = if word == before { run + 1 } else { 0 };
            run >= length * allowed
        })
    })
}

/// A word without case and punctuation.
fn bare(word: &str) -> String {
    word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(text: &str, mean: f32, no_speech: Option<f32>) -> Option<&'static str> {
        let words: Vec<&str> = text.split_whitespace().collect();
        reason(&words, mean, || no_speech, &GuardSettings::default())
    }

    #[test]
    fn ordinary_speech_passes() {
        for text in [
            "Turn on the light.",
            "No, no, no.",
            "My number is seven seven seven seven.",
            "Bye bye.",
            "Very, very good.",
        ] {
            assert_eq!(verdict(text, -0.2, None), None, "{text}");
        }
    }

    #[test]
    fn loops_are_rejected_whatever_their_length() {
        for text in [
            "you you you you you you",
            "thank you. Thank you! thank you, thank you",
            "one two three four five six one two three four five six one two three four five six",
        ] {
            assert_eq!(verdict(text, -0.01, None), Some("repetition"), "{text}");
        }
    }

    #[test]
    fn unlikely_text_is_rejected_and_no_speech_needs_a_doubt() {
        assert_eq!(verdict("hello there", -1.2, None), Some("low_probability"));
        assert_eq!(verdict("hello there", -0.7, Some(0.9)), Some("no_speech"));
        assert_eq!(verdict("hello there", -0.7, Some(0.3)), None);
        assert_eq!(verdict("hello there", -0.1, Some(0.9)), None);
        assert_eq!(verdict("", -9.0, Some(1.0)), None);
    }
}
