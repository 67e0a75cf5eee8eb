//! What goes to Ollama's `/api/chat` and comes back. ollama-rs has types for it, but without the names of called
//! functions, and a call it cannot read loses the whole line.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::super::{ChatRequest, StopCause, Tool, ToolChoice, calls, streaming::Told};
use crate::model::Message;

/// The messages as Ollama reads them. It has no `tool_choice`: what must be called is said in the system prompt.
pub(super) fn messages(chat: &ChatRequest, with_tools: bool) -> Vec<Value> {
    let history = calls::paired(&chat.messages);
    let made = history.iter().flat_map(|message| &message.calls);
    let names: HashMap<&str, &str> = made.map(|call| (call.id.as_str(), call.name.as_str())).collect();
    let mut messages: Vec<Value> = history.iter().map(|message| one(message, &names)).collect();
    if let Some(demand) = demand(chat).filter(|_| with_tools) {
        match messages.first_mut().filter(|first| first["role"] == "system") {
            Some(first) => {
                let prompt = first["content"].as_str().unwrap_or_default();
                first["content"] = Value::String(format!("{prompt}\n{demand}"));
            }
            None => messages.insert(0, json!({"role": "system", "content": demand})),
        }
    }
    messages
}

fn one(message: &Message, names: &HashMap<&str, &str>) -> Value {
    let mut sent = json!({"role": message.role, "content": message.content});
    if !message.calls.is_empty() {
        let calls = message.calls.iter().map(|call| {
            // What a model wrote may not be valid; Ollama takes objects only.
            let arguments = serde_json::from_str::<Value>(&call.arguments).ok().filter(Value::is_object);
            let arguments = arguments.unwrap_or_else(|| json!({"arguments": call.arguments}));
            json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": arguments}})
        });
        sent["tool_calls"] = calls.collect();
    }
    if let Some(id) = &message.call_id {
        sent["tool_call_id"] = json!(id);
        if let Some(name) = names.get(id.as_str()) {
            sent["tool_name"] = json!(name);
        }
    }
    sent
}

/// The functions offered: none where none may be called, the one that must be called.
pub(super) fn tools(chat: &ChatRequest) -> Vec<Value> {
    let offered = |tool: &&Tool| match &chat.tool_choice {
        ToolChoice::None => false,
        ToolChoice::Named(name) => tool.name == *name,
        ToolChoice::Auto | ToolChoice::Required => true,
    };
    chat.tools.iter().filter(offered).map(|tool| json!({"type": "function", "function": tool})).collect()
}

fn demand(chat: &ChatRequest) -> Option<String> {
    match &chat.tool_choice {
        ToolChoice::Required if !chat.tools.is_empty() => Some("Answer by calling one of the functions.".into()),
        ToolChoice::Named(name) if chat.tools.iter().any(|tool| tool.name == *name) => {
            Some(format!("Answer by calling the function {name}."))
        }
        _ => None,
    }
}

/// What `/api/show` says of a model.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Shown {
    pub template: String,
    model_info: serde_json::Map<String, Value>,
}

impl Shown {
    /// The longest context it was made for: `llama.context_length`, or another family's.
    pub(super) fn context_length(&self) -> Option<u64> {
        let mut lengths = self.model_info.iter().filter(|(name, _)| name.ends_with(".context_length"));
        lengths.find_map(|(_, tokens)| tokens.as_u64())
    }
}

/// One line of a reply.
#[derive(Debug, Deserialize)]
pub(super) struct Line {
    message: Said,
    #[serde(default)]
    done: bool,
    done_reason: Option<String>,
    prompt_eval_count: Option<u32>,
    eval_count: Option<u32>,
}

#[derive(Debug, Deserialize)]
struct Said {
    #[serde(default)]
    content: String,
    #[serde(default)]
    thinking: Value,
    tool_calls: Option<Vec<Called>>,
}

#[derive(Debug, Deserialize)]
struct Called {
    id: Option<String>,
    function: Option<Function>,
}

#[derive(Debug, Deserialize)]
struct Function {
    name: Option<String>,
    #[serde(default, alias = "parameters")]
    arguments: Value,
}

impl Line {
    pub(super) fn tell(self, told: &mut Told) {
        told.text.push_str(&self.message.content);
        told.thoughts_apart |= self.message.thinking.as_str().is_some_and(|thought| !thought.is_empty());
        told.calls.extend(self.message.tool_calls.into_iter().flatten().map(|called| {
            let (name, arguments) = called.function.map_or((None, Value::Null), |f| (f.name, f.arguments));
            let arguments = match arguments {
                Value::Null => String::new(),
                Value::String(text) => text,
                object => object.to_string(),
            };
            // Ollama tells each call in one piece.
            calls::Piece { index: None, id: called.id, name, arguments, whole: true }
        }));
        if self.done {
            told.done = true;
            told.prompt_tokens = self.prompt_eval_count;
            told.reply_tokens = self.eval_count;
            if self.done_reason.as_deref() == Some("length") {
                told.stop = StopCause::Length;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Role, ToolCall};

    fn chat(tool_choice: ToolChoice) -> ChatRequest {
        let tool = |name: &str| Tool {
            name: name.into(),
            description: "Does it.".into(),
            parameters: json!({"type": "object", "properties": {}}),
        };
        let call =
            |id: &str, arguments: &str| ToolCall { id: id.into(), name: "add".into(), arguments: arguments.into() };
        ChatRequest {
            messages: vec![
                Message::new(Role::User, "one and two"),
                Message::calling("", vec![call("a", r#"{"x":1}"#), call("b", "{x:")]),
                Message::output("a", "3"),
            ],
            tools: vec![tool("add"), tool("tell")],
            tool_choice,
            ..ChatRequest::default()
        }
    }

    #[test]
    fn calls_go_as_objects_and_what_came_out_with_the_name() {
        assert_eq!(
            Value::Array(messages(&chat(ToolChoice::Auto), true)),
            json!([
                {"role": "user", "content": "one and two"},
                {"role": "assistant", "content": "", "tool_calls": [
                    {"id": "a", "type": "function", "function": {"name": "add", "arguments": {"x": 1}}},
                    {"id": "b", "type": "function", "function": {"name": "add", "arguments": {"arguments": "{x:"}}},
                ]},
                {"role": "tool", "content": "3", "tool_call_id": "a", "tool_name": "add"},
                {"role": "tool", "content": "no result", "tool_call_id": "b", "tool_name": "add"},
            ])
        );
    }

    #[test]
    fn what_must_be_called_is_said_and_what_must_not_is_not_offered() {
        let sent = |choice: ToolChoice, system: bool| {
            let mut chat = chat(choice);
            if system {
                chat.messages.insert(0, Message::new(Role::System, "Be kind."));
            }
            let first = messages(&chat, true)[0]["content"].as_str().map(str::to_owned).unwrap_or_default();
            let names: Vec<Value> = tools(&chat).iter().map(|tool| tool["function"]["name"].clone()).collect();
            (first, Value::Array(names))
        };
        let named = || ToolChoice::Named("tell".into());
        assert_eq!(sent(ToolChoice::None, true), ("Be kind.".into(), json!([])));
        assert_eq!(sent(ToolChoice::Auto, true), ("Be kind.".into(), json!(["add", "tell"])));
        let (said, names) = sent(ToolChoice::Required, true);
        assert_eq!(
            (said.as_str(), names),
            ("Be kind.\nAnswer by calling one of the functions.", json!(["add", "tell"]))
        );
        let (said, names) = sent(named(), false);
        assert_eq!((said.as_str(), names), ("Answer by calling the function tell.", json!(["tell"])));
        assert_eq!(messages(&chat(named()), false).len(), 4, "a model without functions is not told of them");
    }

    #[test]
    fn lines_are_read_whatever_is_missing() {
        for line in [
            r#"{"message":{"role":"assistant","content":"","tool_calls":null},"done":false}"#,
            r#"{"message":{"tool_calls":[{}]}}"#,
            r#"{"message":{"tool_calls":[{"function":{"arguments":"{}"}}]}}"#,
            r#"{"message":{"content":""},"done":true,"done_reason":"length","eval_count":3}"#,
        ] {
            let mut told = Told::default();
            serde_json::from_str::<Line>(line).expect("readable").tell(&mut told);
            assert!(told.text.is_empty() && told.calls.iter().all(|call| call.name.is_none()), "{line}");
            assert_eq!(told.stop == StopCause::Length, told.done, "{line}");
        }
    }
}
