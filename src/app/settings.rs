//! Everything that can be set, as it is typed. The doc comments are `--help`, and, held by a test, `.env.example` and
//! docs/configuration.md.

mod clients;
mod keeping;
mod library;
mod logs;
mod operating;

use std::path::PathBuf;

use clap::Args;

pub use self::{clients::Clients, keeping::Keeping, library::Library, logs::Logs, operating::Operating};

use crate::engine::vad::VadEngine;

/// Everything that can be set.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    /// Address and port to listen on
    #[arg(long, env = "BIND", default_value = "127.0.0.1:8080", global = true, help_heading = "Server")]
    pub bind: String,
    /// Serve without accounts on an address that others can reach (they will be able to use it)
    #[arg(long, env = "OPEN_TO_NETWORK", default_value_t = false, action = clap::ArgAction::Set, global = true, help_heading = "Server")]
    pub open_to_network: bool,
    /// Further origins whose pages may connect, comma-separated (`https://voice.example.org`); the server's own always may
    #[arg(long, env = "CORS_ALLOWED_ORIGINS", value_delimiter = ',', global = true, help_heading = "Server")]
    pub cors_allowed_origins: Vec<String>,
    /// Host names the server answers to besides this machine's own and PUBLIC_URL's, comma-separated; empty: any where BIND is open to the network
    #[arg(long, env = "ALLOWED_HOSTS", value_delimiter = ',', global = true, help_heading = "Server")]
    pub allowed_hosts: Vec<String>,
    /// Sessions at once; one more is refused with a time to try again
    #[arg(long, env = "MAX_SESSIONS", default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000), global = true, help_heading = "Server")]
    pub max_sessions: u32,
    /// Seconds after which a session that hears nothing from its client ends
    #[arg(long, env = "IDLE_TIMEOUT", default_value_t = 300, value_parser = clap::value_parser!(u64).range(5..=86_400), global = true, help_heading = "Server")]
    pub idle_timeout: u64,
    /// Seconds a session waits for its client to come back after a lost connection
    #[arg(long, env = "RESUME_WINDOW", default_value_t = 60, value_parser = clap::value_parser!(u64).range(0..=3600), global = true, help_heading = "Server")]
    pub resume_window: u64,
    /// Where the server keeps what it writes
    #[arg(long, env = "DATA_DIR", default_value = "data", global = true, help_heading = "Server")]
    pub data_dir: PathBuf,
    /// Where models are looked for: `ggml-*.bin` (Whisper), `piper/*.onnx` (voices)
    #[arg(long, env = "MODELS_DIR", default_value = "models/local", global = true, help_heading = "Server")]
    pub models_dir: PathBuf,
    /// What to log, in `tracing` filter syntax: `info`, `debug`, `aigolos=debug,warn`
    #[arg(long, env = "LOG_LEVEL", default_value = "info", global = true, help_heading = "Server")]
    pub log_level: String,
    /// Logs for people rather than machines, and more of them
    #[arg(long, env = "DEBUG", default_value_t = false, action = clap::ArgAction::Set, global = true, help_heading = "Server")]
    pub debug: bool,

    /// What finds voice: `webrtc` (cheapest), `earshot` (neural) or `cascade` (webrtc as the gate, earshot confirms)
    #[arg(long, env = "VAD_ENGINE", default_value_t = VadEngine::default(), global = true, help_heading = "Turns")]
    pub vad_engine: VadEngine,
    /// How sure the detector must be that it hears a voice, 0 to 1
    #[arg(long, env = "VAD_THRESHOLD", default_value_t = 0.5, value_parser = share, global = true, help_heading = "Turns")]
    pub vad_threshold: f32,
    /// Milliseconds of silence after which the answer is prepared, unseen
    #[arg(long, env = "SOFT_SILENCE_MS", default_value_t = 200, value_parser = clap::value_parser!(u32).range(60..=5_000), global = true, help_heading = "Turns")]
    pub soft_silence_ms: u32,
    /// Milliseconds of silence that end a turn
    #[arg(long, env = "SILENCE_MS", default_value_t = 500, value_parser = clap::value_parser!(u32).range(100..=10_000), global = true, help_heading = "Turns")]
    pub silence_ms: u32,

    /// The Whisper model: `auto` (the first `ggml-*.bin` of the models folder, else the bundled one), `nano` (bundled), a name
    /// (`base.en` for `ggml-base.en.bin`) or a path
    #[arg(long, env = "ASR_MODEL_NAME", default_value = "auto", global = true, help_heading = "Recognition")]
    pub asr_model_name: String,
    /// Where Whisper runs: `auto`, `cpu` or `gpu` (needs a build with `cuda`, `vulkan` or `metal`)
    #[arg(long, env = "ASR_DEVICE", default_value = "auto", value_parser = ["auto", "cpu", "gpu", "cuda"], global = true, help_heading = "Recognition")]
    pub asr_device: String,
    /// Decodes at once; 0: chosen by the machine
    #[arg(long, env = "ASR_WORKERS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=64), global = true, help_heading = "Recognition")]
    pub asr_workers: u32,
    /// Processor threads of each decode; 0: chosen by the machine
    #[arg(long, env = "ASR_THREADS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=64), global = true, help_heading = "Recognition")]
    pub asr_threads: u32,
    /// What is spoken unless a client says otherwise: an ISO 639-1 code or `auto`
    #[arg(long, env = "DEFAULT_LANGUAGE", default_value = "auto", global = true, help_heading = "Recognition")]
    pub default_language: String,

    /// Who answers: `auto` (Ollama if it is there and has the model, else the built-in assistant), `ollama`, `openai` or `builtin`
    #[arg(long, env = "LLM_BACKEND", default_value = "auto", value_parser = ["auto", "ollama", "openai", "builtin"], global = true, help_heading = "Chat")]
    pub llm_backend: String,
    /// The chat model's name
    #[arg(long, env = "LLM_MODEL_NAME", default_value = "qwen2.5:7b", global = true, help_heading = "Chat")]
    pub llm_model_name: String,
    /// Where Ollama listens
    #[arg(
        long,
        env = "OLLAMA_BASE_URL",
        default_value = "http://localhost:11434",
        global = true,
        help_heading = "Chat"
    )]
    pub ollama_base_url: String,
    /// Base address of an OpenAI-compatible chat server (vLLM, llama.cpp server, LM Studio), with its `/v1`
    #[arg(
        long,
        env = "LLM_BASE_URL",
        default_value = "http://localhost:8000/v1",
        global = true,
        help_heading = "Chat"
    )]
    pub llm_base_url: String,
    /// Key for that server
    #[arg(long, env = "LLM_API_KEY", default_value = "", hide_env_values = true, global = true, help_heading = "Chat")]
    pub llm_api_key: String,
    /// How long Ollama keeps the model loaded after use (`10m`, `-1` for ever)
    #[arg(
        long,
        env = "LLM_KEEP_ALIVE",
        default_value = "30m",
        allow_hyphen_values = true,
        global = true,
        help_heading = "Chat"
    )]
    pub llm_keep_alive: String,
    /// Longest reply in tokens
    #[arg(long, env = "LLM_MAX_TOKENS", default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..=8_192), global = true, help_heading = "Chat")]
    pub llm_max_tokens: u32,
    /// How freely the chat model writes, 0 to 2; empty: as the model has it
    #[arg(long, env = "LLM_TEMPERATURE", default_value = "", value_parser = temperature, global = true, help_heading = "Chat")]
    pub llm_temperature: String,
    /// Seconds to wait for a connection to the chat server
    #[arg(long, env = "LLM_CONNECT_TIMEOUT", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=60), global = true, help_heading = "Chat")]
    pub llm_connect_timeout: u64,
    /// Seconds to wait for a reply's first token, a model's loading included
    #[arg(long, env = "LLM_FIRST_TOKEN_TIMEOUT", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=900), global = true, help_heading = "Chat")]
    pub llm_first_token_timeout: u64,
    /// Seconds of silence in mid-reply after which the chat server counts as stalled
    #[arg(long, env = "LLM_STALL_TIMEOUT", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=300), global = true, help_heading = "Chat")]
    pub llm_stall_timeout: u64,
    /// What the chat model is told about its role; empty: the built-in prompt, made for speech
    #[arg(long, env = "SYSTEM_PROMPT", default_value = "", global = true, help_heading = "Chat")]
    pub system_prompt: String,
    /// Tokens of earlier conversation a chat model is given
    #[arg(long, env = "HISTORY_TOKENS", default_value_t = 2_000, value_parser = clap::value_parser!(u32).range(100..=200_000), global = true, help_heading = "Chat")]
    pub history_tokens: u32,

    /// Who speaks: `auto` (Piper if its library and a voice are there, else espeak-ng), `piper` or `espeak`
    #[arg(long, env = "TTS_ENGINE", default_value = "auto", value_parser = ["auto", "piper", "espeak"], global = true, help_heading = "Speech")]
    pub tts_engine: String,
    /// The voice unless a client chooses; empty: the engine's default
    #[arg(long, env = "TTS_VOICE", default_value = "", global = true, help_heading = "Speech")]
    pub tts_voice: String,
    /// Sentences synthesised at once; 0: chosen by the machine
    #[arg(long, env = "TTS_WORKERS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=64), global = true, help_heading = "Speech")]
    pub tts_workers: u32,
    /// Silence after each of Piper's sentences, in milliseconds
    #[arg(long, env = "TTS_PAUSE_MS", default_value_t = 200, value_parser = clap::value_parser!(u32).range(0..=2_000), global = true, help_heading = "Speech")]
    pub tts_pause_ms: u32,
    /// Piper voices kept loaded, each 20 to 130 MB
    #[arg(long, env = "TTS_LOADED_VOICES", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..=64), global = true, help_heading = "Speech")]
    pub tts_loaded_voices: u32,
    /// Folder that holds `espeak-ng-data`; empty: beside the program, then the system's
    #[arg(long, env = "ESPEAK_DATA", default_value = "", global = true, help_heading = "Speech")]
    pub espeak_data: String,
    /// The ONNX Runtime library for Piper; empty: beside the program, then in `lib`
    #[arg(long, env = "ORT_DYLIB_PATH", default_value = "", global = true, help_heading = "Speech")]
    pub ort_dylib_path: String,

    #[command(flatten)]
    pub keeping: Keeping,

    #[command(flatten)]
    pub clients: Clients,

    #[command(flatten)]
    pub library: Library,

    #[command(flatten)]
    pub logs: Logs,

    #[command(flatten)]
    pub operating: Operating,
}

/// Empty, or a number from 0 to 2.
fn temperature(text: &str) -> Result<String, String> {
    let fits = text.is_empty() || text.parse::<f32>().is_ok_and(|value| (0.0..=2.0).contains(&value));
    if fits { Ok(text.into()) } else { Err("a number from 0 to 2".into()) }
}

fn share(text: &str) -> Result<f32, String> {
    match text.parse::<f32>() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
        _ => Err("a number from 0 to 1".into()),
    }
}
