//! Wishes, checked and merged.

use std::ops::RangeInclusive;

use serde_json::Value;

use super::{Config, Format, Offer, SessionKind, Transcription, Vad, tools, turn::within};
use crate::{
    model::parse_language,
    protocol::openai::realtime::{
        fault::Fault,
        wire::session::{InputWish, OutputWish, SessionWish, TranscriptionWish, TurnDetectionWish},
    },
};

/// A system prompt longer than this would crowd out the conversation.
const MAX_INSTRUCTIONS: usize = 100_000;
/// Names and texts that are told again.
const MAX_NAME: usize = 256;
const MAX_PROMPT: usize = 10_000;
/// What is kept unread, as JSON.
const MAX_KEPT: usize = 16_384;
const MAX_KEYWORDS: usize = 100;
const SPEED: RangeInclusive<f64> = 0.25..=1.5;
const TEMPERATURE: RangeInclusive<f64> = 0.0..=2.0;

/// What has happened that some changes are too late after.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Situation {
    /// The assistant has been heard: its voice stays.
    pub spoken: bool,
    /// Sound or items have come: the kind of session stays.
    pub begun: bool,
}

impl Config {
    /// The configuration with what is wished changed.
    ///
    /// # Errors
    /// What cannot be; nothing has changed then.
    pub fn merged(&self, wish: &SessionWish, offer: &Offer, now: Situation) -> Result<Self, Fault> {
        let mut config = self.clone();
        if let Some(kind) = &wish.r#type {
            config.become_kind(kind, offer, now)?;
        }
        let audio = wish.audio.clone().unwrap_or_default();
        config.merge_input(&audio.input.unwrap_or_default(), "session.audio.input", offer)?;
        config.merge_input(&flat_input(wish), "session", offer)?;
        config.merge_output(&audio.output.unwrap_or_default(), "session.audio.output", now)?;
        let flat =
            OutputWish { format: wish.output_audio_format.clone(), voice: wish.voice.clone(), speed: wish.speed };
        config.merge_output(&flat, "session", now)?;
        if let Some(wanted) = wish.output_modalities.as_ref().or(wish.modalities.as_ref()) {
            let beta = wish.output_modalities.is_none();
            config.speak = modalities(wanted, beta, "session.output_modalities")?;
        }
        if let Some(instructions) = &wish.instructions {
            short("session.instructions", instructions, MAX_INSTRUCTIONS)?;
            config.instructions = Some(instructions.clone());
        }
        if let Some(wanted) = &wish.tools {
            config.tools = tools::tools(wanted, "session.tools")?;
        }
        if let Some(choice) = &wish.tool_choice {
            config.tool_choice = tools::tool_choice(choice, "session.tool_choice")?;
        }
        for (field, tokens) in [
            ("session.max_output_tokens", &wish.max_output_tokens),
            ("session.max_response_output_tokens", &wish.max_response_output_tokens),
        ] {
            if let Some(tokens) = tokens {
                config.max_tokens = tools::max_tokens(tokens, field)?;
            }
        }
        if let Some(temperature) = wish.temperature {
            within("session.temperature", temperature, &TEMPERATURE)?;
            config.temperature = Some(temperature);
        }
        let kept = &mut config.kept;
        for (field, wish, into) in [
            ("session.tracing", &wish.tracing, &mut kept.tracing),
            ("session.truncation", &wish.truncation, &mut kept.truncation),
            ("session.prompt", &wish.prompt, &mut kept.prompt),
            ("session.include", &wish.include, &mut kept.include),
        ] {
            keep(field, wish.as_ref(), into)?;
        }
        for (field, wish, into) in [
            ("session.reasoning", &wish.reasoning, &mut kept.reasoning),
            ("session.parallel_tool_calls", &wish.parallel_tool_calls, &mut kept.parallel_tool_calls),
        ] {
            if wish.is_some() {
                keep(field, wish.as_ref(), into.get_or_insert(Value::Null))?;
            }
        }
        Ok(config)
    }

    /// OpenAI refuses to make one kind of session another; before anything has happened it does no harm.
    fn become_kind(&mut self, wanted: &str, offer: &Offer, now: Situation) -> Result<(), Fault> {
        let kind = match wanted {
            "realtime" => SessionKind::Realtime,
            "transcription" => SessionKind::Transcription,
            _ => return Err(Fault::value("session.type", "known are realtime and transcription")),
        };
        if kind == self.kind {
            return Ok(());
        }
        let refused = |text: String| Err(Fault::new("invalid_parameter", text).of("session.type"));
        if now.begun {
            let (from, to) = (self.kind.name(), kind.name());
            return refused(format!("a {from} session cannot become a {to} session once it has begun; open another"));
        }
        if kind == SessionKind::Realtime && !offer.may_converse {
            return refused("this key opens transcription sessions only; use one made for conversations".into());
        }
        self.kind = kind;
        if kind == SessionKind::Transcription {
            self.transcription.get_or_insert_with(|| Transcription::new(offer));
        }
        Ok(())
    }

    fn merge_input(&mut self, wish: &InputWish, at: &str, offer: &Offer) -> Result<(), Fault> {
        // The beta's fields have longer names.
        let path = |field: &str| match (at, field) {
            ("session", "turn_detection") => "session.turn_detection".to_owned(),
            ("session", field) => format!("session.input_audio_{field}"),
            (at, field) => format!("{at}.{field}"),
        };
        if let Some(format) = &wish.format {
            self.input = Format::read(format, &path("format"))?;
        }
        match &wish.transcription {
            None => {}
            Some(None) if self.kind == SessionKind::Transcription => {}
            Some(None) => self.transcription = None,
            Some(Some(wish)) => {
                let current = self.transcription.take().unwrap_or_else(|| Transcription::new(offer));
                self.transcription = Some(transcription(current, wish, &path("transcription"), offer)?);
            }
        }
        keep(&path("noise_reduction"), wish.noise_reduction.as_ref(), &mut self.kept.noise_reduction)?;
        self.turn_detection = match &wish.turn_detection {
            None => self.turn_detection,
            Some(None) => None,
            // Some clients of the beta write it so.
            Some(Some(TurnDetectionWish { r#type: Some(kind), .. })) if kind == "none" => None,
            Some(Some(wish)) => Some(Vad::merged(self.turn_detection, wish, &path("turn_detection"))?),
        };
        Ok(())
    }

    fn merge_output(&mut self, wish: &OutputWish, at: &str, now: Situation) -> Result<(), Fault> {
        if let Some(format) = &wish.format {
            let field = if at == "session" { "output_audio_format" } else { "format" };
            self.output = Format::read(format, &format!("{at}.{field}"))?;
        }
        if let Some(voice) = &wish.voice {
            let voice = super::options::voice(voice, &format!("{at}.voice"))?;
            if voice.as_ref().is_some_and(|voice| now.spoken && *voice != self.voice) {
                let text = "the voice cannot be changed once the assistant has spoken; open another session";
                return Err(Fault::new("cannot_update_voice", text).of(format!("{at}.voice")));
            }
            self.voice = voice.unwrap_or_else(|| std::mem::take(&mut self.voice));
        }
        if let Some(speed) = wish.speed {
            within(&format!("{at}.speed"), speed, &SPEED)?;
            self.speed = speed;
        }
        Ok(())
    }
}

/// Whether `wanted` asks for speech. The beta's `["text","audio"]` means speech with its transcript.
///
/// # Errors
/// Anything else than one of them, in the spelling in force.
pub fn modalities(wanted: &[String], beta: bool, param: &str) -> Result<bool, Fault> {
    let wants = |name: &str| wanted.iter().any(|wanted| wanted == name);
    let known = wanted.iter().all(|name| name == "text" || name == "audio");
    match (known, wants("audio"), wants("text")) {
        (true, true, true) if beta => Ok(true),
        (true, true, false) => Ok(true),
        (true, false, true) => Ok(false),
        _ => Err(Fault::value(param, "must be [\"audio\"] or [\"text\"]")),
    }
}

/// Whether something is wished in the beta's spelling.
pub fn flat(wish: &SessionWish) -> bool {
    let output = wish.modalities.is_some() || wish.voice.is_some() || wish.output_audio_format.is_some();
    let reply = wish.temperature.is_some() || wish.max_response_output_tokens.is_some() || wish.speed.is_some();
    output || reply || flat_input(wish) != InputWish::default()
}

fn flat_input(wish: &SessionWish) -> InputWish {
    InputWish {
        format: wish.input_audio_format.clone(),
        transcription: wish.input_audio_transcription.clone(),
        noise_reduction: wish.input_audio_noise_reduction.clone(),
        turn_detection: wish.turn_detection.clone(),
    }
}

fn transcription(
    mut current: Transcription,
    wish: &TranscriptionWish,
    at: &str,
    offer: &Offer,
) -> Result<Transcription, Fault> {
    if let Some(model) = &wish.model {
        short(&format!("{at}.model"), model, MAX_NAME)?;
        current.model.clone_from(model);
    }
    if let Some(language) = &wish.language {
        current.language = language.as_deref().and_then(|language| known_language(language, offer));
    }
    if let Some(Some(languages)) = &wish.languages {
        // Several languages: the recogniser finds out which. One: it is told.
        current.language = match languages.as_slice() {
            [one] => known_language(one, offer),
            _ => None,
        };
    }
    if let Some(prompt) = &wish.prompt {
        short(&format!("{at}.prompt"), prompt.as_deref().unwrap_or_default(), MAX_PROMPT)?;
        current.prompt.clone_from(prompt);
    }
    if let Some(keywords) = &wish.keywords {
        let keywords = keywords.clone().unwrap_or_default();
        if keywords.len() > MAX_KEYWORDS || keywords.iter().any(|word| word.len() > MAX_NAME) {
            return Err(Fault::value(format!("{at}.keywords"), format!("at most {MAX_KEYWORDS} short words")));
        }
        current.keywords = keywords;
    }
    Ok(current)
}

/// One the recogniser does not know is left for it to find out.
fn known_language(language: &str, offer: &Offer) -> Option<String> {
    let language = parse_language(language).ok().flatten()?;
    let known = offer.languages.is_empty() || offer.languages.iter().any(|known| known == language);
    known.then(|| language.to_owned())
}

fn keep(param: &str, wish: Option<&Option<Value>>, into: &mut Value) -> Result<(), Fault> {
    let Some(wish) = wish else { return Ok(()) };
    let wish = wish.clone().unwrap_or_default();
    if wish.to_string().len() > MAX_KEPT {
        return Err(Fault::value(param, format!("longer than {MAX_KEPT} bytes")));
    }
    *into = wish;
    Ok(())
}

pub(super) fn short(param: &str, text: &str, most: usize) -> Result<(), Fault> {
    if text.len() > most {
        return Err(Fault::value(param, format!("longer than {most} bytes")));
    }
    Ok(())
}
