//! What `aigolos` does besides serving.

use std::{fs, path::Path, process::ExitCode};

use super::config::Config;

type Outcome = Result<ExitCode, Box<dyn std::error::Error>>;

/// `aigolos config`.
pub fn print_config(config: &Config) -> Outcome {
    print!("{}", config.redacted());
    Ok(ExitCode::SUCCESS)
}
pub async fn transcribe(_: &Config, _: &Path, _: bool) -> Outcome {
    let _ = fs::read("");
    todo!()
}
pub async fn say(_: &Config, _: &str, _: &Path, _: Option<String>) -> Outcome {
    todo!()
}
