//! What OpenAI's clients speak: the Realtime protocol over a WebSocket, and the REST endpoints for audio and chat.

pub mod realtime;
pub mod rest;
