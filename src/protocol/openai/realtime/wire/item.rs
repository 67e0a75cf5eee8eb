//! Items: entries of the conversation, as clients write and read them.

use serde::{Deserialize, Serialize};

/// An item of a client.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ItemWish {
    pub id: Option<String>,
    pub r#type: Option<String>,
    pub role: Option<String>,
    pub content: Option<Vec<PartWish>>,
    pub call_id: Option<String>,
    pub name: Option<String>,
    pub arguments: Option<String>,
    pub output: Option<String>,
}

/// A part of a client's message.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct PartWish {
    pub r#type: Option<String>,
    pub text: Option<String>,
    pub audio: Option<String>,
    pub transcript: Option<String>,
}

/// An item as the server tells it. What is not there is left out: some clients refuse `null` here.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Item {
    pub id: String,
    pub object: &'static str,
    pub r#type: &'static str,
    pub status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<Vec<Part>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arguments: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
}

/// A part of an item, or of `response.content_part.*`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    pub r#type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Sound the person made has `null` until it is written down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transcript: Option<Option<String>>,
}

impl Part {
    #[must_use]
    pub fn text(kind: &'static str, text: impl Into<String>) -> Self {
        Self { r#type: kind, text: Some(text.into()), transcript: None }
    }

    #[must_use]
    pub fn sound(kind: &'static str, transcript: Option<String>) -> Self {
        Self { r#type: kind, text: None, transcript: Some(transcript) }
    }
}
