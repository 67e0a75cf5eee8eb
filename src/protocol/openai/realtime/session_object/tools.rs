//! Functions a model may call, and how long it may talk: wishes of sessions and of single responses alike.

use serde_json::{Value, json};

use crate::{
    engine::{Tool, ToolChoice},
    protocol::openai::realtime::{fault::Fault, wire::session::ToolWish},
};

const MAX_TOOLS: usize = 128;
/// All of them together, as JSON: they are told with every session and read by the model with every reply.
const MAX_TOOLS_BYTES: usize = 256 * 1024;
const MAX_NAME: usize = 64;
const MOST_TOKENS: u64 = 4_096;

/// # Errors
/// Something that is no function, or too many of them.
pub fn tools(wishes: &[ToolWish], param: &str) -> Result<Vec<Tool>, Fault> {
    if wishes.len() > MAX_TOOLS {
        return Err(Fault::value(param, format!("more than {MAX_TOOLS} tools")));
    }
    let mut bytes = 0;
    let mut tools: Vec<Tool> = Vec::with_capacity(wishes.len());
    for (at, wish) in wishes.iter().enumerate() {
        let path = |field: &str| format!("{param}[{at}].{field}");
        match wish.r#type.as_deref() {
            Some("function") | None => {}
            Some(_) => {
                return Err(Fault::value(
                    path("type"),
                    "only functions can be called here; this server reaches no MCP servers",
                ));
            }
        }
        let name = wish.name.clone().filter(|name| !name.is_empty()).ok_or_else(|| Fault::missing(path("name")))?;
        if name.len() > MAX_NAME {
            return Err(Fault::value(path("name"), format!("longer than {MAX_NAME} bytes")));
        }
        let parameters = match &wish.parameters {
            None | Some(Value::Null) => json!({"type": "object", "properties": {}}),
            Some(schema @ Value::Object(_)) => schema.clone(),
            Some(_) => return Err(Fault::wrong_type(path("parameters"), "a JSON schema")),
        };
        let description = wish.description.clone().unwrap_or_default();
        bytes += name.len() + description.len() + parameters.to_string().len();
        if bytes > MAX_TOOLS_BYTES {
            return Err(Fault::value(param, format!("the tools together are longer than {MAX_TOOLS_BYTES} bytes")));
        }
        tools.push(Tool { name, description, parameters });
    }
    Ok(tools)
}

/// # Errors
/// Something that is no choice, or a function that is not there.
pub fn tool_choice(wish: &Value, param: &str) -> Result<ToolChoice, Fault> {
    let named = |fields: &Value| fields.get("name").and_then(Value::as_str).map(str::to_owned);
    match wish {
        Value::Null => Ok(ToolChoice::Auto),
        Value::String(choice) => match choice.as_str() {
            "auto" => Ok(ToolChoice::Auto),
            "none" => Ok(ToolChoice::None),
            "required" => Ok(ToolChoice::Required),
            _ => Err(Fault::value(param, "known are auto, none, required and an object that names a function")),
        },
        Value::Object(fields) if fields.get("type").and_then(Value::as_str) == Some("function") => {
            let name = named(wish).or_else(|| fields.get("function").and_then(named));
            name.map(ToolChoice::Named).ok_or_else(|| Fault::missing(format!("{param}.name")))
        }
        _ => Err(Fault::wrong_type(param, "a string, or an object that names a function")),
    }
}

/// What clients are told of it.
#[must_use]
pub fn choice_json(choice: &ToolChoice) -> Value {
    match choice {
        ToolChoice::Auto => json!("auto"),
        ToolChoice::None => json!("none"),
        ToolChoice::Required => json!("required"),
        ToolChoice::Named(name) => json!({"type": "function", "name": name}),
    }
}

/// # Errors
/// Neither `inf` nor 1 to 4096.
pub fn max_tokens(wish: &Value, param: &str) -> Result<Option<u32>, Fault> {
    match wish {
        Value::Null => Ok(None),
        Value::String(text) if text == "inf" => Ok(None),
        Value::Number(number) => match number.as_u64() {
            Some(count @ 1..=MOST_TOKENS) => Ok(Some(count as u32)),
            _ => Err(Fault::value(param, format!("must be 1 to {MOST_TOKENS}, or \"inf\""))),
        },
        _ => Err(Fault::wrong_type(param, "a number or \"inf\"")),
    }
}

/// What clients are told of it.
#[must_use]
pub fn max_tokens_json(tokens: Option<u32>) -> Value {
    tokens.map_or(json!("inf"), Value::from)
}
