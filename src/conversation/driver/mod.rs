//! Runs one session: takes commands, asks the turn machine, performs its effects with the engines, tells events.
//!
//! One task owns everything of a session; nothing here is shared. Engines work elsewhere and answer through channels,
//! so the loop never waits for one of them alone.

mod answer;
mod arrival;
mod asked;
mod book;
mod leave;
mod listen;
mod meter;
mod options;
mod run;
mod stop;
mod told;

pub use self::stop::Stop;

use std::{
    collections::VecDeque,
    sync::Arc,
    time::{Duration, Instant},
};

use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use tokio::sync::mpsc;

use self::{
    arrival::Arrival,
    asked::{HeardItem, Past},
    book::Book,
    leave::Leave,
    listen::{DecodeDone, Speech},
    options::{segment_settings, turn_settings},
    run::ReplyRun,
    told::Told,
};
use super::{
    history::{Exchange, History, PromptSettings},
    interruption::InterruptionSettings,
    item::Respond,
    journal::{Journal, Owner, Place},
    message::{CancelReason, CloseReason, Command, Event, SessionOptions},
    outbox::Outbox,
    segment::{SegmentSettings, Segmenter},
    transcript::TranscriptSettings,
    turn::{Effect, Input, Turns},
};
use crate::{
    audio::{FRAME_MS, Framer, Resampler},
    engine::Engines,
    model::{ConversationId, SessionId, Timings, TurnId},
};

/// How sessions behave, apart from what each client chooses.
#[derive(Debug, Clone)]
pub struct DriverSettings {
    /// A session that hears nothing from its client for this long ends.
    pub idle_timeout: Duration,
    /// How long a session without a socket waits for one.
    pub resume_window: Duration,
    /// How long a socket may take nothing before its session ends.
    pub slow_reader: Duration,
    /// How far reply sound is sent before its time.
    pub audio_ahead: Duration,
    /// A client that stops sending in mid-speech is taken to be silent after this long.
    pub starvation: Duration,
    /// How long an ending session may take to finish what was committed.
    pub end_within: Duration,
    pub segment: SegmentSettings,
    pub transcript: TranscriptSettings,
    pub interruption: InterruptionSettings,
    pub prompt: PromptSettings,
    /// Whether what is said and answered goes into the log.
    pub log_transcripts: bool,
}

impl Default for DriverSettings {
    fn default() -> Self {
        Self {
            idle_timeout: Duration::from_mins(5),
            resume_window: Duration::from_mins(1),
            slow_reader: Duration::from_secs(10),
            audio_ahead: Duration::from_millis(300),
            starvation: Duration::from_millis(300),
            end_within: Duration::from_secs(15),
            segment: SegmentSettings::default(),
            transcript: TranscriptSettings::default(),
            interruption: InterruptionSettings::default(),
            prompt: PromptSettings::default(),
            log_transcripts: false,
        }
    }
}

/// When the stages of a turn happened; measured from the last voiced frame, or from the typed text's arrival.
#[derive(Debug, Clone, Copy)]
struct TurnClock {
    turn: TurnId,
    speech_end: Instant,
    timings: Timings,
}

impl TurnClock {
    fn ms_at(&self, at: Instant) -> u32 {
        at.saturating_duration_since(self.speech_end).as_millis() as u32
    }
}

/// What a session begins with.
pub struct Beginning {
    pub session: SessionId,
    pub conversation: ConversationId,
    pub owner: Owner,
    pub options: SessionOptions,
    /// What was said in the conversation before.
    pub earlier: Vec<Exchange>,
    pub journal: Arc<dyn Journal>,
    pub outbox: Arc<Outbox>,
}

/// See the module.
pub struct Driver {
    id: SessionId,
    engines: Engines,
    settings: DriverSettings,
    options: SessionOptions,
    outbox: Arc<Outbox>,
    history: History,
    book: Book,
    told: Told,

    turns: Turns,
    /// What the machine said and is not done yet; the first is being done.
    effects: VecDeque<Effect>,
    resampler: Option<Resampler>,
    framer: Framer,
    segmenter: Segmenter,
    /// The utterance that is being spoken.
    open: Option<Speech>,
    /// Utterances that ended and wait for their final text; a handful at most, one per hard end not yet decoded.
    closing: Vec<Speech>,
    decodes: FuturesUnordered<BoxFuture<'static, DecodeDone>>,
    reply: Option<ReplyRun>,
    /// Replies that take no turn.
    beside: Vec<ReplyRun>,
    /// The last replies, newest last.
    past: VecDeque<Past>,
    /// The reply that is being asked for, and the client's name for the command that is being followed.
    wish: Option<Respond>,
    tag: Option<u64>,
    /// Spoken entries being written down.
    hearing: FuturesUnordered<BoxFuture<'static, HeardItem>>,
    /// What the person wrote and nobody answered yet.
    unanswered: String,
    /// Since when nobody speaks, after a reply.
    quiet_from: Option<Instant>,
    /// The last turns' clocks, newest last.
    clocks: VecDeque<TurnClock>,

    /// Whether audio came since the last commit.
    heard_audio: bool,
    arrival: Arrival,
    last_command: Instant,
    /// Silence put in for a client that stopped sending, in milliseconds; not part of the client's audio clock.
    inserted_ms: u64,
    ending: Option<(Instant, CloseReason)>,
    leave: Leave,
}

/// Turns whose clocks are kept.
const CLOCKS: usize = 8;

impl Driver {
    #[must_use]
    pub fn new(engines: Engines, settings: DriverSettings, beginning: Beginning) -> Self {
        let Beginning { session: id, conversation, owner, options, earlier, journal, outbox } = beginning;
        let place = Place { user: owner.user, conversation, session: id };
        let mut history = History::new(&settings.prompt);
        history.restore(earlier);
        if let Some(instructions) = &options.instructions {
            history.set_system(instructions.clone());
        }
        let now = Instant::now();
        let segmenter = Segmenter::new((engines.detector)(), segment_settings(&settings, &options));
        Self {
            id,
            told: Told::new(place, settings.log_transcripts),
            turns: Turns::new(turn_settings(&settings, &options)),
            effects: VecDeque::new(),
            resampler: None,
            framer: Framer::new(),
            segmenter,
            open: None,
            closing: Vec::new(),
            decodes: FuturesUnordered::new(),
            reply: None,
            beside: Vec::new(),
            past: VecDeque::new(),
            wish: None,
            tag: None,
            hearing: FuturesUnordered::new(),
            unanswered: String::new(),
            quiet_from: None,
            clocks: VecDeque::new(),
            heard_audio: false,
            arrival: Arrival::new(now),
            last_command: now,
            inserted_ms: 0,
            ending: None,
            leave: Leave::new(now),
            engines,
            settings,
            options,
            outbox,
            history,
            book: Book::new(journal, place, owner.keep_audio),
        }
    }

    /// Runs until the session is over.
    pub async fn run(mut self, mut commands: mpsc::Receiver<Command>, stop: Stop) {
        self.warm_up();
        let mut commands_open = true;
        let reason = loop {
            let wake = self.pump();
            if let Some(reason) = self.over() {
                break reason;
            }
            if commands.is_empty() && self.may_leave() {
                if self.is_kept() {
                    break CloseReason::Restart;
                }
                tokio::select! {
                    () = self.keep_all() => continue,
                    reason = stop.stopped() => break reason,
                }
            }
            let replying = self.reply.is_some() || !self.beside.is_empty();
            let outbox = Arc::clone(&self.outbox);
            tokio::select! {
                biased;
                reason = stop.stopped() => break reason,
                () = stop.leaving(), if !self.leave.asked() => self.leave.ask(),
                Some(done) = self.decodes.next(), if !self.decodes.is_empty() => self.decoded(done),
                (which, made) = ReplyRun::next(&mut self.reply, &mut self.beside), if replying => self.made(which, made),
                Some(heard) = self.hearing.next(), if !self.hearing.is_empty() => self.heard_item(heard),
                command = commands.recv(), if commands_open => match command {
                    Some(command) => self.command(command),
                    None => commands_open = false,
                },
                () = outbox.drained(), if replying => {}
                () = tokio::time::sleep_until(wake.into()) => self.tick(),
            }
        };
        if self.ending.is_none() {
            self.step(Input::End);
        }
        // One that was still being made for a session that took too long to end.
        if let Some(turn) = self.reply.as_ref().filter(|reply| !reply.held).map(|reply| reply.turn) {
            self.cancel_reply(turn, CancelReason::Closing);
        }
        while let Some(turn) = self.beside.first().map(|reply| reply.turn) {
            self.cancel_beside(turn, CancelReason::Closing);
        }
        meter::session_ended(reason);
        tracing::info!(reason = reason.name(), turns = self.told.count, "session ended");
        self.outbox.push(Event::Closed { session: self.id, reason });
    }

    // ------------------------------------------------------------ commands and time

    fn command(&mut self, command: Command) {
        self.last_command = Instant::now();
        self.leave.followed(&command);
        match command {
            Command::Audio(pcm) => self.audio(&pcm),
            Command::Commit { respond } => {
                let heard_audio = std::mem::take(&mut self.heard_audio);
                self.step(Input::Commit { heard_audio, respond });
            }
            Command::Clear => {
                self.heard_audio = false;
                self.step(Input::Clear);
                self.segmenter.forget();
                if let Some(tag) = self.tag {
                    self.outbox.push(Event::Cleared { tag });
                }
            }
            Command::Text(text) => self.typed(text),
            Command::Cancel(turn) => self.cancel(turn),
            Command::Played { turn, played_ms } => {
                if let Some(reply) = self.reply.as_mut().filter(|reply| reply.turn == turn) {
                    reply.playout.acknowledge(played_ms);
                }
            }
            Command::Update(options) => self.update(*options),
            Command::Add(item) => self.add(*item),
            Command::Remove(key) => self.remove(key),
            Command::Cut { turn, played_ms } => self.cut(turn, played_ms),
            Command::Respond(wish) => self.respond(*wish),
            Command::Tagged { tag, command } => self.tagged(tag, *command),
            Command::End => {
                self.ending = Some((Instant::now(), CloseReason::ClientEnded));
                self.step(Input::End);
            }
        }
    }

    fn update(&mut self, options: SessionOptions) {
        if options.instructions != self.options.instructions {
            let prompt = options.instructions.clone().unwrap_or_else(|| self.settings.prompt.system_prompt.clone());
            self.history.set_system(prompt);
        }
        self.options = options;
        self.turns.configure(turn_settings(&self.settings, &self.options));
        self.segmenter.update(segment_settings(&self.settings, &self.options));
    }

    fn tick(&mut self) {
        self.insert_silence();
        self.step(Input::Tick);
    }

    /// Sends what can be sent, starts what can be started; gives the moment to look again.
    fn pump(&mut self) -> Instant {
        self.segmenter.set_guard(self.turns.replying());
        self.start_partial();
        let now = Instant::now();
        let mut wake = now + Duration::from_millis(500);
        for due in [self.nudge(), self.pump_replies(), self.watch_leave(now)].into_iter().flatten() {
            wake = wake.min(due);
        }
        if self.open.is_some() {
            let silent_from = self.arrival.silent_from(self.settings.starvation);
            wake = wake.min(silent_from.max(now + Duration::from_millis(u64::from(FRAME_MS))));
        }
        wake
    }

    /// Whether the session should end now, and why.
    fn over(&self) -> Option<CloseReason> {
        if let Some((since, reason)) = self.ending
            && (self.turns.idle() && self.beside.is_empty() || since.elapsed() > self.settings.end_within)
        {
            return Some(reason);
        }
        if self.outbox.detached_for().is_some_and(|gone| gone > self.settings.resume_window) {
            return Some(CloseReason::Abandoned);
        }
        if self.outbox.stuck_for().is_some_and(|stuck| stuck > self.settings.slow_reader) {
            return Some(CloseReason::SlowReader);
        }
        let idle =
            self.last_command.elapsed() > self.settings.idle_timeout && self.turns.idle() && self.beside.is_empty();
        idle.then_some(CloseReason::Idle)
    }

    // ------------------------------------------------------------ the turn machine

    /// Feeds the machine and does what it says, in its order: an effect may feed it again (a decode that is answered at
    /// once), and what comes of that comes after the effects before it.
    fn step(&mut self, input: Input) {
        let performing = !self.effects.is_empty();
        self.effects.extend(self.turns.handle(Instant::now(), input));
        while let Some(effect) = self.effects.front().cloned().filter(|_| !performing) {
            self.perform(effect);
            self.effects.pop_front();
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::OpenTurn { turn, start_ms } => self.open_turn(turn, start_ms),
            Effect::Decode { turn, revision } => self.start_final(turn, revision),
            Effect::Undecode { turn } => self.undecode(turn),
            Effect::CloseSpeech { turn } => self.close_speech(turn),
            Effect::DropSpeech { turn } => {
                self.told.nothing(turn);
                self.told.end(turn);
                self.open = None;
                self.segmenter.close();
            }
            Effect::NoSpeech { turn } => self.no_speech(turn),
            Effect::Final { turn, text } => self.tell_final(turn, text),
            Effect::Record { turn, text } => self.history.said(turn, text),
            Effect::Reply { turn, text, held } => self.start_reply(turn, text, held),
            Effect::Respond { turn } => self.asked(turn, false),
            Effect::Beside { turn } => self.asked(turn, true),
            Effect::Nudged { turn } => self.nudged(turn),
            Effect::Withdraw { .. } => self.reply = None,
            Effect::Release { turn } => self.release(turn),
            Effect::Pause { turn } => self.pause(turn),
            Effect::Resume { turn } => self.resume(turn),
            Effect::CancelReply { turn, reason } => self.cancel_reply(turn, reason),
            Effect::EndTurn { turn } => {
                self.told.of(turn).in_scope(|| tracing::debug!("turn ended"));
                self.told.end(turn);
            }
            Effect::Refuse { code } => self.refuse(code),
        }
    }

    fn refuse(&self, code: &'static str) {
        let (message, hint) = match code {
            "nothing_to_commit" => ("no audio has come since the last commit", "send audio first"),
            "nothing_to_cancel" => ("no such reply is running", "it may have ended by itself; nothing to do"),
            "nothing_to_cut" => ("no such reply is remembered", "only the last replies can be cut"),
            "already_replying" => ("a reply is being made", "wait until it is done, or cancel it"),
            "too_many_replies" => ("too many replies are being made", "wait until one is done"),
            "too_many_items" => ("too many recordings are being written down", "wait for their words"),
            "no_replies" => ("this session only writes down", "start a session that converses"),
            "ending" => ("the session is ending", "start another"),
            _ => ("this cannot be done now", "see the protocol's documentation"),
        };
        self.outbox.push(Event::Refused { code, message: message.into(), hint: hint.into(), tag: self.tag });
    }

    fn clock(&mut self, turn: TurnId) -> Option<&mut TurnClock> {
        self.clocks.iter_mut().rev().find(|clock| clock.turn == turn)
    }

    fn keep_clock(&mut self, clock: TurnClock) {
        self.clocks.retain(|kept| kept.turn != clock.turn);
        if self.clocks.len() >= CLOCKS {
            self.clocks.pop_front();
        }
        self.clocks.push_back(clock);
    }
}
