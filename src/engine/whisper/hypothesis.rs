//! What one decode gave, and how it compares with another.

use whisper_rs::WhisperState;

use super::{
    guard::{self, Evidence},
    text::{self, Piece},
};
use crate::model::Word;

/// What one decode gave.
pub struct Hypothesis {
    pub words: Vec<Word>,
    pub tokens: Vec<i32>,
    /// Over the text tokens and the end token.
    pub mean_log_probability: f32,
    /// Stopped by the bound on its tokens.
    pub cut_off: bool,
}

impl Hypothesis {
    /// What was decoded last; `most` is the bound on its tokens.
    pub fn collect(state: &WhisperState, end: i32, most: i32) -> Self {
        let (mut pieces, mut tokens) = (Vec::new(), Vec::new());
        let (mut sum, mut count) = (0.0_f32, 0_u16);
        let mut cut_off = false;
        for segment in state.as_iter() {
            cut_off |= segment.n_tokens() > most;
            for token in (0..segment.n_tokens()).filter_map(|index| segment.get_token(index)) {
                let data = token.token_data();
                if data.id > end {
                    continue; // a timestamp
                }
                sum += data.plog;
                count += 1;
                if data.id < end {
                    tokens.push(data.id);
                }
                if data.id < end
                    && let Ok(bytes) = token.to_bytes()
                {
                    let end_ms = u32::try_from(data.t_dtw * 10).ok();
                    pieces.push(Piece { bytes: bytes.to_vec(), probability: data.p, end_ms });
                }
            }
        }
        let mean_log_probability = if count == 0 { 0.0 } else { sum / f32::from(count) };
        Self { words: text::words(&pieces), tokens, mean_log_probability, cut_off }
    }

    pub fn bare(&self) -> Vec<String> {
        self.words.iter().map(|word| guard::bare(&word.text)).filter(|word| !word.is_empty()).collect()
    }

    pub fn evidence<'a>(&self, bare: &'a [String], audio_ms: u32) -> Evidence<'a> {
        let (mean_log_probability, cut_off) = (self.mean_log_probability, self.cut_off);
        Evidence { words: bare, mean_log_probability, audio_ms, cut_off }
    }

    /// Of results in doubt the greatest is taken: text before none, what can have been said before what cannot, then what
    /// the model is surer of.
    pub fn score(&self, audio_ms: u32) -> (bool, bool, f32) {
        let bare = self.bare();
        let possible = !self.cut_off && !self.evidence(&bare, audio_ms).impossible();
        (!bare.is_empty(), possible, self.mean_log_probability)
    }

    /// Takes out of a loop what was not said: of the repeated words two rounds stay.
    pub fn shorten(&mut self, bare: &[String]) {
        let Some(repeated) = guard::repetition(bare) else { return };
        // `bare` leaves out words without letters.
        let mut at = 0;
        let cut = repeated.from + 2 * repeated.length..repeated.from + repeated.words;
        self.words.retain(|word| {
            let counts = !guard::bare(&word.text).is_empty();
            let keep = !cut.contains(&at);
            at += usize::from(counts);
            keep
        });
        self.tokens.clear();
    }
}
