//! What is wrong with a client's event, in OpenAI's words.

use super::wire::server::ErrorBody;
use crate::measure;

/// Whose fault it is, as the wire names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    Client,
    Server,
}

/// An event that cannot be followed; the connection goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub blame: Blame,
    /// The stable name clients match; `None` where OpenAI has none either.
    pub code: Option<&'static str>,
    pub message: String,
    /// The path of the field at fault.
    pub param: Option<String>,
}

impl Fault {
    pub fn new(code: &'static str, message: impl Into<String>) -> Self {
        Self { blame: Blame::Client, code: Some(code), message: message.into(), param: None }
    }

    /// A field has a value that cannot be used.
    pub fn value(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new("invalid_value", message).of(param)
    }

    /// A field has the wrong JSON type.
    pub fn wrong_type(param: impl Into<String>, expected: &str) -> Self {
        let param = param.into();
        Self::new("invalid_type", format!("invalid type for '{param}': expected {expected}")).of(param)
    }

    /// A field is not there that must be.
    pub fn missing(param: impl Into<String>) -> Self {
        let param = param.into();
        Self::new("missing_required_parameter", format!("missing required parameter: '{param}'")).of(param)
    }

    #[must_use]
    pub fn of(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Without a code, as OpenAI tells some of them.
    #[must_use]
    pub fn nameless(mut self) -> Self {
        self.code = None;
        self
    }

    /// What serde says about an event, put into those codes.
    #[must_use]
    pub fn of_json(path: &str, message: &str) -> Self {
        // "missing field `audio` at line 1 column 40"
        let text = in_json_words(message.split(" at line ").next().unwrap_or(message));
        let path = path.trim_matches('.');
        if let Some(field) = text.strip_prefix("missing field `").and_then(|rest| rest.split('`').next()) {
            let parent = path.trim_end_matches('?').trim_end_matches('.');
            return Self::missing(if parent.is_empty() { field.to_owned() } else { format!("{parent}.{field}") });
        }
        let code = if text.starts_with("invalid type") { "invalid_type" } else { "invalid_value" };
        let text = if path.is_empty() { text } else { format!("{text} ('{path}')") };
        Self { param: (!path.is_empty()).then(|| path.to_owned()), ..Self::new(code, text) }
    }

    /// The body of the `error` event that answers the client's `event_id`; counted.
    #[must_use]
    pub fn body(self, event_id: Option<String>) -> ErrorBody {
        let code = self.code.unwrap_or("other");
        metrics::counter!(measure::ERRORS, "transport" => "realtime", "code" => code).increment(1);
        let kind = match self.blame {
            Blame::Client => "invalid_request_error",
            Blame::Server => "server_error",
        };
        ErrorBody { kind, code: self.code.map(str::to_owned), message: self.message, param: self.param, event_id }
    }
}
/// serde names what it expected in Rust's words.
fn in_json_words(text: &str) -> String {
    let Some((found, expected)) = text.split_once(", expected ") else { return text.to_owned() };
    let kind = match expected {
        _ if expected.starts_with("struct ") => "an object",
        "u8" | "u16" | "u32" | "u64" | "i64" | "usize" => "a whole number",
        "f32" | "f64" => "a number",
        other => other,
    };
    format!("{found}, expected {kind}")
}
