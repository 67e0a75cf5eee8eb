//! OpenAI's REST endpoints.
