//! The OpenAI Realtime protocol.
