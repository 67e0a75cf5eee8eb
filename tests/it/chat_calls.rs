//! Functions called by chat servers, in streams as such servers send them.

use std::collections::HashSet;

use aigolos::{
    engine::{
        ChatDelta, ChatModel, ChatRequest, EngineError, StopCause, Tool, ToolChoice,
        builtin::Assistant,
        ollama::{Ollama, OllamaSettings},
        openai_chat::{OpenAiChat, OpenAiSettings},
    },
    model::{Message, Role, ToolCall},
};
use serde_json::{Value, json};

use crate::{
    chat_ollama::collect,
    fake_ollama::{self as fake, FakeChat, Step},
};

const NDJSON: &str = "application/x-ndjson";
const SSE: &str = "text/event-stream";

pub fn weather() -> Tool {
    let parameters = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    Tool { name: "get_weather".into(), description: "The weather in a city.".into(), parameters }
}

fn request() -> ChatRequest {
    let messages = vec![Message::new(Role::User, "What is the weather in Paris?")];
    ChatRequest { messages, tools: vec![weather()], ..ChatRequest::default() }
}

/// What a reply came to.
#[derive(Debug, Default, PartialEq)]
struct Reply {
    text: String,
    /// Names and arguments.
    calls: Vec<(String, String)>,
    end: Option<Result<StopCause, EngineError>>,
}

fn reply(text: &str, calls: &[(&str, &str)], end: Result<StopCause, EngineError>) -> Reply {
    let calls = calls.iter().map(|(name, arguments)| ((*name).into(), (*arguments).into())).collect();
    Reply { text: text.into(), calls, end: Some(end) }
}

async fn ask(model: &impl ChatModel, request: ChatRequest) -> Reply {
    let (mut stream, mut reply, mut ids) = (model.reply(request), Reply::default(), HashSet::new());
    while let Some(delta) = stream.recv().await {
        assert_eq!(reply.end, None, "nothing comes after the end");
        match delta {
            Ok(ChatDelta::Text(text)) => reply.text.push_str(&text),
            Ok(ChatDelta::Call { call, id, name }) => {
                assert_eq!(call as usize, reply.calls.len());
                assert!(!id.is_empty() && ids.insert(id), "ids are unique");
                reply.calls.push((name, String::new()));
            }
            Ok(ChatDelta::Arguments { call, delta }) => reply.calls[call as usize].1.push_str(&delta),
            Ok(ChatDelta::Withdrawn) => reply.text.clear(),
            Ok(ChatDelta::Done { stop, .. }) => reply.end = Some(Ok(stop)),
            Err(error) => reply.end = Some(Err(error)),
        }
    }
    reply
}

fn ollama(server: &FakeChat) -> Ollama {
    Ollama::new(OllamaSettings { base_url: server.url(), ..OllamaSettings::default() }).expect("valid settings")
}

fn openai(server: &FakeChat) -> OpenAiChat {
    OpenAiChat::new(OpenAiSettings { base_url: server.url(), ..OpenAiSettings::default() }).expect("valid settings")
}

/// A line of Ollama's with one call.
fn call_line(name: &str, arguments: &Value) -> Vec<u8> {
    let line = json!({"model": fake::MODEL, "created_at": "2026-11-22T10:00:00.123Z", "message": {"role": "assistant",
        "content": "", "tool_calls": [{"function": {"name": name, "arguments": arguments}}]}, "done": false});
    format!("{line}\n").into_bytes()
}

/// Events of an OpenAI stream: each delta, a finish, the end.
fn events(deltas: &[Value], finish: &str) -> Vec<u8> {
    let chunk = |delta: &Value, finish: Value| {
        let choice = json!({"index": 0, "delta": delta, "finish_reason": finish});
        format!("data: {}\n\n", json!({"id": "c", "object": "chat.completion.chunk", "choices": [choice]}))
    };
    let mut text: String = deltas.iter().map(|delta| chunk(delta, Value::Null)).collect();
    text.push_str(&chunk(&json!({}), json!(finish)));
    text.push_str("data: [DONE]\n\n");
    text.into_bytes()
}

fn piece(index: u32, id: Option<&str>, name: Option<&str>, arguments: &str) -> Value {
    let mut call = json!({"index": index, "function": {"arguments": arguments}});
    if let Some(id) = id {
        call["id"] = json!(id);
    }
    if let Some(name) = name {
        call["function"]["name"] = json!(name);
    }
    json!({"tool_calls": [call]})
}

#[tokio::test]
async fn ollamas_calls_come_wherever_the_bytes_are_cut() {
    let mut bytes = fake::line("\n\n");
    bytes.extend(fake::line("Let me "));
    bytes.extend(fake::line("see."));
    bytes.extend(call_line("get_weather", &json!({"city": "Paris", "days": [1, 2]})));
    bytes.extend(call_line("get_weather", &json!({})));
    bytes.extend(fake::last_line());
    let server = FakeChat::ollama(move |n| match n {
        0 => fake::byte_by_byte(NDJSON, &bytes),
        _ => fake::streamed(NDJSON, &[&bytes]),
    })
    .await;
    let model = ollama(&server);
    let expected = reply(
        "Let me see.",
        &[("get_weather", r#"{"city":"Paris","days":[1,2]}"#), ("get_weather", "{}")],
        Ok(StopCause::End),
    );
    assert_eq!(ask(&model, request()).await, expected);
    assert_eq!(ask(&model, request()).await, expected);
    let body = &server.requests()[0].body;
    assert_eq!(body["tools"][0]["type"], "function");
    assert_eq!(body["tools"][0]["function"]["name"], "get_weather");
    assert_eq!(body["tools"][0]["function"]["parameters"]["required"], json!(["city"]));
}

#[tokio::test]
async fn a_reply_of_calls_alone_is_whole_and_is_not_asked_for_again() {
    let server = FakeChat::ollama(|n| match n {
        0 => fake::streamed(NDJSON, &[&call_line("get_weather", &json!({"city": "Paris"})), &fake::last_line()]),
        _ => vec![
            Step::Head(200, NDJSON),
            Step::Piece(call_line("get_weather", &json!({"city": "Paris"}))),
            Step::End, // cut off after a call
        ],
    })
    .await;
    let model = ollama(&server);
    let calls = [("get_weather", r#"{"city":"Paris"}"#)];
    assert_eq!(ask(&model, request()).await, reply("", &calls, Ok(StopCause::End)));
    let cut = ask(&model, request()).await;
    assert_eq!(cut.calls.len(), 1);
    assert!(cut.end.is_some_and(|end| end.is_err_and(|error| error.to_string().contains("cut off"))));
    assert_eq!(server.requests().len(), 2, "a call that was told is not told again");
}

#[tokio::test]
async fn the_whole_round_trip_is_told_to_ollama() {
    let server = FakeChat::ollama(|_| fake::streamed(NDJSON, &[&fake::ndjson(&["Sunny."])])).await;
    let call = ToolCall { id: "call_1".into(), name: "get_weather".into(), arguments: r#"{"city":"Paris"}"#.into() };
    let mut request = request();
    request.messages.push(Message::calling("", vec![call]));
    request.messages.push(Message::output("call_1", "sunny"));
    request.temperature = Some(0.5);
    assert_eq!(ask(&ollama(&server), request).await, reply("Sunny.", &[], Ok(StopCause::End)));
    let body = &server.requests()[0].body;
    assert_eq!(body["messages"][1]["tool_calls"][0]["function"]["arguments"], json!({"city": "Paris"}));
    assert_eq!(body["messages"][2]["role"], "tool");
    assert_eq!(body["messages"][2]["tool_name"], "get_weather");
    assert_eq!(body["options"]["temperature"], 0.5);
}

#[tokio::test]
async fn a_model_without_functions_answers_in_words_and_that_is_remembered() {
    let refusal = json!({"error": "registry.ollama.ai/library/gemma:2b does not support tools"});
    let server = FakeChat::ollama(move |n| match n {
        0 => fake::json_answer(400, &refusal),
        _ => fake::streamed(NDJSON, &[&fake::ndjson(&["Hi"])]),
    })
    .await;
    let model = ollama(&server);
    for _ in 0..2 {
        assert_eq!(ask(&model, request()).await, reply("Hi", &[], Ok(StopCause::End)));
    }
    let requests = server.requests();
    assert_eq!(requests.len(), 3, "it is remembered");
    assert!(requests[0].body.get("tools").is_some());
    assert!(requests[1..].iter().all(|request| request.body.get("tools").is_none()));
}

#[tokio::test]
async fn a_reply_that_was_too_long_says_so() {
    let server = FakeChat::ollama(|_| {
        let last = String::from_utf8(fake::last_line()).expect("JSON").replace("\"stop\"", "\"length\"");
        fake::streamed(NDJSON, &[&fake::line("Half a"), last.as_bytes()])
    })
    .await;
    assert_eq!(ask(&ollama(&server), request()).await, reply("Half a", &[], Ok(StopCause::Length)));
    let server =
        FakeChat::start(|_, _| fake::streamed(SSE, &[&events(&[json!({"content": "Half a"})], "length")])).await;
    assert_eq!(ask(&openai(&server), request()).await, reply("Half a", &[], Ok(StopCause::Length)));
}

#[tokio::test]
async fn calls_in_many_pieces_are_passed_on_wherever_the_events_are_cut() {
    let bytes = events(
        &[
            json!({"role": "assistant", "content": ""}),
            json!({"content": "Let me see."}),
            piece(0, Some("call_a"), Some("get_weather"), ""),
            piece(0, None, None, "{\"ci"),
            piece(0, None, None, "ty\":\"Па"),
            piece(0, None, None, "риж\"}"),
            piece(1, Some("call_b"), Some("get_weather"), "{}"),
        ],
        "tool_calls",
    );
    let server = FakeChat::start(move |_, n| match n {
        0 => fake::byte_by_byte(SSE, &bytes),
        _ => fake::streamed(SSE, &[&bytes]),
    })
    .await;
    let model = openai(&server);
    let calls = [("get_weather", r#"{"city":"Париж"}"#), ("get_weather", "{}")];
    for _ in 0..2 {
        assert_eq!(ask(&model, request()).await, reply("Let me see.", &calls, Ok(StopCause::End)));
    }
}

#[tokio::test]
async fn an_openai_server_without_functions_answers_in_words_and_that_is_remembered() {
    let messages = [
        "\"auto\" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set",
        "tools param requires --jinja flag",
    ];
    for (message, status) in messages.into_iter().zip([400, 500]) {
        let server = FakeChat::start(move |request, _| {
            if request.body.get("tools").is_some() {
                fake::json_answer(status, &json!({"error": {"message": message}}))
            } else {
                fake::streamed(SSE, &[&fake::sse(&["Hi"])])
            }
        })
        .await;
        let model = openai(&server);
        for _ in 0..2 {
            assert_eq!(ask(&model, request()).await, reply("Hi", &[], Ok(StopCause::End)));
        }
        let requests = server.requests();
        assert_eq!(requests.len(), 3, "it is remembered");
        assert!(requests[1].body.get("chat_template_kwargs").is_some(), "the other extras are still sent");
    }
}

#[tokio::test]
async fn a_model_that_calls_without_end_or_name_is_stopped() {
    let nameless = [json!({"tool_calls": [{"index": 0, "id": "x", "function": {"arguments": "{}"}}]})];
    let many: Vec<Value> = (0..33).map(|at| piece(at, None, Some("get_weather"), "{}")).collect();
    let mut long = vec![piece(0, Some("x"), Some("get_weather"), "")];
    long.extend((0..9).map(|_| piece(0, None, None, &"x".repeat(8 * 1024))));
    for (deltas, what) in [(&nameless[..], "without saying which"), (&many, "more than 32"), (&long, "65536 bytes")] {
        let bytes = events(deltas, "tool_calls");
        let server = FakeChat::start(move |_, _| fake::streamed(SSE, &[&bytes])).await;
        let error = ask(&openai(&server), request()).await.end.expect("an end").expect_err(what);
        assert_eq!(error.code(), "engine_failed");
        assert!(error.to_string().contains(what), "{error}");
        assert_eq!(server.requests().len(), 1);
    }
    let server = FakeChat::ollama(|_| {
        let line = b"{\"message\":{\"role\":\"assistant\",\"content\":\"\",\"tool_calls\":[{\"function\":{}}]}}\n";
        fake::streamed(NDJSON, &[line, &fake::last_line()])
    })
    .await;
    let error = ask(&ollama(&server), request()).await.end.expect("an end").expect_err("no name");
    assert_eq!(error.to_string(), "ollama failed: it called a function without saying which");
}

#[tokio::test]
async fn the_built_in_assistant_calls_and_tells_what_came_out() {
    let model = Assistant::default();
    let called = ask(&model, request()).await;
    assert_eq!(called, reply("", &[("get_weather", r#"{"city":"Paris"}"#)], Ok(StopCause::End)));
    let call = ToolCall { id: "a".into(), name: "get_weather".into(), arguments: called.calls[0].1.clone() };
    let mut told = request();
    told.messages.push(Message::calling("", vec![call]));
    told.messages.push(Message::output("a", r#"{"degrees": 21, "sky": "clear"}"#));
    assert_eq!(ask(&model, told.clone()).await, reply("The answer is 21, clear.", &[], Ok(StopCause::End)));
    let short = ChatRequest { max_tokens: Some(2), ..told };
    assert_eq!(ask(&model, short).await, reply("The answer ", &[], Ok(StopCause::Length)));
    let other = Message::new(Role::User, "What is two plus two?");
    let (text, _) = collect(model.reply(ChatRequest { messages: vec![other], ..request() })).await;
    assert!(text.contains("four"), "its own skills stay: {text}");
    let silent = ask(&model, ChatRequest { tool_choice: ToolChoice::None, ..request() }).await;
    assert!(silent.calls.is_empty() && !silent.text.is_empty());
}
