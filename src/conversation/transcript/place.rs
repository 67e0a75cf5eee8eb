//! Words and their places in the sound.

use super::{MS, units::Unit};
use crate::{audio::Mono16k, model::Word};

/// Gives the known units, and the units behind them, the times of the heard words they correspond to: `heard` of
/// `words` belong to `known`, whose number may differ if a word was misheard.
pub(super) fn place(known: &[Unit], rest: &[Unit], heard: usize, words: &[Word]) -> Vec<Word> {
    if words.len() < heard + rest.len() {
        return vec![];
    }
    let at = |index: usize, unit: &Unit| Word { text: unit.text().to_owned(), ..words[index].clone() };
    let known = known.iter().enumerate().filter(|_| heard > 0).map(|(i, unit)| (i * heard / known.len().max(1), unit));
    known.chain(rest.iter().enumerate().map(|(i, unit)| (heard + i, unit))).map(|(i, unit)| at(i, unit)).collect()
}

/// The middle of a word, in samples of the audio its times count from.
pub(super) fn middle(word: &Word) -> usize {
    u32::midpoint(word.start_ms, word.end_ms) as usize * MS
}

/// Sum of magnitudes in the 20 ms around `at`.
pub(super) fn loudness(audio: &Mono16k, at: usize) -> u64 {
    let around = at.saturating_sub(10 * MS)..(at + 10 * MS).min(audio.len());
    audio.samples()[around].iter().map(|sample| u64::from(sample.unsigned_abs())).sum()
}
