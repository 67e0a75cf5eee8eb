//! What the detectors are shown, all of it made here: sentences spoken by espeak-ng and flite, and noises by formula.

use std::{f64::consts::TAU, process::Command};

use aigolos::audio::{Mono16k, Pcm, Resampler, SampleRate, read_wav};

const HZ: f64 = 16_000.0;
const FRAME: usize = aigolos::audio::FRAME_SAMPLES;

/// Sentences and voices of one run. Thresholds are chosen on one set and reported on the other.
pub struct Cast {
    pub espeak: &'static [(&'static str, u32)],
    pub flite: &'static [&'static str],
    pub sentences: &'static [&'static str],
    pub crowd: &'static [(&'static str, u32)],
    pub seed: u64,
}

pub const TUNING: Cast = Cast {
    espeak: &[("en-us", 165), ("en-gb-x-rp+f2", 175), ("en-us+m3", 150), ("de+f4", 160)],
    flite: &["slt", "kal16"],
    sentences: &[
        "Good morning, how are you today?",
        "Yes.",
        "The train to the coast leaves at seven.",
        "Could you set a timer for ten minutes please?",
        "No, stop.",
        "I left my keys on the kitchen table, and now I cannot find them.",
        "Six thick thistle sticks.",
        "Tell me a joke.",
    ],
    crowd: &[("en-us+f1", 170), ("en-gb+m1", 160), ("en-us+m5", 180), ("en-gb-scotland+f3", 150), ("en-029+m2", 165)],
    seed: 1,
};

pub const REPORT: Cast = Cast {
    espeak: &[("en-gb", 170), ("en-gb-scotland+f3", 160), ("en-us+m7", 185), ("ru+f1", 150)],
    flite: &["rms", "awb"],
    sentences: &[
        "Hello there, what time is it?",
        "Okay.",
        "My sister bought fresh fish and chips on Saturday.",
        "What is the weather like in the mountains this week?",
        "Wait, go back.",
        "She sells old books near the harbour, but only when the sun shines.",
        "Seven hundred and forty two.",
        "Thank you, that is all.",
    ],
    crowd: &[
        ("en-us+f5", 160),
        ("en-gb+m4", 175),
        ("en-us+m2", 150),
        ("en-gb-x-gbclan+f4", 170),
        ("en-gb-x-gbcwmd", 165),
    ],
    seed: 20_240_229,
};

/// Utterances with pauses between them.
pub struct Speech {
    pub samples: Vec<f64>,
    /// First and last sample of each utterance in which there is sound.
    pub utterances: Vec<(usize, usize)>,
    /// Per frame: whether the clean signal holds speech there; `None` for pauses within utterances and close edges.
    pub truth: Vec<Option<bool>>,
}

/// Root mean square of speech where somebody speaks, in samples: -26 dB of full scale.
pub const LEVEL: f64 = 1_640.0;

/// Every sentence by every voice, each with 1.5 to 2.5 s of pause before it.
pub fn speech(cast: &Cast) -> Speech {
    let mut random = Random(cast.seed);
    let mut samples = Vec::new();
    let mut utterances = Vec::new();
    let mut spoken = Vec::new();
    for sentence in cast.sentences {
        spoken.extend(cast.espeak.iter().map(|&(voice, speed)| espeak(voice, speed, sentence)));
        spoken.extend(cast.flite.iter().filter_map(|voice| flite(voice, sentence)));
    }
    for utterance in spoken {
        samples.extend(std::iter::repeat_n(0.0, (HZ * (1.5 + random.unit())) as usize));
        let start = samples.len();
        let utterance = levelled(&utterance);
        utterances.push((start, start + utterance.len()));
        samples.extend(utterance);
    }
    samples.extend(std::iter::repeat_n(0.0, 2 * HZ as usize));
    let truth = truth(&samples, &utterances);
    Speech { samples, utterances, truth }
}

/// Sure speech is what lies within 30 dB of an utterance's loudest frame, sure silence what is 200 ms from any.
fn truth(samples: &[f64], utterances: &[(usize, usize)]) -> Vec<Option<bool>> {
    let power = |frame: &[f64]| frame.iter().map(|s| s * s).sum::<f64>();
    (0..samples.len() / FRAME)
        .map(|n| {
            let (first, last) = (n * FRAME, (n + 1) * FRAME);
            let margin = HZ as usize / 5;
            let near = utterances.iter().find(|&&(start, end)| first < end + margin && last + margin > start);
            let Some(&(start, end)) = near else { return Some(false) };
            let loudest = samples[start..end].chunks(FRAME).map(power).fold(0.0, f64::max);
            (first >= start && last <= end && power(&samples[first..last]) > loudest / 1_000.0).then_some(true)
        })
        .collect()
}

/// The utterance without silence at its edges (40 dB below its loudest frame), at the usual level.
fn levelled(utterance: &Mono16k) -> Vec<f64> {
    let samples: Vec<f64> = utterance.samples().iter().map(|&s| f64::from(s)).collect();
    let powers: Vec<f64> = samples.chunks(80).map(|part| part.iter().map(|s| s * s).sum()).collect();
    let loudest = powers.iter().copied().fold(0.0, f64::max);
    let loud = |power: &f64| *power > loudest / 10_000.0;
    let (Some(first), Some(last)) = (powers.iter().position(loud), powers.iter().rposition(loud)) else {
        return Vec::new();
    };
    let sound = &samples[first * 80..((last + 1) * 80).min(samples.len())];
    let active: Vec<f64> = powers.iter().copied().filter(|&power| power > loudest / 1_000.0).collect();
    let rms = (active.iter().sum::<f64>() / (80 * active.len()) as f64).sqrt();
    sound.iter().map(|s| s * LEVEL / rms).collect()
}

fn espeak(voice: &str, speed: u32, sentence: &str) -> Mono16k {
    let output = Command::new("espeak-ng")
        .args(["-v", voice, "-s", &speed.to_string(), "--stdout", sentence])
        .output()
        .expect("the bench needs the `espeak-ng` command");
    Resampler::whole(&read_wav(&output.stdout[..]).expect("espeak-ng gives a WAV file"))
}

/// `None` where flite is not installed.
fn flite(voice: &str, sentence: &str) -> Option<Mono16k> {
    let file = std::env::temp_dir().join(format!("aigolos-vad-bench-{}.wav", std::process::id()));
    Command::new("flite").args(["-voice", voice, "-t", sentence, "-o"]).arg(&file).output().ok()?;
    let pcm = read_wav(std::fs::File::open(&file).ok()?).expect("flite gives a WAV file");
    std::fs::remove_file(&file).expect("the file was just written");
    Some(Resampler::whole(&pcm))
}

/// `speech` with `noise` so many dB below it.
pub fn mix(speech: &[f64], noise: &[f64], snr_db: f64) -> Mono16k {
    let power = noise.iter().map(|s| s * s).sum::<f64>() / noise.len() as f64;
    let gain = LEVEL / power.sqrt() / 10_f64.powf(snr_db / 20.0);
    sound(speech.iter().zip(noise.iter().cycle()).map(|(s, n)| s + gain * n))
}

/// Rounds with a little dither, as a converter does.
pub fn sound(samples: impl Iterator<Item = f64>) -> Mono16k {
    let mut random = Random(99);
    let samples = samples.map(|s| (s + random.unit() - 0.5).round() as i16).collect();
    Resampler::whole(&Pcm::new(SampleRate::HZ_16000, samples))
}

/// Noises to lay under speech, by name.
pub fn backgrounds(cast: &Cast) -> [(&'static str, Vec<f64>); 3] {
    let length = 60 * HZ as usize;
    [("white", white(length, cast.seed + 1)), ("pink", pink(length, cast.seed + 2)), ("babble", babble(cast))]
}

/// Sounds without a voice, a minute each, by name.
pub fn voiceless(cast: &Cast) -> [(&'static str, Vec<f64>); 6] {
    let length = 60 * HZ as usize;
    [
        ("silence", vec![0.0; length]),
        ("white noise", at_level(white(length, cast.seed + 3), 500.0)),
        ("mains hum", hum(length)),
        ("fan", fan(length, cast.seed + 4)),
        ("music", music(length, cast.seed + 5)),
        ("key clicks", clicks(length, cast.seed + 6)),
    ]
}

fn at_level(mut samples: Vec<f64>, rms: f64) -> Vec<f64> {
    let power = samples.iter().map(|s| s * s).sum::<f64>() / samples.len() as f64;
    let gain = rms / power.sqrt();
    for sample in &mut samples {
        *sample *= gain;
    }
    samples
}

fn white(length: usize, seed: u64) -> Vec<f64> {
    let mut random = Random(seed);
    (0..length).map(|_| random.normal()).collect()
}

/// 3 dB less per octave: Voss's sum of random values, each renewed half as often as the one before.
fn pink(length: usize, seed: u64) -> Vec<f64> {
    let mut random = Random(seed);
    let mut rows = [0.0; 14];
    (1..=length)
        .map(|n: usize| {
            rows[(n.trailing_zeros() as usize).min(13)] = random.normal();
            rows.iter().sum::<f64>() + random.normal()
        })
        .collect()
}

/// Several people talking without a pause.
fn babble(cast: &Cast) -> Vec<f64> {
    let text = "People came and went all evening, some of them laughing, others deep in talk about the harvest, the new \
                bridge and the price of bread, while the waiters carried plates between the tables and called to the \
                kitchen for more. Nobody noticed the rain.";
    let talkers: Vec<Vec<f64>> =
        cast.crowd.iter().map(|&(voice, speed)| levelled(&espeak(voice, speed, text))).collect();
    (0..30 * HZ as usize)
        .map(|n| talkers.iter().enumerate().map(|(i, talker)| talker[(n + i * 37_000) % talker.len()]).sum::<f64>())
        .collect()
}

/// 50 Hz and what a bad supply adds to it.
fn hum(length: usize) -> Vec<f64> {
    let parts = [(50.0, 1.0), (100.0, 0.6), (150.0, 0.5), (250.0, 0.3), (350.0, 0.15), (450.0, 0.1), (1_050.0, 0.04)];
    let wave = |n: usize| parts.iter().map(|(hz, gain)| gain * (TAU * hz * n as f64 / HZ).sin()).sum();
    at_level((0..length).map(wave).collect(), 800.0)
}

/// Rumbling air, swelling as the blades turn, and a faint tone of the motor.
fn fan(length: usize, seed: u64) -> Vec<f64> {
    let mut random = Random(seed);
    let mut brown = 0.0;
    let air = (0..length).map(|n| {
        let time = n as f64 / HZ;
        brown = 0.98 * brown + random.normal();
        let swell = 1.0 + 0.3 * (TAU * 23.0 * time).sin();
        brown * swell + 0.3 * random.normal() + 0.5 * (TAU * 138.0 * time).sin()
    });
    at_level(air.collect(), 800.0)
}

/// Chords under an arpeggio, notes with overtones that die away.
fn music(length: usize, seed: u64) -> Vec<f64> {
    let mut random = Random(seed);
    let chords = [[57, 60, 64], [53, 57, 60], [48, 52, 55], [55, 59, 62]];
    let mut samples = vec![0.0; length];
    let mut note = |at: f64, key: i32, seconds: f64, gain: f64| {
        let hz = 440.0 * 2_f64.powf(f64::from(key - 69) / 12.0);
        let start = (at * HZ) as usize;
        for n in 0..(seconds * HZ) as usize {
            let Some(sample) = samples.get_mut(start + n) else { return };
            let time = n as f64 / HZ;
            let envelope = (time * 200.0).min(1.0) * (-3.0 * time / seconds).exp();
            let tones: f64 = (1..=6).map(|h| (TAU * hz * f64::from(h) * time).sin() / f64::from(h * h)).sum();
            *sample += gain * envelope * tones;
        }
    };
    for bar in 0..length / (2 * HZ as usize) {
        let chord = chords[bar % 4];
        for key in chord {
            note(2.0 * bar as f64, key, 2.0, 1.0);
        }
        for step in 0..8 {
            let key = chord[(step * 2 + bar) % 3] + 12 * (1 + (random.unit() * 2.0) as i32);
            note(2.0 * bar as f64 + 0.25 * step as f64, key, 0.6, 0.8);
        }
    }
    at_level(samples, LEVEL)
}

/// Somebody typing: two clicks a key, some of them loud, in bursts with pauses.
fn clicks(length: usize, seed: u64) -> Vec<f64> {
    let mut random = Random(seed);
    let mut samples = vec![0.0; length];
    let mut at = 0.5;
    while at < length as f64 / HZ - 1.0 {
        for (delay, gain) in [(0.0, 1.0), (0.06 + 0.05 * random.unit(), 0.5)] {
            let (ring, decay) = (1_500.0 + 3_000.0 * random.unit(), 150.0 + 250.0 * random.unit());
            let loud = gain * 6_000.0 * (0.3 + random.unit());
            let start = ((at + delay) * HZ) as usize;
            for n in 0..800 {
                let time = n as f64 / HZ;
                let body = 0.6 * random.normal() + (TAU * ring * time).sin();
                samples[start + n] += loud * body * (-decay * time).exp();
            }
        }
        at += if random.unit() < 0.1 { 1.0 + random.unit() } else { 0.1 + 0.15 * random.unit() };
    }
    samples
}

/// SplitMix64: the same numbers on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// 0 to 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.unit()).ln()).sqrt() * (TAU * self.unit()).cos()
    }
}
