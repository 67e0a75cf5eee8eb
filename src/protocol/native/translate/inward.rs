//! From the wire: wishes, checked.

use std::ops::RangeInclusive;

use super::Format;
use crate::{
    audio::{Encoding, SampleRate},
    conversation::message::{Command, Interrupt, Mode, SessionOptions, TurnDetection},
    engine::VoiceInfo,
    model::{ConversationId, parse_language},
    protocol::{error::ApiError, native::wire},
};

/// Input and output where `session.start` does not say.
const DEFAULT_INPUT_RATE: u32 = 16_000;
const SPEED: RangeInclusive<f32> = 0.25..=4.0;
/// A system prompt longer than this would crowd out the conversation.
const MAX_INSTRUCTIONS_CHARS: usize = 20_000;
const THRESHOLD: RangeInclusive<f32> = 0.0..=1.0;
const PREFIX_MS: RangeInclusive<u32> = 0..=2_000;
const SOFT_SILENCE_MS: RangeInclusive<u32> = 60..=5_000;
const SILENCE_MS: RangeInclusive<u32> = 100..=10_000;

/// What wishes are checked against.
#[derive(Debug, Clone)]
pub struct Offer {
    /// What a session gets that wishes for nothing.
    pub defaults: SessionOptions,
    /// Languages the recogniser knows; empty: any.
    pub languages: Vec<String>,
    pub voices: Vec<VoiceInfo>,
    pub max_text_chars: usize,
}

/// A `session.start` that may be followed.
#[derive(Debug, Clone, PartialEq)]
pub struct Start {
    pub options: SessionOptions,
    pub input: Format,
    pub output: Encoding,
    pub conversation: Option<ConversationId>,
    pub resume: Option<wire::Resume>,
}

pub fn start(event: wire::SessionStart, offer: &Offer) -> Result<Start, ApiError> {
    let input = format(event.audio, DEFAULT_INPUT_RATE, "audio")?;
    let output = format(event.output, offer.defaults.output_rate.hz(), "output")?;
    let mut options = offer.defaults.clone();
    if let Some(mode) = event.mode {
        options.mode = match mode {
            wire::Mode::Converse => Mode::Converse,
            wire::Mode::Transcribe => Mode::Transcribe,
        };
    }
    options.output_rate = output.rate;
    let wishes = wire::SessionUpdate {
        id: None,
        language: event.language,
        voice: event.voice,
        speed: event.speed,
        instructions: event.instructions,
        words: event.words,
        speak: event.speak,
        turn_detection: event.turn_detection,
    };
    Ok(Start {
        options: update(wishes, &options, offer)?,
        input,
        output: output.encoding,
        conversation: event.conversation_id,
        resume: event.resume,
    })
}

/// `current` with what is wished for changed.
pub fn update(event: wire::SessionUpdate, current: &SessionOptions, offer: &Offer) -> Result<SessionOptions, ApiError> {
    let mut options = current.clone();
    if let Some(language) = event.language {
        options.language = wished_language(language, offer)?;
    }
    if let Some(voice) = event.voice {
        options.voice = Some(wished_voice(voice, offer)?);
    }
    if let Some(speed) = event.speed {
        within("speed", speed, &SPEED)?;
        options.speed = speed;
    }
    if let Some(instructions) = event.instructions {
        let length = instructions.chars().count();
        if length > MAX_INSTRUCTIONS_CHARS {
            return Err(ApiError::invalid(
                "instructions",
                format!("{length} characters are too many"),
                format!("at most {MAX_INSTRUCTIONS_CHARS}"),
            ));
        }
        options.instructions = Some(instructions);
    }
    options.words = event.words.unwrap_or(options.words);
    options.speak = event.speak.unwrap_or(options.speak);
    if let Some(wish) = event.turn_detection {
        options.turn_detection = turn_detection(wish, offer.defaults.turn_detection)?;
    }
    Ok(options)
}

/// A typed utterance.
pub fn text(event: wire::TextSend, max_chars: usize) -> Result<Command, ApiError> {
    let length = event.text.chars().count();
    if event.text.trim().is_empty() || length > max_chars {
        return Err(ApiError::invalid(
            "text",
            format!("must have 1 to {max_chars} characters that are not all spaces, has {length}"),
            "send a longer text in pieces",
        ));
    }
    Ok(Command::Text(event.text))
}

fn format(wish: Option<wire::PartialFormat>, default_rate: u32, field: &str) -> Result<Format, ApiError> {
    let wish = wish.unwrap_or_default();
    let rate = SampleRate::new(wish.sample_rate.unwrap_or(default_rate)).map_err(|error| {
        ApiError::invalid(&format!("{field}.sample_rate"), error, "declare the rate your audio system runs at")
    })?;
    Ok(Format { encoding: wish.encoding.unwrap_or_default(), rate })
}

fn wished_language(language: String, offer: &Offer) -> Result<Option<String>, ApiError> {
    let language = match parse_language(&language) {
        Ok(None) => return Ok(None),
        Ok(Some(language)) => language.to_owned(),
        Err(unknown) => {
            return Err(ApiError::invalid("language", unknown, "a code such as en, a name such as english, or auto"));
        }
    };
    if !offer.languages.is_empty() && !offer.languages.contains(&language) {
        return Err(ApiError::invalid(
            "language",
            format!("the recogniser in use does not know {language}"),
            format!("use one of {}, or a recogniser that knows more", few(&offer.languages)),
        ));
    }
    Ok(Some(language))
}

fn wished_voice(voice: String, offer: &Offer) -> Result<String, ApiError> {
    if offer.voices.iter().any(|known| known.id == voice) {
        return Ok(voice);
    }
    let ids: Vec<_> = offer.voices.iter().map(|known| known.id.clone()).collect();
    Err(ApiError::invalid("voice", "no such voice", format!("use one of {}; session.ready lists them all", few(&ids))))
}

fn few(names: &[String]) -> String {
    const MOST: usize = 12;
    match names.len() {
        0 => "none".to_owned(),
        1..=MOST => names.join(", "),
        more => format!("{} and {} more", names[..MOST].join(", "), more - MOST),
    }
}

/// `wish`, completed from `defaults`.
fn turn_detection(wish: wire::TurnDetection, defaults: TurnDetection) -> Result<TurnDetection, ApiError> {
    let field = |name: &str| format!("turn_detection.{name}");
    if wish.kind == Some(wire::TurnDetectionKind::Manual) {
        let bare = wire::TurnDetection { kind: wish.kind, ..wire::TurnDetection::default() };
        if wish != bare {
            return Err(ApiError::invalid(
                "turn_detection",
                "type manual has no further fields",
                "leave them out, or use type vad",
            ));
        }
        return Ok(TurnDetection::Manual);
    }
    let TurnDetection::Voice {
        threshold,
        prefix_ms,
        soft_silence_ms,
        silence_ms,
        adaptive,
        interrupt,
        respond,
        nudge_ms,
    } = defaults
    else {
        return turn_detection(wish, TurnDetection::default());
    };
    let threshold = wish.threshold.unwrap_or(threshold);
    let prefix_ms = wish.prefix_ms.unwrap_or(prefix_ms);
    let silence_ms = wish.silence_ms.unwrap_or(silence_ms);
    let soft_silence_ms = wish.soft_silence_ms.unwrap_or(soft_silence_ms.min(silence_ms));
    within(&field("threshold"), threshold, &THRESHOLD)?;
    within(&field("prefix_ms"), prefix_ms, &PREFIX_MS)?;
    within(&field("soft_silence_ms"), soft_silence_ms, &SOFT_SILENCE_MS)?;
    within(&field("silence_ms"), silence_ms, &SILENCE_MS)?;
    if soft_silence_ms > silence_ms {
        return Err(ApiError::invalid(
            &field("soft_silence_ms"),
            format!("{soft_silence_ms} is more than silence_ms, {silence_ms}"),
            "the answer is prepared before the turn ends, so it must be at most silence_ms",
        ));
    }
    Ok(TurnDetection::Voice {
        threshold,
        prefix_ms,
        soft_silence_ms,
        silence_ms,
        adaptive: wish.adaptive.unwrap_or(adaptive),
        interrupt: wish.interrupt.map_or(interrupt, |wish| if wish { Interrupt::Meant } else { Interrupt::Never }),
        respond: wish.respond.unwrap_or(respond),
        nudge_ms,
    })
}

fn within<T: PartialOrd + std::fmt::Display>(field: &str, value: T, range: &RangeInclusive<T>) -> Result<(), ApiError> {
    if range.contains(&value) {
        return Ok(());
    }
    let (low, high) = (range.start(), range.end());
    Err(ApiError::invalid(field, format!("must be {low} to {high}, not {value}"), "choose a value within the range"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::protocol::{error::Code, native::wire::ClientEvent};

    fn offer() -> Offer {
        let voice = |id: &str| VoiceInfo {
            id: id.into(),
            name: id.to_uppercase(),
            language: "en".into(),
            rate: SampleRate::HZ_22050,
        };
        Offer {
            defaults: SessionOptions { language: Some("en".into()), ..SessionOptions::default() },
            languages: vec!["en".into(), "ru".into()],
            voices: vec![voice("anna"), voice("ben")],
            max_text_chars: 10,
        }
    }

    fn started(fields: serde_json::Value) -> Result<Start, ApiError> {
        let mut event = json!({"type": "session.start"});
        event.as_object_mut().expect("an object").extend(fields.as_object().expect("an object").clone());
        match ClientEvent::parse(&event.to_string()).event? {
            ClientEvent::SessionStart(event) => start(*event, &offer()),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn who_wishes_for_nothing_gets_the_servers_defaults() {
        let start = started(json!({})).expect("nothing is wrong");
        assert_eq!(start.options, offer().defaults);
        assert_eq!(start.input, Format { encoding: Encoding::PcmS16le, rate: SampleRate::HZ_16000 });
        assert_eq!(start.output, Encoding::PcmS16le);
        assert_eq!((start.conversation, start.resume), (None, None));
    }

    #[test]
    fn a_language_may_come_with_its_country() {
        for language in ["en", "en-US", "EN_gb", "english", "eng"] {
            let start = started(json!({ "language": language })).expect("English is known");
            assert_eq!(start.options.language.as_deref(), Some("en"), "{language}");
        }
    }

    #[test]
    fn wishes_are_followed() {
        let start = started(json!({
            "mode": "transcribe", "audio": {"encoding": "mulaw", "sample_rate": 8000},
            "output": {"encoding": "alaw", "sample_rate": 8000}, "language": "auto", "voice": "ben", "speed": 0.25,
            "instructions": "", "words": true, "speak": false, "turn_detection": {"silence_ms": 150},
        }))
        .expect("nothing is wrong");
        assert_eq!(start.input, Format { encoding: Encoding::Mulaw, rate: SampleRate::HZ_8000 });
        assert_eq!(start.output, Encoding::Alaw);
        let expected = SessionOptions {
            mode: Mode::Transcribe,
            language: None,
            voice: Some("ben".into()),
            speed: 0.25,
            output_rate: SampleRate::HZ_8000,
            turn_detection: TurnDetection::Voice {
                threshold: 0.5,
                prefix_ms: 400,
                soft_silence_ms: 150,
                silence_ms: 150,
                adaptive: true,
                interrupt: Interrupt::Meant,
                respond: true,
                nudge_ms: None,
            },
            instructions: Some(String::new()),
            words: true,
            speak: false,
            ..SessionOptions::default()
        };
        assert_eq!(start.options, expected);
    }

    #[test]
    fn what_cannot_be_had_is_refused_by_name() {
        for (fields, field) in [
            (json!({"audio": {"sample_rate": 7999}}), "audio.sample_rate"),
            (json!({"output": {"sample_rate": 48001}}), "output.sample_rate"),
            (json!({"language": "klingon"}), "language"),
            (json!({"language": "de"}), "language"),
            (json!({"voice": "nobody"}), "voice"),
            (json!({"speed": 0.2}), "speed"),
            (json!({"speed": 1e300}), "speed"),
            (json!({"instructions": "x".repeat(20_001)}), "instructions"),
            (json!({"turn_detection": {"threshold": 1.1}}), "turn_detection.threshold"),
            (json!({"turn_detection": {"prefix_ms": 2001}}), "turn_detection.prefix_ms"),
            (json!({"turn_detection": {"soft_silence_ms": 59}}), "turn_detection.soft_silence_ms"),
            (json!({"turn_detection": {"silence_ms": 99}}), "turn_detection.silence_ms"),
            (json!({"turn_detection": {"silence_ms": 10_001}}), "turn_detection.silence_ms"),
            (json!({"turn_detection": {"soft_silence_ms": 600}}), "turn_detection.soft_silence_ms"),
            (json!({"turn_detection": {"type": "manual", "silence_ms": 500}}), "turn_detection"),
        ] {
            let error = started(fields.clone()).expect_err(&fields.to_string());
            assert_eq!(error.code, Code::InvalidEvent);
            assert!(error.message.starts_with(&format!("{field}: ")), "{fields}: {}", error.message);
        }
        let error = started(json!({"voice": "nobody"})).expect_err("no such voice");
        assert!(error.hint.contains("anna, ben"), "{}", error.hint);
    }

    #[test]
    fn any_language_is_taken_where_the_recogniser_knows_any() {
        let open = Offer { languages: vec![], ..offer() };
        let event = wire::SessionUpdate { language: Some("yue".into()), ..wire::SessionUpdate::default() };
        let options = update(event, &open.defaults, &open).expect("nothing is wrong");
        assert_eq!(options.language.as_deref(), Some("yue"));
    }

    #[test]
    fn an_update_keeps_what_it_does_not_name() {
        let current =
            SessionOptions { speed: 2.0, voice: Some("anna".into()), words: true, ..SessionOptions::default() };
        let event = wire::SessionUpdate {
            turn_detection: Some(wire::TurnDetection {
                kind: Some(wire::TurnDetectionKind::Manual),
                ..wire::TurnDetection::default()
            }),
            ..wire::SessionUpdate::default()
        };
        let updated = update(event, &current, &offer()).expect("nothing is wrong");
        assert_eq!(updated, SessionOptions { turn_detection: TurnDetection::Manual, ..current });
    }

    #[test]
    fn typed_text_is_measured_in_characters() {
        let typed = |content: &str| text(wire::TextSend { id: None, text: content.into() }, 10);
        assert_eq!(typed("ёлки-палки"), Ok(Command::Text("ёлки-палки".into())));
        for bad in ["", " \n ", "ёлки-палки!"] {
            assert_eq!(typed(bad).expect_err(bad).code, Code::InvalidEvent);
        }
    }

    proptest! {
        #[test]
        fn whatever_gets_through_is_in_range(
            threshold in any::<f32>(), prefix in any::<u32>(), soft in 0u32..6_000, silence in 0u32..12_000,
            speed in any::<f32>(), rate in any::<u32>(),
        ) {
            let event = wire::SessionStart {
                audio: Some(wire::PartialFormat { encoding: None, sample_rate: Some(rate) }),
                speed: Some(speed),
                turn_detection: Some(wire::TurnDetection {
                    threshold: Some(threshold),
                    prefix_ms: Some(prefix % 4_000),
                    soft_silence_ms: Some(soft),
                    silence_ms: Some(silence),
                    ..wire::TurnDetection::default()
                }),
                ..wire::SessionStart::default()
            };
            if let Ok(start) = start(event, &offer()) {
                prop_assert!((0.25..=4.0).contains(&start.options.speed));
                let TurnDetection::Voice { threshold, prefix_ms, soft_silence_ms, silence_ms, .. } =
                    start.options.turn_detection
                else {
                    panic!("a voice was asked for");
                };
                prop_assert!((0.0..=1.0).contains(&threshold) && prefix_ms <= 2_000);
                prop_assert!(60 <= soft_silence_ms && soft_silence_ms <= silence_ms && silence_ms <= 10_000);
            }
        }
    }
}
