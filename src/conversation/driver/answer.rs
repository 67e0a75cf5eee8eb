//! The driver's mouth: makes replies, lets them out at the pace they are heard, stops them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    Driver, Speech, TurnClock, meter,
    options::segment_settings,
    run::{Which, Words},
    told::How,
};
use crate::{
    conversation::{
        journal::{Replied, Said},
        message::{CancelReason, Event, Mode},
        playout::Step,
        reply::{self, Made, ReplyJob, Withdrawals},
        turn::Input,
    },
    engine::{ChatRequest, EngineError},
    measure,
    model::{Timings, TurnId},
};

use tracing::Instrument;

use super::run::ReplyRun;

/// Loading a model that takes longer than this is told.
const WORTH_TELLING: Duration = Duration::from_millis(700);

impl Driver {
    /// Loads the chat model before the first answer needs it, and says so where that takes a while or fails. Ears and voice
    /// come back into memory if they have left it, while the person takes a breath.
    pub(super) fn warm_up(&self) {
        self.engines.recognizer.wake();
        if self.options.mode != Mode::Converse {
            return;
        }
        if self.options.speak {
            self.engines.speech.wake();
        }
        let (mut warming, outbox) = (self.engines.chat.warm_up(), Arc::clone(&self.outbox));
        let loading = async move {
            let tell = |stage: &str| {
                outbox.push(Event::Progress { task: "llm.load", stage: stage.into(), fraction: None });
            };
            let loaded = if let Ok(soon) = tokio::time::timeout(WORTH_TELLING, &mut warming).await {
                soon
            } else {
                tell("loading");
                let loaded = warming.await;
                if loaded.is_ok() {
                    tell("ready");
                }
                loaded
            };
            if let Err(error) = loaded {
                tracing::warn!(
                    error.code = error.code(),
                    error = error.for_log(),
                    hint = error.hint(),
                    "the chat model is not ready"
                );
                outbox.push(Event::Failed { turn: None, error });
            }
        };
        tokio::spawn(loading.in_current_span());
    }

    pub(super) fn typed(&mut self, text: String) {
        let before = Instant::now();
        self.step(Input::Text(text));
        if let Some(turn) = self.reply.as_ref().map(|reply| reply.turn)
            && self.clock(turn).is_none()
        {
            self.keep_clock(TurnClock { turn, speech_end: before, timings: Timings::default() });
        }
    }

    pub(super) fn start_reply(&mut self, turn: TurnId, said: String, held: bool) {
        self.history.measure(self.engines.chat.tokens());
        let options = &self.options;
        let request = ChatRequest {
            tools: options.tools.clone(),
            tool_choice: options.tool_choice.clone(),
            max_tokens: options.max_tokens,
            temperature: options.temperature,
            ..self.history.request(self.id, turn, &said)
        };
        let job = ReplyJob {
            request,
            language: options.language.clone(),
            voice: options.voice.clone(),
            speed: options.speed,
            rate: options.output_rate,
            // Who ends the session does not listen to the last answer.
            speak: options.speak && self.ending.is_none(),
            withdrawals: Withdrawals::default(),
        };
        let mut run = ReplyRun::new(turn, Words::Of(said), job.rate, self.ahead());
        run.withdrawals = job.withdrawals.clone();
        run.speaks = options.speak;
        run.held = held;
        let span = self.told.begin(turn, self.options.mode);
        run.parts = Some(span.in_scope(|| reply::make(self.engines.clone(), job)));
        self.reply = Some(run);
        if !held {
            self.let_out(turn);
        }
    }

    pub(super) fn release(&mut self, turn: TurnId) {
        if let Some(reply) = self.reply.as_mut().filter(|reply| reply.turn == turn) {
            reply.held = false;
            self.let_out(turn);
        }
    }

    fn let_out(&mut self, turn: TurnId) {
        match &self.reply {
            Some(ReplyRun { words: Words::Of(said), .. }) if !said.is_empty() => {
                self.history.said(turn, said.clone());
                if !self.book.has(turn) {
                    self.told.typed(turn, said);
                }
                // A spoken turn was told with its final transcript: this one was typed.
                let said = Said { text: said.clone(), spoken: None, language: self.options.language.clone() };
                self.book.said(turn, self.options.mode, said);
            }
            _ => {
                let kept = self.kept_under(turn);
                self.reply.iter_mut().for_each(|reply| reply.kept = kept.clone());
            }
        }
        self.begun(turn, None);
    }

    /// The reply is one from here on: for the client, and for what is remembered.
    pub(super) fn begun(&mut self, turn: TurnId, tag: Option<u64>) {
        self.leave.owed(false);
        self.history.reply_begins(turn);
        let playing = self.told.playing(turn);
        self.reply.iter_mut().for_each(|reply| reply.span = playing.clone());
        self.quiet_from = None;
        self.outbox.push(Event::ReplyStarted { turn, tag });
    }

    pub(super) fn made(&mut self, which: Which, made: Option<Made>) {
        if let Some(run) = self.run_mut(which) {
            run.made(made);
        }
    }

    /// Lets out what is due; gives the moment when more will be.
    pub(super) fn pump_replies(&mut self) -> Option<Instant> {
        self.start_waiting();
        let mut due = self.pump_reply(Which::Main);
        // From the last, since one that ends leaves its place.
        for index in (0..self.beside.len()).rev() {
            due = due.into_iter().chain(self.pump_reply(Which::Beside(index))).min();
        }
        due
    }

    fn pump_reply(&mut self, which: Which) -> Option<Instant> {
        loop {
            let (room, keeps) = (self.outbox.has_room(), self.book.keeps_sound && which == Which::Main);
            let reply = self.run_mut(which).filter(|reply| !reply.held && room)?;
            let turn = reply.turn;
            reply.drop_withdrawn();
            match reply.playout.step(Instant::now()) {
                Step::Text(delta) => {
                    reply.text.push_str(&delta);
                    self.outbox.push(Event::ReplyText { turn, delta: delta.clone() });
                    self.step(Input::Sounding { turn, text: delta });
                }
                Step::Audio { chunk, audio } => {
                    reply.sounded(&audio, keeps);
                    measure::SENT.add(audio.duration());
                    self.outbox.push(Event::ReplyAudio { turn, chunk, audio });
                }
                Step::Call { call, id, name } => {
                    let complete = reply.call_begins(id.clone(), name.clone());
                    if let Some(complete) = complete {
                        self.outbox.push(complete);
                    }
                    self.outbox.push(Event::ReplyCall { turn, call, id, name });
                }
                Step::Arguments { call, delta } => {
                    reply.more_arguments(&delta);
                    self.outbox.push(Event::ReplyArguments { turn, call, delta });
                }
                Step::WaitUntil(due) => return Some(due),
                Step::Starved => return None,
                Step::Ended => {
                    let complete = reply.call_ends();
                    if let Some(complete) = complete {
                        self.outbox.push(complete);
                    }
                    self.reply_done(which);
                    if which != Which::Main {
                        return None;
                    }
                }
                Step::Failed(error) => {
                    self.reply_failed(which, turn, error);
                    if which != Which::Main {
                        return None;
                    }
                }
            }
        }
    }

    fn reply_failed(&mut self, which: Which, turn: TurnId, error: EngineError) {
        self.told.of(turn).in_scope(|| {
            tracing::error!(error.code = error.code(), error = error.for_log(), hint = error.hint(), "reply failed");
        });
        self.outbox.push(Event::Failed { turn: Some(turn), error });
        match which {
            Which::Main => self.step(Input::ReplyFailed { turn }),
            Which::Beside(_) => drop(self.cancel_beside(turn, CancelReason::Failed)),
        }
    }

    fn reply_done(&mut self, which: Which) {
        let Some(reply) = self.take_run(which) else { return };
        let timings = self.timings(&reply);
        meter::reply_ended(&timings, None);
        let turn = reply.turn;
        let text = reply.text.trim().to_owned();
        let reply::Stopped { cause: stop, prompt_tokens, reply_tokens } = reply.stopped;
        self.told.answered(turn, How::Done, &text, reply.calls.len(), &timings);
        if which == Which::Main {
            self.leave.owed(!reply.calls.is_empty());
            self.history.replied(turn, text.clone());
            self.history.called(turn, &reply.calls);
            self.quiet_from = Some(reply.playout.plays_until().unwrap_or_else(Instant::now).max(Instant::now()));
            let replied = Replied { text: text.clone(), heard: text.clone(), interrupted: false, timings };
            self.write_down(reply, replied);
        }
        self.outbox.push(Event::ReplyDone { turn, text, timings, stop, prompt_tokens, reply_tokens });
        if which == Which::Main {
            self.step(Input::ReplyEnded { turn });
        } else {
            self.told.end(turn);
        }
    }

    pub(super) fn pause(&mut self, turn: TurnId) {
        if let Some(start_ms) = self.open.as_ref().map(Speech::start_ms) {
            // The segment began with what came before the voice.
            let voice = start_ms + u64::from(segment_settings(&self.settings, &self.options).prefix_ms);
            let after = Duration::from_millis(self.clock_ms().saturating_sub(voice));
            metrics::histogram!(measure::INTERRUPTION_REACTION).record(after);
        }
        if let Some(reply) = self.reply.as_mut().filter(|reply| reply.turn == turn) {
            reply.playout.pause(Instant::now());
            self.outbox.push(Event::ReplyPaused { turn });
        }
    }

    pub(super) fn resume(&mut self, turn: TurnId) {
        if let Some(reply) = self.reply.as_mut().filter(|reply| reply.turn == turn) {
            reply.playout.resume(Instant::now());
            metrics::counter!(measure::INTERRUPTIONS, "outcome" => "resumed").increment(1);
            self.outbox.push(Event::ReplyResumed { turn });
        }
    }

    pub(super) fn cancel_reply(&mut self, turn: TurnId, reason: CancelReason) {
        let Some(reply) = self.reply.take_if(|reply| reply.turn == turn) else { return };
        // Text-only replies are read, not heard: all that was sent counts.
        let heard = if reply.speaks { reply.playout.heard(Instant::now()) } else { reply.text.trim().to_owned() };
        self.history.replied(turn, reply.text.trim());
        self.history.cut_to_heard(turn, &heard);
        self.quiet_from = Some(Instant::now());
        let timings = self.timings(&reply);
        meter::reply_ended(&timings, Some(reason));
        let text = reply.text.trim().to_owned();
        self.told.answered(turn, How::Stopped(reason), &text, reply.calls.len(), &timings);
        self.write_down(reply, Replied { text, heard: heard.clone(), interrupted: true, timings });
        self.outbox.push(Event::ReplyCancelled { turn, heard, reason, timings });
    }

    /// Stops a reply beside the conversation; whether there was one.
    pub(super) fn cancel_beside(&mut self, turn: TurnId, reason: CancelReason) -> bool {
        let Some(at) = self.beside.iter().position(|reply| reply.turn == turn) else { return false };
        let reply = self.beside.remove(at);
        let timings = self.timings(&reply);
        meter::reply_ended(&timings, Some(reason));
        let heard = reply.text.trim().to_owned();
        self.told.answered(turn, How::Stopped(reason), &heard, reply.calls.len(), &timings);
        self.told.end(turn);
        self.outbox.push(Event::ReplyCancelled { turn, heard, reason, timings });
        true
    }

    fn run_mut(&mut self, which: Which) -> Option<&mut ReplyRun> {
        match which {
            Which::Main => self.reply.as_mut(),
            Which::Beside(index) => self.beside.get_mut(index),
        }
    }

    fn take_run(&mut self, which: Which) -> Option<ReplyRun> {
        match which {
            Which::Main => self.reply.take(),
            Which::Beside(index) => (index < self.beside.len()).then(|| self.beside.remove(index)),
        }
    }

    fn timings(&mut self, reply: &ReplyRun) -> Timings {
        let Some(clock) = self.clock(reply.turn) else { return Timings::default() };
        let at = |moment: Option<Instant>| moment.map(|moment| clock.ms_at(moment));
        Timings {
            first_token_ms: at(reply.first_token),
            first_sentence_ms: at(reply.first_sentence),
            first_sound_ms: at(reply.first_sound),
            first_audio_ms: at(reply.first_audio),
            done_ms: at(Some(Instant::now())),
            ..clock.timings
        }
    }
}
