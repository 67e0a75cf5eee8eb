//! Responses: what a client wishes of one, and how one is told.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    item::{Item, ItemWish},
    nullable,
    session::{AudioWish, ToolWish},
};

/// `response` of `response.create`, in either spelling.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ResponseWish {
    pub conversation: Option<String>,
    pub input: Option<Vec<ItemWish>>,
    pub output_modalities: Option<Vec<String>>,
    pub instructions: Option<String>,
    pub tools: Option<Vec<ToolWish>>,
    pub tool_choice: Option<Value>,
    pub max_output_tokens: Option<Value>,
    #[serde(deserialize_with = "nullable")]
    pub metadata: Option<Option<Map<String, Value>>>,
    pub audio: Option<AudioWish>,
    // The beta's spelling.
    pub modalities: Option<Vec<String>>,
    pub voice: Option<Value>,
    pub output_audio_format: Option<Value>,
    pub max_response_output_tokens: Option<Value>,
    pub temperature: Option<f64>,
}

/// A response as the server tells it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Response {
    pub object: &'static str,
    pub id: String,
    pub status: &'static str,
    pub status_details: Option<StatusDetails>,
    pub output: Vec<Item>,
    pub conversation_id: Option<String>,
    #[serde(flatten)]
    pub manner: Manner,
    pub usage: Option<Usage>,
    pub metadata: Option<Map<String, Value>>,
}

/// How it is told, in either spelling.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Manner {
    Ga {
        output_modalities: Vec<&'static str>,
        max_output_tokens: Value,
        audio: Value,
    },
    Beta {
        modalities: Vec<&'static str>,
        voice: String,
        output_audio_format: &'static str,
        temperature: f64,
        max_output_tokens: Value,
    },
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StatusDetails {
    pub r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ResponseError>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ResponseError {
    pub r#type: &'static str,
    pub code: &'static str,
    pub message: String,
}

/// What the chat model read and wrote, in tokens.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Usage {
    pub total_tokens: u32,
    pub input_tokens: u32,
    pub output_tokens: u32,
    pub input_token_details: InputTokens,
    pub output_token_details: OutputTokens,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct InputTokens {
    pub text_tokens: u32,
    pub audio_tokens: u32,
    pub image_tokens: u32,
    pub cached_tokens: u32,
    pub cached_tokens_details: CachedTokens,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct CachedTokens {
    pub text_tokens: u32,
    pub audio_tokens: u32,
    pub image_tokens: u32,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct OutputTokens {
    pub text_tokens: u32,
    pub audio_tokens: u32,
}

impl Usage {
    /// All of it is text: sound is written down before the model reads it, and spoken after it wrote.
    #[must_use]
    pub fn of(input: u32, output: u32) -> Self {
        Self {
            total_tokens: input.saturating_add(output),
            input_tokens: input,
            output_tokens: output,
            input_token_details: InputTokens { text_tokens: input, ..InputTokens::default() },
            output_token_details: OutputTokens { text_tokens: output, ..OutputTokens::default() },
        }
    }
}
