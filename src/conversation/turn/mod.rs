//! Turn-taking as a pure machine: `(now, input) -> effects`. No sockets, no engines, no clock inside.
//!
//! A turn starts with [`Effect::OpenTurn`] (spoken) or [`Effect::Reply`] (typed) and ends with exactly one
//! [`Effect::EndTurn`]. At most one reply exists at a time: *held* while the silence is still short, *running* after
//! its release. Nothing follows a reply's [`Effect::CancelReply`] or [`Effect::Withdraw`].
//!
//! Silence is measured in audio, not in real time: a recording streamed faster than it was spoken takes the same turns.

mod asked;
mod signal;
mod state;
#[cfg(test)]
mod tests;

pub use signal::{Effect, Input, TurnSettings};

use std::time::{Duration, Instant};

use self::state::{Awaiting, Decoding, Open, Reply, running};
use super::{
    interruption::{hard_silence_ms, is_backchannel, is_echo},
    message::{CancelReason, Interrupt},
};
use crate::model::TurnId;

/// The machine of one session.
#[derive(Debug)]
pub struct Turns {
    settings: TurnSettings,
    last: TurnId,
    open: Option<Open>,
    awaiting: Vec<Awaiting>,
    reply: Reply,
    /// An utterance that waits for the running reply to end, where speech does not interrupt.
    queued: Option<(TurnId, String)>,
    ending: bool,
}

impl Turns {
    #[must_use]
    pub fn new(settings: TurnSettings) -> Self {
        Self {
            settings,
            last: TurnId(0),
            open: None,
            awaiting: Vec::new(),
            reply: Reply::None,
            queued: None,
            ending: false,
        }
    }

    /// New settings; what is under way goes on.
    pub fn configure(&mut self, settings: TurnSettings) {
        self.settings = settings;
    }

    /// True when no turn is under way.
    #[must_use]
    pub fn idle(&self) -> bool {
        self.open.is_none() && self.awaiting.is_empty() && matches!(self.reply, Reply::None) && self.queued.is_none()
    }

    /// True while a reply is running, so that the VAD should ask for more before it calls something a voice.
    #[must_use]
    pub fn replying(&self) -> bool {
        matches!(self.reply, Reply::Running { .. })
    }

    /// The turn the open segment belongs to, or would if it proves to be one.
    #[must_use]
    pub fn open_turn(&self) -> Option<TurnId> {
        self.open.as_ref().map(|open| open.turn)
    }

    /// One step.
    pub fn handle(&mut self, now: Instant, input: Input) -> Vec<Effect> {
        let mut out = Vec::new();
        match input {
            Input::SpeechStarted { start_ms } => self.speech_started(start_ms, &mut out),
            Input::Speech { voiced_ms, silence_ms } => self.speech(now, voiced_ms, silence_ms, &mut out),
            Input::Hypothesis { text } => {
                if let Some(open) = &mut self.open {
                    open.hypothesis = text;
                }
            }
            Input::Decoded { turn, revision, text, log_probability } => {
                self.decoded(turn, revision, text, log_probability, &mut out);
            }
            Input::Commit { heard_audio, respond } => self.commit(heard_audio, respond, &mut out),
            Input::Clear => self.clear(&mut out),
            Input::Text(text) => self.typed(text, &mut out),
            Input::Respond { beside } => self.respond(beside, &mut out),
            Input::Nudge => self.nudge(&mut out),
            Input::Cancel(turn) => self.cancel(turn, &mut out),
            Input::Sounding { turn, text } => self.note_sounding(turn, &text),
            Input::ReplyEnded { turn } => self.reply_over(turn, None, &mut out),
            Input::ReplyFailed { turn } => self.reply_over(turn, Some(CancelReason::Failed), &mut out),
            Input::Tick => self.tick(now, &mut out),
            Input::End => self.end(&mut out),
        }
        out
    }

    // ------------------------------------------------------------ the person speaks

    fn speech_started(&mut self, start_ms: u64, out: &mut Vec<Effect>) {
        if self.open.is_some() || self.ending {
            return;
        }
        let about_to_answer = self.replying() || self.awaiting.iter().any(|wait| wait.respond);
        let turn = self.fresh_turn();
        let weighed = about_to_answer && !self.settings.manual;
        let confirmed = !weighed || self.settings.interrupt == Interrupt::Never;
        self.open = Some(Open {
            turn,
            start_ms,
            confirmed,
            revision: 0,
            decode: Decoding::NotYet,
            hypothesis: String::new(),
            voiced_ms: 0,
        });
        if confirmed {
            out.push(Effect::OpenTurn { turn, start_ms });
        } else if self.settings.interrupt == Interrupt::AtOnce {
            self.confirm(out);
        }
    }

    fn speech(&mut self, now: Instant, voiced_ms: u32, silence_ms: u32, out: &mut Vec<Effect>) {
        let Some(open) = &mut self.open else { return };
        open.voiced_ms = voiced_ms;
        if !open.confirmed {
            self.weigh_voice(now, silence_ms, out);
        }
        let Some(open) = &mut self.open else { return };
        if self.settings.manual {
            return;
        }
        if silence_ms == 0 && open.decode != Decoding::NotYet {
            open.decode = Decoding::NotYet;
            open.revision += 1;
            let turn = open.turn;
            out.push(Effect::Undecode { turn });
            self.withdraw_held(out);
        } else if silence_ms >= self.settings.soft_silence_ms && open.decode == Decoding::NotYet {
            open.decode = Decoding::UnderWay;
            out.push(Effect::Decode { turn: open.turn, revision: open.revision });
        }
        let Some(open) = &self.open else { return };
        if open.confirmed && silence_ms >= self.hard_silence(open) {
            self.hard_end(true, out);
        }
    }

    fn hard_silence(&self, open: &Open) -> u32 {
        let settings = &self.settings;
        let text = match &open.decode {
            Decoding::Done(text) => Some(text.as_str()),
            _ => (!open.hypothesis.is_empty()).then_some(open.hypothesis.as_str()),
        };
        let text = text.filter(|_| settings.adaptive);
        hard_silence_ms(settings.silence_ms, settings.soft_silence_ms, text)
    }

    /// A voice over a reply, not yet known to be an interruption.
    fn weigh_voice(&mut self, now: Instant, silence_ms: u32, out: &mut Vec<Effect>) {
        let policy = &self.settings.interruption;
        let Some(open) = &self.open else { return };
        let Reply::Running { turn, paused, false_alarms, sounding } = &mut self.reply else {
            if !self.awaiting.iter().any(|wait| wait.respond) {
                self.confirm(out); // the reply ended meanwhile: nothing left to interrupt
            }
            return;
        };
        let patience = policy.pause_after_ms + 200 * *false_alarms;
        if paused.is_none() && open.voiced_ms >= patience && silence_ms < self.settings.soft_silence_ms {
            *paused = Some(now);
            out.push(Effect::Pause { turn: *turn });
        }
        let echo = is_echo(&open.hypothesis, sounding);
        let words = !is_backchannel(&open.hypothesis) && !echo;
        let long = open.voiced_ms >= policy.voice_after_ms && !echo;
        if (words && open.voiced_ms >= policy.words_after_ms.max(patience)) || long {
            self.confirm(out);
        }
    }

    /// The voice is an interruption, or there is nothing to interrupt: its turn begins.
    fn confirm(&mut self, out: &mut Vec<Effect>) {
        let Some(open) = self.open.as_mut().filter(|open| !open.confirmed) else { return };
        open.confirmed = true;
        out.push(Effect::OpenTurn { turn: open.turn, start_ms: open.start_ms });
        self.awaiting.iter_mut().for_each(|wait| wait.respond = false);
        self.drop_queued(out);
        self.cancel_running(CancelReason::BargeIn, out);
    }

    /// The voice was nothing: forget it and let the reply go on.
    fn dismiss(&mut self, out: &mut Vec<Effect>) {
        let Some(open) = self.open.take() else { return };
        out.push(Effect::DropSpeech { turn: open.turn });
        if let Reply::Running { turn, paused, false_alarms, .. } = &mut self.reply {
            *false_alarms += 1;
            if paused.take().is_some() {
                out.push(Effect::Resume { turn: *turn });
            }
        }
    }

    fn decoded(&mut self, turn: TurnId, revision: u32, text: String, log_probability: f32, out: &mut Vec<Effect>) {
        if let Some(at) = self.awaiting.iter().position(|wait| wait.turn == turn && wait.revision == revision) {
            let wait = self.awaiting.remove(at);
            return self.deliver(turn, text, wait.respond, out);
        }
        let Some(open) = self.open.as_mut().filter(|open| open.turn == turn && open.revision == revision) else {
            return;
        };
        if open.decode != Decoding::UnderWay {
            return;
        }
        open.decode = Decoding::Done(text.clone());
        if !open.confirmed {
            let policy = &self.settings.interruption;
            let sounding = if let Reply::Running { sounding, .. } = &self.reply { sounding.as_str() } else { "" };
            let doubtful = open.voiced_ms < policy.words_after_ms && log_probability < policy.short_min_log_probability;
            if is_backchannel(&text) || is_echo(&text, sounding) || doubtful {
                return self.dismiss(out);
            }
            self.confirm(out);
        }
        if self.settings.respond && matches!(self.reply, Reply::None) && !text.is_empty() && !self.ending {
            self.reply = Reply::Held(turn);
            out.push(Effect::Reply { turn, text, held: true });
        }
    }

    /// The utterance is over.
    fn hard_end(&mut self, respond: bool, out: &mut Vec<Effect>) {
        let Some(open) = self.open.take() else { return };
        let Open { turn, revision, decode, .. } = open;
        let respond = respond && self.settings.respond;
        if decode == Decoding::NotYet {
            out.push(Effect::Decode { turn, revision });
        }
        out.push(Effect::CloseSpeech { turn });
        match decode {
            Decoding::Done(text) => self.deliver(turn, text, respond, out),
            _ => self.awaiting.push(Awaiting { turn, revision, respond }),
        }
    }

    /// The utterance's words are final.
    fn deliver(&mut self, turn: TurnId, text: String, respond: bool, out: &mut Vec<Effect>) {
        out.push(Effect::Final { turn, text: text.clone() });
        if text.is_empty() || !respond {
            if matches!(self.reply, Reply::Held(held) if held == turn) {
                self.withdraw_held(out);
            }
            if !text.is_empty() {
                out.push(Effect::Record { turn, text });
            }
            out.push(Effect::EndTurn { turn });
            return;
        }
        match self.reply {
            Reply::Held(held) if held == turn => {
                self.reply = running(turn);
                out.push(Effect::Release { turn });
            }
            Reply::Running { .. } if self.settings.interrupt == Interrupt::Never => {
                self.drop_queued(out);
                self.queued = Some((turn, text));
            }
            _ => {
                self.withdraw_held(out);
                self.cancel_running(CancelReason::Superseded, out);
                self.reply = running(turn);
                out.push(Effect::Reply { turn, text, held: false });
            }
        }
    }

    // ------------------------------------------------------------ the reply

    fn note_sounding(&mut self, of: TurnId, text: &str) {
        if let Reply::Running { turn, sounding, .. } = &mut self.reply
            && *turn == of
        {
            let keep = sounding.rfind('\n').map_or(0, |at| at + 1);
            *sounding = format!("{}\n{text}", &sounding[keep..]);
        }
    }

    fn reply_over(&mut self, of: TurnId, failed: Option<CancelReason>, out: &mut Vec<Effect>) {
        if !matches!(self.reply, Reply::Running { turn, .. } if turn == of) {
            return;
        }
        if let Some(reason) = failed {
            self.cancel_running(reason, out);
        } else {
            self.reply = Reply::None;
            out.push(Effect::EndTurn { turn: of });
        }
        if let Some((turn, text)) = self.queued.take() {
            self.reply = running(turn);
            out.push(Effect::Reply { turn, text, held: false });
        }
    }

    fn tick(&mut self, now: Instant, out: &mut Vec<Effect>) {
        let limit = Duration::from_millis(self.settings.interruption.verdict_within_ms);
        let overdue =
            matches!(self.reply, Reply::Running { paused: Some(since), .. } if now.duration_since(since) >= limit);
        if overdue && self.open.as_ref().is_some_and(|open| !open.confirmed) {
            self.dismiss(out);
        }
    }

    // ------------------------------------------------------------ shared steps

    /// Whatever the person was saying is finished without an answer, so that something else can have the floor.
    fn set_speech_aside(&mut self, out: &mut Vec<Effect>) {
        self.awaiting.iter_mut().for_each(|wait| wait.respond = false);
        self.drop_queued(out);
        match &self.open {
            Some(open) if open.confirmed => {
                self.withdraw_held(out);
                self.hard_end(false, out);
            }
            Some(_) => self.dismiss(out),
            None => {}
        }
    }

    fn withdraw_held(&mut self, out: &mut Vec<Effect>) {
        if let Reply::Held(turn) = self.reply {
            self.reply = Reply::None;
            out.push(Effect::Withdraw { turn });
        }
    }

    fn cancel_running(&mut self, reason: CancelReason, out: &mut Vec<Effect>) {
        if let Reply::Running { turn, .. } = self.reply {
            self.reply = Reply::None;
            out.extend([Effect::CancelReply { turn, reason }, Effect::EndTurn { turn }]);
        }
    }

    fn drop_queued(&mut self, out: &mut Vec<Effect>) {
        if let Some((turn, text)) = self.queued.take() {
            out.extend([Effect::Record { turn, text }, Effect::EndTurn { turn }]);
        }
    }

    fn fresh_turn(&mut self) -> TurnId {
        self.last = self.last.next();
        self.last
    }
}
