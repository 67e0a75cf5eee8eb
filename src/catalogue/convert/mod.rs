//! Whisper weights as CTranslate2 stores them become the ggml file that whisper.cpp reads, with the same numbers:
//! f16, or quantised to q8_0 or q5_1 as whisper.cpp's own tool does it.
//!
//! Weights are read and written in pieces, so that a large model needs no more memory than a small one.

mod ct2;
mod ggml;
mod half;
mod mel;
mod quantise;
mod vocabulary;
mod whisper;

use std::{io, path::Path};

pub(super) use self::quantise::Form;

/// Why there is no ggml file.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConvertError {
    #[error("{0}")]
    Input(String),
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Writes the model in `weights` (CTranslate2's `model.bin`) and `tokenizer` (`tokenizer.json`) to `out`. `go_on` is
/// asked between pieces.
///
/// # Errors
/// [`ConvertError`] if they are not a Whisper model in half or single precision, or `go_on` says no
/// ([`io::ErrorKind::Interrupted`]).
pub(super) fn convert(
    weights: &Path,
    tokenizer: &Path,
    form: Form,
    out: &Path,
    go_on: &dyn Fn() -> bool,
) -> Result<(), ConvertError> {
    let mut weights = ct2::Weights::open(weights)?;
    let plan = whisper::Plan::of(&weights)?;
    let tokens = vocabulary::tokens(tokenizer, plan.sizes.vocabulary)?;
    ggml::write(&mut weights, &plan, &tokens, form, out, go_on)
}

fn input(reason: impl Into<String>) -> ConvertError {
    ConvertError::Input(reason.into())
}

#[cfg(test)]
mod tests;
