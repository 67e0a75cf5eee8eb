//! What goes to a chat completions endpoint and comes back, with what servers leave out or do their own way.

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::{
    StopCause,
    calls::{self, Piece},
    streaming::Told,
};
use crate::model::{Message, Role, ToolCall};

/// Roles in turn, as many chat templates demand: a turn without a reply is joined to the next, system prompts come
/// first as one, and a conversation begins with the person. What came out of calls stays behind them; without
/// functions it is told as the person's words.
pub(super) fn alternating(messages: &[Message], with_tools: bool) -> Vec<Value> {
    let messages = calls::paired(messages);
    let mut joined: Vec<Message> = Vec::with_capacity(messages.len());
    for mut message in messages {
        if !with_tools {
            message.calls.clear();
            message.call_id = None;
            if message.role == Role::Tool {
                message.role = Role::User;
            } else if message.role == Role::Assistant && message.content.is_empty() {
                continue;
            }
        }
        match joined.last_mut() {
            Some(last) if last.role == message.role && message.role != Role::Tool && last.calls.is_empty() => {
                if !last.content.is_empty() {
                    last.content.push('\n');
                }
                last.content.push_str(&message.content);
                last.calls = message.calls;
            }
            last => {
                if message.role == Role::Assistant && last.is_none_or(|last| last.role == Role::System) {
                    joined.push(Message::new(Role::User, "…"));
                }
                joined.push(message);
            }
        }
    }
    joined.iter().map(sent).collect()
}

fn sent(message: &Message) -> Value {
    let mut sent = json!({"role": message.role, "content": message.content});
    if !message.calls.is_empty() {
        let call = |call: &ToolCall| {
            let function = json!({"name": call.name, "arguments": call.arguments});
            json!({"id": call.id, "type": "function", "function": function})
        };
        sent["tool_calls"] = message.calls.iter().map(call).collect();
    }
    if let Some(id) = &message.call_id {
        sent["tool_call_id"] = json!(id);
    }
    sent
}

/// One event of a reply; or the whole reply of a server that does not stream.
#[derive(Deserialize)]
pub(super) struct Chunk {
    choices: Option<Vec<Choice>>,
    usage: Option<Usage>,
}

impl Chunk {
    pub(super) fn tell(self, told: &mut Told) {
        for choice in self.choices.into_iter().flatten().filter(|choice| choice.index == 0) {
            let delta = choice.delta.or(choice.message).unwrap_or_default();
            push_text(&delta.content, &mut told.text);
            let thoughts = [&delta.reasoning_content, &delta.reasoning, &delta.thinking];
            told.thoughts_apart |= thoughts.iter().any(|thought| match thought {
                Value::String(text) => !text.is_empty(),
                other => !other.is_null(),
            });
            told.calls.extend(delta.tool_calls.into_iter().flatten().map(|called| {
                let function = called.function.unwrap_or_default();
                let arguments = match function.arguments {
                    Value::Null => String::new(),
                    Value::String(text) => text,
                    // Some servers send the object itself.
                    whole => whole.to_string(),
                };
                Piece { index: called.index, id: called.id, name: function.name, arguments, whole: false }
            }));
            match choice.finish_reason.as_deref() {
                Some("length") => (told.finished, told.stop) = (true, StopCause::Length),
                Some(reason) => {
                    told.finished = true;
                    told.filtered |= reason == "content_filter";
                }
                None => {}
            }
        }
        if let Some(usage) = self.usage {
            told.prompt_tokens = usage.prompt_tokens;
            told.reply_tokens = usage.completion_tokens;
        }
    }
}

/// Text as it is, or in typed parts: thoughts and pictures are parts as well.
fn push_text(content: &Value, text: &mut String) {
    match content {
        Value::String(whole) => text.push_str(whole),
        Value::Array(parts) => parts.iter().for_each(|part| push_text(part, text)),
        Value::Object(part) => {
            let kind = part.get("type").and_then(Value::as_str);
            if matches!(kind, None | Some("text" | "output_text")) {
                text.push_str(part.get("text").and_then(Value::as_str).unwrap_or_default());
            }
        }
        _ => {}
    }
}

/// The window of `model` out of a list of models, in the words of vLLM, llama.cpp, LM Studio, OpenRouter or Groq.
pub(super) fn window(list: &Value, model: &str) -> Option<u64> {
    let models = list["data"].as_array().or_else(|| list["models"].as_array())?;
    let named = models.iter().find(|entry| entry["id"].as_str().is_some_and(|id| id.eq_ignore_ascii_case(model)));
    // A server of one model answers to any name.
    let entry = named.or_else(|| models.first().filter(|_| models.len() == 1))?;
    // What is loaded counts before what it was trained for.
    let fields = ["max_model_len", "loaded_context_length", "n_ctx", "context_length", "context_window"];
    let told = fields.iter().map(|field| &entry[*field]).chain([
        &entry["meta"]["n_ctx"],
        &entry["max_context_length"],
        &entry["meta"]["n_ctx_train"],
    ]);
    told.filter_map(Value::as_u64).find(|tokens| *tokens > 0)
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: u32,
    delta: Option<Delta>,
    /// Where the server does not stream.
    message: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Delta {
    content: Value,
    reasoning_content: Value,
    reasoning: Value,
    thinking: Value,
    tool_calls: Option<Vec<Called>>,
}

#[derive(Deserialize)]
struct Called {
    index: Option<u32>,
    id: Option<String>,
    function: Option<Function>,
}

#[derive(Default, Deserialize)]
struct Function {
    name: Option<String>,
    #[serde(default)]
    arguments: Value,
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: Option<u32>,
    completion_tokens: Option<u32>,
}
