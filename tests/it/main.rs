//! The integration tests: one binary, a module per behaviour.

mod accounts;
mod asked;
mod chat_calls;
mod chat_ollama;
mod chat_openai;
mod daemon;
mod described;
mod fake_ollama;
mod faults;
mod harness;
mod history;
mod layers;
mod live;
mod looks;
mod manners;
mod native_socket;
mod postgres;
mod protocol_doc;
mod recognition;
mod redis;
mod sessions;
mod store_alike;
mod store_outage;
mod store_story;
mod tls;
mod work;
