//! A model's answer as OpenAI's clients read it: whole, or chunk by chunk.

use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    engine::{ChatDelta, StopCause},
    model::ToolCall,
};

/// A whole answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChatCompletion {
    id: String,
    /// `chat.completion`
    object: &'static str,
    /// Unix seconds.
    created: i64,
    /// The model that answered.
    model: String,
    /// One.
    choices: Vec<ChatCompletionChoice>,
    /// Left out where the model does not tell.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<ChatCompletionUsage>,
}

/// The answer.
#[derive(Debug, Serialize, ToSchema)]
struct ChatCompletionChoice {
    index: u32,
    message: ChatCompletionAnswer,
    /// Always null.
    #[schema(value_type = Option<Object>, required)]
    logprobs: Option<()>,
    /// `stop`, `length` or `tool_calls`
    finish_reason: &'static str,
}

/// What the assistant said and called.
#[derive(Debug, Serialize, ToSchema)]
struct ChatCompletionAnswer {
    /// `assistant`
    role: &'static str,
    /// Null if it only called functions.
    #[schema(required)]
    content: Option<String>,
    /// Always null.
    #[schema(value_type = Option<String>, required)]
    refusal: Option<()>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    tool_calls: Vec<ChatCompletionAnswerCall>,
}

/// A function to call; send what comes out as a message of the role `tool`.
#[derive(Debug, Serialize, ToSchema)]
struct ChatCompletionAnswerCall {
    id: String,
    /// `function`
    r#type: &'static str,
    function: ChatCompletionAnswerFunction,
}

/// Its name and arguments.
#[derive(Debug, Serialize, ToSchema)]
struct ChatCompletionAnswerFunction {
    name: String,
    /// JSON, as the model wrote it: it may not be valid.
    arguments: String,
}

/// What the answer cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[expect(clippy::struct_field_names, reason = "OpenAI's names")]
pub struct ChatCompletionUsage {
    prompt_tokens: u32,
    completion_tokens: u32,
    total_tokens: u32,
}

/// What all chunks of an answer share.
#[derive(Debug, Clone)]
pub struct Head {
    pub id: String,
    pub created: i64,
    pub model: String,
}

/// An answer so far.
#[derive(Debug, Default)]
pub struct Answer {
    text: String,
    calls: Vec<ToolCall>,
    ended: Option<(StopCause, Option<ChatCompletionUsage>)>,
}

impl Answer {
    /// Adds a piece.
    pub fn add(&mut self, delta: ChatDelta) {
        match delta {
            ChatDelta::Text(text) => self.text.push_str(&text),
            ChatDelta::Withdrawn => self.text.clear(),
            ChatDelta::Call { id, name, .. } => self.calls.push(ToolCall { id, name, arguments: String::new() }),
            ChatDelta::Arguments { call, delta } => {
                if let Some(call) = self.calls.get_mut(call as usize) {
                    call.arguments.push_str(&delta);
                }
            }
            ChatDelta::Done { prompt_tokens, reply_tokens, stop } => {
                self.ended = Some((stop, usage(prompt_tokens, reply_tokens)));
            }
        }
    }

    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.ended.is_some()
    }

    /// Bytes of text; calls are bounded where they are made.
    #[must_use]
    pub fn length(&self) -> usize {
        self.text.len()
    }

    /// All of it.
    #[must_use]
    pub fn whole(self, head: Head) -> ChatCompletion {
        let (stop, usage) = self.ended.unwrap_or_default();
        let finish_reason = finish_reason(stop, !self.calls.is_empty());
        let call = |call: ToolCall| ChatCompletionAnswerCall {
            id: call.id,
            r#type: "function",
            function: ChatCompletionAnswerFunction { name: call.name, arguments: call.arguments },
        };
        let message = ChatCompletionAnswer {
            role: "assistant",
            content: Some(self.text).filter(|text| !text.is_empty() || self.calls.is_empty()),
            refusal: None,
            tool_calls: self.calls.into_iter().map(call).collect(),
        };
        ChatCompletion {
            id: head.id,
            object: "chat.completion",
            created: head.created,
            model: head.model,
            choices: vec![ChatCompletionChoice { index: 0, message, logprobs: None, finish_reason }],
            usage,
        }
    }
}

/// A piece of an answer.
#[derive(Debug, Serialize)]
#[expect(clippy::option_option, reason = "left out and null are different things")]
pub struct Chunk<'h> {
    id: &'h str,
    object: &'static str,
    created: i64,
    model: &'h str,
    choices: Vec<ChunkChoice>,
    /// `Some(None)` is null: usage was asked for and comes last.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<ChatCompletionUsage>>,
}

#[derive(Debug, Serialize)]
struct ChunkChoice {
    index: u32,
    delta: Delta,
    logprobs: Option<()>,
    finish_reason: Option<&'static str>,
}

#[derive(Debug, Default, Serialize)]
struct Delta {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[CallPiece; 1]>,
}

#[derive(Debug, Serialize)]
struct CallPiece {
    index: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<&'static str>,
    function: FunctionPiece,
}

#[derive(Debug, Serialize)]
struct FunctionPiece {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    arguments: String,
}

/// Turns an answer's pieces into chunks.
#[derive(Debug)]
pub struct Chunks {
    head: Head,
    with_usage: bool,
    called: bool,
}

impl Chunks {
    #[must_use]
    pub fn new(head: Head, with_usage: bool) -> Self {
        Self { head, with_usage, called: false }
    }

    /// The chunk before all others: who speaks.
    #[must_use]
    pub fn first(&self) -> Chunk<'_> {
        self.of(Delta { role: Some("assistant"), content: Some(String::new()), ..Delta::default() }, None)
    }

    /// The chunks of a piece: one, but at the end perhaps one more for the usage.
    pub fn next(&mut self, delta: ChatDelta) -> Vec<Chunk<'_>> {
        let delta = match delta {
            ChatDelta::Text(text) => Delta { content: Some(text), ..Delta::default() },
            // Chunks cannot be taken back.
            ChatDelta::Withdrawn => return Vec::new(),
            ChatDelta::Call { call, id, name } => {
                self.called = true;
                let function = FunctionPiece { name: Some(name), arguments: String::new() };
                calling(CallPiece { index: call, id: Some(id), r#type: Some("function"), function })
            }
            ChatDelta::Arguments { call, delta } => {
                let function = FunctionPiece { name: None, arguments: delta };
                calling(CallPiece { index: call, id: None, r#type: None, function })
            }
            ChatDelta::Done { prompt_tokens, reply_tokens, stop } => {
                let mut chunks = vec![self.of(Delta::default(), Some(finish_reason(stop, self.called)))];
                if self.with_usage {
                    let usage = Some(usage(prompt_tokens, reply_tokens));
                    chunks.push(Chunk { choices: Vec::new(), usage, ..self.of(Delta::default(), None) });
                }
                return chunks;
            }
        };
        vec![self.of(delta, None)]
    }

    fn of(&self, delta: Delta, finish_reason: Option<&'static str>) -> Chunk<'_> {
        Chunk {
            id: &self.head.id,
            object: "chat.completion.chunk",
            created: self.head.created,
            model: &self.head.model,
            choices: vec![ChunkChoice { index: 0, delta, logprobs: None, finish_reason }],
            usage: self.with_usage.then_some(None),
        }
    }
}

fn calling(piece: CallPiece) -> Delta {
    Delta { tool_calls: Some([piece]), ..Delta::default() }
}

fn finish_reason(stop: StopCause, called: bool) -> &'static str {
    match stop {
        StopCause::Length => "length",
        StopCause::End if called => "tool_calls",
        StopCause::End => "stop",
    }
}

/// `None` where the model tells nothing.
fn usage(prompt: Option<u32>, reply: Option<u32>) -> Option<ChatCompletionUsage> {
    let (prompt_tokens, completion_tokens) = match (prompt, reply) {
        (None, None) => return None,
        (prompt, reply) => (prompt.unwrap_or(0), reply.unwrap_or(0)),
    };
    let total_tokens = prompt_tokens.saturating_add(completion_tokens);
    Some(ChatCompletionUsage { prompt_tokens, completion_tokens, total_tokens })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn head() -> Head {
        Head { id: "chatcmpl-1".into(), created: 5, model: "nano".into() }
    }

    fn deltas(stop: StopCause) -> Vec<ChatDelta> {
        vec![
            ChatDelta::Text("Wait.".into()),
            ChatDelta::Call { call: 0, id: "a".into(), name: "add".into() },
            ChatDelta::Arguments { call: 0, delta: "{".into() },
            ChatDelta::Arguments { call: 0, delta: "}".into() },
            ChatDelta::Done { prompt_tokens: Some(3), reply_tokens: Some(2), stop },
        ]
    }

    fn whole(deltas: Vec<ChatDelta>) -> Value {
        let mut answer = Answer::default();
        for delta in deltas {
            assert!(!answer.is_whole());
            answer.add(delta);
        }
        assert!(answer.is_whole());
        serde_json::to_value(answer.whole(head())).expect("JSON")
    }

    #[test]
    fn a_whole_answer_has_what_was_said_and_called() {
        assert_eq!(
            whole(deltas(StopCause::End)),
            json!({
                "id": "chatcmpl-1", "object": "chat.completion", "created": 5, "model": "nano",
                "choices": [{"index": 0, "logprobs": null, "finish_reason": "tool_calls", "message": {
                    "role": "assistant", "content": "Wait.", "refusal": null,
                    "tool_calls": [{"id": "a", "type": "function", "function": {"name": "add", "arguments": "{}"}}],
                }}],
                "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
            })
        );
        let calls = whole(deltas(StopCause::Length).split_off(1));
        assert_eq!(calls["choices"][0]["message"]["content"], Value::Null);
        assert_eq!(calls["choices"][0]["finish_reason"], "length");
        let nothing = whole(vec![ChatDelta::Done { prompt_tokens: None, reply_tokens: None, stop: StopCause::End }]);
        assert_eq!(nothing["choices"][0]["message"], json!({"role": "assistant", "content": "", "refusal": null}));
        assert_eq!((nothing.get("usage"), &nothing["choices"][0]["finish_reason"]), (None, &json!("stop")));
    }

    #[test]
    fn chunks_tell_the_same_piece_by_piece() {
        let choice = |delta: Value, finish: Value| {
            json!({"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 5, "model": "nano", "usage": null,
                "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]})
        };
        let mut chunks = Chunks::new(head(), true);
        let mut told = vec![serde_json::to_value(chunks.first()).expect("JSON")];
        for delta in deltas(StopCause::End) {
            told.extend(chunks.next(delta).into_iter().map(|chunk| serde_json::to_value(chunk).expect("JSON")));
        }
        let arguments = |text: &str| json!({"tool_calls": [{"index": 0, "function": {"arguments": text}}]});
        let call = json!({"index": 0, "id": "a", "type": "function", "function": {"name": "add", "arguments": ""}});
        let mut expected = vec![
            choice(json!({"role": "assistant", "content": ""}), Value::Null),
            choice(json!({"content": "Wait."}), Value::Null),
            choice(json!({"tool_calls": [call]}), Value::Null),
            choice(arguments("{"), Value::Null),
            choice(arguments("}"), Value::Null),
            choice(json!({}), json!("tool_calls")),
            choice(json!({}), Value::Null),
        ];
        expected[6]["choices"] = json!([]);
        expected[6]["usage"] = json!({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5});
        assert_eq!(told, expected);
        let plain = serde_json::to_value(Chunks::new(head(), false).first()).expect("JSON");
        assert_eq!(plain.get("usage"), None);
    }
}
