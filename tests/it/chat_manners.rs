//! What real models and their servers do besides answering: thinking aloud, ending in odd ways, filling their context.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use aigolos::{
    engine::{
        ChatDelta, ChatModel, ChatRequest, EngineError, StopCause,
        ollama::{Ollama, OllamaSettings},
        openai_chat::{OpenAiChat, OpenAiSettings},
    },
    model::{Message, Role},
};
use serde_json::{Value, json};

use crate::{
    chat_ollama::{DONE, request},
    fake_ollama::{self as fake, FakeChat, Step},
};

const SSE: &str = "text/event-stream";
const NDJSON: &str = "application/x-ndjson";

fn openai(server: &FakeChat) -> OpenAiChat {
    named(server, "some-model")
}

fn named(server: &FakeChat, model: &str) -> OpenAiChat {
    let settings = OpenAiSettings { base_url: server.url(), model: model.into(), ..OpenAiSettings::default() };
    OpenAiChat::new(settings).expect("valid settings")
}

fn ollama(server: &FakeChat) -> Ollama {
    Ollama::new(OllamaSettings { base_url: server.url(), ..OllamaSettings::default() }).expect("valid settings")
}

/// What was left of a reply, what of it was taken back, and how it ended.
#[derive(Debug, Default, PartialEq)]
struct Reply {
    text: String,
    withdrawn: Option<String>,
    end: Option<Result<ChatDelta, EngineError>>,
}

async fn reply_to(model: &dyn ChatModel, chat: ChatRequest) -> Reply {
    let mut stream = model.reply(chat);
    let mut reply = Reply::default();
    while let Some(delta) = stream.recv().await {
        assert_eq!(reply.end, None, "nothing comes after the end");
        match delta {
            Ok(ChatDelta::Text(text)) => reply.text.push_str(&text),
            Ok(ChatDelta::Withdrawn) => reply.withdrawn = Some(std::mem::take(&mut reply.text)),
            other => reply.end = Some(other),
        }
    }
    reply
}

async fn reply(model: &dyn ChatModel) -> Reply {
    reply_to(model, request()).await
}

fn heard(text: &str) -> Reply {
    Reply { text: text.into(), withdrawn: None, end: DONE }
}

fn event(choice: &Value) -> Vec<u8> {
    format!("data: {}\n\n", json!({"choices": [choice]})).into_bytes()
}

/// One event after the other, then the end.
fn events(events: &[Vec<u8>]) -> Vec<Step> {
    fake::streamed(SSE, &events.iter().map(Vec::as_slice).chain([b"data: [DONE]\n\n".as_slice()]).collect::<Vec<_>>())
}

#[expect(clippy::unnecessary_wraps, reason = "it is compared with what a stream gives")]
fn done(stop: StopCause) -> Option<Result<ChatDelta, EngineError>> {
    Some(Ok(ChatDelta::Done { prompt_tokens: None, reply_tokens: None, stop }))
}

#[tokio::test]
async fn thoughts_without_an_opening_tag_are_taken_back_once_and_held_back_ever_after() {
    const PIECES: [&str; 5] = ["Let me ", "think. 2 < 3", ".</th", "ink>\n\nHello", " there."];
    for dialect in [SSE, NDJSON] {
        let server = FakeChat::start(move |_, _| match dialect {
            SSE => fake::byte_by_byte(SSE, &fake::sse(&PIECES)),
            _ => fake::byte_by_byte(NDJSON, &fake::ndjson(&PIECES)),
        })
        .await;
        let (openai, ollama) = (openai(&server), ollama(&server));
        let model: &dyn ChatModel = if dialect == SSE { &openai } else { &ollama };
        let withdrawn = Some("Let me think. 2 < 3.".to_owned());
        assert_eq!(reply(model).await, Reply { withdrawn, ..heard("Hello there.") });
        for _ in 0..2 {
            assert_eq!(reply(model).await, heard("Hello there."), "nothing is passed on before the tag");
        }
    }
}

#[tokio::test]
async fn a_model_whose_name_or_template_says_that_it_thinks_is_not_heard_thinking() {
    const PIECES: [&str; 3] = ["Hm.", "</think>", "Hello there."];
    let server = FakeChat::start(|_, _| fake::streamed(SSE, &[&fake::sse(&PIECES)])).await;
    assert_eq!(reply(&named(&server, "deepseek-r1-distill-qwen-1.5b")).await, heard("Hello there."));

    let template = "{{ .Prompt }}<|Assistant|><think>\n";
    let server = FakeChat::start(move |request, _| match request.path.as_str() {
        "/api/show" => fake::json_answer(200, &json!({"template": template, "model_info": {}})),
        _ => fake::streamed(NDJSON, &[&fake::ndjson(if request.loads() { &[] } else { &PIECES })]),
    })
    .await;
    let model = ollama(&server);
    model.warm_up().await.expect("it loads");
    assert_eq!(reply(&model).await, heard("Hello there."));
}

#[tokio::test]
async fn a_model_that_only_looks_like_one_that_thinks_is_heard_to_its_end_then_as_it_speaks() {
    let (open, gate) = tokio::sync::watch::channel(true);
    let server = FakeChat::start(move |_, _| {
        let mut steps = vec![Step::Head(200, SSE), Step::Piece(event(&json!({"delta": {"content": "Hello."}})))];
        steps.extend([Step::Gate(gate.clone()), Step::Piece(b"data: [DONE]\n\n".to_vec()), Step::End]);
        steps
    })
    .await;
    let model = named(&server, "my-thinking-cap");
    assert_eq!(reply(&model).await, Reply { end: done(StopCause::End), ..heard("Hello.") });
    open.send_replace(false);
    let mut stream = model.reply(request());
    assert_eq!(stream.recv().await, Some(Ok(ChatDelta::Text("Hello.".into()))), "before the end");
}

#[tokio::test]
async fn thoughts_in_a_field_of_their_own_are_left_there() {
    for field in ["reasoning_content", "reasoning", "thinking"] {
        let server = FakeChat::start(move |_, _| {
            events(&[
                event(&json!({"delta": {field: "secret", "content": null}})),
                event(&json!({"delta": {field: "more", "content": ""}})),
                event(&json!({"delta": {"content": "Hello."}})),
            ])
        })
        .await;
        let expected = Reply { end: done(StopCause::End), ..heard("Hello.") };
        assert_eq!(reply(&named(&server, "qwq-32b")).await, expected, "{field}");
    }
}

#[tokio::test]
async fn a_model_that_only_thinks_is_an_error_that_says_why() {
    let server = FakeChat::start(|_, _| {
        events(&[
            event(&json!({"delta": {"content": "<think>Let me think about"}})),
            event(&json!({"delta": {}, "finish_reason": "length"})),
        ])
    })
    .await;
    let end = reply(&openai(&server)).await.end;
    let Some(Err(error)) = end else { panic!("{end:?}") };
    assert!(error.hint().contains("LLM_MAX_TOKENS"), "{}", error.hint());
    assert_eq!(server.requests().len(), 1, "it would only think again");
}

#[tokio::test]
async fn an_empty_answer_is_asked_for_once_more() {
    let empty = || events(&[event(&json!({"delta": {}, "finish_reason": "stop"}))]);
    let server =
        FakeChat::start(move |_, n| if n == 0 { empty() } else { fake::streamed(SSE, &[&fake::sse(&["Hi"])]) });
    let server = server.await;
    assert_eq!(reply(&openai(&server)).await, heard("Hi"));
    assert_eq!(server.requests().len(), 2);

    let server = FakeChat::start(move |_, _| empty()).await;
    let end = reply(&openai(&server)).await.end;
    let Some(Err(error)) = end else { panic!("{end:?}") };
    assert_eq!(
        (error.code(), error.to_string().as_str()),
        ("engine_failed", "openai failed: the model answered nothing")
    );
    assert_eq!(server.requests().len(), 2);

    let filter = || events(&[event(&json!({"delta": {}, "finish_reason": "content_filter"}))]);
    let server = FakeChat::start(move |_, _| filter()).await;
    let end = reply(&openai(&server)).await.end;
    assert!(end.is_some_and(|end| end.is_err_and(|error| error.to_string().contains("filter"))));
}

#[tokio::test]
async fn every_shape_of_an_answer_is_read() {
    let delta = |content: Value| event(&json!({"index": 0, "delta": {"content": content}}));
    let whole = |content: &str| json!({"choices": [{"message": {"role": "assistant", "content": content}, "finish_reason": "stop"}]});
    let pretty = serde_json::to_string_pretty(&whole("Hello there.")).expect("JSON");
    let cases: [(&str, Vec<u8>); 8] = [
        (
            "an object over two lines",
            b"data: {\"choices\":[{\"index\":0,\ndata: \"delta\":{\"content\":\"Hello there.\"}}]}\n\n".to_vec(),
        ),
        ("half an emoji in each of two", {
            let half = |half: &str| format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{half}\"}}}}]}}\n\n");
            (half("Hello \\ud83d") + &half("\\udc4d there.")).into_bytes()
        }),
        (
            "parts",
            delta(
                json!([{"type": "text", "text": "Hello "}, {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "there."}]),
            ),
        ),
        (
            "a message in place of a delta",
            event(&json!({"message": {"content": "Hello there."}, "finish_reason": "stop"})),
        ),
        ("no stream", whole("Hello there.").to_string().into_bytes()),
        ("no stream, over many lines", pretty.into_bytes()),
        ("a byte order mark", [b"\xef\xbb\xbf".to_vec(), delta(json!("Hello there."))].concat()),
        (
            "comments and names",
            [b": hm\n\nevent: ping\ndata: {}\n\nid: 7\nretry: 9\n".to_vec(), delta(json!("Hello there."))].concat(),
        ),
    ];
    for (what, bytes) in cases {
        let streams = bytes.windows(5).any(|window| window == b"data:");
        let bytes = if streams { [bytes, b"data: [DONE]\n\n".to_vec()].concat() } else { bytes };
        let length = bytes.len();
        let server = FakeChat::start(move |_, n| match n {
            0 => fake::byte_by_byte(SSE, &bytes),
            at => fake::cut_at(SSE, &bytes, at - 1),
        })
        .await;
        let model = openai(&server);
        let text = if what.starts_with("half") { "Hello 👍 there." } else { "Hello there." };
        for at in 0..=length + 1 {
            let expected = Reply { end: done(StopCause::End), ..heard(text) };
            assert_eq!(reply(&model).await, expected, "{what}, cut {at}");
        }
    }
}

#[tokio::test]
async fn half_a_character_in_ollamas_lines_is_joined_or_replaced() {
    let server = FakeChat::ollama(|_| {
        let line = |text: &str| format!("{{\"message\":{{\"content\":\"{text}\"}}}}\n").into_bytes();
        let lines = [line("Hi \\ud83d"), line("\\udc4d."), line(" \\udc4d"), fake::last_line()].concat();
        fake::byte_by_byte(NDJSON, &lines)
    })
    .await;
    assert_eq!(reply(&ollama(&server)).await, heard("Hi 👍. \u{fffd}"));
}

#[tokio::test]
async fn a_mark_of_the_template_ends_the_reply_and_the_request() {
    let server = FakeChat::start(|_, _| {
        let piece = |text: &str| Step::Piece(event(&json!({"delta": {"content": text}})));
        vec![Step::Head(200, SSE), piece("Hello there.<|im"), piece("_end|>\n<|im_start|>user\nMore"), Step::Hang]
    })
    .await;
    assert_eq!(reply(&openai(&server)).await, Reply { end: done(StopCause::End), ..heard("Hello there.") });
    server.hung_up(1).await;
}

fn long_talk() -> ChatRequest {
    let mut messages = vec![Message::new(Role::System, "Be kind.")];
    for turn in 0..40 {
        messages.push(Message::new(Role::User, format!("What do you say to sentence number {turn} of mine?")));
        messages.push(Message::new(Role::Assistant, format!("To sentence number {turn} I say that it is a good one.")));
    }
    messages.push(Message::new(Role::User, "And now?"));
    ChatRequest { messages, ..ChatRequest::default() }
}

#[tokio::test]
async fn a_conversation_longer_than_the_context_is_shortened_and_asked_once_more() {
    let refusals = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&refusals);
    let server = FakeChat::start(move |request, _| {
        let messages = request.body["messages"].as_array().map_or(0, Vec::len);
        if messages <= 70 {
            return fake::streamed(SSE, &[&fake::sse(&["Hi"])]);
        }
        count.fetch_add(1, Ordering::SeqCst);
        let message = "This model's maximum context length is 1400 tokens. However, you requested 2000 tokens.";
        fake::json_answer(400, &json!({"object": "error", "message": message, "code": 400}))
    })
    .await;
    let model = openai(&server);
    assert_eq!(reply_to(&model, long_talk()).await, heard("Hi"));
    let bodies: Vec<Value> = server.requests().into_iter().map(|request| request.body).collect();
    let messages = bodies[1]["messages"].as_array().expect("messages");
    assert_eq!((bodies.len(), &messages[0]["content"]), (2, &json!("Be kind.")));
    assert_eq!((&messages[1]["role"], &messages[messages.len() - 1]["content"]), (&json!("user"), &json!("And now?")));
    assert!(bodies[1].get("stream_options").is_some(), "it was no field that was refused");
    assert_eq!(model.tokens().window, Some(1400));
    // The window is known from then on.
    assert_eq!(reply_to(&model, long_talk()).await, heard("Hi"));
    assert_eq!(refusals.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_cannot_be_shortened_is_not_asked_for_ever() {
    let server = FakeChat::start(|_, _| {
        fake::json_answer(400, &json!({"error": {"message": "the request exceeds the available context size"}}))
    })
    .await;
    let end = reply_to(&openai(&server), long_talk()).await.end;
    let Some(Err(error)) = end else { panic!("{end:?}") };
    assert!(error.hint().contains("HISTORY_TOKENS"), "{}", error.hint());
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn the_window_is_learnt_where_the_server_tells_and_kept_to() {
    for entry in [
        json!({"id": "some-model", "max_model_len": 512}),
        json!({"id": "some-model", "meta": {"n_ctx_train": 512}}),
        json!({"id": "some-model", "max_context_length": 32768, "loaded_context_length": 512}),
    ] {
        let list = json!({"object": "list", "data": [{"id": "another", "max_model_len": 9999}, entry]});
        let server = FakeChat::start(move |request, _| match request.path.as_str() {
            "/v1/models" => fake::json_answer(200, &list),
            _ => fake::streamed(SSE, &[&fake::sse(&["Hi"])]),
        })
        .await;
        let model = openai(&server);
        model.warm_up().await.expect("it is there");
        assert_eq!(model.tokens().window, Some(512));
        assert_eq!(reply_to(&model, long_talk()).await, heard("Hi"));
        let sent = server.requests()[1].body["messages"].as_array().map_or(0, Vec::len);
        assert!((3..30).contains(&sent), "{sent} messages");
    }

    let server = FakeChat::start(|request, _| match request.path.as_str() {
        "/api/show" => {
            fake::json_answer(200, &json!({"model_info": {"llama.context_length": 2048, "llama.block_count": 30}}))
        }
        _ => fake::streamed(NDJSON, &[&fake::ndjson(&["Hi"])]),
    })
    .await;
    let model = ollama(&server);
    assert_eq!(model.tokens().window, Some(4096), "as it is asked to load it");
    model.warm_up().await.expect("it loads");
    assert_eq!(model.tokens().window, Some(2048));
}

#[tokio::test]
async fn the_servers_count_corrects_the_estimate() {
    let server = FakeChat::start(|_, _| {
        let usage = b"data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1800,\"completion_tokens\":1}}\n\n";
        events(&[event(&json!({"delta": {"content": "Hi"}})), usage.to_vec()])
    })
    .await;
    let model = openai(&server);
    assert!((model.tokens().per_estimated - 1.0).abs() < f32::EPSILON);
    reply_to(&model, long_talk()).await;
    let ratio = model.tokens().per_estimated;
    assert!((1.1..3.0).contains(&ratio), "{ratio}");
}
