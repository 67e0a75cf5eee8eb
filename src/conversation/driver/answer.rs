//! The driver's mouth: makes replies, lets them out at the pace they are heard, stops them.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::sync::mpsc;

use super::{Driver, TurnClock, book::collect};
use crate::{
    audio::Pcm,
    conversation::{
        journal::{Replied, Said},
        message::{CancelReason, Event, Mode},
        playout::{Part, Playout, Step},
        reply::{self, Made, ReplyJob},
        turn::Input,
    },
    engine::StopCause,
    model::{Role, Timings, TurnId},
};

/// Loading a model that takes longer than this is told.
const WORTH_TELLING: Duration = Duration::from_millis(700);

/// One reply from its first token to its last chunk.
pub(super) struct ReplyRun {
    pub(super) turn: TurnId,
    pub(super) playout: Playout,
    parts: Option<mpsc::Receiver<Made>>,
    /// What the person said.
    said: String,
    /// What was let out so far.
    text: String,
    /// The sound sent so far, where it is kept.
    sound: Vec<i16>,
    pub(super) held: bool,
    first_token: Option<Instant>,
    first_sentence: Option<Instant>,
    first_sound: Option<Instant>,
    first_audio: Option<Instant>,
}

impl ReplyRun {
    pub(super) fn wants_parts(&self) -> bool {
        self.parts.is_some() && self.playout.wants_more()
    }

    /// What the maker tells next; pends where there is no reply.
    pub(super) async fn next(run: Option<&mut Self>) -> Option<Made> {
        match run.and_then(|run| run.parts.as_mut()) {
            Some(parts) => parts.recv().await,
            None => std::future::pending().await,
        }
    }
}

impl Driver {
    /// Loads the chat model before the first answer needs it, and says so where that takes a while or fails.
    pub(super) fn warm_up(&self) {
        if self.options.mode != Mode::Converse {
            return;
        }
        let (mut warming, session, outbox) = (self.engines.chat.warm_up(), self.id, Arc::clone(&self.outbox));
        tokio::spawn(async move {
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
                tracing::warn!(session.id = %session, %error, "the chat model is not ready");
                outbox.push(Event::Failed { turn: None, error });
            }
        });
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
        let job = ReplyJob {
            request: self.history.request(self.id, turn, &said),
            language: self.options.language.clone(),
            voice: self.options.voice.clone(),
            speed: self.options.speed,
            rate: self.options.output_rate,
            // Who ends the session does not listen to the last answer.
            speak: self.options.speak && self.ending.is_none(),
        };
        self.reply = Some(ReplyRun {
            turn,
            playout: Playout::new(self.options.output_rate, self.settings.audio_ahead),
            parts: Some(reply::make(self.engines.clone(), job)),
            said,
            text: String::new(),
            sound: Vec::new(),
            held,
            first_token: None,
            first_sentence: None,
            first_sound: None,
            first_audio: None,
        });
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
        if let Some(reply) = &self.reply {
            self.history.said(turn, reply.said.clone());
            // A spoken turn was told with its final transcript: this one was typed.
            let said = Said { text: reply.said.clone(), spoken: None, language: self.options.language.clone() };
            self.book.said(turn, self.options.mode, said);
        }
        self.outbox.push(Event::ReplyStarted { turn, tag: None });
    }

    pub(super) fn made(&mut self, made: Option<Made>) {
        let Some(reply) = &mut self.reply else { return };
        match made {
            Some(Made::FirstToken(at)) => reply.first_token = Some(at),
            Some(Made::FirstSentence(at)) => reply.first_sentence = Some(at),
            Some(Made::FirstSound(at)) => reply.first_sound = Some(at),
            Some(Made::Part(part)) => {
                if matches!(part, Part::End | Part::Failed(_)) {
                    reply.parts = None;
                }
                reply.playout.push(part);
            }
            // The maker went without a last word, which only a panic does.
            None => {
                reply.parts = None;
                let error = crate::engine::EngineError::Failed { engine: "reply", reason: "it broke off".into() };
                reply.playout.push(Part::Failed(error));
            }
        }
    }

    /// Lets out what is due; gives the moment when more will be.
    pub(super) fn pump_reply(&mut self) -> Option<Instant> {
        loop {
            let room = self.outbox.has_room();
            let reply = self.reply.as_mut().filter(|reply| !reply.held && room)?;
            let turn = reply.turn;
            match reply.playout.step(Instant::now()) {
                Step::Text(delta) => {
                    reply.text.push_str(&delta);
                    self.outbox.push(Event::ReplyText { turn, delta: delta.clone() });
                    self.step(Input::Sounding { turn, text: delta });
                }
                Step::Audio { chunk, audio } => {
                    reply.first_audio.get_or_insert_with(Instant::now);
                    if self.book.keeps_sound {
                        collect(&mut reply.sound, &audio.samples, audio.rate);
                    }
                    self.outbox.push(Event::ReplyAudio { turn, chunk, audio });
                }
                Step::WaitUntil(due) => return Some(due),
                Step::Starved => return None,
                Step::Ended => self.reply_done(),
                Step::Failed(error) => {
                    tracing::error!(session.id = %self.id, turn.id = %turn, %error, "reply failed");
                    self.outbox.push(Event::Failed { turn: Some(turn), error });
                    self.step(Input::ReplyFailed { turn });
                }
            }
        }
    }

    fn reply_done(&mut self) {
        let Some(reply) = self.reply.take() else { return };
        let timings = self.timings(&reply);
        let turn = reply.turn;
        let text = reply.text.trim().to_owned();
        self.history.replied(turn, text.clone());
        let replied = Replied { text: text.clone(), heard: text.clone(), interrupted: false, timings };
        self.write_down(reply, replied);
        self.outbox.push(Event::ReplyDone {
            turn,
            text,
            timings,
            stop: StopCause::End,
            prompt_tokens: None,
            reply_tokens: None,
        });
        self.step(Input::ReplyEnded { turn });
    }

    pub(super) fn pause(&mut self, turn: TurnId) {
        if let Some(reply) = self.reply.as_mut().filter(|reply| reply.turn == turn) {
            reply.playout.pause(Instant::now());
            self.outbox.push(Event::ReplyPaused { turn });
        }
    }

    pub(super) fn resume(&mut self, turn: TurnId) {
        if let Some(reply) = self.reply.as_mut().filter(|reply| reply.turn == turn) {
            reply.playout.resume(Instant::now());
            self.outbox.push(Event::ReplyResumed { turn });
        }
    }

    pub(super) fn cancel_reply(&mut self, turn: TurnId, reason: CancelReason) {
        let Some(reply) = self.reply.take_if(|reply| reply.turn == turn) else { return };
        // Text-only replies are read, not heard: all that was sent counts.
        let heard = if self.options.speak { reply.playout.heard(Instant::now()) } else { reply.text.trim().to_owned() };
        self.history.replied(turn, reply.text.trim());
        self.history.cut_to_heard(turn, &heard);
        let timings = self.timings(&reply);
        let text = reply.text.trim().to_owned();
        self.write_down(reply, Replied { text, heard: heard.clone(), interrupted: true, timings });
        self.outbox.push(Event::ReplyCancelled { turn, heard, reason, timings });
    }

    /// Tells the journal how a reply ended; before the client hears of it.
    fn write_down(&mut self, reply: ReplyRun, replied: Replied) {
        self.book.replied(reply.turn, replied);
        self.book.sound(reply.turn, Role::Assistant, Pcm::new(reply.playout.rate(), reply.sound));
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
