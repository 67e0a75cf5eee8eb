//! Ollama as the network really delivers it: cut anywhere, slow, broken, absent.

use std::time::Duration;

use aigolos::{
    engine::{
        ChatDelta, ChatModel, ChatRequest, ChatStream, EngineError,
        chat::{ChatBackend, ChatSettings, Patience, choose},
        ollama::{Found, Ollama, OllamaSettings},
    },
    model::{Message, Role},
};
use serde_json::json;

use crate::fake_ollama::{self as fake, FakeChat, MODEL, Step};

const NDJSON: &str = "application/x-ndjson";
const PIECES: [&str; 6] = ["При", "вет", ", мир! ", "👋🏽 It is \"ten\"", "\nпять", " ۱۲."];
const TEXT: &str = "Привет, мир! 👋🏽 It is \"ten\"\nпять ۱۲.";

fn settings(url: &str) -> OllamaSettings {
    let patience = Patience {
        connect: Duration::from_secs(5),
        first_token: Duration::from_secs(20),
        stall: Duration::from_secs(20),
    };
    OllamaSettings { base_url: url.into(), patience, ..OllamaSettings::default() }
}

fn ollama(server: &FakeChat) -> Ollama {
    Ollama::new(settings(&server.url())).expect("valid settings")
}

pub fn request() -> ChatRequest {
    ChatRequest { messages: vec![Message::new(Role::User, "Привет")], ..ChatRequest::default() }
}

/// The whole stream: its text, and how it ended (`None`: without an end).
pub async fn collect(mut stream: ChatStream) -> (String, Option<Result<ChatDelta, EngineError>>) {
    let mut text = String::new();
    let mut end = None;
    while let Some(delta) = stream.recv().await {
        assert_eq!(end, None, "nothing comes after the end");
        match delta {
            Ok(ChatDelta::Text(piece)) => text.push_str(&piece),
            other => end = Some(other),
        }
    }
    (text, end)
}

pub const DONE: Option<Result<ChatDelta, EngineError>> = Some(Ok(ChatDelta::Done {
    prompt_tokens: Some(26),
    reply_tokens: Some(29),
    stop: aigolos::engine::StopCause::End,
}));

#[tokio::test]
async fn the_text_is_whole_wherever_the_bytes_are_cut() {
    let bytes = fake::ndjson(&PIECES);
    let length = bytes.len();
    let server = FakeChat::ollama(move |n| match n {
        0 => fake::byte_by_byte(NDJSON, &bytes),
        at => fake::cut_at(NDJSON, &bytes, at - 1),
    })
    .await;
    let model = ollama(&server);
    for at in 0..=length + 1 {
        assert_eq!(collect(model.reply(request())).await, (TEXT.to_owned(), DONE), "cut {at}");
    }
}

#[tokio::test]
async fn the_request_says_what_ollama_needs_to_know() {
    let server = FakeChat::ollama(|_| fake::streamed(NDJSON, &[&fake::ndjson(&["Hi"])])).await;
    let chat = ChatRequest { max_tokens: Some(7), ..request() };
    collect(ollama(&server).reply(chat)).await;
    let body = &server.requests()[0].body;
    assert_eq!(body["model"], MODEL);
    assert_eq!(body["stream"], true);
    assert_eq!(body["think"], false);
    assert_eq!(body["keep_alive"], "30m");
    assert_eq!(body["options"]["num_predict"], 7);
    assert_eq!(body["messages"][0]["role"], "user");
    assert_eq!(body["messages"][0]["content"], "Привет");
}

#[tokio::test]
async fn thoughts_are_not_spoken() {
    let pieces = ["<th", "ink>\nHm, ", "две <b>", "</thi", "nk>", "\n\nДа", "."];
    let server = FakeChat::ollama(move |_| fake::byte_by_byte(NDJSON, &fake::ndjson(&pieces))).await;
    assert_eq!(collect(ollama(&server).reply(request())).await, ("Да.".into(), DONE));
}

#[tokio::test]
async fn a_server_that_will_not_hear_of_thinking_is_asked_without() {
    let server = FakeChat::ollama(|n| match n {
        0 => fake::json_answer(400, &json!({"error": "\"x\" does not support thinking"})),
        _ => fake::streamed(NDJSON, &[&fake::ndjson(&["Hi"])]),
    })
    .await;
    assert_eq!(collect(ollama(&server).reply(request())).await, ("Hi".into(), DONE));
    assert!(server.requests()[1].body.get("think").is_none());
}

#[tokio::test]
async fn a_missing_model_is_an_error_that_says_how_to_get_it() {
    let server = FakeChat::ollama(|_| fake::model_missing()).await;
    let (text, end) = collect(ollama(&server).reply(request())).await;
    let Some(Err(error)) = end else { panic!("{end:?}") };
    assert_eq!((text.as_str(), error.code()), ("", "model_missing"));
    assert!(error.hint().contains("aigolos models pull ollama:qwen2.5:7b"), "{}", error.hint());
    assert_eq!(server.requests().len(), 1, "asking again would not help");
}

#[tokio::test]
async fn an_error_in_the_middle_of_the_stream_is_told() {
    let server = FakeChat::ollama(|_| {
        let error = b"{\"error\":\"llama runner process has terminated\"}\n";
        fake::streamed(NDJSON, &[&fake::line("Half a "), &error[..10], &error[10..]])
    })
    .await;
    let (text, end) = collect(ollama(&server).reply(request())).await;
    assert_eq!(text, "Half a ");
    assert_eq!(end.unwrap().unwrap_err().to_string(), "ollama failed: llama runner process has terminated");
    assert_eq!(server.requests().len(), 1, "a reply that has begun is not begun again");
}

#[tokio::test]
async fn a_connection_lost_in_the_middle_is_an_error_not_an_end() {
    for orderly in [false, true] {
        let server = FakeChat::ollama(move |_| {
            let mut steps = vec![Step::Head(200, NDJSON), Step::Piece(fake::line("Half a "))];
            steps.extend(orderly.then_some(Step::End));
            steps
        })
        .await;
        let (text, end) = collect(ollama(&server).reply(request())).await;
        assert_eq!(text, "Half a ");
        let error = end.unwrap().unwrap_err();
        assert_eq!(error.code(), "engine_failed");
        assert!(error.to_string().contains("cut off"), "{error}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[tokio::test]
async fn before_the_first_word_it_is_tried_again() {
    let server = FakeChat::ollama(|n| match n {
        0 => vec![], // closes without an answer
        1 => vec![Step::Head(200, NDJSON), Step::Piece(fake::line("Half a ")[..40].to_vec()), Step::End],
        3 => fake::json_answer(500, &json!({"error": "llama runner process has terminated"})),
        _ => fake::streamed(NDJSON, &[&fake::ndjson(&PIECES)]),
    })
    .await;
    let model = ollama(&server);
    assert_eq!(collect(model.reply(request())).await, (TEXT.to_owned(), DONE));
    assert_eq!(server.requests().len(), 3);
    assert_eq!(collect(model.reply(request())).await, (TEXT.to_owned(), DONE));
    assert_eq!(server.requests().len(), 5);
}

#[tokio::test]
async fn it_is_not_tried_for_ever() {
    let server = FakeChat::ollama(|_| fake::json_answer(500, &json!({"error": "out of memory"}))).await;
    let (_, end) = collect(ollama(&server).reply(request())).await;
    assert_eq!(end.unwrap().unwrap_err().to_string(), "ollama failed: out of memory");
    assert_eq!(server.requests().len(), 3);
}

#[tokio::test]
async fn a_busy_server_says_when_to_come_back() {
    let server = FakeChat::ollama(|_| fake::json_answer(503, &json!({"error": "server busy"}))).await;
    let (_, end) = collect(ollama(&server).reply(request())).await;
    assert_eq!(end.unwrap().unwrap_err().code(), "overloaded");
}

#[tokio::test]
async fn silence_becomes_an_error_with_its_length() {
    let server = FakeChat::ollama(|n| match n {
        0 => vec![Step::Hang],
        1 => vec![Step::Head(200, NDJSON), Step::Hang],
        _ => vec![Step::Head(200, NDJSON), Step::Piece(fake::line("Half a ")), Step::Hang],
    })
    .await;
    let expected = [("", 300), ("", 300), ("Half a ", 200)];
    for (n, (text, waited_ms)) in expected.into_iter().enumerate() {
        let mut settings = settings(&server.url());
        let patience = &mut settings.patience;
        let waits = if text.is_empty() { &mut patience.first_token } else { &mut patience.stall };
        *waits = Duration::from_millis(waited_ms);
        let end = Some(Err(EngineError::Stalled { engine: "ollama", waited_ms }));
        let model = Ollama::new(settings).unwrap();
        assert_eq!(collect(model.reply(request())).await, (text.to_owned(), end));
        server.hung_up(n + 1).await;
    }
}

#[tokio::test]
async fn dropping_the_stream_ends_the_request() {
    let server = FakeChat::ollama(|n| match n {
        0 => vec![Step::Head(200, NDJSON), Step::Piece(fake::line("Half a ")), Step::Hang],
        _ => vec![Step::Hang],
    })
    .await;
    let model = ollama(&server);
    let mut stream = model.reply(request());
    assert_eq!(stream.recv().await, Some(Ok(ChatDelta::Text("Half a ".into()))));
    drop(stream);
    server.hung_up(1).await;
    // The same while nothing has come yet: as soon as the request has arrived, the listener leaves.
    let stream = model.reply(request());
    while server.requests().len() < 2 {
        tokio::task::yield_now().await;
    }
    drop(stream);
    server.hung_up(2).await;
}

#[tokio::test]
async fn nobody_at_the_address_is_an_error_that_says_so() {
    let address = FakeChat::start(|_, _| vec![]).await.address; // dropped: nobody listens any more
    let model = Ollama::new(settings(&format!("http://user:secret@{address}"))).unwrap();
    let (_, end) = collect(model.reply(request())).await;
    let error = end.unwrap().unwrap_err();
    assert_eq!(error.code(), "engine_unreachable");
    assert!(error.hint().contains("ollama serve"), "{}", error.hint());
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
    assert!(model.info().hint.is_some_and(|hint| hint.contains("cannot be reached")));
}

#[tokio::test]
async fn something_else_at_the_address_is_named() {
    let server = FakeChat::start(|_, _| fake::not_found()).await;
    let (_, end) = collect(ollama(&server).reply(request())).await;
    let error = end.unwrap().unwrap_err();
    assert_eq!(error.code(), "engine_unreachable");
    assert!(error.to_string().contains("is not Ollama"), "{error}");
}

#[tokio::test]
async fn an_endless_line_is_refused() {
    let server = FakeChat::ollama(|_| {
        let mut steps = vec![Step::Head(200, NDJSON)];
        steps.extend(std::iter::repeat_n(Step::Piece(vec![b'x'; 64 * 1024]), 8));
        steps.push(Step::Hang);
        steps
    })
    .await;
    let (_, end) = collect(ollama(&server).reply(request())).await;
    assert!(end.unwrap().unwrap_err().to_string().contains("too long"));
}

#[tokio::test]
async fn a_warm_up_loads_the_model_once_for_everybody() {
    let server = FakeChat::ollama(|_| fake::streamed(NDJSON, &[&fake::ndjson(&["Hi"])])).await;
    let model = ollama(&server);
    let warm_ups: Vec<_> = (0..20).map(|_| model.warm_up()).collect();
    assert!(futures::future::join_all(warm_ups).await.iter().all(Result::is_ok));
    model.warm_up().await.unwrap();
    let requests = server.requests();
    let paths: Vec<&str> = requests.iter().map(|request| request.path.as_str()).collect();
    assert_eq!(paths, ["/api/chat", "/api/show"], "loaded once, and looked up once");
    assert!(requests[0].loads());
    assert_eq!(requests[0].body["keep_alive"], "30m");
    assert_eq!(requests[0].body["options"]["num_ctx"], 4096, "another window would load it again for the reply");
}

#[tokio::test]
async fn a_warm_up_without_the_model_says_how_to_get_it() {
    let server = FakeChat::start(|_, _| fake::model_missing()).await;
    let model = ollama(&server);
    let warm_ups: Vec<_> = (0..20).map(|_| model.warm_up()).collect();
    for outcome in futures::future::join_all(warm_ups).await {
        assert!(outcome.unwrap_err().hint().contains("ollama pull qwen2.5:7b"));
    }
    assert_eq!(server.requests().len(), 1);
    assert!(model.info().hint.is_some_and(|hint| hint.contains("ollama pull qwen2.5:7b")));
}

#[tokio::test]
async fn auto_takes_ollama_only_with_its_model_and_says_why_not() {
    let chosen = async |url: String, backend: ChatBackend| {
        let settings =
            ChatSettings { backend, ollama: settings(&url), probe: Duration::from_secs(10), ..ChatSettings::default() };
        choose(&settings).await.expect("valid settings").info()
    };
    let ready = FakeChat::ollama(|_| vec![]).await;
    let info = chosen(ready.url(), ChatBackend::Auto).await;
    assert_eq!((info.engine.as_str(), info.model.as_str(), info.demo, info.hint), ("ollama", MODEL, false, None));

    let without = FakeChat::start(|_, _| fake::tags(&["llama3.2:3b"])).await;
    let info = chosen(without.url(), ChatBackend::Auto).await;
    assert_eq!((info.engine.as_str(), info.demo), ("builtin", true));
    let hint = info.hint.unwrap();
    assert!(hint.contains("ollama pull qwen2.5:7b") && hint.contains("llama3.2:3b"), "{hint}");
    let info = chosen(without.url(), ChatBackend::Ollama).await;
    assert_eq!(info.engine, "ollama", "an explicit choice stands");
    assert!(info.hint.unwrap().contains("ollama pull"));

    let gone = FakeChat::start(|_, _| vec![]).await.address;
    let info = chosen(format!("http://{gone}"), ChatBackend::Auto).await;
    assert_eq!(info.engine, "builtin");
    assert!(info.hint.unwrap().contains(&format!("no Ollama at {gone}")));
    assert_eq!(chosen(format!("http://{gone}"), ChatBackend::Ollama).await.engine, "ollama");
}

#[tokio::test]
async fn a_server_that_does_not_answer_delays_the_start_only_so_long() {
    let server = FakeChat::start(|_, _| vec![Step::Hang]).await;
    let found = ollama(&server).look(Duration::from_millis(100)).await;
    assert!(matches!(found, Found::NoServer { reason } if reason == "no answer within 100 ms"));
    server.hung_up(1).await;
}
