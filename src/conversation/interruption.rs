//! One policy for every sound the person makes while a reply plays, and for how finished their words look.
//!
//! A voice first only *pauses* the reply, because waiting for certainty sounds rude. Then words decide: a real word
//! cancels the reply; a cough, an "uh-huh" or the reply's own echo lets it play on.

/// When a voice over a reply counts as an interruption.
#[derive(Debug, Clone, PartialEq)]
pub struct InterruptionSettings {
    /// Voice of this length pauses the reply, in milliseconds.
    pub pause_after_ms: u32,
    /// Voice of at least this length with words in it cancels the reply.
    pub words_after_ms: u32,
    /// Voice of this length cancels the reply even if no word was recognised yet.
    pub voice_after_ms: u32,
    /// A pause without a verdict ends after this long, in milliseconds of real time.
    pub verdict_within_ms: u64,
    /// An isolated short sound (under `words_after_ms`) needs at least this mean log-probability to count as words.
    pub short_min_log_probability: f32,
}

impl Default for InterruptionSettings {
    fn default() -> Self {
        Self {
            pause_after_ms: 100,
            words_after_ms: 300,
            voice_after_ms: 1_200,
            verdict_within_ms: 2_500,
            short_min_log_probability: -0.7,
        }
    }
}

/// What listeners say without wanting the floor.
const BACKCHANNELS: &[&str] = &[
    "uh",
    "huh",
    "uhhuh",
    "um",
    "umm",
    "mm",
    "mmm",
    "mmhmm",
    "mhm",
    "hm",
    "hmm",
    "ah",
    "aha",
    "oh",
    "ooh",
    "er",
    "yeah",
    "yep",
    "yup",
    "ok",
    "okay",
    "right",
    "sure",
    "wow",
    "nice",
    "cool",
    "ага",
    "угу",
    "мм",
    "ммм",
    "мгм",
    "хм",
    "ну",
    "так",
    "ок",
    "окей",
    "понятно",
    "ясно",
    "э",
    "эм",
    "ой",
    "ах",
    "ого",
];

/// True when `text` holds nothing but listener's noises ("uh-huh", "okay"), or no words at all.
#[must_use]
pub fn is_backchannel(text: &str) -> bool {
    words(text).iter().all(|word| BACKCHANNELS.contains(&word.as_str()))
}

/// True when `heard` is a run of words out of `sounding`, what the loudspeaker has just been saying: an echo.
#[must_use]
pub fn is_echo(heard: &str, sounding: &str) -> bool {
    let (heard, sounding) = (words(heard), words(sounding));
    // One word alone proves nothing: people pick up single words of what they hear.
    heard.len() >= 2 && sounding.windows(heard.len()).any(|run| run == heard)
}

/// How finished an utterance looks from its words alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Completeness {
    /// A sentence with its closing mark.
    Finished,
    /// Stops at a word that wants another one, or at a comma.
    Unfinished,
    Unknown,
}

/// Words nobody ends a thought with.
const DANGLING: &[&str] = &[
    "and",
    "or",
    "but",
    "so",
    "because",
    "the",
    "a",
    "an",
    "my",
    "your",
    "to",
    "of",
    "for",
    "with",
    "in",
    "on",
    "at",
    "from",
    "by",
    "is",
    "are",
    "was",
    "if",
    "when",
    "that",
    "than",
    "plus",
    "minus",
    "times",
    "divided",
    "um",
    "uh",
    "er",
    "и",
    "или",
    "но",
    "а",
    "что",
    "чтобы",
    "потому",
    "если",
    "когда",
    "в",
    "на",
    "с",
    "к",
    "у",
    "о",
    "от",
    "для",
    "по",
    "из",
    "за",
    "мой",
    "твой",
    "ваш",
    "плюс",
    "минус",
    "эм",
    "э",
];

/// Judges `text`, punctuation as the recogniser wrote it.
#[must_use]
pub fn completeness(text: &str) -> Completeness {
    let trimmed = text.trim_end();
    let Some(last) = words(trimmed).pop() else { return Completeness::Unknown };
    let mark = trimmed.chars().last();
    if DANGLING.contains(&last.as_str())
        || matches!(mark, Some(',' | '-' | '–' | '—' | ':' | ';' | '…'))
        || trimmed.ends_with("...")
    {
        // A question may well end in "with?" or "from?".
        return if mark == Some('?') { Completeness::Finished } else { Completeness::Unfinished };
    }
    match mark {
        Some('.' | '?' | '!' | '。' | '？' | '！') => Completeness::Finished,
        _ => Completeness::Unknown,
    }
}

/// The silence in milliseconds that ends a turn whose text so far is `text`, from the plain `silence_ms`.
#[must_use]
pub fn hard_silence_ms(silence_ms: u32, soft_silence_ms: u32, text: Option<&str>) -> u32 {
    let ms = match text.map_or(Completeness::Unknown, completeness) {
        Completeness::Finished => silence_ms * 4 / 5,
        Completeness::Unknown => silence_ms,
        Completeness::Unfinished => silence_ms * 2,
    };
    ms.max(soft_silence_ms)
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace()
        .map(|word| word.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect::<String>())
        .filter(|word| !word.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_noises_are_told_from_words() {
        for noise in ["Uh-huh.", "Okay.", "mm-hmm, yeah", "", "...", "Угу", "Right, okay."] {
            assert!(is_backchannel(noise), "{noise}");
        }
        for words in ["Stop.", "No, wait", "okay but why", "Стоп"] {
            assert!(!is_backchannel(words), "{words}");
        }
    }

    #[test]
    fn a_reply_is_recognised_in_the_microphone() {
        let sounding = "It is ten past nine. Do you want to know more?";
        assert!(is_echo("ten past nine", sounding));
        assert!(is_echo("Do you want", sounding));
        assert!(!is_echo("nine", sounding), "one word may be an answer");
        assert!(!is_echo("what is past", sounding));
    }

    #[test]
    fn unfinished_words_get_more_time_and_finished_ones_less() {
        assert_eq!(completeness("What time is it?"), Completeness::Finished);
        assert_eq!(completeness("Set a timer for"), Completeness::Unfinished);
        assert_eq!(completeness("I like tea, and."), Completeness::Unfinished);
        assert_eq!(completeness("Who are you talking with?"), Completeness::Finished);
        assert_eq!(completeness("ten minutes"), Completeness::Unknown);
        assert_eq!(hard_silence_ms(500, 200, Some("Stop.")), 400);
        assert_eq!(hard_silence_ms(500, 200, None), 500);
        assert_eq!(hard_silence_ms(500, 200, Some("I want to")), 1000);
        assert_eq!(hard_silence_ms(100, 200, Some("Stop.")), 200, "never before the soft end");
    }
}
