//! What OpenAI's clients ask a chat model, and what that means here.

use std::collections::HashSet;

use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::super::errors::Refused;
use crate::{
    engine::{ChatRequest, Tool, ToolChoice},
    model::{Message, Role, ToolCall},
};

/// Functions in one request; OpenAI has the same bound.
const MOST_TOOLS: usize = 128;
/// Letters of a function's name.
const LONGEST_NAME: usize = 128;

/// A conversation to be gone on with. Fields that are not listed are taken and change nothing.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ChatCompletionRequest {
    /// Any name: the model this server runs answers, and the answer names it.
    #[serde(default)]
    #[schema(required)]
    #[expect(dead_code, reason = "whatever is asked for, one model answers")]
    model: Option<String>,
    #[schema(min_items = 1)]
    messages: Vec<ChatCompletionMessage>,
    /// At most 128 functions the model may call.
    tools: Option<Vec<ChatCompletionTool>>,
    /// `auto`, `none`, `required`, or `{"type": "function", "function": {"name": ...}}`.
    #[schema(value_type = Option<Object>)]
    tool_choice: Option<Value>,
    /// The longest answer, in tokens; the server's own default if left out.
    #[schema(minimum = 1)]
    max_completion_tokens: Option<u32>,
    /// The older name of `max_completion_tokens`.
    #[schema(minimum = 1)]
    max_tokens: Option<u32>,
    #[schema(minimum = 0, maximum = 2)]
    temperature: Option<f32>,
    /// Whether to send the answer as it is written.
    pub stream: Option<bool>,
    pub stream_options: Option<ChatCompletionStreamOptions>,
    /// 1: there is one answer.
    n: Option<u32>,
    /// `{"type": "text"}`: others cannot be promised.
    #[schema(value_type = Option<Object>)]
    response_format: Option<Value>,
    /// `["text"]`: spoken answers come from `/v1/audio/speech`.
    modalities: Option<Vec<String>>,
    /// Not supported.
    logprobs: Option<bool>,
    /// A text, or up to four: the answer ends before the first of them.
    #[schema(value_type = Option<Object>)]
    pub stop: Option<Value>,
    /// Not supported: the older form of `tools`.
    #[schema(value_type = Option<Object>)]
    functions: Option<Value>,
}

/// What is told besides the answer.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct ChatCompletionStreamOptions {
    /// Whether a last chunk tells how many tokens were used.
    pub include_usage: Option<bool>,
}

/// One entry of the conversation.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ChatCompletionMessage {
    /// `system`, `developer`, `user`, `assistant` or `tool`.
    role: String,
    /// Text, or parts of text.
    content: Option<ChatCompletionContent>,
    /// What the assistant called.
    tool_calls: Option<Vec<ChatCompletionCall>>,
    /// The call that the content came out of; role `tool` only.
    tool_call_id: Option<String>,
}

/// Text, or parts of text.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged, expecting = "it is neither text nor a list of parts")]
enum ChatCompletionContent {
    Text(String),
    Parts(Vec<ChatCompletionPart>),
}

/// A part of a message.
#[derive(Debug, Deserialize, ToSchema)]
struct ChatCompletionPart {
    /// `text`; images, sound and files are refused.
    r#type: String,
    text: Option<String>,
    refusal: Option<String>,
}

/// A function called earlier.
#[derive(Debug, Deserialize, ToSchema)]
struct ChatCompletionCall {
    id: String,
    function: ChatCompletionCalled,
}

/// Its name and arguments.
#[derive(Debug, Deserialize, ToSchema)]
struct ChatCompletionCalled {
    name: String,
    /// JSON, as text.
    #[serde(default)]
    arguments: String,
}

/// A function the model may call.
#[derive(Debug, Deserialize, ToSchema)]
struct ChatCompletionTool {
    /// `function`
    r#type: String,
    function: Option<ChatCompletionFunction>,
}

/// Its name, its purpose and its parameters.
#[derive(Debug, Deserialize, ToSchema)]
struct ChatCompletionFunction {
    #[schema(min_length = 1, max_length = 128)]
    name: String,
    description: Option<String>,
    /// JSON Schema, an object.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Value>,
}

/// What the model is asked.
///
/// # Errors
/// What the server cannot do, with the field that asks for it.
pub fn request(asked: ChatCompletionRequest) -> Result<ChatRequest, Refused> {
    refuse_what_cannot_be(&asked)?;
    let messages = messages(asked.messages)?;
    let tools = tools(asked.tools.unwrap_or_default())?;
    let tool_choice = choice(asked.tool_choice.as_ref(), &tools)?;
    let max_tokens = asked.max_completion_tokens.or(asked.max_tokens);
    Ok(ChatRequest { messages, tools, tool_choice, max_tokens, temperature: asked.temperature, session: None })
}

fn refuse_what_cannot_be(asked: &ChatCompletionRequest) -> Result<(), Refused> {
    if asked.n.is_some_and(|n| n != 1) {
        return Err(Refused::unsupported("n", "only one answer is made", "leave it out, and ask again for another"));
    }
    if let Some(format) = asked.response_format.as_ref().filter(|format| format["type"] != "text" && !format.is_null())
    {
        let kind: String = format["type"].as_str().unwrap_or("this").chars().take(40).collect();
        return Err(Refused::unsupported(
            "response_format",
            format!("{kind} cannot be promised"),
            "leave it out, and ask for JSON in words",
        ));
    }
    if asked.modalities.iter().flatten().any(|modality| modality != "text") {
        let hint = "ask for text, and have it spoken by /v1/audio/speech";
        return Err(Refused::unsupported("modalities", "answers are text", hint));
    }
    if asked.logprobs == Some(true) {
        return Err(Refused::unsupported("logprobs", "probabilities are not known", "leave it out"));
    }
    let empty = |stop: &Value| stop.is_null() || stop.as_array().is_some_and(Vec::is_empty);
    if asked.functions.as_ref().is_some_and(|functions| !empty(functions)) {
        return Err(Refused::unsupported("functions", "it has been replaced", "send tools"));
    }
    for (param, most) in [("max_completion_tokens", asked.max_completion_tokens), ("max_tokens", asked.max_tokens)] {
        if most == Some(0) {
            return Err(Refused::value(param, "0 is too few", "at least 1"));
        }
    }
    if asked.temperature.is_some_and(|temperature| !(0.0..=2.0).contains(&temperature)) {
        return Err(Refused::value("temperature", "out of bounds", "0 to 2"));
    }
    Ok(())
}

fn messages(asked: Vec<ChatCompletionMessage>) -> Result<Vec<Message>, Refused> {
    if asked.is_empty() {
        return Err(Refused::value("messages", "there are none", "send at least one"));
    }
    let mut called = HashSet::new();
    let mut messages = Vec::with_capacity(asked.len());
    for (at, message) in asked.into_iter().enumerate() {
        let param = |field: &str| format!("messages[{at}].{field}");
        let calls: Vec<ToolCall> = message.tool_calls.into_iter().flatten().map(call).collect();
        let missing = message.content.is_none() && calls.is_empty();
        let content = message.content.map_or(Ok(String::new()), |content| text(content, &param("content")))?;
        if missing {
            return Err(Refused::missing(&param("content"), "send text"));
        }
        messages.push(match message.role.as_str() {
            "system" | "developer" => Message::new(Role::System, content),
            "user" => Message::new(Role::User, content),
            "assistant" => {
                called.extend(calls.iter().map(|call| call.id.clone()));
                Message::calling(content, calls)
            }
            "tool" => {
                let hint = "send the id of the call that this came out of";
                let id = message.tool_call_id.ok_or_else(|| Refused::missing(&param("tool_call_id"), hint))?;
                if !called.contains(&id) {
                    return Err(Refused::value(&param("tool_call_id"), "no message before it has this call", hint));
                }
                Message::output(id, content)
            }
            _ => return Err(Refused::value(&param("role"), "unknown", "system, developer, user, assistant or tool")),
        });
    }
    Ok(messages)
}

fn call(call: ChatCompletionCall) -> ToolCall {
    ToolCall { id: call.id, name: call.function.name, arguments: call.function.arguments }
}

fn text(content: ChatCompletionContent, param: &str) -> Result<String, Refused> {
    let parts = match content {
        ChatCompletionContent::Text(text) => return Ok(text),
        ChatCompletionContent::Parts(parts) => parts,
    };
    let mut whole = String::new();
    for (at, part) in parts.into_iter().enumerate() {
        let part = match part.r#type.as_str() {
            "text" => part.text,
            "refusal" => part.refusal,
            _ => {
                let param = format!("{param}[{at}].type");
                return Err(Refused::unsupported(
                    &param,
                    "messages are text",
                    "recordings go to /v1/audio/transcriptions",
                ));
            }
        };
        let part = part.ok_or_else(|| Refused::missing(&format!("{param}[{at}].text"), "send text"))?;
        if !whole.is_empty() {
            whole.push('\n');
        }
        whole.push_str(&part);
    }
    Ok(whole)
}

fn tools(asked: Vec<ChatCompletionTool>) -> Result<Vec<Tool>, Refused> {
    if asked.len() > MOST_TOOLS {
        return Err(Refused::value("tools", format!("{} are too many", asked.len()), format!("at most {MOST_TOOLS}")));
    }
    let tool = |(at, tool): (usize, ChatCompletionTool)| {
        let param = |field: &str| format!("tools[{at}].{field}");
        if tool.r#type != "function" {
            return Err(Refused::unsupported(&param("type"), "only functions can be called", "function"));
        }
        let function = tool.function.ok_or_else(|| Refused::missing(&param("function"), "send a name at least"))?;
        if function.name.is_empty() || function.name.chars().count() > LONGEST_NAME {
            let hint = format!("1 to {LONGEST_NAME} letters");
            return Err(Refused::value(&param("function.name"), "empty or too long", hint));
        }
        let parameters = match function.parameters {
            None | Some(Value::Null) => json!({"type": "object", "properties": {}}),
            Some(parameters) if parameters.is_object() => parameters,
            Some(_) => return Err(Refused::value(&param("function.parameters"), "not an object", "send JSON Schema")),
        };
        Ok(Tool { name: function.name, description: function.description.unwrap_or_default(), parameters })
    };
    asked.into_iter().enumerate().map(tool).collect()
}

fn choice(asked: Option<&Value>, tools: &[Tool]) -> Result<ToolChoice, Refused> {
    let choice = match asked {
        None | Some(Value::Null) => ToolChoice::Auto,
        Some(Value::String(word)) => match word.as_str() {
            "auto" => ToolChoice::Auto,
            "none" => ToolChoice::None,
            "required" => ToolChoice::Required,
            _ => return Err(Refused::value("tool_choice", "unknown", "auto, none, required or a function")),
        },
        Some(choice) if choice["type"] == "function" => {
            let name = choice["function"]["name"].as_str();
            let hint = r#"{"type": "function", "function": {"name": "..."}}"#;
            ToolChoice::Named(name.ok_or_else(|| Refused::missing("tool_choice.function.name", hint))?.to_owned())
        }
        Some(_) => {
            return Err(Refused::unsupported(
                "tool_choice",
                "not a choice this takes",
                "auto, none, required or a function",
            ));
        }
    };
    match &choice {
        ToolChoice::Required if tools.is_empty() => {
            Err(Refused::value("tool_choice", "there are no tools to choose from", "send tools"))
        }
        ToolChoice::Named(name) if tools.iter().all(|tool| tool.name != *name) => {
            Err(Refused::value("tool_choice.function.name", "no tool has this name", "name one of tools"))
        }
        _ => Ok(choice),
    }
}

#[cfg(test)]
mod tests;
