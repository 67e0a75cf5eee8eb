//! What the client asks, and what silence asks, as the turn machine sees it.

use super::{
    Turns,
    signal::Effect,
    state::{Reply, running},
};
use crate::{conversation::message::CancelReason, model::TurnId};

impl Turns {
    pub(super) fn commit(&mut self, heard_audio: bool, respond: bool, out: &mut Vec<Effect>) {
        if self.open.is_some() {
            self.confirm(out);
            self.hard_end(respond, out);
        } else if heard_audio {
            let turn = self.fresh_turn();
            out.push(Effect::NoSpeech { turn });
            out.push(Effect::EndTurn { turn });
        } else {
            out.push(Effect::Refuse { code: "nothing_to_commit" });
        }
    }

    pub(super) fn clear(&mut self, out: &mut Vec<Effect>) {
        match &self.open {
            Some(open) if open.confirmed => {
                let turn = open.turn;
                self.open = None;
                self.withdraw_held(out);
                out.extend([Effect::DropSpeech { turn }, Effect::EndTurn { turn }]);
            }
            Some(_) => self.dismiss(out),
            None => {}
        }
    }

    pub(super) fn typed(&mut self, text: String, out: &mut Vec<Effect>) {
        if self.ending {
            return;
        }
        self.set_speech_aside(out);
        self.cancel_running(CancelReason::Superseded, out);
        let turn = self.fresh_turn();
        self.reply = running(turn);
        out.push(Effect::Reply { turn, text, held: false });
    }

    pub(super) fn respond(&mut self, beside: bool, out: &mut Vec<Effect>) {
        if self.ending {
            return out.push(Effect::Refuse { code: "ending" });
        }
        if beside {
            let turn = self.fresh_turn();
            return out.push(Effect::Beside { turn });
        }
        if self.replying() {
            return out.push(Effect::Refuse { code: "already_replying" });
        }
        // What was said and is not answered yet is answered by this.
        self.awaiting.iter_mut().for_each(|wait| wait.respond = false);
        self.withdraw_held(out);
        let turn = self.fresh_turn();
        self.reply = running(turn);
        out.push(Effect::Respond { turn });
    }

    pub(super) fn nudge(&mut self, out: &mut Vec<Effect>) {
        if self.idle() && !self.ending {
            let turn = self.fresh_turn();
            self.reply = running(turn);
            out.extend([Effect::Nudged { turn }, Effect::Reply { turn, text: String::new(), held: false }]);
        }
    }

    pub(super) fn cancel(&mut self, wanted: Option<TurnId>, out: &mut Vec<Effect>) {
        let meant = |turn: TurnId| wanted.is_none_or(|wanted| wanted == turn);
        if matches!(self.reply, Reply::Running { turn, .. } if meant(turn)) {
            self.drop_queued(out);
            self.cancel_running(CancelReason::Client, out);
            return;
        }
        if let Some(wait) = self.awaiting.iter_mut().find(|wait| wait.respond && meant(wait.turn)) {
            wait.respond = false;
        } else if self.queued.as_ref().is_some_and(|(turn, _)| meant(*turn)) {
            self.drop_queued(out);
        } else {
            out.push(Effect::Refuse { code: "nothing_to_cancel" });
        }
    }

    pub(super) fn end(&mut self, out: &mut Vec<Effect>) {
        self.drop_queued(out);
        self.cancel_running(CancelReason::Closing, out);
        self.withdraw_held(out);
        match &self.open {
            Some(open) if open.confirmed => self.hard_end(true, out),
            Some(_) => self.dismiss(out),
            None => {}
        }
        self.ending = true;
    }
}
