//! A session as the translation knows it: commands in, events out, each in its order.

use std::collections::VecDeque;

use crate::{
    conversation::message::{CancelReason, Command, Event, TurnDetection},
    engine::EngineError,
    model::TurnId,
};

use super::super::{cancelled, done, partial, reply, says, sounds, started, stopped, written};

/// A reply under way.
struct Reply {
    turn: TurnId,
    speaks: bool,
    calls: u32,
    call_open: bool,
}

/// See the module.
#[derive(Default)]
pub(super) struct Core {
    pub commands: VecDeque<Command>,
    pub events: VecDeque<Event>,
    last: u32,
    clock_ms: u64,
    manual: bool,
    silent: bool,
    heard_audio: bool,
    open: Option<TurnId>,
    /// Ended and not written down; whether it is answered then.
    closing: VecDeque<(TurnId, bool)>,
    reply: Option<Reply>,
    beside: Vec<Reply>,
    past: Vec<TurnId>,
    tag: Option<u64>,
}

impl Core {
    fn fresh(&mut self) -> TurnId {
        self.last += 1;
        TurnId(self.last)
    }

    fn refuse(&mut self, code: &'static str) {
        let (message, hint) = (String::new(), String::new());
        self.events.push_back(Event::Refused { code, message, hint, tag: self.tag });
    }

    /// Takes the next command, if there is one.
    pub fn take(&mut self) -> bool {
        let Some(command) = self.commands.pop_front() else { return false };
        self.follow(command);
        true
    }

    fn follow(&mut self, command: Command) {
        match command {
            Command::Tagged { tag, command } => {
                self.tag = Some(tag);
                self.follow(*command);
                self.tag = None;
            }
            Command::Audio(audio) => {
                self.heard_audio = true;
                self.clock_ms += audio.duration().as_millis() as u64;
            }
            Command::Commit { respond } => {
                assert!(!respond, "the protocol's commit asks for no answer");
                let heard = std::mem::take(&mut self.heard_audio);
                if self.open.is_some() {
                    self.stop(false);
                } else if heard {
                    let turn = self.fresh();
                    self.events.push_back(written(turn, ""));
                } else {
                    self.refuse("nothing_to_commit");
                }
            }
            Command::Clear => (self.open, self.heard_audio) = (None, false),
            Command::Cancel(wanted) => {
                let meant = |reply: &Reply| wanted.is_none_or(|turn| reply.turn == turn);
                if let Some(at) = self.beside.iter().position(|reply| wanted == Some(reply.turn)) {
                    let turn = self.beside.remove(at).turn;
                    self.events.push_back(cancelled(turn, CancelReason::Client));
                } else if self.reply.as_ref().is_some_and(meant) {
                    self.cancel(CancelReason::Client);
                } else {
                    self.refuse("nothing_to_cancel");
                }
            }
            Command::Cut { turn, .. } => {
                if self.reply.as_ref().is_some_and(|reply| reply.turn == turn) {
                    self.cancel(CancelReason::Client);
                }
                if self.past.contains(&turn) {
                    self.events.push_back(Event::ReplyCut { turn, heard: "heard".into(), tag: self.tag });
                } else {
                    self.refuse("nothing_to_cut");
                }
            }
            Command::Respond(wish) if wish.beside => {
                if self.beside.len() >= 4 {
                    return self.refuse("too_many_replies");
                }
                let turn = self.fresh();
                self.events.push_back(reply(turn, self.tag));
                self.beside.push(Reply { turn, speaks: wish.speak != Some(false), calls: 0, call_open: false });
            }
            Command::Respond(wish) => {
                if self.reply.is_some() {
                    return self.refuse("already_replying");
                }
                let turn = self.fresh();
                self.start(turn, self.tag, wish.speak != Some(false));
            }
            Command::Update(options) => {
                self.manual = options.turn_detection == TurnDetection::Manual;
                self.silent = !matches!(options.turn_detection, TurnDetection::Voice { respond: true, .. });
            }
            Command::Add(_) | Command::Remove(_) => {}
            other => panic!("the translation does not ask {other:?}"),
        }
    }

    fn start(&mut self, turn: TurnId, tag: Option<u64>, speaks: bool) {
        self.events.push_back(reply(turn, tag));
        self.reply = Some(Reply { turn, speaks, calls: 0, call_open: false });
    }

    fn cancel(&mut self, reason: CancelReason) {
        if let Some(reply) = self.reply.take() {
            self.past.push(reply.turn);
            self.events.push_back(cancelled(reply.turn, reason));
        }
    }

    fn stop(&mut self, respond: bool) {
        let Some(turn) = self.open.take() else { return };
        self.heard_audio = false;
        self.events.push_back(stopped(turn, self.clock_ms));
        self.closing.push_back((turn, respond));
    }

    fn write_down(&mut self, words: bool) {
        let Some((turn, respond)) = self.closing.pop_front() else { return };
        let text = if words { text_of(turn) } else { String::new() };
        self.events.push_back(written(turn, &text));
        if words && respond {
            self.cancel(CancelReason::Superseded);
            self.start(turn, None, true);
        }
    }

    /// Something happens by itself.
    pub fn happen(&mut self, kind: u8, vary: u8) {
        match kind {
            0 if self.open.is_none() && self.heard_audio => {
                let turn = self.fresh();
                self.open = Some(turn);
                self.events.push_back(started(turn, self.clock_ms));
                if vary > 128 {
                    self.cancel(CancelReason::BargeIn);
                }
            }
            1 => {
                if let Some(turn) = self.open {
                    let text = text_of(turn);
                    self.events.push_back(partial(turn, &text[..usize::from(vary) % 6]));
                }
            }
            2 if !self.manual => self.stop(!self.silent),
            3 => self.write_down(true),
            4 if self.open.is_none() && self.reply.is_none() && vary > 200 => {
                let turn = self.fresh();
                self.events.push_back(Event::Nudged { turn, start_ms: 0, end_ms: self.clock_ms });
                self.start(turn, None, true);
            }
            5..=10 => self.talk(kind, vary),
            11 if vary > 128 => {
                if let Some((turn, _)) = self.closing.front() {
                    let error = EngineError::Failed { engine: "whisper", reason: String::new() };
                    self.events.push_back(Event::Failed { turn: Some(*turn), error });
                    self.write_down(false);
                }
            }
            _ => {}
        }
    }

    /// One of the replies goes on, and perhaps ends.
    fn talk(&mut self, kind: u8, vary: u8) {
        let beside = usize::from(vary) % 5;
        let main = beside >= self.beside.len();
        let Some(reply) = (if main { self.reply.as_mut() } else { self.beside.get_mut(beside) }) else { return };
        let turn = reply.turn;
        let events = &mut self.events;
        let ends = match kind {
            5 | 6 if reply.calls == 0 => {
                events.push_back(says(turn, "word "));
                false
            }
            7 if reply.calls == 0 && reply.speaks => {
                events.push_back(sounds(turn));
                false
            }
            8 => {
                end_call(reply, events);
                let (id, name) = (format!("call_{turn}_{}", reply.calls), "f".to_owned());
                events.push_back(Event::ReplyCall { turn, call: reply.calls, id, name });
                (reply.calls, reply.call_open) = (reply.calls + 1, true);
                false
            }
            9 if reply.call_open => {
                let call = reply.calls - 1;
                events.push_back(Event::ReplyArguments { turn, call, delta: "{}".into() });
                end_call(reply, events);
                false
            }
            10 if vary.is_multiple_of(3) => {
                let error = EngineError::Stalled { engine: "ollama", waited_ms: 1 };
                events.push_back(Event::Failed { turn: Some(turn), error });
                events.push_back(cancelled(turn, CancelReason::Failed));
                true
            }
            10 => {
                end_call(reply, events);
                events.push_back(done(turn));
                true
            }
            _ => false,
        };
        if ends && main {
            self.past.push(turn);
            self.reply = None;
        } else if ends {
            self.beside.remove(beside);
        }
    }

    /// Ends everything under way.
    pub fn finish(&mut self) {
        self.stop(false);
        while !self.closing.is_empty() {
            self.write_down(true);
        }
        for mut reply in self.beside.drain(..).chain(self.reply.take()) {
            end_call(&mut reply, &mut self.events);
            self.events.push_back(done(reply.turn));
        }
    }
}

fn end_call(reply: &mut Reply, events: &mut VecDeque<Event>) {
    if std::mem::take(&mut reply.call_open) {
        events.push_back(Event::ReplyCalled { turn: reply.turn, call: reply.calls - 1, arguments: "{}".into() });
    }
}

fn text_of(turn: TurnId) -> String {
    format!("{turn:03} was said")
}
