//! OpenAI's REST endpoints, against the real server.

mod chat;
