//! The integration tests: one binary, a module per behaviour.

mod chat_ollama;
mod chat_openai;
mod fake_ollama;
mod faults;
mod harness;
mod layers;
mod live;
mod looks;
mod native_socket;
mod protocol_doc;
mod recognition;
mod sessions;
mod work;
