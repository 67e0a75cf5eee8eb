//! Lets a reply out at the pace it is heard: text with its sound, sound a little ahead of real time, and a record of
//! what the person has heard so far. Pure: time is an argument.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{
    audio::{Pcm, SampleRate},
    engine::EngineError,
};

/// Length of an audio chunk in milliseconds.
const CHUNK_MS: u32 = 40;

/// A piece of a reply as it comes from the engines, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// The next sentence as written; its sound follows.
    Sentence(String),
    /// Sound at the session's output rate.
    Sound(Vec<i16>),
    /// A function is called; its number within the reply, its id and its name.
    Call { call: u32, id: String, name: String },
    /// More of that call's arguments.
    Arguments { call: u32, delta: String },
    /// The reply is complete.
    End,
    /// It broke off.
    Failed(EngineError),
}

/// What to do now.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Text(String),
    Audio {
        chunk: u32,
        audio: Pcm,
    },
    Call {
        call: u32,
        id: String,
        name: String,
    },
    Arguments {
        call: u32,
        delta: String,
    },
    /// Nothing before then.
    WaitUntil(Instant),
    /// Nothing until more parts come.
    Starved,
    Ended,
    Failed(EngineError),
}

/// One sentence's place in the sound, in samples; `end` is unknown while it is still being made.
#[derive(Debug)]
struct Mark {
    text: String,
    start: usize,
    end: Option<usize>,
}

/// The outgoing side of one reply.
#[derive(Debug)]
pub struct Playout {
    rate: SampleRate,
    ahead: Duration,
    parts: VecDeque<Part>,
    /// Samples that wait for a full chunk.
    rest: Vec<i16>,
    chunks: u32,
    sent: usize,
    queued: usize,
    marks: Vec<Mark>,
    /// When the last sample sent will have been played, if the client plays what it gets.
    plays_until: Option<Instant>,
    /// While paused: how much sound the client had left.
    paused: Option<Duration>,
    acknowledged_ms: Option<u32>,
}

impl Playout {
    /// `ahead`: how far sound may be sent before its time.
    #[must_use]
    pub fn new(rate: SampleRate, ahead: Duration) -> Self {
        Self {
            rate,
            ahead,
            parts: VecDeque::new(),
            rest: Vec::new(),
            chunks: 0,
            sent: 0,
            queued: 0,
            marks: Vec::new(),
            plays_until: None,
            paused: None,
            acknowledged_ms: None,
        }
    }

    /// The rate of the sound.
    #[must_use]
    pub const fn rate(&self) -> SampleRate {
        self.rate
    }

    /// Whether more parts should be fetched: a second of sound is enough to have in hand.
    #[must_use]
    pub fn wants_more(&self) -> bool {
        self.queued < self.rate.samples_in_ms(1_000) && self.parts.len() < 64
    }

    pub fn push(&mut self, part: Part) {
        if let Part::Sound(samples) = &part {
            self.queued += samples.len();
        }
        self.parts.push_back(part);
    }

    /// The next thing to send; call again until it says wait, starved, ended or failed.
    pub fn step(&mut self, now: Instant) -> Step {
        loop {
            if self.paused.is_some() {
                return Step::Starved;
            }
            let chunk = self.rate.samples_in_ms(CHUNK_MS);
            // What is no sound comes after all sound before it.
            let flush = !matches!(self.parts.front(), None | Some(Part::Sentence(_) | Part::Sound(_)));
            let flush = flush && !self.rest.is_empty();
            if self.rest.len() >= chunk || flush {
                if let Some(due) = self.due(now) {
                    return Step::WaitUntil(due);
                }
                return self.send(now, chunk);
            }
            match self.parts.pop_front() {
                Some(Part::Sentence(text)) => {
                    let here = self.sent + self.rest.len();
                    if let Some(last) = self.marks.last_mut() {
                        last.end = Some(here);
                    }
                    self.marks.push(Mark { text: text.clone(), start: here, end: None });
                    return Step::Text(text);
                }
                Some(Part::Sound(samples)) => self.rest.extend_from_slice(&samples),
                Some(Part::Call { call, id, name }) => return Step::Call { call, id, name },
                Some(Part::Arguments { call, delta }) => return Step::Arguments { call, delta },
                Some(Part::End) => {
                    if let Some(last) = self.marks.last_mut() {
                        last.end = Some(self.sent);
                    }
                    return Step::Ended;
                }
                Some(Part::Failed(error)) => return Step::Failed(error),
                None => return Step::Starved,
            }
        }
    }

    /// The client holds its playback.
    pub fn pause(&mut self, now: Instant) {
        if self.paused.is_none() {
            self.paused = Some(self.plays_until.map_or(Duration::ZERO, |end| end.saturating_duration_since(now)));
        }
    }

    /// The client plays on.
    pub fn resume(&mut self, now: Instant) {
        if let Some(left) = self.paused.take()
            && self.plays_until.is_some()
        {
            self.plays_until = Some(now + left);
        }
    }

    /// The client has played this much of the reply; never runs backwards or past what was sent.
    pub fn acknowledge(&mut self, played_ms: u32) {
        let played = played_ms.min(self.sent_ms()).max(self.acknowledged_ms.unwrap_or(0));
        self.acknowledged_ms = Some(played);
    }

    /// What the person has heard by `now`: by the client's acknowledgements, or, from a client that sends none, by the
    /// clock. The sentence that sounds is cut at a word.
    #[must_use]
    pub fn heard(&self, now: Instant) -> String {
        self.heard_by(self.played(now))
    }

    /// What was heard of it by somebody who played its first `played_ms`.
    #[must_use]
    pub fn heard_at(&self, played_ms: u32) -> String {
        self.heard_by(self.rate.samples_in_ms(played_ms))
    }

    /// How long the sound sent so far is, in milliseconds.
    #[must_use]
    pub fn sent_ms(&self) -> u32 {
        (self.sent as u64 * 1000 / u64::from(self.rate.hz())) as u32
    }

    /// When the last of the sound will have been played, if the client plays what it gets.
    #[must_use]
    pub const fn plays_until(&self) -> Option<Instant> {
        self.plays_until
    }

    /// Lets go of what was not sent; what was sent is still known.
    pub fn stop(&mut self) {
        self.parts.clear();
        self.rest.clear();
        self.queued = 0;
    }

    /// What was heard so far is no part of the reply, and nothing more of it is sent.
    pub fn withdraw(&mut self) {
        self.stop();
        self.marks.clear();
    }

    fn heard_by(&self, played: usize) -> String {
        let mut heard = String::new();
        for mark in &self.marks {
            match mark.end {
                Some(end) if end <= played => heard.push_str(&mark.text),
                _ if mark.start >= played => break,
                end => {
                    // A sentence still being made is at least as long as what is in hand of it.
                    let end = end.unwrap_or(self.sent + self.rest.len() + self.queued).max(mark.start + 1);
                    let share = (played - mark.start) as f64 / (end - mark.start) as f64;
                    heard.push_str(cut_at_word(&mark.text, share));
                    break;
                }
            }
        }
        heard.trim_end().to_owned()
    }

    /// Samples played by `now`.
    fn played(&self, now: Instant) -> usize {
        if let Some(ms) = self.acknowledged_ms {
            return self.rate.samples_in_ms(ms);
        }
        let left = self
            .paused
            .unwrap_or_else(|| self.plays_until.map_or(Duration::ZERO, |end| end.saturating_duration_since(now)));
        self.sent.saturating_sub((left.as_secs_f64() * f64::from(self.rate.hz())) as usize)
    }

    fn due(&self, now: Instant) -> Option<Instant> {
        let due = self.plays_until?.checked_sub(self.ahead)?;
        (due > now).then_some(due)
    }

    fn send(&mut self, now: Instant, chunk: usize) -> Step {
        let samples: Vec<i16> = self.rest.drain(..chunk.min(self.rest.len())).collect();
        self.sent += samples.len();
        self.queued = self.queued.saturating_sub(samples.len());
        let audio = Pcm::new(self.rate, samples);
        self.plays_until = Some(self.plays_until.map_or(now, |end| end.max(now)) + audio.duration());
        let chunk = self.chunks;
        self.chunks += 1;
        Step::Audio { chunk, audio }
    }
}

/// The first `share` (0 to 1) of `text`, ending with a whole word.
fn cut_at_word(text: &str, share: f64) -> &str {
    let letters = text.chars().count();
    let keep = (letters as f64 * share).round() as usize;
    if keep >= letters {
        return text;
    }
    let end = text.char_indices().nth(keep).map_or(text.len(), |(at, _)| at);
    if text[end..].starts_with(char::is_whitespace) {
        return &text[..end];
    }
    match text[..end].rfind(char::is_whitespace) {
        Some(space) => &text[..space],
        // No word is whole yet; scripts without spaces are cut at the letter.
        None if text.contains(char::is_whitespace) || text.is_ascii() => "",
        None => &text[..end],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: SampleRate = SampleRate::HZ_16000;

    fn second() -> Part {
        Part::Sound(vec![1; 16_000])
    }

    fn drain(playout: &mut Playout, now: Instant) -> (Vec<String>, u32, Step) {
        let (mut texts, mut ms) = (Vec::new(), 0);
        loop {
            match playout.step(now) {
                Step::Text(text) => texts.push(text),
                Step::Audio { audio, .. } => ms += audio.duration().as_millis() as u32,
                step => return (texts, ms, step),
            }
        }
    }

    #[test]
    fn sound_leaves_a_little_ahead_of_its_time_and_text_with_it() {
        let start = Instant::now();
        let mut playout = Playout::new(RATE, Duration::from_millis(300));
        playout.push(Part::Sentence("One.".into()));
        playout.push(second());
        playout.push(Part::Sentence(" Two.".into()));
        playout.push(second());
        playout.push(Part::End);
        let (texts, ms, step) = drain(&mut playout, start);
        assert_eq!((texts, ms), (vec!["One.".to_owned()], 320));
        assert_eq!(step, Step::WaitUntil(start + Duration::from_millis(20)));
        let (mut texts, mut ms) = (Vec::new(), ms);
        for beat in 1..=50 {
            let (more, sent, _) = drain(&mut playout, start + Duration::from_millis(beat * 20));
            texts.extend(more);
            ms += sent;
        }
        assert_eq!((texts, ms), (vec![" Two.".to_owned()], 1320), "after a second");
        let (mut ms, mut last) = (0, Step::Starved);
        for beat in 51..=100 {
            let (_, sent, step) = drain(&mut playout, start + Duration::from_millis(beat * 20));
            ms += sent;
            if matches!(step, Step::Ended) {
                last = step;
                break;
            }
        }
        assert_eq!((ms, last), (680, Step::Ended));
    }

    #[test]
    fn heard_text_follows_the_acknowledgements() {
        let start = Instant::now();
        let mut playout = Playout::new(RATE, Duration::from_secs(9));
        playout.push(Part::Sentence("One two. ".into()));
        playout.push(second());
        playout.push(Part::Sentence("Three four five six.".into()));
        playout.push(second());
        playout.push(Part::End);
        drain(&mut playout, start);
        for (played, heard) in [
            (0, ""),
            (500, "One"),
            (1000, "One two."),
            (1500, "One two. Three four"),
            (2000, "One two. Three four five six."),
        ] {
            playout.acknowledge(played);
            assert_eq!(playout.heard(start), heard, "{played} ms");
        }
        playout.acknowledge(100);
        assert_eq!(playout.heard(start), "One two. Three four five six.", "never backwards");
    }

    #[test]
    fn what_was_withdrawn_is_not_heard_and_not_sent() {
        let start = Instant::now();
        let mut playout = Playout::new(RATE, Duration::from_secs(9));
        playout.push(Part::Sentence("Let me think. ".into()));
        playout.push(second());
        drain(&mut playout, start);
        playout.push(Part::Sentence("Which one? ".into()));
        playout.push(second());
        playout.withdraw();
        playout.push(Part::Sentence("Hello there.".into()));
        playout.push(second());
        playout.push(Part::End);
        let (texts, ms, step) = drain(&mut playout, start);
        assert_eq!((texts, ms, step), (vec!["Hello there.".to_owned()], 1000, Step::Ended));
        for (played, heard) in [(900, ""), (1500, "Hello"), (2000, "Hello there.")] {
            playout.acknowledge(played);
            assert_eq!(playout.heard(start), heard, "{played} ms");
        }
    }

    #[test]
    fn without_acknowledgements_the_clock_tells_and_a_pause_stops_it() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut playout = Playout::new(RATE, Duration::from_secs(9));
        playout.push(Part::Sentence("One two three four.".into()));
        playout.push(second());
        playout.push(Part::End);
        drain(&mut playout, start);
        assert_eq!(playout.heard(at(500)), "One two");
        playout.pause(at(500));
        assert_eq!(playout.heard(at(3000)), "One two");
        assert_eq!(playout.step(at(3000)), Step::Starved);
        playout.resume(at(3000));
        assert_eq!(playout.heard(at(3500)), "One two three four.");
    }
}
