use super::*;

fn read(body: Value) -> Result<ChatRequest, Refused> {
    request(serde_json::from_value(body).expect("its fields have the right types"))
}

fn with(field: &str, value: Value) -> Result<ChatRequest, Refused> {
    let mut body = json!({"model": "any", "messages": [{"role": "user", "content": "hello"}]});
    body[field] = value;
    read(body)
}

#[test]
fn a_whole_conversation_is_read() {
    let call = json!({"id": "a", "type": "function", "function": {"name": "add", "arguments": "{\"x\":1}"}});
    let read = read(json!({
        "model": "gpt-4o", "max_tokens": 9, "max_completion_tokens": 7, "temperature": 0.5, "user": "me", "seed": 1,
        "parallel_tool_calls": true, "response_format": {"type": "text"}, "stop": null, "n": 1,
        "messages": [
            {"role": "developer", "content": "Be kind."},
            {"role": "user", "name": "mia", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]},
            {"role": "assistant", "content": null, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "a", "content": "3"},
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "No."}]},
        ],
        "tools": [
            {"type": "function", "function": {"name": "add", "description": "Adds.", "strict": true,
                "parameters": {"type": "object", "properties": {"x": {"type": "number"}}}}},
            {"type": "function", "function": {"name": "tell"}},
        ],
        "tool_choice": {"type": "function", "function": {"name": "tell"}},
    }));
    let empty = json!({"type": "object", "properties": {}});
    let call = ToolCall { id: "a".into(), name: "add".into(), arguments: "{\"x\":1}".into() };
    let parameters = json!({"type": "object", "properties": {"x": {"type": "number"}}});
    let expected = ChatRequest {
        messages: vec![
            Message::new(Role::System, "Be kind."),
            Message::new(Role::User, "one\ntwo"),
            Message::calling("", vec![call]),
            Message::output("a", "3"),
            Message::new(Role::Assistant, "No."),
        ],
        max_tokens: Some(7),
        temperature: Some(0.5),
        tools: vec![
            Tool { name: "add".into(), description: "Adds.".into(), parameters },
            Tool { name: "tell".into(), description: String::new(), parameters: empty },
        ],
        tool_choice: ToolChoice::Named("tell".into()),
        session: None,
    };
    assert_eq!(format!("{:?}", read.expect("valid")), format!("{expected:?}"));
}

#[test]
fn what_cannot_be_done_is_refused_with_its_field() {
    let user = |content: Value| json!([{"role": "user", "content": content}]);
    let tool = |function: Value| json!([{"type": "function", "function": function}]);
    for (field, value, param) in [
        ("n", json!(2), "n"),
        ("n", json!(0), "n"),
        ("temperature", json!(2.1), "temperature"),
        ("temperature", json!(-1), "temperature"),
        ("max_tokens", json!(0), "max_tokens"),
        ("max_completion_tokens", json!(0), "max_completion_tokens"),
        ("response_format", json!({"type": "json_schema", "json_schema": {}}), "response_format"),
        ("response_format", json!({"type": "json_object"}), "response_format"),
        ("modalities", json!(["text", "audio"]), "modalities"),
        ("logprobs", json!(true), "logprobs"),
        ("functions", json!([{"name": "f"}]), "functions"),
        ("messages", json!([]), "messages"),
        ("messages", json!([{"role": "user"}]), "messages[0].content"),
        ("messages", json!([{"role": "assistant", "content": null}]), "messages[0].content"),
        ("messages", json!([{"role": "function", "content": "x"}]), "messages[0].role"),
        ("messages", json!([{"role": "tool", "content": "x"}]), "messages[0].tool_call_id"),
        ("messages", json!([{"role": "tool", "content": "x", "tool_call_id": "a"}]), "messages[0].tool_call_id"),
        ("messages", user(json!([{"type": "text"}])), "messages[0].content[0].text"),
        (
            "messages",
            user(json!([{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {"url": "data:"}}])),
            "messages[0].content[1].type",
        ),
        ("messages", user(json!([{"type": "input_audio", "input_audio": {}}])), "messages[0].content[0].type"),
        ("tools", json!([{"type": "custom", "custom": {"name": "f"}}]), "tools[0].type"),
        ("tools", json!([{"type": "function"}]), "tools[0].function"),
        ("tools", tool(json!({"name": ""})), "tools[0].function.name"),
        ("tools", tool(json!({"name": "f", "parameters": 5})), "tools[0].function.parameters"),
        ("tools", Value::Array(vec![json!({"type": "function", "function": {"name": "f"}}); 129]), "tools"),
        ("tool_choice", json!("any"), "tool_choice"),
        ("tool_choice", json!("required"), "tool_choice"),
        ("tool_choice", json!({"type": "allowed_tools"}), "tool_choice"),
        ("tool_choice", json!({"type": "function"}), "tool_choice.function.name"),
        ("tool_choice", json!({"type": "function", "function": {"name": "f"}}), "tool_choice.function.name"),
    ] {
        let refused = with(field, value.clone()).expect_err(param);
        assert_eq!(refused.param.as_deref(), Some(param), "{field}: {value}");
        assert_eq!(refused.status(), 400);
    }
    for choice in ["auto", "none"] {
        assert!(with("tool_choice", json!(choice)).is_ok());
    }
}
