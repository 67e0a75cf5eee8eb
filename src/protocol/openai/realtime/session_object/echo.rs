//! To the wire: the whole session, as `session.created` and `session.updated` tell it.

use serde_json::{Map, Value, json};

use super::{
    Config, Offer, SessionKind,
    tools::{choice_json, max_tokens_json},
};
use crate::protocol::openai::realtime::wire::Flavour;

/// What the beta shows where nothing was wished.
const BETA_TEMPERATURE: f64 = 0.8;

impl Config {
    /// `expires_at`: Unix seconds.
    #[must_use]
    pub fn json(&self, flavour: Flavour, id: &str, expires_at: i64, offer: &Offer) -> Value {
        match (flavour, self.kind) {
            (Flavour::Ga, SessionKind::Realtime) => self.ga(id, expires_at, offer),
            (Flavour::Ga, SessionKind::Transcription) => self.ga_transcription(id, expires_at),
            (Flavour::Beta, SessionKind::Realtime) => self.beta(id, expires_at, offer),
            (Flavour::Beta, SessionKind::Transcription) => self.beta_transcription(id, expires_at),
        }
    }

    fn ga(&self, id: &str, expires_at: i64, offer: &Offer) -> Value {
        let kept = &self.kept;
        let mut session = json!({
            "type": "realtime",
            "object": "realtime.session",
            "id": id,
            "model": self.model,
            "expires_at": expires_at,
            "output_modalities": [if self.speak { "audio" } else { "text" }],
            "instructions": self.shown_instructions(offer),
            "tools": self.tools_json(),
            "tool_choice": choice_json(&self.tool_choice),
            "max_output_tokens": max_tokens_json(self.max_tokens),
            "tracing": kept.tracing,
            "truncation": kept.truncation,
            "prompt": kept.prompt,
            "include": kept.include,
            "audio": {
                "input": self.input_json(),
                "output": {"format": self.output.ga(), "voice": self.voice, "speed": self.speed},
            },
        });
        if let Some(fields) = session.as_object_mut() {
            optional(fields, "reasoning", kept.reasoning.as_ref());
            optional(fields, "parallel_tool_calls", kept.parallel_tool_calls.as_ref());
        }
        session
    }

    fn ga_transcription(&self, id: &str, expires_at: i64) -> Value {
        json!({
            "type": "transcription",
            "object": "realtime.transcription_session",
            "id": id,
            "expires_at": expires_at,
            "include": self.kept.include,
            "audio": {"input": self.input_json()},
        })
    }

    fn beta(&self, id: &str, expires_at: i64, offer: &Offer) -> Value {
        json!({
            "object": "realtime.session",
            "id": id,
            "model": self.model,
            "expires_at": expires_at,
            "modalities": if self.speak { json!(["text", "audio"]) } else { json!(["text"]) },
            "instructions": self.shown_instructions(offer),
            "voice": self.voice,
            "input_audio_format": self.input.beta(),
            "output_audio_format": self.output.beta(),
            "input_audio_transcription": self.transcription_json(),
            "input_audio_noise_reduction": self.kept.noise_reduction,
            "turn_detection": self.turn_detection.map(|vad| vad.json()),
            "tools": self.tools_json(),
            "tool_choice": choice_json(&self.tool_choice),
            "temperature": self.temperature.unwrap_or(BETA_TEMPERATURE),
            "max_response_output_tokens": max_tokens_json(self.max_tokens),
            "speed": self.speed,
            "tracing": self.kept.tracing,
        })
    }

    fn beta_transcription(&self, id: &str, expires_at: i64) -> Value {
        json!({
            "object": "realtime.transcription_session",
            "id": id,
            "expires_at": expires_at,
            "include": self.kept.include,
            "modalities": ["text"],
            "input_audio_format": self.input.beta(),
            "input_audio_transcription": self.transcription_json(),
            "input_audio_noise_reduction": self.kept.noise_reduction,
            "turn_detection": self.turn_detection.map(|vad| vad.json()),
        })
    }

    fn input_json(&self) -> Value {
        json!({
            "format": self.input.ga(),
            "transcription": self.transcription_json(),
            "noise_reduction": self.kept.noise_reduction,
            "turn_detection": self.turn_detection.map(|vad| vad.json()),
        })
    }

    fn transcription_json(&self) -> Value {
        let Some(wish) = &self.transcription else { return Value::Null };
        let mut fields = Map::new();
        fields.insert("model".into(), json!(wish.model));
        optional(&mut fields, "language", wish.language.as_ref().map(|language| json!(language)).as_ref());
        optional(&mut fields, "prompt", wish.prompt.as_ref().map(|prompt| json!(prompt)).as_ref());
        if !wish.keywords.is_empty() {
            fields.insert("keywords".into(), json!(wish.keywords));
        }
        Value::Object(fields)
    }

    fn tools_json(&self) -> Value {
        let tool = |tool: &crate::engine::Tool| {
            json!({
                "type": "function",
                "name": tool.name,
                "description": tool.description,
                "parameters": tool.parameters,
            })
        };
        self.tools.iter().map(tool).collect()
    }

    fn shown_instructions<'a>(&'a self, offer: &'a Offer) -> &'a str {
        self.instructions.as_deref().unwrap_or(&offer.instructions)
    }
}

fn optional(fields: &mut Map<String, Value>, name: &str, value: Option<&Value>) {
    if let Some(value) = value {
        fields.insert(name.to_owned(), value.clone());
    }
}
