//! Any server that speaks OpenAI's chat completions: vLLM, llama.cpp, LM Studio and others.

mod wire;

use std::{
    fmt,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use reqwest::{Client, RequestBuilder, StatusCode, Url};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{
    ChatModel, ChatRequest, ChatStream, EngineError, EngineInfo, ToolChoice,
    chat::ChatSettingsError,
    learnt::{self, Learnt},
    streaming::{self, BadLine, Dialect, Patience, Refusal, Told},
    tokens::TokenCount,
};

/// How long a look for the health report may take.
const PROBE: Duration = Duration::from_millis(1_500);
/// An event of several lines has at most so many bytes.
const LONGEST_EVENT: usize = 256 * 1024;

/// Where the server is and how it is asked.
#[derive(Clone, PartialEq)]
pub struct OpenAiSettings {
    /// `LLM_BASE_URL`: with or without `/v1` at its end.
    pub base_url: String,
    /// `LLM_API_KEY`: sent as a bearer token; `None`: the server asks for none.
    pub api_key: Option<String>,
    /// `LLM_MODEL_NAME`.
    pub model: String,
    /// `LLM_TEMPERATURE`; `None`: the server's own.
    pub temperature: Option<f32>,
    /// `LLM_MAX_TOKENS`: the longest reply.
    pub max_tokens: u32,
    pub patience: Patience,
}

impl Default for OpenAiSettings {
    fn default() -> Self {
        Self {
            base_url: "http://localhost:8000/v1".into(),
            api_key: None,
            model: "qwen2.5:7b".into(),
            temperature: None,
            max_tokens: 400,
            patience: Patience::default(),
        }
    }
}

impl fmt::Debug for OpenAiSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenAiSettings")
            .field(
                "base_url",
                &Url::parse(&self.base_url).map_or_else(|_| "invalid".into(), |url| streaming::shown(&url)),
            )
            .field("api_key", &self.api_key.as_ref().map(|_| "redacted"))
            .field("model", &self.model)
            .field("temperature", &self.temperature)
            .field("max_tokens", &self.max_tokens)
            .field("patience", &self.patience)
            .finish()
    }
}

/// A model behind a chat completions endpoint.
#[derive(Clone)]
pub struct OpenAiChat(Arc<Server>);

struct Server {
    settings: OpenAiSettings,
    base: Url,
    http: Client,
    /// The server refused the optional fields once: it gets the bare minimum from then on.
    plain: AtomicBool,
    /// It refused functions: none are offered any longer, and what was called before is told in words.
    toolless: AtomicBool,
    learnt: Learnt,
    problem: Mutex<Option<String>>,
}

impl OpenAiChat {
    /// Checks the settings; connects to nothing.
    pub fn new(settings: OpenAiSettings) -> Result<Self, ChatSettingsError> {
        if settings.base_url.trim().is_empty() {
            return Err(ChatSettingsError::NoAddress);
        }
        let mut base = streaming::base_url("LLM_BASE_URL", &settings.base_url)?;
        if base.path() == "/" {
            base.set_path("/v1/");
        }
        if settings.model.trim().is_empty() {
            return Err(ChatSettingsError::NoModel);
        }
        let http = streaming::client(&base, &settings.patience)?;
        Ok(Self(Arc::new(Server {
            learnt: Learnt::of(&settings.model),
            settings,
            base,
            http,
            plain: AtomicBool::new(false),
            toolless: AtomicBool::new(false),
            problem: Mutex::default(),
        })))
    }
}

impl ChatModel for OpenAiChat {
    /// The hint tells what was wrong the last time, until something works again.
    fn info(&self) -> EngineInfo {
        EngineInfo {
            engine: "openai".into(),
            model: self.0.settings.model.clone(),
            demo: false,
            loaded: true,
            hint: self.0.problem.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            languages: Vec::new(),
        }
    }

    fn reply(&self, request: ChatRequest) -> ChatStream {
        streaming::start(Arc::clone(&self.0), self.0.settings.patience, request)
    }

    /// These servers load their model when they start; asking for the list of models shows whether they have started,
    /// and leaves a connection open for the first request.
    fn warm_up(&self) -> BoxFuture<'static, Result<(), EngineError>> {
        let server = Arc::clone(&self.0);
        Box::pin(async move {
            let outcome = server.list().await;
            server.ended(outcome.as_ref().copied());
            outcome
        })
    }

    fn tokens(&self) -> TokenCount {
        self.0.learnt.count()
    }

    fn probe(&self) -> BoxFuture<'static, Result<(), String>> {
        let server = Arc::clone(&self.0);
        Box::pin(async move {
            match tokio::time::timeout(PROBE, server.list()).await {
                Ok(outcome) => outcome.map(drop).map_err(|error| error.to_string()),
                Err(_) => Err(format!("no answer within {} ms", PROBE.as_millis())),
            }
        })
    }
}

impl Server {
    async fn list(&self) -> Result<(), EngineError> {
        let wait = self.settings.patience.first_token;
        let asked = async {
            let response =
                self.authorised(self.http.get(self.url("models"))).send().await.map_err(|e| self.no_answer(e).error)?;
            match response.status() {
                StatusCode::OK => {
                    let list = streaming::read_json::<Value>(response).await;
                    if let Some(window) = list.and_then(|list| wire::window(&list, &self.settings.model)) {
                        self.learnt.has_window(window);
                    }
                    Ok(())
                }
                // Not every server has the list.
                status if status.is_success() || status == StatusCode::NOT_FOUND => Ok(()),
                _ => Err(streaming::refused(self, response).await.error),
            }
        };
        let stalled = EngineError::Stalled { engine: Self::ENGINE, waited_ms: wait.as_millis() as u64 };
        timeout(wait, asked).await.unwrap_or(Err(stalled))
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path()));
        url
    }

    fn authorised(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.settings.api_key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }
}

impl Dialect for Server {
    const ENGINE: &'static str = "openai";

    fn request(&self, chat: &ChatRequest) -> RequestBuilder {
        let with_tools = !self.toolless.load(Ordering::Relaxed);
        let mut body = json!({
            "model": self.settings.model,
            "messages": wire::alternating(&chat.messages, with_tools),
            "stream": true,
            "max_tokens": chat.max_tokens.unwrap_or(self.settings.max_tokens),
        });
        if let Some(temperature) = chat.temperature.or(self.settings.temperature) {
            body["temperature"] = json!(temperature);
        }
        if with_tools && !chat.tools.is_empty() {
            body["tools"] = chat.tools.iter().map(|tool| json!({"type": "function", "function": tool})).collect();
            match &chat.tool_choice {
                ToolChoice::Auto => {}
                ToolChoice::None => body["tool_choice"] = json!("none"),
                ToolChoice::Required => body["tool_choice"] = json!("required"),
                ToolChoice::Named(name) => {
                    body["tool_choice"] = json!({"type": "function", "function": {"name": name}});
                }
            }
        }
        if !self.plain.load(Ordering::Relaxed) {
            body["stream_options"] = json!({"include_usage": true});
            // How vLLM and llama.cpp are told not to think first.
            body["chat_template_kwargs"] = json!({"enable_thinking": false});
        }
        self.authorised(self.http.post(self.url("chat/completions"))).json(&body)
    }

    fn refusal(&self, status: StatusCode, body: &str) -> Refusal {
        let message = serde_json::from_str::<Value>(body).ok().as_ref().and_then(error_message).unwrap_or_default();
        match status {
            _ if knows_no_tools(status, &message) && !self.toolless.swap(true, Ordering::Relaxed) => {
                tracing::warn!(model = %self.settings.model, "the chat server calls no functions; it is not offered any");
                Refusal { again: true, ..streaming::plain_refusal::<Self>(status, &message) }
            }
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Refusal {
                error: EngineError::Unreachable {
                    engine: Self::ENGINE,
                    reason: format!("it does not accept the API key (status {})", status.as_u16()),
                    hint: "set LLM_API_KEY to a key of that server".into(),
                },
                again: false,
            },
            StatusCode::NOT_FOUND if message.to_lowercase().contains("model") => Refusal {
                error: EngineError::ModelMissing {
                    name: self.settings.model.clone(),
                    hint: format!("set LLM_MODEL_NAME to a model that {} has", streaming::shown(&self.base)),
                },
                again: false,
            },
            StatusCode::NOT_FOUND => {
                let reason = format!("no chat completions at {} (status 404)", streaming::shown(&self.base));
                Refusal { error: self.unreachable(reason), again: false }
            }
            StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY if !learnt::is_too_long(&message) => {
                // Perhaps a field it does not know: once more without what is optional.
                let again = !self.plain.swap(true, Ordering::Relaxed);
                Refusal { again, ..streaming::plain_refusal::<Self>(status, &message) }
            }
            _ => streaming::plain_refusal::<Self>(status, &message),
        }
    }

    fn reach_hint(&self) -> String {
        format!("start the chat server at {} or set LLM_BASE_URL", streaming::shown(&self.base))
    }

    /// One line of the event stream. Only `data` lines count; an event of several is read when it is complete. A server
    /// that does not stream, or fails before it does, sends the bare object.
    fn decode(&self, line: &str, told: &mut Told) -> Result<(), BadLine> {
        let line = line.trim_start_matches('\u{feff}');
        let bare = told.bare || told.event.is_empty() && line.trim_start().starts_with('{');
        let data = match line.strip_prefix("data:") {
            Some(data) => data.trim(),
            None if line.trim().is_empty() && !told.event.is_empty() && !told.bare => {
                return Err(BadLine::Unreadable("an event ends in the middle".into()));
            }
            None if bare => {
                told.bare = true;
                line.trim()
            }
            None => return Ok(()),
        };
        if data == "[DONE]" {
            told.done = true;
            return Ok(());
        }
        if data.is_empty() {
            return Ok(());
        }
        told.event.push_str(data);
        let value: Value = match serde_json::from_str(&told.event) {
            Ok(value) => value,
            Err(error) if error.is_eof() && told.event.len() < LONGEST_EVENT => {
                told.event.push('\n');
                return Ok(());
            }
            Err(error) => return Err(BadLine::Unreadable(error.to_string())),
        };
        told.event.clear();
        if let Some(message) = error_message(&value) {
            return Err(BadLine::Error(message));
        }
        let chunk = serde_json::from_value::<wire::Chunk>(value);
        chunk.map_err(|error| BadLine::Unreadable(error.to_string()))?.tell(told);
        Ok(())
    }

    fn learnt(&self) -> &Learnt {
        &self.learnt
    }

    fn longest(&self) -> u32 {
        self.settings.max_tokens
    }

    fn ended(&self, outcome: Result<(), &EngineError>) {
        *self.problem.lock().unwrap_or_else(PoisonError::into_inner) =
            outcome.err().map(|error| format!("{error}; {}", error.hint()));
    }
}

/// The message of `{"error": {"message": ...}}`, `{"error": "..."}` or `{"object": "error", "message": ...}`.
fn error_message(value: &Value) -> Option<String> {
    let error = match value.get("error") {
        Some(Value::Null) | None if value["object"] == "error" => value,
        Some(Value::Null) | None => return None,
        Some(error) => error,
    };
    let message = error.as_str().or_else(|| error["message"].as_str()).map(str::to_owned);
    Some(message.unwrap_or_else(|| error.to_string()))
}

/// Whether a refusal is about functions as such: vLLM and llama.cpp want flags for them, some models have none.
fn knows_no_tools(status: StatusCode, message: &str) -> bool {
    let message = message.to_lowercase();
    let refused = status.is_client_error() || status.is_server_error();
    refused && message.contains("tool") && ["requires", "support"].iter().any(|word| message.contains(word))
}

#[cfg(test)]
mod tests;
