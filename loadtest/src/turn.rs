//! One turn as its caller saw it: fed with what the server says and when, it measures.

use std::{collections::BTreeMap, ops::Range, time::Duration};

use serde_json::Value;
use tokio::time::Instant;

use crate::options::Mode;

/// What a player holds before it starts, as browsers do; sound later than that would be heard as a gap.
const PREFILL: Duration = Duration::from_millis(100);

/// What was measured.
#[derive(Debug, Clone, Default)]
pub struct TurnResult {
    /// Speech start to the first words.
    pub first_partial: Option<Duration>,
    /// Speech end to each of these.
    pub last_final: Option<Duration>,
    pub first_text: Option<Duration>,
    pub first_audio: Option<Duration>,
    /// The server's own `timings`.
    pub server: BTreeMap<String, u64>,
    pub partials: u32,
    /// Words that a partial showed and the next one took back.
    pub revised_words: u32,
    /// `stable` texts that the next partial or the final did not begin with.
    pub broken_promises: u32,
    /// Finals that came while the caller still spoke.
    pub cut_off: u32,
    pub underruns: u32,
    /// Silence heard for want of sound, together.
    pub underrun_time: Duration,
    /// Chunks that were not numbered one after the other.
    pub chunks_out_of_order: u32,
    /// Why the turn did not end as it should.
    pub failure: Option<String>,
}

/// See the module.
#[derive(Debug)]
pub struct TurnWatch {
    mode: Mode,
    speech: Range<Instant>,
    output_rate: u32,
    result: TurnResult,
    /// The words on show and the part of them that was promised.
    shown: Vec<String>,
    stable: String,
    /// The last utterance the server ended; its reply is the one waited for.
    final_turn: Option<u64>,
    playback: Option<Playback>,
}

#[derive(Debug, Clone, Copy)]
struct Playback {
    turn: u32,
    next_chunk: u32,
    /// When the sound received so far will have been played.
    until: Instant,
    received: Duration,
}

/// How a turn stands after an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Going,
    /// Over, once what was received has been played.
    Done,
}

impl TurnWatch {
    /// A turn in which somebody speaks during `speech`, listening at `output_rate`.
    pub fn new(mode: Mode, speech: Range<Instant>, output_rate: u32) -> Self {
        Self {
            mode,
            speech,
            output_rate,
            result: TurnResult::default(),
            shown: Vec::new(),
            stable: String::new(),
            final_turn: None,
            playback: None,
        }
    }

    pub fn event(&mut self, now: Instant, event: &Value) -> Standing {
        let text = |field: &str| event[field].as_str().unwrap_or_default();
        let turn = event["turn"].as_u64();
        match text("type") {
            "transcript.partial" => self.partial(now, text("stable"), text("unstable")),
            "transcript.final" => return self.final_transcript(now, turn, text("text"), &event["rejected"]),
            "reply.text.delta" => {
                let after = now.saturating_duration_since(self.speech.end);
                self.result.first_text.get_or_insert(after);
            }
            "reply.done" => {
                if let Some(timings) = event["timings"].as_object() {
                    let known = timings.iter().filter_map(|(name, ms)| Some((name.clone(), ms.as_u64()?)));
                    self.result.server = known.collect();
                }
                if turn == self.final_turn {
                    return Standing::Done;
                }
            }
            "reply.cancelled" if turn == self.final_turn => {
                self.result.failure = Some(format!("reply cancelled: {}", text("reason")));
                return Standing::Done;
            }
            _ => {}
        }
        Standing::Going
    }

    fn partial(&mut self, now: Instant, stable: &str, unstable: &str) {
        let words: Vec<String> =
            stable.split_whitespace().chain(unstable.split_whitespace()).map(str::to_owned).collect();
        if words.is_empty() {
            return;
        }
        self.result.partials += 1;
        self.result.first_partial.get_or_insert(now.saturating_duration_since(self.speech.start));
        let kept = self.shown.iter().zip(&words).take_while(|(old, new)| old == new).count();
        self.result.revised_words += (self.shown.len() - kept) as u32;
        self.result.broken_promises += u32::from(!stable.starts_with(&self.stable));
        self.shown = words;
        stable.clone_into(&mut self.stable);
    }

    fn final_transcript(&mut self, now: Instant, turn: Option<u64>, text: &str, rejected: &Value) -> Standing {
        self.result.broken_promises += u32::from(!text.starts_with(&self.stable));
        self.shown.clear();
        self.stable.clear();
        if now < self.speech.end {
            self.result.cut_off += 1;
            return Standing::Going;
        }
        self.result.last_final = Some(now - self.speech.end);
        self.final_turn = turn;
        if text.is_empty() {
            self.result.failure = Some(format!("nothing was understood: {}", rejected.as_str().unwrap_or("no words")));
            return Standing::Done;
        }
        if self.mode == Mode::Transcribe { Standing::Done } else { Standing::Going }
    }

    /// A binary frame: turn, chunk and samples.
    pub fn audio(&mut self, now: Instant, frame: &[u8]) {
        let Some((header, samples)) = frame.split_first_chunk::<8>() else {
            self.result.chunks_out_of_order += 1;
            return;
        };
        let [t0, t1, t2, t3, c0, c1, c2, c3] = *header;
        let (turn, chunk) = (u32::from_le_bytes([t0, t1, t2, t3]), u32::from_le_bytes([c0, c1, c2, c3]));
        let length = Duration::from_secs_f64((samples.len() / 2) as f64 / f64::from(self.output_rate));
        self.result.first_audio.get_or_insert(now.saturating_duration_since(self.speech.end));
        let fresh = Playback { turn, next_chunk: 0, until: now + PREFILL, received: Duration::ZERO };
        let mut playback = self.playback.filter(|playback| playback.turn == turn).unwrap_or(fresh);
        self.result.chunks_out_of_order += u32::from(chunk != playback.next_chunk);
        if now > playback.until {
            self.result.underruns += 1;
            self.result.underrun_time += now - playback.until;
            playback.until = now;
        }
        playback.until += length;
        playback.received += length;
        playback.next_chunk = chunk.wrapping_add(1);
        self.playback = Some(playback);
    }

    /// What a `playback.ack` would say now: the turn and the milliseconds played of its reply.
    pub fn played(&self, now: Instant) -> Option<(u32, u64)> {
        let playback = self.playback?;
        let ahead = playback.until.saturating_duration_since(now);
        Some((playback.turn, playback.received.saturating_sub(ahead).as_millis() as u64))
    }

    /// When everything received will have been played.
    pub fn played_out(&self) -> Option<Instant> {
        self.playback.map(|playback| playback.until)
    }

    pub fn finish(self) -> TurnResult {
        self.result
    }

    pub fn fail(mut self, why: impl Into<String>) -> TurnResult {
        self.result.failure = Some(why.into());
        self.result
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const RATE: u32 = 24_000;

    fn chunk(turn: u32, number: u32, ms: usize) -> Vec<u8> {
        let mut frame = [turn.to_le_bytes(), number.to_le_bytes()].concat();
        frame.resize(8 + ms * 48, 0);
        frame
    }

    /// A watch over a second of speech, and a clock in milliseconds from its start.
    fn watch(mode: Mode) -> (TurnWatch, impl Fn(u64) -> Instant) {
        let start = Instant::now();
        let at = move |ms| start + Duration::from_millis(ms);
        (TurnWatch::new(mode, at(0)..at(1_000), RATE), at)
    }

    #[test]
    fn stages_are_measured_from_where_speech_began_and_ended() {
        let (mut watch, at) = watch(Mode::Converse);
        let partial = json!({"type": "transcript.partial", "turn": 1, "stable": "", "unstable": "what"});
        assert_eq!(watch.event(at(300), &partial), Standing::Going);
        let last = json!({"type": "transcript.final", "turn": 1, "text": "what time"});
        assert_eq!(watch.event(at(1_250), &last), Standing::Going);
        watch.event(at(1_500), &json!({"type": "reply.text.delta", "turn": 1, "delta": "ten"}));
        watch.audio(at(1_510), &chunk(1, 0, 40));
        let done = json!({"type": "reply.done", "turn": 1, "timings": {"first_audio_ms": 505}});
        assert_eq!(watch.event(at(1_600), &done), Standing::Done);
        let result = watch.finish();
        let ms = |duration: Option<Duration>| duration.map(|d| d.as_millis());
        assert_eq!(ms(result.first_partial), Some(300));
        assert_eq!(ms(result.last_final), Some(250));
        assert_eq!(ms(result.first_text), Some(500));
        assert_eq!(ms(result.first_audio), Some(510));
        assert_eq!(result.server["first_audio_ms"], 505);
        assert_eq!((result.failure, result.cut_off, result.underruns), (None, 0, 0));
    }

    #[test]
    fn words_taken_back_and_promises_broken_are_counted() {
        let (mut watch, at) = watch(Mode::Transcribe);
        for (stable, unstable) in [("", "what thyme"), ("what", "time is"), ("what time", "is it"), ("wet", "")] {
            watch.event(at(100), &json!({"type": "transcript.partial", "stable": stable, "unstable": unstable}));
        }
        let last = json!({"type": "transcript.final", "turn": 1, "text": "wetter"});
        assert_eq!(watch.event(at(1_500), &last), Standing::Done);
        let result = watch.finish();
        // "thyme", then "what time is it".
        assert_eq!((result.partials, result.revised_words, result.broken_promises), (4, 5, 1));
    }

    #[test]
    fn a_final_in_mid_speech_is_a_cut_and_not_the_end() {
        let (mut watch, at) = watch(Mode::Transcribe);
        let event = json!({"type": "transcript.final", "turn": 1, "text": "what"});
        assert_eq!(watch.event(at(700), &event), Standing::Going);
        assert_eq!(watch.event(at(1_300), &event), Standing::Done);
        assert_eq!(watch.finish().cut_off, 1);
    }

    #[test]
    fn sound_that_comes_too_late_is_an_underrun() {
        let (mut watch, at) = watch(Mode::Converse);
        watch.audio(at(2_000), &chunk(1, 0, 40)); // plays 2100 to 2140
        watch.audio(at(2_050), &chunk(1, 1, 40)); // to 2180
        assert_eq!(watch.played(at(2_120)), Some((1, 20)));
        watch.audio(at(2_200), &chunk(1, 2, 40)); // 20 ms too late
        watch.audio(at(2_210), &chunk(1, 4, 40)); // one is missing
        assert_eq!(watch.played_out(), Some(at(2_280)));
        let result = watch.finish();
        assert_eq!((result.underruns, result.underrun_time.as_millis()), (1, 20));
        assert_eq!(result.chunks_out_of_order, 1);
    }

    #[test]
    fn nonsense_is_not_fatal() {
        let (mut watch, at) = watch(Mode::Converse);
        watch.audio(at(0), &[1, 2, 3]);
        watch.event(at(0), &json!([]));
        watch.event(at(0), &json!({"type": "reply.done"}));
        assert_eq!(watch.finish().chunks_out_of_order, 1);
    }
}
