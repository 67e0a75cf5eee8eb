//! Ollama: its types and model calls come from ollama-rs, its reply stream is read here, line by line.
//!
//! ollama-rs 0.3.6 decodes each network chunk by itself and loses those that end inside a character; it also swallows
//! error lines. The module `streaming` does it instead.

mod wire;

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures::future::BoxFuture;
use ollama_rs::{
    error::OllamaError,
    generation::{
        chat::request::ChatMessageRequest,
        parameters::{KeepAlive, ThinkType},
    },
    models::ModelOptions,
};
use reqwest::{Client, RequestBuilder, StatusCode, Url};
use serde::Deserialize;
use serde_json::Value;
use tokio::time::{Instant, timeout};

use super::{
    ChatModel, ChatRequest, ChatStream, EngineError, EngineInfo,
    chat::ChatSettingsError,
    learnt::Learnt,
    streaming::{self, BadLine, Dialect, Patience, Refusal, Told},
    tokens::TokenCount,
};

/// A model that answered this recently is still loaded.
const STAYS_WARM: Duration = Duration::from_mins(1);
/// A failed warm-up is not tried again for this long: many sessions may start at once.
const STAYS_COLD: Duration = Duration::from_secs(2);

/// How long a look for the health report may take.
const PROBE: Duration = Duration::from_millis(1_500);

/// Where Ollama is and how it is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct OllamaSettings {
    /// `OLLAMA_BASE_URL`.
    pub base_url: String,
    /// `LLM_MODEL_NAME`.
    pub model: String,
    /// `LLM_KEEP_ALIVE`: how long the model stays loaded after a reply: `30m`, `2h`, `45s`, `-1` for ever, `0` not at all.
    pub keep_alive: String,
    /// The context window the model is loaded with; see [`context_tokens`].
    pub context_tokens: u32,
    /// `LLM_TEMPERATURE`; `None`: the model's own.
    pub temperature: Option<f32>,
    /// `LLM_MAX_TOKENS`: the longest reply.
    pub max_tokens: u32,
    /// `LLM_LOAD_TIMEOUT`: how long loading the model may take when a session starts.
    pub load: Duration,
    pub patience: Patience,
}

impl Default for OllamaSettings {
    fn default() -> Self {
        Self {
            base_url: "http://localhost:11434".into(),
            model: "qwen2.5:7b".into(),
            keep_alive: "30m".into(),
            context_tokens: 4096,
            temperature: None,
            max_tokens: 400,
            load: Duration::from_mins(5),
            patience: Patience::default(),
        }
    }
}

/// A context window for so long a history and so long a reply, in steps, so that small changes of the settings do not
/// make Ollama load the model anew; at least Ollama's own 4096.
#[must_use]
pub fn context_tokens(history: u32, reply: u32) -> u32 {
    // A quarter more, since the history's length is an estimate.
    let needed = history.saturating_add(history / 4).saturating_add(reply);
    needed.clamp(4096, 1 << 20).next_multiple_of(1024)
}

/// What a look at the server found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// The server answers and has the model.
    Ready,
    /// The server answers without the model; what it has instead.
    NoModel { others: Vec<String> },
    /// Nothing that talks like Ollama answers.
    NoServer { reason: String },
}

/// A model served by Ollama.
#[derive(Clone)]
pub struct Ollama(Arc<Server>);

struct Server {
    settings: OllamaSettings,
    base: Url,
    keep_alive: KeepAlive,
    http: Client,
    /// The last attempt to load the model; held while one runs, so that sessions starting together load once.
    warmed: tokio::sync::Mutex<Option<(Instant, Result<(), EngineError>)>>,
    /// The server refused to be told about thinking: it is no longer told.
    unthinking: AtomicBool,
    /// The model, or an older server, knows no functions: none are offered any longer.
    toolless: AtomicBool,
    learnt: Learnt,
    /// The model's description has been read.
    described: AtomicBool,
    /// When the model last answered, and what was wrong if it did not.
    last: Mutex<Last>,
}

#[derive(Default)]
struct Last {
    answered: Option<Instant>,
    problem: Option<String>,
}

impl Ollama {
    /// Checks the settings; connects to nothing.
    pub fn new(settings: OllamaSettings) -> Result<Self, ChatSettingsError> {
        let base = streaming::base_url("OLLAMA_BASE_URL", &settings.base_url)?;
        let keep_alive = KeepAlive::deserialize(Value::String(settings.keep_alive.clone()))
            .map_err(|_| ChatSettingsError::KeepAlive { value: settings.keep_alive.clone() })?;
        if settings.model.trim().is_empty() {
            return Err(ChatSettingsError::NoModel);
        }
        let http = streaming::client(&base, &settings.patience)?;
        let learnt = Learnt::of(&settings.model);
        learnt.has_window(settings.context_tokens.into());
        Ok(Self(Arc::new(Server {
            learnt,
            described: AtomicBool::new(false),
            settings,
            base,
            keep_alive,
            http,
            warmed: tokio::sync::Mutex::default(),
            unthinking: AtomicBool::new(false),
            toolless: AtomicBool::new(false),
            last: Mutex::default(),
        })))
    }

    /// Looks whether the server is there and has the model; the answer counts as news for [`ChatModel::info`].
    pub async fn look(&self, wait: Duration) -> Found {
        let server = &self.0;
        let client = ollama_rs::Ollama::builder().url(server.base.clone()).reqwest_client(server.http.clone()).build();
        let found = match timeout(wait, client.list_local_models()).await {
            Err(_) => Found::NoServer { reason: format!("no answer within {} ms", wait.as_millis()) },
            Ok(Err(OllamaError::ReqwestError(error))) => Found::NoServer { reason: streaming::innermost(&error) },
            Ok(Err(_)) => Found::NoServer { reason: "what answers is not Ollama".into() },
            Ok(Ok(models)) => {
                let others: Vec<String> = models.into_iter().map(|model| model.name).collect();
                if others.iter().any(|name| same_model(name, &server.settings.model)) {
                    Found::Ready
                } else {
                    Found::NoModel { others }
                }
            }
        };
        server.last().problem = match &found {
            Found::Ready => None,
            Found::NoModel { others } => Some(format!("Ollama lacks the model; {}", self.pull_hint(others))),
            Found::NoServer { reason } => Some(format!("no answer from Ollama ({reason}); {}", server.reach_hint())),
        };
        found
    }

    /// How to get the model, or which of `others` to use.
    pub(super) fn pull_hint(&self, others: &[String]) -> String {
        let mut hint = pull_hint(&self.0.settings.model);
        if !others.is_empty() {
            let some: Vec<&str> = others.iter().take(5).map(String::as_str).collect();
            hint = format!("{hint}, or set LLM_MODEL_NAME to one it has: {}", some.join(", "));
        }
        hint
    }

    /// Host and port, for messages.
    pub(super) fn place(&self) -> String {
        streaming::shown(&self.0.base)
    }
}

impl ChatModel for Ollama {
    /// The hint tells what was wrong the last time, until something works again.
    fn info(&self) -> EngineInfo {
        EngineInfo {
            engine: "ollama".into(),
            model: self.0.settings.model.clone(),
            demo: false,
            loaded: true,
            hint: self.0.last().problem.clone(),
            languages: Vec::new(),
        }
    }

    fn reply(&self, request: ChatRequest) -> ChatStream {
        streaming::start(Arc::clone(&self.0), self.0.settings.patience, request)
    }

    fn warm_up(&self) -> BoxFuture<'static, Result<(), EngineError>> {
        let server = Arc::clone(&self.0);
        Box::pin(async move { server.warm_up().await })
    }

    fn tokens(&self) -> TokenCount {
        self.0.learnt.count()
    }

    fn probe(&self) -> BoxFuture<'static, Result<(), String>> {
        let ollama = self.clone();
        Box::pin(async move {
            match ollama.look(PROBE).await {
                Found::Ready => Ok(()),
                Found::NoModel { .. } => Err(format!("the model {} is missing", ollama.0.settings.model)),
                Found::NoServer { reason } => Err(reason),
            }
        })
    }
}

impl Server {
    async fn warm_up(&self) -> Result<(), EngineError> {
        let mut warmed = self.warmed.lock().await;
        if self.last().answered.is_some_and(|at| at.elapsed() < STAYS_WARM) {
            return Ok(());
        }
        if let Some((at, Err(error))) = &*warmed
            && at.elapsed() < STAYS_COLD
        {
            return Err(error.clone());
        }
        // A request without messages loads the model and answers nothing.
        let outcome = match timeout(self.settings.load, self.load()).await {
            Ok(outcome) => outcome,
            Err(_) => {
                Err(EngineError::Stalled { engine: Self::ENGINE, waited_ms: self.settings.load.as_millis() as u64 })
            }
        };
        self.ended(outcome.as_ref().copied());
        if outcome.is_ok() && !self.described.swap(true, Ordering::Relaxed) {
            self.describe().await;
        }
        *warmed = Some((Instant::now(), outcome.clone()));
        outcome
    }

    async fn load(&self) -> Result<(), EngineError> {
        let mut first = true;
        loop {
            let sent = self.post(&ChatRequest::default(), false).send().await;
            let response = sent.map_err(|error| self.no_answer(error).error)?;
            if response.status().is_success() {
                // The answer comes when the model is loaded; its few bytes say nothing new.
                return response.bytes().await.map(drop).map_err(|error| self.no_answer(error).error);
            }
            match streaming::refused(self, response).await {
                Refusal { again: true, .. } if first => first = false,
                Refusal { error, .. } => return Err(error),
            }
        }
    }

    /// Reads what Ollama knows of the model; without it nothing is lost but foresight.
    async fn describe(&self) {
        let asked = async {
            let body = serde_json::json!({"model": self.settings.model});
            let response = self.http.post(self.url("api/show")).json(&body).send().await.ok()?;
            streaming::read_json::<wire::Shown>(response.error_for_status().ok()?).await
        };
        let Ok(Some(shown)) = timeout(PROBE, asked).await else { return };
        self.learnt.has_template(&shown.template);
        if let Some(tokens) = shown.context_length() {
            // Ollama loads no more than it was made for.
            self.learnt.has_window(tokens.min(self.settings.context_tokens.into()));
        }
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path()));
        url
    }

    fn post(&self, chat: &ChatRequest, stream: bool) -> RequestBuilder {
        // The same window every time: another one would make Ollama load the model anew.
        let mut options = ModelOptions::default().num_ctx(self.settings.context_tokens.into());
        if let Some(temperature) = chat.temperature.or(self.settings.temperature) {
            options = options.temperature(temperature);
        }
        let longest = chat.max_tokens.unwrap_or(self.settings.max_tokens);
        options = options.num_predict(i32::try_from(longest).unwrap_or(i32::MAX));
        // gpt-oss cannot stop thinking, only think less.
        let think = if self.settings.model.contains("gpt-oss") { ThinkType::Low } else { ThinkType::False };
        let mut request = ChatMessageRequest::new(self.settings.model.clone(), Vec::new())
            .options(options)
            .keep_alive(self.keep_alive.clone());
        request.think = Some(think).filter(|_| !self.unthinking.load(Ordering::Relaxed));
        // ollama-rs keeps its `stream` field to itself.
        let mut body = serde_json::to_value(request).unwrap_or_default();
        body["stream"] = Value::Bool(stream);
        let with_tools = !self.toolless.load(Ordering::Relaxed);
        body["messages"] = Value::Array(wire::messages(chat, with_tools));
        let tools = wire::tools(chat);
        if with_tools && !tools.is_empty() {
            body["tools"] = Value::Array(tools);
        }
        self.http.post(self.url("api/chat")).json(&body)
    }

    fn last(&self) -> std::sync::MutexGuard<'_, Last> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Dialect for Server {
    const ENGINE: &'static str = "ollama";

    fn request(&self, chat: &ChatRequest) -> RequestBuilder {
        self.post(chat, true)
    }

    fn refusal(&self, status: StatusCode, body: &str) -> Refusal {
        let error = serde_json::from_str::<ErrorLine>(body).map(|line| line.error);
        match (status, error) {
            (StatusCode::NOT_FOUND, Ok(error)) if error.contains("not found") => {
                let name = self.settings.model.clone();
                Refusal { error: EngineError::ModelMissing { hint: pull_hint(&name), name }, again: false }
            }
            (StatusCode::BAD_REQUEST, Ok(error)) if error.contains("does not support tools") => {
                let again = !self.toolless.swap(true, Ordering::Relaxed);
                if again {
                    tracing::warn!(model = %self.settings.model, "the chat model calls no functions; it is not offered any");
                }
                Refusal { error: Self::failed(error), again }
            }
            (StatusCode::BAD_REQUEST, Ok(error)) if error.contains("think") => {
                let again = !self.unthinking.swap(true, Ordering::Relaxed);
                Refusal { error: Self::failed(error), again }
            }
            (_, Ok(error)) => streaming::plain_refusal::<Self>(status, &error),
            (_, Err(_)) => {
                let reason =
                    format!("what answers at {} is not Ollama (status {})", streaming::shown(&self.base), status);
                Refusal { error: self.unreachable(reason), again: status.is_server_error() }
            }
        }
    }

    fn reach_hint(&self) -> String {
        format!("start Ollama at {} (`ollama serve`) or set OLLAMA_BASE_URL", streaming::shown(&self.base))
    }

    fn decode(&self, line: &str, told: &mut Told) -> Result<(), BadLine> {
        if line.trim().is_empty() {
            return Ok(());
        }
        match serde_json::from_str::<wire::Line>(line) {
            Ok(line) => {
                line.tell(told);
                Ok(())
            }
            Err(unreadable) => Err(match serde_json::from_str::<ErrorLine>(line) {
                Ok(ErrorLine { error }) => BadLine::Error(error),
                Err(_) => BadLine::Unreadable(unreadable.to_string()),
            }),
        }
    }

    fn learnt(&self) -> &Learnt {
        &self.learnt
    }

    fn longest(&self) -> u32 {
        self.settings.max_tokens
    }

    fn ended(&self, outcome: Result<(), &EngineError>) {
        let mut last = self.last();
        match outcome {
            Ok(()) => *last = Last { answered: Some(Instant::now()), problem: None },
            Err(error) => {
                last.answered = None; // it may have been unloaded, or be gone
                last.problem = Some(format!("{error}; {}", error.hint()));
            }
        }
    }
}

/// Ollama's errors, as a body and as a line in the middle of a stream.
#[derive(Deserialize)]
struct ErrorLine {
    error: String,
}

fn pull_hint(model: &str) -> String {
    format!("run `aigolos models pull ollama:{model}`, or `ollama pull {model}` where Ollama runs")
}

/// `llama3` means `llama3:latest`; case does not count.
fn same_model(have: &str, want: &str) -> bool {
    let full = |name: &str| {
        let name = name.trim().to_lowercase();
        if name.rsplit('/').next().is_some_and(|last| last.contains(':')) { name } else { format!("{name}:latest") }
    };
    full(have) == full(want)
}

#[cfg(test)]
mod tests;
