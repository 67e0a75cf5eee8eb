//! An OpenAI-compatible chat server as the network really delivers it.

use std::time::Duration;

use aigolos::engine::{
    ChatDelta, ChatModel, EngineError,
    openai_chat::{OpenAiChat, OpenAiSettings},
};
use serde_json::json;

use crate::{
    chat_ollama::{DONE, collect, request},
    fake_ollama::{self as fake, FakeChat, Step},
};

const SSE: &str = "text/event-stream";
const PIECES: [&str; 4] = ["При", "вет! 👋🏽", "\nпять", " <think>hm</think>漢字."];
const TEXT: &str = "Привет! 👋🏽\nпять 漢字.";

fn settings(server: &FakeChat) -> OpenAiSettings {
    OpenAiSettings { base_url: server.url(), api_key: Some("sk-test".into()), ..OpenAiSettings::default() }
}

fn model(server: &FakeChat) -> OpenAiChat {
    OpenAiChat::new(settings(server)).expect("valid settings")
}

#[tokio::test]
async fn the_text_is_whole_wherever_the_events_are_cut() {
    let bytes = fake::sse(&PIECES);
    let length = bytes.len();
    let server = FakeChat::start(move |_, n| match n {
        0 => fake::byte_by_byte(SSE, &bytes),
        at => fake::cut_at(SSE, &bytes, at - 1),
    })
    .await;
    let model = model(&server);
    for at in 0..=length + 1 {
        assert_eq!(collect(model.reply(request())).await, (TEXT.to_owned(), DONE), "cut {at}");
    }
    let asked = &server.requests()[0];
    assert_eq!((asked.method.as_str(), asked.path.as_str()), ("POST", "/v1/chat/completions"));
    assert!(asked.headers.to_lowercase().contains("authorization: bearer sk-test"));
    assert_eq!(asked.body["stream"], true);
    assert_eq!(asked.body["chat_template_kwargs"]["enable_thinking"], false);
}

#[tokio::test]
async fn a_stream_that_ends_after_its_finish_needs_no_done() {
    let bytes = fake::sse(&["Hi"]);
    let end = bytes.len() - "data: [DONE]\n\n".len();
    let server = FakeChat::start(move |_, _| fake::streamed(SSE, &[&bytes[..end]])).await;
    assert_eq!(collect(model(&server).reply(request())).await, ("Hi".into(), DONE));
}

#[tokio::test]
async fn a_stream_cut_before_its_finish_is_an_error() {
    let bytes = fake::sse(&["Hi", " there"]);
    let server = FakeChat::start(move |_, _| fake::streamed(SSE, &[&bytes[..bytes.len() / 2]])).await;
    let (text, end) = collect(model(&server).reply(request())).await;
    assert!(text.starts_with("Hi"), "{text}");
    assert!(end.unwrap().unwrap_err().to_string().contains("cut off"));
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_server_that_knows_no_extras_gets_the_bare_request() {
    let server = FakeChat::start(|request, _| {
        if request.body.get("chat_template_kwargs").is_some() {
            let message = "Unrecognized request argument supplied: chat_template_kwargs";
            fake::json_answer(400, &json!({"error": {"message": message}}))
        } else {
            fake::streamed(SSE, &[&fake::sse(&["Hi"])])
        }
    })
    .await;
    let model = model(&server);
    for _ in 0..2 {
        assert_eq!(collect(model.reply(request())).await, ("Hi".into(), DONE));
    }
    assert_eq!(server.requests().len(), 3, "it is remembered");
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let cases = [
        (401, json!({"error": {"message": "bad key"}}), "engine_unreachable", "set LLM_API_KEY"),
        (404, json!({"error": {"message": "The model `x` does not exist."}}), "model_missing", "set LLM_MODEL_NAME"),
        (404, json!({"detail": "Not Found"}), "engine_unreachable", "set LLM_BASE_URL"),
        (429, json!({"error": "slow down"}), "overloaded", "try again"),
        (400, json!({"error": {"message": "context too long"}}), "engine_failed", "HISTORY_TOKENS"),
        (500, json!({"error": {"message": "out of memory"}}), "engine_failed", "log"),
    ];
    for (status, body, code, hint) in cases {
        let answer = body.clone();
        let server = FakeChat::start(move |_, _| fake::json_answer(status, &answer)).await;
        let (_, end) = collect(model(&server).reply(request())).await;
        let error = end.unwrap().unwrap_err();
        assert_eq!(error.code(), code, "{body}");
        assert!(error.hint().contains(hint), "{body}: {}", error.hint());
    }
}

#[tokio::test]
async fn an_error_event_ends_the_reply_with_its_words() {
    let server = FakeChat::start(|_, _| {
        let bytes = fake::sse(&["Half a "]);
        let half = bytes.windows(6).position(|window| window == b"\"stop\"").expect("a finish") / 2;
        let end = bytes[..half].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        fake::streamed(SSE, &[&bytes[..end], b"data: {\"error\":{\"message\":\"out of memory\"}}\n\n"])
    })
    .await;
    let (_, end) = collect(model(&server).reply(request())).await;
    assert_eq!(end.unwrap().unwrap_err().to_string(), "openai failed: out of memory");
}

#[tokio::test]
async fn silence_and_leaving_are_handled_as_with_ollama() {
    let server = FakeChat::start(|_, _| vec![Step::Head(200, SSE), Step::Piece(first_event()), Step::Hang]).await;
    let mut settings = settings(&server);
    settings.patience.stall = Duration::from_millis(200);
    let model = OpenAiChat::new(settings).unwrap();
    let stalled = EngineError::Stalled { engine: "openai", waited_ms: 200 };
    assert_eq!(collect(model.reply(request())).await, ("Hi".into(), Some(Err(stalled))));
    server.hung_up(1).await;
    let mut stream = model.reply(request());
    assert_eq!(stream.recv().await, Some(Ok(ChatDelta::Text("Hi".into()))));
    drop(stream);
    server.hung_up(2).await;
}

#[tokio::test]
async fn a_warm_up_tells_whether_the_server_is_there() {
    let server = FakeChat::start(|_, n| match n {
        0 => fake::json_answer(200, &json!({"object": "list", "data": []})),
        1 => fake::not_found(),
        _ => fake::json_answer(401, &json!({"error": "no"})),
    })
    .await;
    let model = model(&server);
    assert_eq!(model.warm_up().await, Ok(()));
    assert_eq!(model.warm_up().await, Ok(()), "not every server has the list");
    assert_eq!(model.warm_up().await.unwrap_err().code(), "engine_unreachable");
    assert!(model.info().hint.is_some());
    assert_eq!(server.requests()[0].path, "/v1/models");
}

fn first_event() -> Vec<u8> {
    b"data: {\"choices\":[{\"delta\":{\"content\":\"Hi\"}}]}\n\n".to_vec()
}
