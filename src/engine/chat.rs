//! Which chat model answers. Nothing is put in another's place unsaid: [`EngineInfo::hint`](super::EngineInfo) tells
//! what is in use and why.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use super::{
    ChatModel,
    builtin::Assistant,
    ollama::{Found, Ollama, OllamaSettings},
    openai_chat::{OpenAiChat, OpenAiSettings},
};

pub use super::streaming::Patience;

/// Who answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ChatBackend {
    /// Ollama if it answers and has the model, else the built-in assistant.
    #[default]
    Auto,
    /// Ollama, even while it cannot be reached: each turn says so.
    Ollama,
    /// The server at `LLM_BASE_URL`.
    OpenAi,
    /// The small built-in assistant.
    Builtin,
}

impl ChatBackend {
    pub const ALL: [Self; 4] = [Self::Auto, Self::Ollama, Self::OpenAi, Self::Builtin];

    /// Its name in `LLM_BACKEND`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Ollama => "ollama",
            Self::OpenAi => "openai",
            Self::Builtin => "builtin",
        }
    }
}

impl fmt::Display for ChatBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ChatBackend {
    type Err = ChatSettingsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|backend| backend.name().eq_ignore_ascii_case(text.trim()));
        known.ok_or_else(|| ChatSettingsError::Backend { value: text.to_owned() })
    }
}

/// Everything about chat models.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatSettings {
    /// `LLM_BACKEND`.
    pub backend: ChatBackend,
    pub ollama: OllamaSettings,
    pub openai: OpenAiSettings,
    /// How long Ollama has to answer when the server starts.
    pub probe: Duration,
}

impl Default for ChatSettings {
    fn default() -> Self {
        Self {
            backend: ChatBackend::Auto,
            ollama: OllamaSettings::default(),
            openai: OpenAiSettings::default(),
            probe: Duration::from_millis(500),
        }
    }
}

/// A setting that cannot be used; found before the server listens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ChatSettingsError {
    #[error("LLM_BACKEND is not one of auto, ollama, openai, builtin: {value}")]
    Backend { value: String },
    /// The value is not shown: it may hold a password.
    #[error("{name} is not an address like http://localhost:11434")]
    Address { name: &'static str },
    #[error("LLM_BACKEND=openai needs an address\nhint: set LLM_BASE_URL, for example to http://localhost:8000/v1")]
    NoAddress,
    #[error("LLM_MODEL_NAME is empty")]
    NoModel,
    #[error("LLM_KEEP_ALIVE is not a time like 30m, 2h, 45s, 0 or -1: {value}")]
    KeepAlive { value: String },
    #[error("no HTTP client can be made: {0}")]
    Client(String),
}

/// Picks the chat model; takes at most [`ChatSettings::probe`].
pub async fn choose(settings: &ChatSettings) -> Result<Arc<dyn ChatModel>, ChatSettingsError> {
    match settings.backend {
        ChatBackend::Builtin => Ok(Arc::new(Assistant::default())),
        ChatBackend::OpenAi => Ok(Arc::new(OpenAiChat::new(settings.openai.clone())?)),
        ChatBackend::Ollama => {
            let ollama = Ollama::new(settings.ollama.clone())?;
            // What is found changes nothing but the hint.
            ollama.look(settings.probe).await;
            Ok(Arc::new(ollama))
        }
        ChatBackend::Auto => {
            let ollama = Ollama::new(settings.ollama.clone())?;
            let place = ollama.place();
            let why = match ollama.look(settings.probe).await {
                Found::Ready => return Ok(Arc::new(ollama)),
                Found::NoModel { others } => {
                    let (model, pull) = (&settings.ollama.model, ollama.pull_hint(&others));
                    format!("Ollama at {place} lacks the model {model}; {pull}")
                }
                Found::NoServer { reason } => {
                    format!("no Ollama at {place} ({reason}); start it (https://ollama.com) or set LLM_BACKEND=openai")
                }
            };
            Ok(Arc::new(Assistant::new(format!("this is a small demo assistant: {why}, then restart"))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backends_go_by_their_names() {
        for backend in ChatBackend::ALL {
            assert_eq!(backend.to_string().parse(), Ok(backend));
        }
        assert!("gpt".parse::<ChatBackend>().is_err());
    }

    #[tokio::test]
    async fn what_is_asked_for_is_what_answers() {
        for (backend, expected) in [(ChatBackend::OpenAi, "openai"), (ChatBackend::Builtin, "builtin")] {
            let settings = ChatSettings { backend, ..ChatSettings::default() };
            assert_eq!(choose(&settings).await.unwrap().info().engine, expected);
        }
        let mut settings = ChatSettings { backend: ChatBackend::OpenAi, ..ChatSettings::default() };
        settings.openai.base_url.clear();
        assert_eq!(choose(&settings).await.err(), Some(ChatSettingsError::NoAddress));
    }
}
