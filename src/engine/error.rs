//! What can go wrong in an engine, worded for whoever can mend it.

/// A failure of an engine. `Display` is for the client; [`hint`](Self::hint) says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    #[error("model not found: {name}")]
    ModelMissing { name: String, hint: String },
    #[error("{engine} cannot be reached: {reason}")]
    Unreachable { engine: &'static str, reason: String, hint: String },
    #[error("{engine} gave no answer for {waited_ms} ms")]
    Stalled { engine: &'static str, waited_ms: u64 },
    #[error("{engine} failed: {reason}")]
    Failed { engine: &'static str, reason: String },
    /// The model's context is full, and nothing more of the conversation can be left out.
    #[error("{engine} failed: {reason}")]
    ContextFull { engine: &'static str, reason: String },
    /// The model ended its reply without a word.
    #[error("{engine} failed: {reason}")]
    Wordless { engine: &'static str, reason: &'static str, hint: &'static str },
    #[error("too much work is waiting")]
    Overloaded { retry_after_ms: u64 },
    /// A newer partial or a final took its place; nobody needs to hear of it.
    #[error("superseded by newer work")]
    Superseded,
    #[error("the engine is shutting down")]
    Closed,
}

impl EngineError {
    /// The error's stable name on every wire.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::ModelMissing { .. } => "model_missing",
            Self::Unreachable { .. } => "engine_unreachable",
            Self::Stalled { .. } => "engine_stalled",
            Self::Failed { .. } | Self::ContextFull { .. } | Self::Wordless { .. } => "engine_failed",
            Self::Overloaded { .. } => "overloaded",
            Self::Superseded => "superseded",
            Self::Closed => "shutting_down",
        }
    }

    /// What goes into the log. Where a chat server was asked, its words are left out: they may quote what was said.
    #[must_use]
    pub fn for_log(&self) -> String {
        match self {
            Self::Failed { engine: engine @ ("ollama" | "openai"), .. } | Self::ContextFull { engine, .. } => {
                format!("{engine} failed")
            }
            other => other.to_string(),
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::ModelMissing { hint, .. } | Self::Unreachable { hint, .. } => hint.clone(),
            Self::Stalled { .. } => "try again; if it keeps happening use a smaller model or raise the time-out".into(),
            Self::Failed { .. } => "try again; the server's log has the details".into(),
            Self::ContextFull { .. } => {
                "say it in fewer words, or choose a model with a longer context; HISTORY_TOKENS and LLM_MAX_TOKENS share \
                 it"
                .into()
            }
            Self::Wordless { hint, .. } => (*hint).into(),
            Self::Overloaded { .. } => "try again after the time given".into(),
            Self::Superseded => "nothing to do".into(),
            Self::Closed => "connect again in a moment".into(),
        }
    }
}
