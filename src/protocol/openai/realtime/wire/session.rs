//! What a client wishes of its session, in either spelling: `None` keeps what is there, `Some(None)` clears it.

use serde::Deserialize;
use serde_json::Value;

use super::{Whole, nullable};

/// `session` of `session.update`, of `transcription_session.update` and of a client secret.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct SessionWish {
    pub r#type: Option<String>,
    pub model: Option<String>,
    pub output_modalities: Option<Vec<String>>,
    pub instructions: Option<String>,
    pub tools: Option<Vec<ToolWish>>,
    pub tool_choice: Option<Value>,
    pub max_output_tokens: Option<Value>,
    #[serde(deserialize_with = "nullable")]
    pub tracing: Option<Option<Value>>,
    #[serde(deserialize_with = "nullable")]
    pub truncation: Option<Option<Value>>,
    #[serde(deserialize_with = "nullable")]
    pub prompt: Option<Option<Value>>,
    #[serde(deserialize_with = "nullable")]
    pub include: Option<Option<Value>>,
    #[serde(deserialize_with = "nullable")]
    pub reasoning: Option<Option<Value>>,
    #[serde(deserialize_with = "nullable")]
    pub parallel_tool_calls: Option<Option<Value>>,
    pub audio: Option<AudioWish>,
    // The beta's spelling.
    pub modalities: Option<Vec<String>>,
    pub voice: Option<Value>,
    pub input_audio_format: Option<Value>,
    pub output_audio_format: Option<Value>,
    #[serde(deserialize_with = "nullable")]
    pub input_audio_transcription: Option<Option<TranscriptionWish>>,
    #[serde(deserialize_with = "nullable")]
    pub input_audio_noise_reduction: Option<Option<Value>>,
    #[serde(deserialize_with = "nullable")]
    pub turn_detection: Option<Option<TurnDetectionWish>>,
    pub temperature: Option<f64>,
    pub max_response_output_tokens: Option<Value>,
    pub speed: Option<f64>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct AudioWish {
    pub input: Option<InputWish>,
    pub output: Option<OutputWish>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct InputWish {
    pub format: Option<Value>,
    #[serde(deserialize_with = "nullable")]
    pub transcription: Option<Option<TranscriptionWish>>,
    #[serde(deserialize_with = "nullable")]
    pub noise_reduction: Option<Option<Value>>,
    #[serde(deserialize_with = "nullable")]
    pub turn_detection: Option<Option<TurnDetectionWish>>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct OutputWish {
    pub format: Option<Value>,
    pub voice: Option<Value>,
    pub speed: Option<f64>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct TranscriptionWish {
    pub model: Option<String>,
    #[serde(deserialize_with = "nullable")]
    pub language: Option<Option<String>>,
    #[serde(deserialize_with = "nullable")]
    pub languages: Option<Option<Vec<String>>>,
    #[serde(deserialize_with = "nullable")]
    pub prompt: Option<Option<String>>,
    #[serde(deserialize_with = "nullable")]
    pub keywords: Option<Option<Vec<String>>>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct TurnDetectionWish {
    pub r#type: Option<String>,
    pub threshold: Option<f64>,
    pub prefix_padding_ms: Option<Whole>,
    pub silence_duration_ms: Option<Whole>,
    pub create_response: Option<bool>,
    pub interrupt_response: Option<bool>,
    #[serde(deserialize_with = "nullable")]
    pub idle_timeout_ms: Option<Option<Whole>>,
    pub eagerness: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ToolWish {
    pub r#type: Option<String>,
    pub name: Option<String>,
    pub description: Option<String>,
    pub parameters: Option<Value>,
}
