//! One response while it runs: what it has put out, and how it is told.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::{
    items::Item,
    session_object::{Format, max_tokens_json},
    wire::{
        self, Flavour,
        response::{Manner, StatusDetails, Usage},
    },
};
use crate::{engine::EngineError, model::TurnId};

/// How a response was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// It stands beside the conversation.
    pub beside: bool,
    pub speak: bool,
    pub voice: String,
    pub format: Format,
    pub max_tokens: Option<u32>,
    pub temperature: f64,
    pub metadata: Option<Map<String, Value>>,
}

/// See the module.
#[derive(Debug, Clone, PartialEq)]
pub struct Response {
    pub id: String,
    pub turn: TurnId,
    pub wish: Wish,
    pub output: Vec<Item>,
    /// Index in `output` of the message that is being said.
    pub open: Option<usize>,
    /// Index in `output` of every call that is not complete, by its number.
    pub calls: HashMap<u32, usize>,
    /// What broke it.
    pub error: Option<EngineError>,
}

/// How a response stands or ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    InProgress,
    Completed,
    Cancelled(&'static str),
    Incomplete(&'static str),
    Failed,
}

impl Response {
    #[must_use]
    pub fn new(id: String, turn: TurnId, wish: Wish) -> Self {
        Self { id, turn, wish, output: Vec::new(), open: None, calls: HashMap::new(), error: None }
    }

    /// As it stands on the wire; `conversation` is the id of the conversation.
    #[must_use]
    pub fn told(
        &self,
        standing: &Standing,
        usage: Option<Usage>,
        flavour: Flavour,
        conversation: &str,
    ) -> wire::response::Response {
        let plain = |kind| StatusDetails { r#type: kind, reason: None, error: None };
        let (status, status_details) = match standing {
            Standing::InProgress => ("in_progress", None),
            Standing::Completed => ("completed", None),
            Standing::Cancelled(reason) => {
                ("cancelled", Some(StatusDetails { reason: Some(reason), ..plain("cancelled") }))
            }
            Standing::Incomplete(reason) => {
                ("incomplete", Some(StatusDetails { reason: Some(reason), ..plain("incomplete") }))
            }
            Standing::Failed => ("failed", Some(StatusDetails { error: Some(self.error()), ..plain("failed") })),
        };
        wire::response::Response {
            object: "realtime.response",
            id: self.id.clone(),
            status,
            status_details,
            output: self.output.iter().map(|item| item.told(flavour)).collect(),
            conversation_id: (!self.wish.beside).then(|| conversation.to_owned()),
            manner: self.manner(flavour),
            usage,
            metadata: self.wish.metadata.clone(),
        }
    }

    fn manner(&self, flavour: Flavour) -> Manner {
        let Wish { speak, voice, format, max_tokens, temperature, .. } = &self.wish;
        let max_output_tokens = max_tokens_json(*max_tokens);
        match flavour {
            Flavour::Ga => Manner::Ga {
                output_modalities: vec![if *speak { "audio" } else { "text" }],
                max_output_tokens,
                audio: json!({"output": {"format": format.ga(), "voice": voice}}),
            },
            Flavour::Beta => Manner::Beta {
                modalities: if *speak { vec!["text", "audio"] } else { vec!["text"] },
                voice: voice.clone(),
                output_audio_format: format.beta(),
                temperature: *temperature,
                max_output_tokens,
            },
        }
    }

    fn error(&self) -> wire::response::ResponseError {
        let (code, message) = match &self.error {
            Some(error) => (error.code(), format!("{error}; {}", error.hint())),
            None => ("engine_failed", "the response broke off; try again".to_owned()),
        };
        wire::response::ResponseError { r#type: "server_error", code, message }
    }
}
