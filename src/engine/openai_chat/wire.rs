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

/// One event of a reply.
#[derive(Deserialize)]
pub(super) struct Chunk {
    choices: Option<Vec<Choice>>,
    usage: Option<Usage>,
}

impl Chunk {
    pub(super) fn tell(self, told: &mut Told) {
        for choice in self.choices.into_iter().flatten().filter(|choice| choice.index == 0) {
            let delta = choice.delta.unwrap_or_default();
            told.text.push_str(delta.content.as_deref().unwrap_or_default());
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
            if let Some(reason) = choice.finish_reason {
                told.finished = true;
                if reason == "length" {
                    told.stop = StopCause::Length;
                }
            }
        }
        if let Some(usage) = self.usage {
            told.prompt_tokens = usage.prompt_tokens;
            told.reply_tokens = usage.completion_tokens;
        }
    }
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    index: u32,
    delta: Option<Delta>,
    finish_reason: Option<String>,
}

#[derive(Default, Deserialize)]
struct Delta {
    content: Option<String>,
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
