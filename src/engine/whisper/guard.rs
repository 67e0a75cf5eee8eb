//! What keeps text out that nobody said, without taking out what somebody did.
//!
//! Whisper writes something for any sound, and its best known fault is to repeat itself. Neither can be told from the
//! text alone: people repeat themselves too, and a model that knows a language badly is unsure of all of it. So a result
//! here is first only *in doubt*, which makes the recogniser decode once more, differently ([`super::policy`]). What
//! two decodes agree on is believed. Text is rejected only where the model itself holds that nobody spoke, after
//! OpenAI's decoder (no-speech probability together with mean log-probability); a loop that stays is shortened.

/// Limits beyond which a transcript is in doubt or not believed.
#[derive(Debug, Clone, PartialEq)]
pub struct GuardSettings {
    /// Mean log-probability of the tokens below which a result is in doubt.
    pub doubt_log_probability: f32,
    /// Below this, text is rejected if "no speech" is at least half as likely as `max_no_speech`.
    pub min_log_probability: f32,
    /// Probability of "no speech" above which text is rejected if it is in doubt as well.
    pub max_no_speech: f32,
}

impl Default for GuardSettings {
    fn default() -> Self {
        Self { doubt_log_probability: -0.7, min_log_probability: -1.0, max_no_speech: 0.6 }
    }
}

/// Why a result is decoded again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doubt {
    /// No words, although the voice detector heard a voice.
    Empty,
    /// The same words several times in a row.
    Repetition,
    /// More text than can be said in the time.
    TooLong,
    LowProbability,
}

impl Doubt {
    /// Its name in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Repetition => "repetition",
            Self::TooLong => "too_long",
            Self::LowProbability => "low_probability",
        }
    }
}

/// What one decode gave.
#[derive(Debug, Clone, Copy)]
pub struct Evidence<'a> {
    pub words: &'a [String],
    /// Over the text tokens and the end token.
    pub mean_log_probability: f32,
    pub audio_ms: u32,
    /// The decoder was stopped before it had ended by itself.
    pub cut_off: bool,
}

impl Evidence<'_> {
    /// Why the result should be decoded again, if so.
    pub fn doubt(self, settings: &GuardSettings) -> Option<Doubt> {
        if self.words.is_empty() {
            return Some(Doubt::Empty);
        }
        if self.cut_off || self.impossible() {
            return Some(Doubt::TooLong);
        }
        if repetition(self.words).is_some() {
            return Some(Doubt::Repetition);
        }
        (self.mean_log_probability < settings.doubt_log_probability).then_some(Doubt::LowProbability)
    }

    /// Whether nobody can have said so much in the time: fast speech has some 20 letters a second.
    pub fn impossible(self) -> bool {
        let letters: usize = self.words.iter().map(|word| word.chars().count()).sum();
        letters > 20 + self.audio_ms as usize * 30 / 1000
    }

    /// Why the text is not believed in the end, if so. `no_speech` is asked only where it matters, since it costs a pass
    /// of the decoder; it gives `None` where the model cannot tell.
    pub fn rejected(self, no_speech: impl FnOnce() -> Option<f32>, settings: &GuardSettings) -> Option<&'static str> {
        let mean = self.mean_log_probability;
        if self.words.is_empty() || mean >= settings.doubt_log_probability {
            return None;
        }
        let no_speech = no_speech()?;
        if no_speech > settings.max_no_speech {
            return Some("no_speech");
        }
        (mean < settings.min_log_probability && no_speech > settings.max_no_speech / 2.0).then_some("low_probability")
    }
}

/// A group of words that stands several times in a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Repeated {
    /// Where the first of them begins.
    pub from: usize,
    /// Words in the group.
    pub length: usize,
    /// Words that belong to whole groups, the first included.
    pub words: usize,
}

/// The longest repetition that a decoder in a loop may have written: a word four times, two or three words three times, a
/// longer group twice. `words` are [`bare`].
pub fn repetition(words: &[String]) -> Option<Repeated> {
    let mut longest: Option<Repeated> = None;
    for length in 1..=words.len() / 2 {
        let least = match length {
            1 => 4,
            2 | 3 => 3,
            _ => 2,
        };
        let mut run = 0;
        for at in length..=words.len() {
            if at < words.len() && words[at] == words[at - length] {
                run += 1;
                continue;
            }
            // `run` words equal the word `length` before them.
            let whole = run / length * length + length;
            if whole >= least * length && longest.is_none_or(|found| whole > found.words) {
                longest = Some(Repeated { from: at - run - length, length, words: whole });
            }
            run = 0;
        }
    }
    longest
}

/// A word without case and punctuation, as it is compared.
pub fn bare(word: &str) -> String {
    word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bared(text: &str) -> Vec<String> {
        text.split_whitespace().map(bare).collect()
    }

    fn evidence(words: &[String], mean_log_probability: f32, audio_ms: u32) -> Evidence<'_> {
        Evidence { words, mean_log_probability, audio_ms, cut_off: false }
    }

    #[test]
    fn ordinary_speech_is_not_in_doubt() {
        for text in ["Turn on the light.", "No, no, no.", "Bye bye.", "Very, very good.", "It is what it is, it is."] {
            assert_eq!(evidence(&bared(text), -0.2, 2_000).doubt(&GuardSettings::default()), None, "{text}");
        }
    }

    #[test]
    fn what_loops_write_is_in_doubt_whatever_its_length() {
        for text in [
            "you you you you you you",
            "well thank you. Thank you! thank you, thank you",
            "Open the garage door. Open the garage door.",
            "one two three four five six one two three four five six",
        ] {
            let doubt = evidence(&bared(text), -0.01, 5_000).doubt(&GuardSettings::default());
            assert_eq!(doubt, Some(Doubt::Repetition), "{text}");
        }
        let long = bared(&"and then ".repeat(40));
        assert_eq!(evidence(&long, -0.01, 3_000).doubt(&GuardSettings::default()), Some(Doubt::TooLong));
        assert_eq!(evidence(&[], 0.0, 500).doubt(&GuardSettings::default()), Some(Doubt::Empty));
    }

    #[test]
    fn a_repetition_is_found_where_it_is() {
        let words = bared("the code is five five five five five please write it down");
        assert_eq!(repetition(&words), Some(Repeated { from: 3, length: 1, words: 5 }));
        let words = bared("so I don't know I don't know I don't know that was it");
        assert_eq!(repetition(&words), Some(Repeated { from: 1, length: 3, words: 9 }));
        assert_eq!(repetition(&bared("a b c a b")), None);
        assert_eq!(repetition(&[]), None);
    }

    #[test]
    fn text_is_rejected_only_where_the_model_thinks_nobody_spoke() {
        let verdict = |mean: f32, no_speech: Option<f32>| {
            evidence(&bared("hello there"), mean, 1_000).rejected(|| no_speech, &GuardSettings::default())
        };
        assert_eq!(verdict(-0.8, Some(0.9)), Some("no_speech"));
        assert_eq!(verdict(-1.2, Some(0.4)), Some("low_probability"));
        // A language that the model knows badly.
        assert_eq!(verdict(-1.4, Some(0.05)), None);
        assert_eq!(verdict(-0.1, Some(0.9)), None);
        assert_eq!(verdict(-9.0, None), None);
        assert_eq!(evidence(&[], -9.0, 1_000).rejected(|| Some(1.0), &GuardSettings::default()), None);
    }
}
