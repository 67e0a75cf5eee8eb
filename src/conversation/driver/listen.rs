//! The driver's ears: audio to segments, segments to utterances, utterances to text.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures::FutureExt;
use tokio_util::sync::CancellationToken;
use tracing::Span;

use super::{Driver, TurnClock, book::collect, meter, told};
use crate::{
    audio::{FRAME_MS, Mono16k, Pcm, Resampler, SampleRate, VadFrame},
    conversation::{
        journal::{Said, Spoken},
        message::Event,
        segment::Heard,
        transcript::{Decode, FinalNeed, FinalText, TranscriptSettings, Utterance},
        turn::Input,
    },
    engine::{EngineError, RecognizeRequest, Recognizer, Transcript},
    measure,
    model::{Role, Timings, TurnId},
};

/// One utterance from its first voice to its final text.
pub(super) struct Speech {
    turn: TurnId,
    utterance: Utterance,
    /// Hears all of it, also when another takes its place meanwhile.
    ears: Arc<dyn Recognizer>,
    /// All of its sound, where that is kept.
    sound: Vec<i16>,
    start_ms: u64,
    /// Where the last voice was, on the client's audio clock.
    end_ms: u64,
    last_voice: Instant,
    soft_end: Option<Instant>,
    final_at: Option<Instant>,
    /// The turn machine's count of how often the person went on.
    revision: u32,
    /// The final text waits for the partial under way, which hears all there is.
    waiting: bool,
    /// Shown to the client? Not before the machine calls it a turn.
    visible: bool,
    partial: Option<(String, String)>,
    text: Option<FinalText>,
    /// Lasts as long as the person speaks.
    span: Span,
    /// Cancels the decodes in flight when the utterance is dropped.
    decodes: CancellationToken,
    /// Cancels those for the final text when the person goes on.
    finals: CancellationToken,
}

impl Speech {
    /// Where it began on the client's audio clock, with what came before the first voice.
    pub(super) fn start_ms(&self) -> u64 {
        self.start_ms
    }

    /// Takes the utterance's next audio.
    fn hear(&mut self, audio: &Mono16k, keep: bool) {
        self.utterance.push(audio);
        if keep {
            collect(&mut self.sound, audio.samples(), SampleRate::HZ_16000);
        }
    }
}

impl Drop for Speech {
    fn drop(&mut self) {
        self.decodes.cancel();
    }
}

/// A decode that came back.
pub(super) struct DecodeDone {
    turn: TurnId,
    generation: u64,
    /// `Some`: it was made for the final text of that revision.
    revision: Option<u32>,
    asked: Instant,
    result: Result<Transcript, EngineError>,
}

impl Driver {
    pub(super) fn audio(&mut self, pcm: &Pcm) {
        self.heard_audio |= !pcm.samples.is_empty();
        self.arrival.heard(Instant::now(), pcm.duration());
        measure::RECEIVED.add(pcm.duration());
        let mut audio = Mono16k::default();
        if self.resampler.as_ref().is_some_and(|resampler| resampler.from() != pcm.rate) {
            audio = self.resampler.take().map(|mut old| old.finish()).unwrap_or_default();
        }
        let resampler = self.resampler.get_or_insert_with(|| Resampler::new(pcm.rate));
        audio.append(&resampler.push(&pcm.samples));
        for frame in self.framer.push(&audio) {
            self.frame(&frame);
        }
    }

    /// For a client that stopped sending in mid-speech: silence, 20 ms per 20 ms.
    pub(super) fn insert_silence(&mut self) {
        let overdue = self.arrival.missing(Instant::now(), self.settings.starvation);
        let Some(overdue) = overdue.filter(|_| self.open.is_some()) else { return };
        let due = overdue.as_millis() as u32;
        for frame in self.framer.push(&Mono16k::silence(due.clamp(FRAME_MS, 200))) {
            self.inserted_ms += u64::from(FRAME_MS);
            self.arrival.put_in(Duration::from_millis(u64::from(FRAME_MS)));
            self.frame(&frame);
        }
    }

    fn frame(&mut self, frame: &VadFrame) {
        match self.segmenter.push(frame) {
            Heard::Nothing => {}
            Heard::Started { start_ms, audio } => {
                let start_ms = start_ms.saturating_sub(self.inserted_ms);
                self.step(Input::SpeechStarted { start_ms });
                match self.turns.open_turn().filter(|_| self.open.is_none()) {
                    Some(turn) => self.open_speech(turn, start_ms, &audio, false),
                    None if self.open.is_none() => self.segmenter.close(), // the session is ending
                    None => {
                        // `OpenTurn` made it already; it only lacks its sound.
                        if let Some(speech) = &mut self.open {
                            speech.hear(&audio, self.book.keeps_sound);
                        }
                    }
                }
            }
            Heard::Going { voiced, voiced_ms, silence_ms } => {
                let clock_ms = self.clock_ms();
                let Some(speech) = &mut self.open else { return };
                let mut audio = Mono16k::default();
                audio.append_frame(frame);
                speech.hear(&audio, self.book.keeps_sound);
                speech.utterance.silent_for(silence_ms);
                if voiced {
                    speech.last_voice = Instant::now();
                    speech.end_ms = clock_ms;
                }
                self.step(Input::Speech { voiced_ms, silence_ms });
            }
        }
    }

    fn open_speech(&mut self, turn: TurnId, start_ms: u64, audio: &Mono16k, visible: bool) {
        let now = Instant::now();
        let ears = self.engines.ears();
        ears.wake();
        let settings = self.settings.transcript.clone().for_max_audio(ears.max_audio());
        // Kept sound is played back with its words in time.
        let words = self.options.words || self.book.keeps_sound;
        let utterance = Utterance::new(TranscriptSettings { words, ..settings }, start_ms);
        let decodes = CancellationToken::new();
        self.told.begin(turn, self.options.mode);
        let span = self.told.listening(turn);
        let mut speech = Speech {
            turn,
            utterance,
            ears,
            sound: Vec::new(),
            start_ms,
            end_ms: start_ms + u64::from(audio.ms()),
            last_voice: now,
            soft_end: None,
            final_at: None,
            revision: 0,
            waiting: false,
            visible,
            partial: None,
            text: None,
            span,
            finals: decodes.child_token(),
            decodes,
        };
        speech.hear(audio, self.book.keeps_sound);
        self.open = Some(speech);
    }

    /// The machine calls it a turn: the client hears of it.
    pub(super) fn open_turn(&mut self, turn: TurnId, start_ms: u64) {
        self.quiet_from = None;
        self.outbox.push(Event::SpeechStarted { turn, at_ms: start_ms });
        match self.open.as_mut().filter(|speech| speech.turn == turn) {
            Some(speech) => {
                speech.visible = true;
                if let Some((stable, unstable)) = speech.partial.clone() {
                    self.outbox.push(Event::Partial { turn, stable, unstable });
                }
            }
            None => self.open_speech(turn, start_ms, &Mono16k::default(), true),
        }
    }

    // ------------------------------------------------------------ decoding

    pub(super) fn start_partial(&mut self) {
        let Some(speech) = &mut self.open else { return };
        if let Some(decode) = speech.utterance.next_partial() {
            let (turn, ears, cancel) = (speech.turn, Arc::clone(&speech.ears), speech.decodes.clone());
            self.submit(turn, &*ears, decode, None, cancel);
        }
    }

    pub(super) fn start_final(&mut self, turn: TurnId, revision: u32) {
        let mut speeches = self.open.iter_mut().chain(&mut self.closing);
        let Some(speech) = speeches.find(|speech| speech.turn == turn) else { return };
        speech.revision = revision;
        speech.soft_end.get_or_insert_with(Instant::now);
        speech.waiting = false;
        match speech.utterance.final_decode() {
            FinalNeed::Wait => speech.waiting = true,
            FinalNeed::Ready(text) => self.final_ready(turn, revision, text),
            FinalNeed::Decode(decodes) => {
                let (ears, cancel) = (Arc::clone(&speech.ears), speech.finals.clone());
                for decode in decodes {
                    self.submit(turn, &*ears, decode, Some(revision), cancel.clone());
                }
            }
        }
    }

    pub(super) fn undecode(&mut self, turn: TurnId) {
        if let Some(speech) = self.open.as_mut().filter(|speech| speech.turn == turn) {
            speech.utterance.resume();
            speech.finals.cancel();
            speech.finals = speech.decodes.child_token();
            speech.soft_end = None;
            speech.waiting = false;
            speech.final_at = None;
            speech.text = None;
        }
    }

    fn submit(
        &mut self,
        turn: TurnId,
        ears: &dyn Recognizer,
        decode: Decode,
        revision: Option<u32>,
        cancel: CancellationToken,
    ) {
        let generation = decode.generation;
        let request = RecognizeRequest {
            session: self.id,
            priority: decode.class,
            audio: decode.audio,
            language: self.options.language.clone().or(decode.language),
            prompt: steered(self.options.spelling.as_deref(), decode.prompt),
            words: decode.words,
            translate: false,
            temperature: None,
        };
        // What the recogniser logs is logged of this turn.
        let asked = Instant::now();
        let answer = self.told.of(turn).in_scope(|| ears.submit(request));
        let work = async move {
            let result = tokio::select! {
                () = cancel.cancelled() => Err(EngineError::Superseded),
                answer = answer => answer.unwrap_or(Err(EngineError::Closed)),
            };
            DecodeDone { turn, generation, revision, asked, result }
        };
        self.decodes.push(work.boxed());
    }

    pub(super) fn decoded(&mut self, done: DecodeDone) {
        let DecodeDone { turn, generation, revision, asked, result } = done;
        let mut speeches = self.open.iter_mut().chain(&mut self.closing);
        let Some(speech) = speeches.find(|speech| speech.turn == turn) else { return };
        match (revision, result) {
            (Some(revision), Ok(transcript)) => {
                if let Some(text) = speech.utterance.finalise(generation, &transcript)
                    && revision == speech.revision
                {
                    self.final_ready(turn, revision, text);
                }
            }
            (None, result) => {
                if result.is_ok() {
                    metrics::histogram!(measure::PARTIAL_LAG).record(asked.elapsed());
                }
                let waiting = speech.waiting.then_some(speech.revision);
                self.partial(turn, generation, result);
                if let Some(revision) = waiting {
                    self.start_final(turn, revision);
                }
            }
            (Some(revision), Err(error)) => {
                speech.utterance.failed(generation);
                if revision == speech.revision && error != EngineError::Superseded {
                    // What the person saw is better than nothing.
                    let text = speech
                        .partial
                        .clone()
                        .map(|(stable, unstable)| format!("{stable} {unstable}").trim().to_owned());
                    self.told.of(turn).in_scope(
                        || tracing::error!(error.code = error.code(), %error, hint = error.hint(), "final transcript failed"),
                    );
                    self.outbox.push(Event::Failed { turn: Some(turn), error });
                    self.final_ready(
                        turn,
                        revision,
                        FinalText { text: text.unwrap_or_default(), ..FinalText::default() },
                    );
                }
            }
        }
    }

    fn partial(&mut self, turn: TurnId, generation: u64, result: Result<Transcript, EngineError>) {
        let mut speeches = self.open.iter_mut().chain(&mut self.closing);
        let Some(speech) = speeches.find(|speech| speech.turn == turn) else { return };
        match result {
            Ok(transcript) => {
                let Some((stable, unstable)) = speech.utterance.partial(generation, &transcript) else { return };
                speech.partial = Some((stable.clone(), unstable.clone()));
                let text = format!("{stable} {unstable}").trim().to_owned();
                if speech.visible {
                    self.outbox.push(Event::Partial { turn, stable, unstable });
                }
                self.step(Input::Hypothesis { text });
            }
            Err(error) => {
                speech.utterance.failed(generation);
                if !matches!(error, EngineError::Superseded | EngineError::Overloaded { .. }) {
                    self.told
                        .of(turn)
                        .in_scope(|| tracing::warn!(error.code = error.code(), %error, "partial transcript failed"));
                }
            }
        }
    }

    fn final_ready(&mut self, turn: TurnId, revision: u32, text: FinalText) {
        let mut speeches = self.open.iter_mut().chain(&mut self.closing);
        let Some(speech) = speeches.find(|speech| speech.turn == turn) else { return };
        speech.final_at = Some(Instant::now());
        let input =
            Input::Decoded { turn, revision, text: text.text.clone(), log_probability: text.mean_log_probability };
        speech.text = Some(text);
        self.step(input);
    }

    // ------------------------------------------------------------ the utterance's end

    pub(super) fn close_speech(&mut self, turn: TurnId) {
        self.segmenter.close();
        let Some(mut speech) = self.open.take_if(|speech| speech.turn == turn) else { return };
        let spoken = std::mem::replace(&mut speech.span, Span::none());
        spoken.record("audio_ms", speech.end_ms.saturating_sub(speech.start_ms));
        self.heard_audio = false;
        self.outbox.push(Event::SpeechStopped { turn, at_ms: speech.end_ms, until_ms: self.clock_ms() });
        let mut clock = TurnClock { turn, speech_end: speech.last_voice, timings: Timings::default() };
        clock.timings.soft_end_ms = speech.soft_end.map(|at| clock.ms_at(at));
        clock.timings.hard_end_ms = Some(clock.ms_at(Instant::now()));
        self.keep_clock(clock);
        // What the client puts in from now on comes after it.
        self.history.said(turn, "");
        self.closing.push(speech);
    }

    pub(super) fn tell_final(&mut self, turn: TurnId, text: String) {
        let Some(at) = self.closing.iter().position(|speech| speech.turn == turn) else { return };
        let mut speech = self.closing.swap_remove(at);
        let found = speech.text.take().unwrap_or_default();
        let (start_ms, end_ms) = (speech.start_ms, speech.end_ms);
        let final_at = speech.final_at;
        let mut final_ms = None;
        if let Some(clock) = self.clock(turn) {
            final_ms = final_at.map(|at| clock.ms_at(at));
            clock.timings.final_transcript_ms = final_ms;
        }
        meter::transcript(!text.is_empty(), found.rejected, final_ms);
        let spoken = Spoken { start_ms, end_ms, words: found.words.clone() };
        let words = if self.options.words { found.words } else { Vec::new() };
        let language = self.options.language.clone().or(found.language);
        let said = Said { text: text.clone(), spoken: Some(spoken), language: language.clone() };
        self.book.said(turn, self.options.mode, said);
        self.book.sound(turn, Role::User, Pcm::new(SampleRate::HZ_16000, std::mem::take(&mut speech.sound)));
        let heard = told::Heard {
            audio_ms: end_ms.saturating_sub(start_ms),
            revisions: speech.revision,
            final_ms: self.clock(turn).and_then(|clock| clock.timings.final_transcript_ms),
            rejected: found.rejected,
        };
        self.told.heard(turn, &text, language.as_deref(), &heard);
        self.outbox.push(Event::Final { turn, text, words, start_ms, end_ms, rejected: found.rejected, language });
    }

    /// Where the client's audio is, in milliseconds since the session began.
    pub(super) fn clock_ms(&self) -> u64 {
        self.segmenter.clock_ms().saturating_sub(self.inserted_ms)
    }

    pub(super) fn no_speech(&self, turn: TurnId) {
        let at_ms = self.clock_ms();
        self.outbox.push(Event::Final {
            turn,
            text: String::new(),
            words: Vec::new(),
            start_ms: at_ms,
            end_ms: at_ms,
            rejected: Some("no_speech"),
            language: self.options.language.clone(),
        });
    }
}

/// What steers a decode: what the client wants spelled, then what came before.
fn steered(spelling: Option<&str>, before: Option<String>) -> Option<String> {
    match (spelling, before) {
        (None, before) => before,
        (Some(spelling), None) => Some(spelling.to_owned()),
        (Some(spelling), Some(before)) => Some(format!("{spelling} {before}")),
    }
}
