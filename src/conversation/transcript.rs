//! The text of one utterance while it is being spoken.
//!
//! Pure: it is given audio and transcripts and says what to decode next; whoever drives it does the decoding. The
//! driver's part:
//!
//! 1. [`push`](Utterance::push) every piece of the segment's audio, in order, say how long it has been
//!    [silent](Utterance::silent_for), then ask [`next_partial`](Utterance::next_partial); ask again after each answer.
//! 2. Give each answer to [`partial`](Utterance::partial), or to [`failed`](Utterance::failed) if it was an error
//!    (superseded, overloaded or real): that lets the next one go.
//! 3. At the soft end ask [`final_decode`](Utterance::final_decode). `Decode`: submit them all, and give the answers,
//!    in whatever order they come, to [`finalise`](Utterance::finalise), until it gives the text. `Wait`: the partial
//!    under way will do; ask again when its answer has been given to `partial` or `failed`.
//! 4. If the person goes on, call [`resume`](Utterance::resume); answers to what was for the final are then stale.
//!
//! **Stable text** follows LocalAgreement-2 (Macháček, Dabre, Bojar: "Turning Whisper into Real-Time Transcription
//! System", 2023): words on which two successive hypotheses agree, except the last, which may still be going on. It
//! is only ever appended to, and the final text begins with it.
//!
//! **Cost.** Every decode hears the *tail*, the audio since the last cut. When the tail grows long it is cut at a quiet
//! point behind a stable word whose time is known; if there is none before the recogniser's limit, at the quietest
//! point, and the part before it is decoded once more for good. Between cuts the spacing of decodes follows what they
//! cost, see [`TranscriptSettings::compute_ratio`].

mod budget;
mod place;
mod request;
#[cfg(test)]
mod tests;
mod units;

use std::{collections::VecDeque, ops::Range, sync::Arc};

pub use self::request::{Decode, FinalNeed, FinalText, TranscriptSettings};
use self::{
    budget::Budget,
    place::{loudness, middle, place},
    units::{Unit, agreement, join, overlap, split},
};
use super::segment::quietest_point;
use crate::{
    audio::Mono16k,
    engine::{Priority, Transcript},
    model::Word,
};

/// Samples per millisecond.
const MS: usize = 16;

/// One utterance's audio and what has been understood of it.
pub struct Utterance {
    settings: TranscriptSettings,
    start_ms: u64,
    /// Audio since the last cut.
    tail: Mono16k,
    /// Samples before `tail`, from the beginning of the utterance.
    cut: usize,
    /// Samples of silence at the end of what was pushed.
    silence: usize,
    /// Text before the cut; stable.
    front: Vec<Unit>,
    /// `front` with times, where wanted.
    front_words: Vec<Word>,
    /// Stable text of the tail.
    stable: Vec<Unit>,
    /// What the last hypothesis had behind the stable text.
    pending: Vec<Unit>,
    shown: (String, String),
    /// Decodes asked for and not yet made use of, in the order of their audio: one partial, or what is needed for the
    /// final.
    under_way: VecDeque<UnderWay>,
    generation: u64,
    /// The last answered decode of the whole tail, while no cut has been made since.
    heard: Option<HeardTail>,
    /// Where the last decode asked for ended, in samples from the beginning.
    asked_to: usize,
    language: Option<String>,
    budget: Budget,
}

struct UnderWay {
    generation: u64,
    /// What it hears, in samples from the beginning.
    range: Range<usize>,
    purpose: Purpose,
    answer: Option<Answer>,
}

/// What came back, as units; `words` is empty or has one for each.
#[derive(Default)]
struct Answer {
    units: Vec<Unit>,
    words: Vec<Word>,
    rejected: Option<&'static str>,
    mean_log_probability: f32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Partial,
    /// The part before a forced cut, for good.
    Part,
    Final,
}

struct HeardTail {
    /// Where it ended, in samples from the beginning.
    to: usize,
    purpose: Purpose,
    answer: Answer,
}

impl Utterance {
    /// An utterance whose audio begins at `start_ms` of the stream.
    #[must_use]
    pub fn new(settings: TranscriptSettings, start_ms: u64) -> Self {
        Self {
            budget: Budget::new(settings.flat_ms),
            settings,
            start_ms,
            tail: Mono16k::default(),
            cut: 0,
            silence: 0,
            front: vec![],
            front_words: vec![],
            stable: vec![],
            pending: vec![],
            shown: Default::default(),
            under_way: VecDeque::new(),
            generation: 0,
            heard: None,
            asked_to: 0,
            language: None,
        }
    }

    /// Takes the segment's next audio.
    pub fn push(&mut self, audio: &Mono16k) {
        self.tail.append(audio);
    }

    /// Says how long nobody has spoken at the end of what was pushed; 0 while somebody does.
    pub fn silent_for(&mut self, ms: u32) {
        self.silence = ms as usize * MS;
    }

    /// What to decode now for the text shown while the person speaks, if anything.
    pub fn next_partial(&mut self) -> Option<Decode> {
        if !self.under_way.is_empty() {
            return None;
        }
        let settings = &self.settings;
        if self.tail.ms() + settings.step_ms >= settings.max_audio_ms {
            let to = self.forced_cut(self.cut);
            return Some(self.ask(self.cut..to, Purpose::Part));
        }
        let first = self.asked_to == 0;
        if first && self.tail.ms() < settings.first_ms.min(settings.max_audio_ms / 2) {
            return None;
        }
        let (length, ratio) = (self.tail.len(), settings.compute_ratio);
        let fresh_ms = ((self.end() - self.asked_to) / MS) as u32;
        let due = if self.silence >= settings.pause_ms as usize * MS {
            !self.covered(self.asked_to) && (first || self.budget.allows(length, PAUSE_RESERVE, ratio))
        } else {
            // In the first moments of silence it is better to see whether it becomes a pause.
            let affordable = fresh_ms >= settings.step_ms && self.budget.allows(length, FINAL_RESERVE, ratio);
            self.silence < 40 * MS && (first || affordable || fresh_ms >= settings.longest_step_ms)
        };
        due.then(|| self.ask(self.cut..self.end(), Purpose::Partial))
    }

    /// What is needed now for the final text. The utterance may still go on afterwards: see [`resume`](Self::resume).
    pub fn final_decode(&mut self) -> FinalNeed {
        if let Some(last) = self.under_way.back() {
            if last.purpose != Purpose::Partial || self.covered(last.range.end) {
                return FinalNeed::Wait;
            }
            // The final takes its place; its answer will be stale.
            self.give_up();
        } else if let Some(heard) = &self.heard {
            let answer = &heard.answer;
            let timed = !self.settings.words || !answer.words.is_empty();
            let good = answer.rejected.is_none() && !answer.units.is_empty() && timed;
            if self.covered(heard.to) && (good || heard.purpose == Purpose::Final) {
                return FinalNeed::Ready(self.compose());
            }
        }
        let mut from = self.cut;
        let to = (self.voiced_end() + FINAL_SILENCE).min(self.end());
        if from >= to {
            return FinalNeed::Ready(self.compose());
        }
        let most = self.settings.max_audio_ms as usize * MS;
        let mut decodes = vec![];
        while to - from > most {
            let cut = self.forced_cut(from);
            decodes.push(self.ask(from..cut, Purpose::Part));
            from = cut;
        }
        decodes.push(self.ask(from..to, Purpose::Final));
        FinalNeed::Decode(decodes)
    }

    /// The person went on after a soft end. A final that is under way is no longer wanted; one that was answered stays
    /// as a hypothesis.
    pub fn resume(&mut self) {
        if self.under_way.back().is_some_and(|decode| decode.purpose == Purpose::Final) {
            self.give_up();
        }
        if let Some(mut heard) = self.heard.take_if(|heard| heard.purpose == Purpose::Final) {
            self.agree(&heard.answer.units);
            heard.purpose = Purpose::Partial;
            self.heard = Some(heard);
        }
    }

    /// Takes the answer of a decode from [`next_partial`](Self::next_partial): the stable and the unstable text, if
    /// there is something new to show.
    pub fn partial(&mut self, generation: u64, result: &Transcript) -> Option<(String, String)> {
        self.answered(generation, result);
        self.news()
    }

    /// Takes the answer of a decode from [`final_decode`](Self::final_decode): the final text, once it is all there.
    pub fn finalise(&mut self, generation: u64, result: &Transcript) -> Option<FinalText> {
        self.answered(generation, result).then(|| self.compose())
    }

    /// A decode came to nothing: superseded or an error. What it was for will be asked for again.
    pub fn failed(&mut self, generation: u64) {
        if self.under_way.iter().any(|decode| decode.generation == generation) {
            self.give_up();
        }
    }

    /// Where the utterance's audio begins, in ms of the stream.
    #[must_use]
    pub const fn start_ms(&self) -> u64 {
        self.start_ms
    }

    /// Where its last voiced sound ended, in ms of the stream.
    #[must_use]
    pub fn voiced_end_ms(&self) -> u64 {
        self.start_ms + (self.voiced_end() / MS) as u64
    }

    /// End of the audio, in samples from the beginning.
    fn end(&self) -> usize {
        self.cut + self.tail.len()
    }

    fn voiced_end(&self) -> usize {
        self.end().saturating_sub(self.silence)
    }

    /// Whether a decode up to `to` has heard everything that was voiced, and enough behind it to know.
    fn covered(&self, to: usize) -> bool {
        to >= (self.voiced_end() + self.settings.pause_ms as usize * MS / 2).min(self.end())
    }

    fn ask(&mut self, range: Range<usize>, purpose: Purpose) -> Decode {
        self.generation += 1;
        self.asked_to = range.end;
        let audio = self.tail.slice(range.start - self.cut..range.end - self.cut);
        let offset_ms = self.start_ms + (range.start / MS) as u64;
        let long = audio.ms() >= self.settings.trim_after_ms;
        // Times are needed to cut; and where the caller wants them, in whatever may become the final.
        let may_be_final = purpose != Purpose::Partial || self.silence > 0;
        let words = purpose == Purpose::Partial && long || self.settings.words && may_be_final;
        self.under_way.push_back(UnderWay { generation: self.generation, range, purpose, answer: None });
        Decode {
            generation: self.generation,
            audio: Arc::new(audio),
            offset_ms,
            class: if purpose == Purpose::Partial { Priority::Partial } else { Priority::Final },
            words,
            prompt: None,
            language: self.language.clone(),
        }
    }

    /// Forgets what is under way; its audio counts as not asked for.
    fn give_up(&mut self) {
        for _ in self.under_way.drain(..) {
            self.budget.lost();
        }
        // Not 0, which would make the next one the first.
        self.asked_to = self.heard.as_ref().map_or(self.cut, |heard| heard.to).max(1);
    }

    /// Where to cut audio that is longer than the recogniser hears, and begins at `from`.
    fn forced_cut(&self, from: usize) -> usize {
        let from = from - self.cut;
        let most = (self.settings.max_audio_ms as usize * MS).min(self.tail.len() - from);
        self.cut + quietest_point(&self.tail, from + most / 2..from + most)
    }

    /// Files an answer and makes use of those that have their turn. True: the final one was among them.
    fn answered(&mut self, generation: u64, result: &Transcript) -> bool {
        let Some(decode) = self.under_way.iter_mut().find(|decode| decode.generation == generation) else {
            return false;
        };
        self.budget.spent(decode.range.len(), result.compute, !result.words.is_empty());
        let units = split(&result.text);
        if !units.is_empty() {
            self.language.clone_from(&result.language);
        }
        let words = if result.words.len() == units.len() { result.words.clone() } else { vec![] };
        let (rejected, mean_log_probability) = (result.rejected, result.mean_log_probability);
        decode.answer = Some(Answer { units, words, rejected, mean_log_probability });
        let mut finished = false;
        while let Some(decode) = self.under_way.pop_front_if(|decode| decode.answer.is_some()) {
            let answer = decode.answer.unwrap_or_default();
            let (to, purpose) = (decode.range.end, decode.purpose);
            match purpose {
                Purpose::Part => self.commit_part(to, &answer),
                Purpose::Partial => {
                    self.agree(&answer.units);
                    self.heard = Some(HeardTail { to, purpose, answer });
                    if self.tail.ms() >= self.settings.trim_after_ms {
                        self.trim();
                    }
                }
                Purpose::Final => {
                    self.heard = Some(HeardTail { to, purpose, answer });
                    finished = true;
                }
            }
        }
        finished
    }

    /// LocalAgreement-2: what this hypothesis and the one before have in common behind the stable text joins it.
    fn agree(&mut self, units: &[Unit]) {
        if units.is_empty() {
            return; // a rejected or empty one says nothing about the text
        }
        let heard = &units[overlap(&self.stable, units).heard..];
        let agreed = agreement(&self.pending, heard).min(heard.len().saturating_sub(1));
        self.stable.extend_from_slice(&heard[..agreed]);
        self.pending = heard[agreed..].to_vec();
    }

    /// Cuts the tail behind a stable word, at the quietest of the places where that can be done.
    fn trim(&mut self) {
        let Some(heard) = self.heard.take_if(|heard| !heard.answer.words.is_empty()) else { return };
        let Answer { units, words, .. } = &heard.answer;
        // Words whose place in hypothesis and stable text is the same, so that the time belongs to the word.
        let known = agreement(&self.stable, units);
        let least = self.tail.len() / 4;
        // The last stable word stays in the tail: it shows where the next hypothesis goes on.
        let best = (0..known.saturating_sub(1))
            .filter_map(|index| {
                let (word, next) = (&words[index], &words[index + 1]);
                let (end, start) = (word.end_ms as usize * MS, next.start_ms as usize * MS);
                // Never past the middle of a word on either side: a short one would be lost whole.
                let first = end.min(start).saturating_sub(TIME_ERROR).max(middle(word));
                let last = (end.max(start) + TIME_ERROR).min(middle(next));
                let at = (first < last).then(|| quietest_point(&self.tail, first..last))?;
                (at >= least && at < self.tail.len()).then(|| (loudness(&self.tail, at), index + 1, at))
            })
            .min_by_key(|(loudness, ..)| *loudness);
        if let Some((_, count, at)) = best {
            self.keep_words(&words[..count]);
            self.front.extend(self.stable.drain(..count));
            self.cut_at(self.cut + at);
        } else {
            self.heard = Some(heard);
        }
    }

    /// Makes the text up to `to` final and goes on behind it.
    fn commit_part(&mut self, to: usize, answer: &Answer) {
        let both = overlap(&self.stable, &answer.units);
        let known: Vec<Unit> = self.stable.drain(..both.known).collect();
        let rest = &answer.units[both.heard..];
        self.keep_words(&place(&known, rest, both.heard, &answer.words));
        self.front.extend(known);
        self.front.extend_from_slice(rest);
        self.pending.clear();
        self.cut_at(to);
    }

    fn cut_at(&mut self, to: usize) {
        let samples = to - self.cut;
        self.budget.cut(samples, self.tail.len());
        self.cut = to;
        self.tail.take_front(samples);
        self.heard = None;
    }

    fn keep_words(&mut self, words: &[Word]) {
        if self.settings.words {
            let moved: Vec<Word> = words.iter().map(|word| self.in_stream(word)).collect();
            self.front_words.extend(moved);
        }
    }

    /// A word of the tail with its time in the stream.
    fn in_stream(&self, word: &Word) -> Word {
        let offset = (self.start_ms + (self.cut / MS) as u64) as u32;
        Word { start_ms: word.start_ms + offset, end_ms: word.end_ms + offset, ..word.clone() }
    }

    fn news(&mut self) -> Option<(String, String)> {
        let stable = join(self.front.iter().chain(&self.stable));
        let unstable = join(&self.pending);
        let shown = (stable, unstable);
        (shown != self.shown).then(|| {
            self.shown.clone_from(&shown);
            shown
        })
    }

    /// The whole text: what was stable, and behind it what the last decode heard.
    fn compose(&self) -> FinalText {
        let nothing = Answer::default();
        let heard = self.heard.as_ref().map_or(&nothing, |heard| &heard.answer);
        let known = overlap(&self.stable, &heard.units).heard;
        let rest = &heard.units[known..];
        let text = join(self.front.iter().chain(&self.stable).chain(rest));
        let mut words = vec![];
        if self.settings.words {
            words.clone_from(&self.front_words);
            let placed = place(&self.stable, rest, known, &heard.words);
            words.extend(placed.iter().map(|word| self.in_stream(word)));
        }
        FinalText {
            rejected: heard.rejected.filter(|_| text.is_empty()),
            text,
            words,
            language: self.language.clone(),
            mean_log_probability: heard.mean_log_probability,
            compute: self.budget.spent,
        }
    }
}

/// Silence behind the last voice that a final decode hears.
const FINAL_SILENCE: usize = 300 * MS;
/// How far off a word's time may be.
const TIME_ERROR: usize = 80 * MS;
/// How much of another decode to keep in hand for the final when a partial is considered.
const FINAL_RESERVE: f32 = 0.75;
/// The same in a pause: every second time this is the final decode itself, and would have to be made anyway.
const PAUSE_RESERVE: f32 = -0.5;
