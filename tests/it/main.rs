//! The integration tests: one binary, a module per behaviour.

mod chat_ollama;
mod chat_openai;
mod fake_ollama;
mod layers;
mod recognition;
