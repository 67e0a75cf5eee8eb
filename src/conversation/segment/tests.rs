use std::process::Command;

use proptest::prelude::*;

use super::*;
use crate::{
    audio::{FRAME_SAMPLES, Framer, Pcm, Resampler, SampleRate, read_wav},
    engine::vad::{VadEngine, detector},
};

/// A frame's own first sample, in thousandths, is how likely it is a voice.
struct Told;

impl VoiceDetector for Told {
    fn probability(&mut self, frame: &VadFrame) -> f32 {
        f32::from(frame.samples()[0]) / 1_000.0
    }

    fn reset(&mut self) {}
}

fn segmenter() -> Segmenter {
    Segmenter::new(Box::new(Told), SegmentSettings::default())
}

fn sound(samples: Vec<i16>) -> Mono16k {
    Resampler::whole(&Pcm::new(SampleRate::HZ_16000, samples))
}

/// One frame of that probability and loudness; `stamp` tells it from others.
fn frame(thousandths: i16, loud: i16, stamp: i16) -> VadFrame {
    let mut samples = vec![loud; FRAME_SAMPLES];
    (samples[0], samples[1]) = (thousandths, stamp);
    Framer::new().push(&sound(samples)).remove(0)
}

const VOICE: fn() -> VadFrame = || frame(900, 3_000, 0);
const NOTHING: fn() -> VadFrame = || frame(50, 30, 0);

fn push(segmenter: &mut Segmenter, count: usize, frame: impl Fn() -> VadFrame) -> Vec<Heard> {
    (0..count).map(|_| segmenter.push(&frame())).collect()
}

fn started(heard: &[Heard]) -> Vec<(usize, u64, u32)> {
    let begun = |(n, heard): (usize, &Heard)| match heard {
        Heard::Started { start_ms, audio } => Some((n, *start_ms, audio.ms())),
        _ => None,
    };
    heard.iter().enumerate().filter_map(begun).collect()
}

#[test]
fn a_segment_reaches_back_before_its_first_voice() {
    let mut segmenter = segmenter();
    assert!(started(&push(&mut segmenter, 100, NOTHING)).is_empty());
    // The fifth voiced frame begins it: 400 ms of prefix and these 100.
    assert_eq!(started(&push(&mut segmenter, 10, VOICE)), [(4, 1_600, 500)]);
    assert_eq!(segmenter.clock_ms(), 2_200);
    let heard = push(&mut segmenter, 1, VOICE);
    assert_eq!(heard, [Heard::Going { voiced: true, voiced_ms: 220, silence_ms: 0 }]);
}

#[test]
fn the_prefix_is_no_longer_than_the_stream() {
    let mut segmenter = segmenter();
    push(&mut segmenter, 3, NOTHING);
    assert_eq!(started(&push(&mut segmenter, 5, VOICE)), [(4, 0, 160)]);
}

#[test]
fn a_boundless_prefix_is_bounded() {
    let mut segmenter = segmenter();
    segmenter.update(SegmentSettings { prefix_ms: u32::MAX, ..SegmentSettings::default() });
    push(&mut segmenter, 1_000, NOTHING);
    assert_eq!(started(&push(&mut segmenter, 5, VOICE)), [(4, 15_000, 5_100)]);
}

#[test]
fn gaps_in_its_first_voice_are_forgiven() {
    let mut segmenter = segmenter();
    push(&mut segmenter, 50, NOTHING);
    let mut heard = Vec::new();
    for _ in 0..4 {
        heard.extend(push(&mut segmenter, 2, VOICE));
        heard.extend(push(&mut segmenter, 1, NOTHING));
    }
    assert_eq!(started(&heard), [(6, 600, 540)]);
}

#[test]
fn clicks_begin_nothing() {
    let mut segmenter = segmenter();
    for _ in 0..50 {
        assert!(started(&push(&mut segmenter, 2, VOICE)).is_empty());
        assert!(started(&push(&mut segmenter, 5, NOTHING)).is_empty());
    }
}

#[test]
fn silence_counts_from_the_last_voice_and_a_click_does_not_break_it() {
    let mut segmenter = segmenter();
    push(&mut segmenter, 20, VOICE);
    let silent = |heard: &[Heard]| match heard.last() {
        Some(&Heard::Going { voiced, silence_ms, .. }) => (voiced, silence_ms),
        other => panic!("{other:?}"),
    };
    assert_eq!(silent(&push(&mut segmenter, 1, NOTHING)), (false, 20));
    assert_eq!(silent(&push(&mut segmenter, 9, NOTHING)), (false, 200));
    assert_eq!(silent(&push(&mut segmenter, 1, VOICE)), (false, 220), "one frame is a click");
    assert_eq!(silent(&push(&mut segmenter, 4, NOTHING)), (false, 300));
    assert_eq!(silent(&push(&mut segmenter, 2, VOICE)), (true, 0), "two are a voice");
    let heard = push(&mut segmenter, 1, NOTHING);
    assert_eq!(heard, [Heard::Going { voiced: false, voiced_ms: 440, silence_ms: 20 }]);
}

#[test]
fn who_goes_on_after_a_close_is_heard_at_once_and_not_twice() {
    let mut segmenter = segmenter();
    push(&mut segmenter, 50, VOICE);
    segmenter.close();
    // The window still holds voice, so the next frame is enough; nothing before it is left to give.
    assert_eq!(started(&push(&mut segmenter, 3, VOICE)), [(0, 1_000, 20)]);
    push(&mut segmenter, 30, NOTHING);
    segmenter.close();
    assert!(started(&push(&mut segmenter, 5, NOTHING)).is_empty());
    // 5 frames of silence and 5 of voice since the close, although the prefix could be longer.
    assert_eq!(started(&push(&mut segmenter, 8, VOICE)), [(4, 1_660, 200)]);
}

#[test]
fn nothing_that_was_forgotten_begins_or_precedes_a_segment() {
    let mut segmenter = segmenter();
    push(&mut segmenter, 20, VOICE);
    segmenter.forget();
    // The detector may hold what follows for voice a moment longer.
    assert!(started(&push(&mut segmenter, 4, VOICE)).is_empty());
    push(&mut segmenter, 20, NOTHING);
    segmenter.forget();
    assert_eq!(started(&push(&mut segmenter, 5, VOICE)), [(4, 44 * 20, 100)]);
}

#[test]
fn a_segment_can_be_opened_by_hand() {
    let mut segmenter = segmenter();
    push(&mut segmenter, 100, NOTHING);
    segmenter.open();
    segmenter.open();
    let heard = push(&mut segmenter, 3, NOTHING);
    assert_eq!(started(&heard), [(0, 1_600, 420)]);
    assert_eq!(heard[2], Heard::Going { voiced: false, voiced_ms: 0, silence_ms: 60 });
    assert_eq!(
        push(&mut segmenter, 3, VOICE)[2],
        Heard::Going { voiced: true, voiced_ms: 60, silence_ms: 0 },
        "voice is followed in it as in any other"
    );
}

#[test]
fn more_is_asked_while_a_reply_sounds() {
    let mut segmenter = segmenter();
    segmenter.set_guard(true);
    assert!(started(&push(&mut segmenter, 30, || frame(600, 3_000, 0))).is_empty(), "an echo is not that sure");
    push(&mut segmenter, 30, NOTHING);
    assert_eq!(started(&push(&mut segmenter, 20, VOICE)).first().map(|begun| begun.0), Some(6));
    segmenter.close();
    segmenter.set_guard(false);
    push(&mut segmenter, 30, NOTHING);
    assert_eq!(started(&push(&mut segmenter, 20, || frame(600, 3_000, 0))).first().map(|begun| begun.0), Some(4));
}

#[test]
fn a_speaker_is_told_from_voices_behind() {
    let mut segmenter = segmenter();
    let behind = || frame(900, 500, 0);
    push(&mut segmenter, 300, behind);
    segmenter.close();
    assert!(started(&push(&mut segmenter, 300, behind)).is_empty(), "the background would begin segments for ever");
    assert_eq!(started(&push(&mut segmenter, 50, VOICE)).len(), 1, "the speaker, 16 dB louder, is not heard");
    let heard = push(&mut segmenter, 25, behind);
    assert!(
        matches!(heard.last(), Some(Heard::Going { voiced: false, silence_ms: 460.., .. })),
        "the background would hold the turn for ever: {:?}",
        heard.last()
    );
}

#[test]
fn what_is_far_below_the_speaker_is_not_the_speaker_unless_it_surely_is() {
    for (thousandths, same) in [(700, false), (950, true)] {
        let mut segmenter = segmenter();
        push(&mut segmenter, 20, VOICE);
        let heard = push(&mut segmenter, 10, || frame(thousandths, 300, 0));
        assert_eq!(matches!(heard.last(), Some(Heard::Going { voiced: true, .. })), same);
    }
}

fn spoken(text: &str) -> Mono16k {
    let spoken = Command::new("espeak-ng").args(["--stdout", text]).output();
    let wav = spoken.expect("the tests need the `espeak-ng` command").stdout;
    Resampler::whole(&read_wav(&wav[..]).expect("espeak-ng gives a WAV file"))
}

#[test]
fn who_talks_on_and_on_is_not_cut_off() {
    let text = "People came and went all evening some of them laughing others deep in talk about the harvest the new \
                bridge and the price of bread while the waiters carried plates between the tables and called to the \
                kitchen for more ";
    let audio = spoken(&text.repeat(3));
    assert!(audio.ms() > 25_000);
    for engine in VadEngine::ALL {
        let mut segmenter = Segmenter::new(detector(engine), SegmentSettings::default());
        let mut longest = 0;
        // espeak-ng ends in some silence.
        for frame in Framer::new().push(&audio.slice(0..audio.len() - 16_000)) {
            if let Heard::Going { silence_ms, .. } = segmenter.push(&frame) {
                longest = longest.max(silence_ms);
            }
        }
        assert!((20..300).contains(&longest), "{engine}: a pause of {longest} ms");
    }
}

#[test]
fn spoken_sentences_are_found_where_they_are() {
    for engine in VadEngine::ALL {
        let mut stream = Mono16k::silence(1_000);
        let mut spans = Vec::new();
        for text in ["Good morning, how are you today?", "I left my keys on the table."] {
            let audio = spoken(text);
            let loud = |s: &i16| s.abs() > 500;
            let samples = audio.samples();
            let first = samples.iter().position(loud).expect("speech is loud");
            let last = samples.iter().rposition(loud).expect("speech is loud");
            spans.push(((stream.len() + first) as u64 / 16, (stream.len() + last) as u64 / 16));
            stream.append(&audio);
            stream.append(&Mono16k::silence(1_500));
        }
        let mut segmenter = Segmenter::new(detector(engine), SegmentSettings::default());
        let mut found = Vec::new();
        for frame in Framer::new().push(&stream) {
            match segmenter.push(&frame) {
                Heard::Started { start_ms, .. } => found.push((start_ms, 0)),
                Heard::Going { silence_ms: 500, .. } => {
                    found.last_mut().expect("it was started").1 = segmenter.clock_ms() - 500;
                    segmenter.close();
                }
                _ => {}
            }
        }
        assert_eq!(found.len(), 2, "{engine}: {found:?} for {spans:?}");
        for ((start, end), (true_start, true_end)) in found.into_iter().zip(spans) {
            assert!(start <= true_start && start + 700 > true_start, "{engine}: starts at {start}, not {true_start}");
            assert!(end.abs_diff(true_end) < 250, "{engine}: ends at {end}, not {true_end}");
        }
    }
}

#[test]
fn the_quietest_point_is_in_the_pause() {
    let mut samples = vec![3_000_i16; 16_000];
    samples[9_000..10_200].fill(20);
    let audio = sound(samples);
    let at = quietest_point(&audio, 4_000..16_000);
    assert!((9_480..=9_720).contains(&at), "{at}");
    assert!((4_000..6_000).contains(&quietest_point(&audio, 4_000..6_000)), "it stays within the search");
    assert_eq!(quietest_point(&audio, 90_000..99_000), 16_000);
    assert_eq!(quietest_point(&Mono16k::default(), 0..10), 0);
}

#[derive(Debug, Clone)]
enum Step {
    Frame(i16, i16),
    Close,
    Open,
    Guard(bool),
    Prefix(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let run = (0_i16..1_000, 0_i16..6_000, 1_usize..30).prop_map(|(p, loud, n)| vec![Step::Frame(p, loud); n]);
    let step = prop_oneof![
        8 => run,
        2 => Just(vec![Step::Close]),
        1 => Just(vec![Step::Open]),
        1 => any::<bool>().prop_map(|guard| vec![Step::Guard(guard)]),
        1 => (0_u32..700).prop_map(|ms| vec![Step::Prefix(ms)]),
    ];
    prop::collection::vec(step, 0..40).prop_map(|runs| runs.concat())
}

proptest! {
    /// Every segment's audio is the stream itself, without gap or overlap, within and between segments.
    #[test]
    fn no_frame_is_given_twice_or_lost_within(steps in steps()) {
        let mut segmenter = segmenter();
        let mut stream = Mono16k::default();
        let mut given_until = 0;
        let mut open: Option<(u64, Mono16k)> = None;
        let mut stamp = 0;
        for step in steps {
            match step {
                Step::Frame(thousandths, loud) => {
                    stamp += 1;
                    let frame = frame(thousandths, loud, stamp);
                    stream.append_frame(&frame);
                    match segmenter.push(&frame) {
                        Heard::Nothing => prop_assert!(open.is_none()),
                        Heard::Started { start_ms, audio } => {
                            prop_assert!(open.is_none() && start_ms >= given_until);
                            open = Some((start_ms, audio));
                        }
                        Heard::Going { voiced, voiced_ms, silence_ms } => {
                            let (start, audio) = open.as_mut().expect("nothing goes on that was not started");
                            audio.append_frame(&frame);
                            prop_assert_eq!(voiced, silence_ms == 0);
                            prop_assert!(u64::from(voiced_ms + silence_ms) <= segmenter.clock_ms() - *start);
                        }
                    }
                    prop_assert_eq!(segmenter.clock_ms(), u64::from(stream.ms()));
                    if let Some((start, audio)) = &open {
                        let from = *start as usize * 16;
                        prop_assert_eq!(&stream.slice(from..stream.len()), audio);
                        given_until = segmenter.clock_ms();
                    }
                }
                Step::Close => {
                    segmenter.close();
                    open = None;
                }
                Step::Open => segmenter.open(),
                Step::Guard(guard) => segmenter.set_guard(guard),
                Step::Prefix(prefix_ms) => {
                    segmenter.update(SegmentSettings { prefix_ms, ..segmenter.settings().clone() });
                }
            }
        }
    }

    #[test]
    fn any_chunking_hears_the_same(
        runs in prop::collection::vec((0_i16..1_000, 0_i16..6_000, 1_usize..20), 1..20),
        cuts in prop::collection::vec(1_usize..2_000, 1..20),
    ) {
        let mut stream = Mono16k::default();
        for (thousandths, loud, count) in runs {
            (0..count).for_each(|_| stream.append_frame(&frame(thousandths, loud, 0)));
        }
        let mut whole = segmenter();
        let expected: Vec<Heard> = Framer::new().push(&stream).iter().map(|frame| whole.push(frame)).collect();
        let (mut pieces, mut framer, mut heard) = (segmenter(), Framer::new(), Vec::new());
        for &cut in cuts.iter().cycle() {
            if stream.is_empty() {
                break;
            }
            heard.extend(framer.push(&stream.take_front(cut)).iter().map(|frame| pieces.push(frame)));
        }
        prop_assert_eq!(heard, expected);
    }

    #[test]
    fn no_other_window_is_quieter(
        samples in prop::collection::vec(-300_i16..300, 1_000..2_500),
        start in 0_usize..2_500,
        length in 0_usize..2_000,
    ) {
        let audio = sound(samples.clone());
        let at = quietest_point(&audio, start..start + length);
        let end = (start + length).min(samples.len());
        let mean = |middle: usize| {
            let window = &samples[middle.saturating_sub(480)..(middle + 480).min(samples.len())];
            window.iter().map(|&s| f64::from(s).powi(2)).sum::<f64>() / window.len() as f64
        };
        if start < end {
            prop_assert!((start..end).contains(&at));
            prop_assert!((start..end).step_by(37).all(|other| mean(other) >= mean(at) - 1e-9));
        }
    }
}
