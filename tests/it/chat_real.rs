//! A real chat model, SmolLM2 135M, through both interfaces: what fakes only claim.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use aigolos::{
    conversation::history::DEFAULT_SYSTEM_PROMPT,
    engine::{
        ChatDelta, ChatModel, ChatRequest, EngineError, StopCause,
        ollama::{Ollama, OllamaSettings},
        openai_chat::{OpenAiChat, OpenAiSettings},
    },
    model::{Message, Role},
};
use serde_json::Value;

const NAME: &str = "smollm2:135m";
const CONTEXT: u32 = 640;

/// The model's server; ends with this.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    fn start(port: u16) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let python = root.join(".cache/venv/bin/python");
        assert!(python.exists(), "{} is missing: run scripts/python-venv.sh first", python.display());
        let mut process = Command::new(python)
            .arg(root.join("tests/python/chat_model.py"))
            .args(["--context", &CONTEXT.to_string(), "--port", &port.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .expect("Python starts");
        let mut address = String::new();
        let out = process.stdout.take().expect("it is piped");
        BufReader::new(out).read_line(&mut address).expect("it says where it listens");
        let address = address.trim().to_owned();
        assert!(address.starts_with("http://"), "the model's server did not start");
        Self { process, address }
    }

    fn port(&self) -> u16 {
        self.address.rsplit(':').next().and_then(|port| port.parse().ok()).expect("an address with its port")
    }

    fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    fn ollama(&self, model: &str) -> Ollama {
        let settings =
            OllamaSettings { base_url: self.address.clone(), model: model.into(), ..OllamaSettings::default() };
        Ollama::new(settings).expect("valid settings")
    }

    fn openai(&self) -> OpenAiChat {
        let settings =
            OpenAiSettings { base_url: self.address.clone(), model: NAME.into(), ..OpenAiSettings::default() };
        OpenAiChat::new(settings).expect("valid settings")
    }

    /// How many tokens it has made in all, and whether it makes one.
    async fn made(&self) -> (u64, bool) {
        let made = reqwest::get(format!("{}/made", self.address)).await.expect("it answers");
        let made: Value = made.json().await.expect("JSON");
        (made["tokens"].as_u64().expect("a number"), made["busy"] == true)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

fn asked(said: &str) -> ChatRequest {
    let messages = vec![Message::new(Role::System, DEFAULT_SYSTEM_PROMPT), Message::new(Role::User, said)];
    ChatRequest { messages, ..ChatRequest::default() }
}

/// The text of a reply, in how many pieces it came, and its end.
async fn reply(model: &dyn ChatModel, chat: ChatRequest) -> (String, usize, Result<ChatDelta, EngineError>) {
    let mut stream = model.reply(chat);
    let (mut text, mut pieces) = (String::new(), 0);
    loop {
        match stream.recv().await.expect("an end") {
            Ok(ChatDelta::Text(piece)) => {
                text.push_str(&piece);
                pieces += 1;
            }
            end => return (text, pieces, end),
        }
    }
}

/// One start of the model for all of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_model_answers_stops_and_is_kept_within_its_context() {
    let mut server = Server::start(0);
    let (ollama, openai) = (server.ollama(NAME), server.openai());
    let models: [&dyn ChatModel; 2] = [&ollama, &openai];
    for model in models {
        model.warm_up().await.expect("it is there");
        assert_eq!(model.tokens().window, Some(CONTEXT));
        answers(model).await;
        is_cut_off_at_the_longest_reply(model).await;
        stops_when_nobody_listens(&server, model).await;
        leaves_out_what_its_context_does_not_hold(model).await;
    }
    // One that was not told how long its context is finds out by being refused.
    let unaware = server.openai();
    leaves_out_what_its_context_does_not_hold(&unaware).await;
    assert_eq!(unaware.tokens().window, Some(CONTEXT));

    let missing = reply(&server.ollama("qwen2.5:7b"), asked("Hello.")).await.2;
    assert!(missing.is_err_and(|error| error.hint().contains("aigolos models pull ollama:qwen2.5:7b")));
    survives_a_restart(&mut server, models).await;
}

async fn answers(model: &dyn ChatModel) {
    let bare = ChatRequest {
        messages: vec![Message::new(Role::User, "What is the capital of France?")],
        ..ChatRequest::default()
    };
    let (text, pieces, end) = reply(model, bare).await;
    assert!(text.contains("Paris") && pieces > 3, "{text}, in {pieces} pieces");
    assert!(matches!(end, Ok(ChatDelta::Done { stop: StopCause::End, .. })), "{end:?}");
    let (_, pieces, end) = reply(model, ChatRequest { max_tokens: Some(24), ..asked("Hello, who are you?") }).await;
    let Ok(ChatDelta::Done { prompt_tokens: Some(prompt), reply_tokens: Some(made), .. }) = end else {
        panic!("{end:?}")
    };
    assert!(prompt > 100 && made as usize >= pieces, "{prompt} and {made} tokens");
    let ratio = model.tokens().per_estimated;
    assert!(
        (0.7..1.5).contains(&ratio) && (ratio - 1.0).abs() > 0.001,
        "its own count of {prompt} is taken up: {ratio}"
    );
}

async fn is_cut_off_at_the_longest_reply(model: &dyn ChatModel) {
    let (text, _, end) = reply(model, ChatRequest { max_tokens: Some(6), ..asked("Tell me a story.") }).await;
    assert!(!text.is_empty());
    assert!(matches!(end, Ok(ChatDelta::Done { reply_tokens: Some(6), stop: StopCause::Length, .. })), "{end:?}");
}

async fn stops_when_nobody_listens(server: &Server, model: &dyn ChatModel) {
    let (before, _) = server.made().await;
    let mut stream = model.reply(asked("Tell me a very long story about a robot and a cat."));
    for _ in 0..3 {
        assert!(matches!(stream.recv().await, Some(Ok(ChatDelta::Text(_)))));
    }
    drop(stream);
    let (left, _) = server.made().await;
    let stopped = loop {
        let (made, busy) = server.made().await;
        if !busy {
            break made;
        }
        tokio::task::yield_now().await;
    };
    assert!(left > before && stopped - left <= 3, "{} tokens were made after the listener left", stopped - left);
}

async fn leaves_out_what_its_context_does_not_hold(model: &dyn ChatModel) {
    let mut messages = vec![Message::new(Role::System, "Answer briefly.")];
    for turn in 0..60 {
        messages.push(Message::new(Role::User, format!("Please remember the number {turn}, my good friend.")));
        messages.push(Message::new(Role::Assistant, format!("I shall remember the number {turn} for you.")));
    }
    messages.push(Message::new(Role::User, "What is the capital of France?"));
    let chat = ChatRequest { messages, max_tokens: Some(24), ..ChatRequest::default() };
    let (text, _, end) = reply(model, chat).await;
    let Ok(ChatDelta::Done { prompt_tokens: Some(prompt), .. }) = end else { panic!("{end:?}") };
    assert!(!text.is_empty() && (200..=CONTEXT).contains(&prompt), "{prompt} tokens: {text}");
}

async fn survives_a_restart(server: &mut Server, models: [&dyn ChatModel; 2]) {
    let mut streams = Vec::new();
    for model in models {
        let mut stream = model.reply(asked("Tell me a long story."));
        if streams.is_empty() {
            assert!(matches!(stream.recv().await, Some(Ok(ChatDelta::Text(_)))));
        }
        streams.push(stream);
    }
    let port = server.port();
    server.stop();
    // The first was in the middle, the second had not begun: there is nobody to ask again.
    for mut stream in streams {
        let end = loop {
            match stream.recv().await.expect("an end") {
                Ok(ChatDelta::Text(_)) => {}
                end => break end,
            }
        };
        assert!(end.is_err_and(|error| ["engine_failed", "engine_unreachable"].contains(&error.code())));
    }
    *server = Server::start(port);
    for model in models {
        answers(model).await;
    }
}
