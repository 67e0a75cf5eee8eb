//! What a detector found, set against what was there.

use aigolos::{
    audio::{FRAME_MS, FRAME_SAMPLES, Framer, Mono16k, VadFrame},
    conversation::segment::{Heard, SegmentSettings, Segmenter},
    engine::vad::{VadEngine, detector},
};

use crate::sounds::Speech;

/// Silence that ends a segment here, as it ends a turn by default.
const END_MS: u32 = 500;

/// A segment as it was found, in ms of the stream.
struct Found {
    /// Its audio begins.
    audio: f64,
    /// It was announced.
    told: f64,
    /// Its first announced voice, at most `told`.
    voice: f64,
    /// Its last voice.
    end: f64,
}

/// Frame by frame, the detector alone at a probability of one half, in percent; NaN where there is none to find.
pub struct Frames {
    pub found: f64,
    pub false_speech: f64,
}

/// Segment by segment.
pub struct Segments {
    pub utterances: usize,
    pub found: usize,
    /// Utterances cut in two, counted per cut.
    pub split: usize,
    pub false_per_minute: f64,
    /// Part of the time outside utterances that was taken for speech, in percent.
    pub false_time: f64,
    /// From an utterance's start to its announcement, ms: median and 95th percentile.
    pub delay: [f64; 2],
    /// Sound lost at the start, ms: 95th percentile.
    pub clipped_start: f64,
    /// Found end minus true end, ms: 5th, 50th and 95th percentile. Less than 0 is too early.
    pub end: [f64; 3],
}

pub fn frames(engine: VadEngine, sound: &Mono16k, truth: &[Option<bool>]) -> Frames {
    let mut detector = detector(engine);
    let (mut speech, mut silence) = ([0; 2], [0; 2]);
    for (frame, truth) in Framer::new().push(sound).iter().zip(truth) {
        let voiced = usize::from(detector.probability(frame) >= 0.5);
        match truth {
            Some(true) => speech[voiced] += 1,
            Some(false) => silence[voiced] += 1,
            None => {}
        }
    }
    let percent = |[no, yes]: [i32; 2]| 100.0 * f64::from(yes) / f64::from(no + yes);
    Frames { found: percent(speech), false_speech: percent(silence) }
}

/// As deployed: through the segmenter, closed after [`END_MS`] of silence.
pub fn segments(engine: VadEngine, sound: &Mono16k, speech: Option<&Speech>) -> Segments {
    let found = find(engine, &Framer::new().push(sound));
    let spans: Vec<(f64, f64)> = speech
        .map(|speech| speech.utterances.iter().map(|&(start, end)| (ms(start), ms(end))).collect())
        .unwrap_or_default();
    let mut matched = vec![false; found.len()];
    let (mut delay, mut clipped, mut ends) = (Vec::new(), Vec::new(), Vec::new());
    let mut split = 0;
    for &(start, end) in &spans {
        let hits: Vec<usize> = (0..found.len()).filter(|&n| found[n].voice < end && found[n].end > start).collect();
        for &n in &hits {
            matched[n] = true;
        }
        let covered: f64 = hits.iter().map(|&n| found[n].end.min(end) - found[n].audio.max(start)).sum();
        let (Some(&first), Some(&last)) = (hits.first(), hits.last()) else { continue };
        if covered < 0.5 * (end - start) {
            continue;
        }
        split += hits.len() - 1;
        delay.push((found[first].told - start).max(0.0));
        clipped.push((found[first].audio - start).max(0.0));
        ends.push(found[last].end - end);
    }
    let total = ms(sound.len());
    let outside = total - spans.iter().map(|(start, end)| end - start).sum::<f64>();
    let taken: f64 = found.iter().map(|f| f.end - f.voice).sum::<f64>();
    let overlap: f64 = found
        .iter()
        .flat_map(|f| spans.iter().map(move |&(start, end)| (f.end.min(end) - f.voice.max(start)).max(0.0)))
        .sum();
    Segments {
        utterances: spans.len(),
        found: delay.len(),
        split,
        false_per_minute: matched.iter().filter(|&&matched| !matched).count() as f64 / (total / 60_000.0),
        false_time: 100.0 * (taken - overlap) / outside,
        delay: [percentile(&mut delay, 50), percentile(&mut delay, 95)],
        clipped_start: percentile(&mut clipped, 95),
        end: [percentile(&mut ends, 5), percentile(&mut ends, 50), percentile(&mut ends, 95)],
    }
}

fn find(engine: VadEngine, frames: &[VadFrame]) -> Vec<Found> {
    let mut segmenter = Segmenter::new(detector(engine), SegmentSettings::default());
    let prefix = f64::from(segmenter.settings().prefix_ms);
    let mut found: Vec<Found> = Vec::new();
    for frame in frames {
        match (segmenter.push(frame), found.last_mut()) {
            (Heard::Started { start_ms, .. }, _) => {
                let (audio, told) = (start_ms as f64, segmenter.clock_ms() as f64);
                found.push(Found { audio, told, voice: (audio + prefix).min(told), end: told });
            }
            (Heard::Going { silence_ms, .. }, Some(last)) => {
                last.end = segmenter.clock_ms() as f64 - f64::from(silence_ms);
                if silence_ms >= END_MS {
                    segmenter.close();
                }
            }
            _ => {}
        }
    }
    found
}

/// Microseconds of CPU per second of sound: the detector alone.
pub fn cost(engine: VadEngine, sound: &Mono16k) -> f64 {
    let frames = Framer::new().push(sound);
    let seconds = f64::from(frames.len() as u32 * FRAME_MS) / 1_000.0;
    cost_of(seconds, || {
        let mut detector = detector(engine);
        frames.iter().map(|frame| detector.probability(frame)).sum::<f32>()
    })
}

/// Microseconds of CPU per second of the sound `work` goes through: the least of five runs.
pub fn cost_of<T>(seconds: f64, work: impl Fn() -> T) -> f64 {
    let run = |_| {
        // The kernel counts in steps of some milliseconds: go on until they no longer matter.
        let before = cpu_seconds();
        let mut rounds = 0;
        let mut spent = 0.0;
        while spent < 0.2 {
            std::hint::black_box(work());
            rounds += 1;
            spent = cpu_seconds() - before;
        }
        spent * 1e6 / seconds / f64::from(rounds)
    };
    (0..5).map(run).fold(f64::INFINITY, f64::min)
}

/// CPU time of this thread where the system tells it, else the time of day: others running here would count.
fn cpu_seconds() -> f64 {
    static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let nanoseconds = stat.and_then(|stat| stat.split_whitespace().next()?.parse::<f64>().ok());
    nanoseconds.map_or_else(|| START.elapsed().as_secs_f64(), |ns| ns / 1e9)
}

fn ms(samples: usize) -> f64 {
    samples as f64 * f64::from(FRAME_MS) / FRAME_SAMPLES as f64
}

fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values.len().checked_sub(1).map_or(f64::NAN, |last| values[(last * percent + 50) / 100])
}
