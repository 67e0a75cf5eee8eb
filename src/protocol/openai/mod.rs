//! What OpenAI's clients speak: the Realtime protocol over a WebSocket, and the REST endpoints for audio and chat.

pub mod realtime;
pub mod rest;

/// Whether `path` is one of OpenAI's, where failures have OpenAI's shape. Clients whose base address has no path leave
/// `/v1` out for the Realtime protocol.
#[must_use]
pub fn has(path: &str) -> bool {
    ["/v1", "/realtime"]
        .iter()
        .any(|root| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')))
}
