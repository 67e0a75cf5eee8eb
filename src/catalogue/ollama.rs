//! The models that Ollama has, fetches and removes.
//!
//! The list and the removal are ollama-rs's; what a pull tells is read here, line by line, because ollama-rs loses lines
//! that arrive in two pieces.

use std::time::Duration;

use ollama_rs::{Ollama, error::OllamaError};
use reqwest::{Client, StatusCode, Url};
use serde::Deserialize;
use tokio::time::timeout;

use super::{
    hub::{innermost, own_machine, shown},
    trouble::Trouble,
};

/// The list is asked for by a page that waits.
const LIST: Duration = Duration::from_secs(3);
const REMOVE: Duration = Duration::from_secs(30);
/// Ollama is silent while it checks what came; large models take minutes.
const STALL: Duration = Duration::from_mins(5);
/// A line of a pull's progress has a hundred bytes.
const LONGEST_LINE: usize = 64 << 10;
/// Layers of one model that are counted.
const MOST_LAYERS: usize = 256;

/// A model that Ollama has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatModelFile {
    pub name: String,
    pub bytes: u64,
}

/// Ollama, seen as a place that has models.
#[derive(Clone)]
pub struct Shelf {
    base: Url,
    http: Client,
}

/// One line of a pull.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Line {
    status: String,
    digest: Option<String>,
    total: Option<u64>,
    completed: Option<u64>,
    error: Option<String>,
}

impl Shelf {
    /// `None`: that is no address.
    #[must_use]
    pub fn new(base: &str) -> Option<Self> {
        let mut base = Url::parse(base.trim()).ok()?;
        if !base.path().ends_with('/') {
            base.set_path(&format!("{}/", base.path()));
        }
        let mut builder = Client::builder().connect_timeout(LIST);
        if own_machine(&base) {
            builder = builder.no_proxy();
        }
        Some(Self { base, http: builder.build().ok()? })
    }

    /// Host and port, for people.
    #[must_use]
    pub fn place(&self) -> String {
        shown(&self.base)
    }

    /// Its models by name.
    ///
    /// # Errors
    /// [`Trouble::NoOllama`].
    pub async fn models(&self) -> Result<Vec<ChatModelFile>, Trouble> {
        let asked = timeout(LIST, self.client().list_local_models()).await;
        let models = asked.map_err(|_| self.away(&format!("no answer within {} s", LIST.as_secs())))?;
        let models = models.map_err(|error| match error {
            OllamaError::ReqwestError(error) => self.away(&innermost(&error)),
            _ => self.away("what answers is not Ollama"),
        })?;
        let mut models: Vec<_> =
            models.into_iter().map(|model| ChatModelFile { name: model.name, bytes: model.size }).collect();
        models.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(models)
    }

    /// Has it fetch `name`; `tell` hears how many bytes of how many are there. Dropping it stops Ollama, which keeps what came.
    ///
    /// # Errors
    /// [`Trouble`] if it cannot be reached, or cannot fetch it.
    pub async fn pull(&self, name: &str, tell: &(dyn Fn(u64, Option<u64>) + Send + Sync)) -> Result<(), Trouble> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}api/pull", self.base.path()));
        // "name" is how older ones were asked.
        let body = serde_json::json!({"model": name, "name": name, "stream": true});
        let sent = timeout(STALL, self.http.post(url).json(&body).send()).await;
        let sent = sent.map_err(|_| self.away("no answer"))?;
        let mut response = sent.map_err(|error| self.away(&innermost(&error)))?;
        let status = response.status();
        let mut layers: Vec<(String, u64, u64)> = Vec::new();
        let mut rest: Vec<u8> = Vec::new();
        loop {
            let piece = timeout(STALL, response.chunk()).await.map_err(|_| self.away("it has fallen silent"))?;
            let piece = piece.map_err(|error| self.away(&innermost(&error)))?;
            let over = piece.is_none();
            rest.extend_from_slice(&piece.unwrap_or_else(|| b"\n"[..].into()));
            if rest.len() > LONGEST_LINE * 4 {
                return Err(self.away("what answers is not Ollama"));
            }
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = rest.drain(..=end).collect();
                if line.iter().all(u8::is_ascii_whitespace) {
                    continue;
                }
                let line: Line = serde_json::from_slice(&line)
                    .map_err(|_| self.away(&format!("what answers is not Ollama (status {})", status.as_u16())))?;
                if let Some(error) = line.error {
                    return Err(Trouble::Ollama { reason: error.chars().take(500).collect() });
                }
                if line.status == "success" {
                    return Ok(());
                }
                count(&mut layers, &line);
                if !layers.is_empty() {
                    let sum = |of: fn(&(String, u64, u64)) -> u64| layers.iter().map(of).fold(0, u64::saturating_add);
                    tell(sum(|layer| layer.1), Some(sum(|layer| layer.2)));
                }
            }
            if over {
                return Err(match status {
                    StatusCode::OK => self.away("it broke off"),
                    _ => Trouble::Ollama { reason: format!("status {}", status.as_u16()) },
                });
            }
        }
    }

    /// Removes `name`.
    ///
    /// # Errors
    /// [`Trouble`] if it cannot be reached, or does not have it.
    pub async fn remove(&self, name: &str) -> Result<(), Trouble> {
        let removed = timeout(REMOVE, self.client().delete_model(name.into())).await;
        match removed.map_err(|_| self.away("no answer"))? {
            Ok(()) => Ok(()),
            Err(OllamaError::ReqwestError(error)) => Err(self.away(&innermost(&error))),
            Err(error) => Err(Trouble::Ollama { reason: error.to_string().chars().take(500).collect() }),
        }
    }

    fn client(&self) -> Ollama {
        Ollama::builder().url(self.base.clone()).reqwest_client(self.http.clone()).build()
    }

    fn away(&self, reason: &str) -> Trouble {
        Trouble::NoOllama { place: self.place(), reason: reason.into() }
    }
}

/// Whether `name` can be a model's name: `qwen2.5:0.5b`, `hf.co/owner/model:Q4_K_M`.
#[must_use]
pub fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-:/".contains(&b);
    (1..=200).contains(&name.len()) && name.bytes().all(plain) && name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// `llama3` means `llama3:latest`; case does not count.
#[must_use]
pub fn same(have: &str, want: &str) -> bool {
    let full = |name: &str| {
        let name = name.trim().to_lowercase();
        if name.rsplit('/').next().is_some_and(|last| last.contains(':')) { name } else { format!("{name}:latest") }
    };
    full(have) == full(want)
}

/// Each layer tells for itself how far it is: its name, what is there, and its length.
fn count(layers: &mut Vec<(String, u64, u64)>, line: &Line) {
    let (Some(digest), Some(total)) = (&line.digest, line.total) else { return };
    let completed = line.completed.unwrap_or_default().min(total);
    if let Some(layer) = layers.iter_mut().find(|(name, ..)| name == digest) {
        (layer.1, layer.2) = (completed, total);
    } else if layers.len() < MOST_LAYERS {
        layers.push((digest.clone(), completed, total));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_models() {
        for name in ["qwen2.5:0.5b", "llama3", "hf.co/owner/Model-GGUF:Q4_K_M"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "a b", "ä", "../x", "-x", "a\nb", &"x".repeat(201)] {
            assert!(!is_name(name), "{name}");
        }
        assert!(same("llama3:latest", "llama3") && same("Qwen2.5:0.5B", "qwen2.5:0.5b") && !same("a:1", "a"));
    }
}
