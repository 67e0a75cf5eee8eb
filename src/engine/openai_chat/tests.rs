use super::{wire::alternating, *};
use crate::{
    engine::{StopCause, Tool, calls::Piece},
    model::{Message, Role, ToolCall},
};

fn server(base_url: &str) -> OpenAiChat {
    let settings =
        OpenAiSettings { base_url: base_url.into(), api_key: Some("sk-secret".into()), ..OpenAiSettings::default() };
    OpenAiChat::new(settings).expect("valid settings")
}

fn decoded(lines: &[&str]) -> Result<Told, BadLine> {
    let mut told = Told::default();
    for line in lines {
        server("http://localhost:8000").0.decode(line, &mut told)?;
    }
    Ok(told)
}

#[test]
fn the_address_may_end_in_v1_or_not() {
    for (base, expected) in [
        ("http://localhost:8000", "/v1/chat/completions"),
        ("http://localhost:8000/v1", "/v1/chat/completions"),
        ("http://localhost:8000/v1/", "/v1/chat/completions"),
        ("https://host/api/openai", "/api/openai/chat/completions"),
    ] {
        let request = server(base).0.request(&ChatRequest::default()).build().unwrap();
        assert_eq!(request.url().path(), expected, "{base}");
        assert_eq!(request.headers()["authorization"], "Bearer sk-secret");
    }
    let missing = OpenAiChat::new(OpenAiSettings { base_url: String::new(), ..OpenAiSettings::default() }).err();
    assert_eq!(missing, Some(ChatSettingsError::NoAddress));
}

#[test]
fn the_key_shows_nowhere() {
    let settings = OpenAiSettings {
        base_url: "http://me:pass@host".into(),
        api_key: Some("sk-secret".into()),
        ..OpenAiSettings::default()
    };
    let shown = format!("{settings:?}");
    assert!(!shown.contains("sk-secret") && !shown.contains("pass"), "{shown}");
}

#[test]
fn events_are_read_in_the_dialects_of_many_servers() {
    let told = decoded(&[
        ": keep-alive",
        "event: message",
        r#"data: {"id":"1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":null},"finish_reason":null}]}"#,
        r#"data:{"choices":[{"index":0,"delta":{"reasoning_content":"hm","content":""}}]}"#,
        r#"data: {"choices":[{"delta":{"content":"При"}}]}"#,
        r#"data: {"choices":[{"index":0,"delta":{"content":"вет"},"finish_reason":"stop"}],"usage":null}"#,
        r#"data: {"choices":[],"usage":{"prompt_tokens":7,"completion_tokens":2,"total_tokens":9}}"#,
        "",
        "data: [DONE]",
    ])
    .unwrap();
    assert_eq!(told.text, "Привет");
    assert!(told.finished && told.done);
    assert_eq!((told.prompt_tokens, told.reply_tokens), (Some(7), Some(2)));
}

#[test]
fn errors_in_the_stream_keep_their_words() {
    for line in [
        r#"data: {"error":{"message":"out of memory","code":500}}"#,
        r#"data: {"error":"out of memory"}"#,
        r#"data: {"object":"error","message":"out of memory"}"#,
        r#"{"error":{"message":"out of memory"}}"#,
    ] {
        assert_eq!(decoded(&[line]).unwrap_err(), BadLine::Error("out of memory".into()), "{line}");
    }
    assert!(matches!(decoded(&["data: {not json"]), Err(BadLine::Unreadable(_))));
}

#[test]
fn roles_alternate_even_where_a_reply_was_never_heard() {
    let messages = [
        Message::new(Role::System, "Be kind."),
        Message::new(Role::Assistant, "Welcome back."),
        Message::new(Role::User, "one"),
        Message::new(Role::User, "two"),
        Message::new(Role::Assistant, "Three."),
    ];
    let sent = Value::Array(alternating(&messages, true));
    assert_eq!(
        sent,
        json!([
            {"role": "system", "content": "Be kind."},
            {"role": "user", "content": "…"},
            {"role": "assistant", "content": "Welcome back."},
            {"role": "user", "content": "one\ntwo"},
            {"role": "assistant", "content": "Three."},
        ])
    );
}

fn called(id: &str) -> ToolCall {
    ToolCall { id: id.into(), name: "add".into(), arguments: r#"{"x":1}"#.into() }
}

#[test]
fn calls_and_what_came_out_stay_together() {
    let messages = [
        Message::new(Role::User, "one and two"),
        Message::new(Role::Assistant, "Wait."),
        Message::calling("", vec![called("a"), called("b")]),
        Message::output("a", "3"),
        Message::output("b", "4"),
        Message::new(Role::User, "and"),
        Message::new(Role::User, "now?"),
    ];
    let sent = |id: &str| json!({"id": id, "type": "function", "function": {"name": "add", "arguments": "{\"x\":1}"}});
    assert_eq!(
        Value::Array(alternating(&messages, true)),
        json!([
            {"role": "user", "content": "one and two"},
            {"role": "assistant", "content": "Wait.", "tool_calls": [sent("a"), sent("b")]},
            {"role": "tool", "content": "3", "tool_call_id": "a"},
            {"role": "tool", "content": "4", "tool_call_id": "b"},
            {"role": "user", "content": "and\nnow?"},
        ])
    );
    assert_eq!(
        Value::Array(alternating(&messages, false)),
        json!([
            {"role": "user", "content": "one and two"},
            {"role": "assistant", "content": "Wait."},
            {"role": "user", "content": "3\n4\nand\nnow?"},
        ])
    );
}

#[test]
fn functions_and_the_choice_among_them_are_sent() {
    let tool = Tool { name: "add".into(), description: "Adds.".into(), parameters: json!({"type": "object"}) };
    let body = |tool_choice: ToolChoice| {
        let chat =
            ChatRequest { tools: vec![tool.clone()], tool_choice, temperature: Some(0.5), ..ChatRequest::default() };
        let request = server("http://localhost:8000").0.request(&chat).build().unwrap();
        serde_json::from_slice::<Value>(request.body().unwrap().as_bytes().unwrap()).unwrap()
    };
    let function = json!({"name": "add", "description": "Adds.", "parameters": {"type": "object"}});
    let auto = body(ToolChoice::Auto);
    assert_eq!(auto["tools"], json!([{"type": "function", "function": function}]));
    assert_eq!((auto.get("tool_choice"), &auto["temperature"]), (None, &json!(0.5)));
    assert_eq!(body(ToolChoice::None)["tool_choice"], "none");
    assert_eq!(body(ToolChoice::Required)["tool_choice"], "required");
    let named = body(ToolChoice::Named("add".into()));
    assert_eq!(named["tool_choice"], json!({"type": "function", "function": {"name": "add"}}));
}

#[test]
fn pieces_of_calls_are_read_in_the_dialects_of_many_servers() {
    let told = decoded(&[
        r#"data: {"choices":[{"index":0,"delta":{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"x","type":"function","function":{"name":"add","arguments":""}}]}}]}"#,
        r#"data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{}"}}]}}]}"#,
        r#"data: {"choices":[{"delta":{"tool_calls":[{"function":{"name":"add","arguments":{"x":1}}}]}}]}"#,
        r#"data: {"choices":[{"delta":{"tool_calls":null},"finish_reason":"length"}]}"#,
    ])
    .unwrap();
    let piece = |index, id: Option<&str>, name: Option<&str>, arguments: &str| Piece {
        index,
        id: id.map(str::to_owned),
        name: name.map(str::to_owned),
        arguments: arguments.into(),
        whole: false,
    };
    let expected = [
        piece(Some(0), Some("x"), Some("add"), ""),
        piece(Some(0), None, None, "{}"),
        piece(None, None, Some("add"), r#"{"x":1}"#),
    ];
    assert_eq!((told.calls.as_slice(), told.stop, told.finished), (&expected[..], StopCause::Length, true));
    assert!(decoded(&[r#"data: {"choices":[{"delta":{"tool_calls":[{}]}}]}"#]).is_ok(), "empty, but harmless");
}
