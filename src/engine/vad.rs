//! Voice activity: which 20 ms of sound hold a voice.
//!
//! To add a detector, write a module that implements [`VoiceDetector`], name it in [`VadEngine`], and run
//! `cargo bench --bench vad`: docs/benchmarks.md has its table.

mod cascade;
mod neural;
mod webrtc;

use std::{fmt, str::FromStr};

use super::VoiceDetector;
use crate::audio::{VadFrame, level::Follower};

/// Which detector listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum VadEngine {
    /// WebRTC's Gaussian mixtures: the cheapest, and taken in by much that is not a voice.
    Webrtc,
    /// Earshot's small neural network.
    Earshot,
    /// Earshot, asked only where WebRTC hears something.
    #[default]
    Cascade,
}

impl VadEngine {
    pub const ALL: [Self; 3] = [Self::Webrtc, Self::Earshot, Self::Cascade];

    /// Its name in settings and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Webrtc => "webrtc",
            Self::Earshot => "earshot",
            Self::Cascade => "cascade",
        }
    }
}

impl fmt::Display for VadEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is no [`VadEngine`]'s.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown voice detector: {0}\nhint: set VAD_ENGINE to webrtc, earshot or cascade")]
pub struct UnknownVad(String);

impl FromStr for VadEngine {
    type Err = UnknownVad;

    fn from_str(name: &str) -> Result<Self, UnknownVad> {
        Self::ALL.into_iter().find(|engine| engine.as_str() == name).ok_or_else(|| UnknownVad(name.to_owned()))
    }
}

/// A fresh detector for one audio stream.
#[must_use]
pub fn detector(engine: VadEngine) -> Box<dyn VoiceDetector> {
    let detector: Box<dyn VoiceDetector> = match engine {
        VadEngine::Webrtc => Box::new(webrtc::Webrtc::new(webrtc::Strictness::Aggressive)),
        VadEngine::Earshot => Box::new(neural::Neural::new()),
        VadEngine::Cascade => Box::new(cascade::Cascade::new()),
    };
    Box::new(Raised { detector, level: Follower::new() })
}

/// A detector that hears quiet microphones and recordings raised.
struct Raised {
    detector: Box<dyn VoiceDetector>,
    level: Follower,
}

impl VoiceDetector for Raised {
    fn probability(&mut self, frame: &VadFrame) -> f32 {
        self.detector.probability(&self.level.raise(frame))
    }

    fn reset(&mut self) {
        self.detector.reset();
        self.level = Follower::new();
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::audio::{Framer, Mono16k, Pcm, Resampler, SampleRate, VadFrame, read_wav};

    /// Two seconds of silence, then a sentence.
    fn silence_then_speech() -> (Vec<VadFrame>, Vec<VadFrame>) {
        let spoken = Command::new("espeak-ng").args(["--stdout", "The train to the coast leaves at seven."]).output();
        let wav = spoken.expect("the tests need the `espeak-ng` command").stdout;
        let sentence = Resampler::whole(&read_wav(&wav[..]).expect("espeak-ng gives a WAV file"));
        (Framer::new().push(&Mono16k::silence(2_000)), Framer::new().push(&sentence))
    }

    fn voiced(detector: &mut dyn VoiceDetector, frames: &[VadFrame]) -> Vec<bool> {
        frames.iter().map(|frame| detector.probability(frame) >= 0.5).collect()
    }

    fn part(voiced: &[bool]) -> f64 {
        voiced.iter().filter(|&&voiced| voiced).count() as f64 / voiced.len() as f64
    }

    #[test]
    fn each_hears_speech_and_not_silence() {
        let (silence, speech) = silence_then_speech();
        for engine in VadEngine::ALL {
            let mut detector = detector(engine);
            assert!(part(&voiced(&mut *detector, &silence)) < 0.05, "{engine} hears silence");
            // espeak-ng leaves some silence at the end.
            assert!(part(&voiced(&mut *detector, &speech)) > 0.7, "{engine} is deaf");
        }
    }

    #[test]
    fn the_cascade_agrees_with_what_it_asks() {
        let (silence, speech) = silence_then_speech();
        let mut rounds = Vec::new();
        for engine in [VadEngine::Earshot, VadEngine::Cascade] {
            let mut detector = detector(engine);
            let round = [&silence, &speech, &silence, &speech].map(|frames| voiced(&mut *detector, frames));
            rounds.push(round.concat());
        }
        let differ = rounds[0].iter().zip(&rounds[1]).filter(|(a, b)| a != b).count();
        assert!(differ * 20 < rounds[0].len(), "{differ} of {} frames differ", rounds[0].len());
    }

    #[test]
    fn reset_forgets() {
        let (_, speech) = silence_then_speech();
        let mut noise = 1_u32;
        let noise = (0..48_000).map(|_| {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 16) as i16 / 16
        });
        let noise = Resampler::whole(&Pcm::new(SampleRate::HZ_16000, noise.collect()));
        let stream = [Framer::new().push(&noise), speech].concat();
        for engine in VadEngine::ALL {
            let mut detector = detector(engine);
            let mut hear = || stream.iter().map(|frame| detector.probability(frame)).collect::<Vec<_>>();
            let first = hear();
            assert!(first != hear(), "{engine} remembers nothing, so this test shows nothing");
            detector.reset();
            let again: Vec<f32> = stream.iter().map(|frame| detector.probability(frame)).collect();
            assert!(first == again, "{engine} remembers after a reset");
        }
    }

    #[test]
    fn a_detector_may_change_threads_on_its_way() {
        let (silence, speech) = silence_then_speech();
        for engine in VadEngine::ALL {
            let mut here = detector(engine);
            let stayed = [voiced(&mut *here, &silence), voiced(&mut *here, &speech)];
            let mut moved = detector(engine);
            let before = voiced(&mut *moved, &silence);
            let after = std::thread::scope(|scope| {
                let listen = || voiced(&mut *{ moved }, &speech);
                scope.spawn(listen).join().expect("the thread only listens")
            });
            assert_eq!(stayed, [before, after], "{engine}");
        }
    }

    #[test]
    fn names() {
        for engine in VadEngine::ALL {
            assert_eq!(engine.to_string().parse(), Ok(engine));
        }
        let error = "silero".parse::<VadEngine>().expect_err("no such detector");
        assert!(error.to_string().contains("silero") && error.to_string().contains("hint: set VAD_ENGINE"));
    }
}
