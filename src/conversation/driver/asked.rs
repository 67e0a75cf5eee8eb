//! What clients that keep their own books ask of the driver: entries put in and taken out, replies asked for, replies
//! cut to what was played.

use std::time::{Duration, Instant};

use futures::FutureExt;

use super::{
    Driver, TurnClock,
    run::{ReplyRun, Words},
};
use crate::{
    audio::{Mono16k, Pcm, Resampler},
    conversation::{
        item::{InputItem, ItemContent, ItemKey, NewItem, Respond},
        journal::{Replied, Said},
        message::{CancelReason, Command, Event, Mode, Pace, TurnDetection},
        offline::{WholeOptions, pieces, transcribe_pieces},
        playout::Playout,
        reply::{self, ReplyJob, Withdrawals},
        turn::Input,
    },
    engine::{EngineError, Engines, Transcript},
    model::{Message, Role, Timings, TurnId},
};

/// Replies beside the conversation at once.
const BESIDE: usize = 4;
/// Spoken entries being written down at once.
const HEARING: usize = 8;
/// Replies that have ended and may still be cut.
const PAST: usize = 16;

/// Bytes kept of what a client writes before it asks for a reply; the model is told all that its budget holds.
const UNANSWERED: usize = 64 * 1024;

/// A reply that has ended, as long as a client may say how much of it was played.
pub(super) struct Past {
    turn: TurnId,
    playout: Playout,
    text: String,
    timings: Timings,
    kept: (TurnId, Option<Replied>),
}

/// A spoken entry's words.
pub(super) struct HeardItem {
    key: ItemKey,
    result: Result<Transcript, EngineError>,
}

impl Driver {
    /// Follows a command that its client has a name for.
    pub(super) fn tagged(&mut self, tag: u64, command: Command) {
        self.tag = Some(tag);
        self.command(command);
        self.tag = None;
    }

    // ------------------------------------------------------------ entries

    pub(super) fn add(&mut self, item: NewItem) {
        let NewItem { key, after, content } = item;
        let message = match content {
            ItemContent::Speech(_) if self.hearing.len() >= HEARING => return self.refuse("too_many_items"),
            ItemContent::Speech(pcm) => {
                self.hear_item(key, pcm);
                Message::new(Role::User, "")
            }
            content => {
                if let ItemContent::Text { role: Role::User, text } = &content {
                    self.write_unanswered(text);
                }
                written(content)
            }
        };
        self.history.add(key, after, message);
    }

    pub(super) fn remove(&mut self, key: ItemKey) {
        // One that is no longer remembered is out already.
        self.history.remove(key);
    }

    fn write_unanswered(&mut self, text: &str) {
        if (1..UNANSWERED).contains(&self.unanswered.len()) {
            self.unanswered.push('\n');
        }
        let room = UNANSWERED.saturating_sub(self.unanswered.len()).min(text.len());
        self.unanswered.push_str(&text[..text.floor_char_boundary(room)]);
    }

    fn hear_item(&mut self, key: ItemKey, pcm: Pcm) {
        let options = WholeOptions {
            language: self.options.language.clone(),
            prompt: self.options.spelling.clone(),
            ..WholeOptions::default()
        };
        let engines = self.engines.clone();
        self.hearing.push(async move { HeardItem { key, result: hear(engines, pcm, options).await } }.boxed());
    }

    pub(super) fn heard_item(&mut self, heard: HeardItem) {
        let HeardItem { key, result } = heard;
        match result {
            Ok(Transcript { text, .. }) => {
                self.write_unanswered(&text);
                if self.history.message(key).is_some() {
                    self.history.add(key, crate::conversation::item::After::All, Message::new(Role::User, text));
                }
            }
            Err(error) => {
                tracing::error!(error.code = error.code(), %error, "a spoken entry cannot be written down");
                self.outbox.push(Event::Failed { turn: None, error });
            }
        }
    }

    // ------------------------------------------------------------ replies asked for

    pub(super) fn respond(&mut self, wish: Respond) {
        if self.options.mode != Mode::Converse {
            return self.refuse("no_replies");
        }
        if wish.beside && self.beside.len() >= BESIDE {
            return self.refuse("too_many_replies");
        }
        let beside = wish.beside;
        self.wish = Some(wish);
        self.step(Input::Respond { beside });
        self.wish = None;
    }

    /// The machine has given the reply that was asked for its turn.
    pub(super) fn asked(&mut self, turn: TurnId, beside: bool) {
        let Some(wish) = self.wish.take() else { return };
        self.keep_clock(TurnClock { turn, speech_end: Instant::now(), timings: Timings::default() });
        let rate = wish.output_rate.unwrap_or(self.options.output_rate);
        let speaks = wish.speak.unwrap_or(self.options.speak);
        let mut run = ReplyRun::new(turn, Words::Asked(Some(Box::new(wish))), rate, self.ahead());
        run.speaks = speaks;
        self.told.begin(turn, self.options.mode);
        if beside {
            self.outbox.push(Event::ReplyStarted { turn, tag: self.tag });
            self.beside.push(run);
        } else {
            self.reply = Some(run);
            self.begun(turn, self.tag);
        }
    }

    /// Starts what waited for words to be written down.
    pub(super) fn start_waiting(&mut self) {
        if !self.closing.is_empty() || !self.hearing.is_empty() {
            return;
        }
        self.history.measure(self.engines.chat.tokens());
        if let Some(ReplyRun { turn, words: Words::Asked(wish), .. }) = &mut self.reply
            && let Some(wish) = wish.take()
        {
            let turn = *turn;
            let kept = self.kept_under(turn);
            let job = self.job(*wish);
            let withdrawals = job.withdrawals.clone();
            let parts = self.told.of(turn).in_scope(|| reply::make(self.engines.clone(), job));
            if let Some(run) = &mut self.reply {
                run.withdrawals = withdrawals;
                run.kept = kept;
                run.parts = Some(parts);
            }
        }
        for index in 0..self.beside.len() {
            if let Words::Asked(wish) = &mut self.beside[index].words
                && let Some(wish) = wish.take()
            {
                let job = self.job(*wish);
                let span = self.told.of(self.beside[index].turn);
                self.beside[index].withdrawals = job.withdrawals.clone();
                self.beside[index].parts = Some(span.in_scope(|| reply::make(self.engines.clone(), job)));
            }
        }
    }

    fn job(&self, wish: Respond) -> ReplyJob {
        let options = &self.options;
        let instructions = wish.instructions.as_deref();
        let mut request = match wish.input {
            None => self.history.request_as_it_stands(self.id, instructions),
            Some(items) => {
                let messages = items.into_iter().filter_map(|item| match item {
                    InputItem::Given(content) => Some(written(content)),
                    InputItem::Known(key) => self.history.message(key).cloned(),
                });
                self.history.request_of(self.id, instructions, messages.collect())
            }
        };
        request.tools = wish.tools.unwrap_or_else(|| options.tools.clone());
        request.tool_choice = wish.tool_choice.unwrap_or_else(|| options.tool_choice.clone());
        request.max_tokens = wish.max_tokens.unwrap_or(options.max_tokens);
        request.temperature = wish.temperature.or(options.temperature);
        ReplyJob {
            request,
            language: options.language.clone(),
            voice: wish.voice.or_else(|| options.voice.clone()),
            speed: options.speed,
            rate: wish.output_rate.unwrap_or(options.output_rate),
            speak: wish.speak.unwrap_or(options.speak) && self.ending.is_none(),
            withdrawals: Withdrawals::default(),
        }
    }

    /// How far sound is sent before its time.
    pub(super) fn ahead(&self) -> Duration {
        match self.options.pace {
            Pace::AsHeard => self.settings.audio_ahead,
            Pace::AsMade => Duration::MAX,
        }
    }

    /// Under which turn a reply is kept that was asked for: with the words it answers. Where those have a reply already,
    /// as after a call, it goes on with that.
    pub(super) fn kept_under(&mut self, turn: TurnId) -> (TurnId, Option<Replied>) {
        let text = std::mem::take(&mut self.unanswered);
        if text.is_empty()
            && let Some(last) = self.book.last()
        {
            return (last.turn, last.reply.clone());
        }
        let said = Said { text, spoken: None, language: self.options.language.clone() };
        self.book.tell(turn, self.options.mode, said);
        (turn, None)
    }

    // ------------------------------------------------------------ after a reply

    /// Tells the journal how a reply ended, before the client hears of it, and remembers what it sounded like.
    pub(super) fn write_down(&mut self, mut reply: ReplyRun, replied: Replied) {
        reply.playout.stop();
        let Replied { text, heard, timings, .. } = &replied;
        // A reply that only called has nothing to be kept yet.
        if !text.is_empty() || reply.calls.is_empty() {
            self.book.replied(reply.kept.0, joined(reply.kept.1.as_ref(), heard, replied.clone()));
        }
        self.book.sound(reply.kept.0, Role::Assistant, Pcm::new(reply.playout.rate(), reply.sound));
        if self.past.len() >= PAST {
            self.past.pop_front();
        }
        let (text, timings) = (text.clone(), *timings);
        self.past.push_back(Past { turn: reply.turn, playout: reply.playout, text, timings, kept: reply.kept });
    }

    /// Cuts a reply to what was played of it.
    pub(super) fn cut(&mut self, turn: TurnId, played_ms: u32) {
        if let Some(reply) = self.reply.as_mut().filter(|reply| reply.turn == turn && !reply.held) {
            reply.playout.acknowledge(played_ms);
            self.step(Input::Cancel(Some(turn)));
        }
        let Some(past) = self.past.iter().find(|past| past.turn == turn) else {
            return self.refuse("nothing_to_cut");
        };
        let heard = past.playout.heard_at(played_ms);
        let interrupted = heard != past.text;
        // A client that counts what it played knows better than the clock that cut it first.
        self.history.replied(turn, past.text.clone());
        if interrupted {
            self.history.cut_to_heard(turn, &heard);
        }
        let (text, timings) = (past.text.clone(), past.timings);
        let replied = Replied { text, heard: heard.clone(), interrupted, timings };
        self.book.replied(past.kept.0, joined(past.kept.1.as_ref(), &heard, replied));
        self.outbox.push(Event::ReplyCut { turn, heard, tag: self.tag });
    }

    pub(super) fn cancel(&mut self, turn: Option<TurnId>) {
        if !turn.is_some_and(|turn| self.cancel_beside(turn, CancelReason::Client)) {
            self.step(Input::Cancel(turn));
        }
    }

    // ------------------------------------------------------------ silence

    /// Starts a reply where nobody has spoken for as long as the session wants; else the moment to look again.
    pub(super) fn nudge(&mut self) -> Option<Instant> {
        let TurnDetection::Voice { nudge_ms: Some(after), .. } = self.options.turn_detection else { return None };
        if self.options.mode != Mode::Converse || self.ending.is_some() || self.leave.asked() || !self.turns.idle() {
            return None;
        }
        let due = self.quiet_from? + Duration::from_millis(u64::from(after));
        if Instant::now() < due {
            return Some(due);
        }
        self.quiet_from = None;
        self.step(Input::Nudge);
        None
    }

    pub(super) fn nudged(&mut self, turn: TurnId) {
        let TurnDetection::Voice { nudge_ms: Some(after), .. } = self.options.turn_detection else { return };
        let end_ms = self.clock_ms();
        self.keep_clock(TurnClock { turn, speech_end: Instant::now(), timings: Timings::default() });
        self.outbox.push(Event::Nudged { turn, start_ms: end_ms.saturating_sub(u64::from(after)), end_ms });
    }
}

/// Content that is text already, as the model reads it.
fn written(content: ItemContent) -> Message {
    match content {
        ItemContent::Text { role, text } => Message::new(role, text),
        ItemContent::Speech(_) => Message::new(Role::User, ""),
        ItemContent::Call(call) => Message::calling("", vec![call]),
        ItemContent::Output { call_id, output } => Message::output(call_id, output),
    }
}

/// What is kept of a turn whose reply went on.
fn joined(before: Option<&Replied>, heard: &str, now: Replied) -> Replied {
    let Some(before) = before else { return now };
    let join = |before: &str, now: &str| format!("{before} {now}").trim().to_owned();
    Replied { text: join(&before.text, &now.text), heard: join(&before.heard, heard), ..now }
}

async fn hear(engines: Engines, pcm: Pcm, options: WholeOptions) -> Result<Transcript, EngineError> {
    let recognizer = engines.ears();
    let max = recognizer.max_audio();
    // Minutes of sound take a second of computing.
    let found = tokio::task::spawn_blocking(move || {
        let mut resampler = Resampler::new(pcm.rate);
        let mut audio: Mono16k = resampler.push(&pcm.samples);
        audio.append(&resampler.finish());
        let pieces = pieces(&audio, &mut *(engines.detector)(), max, |_| true);
        (audio, pieces)
    });
    let (audio, pieces) = found.await.map_err(|_| EngineError::Closed)?;
    transcribe_pieces(&*recognizer, &audio, &pieces, &options, |_| {}).await
}
