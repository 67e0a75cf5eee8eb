//! A whole recording to text, in pieces that the recogniser can hear at once.

use std::{collections::VecDeque, ops::Range, sync::Arc, time::Duration};

use super::segment::quietest_point;
use crate::{
    audio::{FRAME_MS, FRAME_SAMPLES, Framer, Mono16k, level::Gain},
    engine::{EngineError, Priority, Recognition, RecognizeRequest, Recognizer, Transcript, VoiceDetector},
    model::SessionId,
};

/// What is asked of a recording.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WholeOptions {
    /// ISO 639-1; `None`: the model decides, piece by piece.
    pub language: Option<String>,
    /// Text to steer the spelling of every piece.
    pub prompt: Option<String>,
    pub words: bool,
    /// Write English, whatever language is spoken; only multilingual models can.
    pub translate: bool,
    /// How freely tokens are chosen, 0 to 1; `None`: always the likeliest.
    pub temperature: Option<f32>,
}

/// How sure the detector must be that a frame is voiced. Low: a word lost is worse here than a breath decoded.
const THRESHOLD: f32 = 0.3;
/// Kept around each voiced stretch, in frames.
const MARGIN: usize = 400 / FRAME_MS as usize;
/// Pieces under way at once: the next one is waiting when a worker becomes free.
const AHEAD: usize = 2;
/// How often a piece gives its thread up to live speech before it counts as much as that.
const GIVES_WAY: u32 = 4;

/// What was heard in one piece of a recording.
#[derive(Debug, Clone, PartialEq)]
pub struct Heard {
    /// Where the piece lies in the recording, in milliseconds.
    pub start_ms: u32,
    pub end_ms: u32,
    /// Its words' times count from the start of the recording.
    pub transcript: Transcript,
    /// How much of the recording lies before the piece's end, 0 to 1.
    pub done: f32,
}

/// Decodes all speech in `audio`, in order. `progress` hears the fraction done after each piece. Dropping the future
/// cancels the work.
///
/// # Errors
/// The first error of a piece.
pub async fn transcribe_whole(
    recognizer: &dyn Recognizer,
    detector: &mut dyn VoiceDetector,
    audio: &Mono16k,
    options: &WholeOptions,
    mut progress: impl FnMut(f32),
) -> Result<Transcript, EngineError> {
    let pieces = pieces(audio, detector, recognizer.max_audio(), |_| true);
    let whole = transcribe_pieces(recognizer, audio, &pieces, options, |heard| progress(heard.done)).await?;
    progress(1.0);
    Ok(whole)
}

/// Where somebody speaks in `audio`, in stretches of at most `max`, in samples. `going_on` hears how much has been
/// looked at, 0 to 1, and says whether to go on. Takes a few milliseconds of CPU for each second of sound: not for an
/// async task where the recording is long.
pub fn pieces(
    audio: &Mono16k,
    detector: &mut dyn VoiceDetector,
    max: Duration,
    going_on: impl FnMut(f32) -> bool,
) -> Vec<Range<usize>> {
    fitting(audio, &spoken(audio, detector, going_on), max)
}

/// Decodes `pieces` of `audio`, in order, and tells each as soon as it and all before it are done. Dropping the future
/// cancels the work.
///
/// # Errors
/// The first error of a piece.
pub async fn transcribe_pieces(
    recognizer: &dyn Recognizer,
    audio: &Mono16k,
    pieces: &[Range<usize>],
    options: &WholeOptions,
    mut told: impl FnMut(&Heard),
) -> Result<Transcript, EngineError> {
    let mut whole = Transcript::default();
    let session = SessionId::fresh();
    let mut decoded = 0_usize;
    let mut rejected = Some("no_speech");
    let submit = |piece: &Range<usize>, priority| {
        recognizer.submit(RecognizeRequest {
            session,
            priority,
            audio: Arc::new(audio.slice(piece.clone())),
            language: options.language.clone(),
            prompt: options.prompt.clone(),
            words: options.words,
            translate: options.translate,
            temperature: options.temperature,
        })
    };
    let mut waiting: VecDeque<(Range<usize>, Recognition)> = VecDeque::new();
    let mut coming = pieces.iter();
    loop {
        while waiting.len() < AHEAD
            && let Some(piece) = coming.next()
        {
            waiting.push_back((piece.clone(), submit(piece, Priority::Recording)));
        }
        let Some((piece, answer)) = waiting.pop_front() else { break };
        let mut answer = answer.await.unwrap_or(Err(EngineError::Closed));
        let mut given_up = 0;
        while answer == Err(EngineError::Superseded) {
            given_up += 1;
            let priority = if given_up < GIVES_WAY { Priority::Recording } else { Priority::Final };
            answer = submit(&piece, priority).await.unwrap_or(Err(EngineError::Closed));
        }
        let mut transcript = answer?;
        let (start_ms, end_ms) = ((piece.start / 16) as u32, (piece.end / 16) as u32);
        for word in &mut transcript.words {
            word.start_ms += start_ms;
            word.end_ms += start_ms;
        }
        decoded += piece.len();
        rejected = rejected.and(transcript.rejected);
        let done = (piece.end as f32 / audio.len() as f32).min(1.0);
        let heard = Heard { start_ms, end_ms, transcript, done };
        told(&heard);
        join(&mut whole, heard.transcript, piece.len() as f32 / decoded.max(1) as f32);
    }
    whole.rejected = rejected.filter(|_| whole.text.is_empty());
    Ok(whole)
}

/// Adds a piece, which is `share` of what was decoded with it.
fn join(whole: &mut Transcript, heard: Transcript, share: f32) {
    if !heard.text.is_empty() {
        if !whole.text.is_empty() {
            whole.text.push(' ');
        }
        whole.text.push_str(&heard.text);
        whole.language = whole.language.take().or(heard.language);
    }
    whole.words.extend(heard.words);
    whole.tokens.extend(heard.tokens);
    // One doubtful piece says nothing of the others; where all were asked about, the surest of them counts.
    whole.no_speech_probability = match (whole.no_speech_probability, heard.no_speech_probability) {
        (Some(before), Some(now)) => Some(before.min(now)),
        _ if share >= 1.0 => heard.no_speech_probability,
        _ => None,
    };
    whole.mean_log_probability += (heard.mean_log_probability - whole.mean_log_probability) * share;
    whole.compute += heard.compute;
    whole.queued += heard.queued;
}

/// Where somebody speaks, with a margin, in samples.
fn spoken(
    audio: &Mono16k,
    detector: &mut dyn VoiceDetector,
    mut going_on: impl FnMut(f32) -> bool,
) -> Vec<Range<usize>> {
    /// Frames are made of so many samples at a time: a copy of all of a long recording would be large.
    const AT_ONCE: usize = FRAME_SAMPLES * 500;
    let whole = Gain::of(audio);
    let mut framer = Framer::new();
    let mut stretches: Vec<Range<usize>> = vec![];
    let mut at = 0;
    for from in (0..=audio.len()).step_by(AT_ONCE) {
        let part = audio.slice(from..from + AT_ONCE);
        let mut frames = framer.push(&Gain::of(&part).within(whole).raise(&part));
        if from + AT_ONCE > audio.len() {
            frames.extend(framer.flush());
        }
        if !going_on((from as f32 / audio.len().max(1) as f32).min(1.0)) {
            break;
        }
        for frame in frames {
            if detector.probability(&frame) >= THRESHOLD {
                let end = ((at + 1 + MARGIN) * FRAME_SAMPLES).min(audio.len());
                let start = at.saturating_sub(MARGIN) * FRAME_SAMPLES;
                match stretches.last_mut() {
                    Some(last) if start <= last.end => last.end = end,
                    _ => stretches.push(start..end),
                }
            }
            at += 1;
        }
    }
    stretches
}

/// Joins neighbouring stretches while they fit into one request, and cuts those that do not fit at quiet points.
fn fitting(audio: &Mono16k, stretches: &[Range<usize>], max: Duration) -> Vec<Range<usize>> {
    let most = (max.as_millis() as usize * 16).max(FRAME_SAMPLES);
    let mut pieces: Vec<Range<usize>> = vec![];
    for stretch in stretches {
        let mut rest = stretch.clone();
        match pieces.last_mut() {
            Some(last) if rest.end - last.start <= most => {
                last.end = rest.end;
                continue;
            }
            _ => {}
        }
        while rest.len() > most {
            let cut = quietest_point(audio, rest.start + most / 2..rest.start + most);
            pieces.push(rest.start..cut);
            rest.start = cut;
        }
        pieces.push(rest);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{audio::VadFrame, engine::EngineInfo, model::Word};

    /// Hears each piece's first and last sample, in ms, and answers that.
    struct Echo;

    impl Recognizer for Echo {
        fn info(&self) -> EngineInfo {
            EngineInfo {
                engine: "echo".into(),
                model: String::new(),
                demo: true,
                loaded: true,
                hint: None,
                languages: vec![],
            }
        }

        fn max_audio(&self) -> Duration {
            Duration::from_secs(10)
        }

        fn submit(&self, request: RecognizeRequest) -> Recognition {
            let (reply, answer) = tokio::sync::oneshot::channel();
            assert!(request.audio.ms() <= 10_000);
            let word = Word { text: "piece".into(), start_ms: 0, end_ms: request.audio.ms(), probability: 1.0 };
            let heard = Transcript { text: "piece".into(), words: vec![word], ..Transcript::default() };
            assert!(reply.send(Ok(heard)).is_ok());
            answer
        }
    }

    /// Loud frames are voice.
    struct Loudness;

    impl VoiceDetector for Loudness {
        fn probability(&mut self, frame: &VadFrame) -> f32 {
            f32::from(u8::from(frame.samples().iter().any(|sample| sample.unsigned_abs() > 1000)))
        }

        fn reset(&mut self) {}
    }

    fn recording(seconds: &[(f32, i16)]) -> Mono16k {
        let samples = seconds.iter().flat_map(|(length, level)| {
            (0..(length * 16_000.0) as usize).map(move |i| if i % 2 == 0 { *level } else { -*level })
        });
        crate::audio::Resampler::whole(&crate::audio::Pcm::new(crate::audio::SampleRate::HZ_16000, samples.collect()))
    }

    #[tokio::test]
    async fn a_long_recording_is_cut_where_it_is_quiet_and_told_in_order() {
        let audio = recording(&[(1.0, 0), (7.0, 8000), (0.3, 2000), (9.0, 8000), (3.0, 0), (2.0, 8000), (0.5, 0)]);
        let mut fractions = vec![];
        let options = WholeOptions { words: true, ..WholeOptions::default() };
        let whole = transcribe_whole(&Echo, &mut Loudness, &audio, &options, |done| fractions.push(done)).await;
        let whole = whole.expect("nothing fails here");
        assert_eq!(whole.text, "piece piece piece");
        let cut = whole.words[0].end_ms;
        assert!((8_000..8_300).contains(&cut), "{:?}", whole.words);
        assert_eq!(whole.words[1].start_ms, cut);
        assert!(whole.words[2].start_ms > 19_800, "silence is not decoded: {:?}", whole.words);
        assert!(fractions.is_sorted() && fractions.last() == Some(&1.0), "{fractions:?}");
    }

    /// Gives each piece up for something live, as long as it may.
    #[derive(Default)]
    struct Busy(std::sync::Mutex<Vec<Priority>>);

    impl Recognizer for Busy {
        fn info(&self) -> EngineInfo {
            Echo.info()
        }

        fn max_audio(&self) -> Duration {
            Echo.max_audio()
        }

        fn submit(&self, request: RecognizeRequest) -> Recognition {
            self.0.lock().expect("not poisoned").push(request.priority);
            if request.priority == Priority::Final {
                return Echo.submit(request);
            }
            let (reply, answer) = tokio::sync::oneshot::channel();
            assert!(reply.send(Err(EngineError::Superseded)).is_ok());
            answer
        }
    }

    #[tokio::test]
    async fn a_piece_gives_way_to_live_speech_but_not_for_ever() {
        let audio = recording(&[(3.0, 8000)]);
        let busy = Busy::default();
        let whole = transcribe_whole(&busy, &mut Loudness, &audio, &WholeOptions::default(), |_| {}).await;
        assert_eq!(whole.expect("nothing fails here").text, "piece");
        let tries = busy.0.into_inner().expect("not poisoned");
        let mut expected = vec![Priority::Recording; GIVES_WAY as usize];
        expected.push(Priority::Final);
        assert_eq!(tries, expected);
    }

    #[tokio::test]
    async fn each_piece_is_told_with_its_place() {
        let audio = recording(&[(1.0, 0), (3.0, 8000), (9.0, 0), (2.0, 8000), (1.0, 0)]);
        let pieces = pieces(&audio, &mut Loudness, Duration::from_secs(10), |_| true);
        let mut told = vec![];
        let options = WholeOptions { words: true, ..WholeOptions::default() };
        let whole = transcribe_pieces(&Echo, &audio, &pieces, &options, |heard| told.push(heard.clone())).await;
        let places: Vec<_> = told.iter().map(|heard| (heard.start_ms, heard.end_ms)).collect();
        assert_eq!(places, [(600, 4_400), (12_600, 15_400)]);
        assert_eq!(told[1].transcript.words[0].start_ms, 12_600);
        assert_eq!(whole.expect("nothing fails here").words.len(), 2);
        assert!(told[0].done < told[1].done && told[1].done < 1.0);
    }

    #[tokio::test]
    async fn silence_is_not_decoded() {
        let audio = recording(&[(5.0, 10)]);
        let whole = transcribe_whole(&Echo, &mut Loudness, &audio, &WholeOptions::default(), |_| {}).await;
        let whole = whole.expect("nothing fails here");
        assert_eq!((whole.text.as_str(), whole.rejected), ("", Some("no_speech")));
    }
}
