//! `/v1/chat/completions`.

use std::sync::Arc;

use aigolos::engine::{ChatRequest, EngineError, Engines};
use futures::StreamExt;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};

use crate::{
    accounts::visitor::{Browser, Mailbox, server as accounts},
    harness::{PATIENCE, TestServer, bundled_engines},
    work::{client::post_json, fakes::HeldChat},
};

const PATH: &str = "/v1/chat/completions";

async fn send(server: &TestServer, body: &Value) -> reqwest::Response {
    let request = reqwest::Client::new().post(server.url(PATH)).header("content-type", "application/json");
    tokio::time::timeout(PATIENCE, request.body(body.to_string()).send()).await.expect("in time").expect("an answer")
}

/// The lines of data in a streamed answer.
async fn events(response: reqwest::Response) -> Vec<String> {
    assert_eq!(response.status(), 200);
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let text = tokio::time::timeout(PATIENCE, response.text()).await.expect("an end").expect("whole");
    text.lines().filter_map(|line| line.strip_prefix("data: ")).map(str::to_owned).collect()
}

/// The same as JSON, without the end, which must be there.
async fn chunks(response: reqwest::Response) -> Vec<Value> {
    let mut events = events(response).await;
    assert_eq!(events.pop().as_deref(), Some("[DONE]"));
    events.iter().map(|event| serde_json::from_str(event).expect("JSON")).collect()
}

fn delta(chunk: &Value) -> &Value {
    &chunk["choices"][0]["delta"]
}

fn say(content: &str) -> Value {
    json!({"model": "gpt-4o-mini", "messages": [{"role": "user", "content": content}]})
}

fn with(mut body: Value, more: &Value) -> Value {
    body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    body
}

/// A server whose chat model says a word for each permit, and then fails if it is told to.
struct Held {
    server: TestServer,
    permits: Arc<Semaphore>,
    asked: mpsc::UnboundedReceiver<ChatRequest>,
    _folder: tempfile::TempDir,
}

async fn held(words: &'static [&'static str], permits: usize, error: Option<EngineError>) -> Held {
    let (asked_of, asked) = mpsc::unbounded_channel();
    let permits = Arc::new(Semaphore::new(permits));
    let model = HeldChat { words, permits: permits.clone(), asked: asked_of, error };
    let engines = Engines { chat: Arc::new(model), ..bundled_engines().await };
    let folder = tempfile::tempdir().expect("a folder");
    let server = TestServer::start_with(folder.path(), &[], Some(engines)).await;
    Held { server, permits, asked, _folder: folder }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_the_same_whole_and_streamed() {
    let server = TestServer::start(&[]).await;
    let body = say("What is two plus two?");
    let (status, whole) = post_json(&server, PATH, &body).await;
    assert_eq!((status, &whole["object"], &whole["model"]), (200, &json!("chat.completion"), &json!("assistant")));
    let choice = &whole["choices"][0];
    let text = choice["message"]["content"].as_str().expect("text");
    assert!(text.contains("four"), "{whole}");
    assert_eq!((&choice["finish_reason"], &choice["message"]["role"]), (&json!("stop"), &json!("assistant")));
    let usage = &whole["usage"];
    assert_eq!(usage["prompt_tokens"], 5);
    assert!(usage["completion_tokens"].as_u64() > Some(0), "{usage}");

    let asked = with(body, &json!({"stream": true, "stream_options": {"include_usage": true}}));
    let chunks = chunks(send(&server, &asked).await).await;
    assert_eq!(delta(&chunks[0]), &json!({"role": "assistant", "content": ""}));
    let joined: String = chunks.iter().filter_map(|chunk| delta(chunk)["content"].as_str()).collect();
    assert_eq!(joined, text);
    let [.., finish, last] = chunks.as_slice() else { panic!("{chunks:#?}") };
    assert_eq!((&finish["choices"][0]["finish_reason"], &finish["usage"]), (&json!("stop"), &Value::Null));
    assert_eq!((&last["choices"], &last["usage"]), (&json!([]), usage));
    assert!(chunks.iter().all(|chunk| chunk["id"] == chunks[0]["id"] && chunk["object"] == "chat.completion.chunk"));

    let plain = chunks_without_usage(&server).await;
    assert!(plain.iter().all(|chunk| chunk.get("usage").is_none()), "{plain:#?}");
    let short = with(say("Tell me a story."), &json!({"max_completion_tokens": 2}));
    let (_, short) = post_json(&server, PATH, &short).await;
    assert_eq!(short["choices"][0]["finish_reason"], "length", "{short}");
    server.stop().await;
}

async fn chunks_without_usage(server: &TestServer) -> Vec<Value> {
    chunks(send(server, &with(say("Hello."), &json!({"stream": true}))).await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_is_called_and_what_came_out_is_told() {
    let server = TestServer::start(&[]).await;
    let parameters = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let tools = json!([{"type": "function", "function": {"name": "get_weather", "parameters": parameters}}]);
    let body = with(say("What is the weather in Paris?"), &json!({"tools": tools}));
    let (status, whole) = post_json(&server, PATH, &body).await;
    assert_eq!(status, 200, "{whole}");
    let choice = &whole["choices"][0];
    assert_eq!((&choice["finish_reason"], &choice["message"]["content"]), (&json!("tool_calls"), &Value::Null));
    let call = &choice["message"]["tool_calls"][0];
    assert_eq!((&call["type"], &call["function"]["name"]), (&json!("function"), &json!("get_weather")));
    assert_eq!(call["function"]["arguments"], r#"{"city":"Paris"}"#);

    let chunks = chunks(send(&server, &with(body.clone(), &json!({"stream": true}))).await).await;
    let pieces: Vec<&Value> =
        chunks.iter().map(|chunk| &delta(chunk)["tool_calls"][0]).filter(|call| call.is_object()).collect();
    assert_eq!((&pieces[0]["index"], &pieces[0]["function"]["name"]), (&json!(0), &json!("get_weather")));
    assert!(pieces[0]["id"].as_str().is_some_and(|id| id.starts_with("call_")));
    let arguments: String = pieces.iter().filter_map(|piece| piece["function"]["arguments"].as_str()).collect();
    assert_eq!(arguments, r#"{"city":"Paris"}"#);
    assert_eq!(chunks.last().expect("a chunk")["choices"][0]["finish_reason"], "tool_calls");

    let mut told = body.clone();
    let messages = told["messages"].as_array_mut().expect("messages");
    messages.push(choice["message"].clone());
    messages.push(json!({"role": "tool", "tool_call_id": call["id"], "content": "sunny"}));
    let (_, answer) = post_json(&server, PATH, &told).await;
    assert_eq!(answer["choices"][0]["message"]["content"], "The answer is sunny.", "{answer}");

    for (choice, finish) in [
        (json!("none"), "stop"),
        (json!("required"), "tool_calls"),
        (json!({"type": "function", "function": {"name": "get_weather"}}), "tool_calls"),
    ] {
        let body = with(say("Hello."), &json!({"tools": tools, "tool_choice": choice}));
        let (_, answer) = post_json(&server, PATH, &body).await;
        assert_eq!(answer["choices"][0]["finish_reason"], finish, "{choice}: {answer}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_model_is_asked_exactly_what_the_client_sent() {
    let mut held = held(&["Yes."], 1, None).await;
    let content = "ж".repeat(250_000); // far beyond what one may say aloud
    let body = with(say(&content), &json!({"temperature": 0.25, "max_tokens": 7}));
    let (status, answer) = post_json(&held.server, PATH, &body).await;
    assert_eq!((status, &answer["choices"][0]["message"]["content"]), (200, &json!("Yes.")));
    assert!(answer.get("usage").is_none(), "this model does not tell: {answer}");
    let asked = held.asked.recv().await.expect("asked");
    assert_eq!((asked.messages.len(), asked.messages[0].content.len()), (1, content.len()));
    assert_eq!((asked.temperature, asked.max_tokens, asked.session), (Some(0.25), Some(7), None));
    held.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_in_openais_words() {
    let server = TestServer::start(&[]).await;
    let image = json!([{"type": "image_url", "image_url": {"url": "data:,"}}]);
    for (body, status, param, code) in [
        (json!({"model": "m", "messages": []}), 400, json!("messages"), json!("invalid_value")),
        (with(say("hi"), &json!({"n": 2})), 400, json!("n"), json!("unsupported_value")),
        (
            json!({"messages": [{"role": "user", "content": image}]}),
            400,
            json!("messages[0].content[0].type"),
            json!("unsupported_value"),
        ),
        (json!({"model": "m"}), 400, json!("messages"), json!("missing_required_parameter")),
        (with(say("hi"), &json!({"max_tokens": -1})), 400, json!("max_tokens"), json!("invalid_value")),
        (
            json!({"messages": [{"role": "user", "content": 3}]}),
            400,
            json!("messages[0].content"),
            json!("invalid_value"),
        ),
        (json!("hello"), 400, Value::Null, Value::Null),
        (say(&"a".repeat(1024 * 1024)), 413, Value::Null, json!("too_large")),
    ] {
        let shown: String = body.to_string().chars().take(100).collect();
        let (got, answer) = post_json(&server, PATH, &body).await;
        let error = &answer["error"];
        assert_eq!((got, &error["param"], &error["code"]), (status, &param, &code), "{shown}: {answer}");
        assert_eq!(error["type"], "invalid_request_error");
        assert!(error["message"].as_str().is_some_and(|message| !message.is_empty()));
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_must_be_made_for_it() {
    let server = accounts(&[]).await;
    let mut mailbox = Mailbox::of(&server);
    let mut browser = Browser::join(&server, &mut mailbox, "mia@example.org").await;
    let mut ask = async |scope: &str| {
        let made = browser.post("/api/keys/", json!({"name": scope, "scopes": [scope]})).await.expect(201);
        let key = made.body["secret"].as_str().expect("shown once").to_owned();
        let request = reqwest::Client::new().post(server.url(PATH)).bearer_auth(key);
        let request = request.header("content-type", "application/json").body(say("Hello.").to_string());
        let response = request.send().await.expect("an answer");
        let status = response.status().as_u16();
        let body: Value = serde_json::from_str(&response.text().await.expect("a body")).expect("JSON");
        (status, body["error"]["code"].clone())
    };
    assert_eq!(ask("llm").await, (200, Value::Null));
    assert_eq!(ask("asr").await, (403, json!("insufficient_permissions")));
    let (status, body) = post_json(&server, PATH, &say("Hello.")).await;
    assert_eq!((status, &body["error"]["code"]), (401, &json!("invalid_api_key")));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_fails_is_told_by_status_or_in_the_stream() {
    let unreachable = EngineError::Unreachable { engine: "held", reason: "refused".into(), hint: "start it".into() };
    for (error, status, code) in [
        (EngineError::Overloaded { retry_after_ms: 1500 }, 503, "overloaded"),
        (unreachable, 502, "engine_unreachable"),
        (EngineError::Stalled { engine: "held", waited_ms: 7 }, 504, "engine_stalled"),
    ] {
        let held = held(&[], 0, Some(error.clone())).await;
        for stream in [false, true] {
            let response = send(&held.server, &with(say("Count."), &json!({"stream": stream}))).await;
            assert_eq!(response.status(), status);
            let wait = response.headers().get("retry-after").map(|wait| wait.to_str().expect("text").to_owned());
            assert_eq!(wait.as_deref(), (status == 503).then_some("2"));
            let body: Value = serde_json::from_str(&response.text().await.expect("a body")).expect("JSON");
            assert_eq!((&body["error"]["code"], &body["error"]["type"]), (&json!(code), &json!("server_error")));
        }
        held.server.stop().await;
    }
    let stalled = EngineError::Stalled { engine: "held", waited_ms: 7 };
    let held = held(&["One ", "two."], 1_000, Some(stalled)).await;
    let events = events(send(&held.server, &with(say("Count."), &json!({"stream": true}))).await).await;
    let last: Value = serde_json::from_str(events.last().expect("an end")).expect("JSON, not [DONE]");
    assert_eq!(last["error"]["code"], "engine_stalled", "{events:#?}");
    assert_eq!(events.len(), 4);
    let (status, _) = post_json(&held.server, PATH, &say("Count.")).await;
    assert_eq!(status, 504, "nothing of a whole answer had been sent");
    held.server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_goes_away_ends_the_models_work() {
    let mut held = held(&["One ", "two."], 1, None).await;
    // The model, the test, and each reply under way.
    let idle = Arc::strong_count(&held.permits);
    let body = with(say("Count."), &json!({"stream": true}));
    let mut bytes = send(&held.server, &body).await.bytes_stream();
    let first = tokio::time::timeout(PATIENCE, bytes.next()).await.expect("in time");
    assert!(first.is_some_and(|piece| piece.is_ok()));
    drop(bytes); // and its connection
    ended(&held.permits, idle).await;

    let server = held.server.url(PATH);
    let asking = tokio::spawn(async move {
        let request = reqwest::Client::new().post(server).header("content-type", "application/json");
        request.body(say("Count.").to_string()).send().await.map(|_| ())
    });
    for _ in 0..2 {
        tokio::time::timeout(PATIENCE, held.asked.recv()).await.expect("in time").expect("asked");
    }
    asking.abort();
    ended(&held.permits, idle).await;
    held.server.stop().await;
}

/// Waits until no reply holds on to the permits.
async fn ended(permits: &Arc<Semaphore>, idle: usize) {
    let over = async {
        while Arc::strong_count(permits) > idle {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, over).await.expect("the model's work ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_stops_says_so_in_the_stream() {
    let held = held(&["One ", "two."], 1, None).await;
    let response = send(&held.server, &with(say("Count."), &json!({"stream": true}))).await;
    let (events, ()) = tokio::join!(events(response), held.server.stop());
    let last: Value = serde_json::from_str(events.last().expect("an end")).expect("JSON, not [DONE]");
    assert_eq!(last["error"]["code"], "shutting_down", "{events:#?}");
}
