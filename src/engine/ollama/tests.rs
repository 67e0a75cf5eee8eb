use super::*;
use crate::model::{Message, Role};

fn ollama(settings: OllamaSettings) -> Ollama {
    Ollama::new(settings).expect("valid settings")
}

#[test]
fn settings_are_checked_before_anything_is_connected() {
    let with = |change: fn(&mut OllamaSettings)| {
        let mut settings = OllamaSettings::default();
        change(&mut settings);
        Ollama::new(settings).err()
    };
    assert_eq!(with(|_| ()), None);
    assert_eq!(
        with(|s| s.base_url = "localhost:11434".into()),
        Some(ChatSettingsError::Address { name: "OLLAMA_BASE_URL" })
    );
    assert_eq!(with(|s| s.keep_alive = "soon".into()), Some(ChatSettingsError::KeepAlive { value: "soon".into() }));
    assert_eq!(with(|s| s.keep_alive = "-1".into()), None);
    assert_eq!(with(|s| s.model = " ".into()), Some(ChatSettingsError::NoModel));
}

#[test]
fn the_request_streams_without_thinking_and_keeps_the_model_loaded() {
    let settings = OllamaSettings { base_url: "http://user:secret@host:1/prefix".into(), ..OllamaSettings::default() };
    let server = ollama(settings);
    let chat = ChatRequest { messages: vec![Message::new(Role::User, "Привет")], ..ChatRequest::default() };
    let request = server.0.request(&chat).build().unwrap();
    assert_eq!(request.url().path(), "/prefix/api/chat");
    let body: Value = serde_json::from_slice(request.body().unwrap().as_bytes().unwrap()).unwrap();
    assert_eq!(body["stream"], true);
    assert_eq!(body["think"], false);
    assert_eq!(body["keep_alive"], "30m");
    assert_eq!(body["options"], serde_json::json!({"num_ctx": 4096, "num_predict": 400}));
    assert_eq!(body["messages"][0]["content"], "Привет");
    assert!(!server.0.reach_hint().contains("secret"));
}

#[test]
fn the_context_window_holds_history_and_reply() {
    assert_eq!(context_tokens(2000, 400), 4096);
    assert_eq!(context_tokens(8000, 1000), 11 * 1024);
    assert_eq!(context_tokens(u32::MAX, u32::MAX), 1 << 20);
}

#[test]
fn model_names_are_compared_as_ollama_does() {
    assert!(same_model("llama3:latest", "llama3"));
    assert!(same_model("Qwen2.5:7b", "qwen2.5:7b"));
    assert!(!same_model("qwen2.5:7b", "qwen2.5"));
    assert!(same_model("host:5000/me/model:latest", "host:5000/me/model"));
}
