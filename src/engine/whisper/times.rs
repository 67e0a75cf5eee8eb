//! Word times set right by the sound itself.
//!
//! The decoder's attention tells well which part of the audio a word was read from, but knows no pauses: a boundary
//! next to one lies anywhere near it, and the word after it seems to begin before it. Where the audio has a pause, its
//! edges are better.

use crate::{audio::Mono16k, model::Word};

/// Length of the frames in which loudness is looked at.
const FRAME_MS: u32 = 10;
const FRAME: usize = 160;
/// A shorter quiet stretch may lie within a word: the closure of a "t".
const PAUSE_FRAMES: usize = 10;
/// A pause farther than this from any boundary between words belongs to none.
const REACH_MS: u32 = 400;
/// With less between loud and quiet, noise hides the pauses.
const LEAST_CONTRAST_DB: f32 = 18.0;

/// Moves the boundaries of `words` to the edges of the pauses they are near.
pub fn settle(words: &mut [Word], audio: &Mono16k) {
    let quiet = quiet_stretches(audio);
    if words.is_empty() {
        return;
    }
    let end = audio.ms();
    let mut taken = vec![false; words.len()];
    for (from, to) in quiet {
        if from == 0 {
            let first = &mut words[0];
            first.start_ms = to.min(first.end_ms.saturating_sub(FRAME_MS));
        } else if to >= end {
            if let Some(last) = words.last_mut()
                && from > last.start_ms
            {
                last.end_ms = from;
            }
        } else {
            // The boundary behind word `at` that is nearest, if it was not moved yet.
            let distance = |word: &Word| word.end_ms.saturating_sub(to).max(from.saturating_sub(word.end_ms));
            let nearest = (0..words.len().saturating_sub(1)).min_by_key(|at| distance(&words[*at]));
            if let Some(at) = nearest
                && distance(&words[at]) <= REACH_MS
                && !taken[at]
                && words[at].start_ms < from
                && words[at + 1].end_ms > to
            {
                taken[at] = true;
                words[at].end_ms = from;
                words[at + 1].start_ms = to;
            }
        }
    }
}

/// Pauses, and the silence at either end, in ms.
fn quiet_stretches(audio: &Mono16k) -> Vec<(u32, u32)> {
    let loudness: Vec<f32> = audio
        .samples()
        .chunks(FRAME)
        .map(|frame| {
            let energy: f32 = frame.iter().map(|sample| f32::from(*sample).powi(2)).sum();
            10.0 * (energy / frame.len() as f32 + 1.0).log10()
        })
        .collect();
    let mut sorted = loudness.clone();
    sorted.sort_by(f32::total_cmp);
    let at = |part: f32| sorted.get((part * sorted.len() as f32) as usize).copied().unwrap_or(0.0);
    let (loud, floor) = (at(0.9), at(0.02));
    if loud - floor < LEAST_CONTRAST_DB {
        return vec![];
    }
    let threshold = floor.max(loud - 45.0) + (loud - floor).min(45.0) * 0.3;
    let mut stretches = vec![];
    let mut since = None;
    for (index, level) in loudness.iter().chain(&[f32::INFINITY]).enumerate() {
        if *level < threshold {
            since.get_or_insert(index);
        } else if let Some(from) = since.take() {
            let edge = from == 0 || index == loudness.len();
            if edge || index - from >= PAUSE_FRAMES {
                stretches.push((from as u32 * FRAME_MS, index as u32 * FRAME_MS));
            }
        }
    }
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::{Pcm, Resampler, SampleRate};

    fn word(start_ms: u32, end_ms: u32) -> Word {
        Word { text: String::new(), start_ms, end_ms, probability: 1.0 }
    }

    fn sound(stretches: &[(u32, i16)]) -> Mono16k {
        let samples = stretches.iter().flat_map(|(ms, level)| {
            (0..SampleRate::HZ_16000.samples_in_ms(*ms)).map(move |i| if i % 2 == 0 { *level } else { -*level })
        });
        Resampler::whole(&Pcm::new(SampleRate::HZ_16000, samples.collect()))
    }

    fn settled(words: &[(u32, u32)], audio: &Mono16k) -> Vec<(u32, u32)> {
        let mut words: Vec<Word> = words.iter().map(|(a, b)| word(*a, *b)).collect();
        settle(&mut words, audio);
        words.iter().map(|word| (word.start_ms, word.end_ms)).collect()
    }

    #[test]
    fn boundaries_move_to_the_pause_they_are_near() {
        let audio = sound(&[(200, 5), (500, 8000), (600, 5), (400, 8000), (300, 5)]);
        let near = |found: Vec<(u32, u32)>| {
            let want = [(200, 700), (1300, 1700)];
            found.iter().zip(want).all(|(a, b)| a.0.abs_diff(b.0) <= 20 && a.1.abs_diff(b.1) <= 20)
        };
        for boundary in [640, 900, 1400] {
            let found = settled(&[(0, boundary), (boundary, 1650)], &audio);
            assert!(near(found.clone()), "{boundary}: {found:?}");
        }
    }

    #[test]
    fn without_a_clear_pause_nothing_moves() {
        let words = [(0, 400), (400, 900)];
        for audio in [sound(&[(1000, 8000)]), sound(&[(400, 8000), (60, 5), (540, 8000)]), Mono16k::silence(1000)] {
            assert_eq!(settled(&words, &audio), words);
        }
        assert!(settled(&[], &Mono16k::silence(500)).is_empty());
    }
}
