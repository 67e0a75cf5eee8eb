//! Recordings of people through every door, with a real Whisper model (tiny.en in 5 bits, and base for other languages):
//! nothing is left out, nothing is written twice, what was called stable stays, and few words are wrong.
//!
//! The recordings and their licences are in `tests/recordings/real/`, the models come by `make real-models`. How good and how
//! fast it is, `make quality` tells; here only what must hold on any machine.

mod files;
mod languages;
mod live;
mod spoken;
mod tally;

use std::path::{Path, PathBuf};

use aigolos::{
    app::{self, config::Config},
    engine::Engines,
};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::harness::TestServer;

pub const ENGLISH: &str = "ggml-tiny.en-q5_1.bin";
pub const MULTILINGUAL: &str = "ggml-base-q5_1.bin";

/// Where a model lies: in the folder that `TEST_MODELS` names, else where `make real-models` puts it.
pub fn model(file: &str) -> PathBuf {
    let usual = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/models");
    let path = std::env::var_os("TEST_MODELS").map_or(usual, PathBuf::from).join(file);
    assert!(
        path.is_file(),
        "there is no {}\nhint: run `make real-models` first, or let TEST_MODELS name its folder",
        path.display()
    );
    path
}

/// A server with a real recogniser; the engines are loaded once for all tests.
pub async fn server(file: &'static str, flags: &[&str]) -> (TestServer, TempDir) {
    static ENGLISH_ENGINES: OnceCell<Engines> = OnceCell::const_new();
    static OTHER_ENGINES: OnceCell<Engines> = OnceCell::const_new();
    let cell = if file == ENGLISH { &ENGLISH_ENGINES } else { &OTHER_ENGINES };
    let engines = cell.get_or_init(async || load(file).await).await.clone();
    let folder = tempfile::tempdir().expect("a scratch folder");
    (TestServer::start_with(folder.path(), flags, Some(engines)).await, folder)
}

async fn load(file: &str) -> Engines {
    let path = model(file);
    let path = path.to_str().expect("a plain path");
    let line = ["aigolos", "--asr-model-name", path, "--tts-engine", "espeak", "--llm-backend", "builtin"];
    let (_, config) = Config::parse(line.map(Into::into)).expect("valid");
    app::engines(&config).await.expect("a model that loads")
}
