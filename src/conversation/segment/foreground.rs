//! Who is near: the speaker's level against that of voices and sounds behind.
//!
//! A detector of voices cannot help where the background is voices too (other people, a television) or sounds like
//! them. Then loudness decides: against the quietest of the last seconds (minimum statistics, after Martin's
//! noise estimation) while nobody is known to speak, against the speaker once somebody does.

use std::collections::VecDeque;

use crate::audio::VadFrame;

/// Frames over which the background is averaged before its minimum is taken: 100 ms.
const SMOOTH: usize = 5;
/// Frames over which a level is taken: 60 ms.
const LEVEL: usize = 3;
/// The minimum reaches back so many blocks of so many frames: 4 s, in which even who talks on draws breath. Nothing
/// is said before that much was heard.
const BLOCKS: usize = 8;
const BLOCK: u32 = 25;
/// A background whose voice probability never falls below this part of the threshold cannot be told by that alone.
const VOICELIKE: f32 = 0.92;
/// How far above such a background the speaker must be, in dB.
const ABOVE_FLOOR_DB: f32 = 10.0;
/// What is so far below the speaker, in dB, is somebody or something else.
const BELOW_SPEAKER_DB: f32 = 14.0;
/// Frames in which the speaker's level follows: 1 s.
const FOLLOW: f32 = 50.0;

/// The sound of the last seconds.
#[derive(Default)]
pub struct Background {
    /// Power and voice probability of the latest frames.
    latest: VecDeque<Floor>,
    /// The least of each block, the latest last, and of the block under way.
    blocks: VecDeque<Floor>,
    block: Option<Floor>,
    frames: u32,
}

#[derive(Clone, Copy)]
struct Floor {
    power: f32,
    probability: f32,
}

impl Background {
    /// Takes the next frame; whether it stands out of what was before.
    pub fn stands_out(&mut self, frame: &VadFrame, probability: f32, threshold: f32) -> bool {
        let floor = self.blocks.iter().chain(&self.block).copied().reduce(Floor::least);
        if self.latest.len() == SMOOTH {
            self.latest.pop_front();
        }
        self.latest.push_back(Floor { power: power(frame), probability });
        self.note();
        self.blocks.len() < BLOCKS
            || floor.is_none_or(|floor| {
                floor.probability < VOICELIKE * threshold || self.level_db() >= decibels(floor.power) + ABOVE_FLOOR_DB
            })
    }

    /// Level of the last 60 ms in dB.
    pub fn level_db(&self) -> f32 {
        let count = self.latest.len().clamp(1, LEVEL);
        decibels(self.latest.iter().rev().take(LEVEL).map(|frame| frame.power).sum::<f32>() / count as f32)
    }

    fn note(&mut self) {
        let count = self.latest.len() as f32;
        let mean = Floor {
            power: self.latest.iter().map(|frame| frame.power).sum::<f32>() / count,
            probability: self.latest.iter().map(|frame| frame.probability).sum::<f32>() / count,
        };
        self.block = Some(self.block.map_or(mean, |block| block.least(mean)));
        self.frames += 1;
        if self.frames == BLOCK {
            self.frames = 0;
            if self.blocks.len() == BLOCKS {
                self.blocks.pop_front();
            }
            self.blocks.extend(self.block.take());
        }
    }
}

impl Floor {
    fn least(self, other: Self) -> Self {
        Self { power: self.power.min(other.power), probability: self.probability.min(other.probability) }
    }
}

/// How loud the one who speaks is.
pub struct Speaker {
    power: f32,
}

impl Speaker {
    /// `powers` of the first voiced frames; `None` if there are none yet.
    pub fn new(powers: impl Iterator<Item = f32>) -> Option<Self> {
        let (sum, count) = powers.fold((0.0, 0), |(sum, count), power| (sum + power, count + 1));
        (count > 0).then(|| Self { power: sum / count as f32 })
    }

    /// Whether a sound of that level can be theirs.
    pub fn reaches(&self, level_db: f32) -> bool {
        level_db >= decibels(self.power) - BELOW_SPEAKER_DB
    }

    /// Takes the power of another voiced frame.
    pub fn hear(&mut self, power: f32) {
        self.power += (power - self.power) / FOLLOW;
    }
}

/// Mean square of the samples.
pub fn power(frame: &VadFrame) -> f32 {
    let samples = frame.samples();
    samples.iter().map(|&s| f32::from(s).powi(2)).sum::<f32>() / samples.len() as f32
}

/// 0 dB is a square of 1: full scale is 90 dB.
fn decibels(power: f32) -> f32 {
    10.0 * (power + 1.0).log10()
}
