//! Segments: the stretches of a stream in which somebody speaks, found frame by frame.
//!
//! Pure: the only clock is the audio itself. A segment begins once enough of a short window was voiced, and then reaches
//! back over that window and some audio before it, so that no first sound is lost; it ends when whoever runs it says
//! so, out of how long it has been silent.

mod foreground;
#[cfg(test)]
mod tests;

use std::{collections::VecDeque, ops::Range};

use crate::{
    audio::{FRAME_MS, Mono16k, VadFrame, level::Follower},
    engine::VoiceDetector,
};

use foreground::{Background, Speaker, power};

/// What counts as speech.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentSettings {
    /// How sure the detector must be that a frame is voiced, 0 to 1.
    pub threshold: f32,
    /// What part of the threshold is enough for a frame that follows a voiced one, 0 to 1. Less than 1 holds noise
    /// for voice more often than it helps: gaps within words are bridged by those who read `silence_ms`.
    pub release: f32,
    /// From this probability on, a frame is the speaker's however quiet it is.
    pub sure: f32,
    /// Audio kept from before the first voiced frame, in ms; at most 5 000 are.
    pub prefix_ms: u32,
    /// Voiced time within `window_ms` that begins a segment, in ms.
    pub min_speech_ms: u32,
    /// See `min_speech_ms`.
    pub window_ms: u32,
    /// Voiced time without a gap after which a pause within a segment is over, in ms; a click is shorter.
    pub resume_ms: u32,
    /// In place of `threshold` while a reply sounds, if it is greater.
    pub guard_threshold: f32,
    /// In place of `min_speech_ms` while a reply sounds; the window grows with it.
    pub guard_min_speech_ms: u32,
}

impl Default for SegmentSettings {
    fn default() -> Self {
        Self {
            threshold: 0.5,
            release: 1.0,
            sure: 0.81,
            prefix_ms: 400,
            min_speech_ms: 100,
            window_ms: 200,
            resume_ms: 40,
            guard_threshold: 0.7,
            guard_min_speech_ms: 140,
        }
    }
}

/// What one frame meant.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    /// No segment is open.
    Nothing,
    /// A segment begins.
    Started {
        /// Where its audio begins, in ms of the stream.
        start_ms: u64,
        /// Its audio so far: what was kept from before, and all frames up to this one.
        audio: Mono16k,
    },
    /// The open segment goes on by this frame.
    Going {
        /// Whether somebody speaks now.
        voiced: bool,
        /// Voiced time in this segment so far.
        voiced_ms: u32,
        /// Time since the last voiced frame; 0 while `voiced`.
        silence_ms: u32,
    },
}

/// Finds segments in one audio stream.
pub struct Segmenter {
    detector: Box<dyn VoiceDetector>,
    settings: SegmentSettings,
    guard: bool,
    /// Frames heard so far.
    clock: u64,
    /// Frames that belong to no segment yet, the latest last.
    unclaimed: VecDeque<VadFrame>,
    /// The latest frames, whether a segment was open or not, the latest last: the power of those voiced.
    voiced: VecDeque<Option<f32>>,
    background: Background,
    /// What the detector hears is raised where the microphone is quiet.
    level: Follower,
    segment: Option<Segment>,
}

#[derive(Default)]
struct Segment {
    /// Whether [`Heard::Started`] was given.
    told: bool,
    /// Whether the last frame was voiced beyond doubt.
    speaking: bool,
    voiced_frames: u32,
    silent_frames: u32,
    /// Voiced frames after a pause, too few yet to end it.
    doubtful_frames: u32,
    speaker: Option<Speaker>,
}

impl Segmenter {
    #[must_use]
    pub fn new(detector: Box<dyn VoiceDetector>, settings: SegmentSettings) -> Self {
        Self {
            detector,
            settings,
            guard: false,
            clock: 0,
            unclaimed: VecDeque::new(),
            voiced: VecDeque::new(),
            background: Background::default(),
            level: Follower::new(),
            segment: None,
        }
    }

    /// Takes the stream's next frame.
    pub fn push(&mut self, frame: &VadFrame) -> Heard {
        self.clock += 1;
        let voiced = self.is_voiced(frame).then(|| power(frame));
        self.voiced.push_back(voiced);
        while self.voiced.len() > self.window_frames() {
            self.voiced.pop_front();
        }
        match &mut self.segment {
            Some(segment) if segment.told => {
                segment.hear(voiced, frames(self.settings.resume_ms));
                Heard::Going {
                    voiced: segment.speaking,
                    voiced_ms: segment.voiced_frames * FRAME_MS,
                    silence_ms: segment.silent_frames * FRAME_MS,
                }
            }
            Some(segment) => {
                segment.told = true;
                segment.hear(voiced, frames(self.settings.resume_ms));
                self.start(frame, 1)
            }
            None => {
                let found = self.voiced.iter().flatten().count();
                if voiced.is_none() || found < self.min_speech_frames() {
                    self.keep(frame);
                    return Heard::Nothing;
                }
                // Right after a close the window reaches back into the segment before, whose voice is not this one's.
                let voiced_frames = self.voiced.iter().rev().take(self.unclaimed.len() + 1).flatten().count() as u32;
                self.segment = Some(Segment {
                    told: true,
                    speaking: true,
                    voiced_frames,
                    speaker: Speaker::new(self.voiced.iter().flatten().copied()),
                    ..Segment::default()
                });
                let since = self.voiced.len() - self.voiced.iter().position(Option::is_some).unwrap_or(0);
                self.start(frame, since)
            }
        }
    }

    /// Closes the open segment, if there is one: the turn is over or forgotten. What comes after belongs to no segment
    /// until one starts, and is then its prefix.
    pub fn close(&mut self) {
        self.segment = None;
    }

    /// Forgets what was heard: no segment reaches back to it or begins because of it.
    pub fn forget(&mut self) {
        self.segment = None;
        self.voiced.clear();
        self.unclaimed.clear();
    }

    /// Opens a segment at the next frame, voiced or not, for those who say themselves when they speak.
    pub fn open(&mut self) {
        self.segment.get_or_insert_default();
    }

    /// Whether there was a voice just now, too short yet to be a segment.
    #[must_use]
    pub fn suspects(&self) -> bool {
        self.segment.is_none() && self.voiced.iter().any(Option::is_some)
    }

    /// Audio heard so far, in ms.
    #[must_use]
    pub const fn clock_ms(&self) -> u64 {
        self.clock * FRAME_MS as u64
    }

    #[must_use]
    pub const fn settings(&self) -> &SegmentSettings {
        &self.settings
    }

    /// Changes what counts as speech from the next frame on.
    pub fn update(&mut self, settings: SegmentSettings) {
        self.settings = settings;
    }

    /// While a reply sounds it may be heard through the microphone: more is asked then before a segment begins.
    pub fn set_guard(&mut self, guard: bool) {
        self.guard = guard;
    }

    fn is_voiced(&mut self, frame: &VadFrame) -> bool {
        let settings = &self.settings;
        let threshold = match &self.segment {
            None if self.guard => settings.threshold.max(settings.guard_threshold),
            _ => settings.threshold,
        };
        let probability = self.detector.probability(&self.level.raise(frame));
        let stands_out = self.background.stands_out(frame, probability, settings.threshold);
        let follows = matches!(self.voiced.back(), Some(Some(_)));
        let enough = if follows { threshold * settings.release } else { threshold };
        let speaker = self.segment.as_ref().and_then(|segment| segment.speaker.as_ref());
        probability >= enough
            && stands_out
            && (probability >= settings.sure
                || speaker.is_none_or(|speaker| speaker.reaches(self.background.level_db())))
    }

    fn min_speech_frames(&self) -> usize {
        let settings = &self.settings;
        let guarded = settings.min_speech_ms.max(settings.guard_min_speech_ms);
        frames(if self.guard { guarded } else { settings.min_speech_ms }).max(1) as usize
    }

    fn window_frames(&self) -> usize {
        let settings = &self.settings;
        let slack = settings.window_ms.saturating_sub(settings.min_speech_ms);
        self.min_speech_frames() + frames(slack) as usize
    }

    fn prefix_frames(&self) -> usize {
        frames(self.settings.prefix_ms.min(MAX_PREFIX_MS)) as usize
    }

    /// Keeps a frame that belongs to no segment, as long as a segment could still reach back to it.
    fn keep(&mut self, frame: &VadFrame) {
        let limit = self.prefix_frames() + self.window_frames();
        while self.unclaimed.len() >= limit {
            self.unclaimed.pop_front();
        }
        self.unclaimed.push_back(frame.clone());
    }

    /// Gives the new segment's audio: the last `since` frames, `frame` the last of them, and the prefix before.
    fn start(&mut self, frame: &VadFrame, since: usize) -> Heard {
        let before = since - 1 + self.prefix_frames();
        let mut audio = Mono16k::default();
        for kept in self.unclaimed.iter().skip(self.unclaimed.len().saturating_sub(before)) {
            audio.append_frame(kept);
        }
        audio.append_frame(frame);
        self.unclaimed.clear();
        Heard::Started { start_ms: self.clock_ms() - u64::from(audio.ms()), audio }
    }
}

impl Segment {
    /// `voiced`: the frame's power, if it was.
    fn hear(&mut self, voiced: Option<f32>, resume_frames: u32) {
        if let Some(power) = voiced {
            match &mut self.speaker {
                Some(speaker) => speaker.hear(power),
                None => self.speaker = Speaker::new(std::iter::once(power)),
            }
            self.doubtful_frames += 1;
            self.speaking |= self.doubtful_frames >= resume_frames;
        } else {
            self.doubtful_frames = 0;
            self.speaking = false;
        }
        if self.speaking {
            self.voiced_frames += self.doubtful_frames;
            self.doubtful_frames = 0;
            self.silent_frames = 0;
        } else {
            self.silent_frames += 1;
        }
    }
}

/// The prefix may come from the network, and is memory.
const MAX_PREFIX_MS: u32 = 5_000;

/// How many frames `ms` are, rounded up.
const fn frames(ms: u32) -> u32 {
    ms.div_ceil(FRAME_MS)
}

/// Width of the window [`quietest_point`] looks through: 60 ms at 16 kHz.
const QUIET_SAMPLES: usize = 960;

/// Where to cut a long utterance: the middle of the quietest 60 ms whose middle lies in `search` (sample indices,
/// clamped to the audio). Of equally quiet ones, the last.
#[must_use]
pub fn quietest_point(audio: &Mono16k, search: Range<usize>) -> usize {
    let samples = audio.samples();
    let end = search.end.min(samples.len());
    let start = search.start.min(end);
    let half = QUIET_SAMPLES / 2;
    let energy = |sample: i16| i64::from(sample).pow(2);
    // The window runs from `first` to `last`, cut short where the audio ends.
    let bounds = |middle: usize| (middle.saturating_sub(half), (middle + half).min(samples.len()));
    let (mut first, mut last) = bounds(start);
    let mut sum: i64 = samples[first..last].iter().map(|&s| energy(s)).sum();
    // Means, not sums, or the shorter windows at the edges would seem quiet; compared crosswise to stay exact.
    let (mut best, mut best_sum, mut best_len) = (start, sum, (last - first) as i64);
    for middle in start + 1..end {
        let (new_first, new_last) = bounds(middle);
        sum -= samples[first..new_first].iter().map(|&s| energy(s)).sum::<i64>();
        sum += samples[last..new_last].iter().map(|&s| energy(s)).sum::<i64>();
        (first, last) = (new_first, new_last);
        let length = (last - first) as i64;
        if sum * best_len <= best_sum * length {
            (best, best_sum, best_len) = (middle, sum, length);
        }
    }
    best
}
