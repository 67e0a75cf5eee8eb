use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::audio::{Pcm, Resampler, SampleRate};

/// A word and when it is spoken, in ms of the stream.
type Spoken = (String, u64, u64);

/// Speech whose words are given: loud where there is one, nearly silent between, and what a recogniser that hears
/// perfectly makes of any part of it.
struct Speech {
    start_ms: u64,
    words: Vec<Spoken>,
    length_ms: u64,
}

impl Speech {
    /// Words of `(length, gap behind)` ms, numbered.
    fn of(start_ms: u64, words: &[(u64, u64)]) -> Self {
        let mut at = start_ms + 400;
        let words = words.iter().enumerate().map(|(i, (length, gap))| {
            let word = (format!("word{i}"), at, at + length);
            at += length + gap;
            word
        });
        let words: Vec<Spoken> = words.collect();
        Self { start_ms, length_ms: at - start_ms + 400, words }
    }

    fn text(&self) -> String {
        self.words.iter().map(|(text, ..)| text.as_str()).collect::<Vec<_>>().join(" ")
    }

    fn voiced(&self, at_ms: u64) -> bool {
        self.words.iter().any(|(_, from, to)| (*from..*to).contains(&at_ms))
    }

    fn frame(&self, at_ms: u64) -> Mono16k {
        let samples = (0..20 * MS).map(|i| {
            let loud = self.voiced(at_ms + (i / MS) as u64);
            let level = if loud { 6_000 } else { 20 };
            if i % 2 == 0 { level } else { -level }
        });
        Resampler::whole(&Pcm::new(SampleRate::HZ_16000, samples.collect()))
    }

    /// Silence at the end of what was said up to `at_ms`.
    fn silence_ms(&self, at_ms: u64) -> u32 {
        let last = self.words.iter().filter(|(_, from, _)| *from < at_ms).map(|(_, _, to)| *to).next_back();
        at_ms.saturating_sub(last.unwrap_or(self.start_ms)) as u32
    }

    /// Words of which more than half can be heard, and the last only if it has ended.
    fn hear(&self, decode: &Decode) -> Transcript {
        let (from, to) = (decode.offset_ms, decode.offset_ms + u64::from(decode.audio.ms()));
        let heard = self.words.iter().filter(|(_, a, b)| (from..to).contains(&u64::midpoint(*a, *b)));
        let words: Vec<Word> = heard
            .map(|(text, a, b)| Word {
                text: text.clone(),
                start_ms: a.saturating_sub(from) as u32,
                end_ms: (*b.min(&to) - from) as u32,
                probability: 1.0,
            })
            .collect();
        let text = words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ");
        Transcript {
            text,
            words: if decode.words { words } else { vec![] },
            // As measured for the bundled model: a share for the context, one for the words.
            compute: Duration::from_micros(20_000 + u64::from(decode.audio.ms().max(2_500)) * 10),
            ..Transcript::default()
        }
    }
}

/// What a driver does, with a recogniser that takes `latency_ms`.
struct Session {
    speech: Speech,
    utterance: Utterance,
    latency_ms: u64,
    now_ms: u64,
    under_way: Option<(u64, Decode)>,
    shown: Vec<(u64, String, String)>,
    compute: Duration,
    longest_ms: u32,
}

impl Session {
    fn new(speech: Speech, latency_ms: u64, settings: TranscriptSettings) -> Self {
        Self {
            utterance: Utterance::new(settings, speech.start_ms),
            now_ms: speech.start_ms,
            speech,
            latency_ms,
            under_way: None,
            shown: vec![],
            compute: Duration::ZERO,
            longest_ms: 0,
        }
    }

    fn step(&mut self) {
        let frame = self.speech.frame(self.now_ms);
        self.now_ms += 20;
        self.utterance.push(&frame);
        self.utterance.silent_for(self.speech.silence_ms(self.now_ms));
        if let Some((_, decode)) = self.under_way.take_if(|(at, _)| *at <= self.now_ms) {
            self.answer(&decode);
        }
        if self.under_way.is_none()
            && let Some(decode) = self.utterance.next_partial()
        {
            self.longest_ms = self.longest_ms.max(decode.audio.ms());
            self.under_way = Some((self.now_ms + self.latency_ms, decode));
        }
    }

    fn answer(&mut self, decode: &Decode) {
        let heard = self.speech.hear(decode);
        self.compute += heard.compute;
        if let Some((stable, unstable)) = self.utterance.partial(decode.generation, &heard) {
            self.shown.push((self.now_ms, stable, unstable));
        }
    }

    fn run(&mut self) {
        while self.now_ms < self.speech.start_ms + self.speech.length_ms {
            self.step();
        }
    }

    fn finish(&mut self) -> FinalText {
        for _ in 0..10 {
            match self.utterance.final_decode() {
                FinalNeed::Ready(text) => return text,
                FinalNeed::Wait => {
                    let (_, decode) = self.under_way.take().expect("it waits for what is under way");
                    self.answer(&decode);
                }
                FinalNeed::Decode(decodes) => {
                    let mut done = None;
                    // Answers may come in any order.
                    for decode in decodes.iter().rev() {
                        assert_eq!(decode.class, Priority::Final);
                        self.longest_ms = self.longest_ms.max(decode.audio.ms());
                        let heard = self.speech.hear(decode);
                        self.compute += heard.compute;
                        done = self.utterance.finalise(decode.generation, &heard).or(done);
                    }
                    return done.expect("the last of them completes the text");
                }
            }
        }
        panic!("no final text");
    }
}

fn settings() -> TranscriptSettings {
    TranscriptSettings { words: true, ..TranscriptSettings::default() }
}

#[test]
fn words_appear_while_they_are_spoken_and_the_last_partial_is_the_final() {
    let speech = Speech::of(5_000, &[(280, 20), (320, 10), (150, 20), (300, 40), (400, 30), (350, 0)]);
    let mut session = Session::new(speech, 60, settings());
    session.run();
    let (first_ms, _, unstable) = session.shown.first().expect("something is shown").clone();
    assert!(first_ms <= 5_000 + 900 && unstable.starts_with("word0"), "{first_ms}: {unstable}");
    assert!(session.shown.iter().any(|(_, stable, _)| !stable.is_empty()), "{:?}", session.shown);
    let decodes = session.utterance.generation;
    let text = session.finish();
    assert_eq!(text.text, session.speech.text());
    assert_eq!(session.utterance.generation, decodes, "the decode made in the pause is the final one");
    let times: Vec<_> =
        text.words.iter().map(|w| (w.text.clone(), u64::from(w.start_ms), u64::from(w.end_ms))).collect();
    assert_eq!(times, session.speech.words);
}

#[test]
fn forty_seconds_without_a_pause_lose_no_word() {
    let words: Vec<(u64, u64)> = (0..150).map(|i| (200 + i * 37 % 200, 0)).collect();
    let mut session = Session::new(Speech::of(0, &words), 90, settings());
    session.run();
    assert!(session.now_ms > 40_000);
    let text = session.finish();
    assert_eq!(text.text, session.speech.text());
    assert_eq!(text.words.len(), 150);
    assert!(session.longest_ms <= 6_000, "{}", session.longest_ms);
}

#[test]
fn a_recogniser_that_knows_no_times_loses_no_word_either() {
    let words: Vec<(u64, u64)> = (0..130).map(|i| (200 + i * 37 % 200, 40)).collect();
    let speech = Speech::of(0, &words);
    let mut utterance = Utterance::new(TranscriptSettings::default(), 0);
    let mut now_ms = 0;
    while now_ms < speech.length_ms {
        utterance.push(&speech.frame(now_ms));
        now_ms += 20;
        utterance.silent_for(speech.silence_ms(now_ms));
        if let Some(decode) = utterance.next_partial() {
            let heard = Transcript { words: vec![], ..speech.hear(&decode) };
            utterance.partial(decode.generation, &heard);
        }
    }
    let text = match utterance.final_decode() {
        FinalNeed::Ready(text) => Some(text),
        FinalNeed::Wait => None,
        FinalNeed::Decode(decodes) => {
            let generation = decodes[0].generation;
            utterance.finalise(generation, &Transcript { words: vec![], ..speech.hear(&decodes[0]) })
        }
    };
    assert_eq!(text.map(|text| text.text), Some(speech.text()));
}

#[test]
fn a_long_recording_pushed_at_once_is_decoded_in_parts() {
    let words: Vec<(u64, u64)> = (0..60).map(|i| (300, 20 + i % 7 * 10)).collect();
    let mut session = Session::new(Speech::of(1_000, &words), 0, settings());
    while session.now_ms < session.speech.start_ms + session.speech.length_ms {
        session.utterance.push(&session.speech.frame(session.now_ms));
        session.now_ms += 20;
    }
    let text = session.finish();
    assert_eq!(text.text, session.speech.text());
    assert_eq!(text.words.len(), 60);
    assert!(session.longest_ms <= 6_000, "{}", session.longest_ms);
}

#[test]
fn compute_stays_within_its_bound_at_any_length() {
    for count in [2, 4, 7, 12, 20, 40, 80, 160] {
        let words: Vec<(u64, u64)> = (0..count).map(|i| (250, if i % 6 == 5 { 300 } else { 20 })).collect();
        let mut session = Session::new(Speech::of(0, &words), 60, settings());
        session.run();
        session.finish();
        // One pass over all of it, in pieces as long as the recogniser hears.
        let speech = &session.speech;
        let starts = (0..speech.length_ms).step_by(5_800);
        let offline: Duration = starts
            .map(|from| {
                let length = (speech.length_ms - from).min(5_800) as u32;
                let audio = Arc::new(Mono16k::silence(length));
                let language = None;
                let class = Priority::Final;
                speech.hear(&Decode {
                    generation: 0,
                    audio,
                    offset_ms: from,
                    class,
                    words: false,
                    prompt: None,
                    language,
                })
            })
            .map(|heard| heard.compute)
            .sum();
        let ratio = session.compute.as_secs_f64() / offline.as_secs_f64();
        // A little more than the setting: after `longest_step_ms` there is a decode whatever it costs.
        assert!(ratio < 3.5, "{count} words: {ratio}");
    }
}

#[test]
fn going_on_after_a_soft_end_takes_nothing_back() {
    let speech = Speech::of(0, &[(300, 20), (300, 20), (300, 260), (300, 20), (400, 0)]);
    let mut session = Session::new(speech, 40, settings());
    while session.now_ms < 1_600 {
        session.step();
    }
    let first = session.finish();
    assert_eq!(first.text, "word0 word1 word2");
    session.utterance.resume();
    session.run();
    assert_eq!(session.finish().text, session.speech.text());
}

#[test]
fn a_withdrawn_final_is_stale_and_a_failed_decode_is_asked_for_again() {
    let speech = Speech::of(0, &[(300, 20), (300, 20), (300, 20)]);
    let mut utterance = Utterance::new(TranscriptSettings::default(), 0);
    for at in (0..1_300).step_by(20) {
        utterance.push(&speech.frame(at));
    }
    let partial = utterance.next_partial().expect("enough audio");
    assert_eq!(utterance.next_partial(), None, "one at a time");
    utterance.failed(partial.generation);
    let again = utterance.next_partial().expect("the failed one is due again");
    assert!(utterance.partial(partial.generation, &speech.hear(&partial)).is_none(), "stale");
    assert!(utterance.partial(again.generation, &speech.hear(&again)).is_some());

    utterance.push(&speech.frame(1_300));
    let FinalNeed::Decode(decodes) = utterance.final_decode() else { panic!("there is audio not heard yet") };
    assert_eq!(utterance.final_decode(), FinalNeed::Wait);
    utterance.resume();
    assert!(utterance.finalise(decodes[0].generation, &speech.hear(&decodes[0])).is_none());
    let FinalNeed::Decode(decodes) = utterance.final_decode() else { panic!("it was withdrawn") };
    let text = utterance.finalise(decodes[0].generation, &speech.hear(&decodes[0])).expect("complete");
    assert_eq!(text.text, "word0 word1 word2");
}

#[test]
fn a_rejected_final_gives_its_reason_only_if_nothing_was_stable() {
    let rejected = Transcript { rejected: Some("repetition"), ..Transcript::default() };
    let mut utterance = Utterance::new(TranscriptSettings::default(), 0);
    utterance.push(&Mono16k::silence(1_000));
    let FinalNeed::Decode(decodes) = utterance.final_decode() else { panic!("nothing was heard yet") };
    let text = utterance.finalise(decodes[0].generation, &rejected).expect("complete");
    assert_eq!((text.text.as_str(), text.rejected), ("", Some("repetition")));
    assert_eq!(utterance.final_decode(), FinalNeed::Ready(text));

    let mut utterance = Utterance::new(TranscriptSettings { compute_ratio: 99.0, ..TranscriptSettings::default() }, 0);
    let hypothesis = |text: &str| Transcript { text: text.into(), ..Transcript::default() };
    for _ in 0..2 {
        utterance.push(&Mono16k::silence(1_000));
        let decode = utterance.next_partial().expect("due");
        utterance.partial(decode.generation, &hypothesis("Turn on the"));
    }
    utterance.push(&Mono16k::silence(1_000));
    let FinalNeed::Decode(decodes) = utterance.final_decode() else { panic!("there is new audio") };
    let text = utterance.finalise(decodes[0].generation, &rejected).expect("complete");
    assert_eq!((text.text.as_str(), text.rejected), ("Turn on", None));
}

#[test]
fn an_empty_utterance_is_ready_at_once() {
    let mut utterance = Utterance::new(TranscriptSettings::default(), 0);
    assert_eq!(utterance.final_decode(), FinalNeed::Ready(FinalText::default()));
    assert!(utterance.next_partial().is_none());
}

/// Hypotheses as a bad recogniser might give them: out of few words, so that they agree now and then.
fn hypothesis() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec!["turn", "Turn", "on", "off", "the", "light,", "light.", "please", "今日は"]);
    prop::collection::vec(word, 0..12).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn stable_text_only_grows_and_begins_the_final(
        hypotheses in prop::collection::vec((hypothesis(), 1..30_usize, 0..300_u32, 0..12_u8), 1..40),
        last in hypothesis(),
    ) {
        let settings = TranscriptSettings { compute_ratio: 1e9, ..TranscriptSettings::default() };
        let mut utterance = Utterance::new(settings, 0);
        let mut stable = String::new();
        let transcript = |text: &str| Transcript {
            text: text.to_owned(),
            words: text.split_whitespace().enumerate().map(|(i, word)| Word {
                text: word.into(), start_ms: i as u32 * 300, end_ms: i as u32 * 300 + 290, probability: 1.0,
            }).collect(),
            ..Transcript::default()
        };
        for (text, frames, silence, event) in &hypotheses {
            utterance.push(&Mono16k::silence(*frames as u32 * 20));
            utterance.silent_for(*silence);
            let Some(decode) = utterance.next_partial() else { continue };
            if *event == 0 {
                utterance.failed(decode.generation);
                continue;
            }
            let shown = utterance.partial(decode.generation, &transcript(text));
            if let Some((now, _)) = shown {
                prop_assert!(now.starts_with(&stable), "{stable:?} became {now:?}");
                stable = now;
            }
            if *event == 1 {
                if let FinalNeed::Decode(decodes) = utterance.final_decode() {
                    for decode in decodes {
                        if let Some(done) = utterance.finalise(decode.generation, &transcript(text)) {
                            prop_assert!(done.text.starts_with(&stable));
                        }
                    }
                }
                utterance.resume();
            }
        }
        let done = match utterance.final_decode() {
            FinalNeed::Ready(text) => Some(text),
            FinalNeed::Wait => None,
            FinalNeed::Decode(decodes) => {
                let results = decodes.iter().map(|decode| utterance.finalise(decode.generation, &transcript(&last)));
                results.last().flatten()
            }
        };
        if let Some(done) = done {
            prop_assert!(done.text.starts_with(&stable), "{stable:?}, then {:?}", done.text);
        }
    }

    /// Any speech, any speed of the recogniser: each word once, whatever was cut where.
    #[test]
    fn a_perfect_recogniser_loses_and_doubles_nothing(
        words in prop::collection::vec((80..600_u64, prop_oneof![4 => 0..60_u64, 1 => 60..900_u64]), 1..90),
        latency in 0..900_u64,
        start in 0..100_000_u64,
    ) {
        let mut session = Session::new(Speech::of(start, &words), latency, settings());
        session.run();
        let text = session.finish();
        prop_assert_eq!(&text.text, &session.speech.text());
        prop_assert_eq!(text.words.len(), session.speech.words.len());
        prop_assert!(session.longest_ms <= 6_000);
        for (_, stable, unstable) in &session.shown {
            prop_assert!(text.text.starts_with(stable), "{stable} {unstable}");
        }
    }
}
