//! What goes into a conversation and what comes out: [`Command`] and [`Event`]. Every protocol translates to these.

use super::item::{ItemKey, NewItem, Respond};
use crate::{
    audio::{Pcm, SampleRate},
    engine::{EngineError, StopCause, Tool, ToolChoice},
    model::{SessionId, Timings, TurnId, Word},
};

/// Whether the person is answered or only written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Converse,
    Transcribe,
}

impl Mode {
    /// Its name in traces.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Converse => "converse",
            Self::Transcribe => "transcribe",
        }
    }
}

/// When the person's turn ends.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TurnDetection {
    /// The VAD decides.
    Voice {
        /// How sure the detector must be that a frame is voice, 0 to 1.
        threshold: f32,
        /// Audio kept from before the detected start.
        prefix_ms: u32,
        /// Silence after which work on the answer starts, held back.
        soft_silence_ms: u32,
        /// Silence after which it is released.
        silence_ms: u32,
        /// Shorten or stretch `silence_ms` by how finished the words look.
        adaptive: bool,
        /// Whether speaking stops a reply.
        interrupt: Interrupt,
        /// Whether a finished utterance is answered by itself.
        respond: bool,
        /// Silence of everybody after which a reply is made although nobody asked; `None`: never.
        nudge_ms: Option<u32>,
    },
    /// The client says so with [`Command::Commit`] (push-to-talk).
    Manual,
}

/// Whether speaking stops a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupt {
    /// The reply is spoken to its end; an utterance meanwhile is answered afterwards.
    Never,
    /// Once it is clear that the person means to: not a cough, not an "uh-huh", not the reply's own echo.
    Meant,
    /// As soon as there is a voice.
    AtOnce,
}

/// How fast the sound of replies is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// A little ahead of the loudspeaker, so that stopping costs little.
    AsHeard,
    /// As it is made; the client keeps what it has not played yet.
    AsMade,
}

impl Default for TurnDetection {
    fn default() -> Self {
        Self::Voice {
            threshold: 0.5,
            prefix_ms: 400,
            soft_silence_ms: 200,
            silence_ms: 500,
            adaptive: true,
            interrupt: Interrupt::Meant,
            respond: true,
            nudge_ms: None,
        }
    }
}

/// What a session wants; changed by [`Command::Update`] while it runs.
#[derive(Debug, Clone, PartialEq)]
pub struct SessionOptions {
    pub mode: Mode,
    /// ISO 639-1 of what is spoken; `None`: the model decides.
    pub language: Option<String>,
    pub voice: Option<String>,
    /// Speaking rate of replies, 0.25 to 4.0.
    pub speed: f32,
    /// The rate replies are sent at.
    pub output_rate: SampleRate,
    pub turn_detection: TurnDetection,
    /// In place of the server's own system prompt.
    pub instructions: Option<String>,
    /// Whether final transcripts carry word times.
    pub words: bool,
    /// Whether replies are spoken; `false`: text only.
    pub speak: bool,
    pub pace: Pace,
    /// Text to steer the recogniser's spelling.
    pub spelling: Option<String>,
    /// What the chat model may ask to be called.
    pub tools: Vec<Tool>,
    pub tool_choice: ToolChoice,
    /// The longest reply, in tokens; `None`: the backend's.
    pub max_tokens: Option<u32>,
    /// `None`: the backend's.
    pub temperature: Option<f32>,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            mode: Mode::Converse,
            language: None,
            voice: None,
            speed: 1.0,
            output_rate: SampleRate::HZ_24000,
            turn_detection: TurnDetection::default(),
            instructions: None,
            words: false,
            speak: true,
            pace: Pace::AsHeard,
            spelling: None,
            tools: Vec::new(),
            tool_choice: ToolChoice::Auto,
            max_tokens: None,
            temperature: None,
        }
    }
}

/// What a client can ask of a running session.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Sound from the microphone, at the rate the session declared.
    Audio(Pcm),
    /// The utterance ends here; `respond`: and is answered, where the session answers at all.
    Commit {
        respond: bool,
    },
    /// Forget the utterance so far.
    Clear,
    /// A typed utterance; answered like a spoken one.
    Text(String),
    /// Stop the reply; `None`: whichever runs.
    Cancel(Option<TurnId>),
    /// So much of this turn's reply has been played.
    Played {
        turn: TurnId,
        played_ms: u32,
    },
    Update(Box<SessionOptions>),
    /// Puts an entry into the conversation; nobody answers it by itself.
    Add(Box<NewItem>),
    /// Takes an entry out of the conversation.
    Remove(ItemKey),
    /// Cuts a reply that was sent, ended or not, to what was played of it: in what the model is told and in what is kept.
    /// Answered by [`Event::ReplyCut`].
    Cut {
        turn: TurnId,
        played_ms: u32,
    },
    /// Makes a reply to the conversation as it stands, once everything committed is written down. Answered at once by
    /// [`Event::ReplyStarted`].
    Respond(Box<Respond>),
    /// A command the client has a name for: what is told in direct answer carries `tag`.
    Tagged {
        tag: u64,
        command: Box<Command>,
    },
    /// The client ends the session; what was committed is still finished.
    End,
}

/// Why a reply stopped before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelReason {
    /// The person spoke.
    BargeIn,
    /// The client asked.
    Client,
    /// A newer turn began.
    Superseded,
    /// The session ends.
    Closing,
    /// The chat model or the voice failed; an error event says how.
    Failed,
}

impl CancelReason {
    /// Its name in logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::BargeIn => "barge_in",
            Self::Client => "cancelled",
            Self::Superseded => "superseded",
            Self::Closing => "closing",
            Self::Failed => "failed",
        }
    }
}

/// What a session tells. Times count milliseconds of input audio since the session began.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    SpeechStarted {
        turn: TurnId,
        at_ms: u64,
    },
    /// The utterance ended: with its last voice at `at_ms`, and with the silence that ended it at `until_ms`.
    SpeechStopped {
        turn: TurnId,
        at_ms: u64,
        until_ms: u64,
    },
    /// Text while the person speaks: `stable` only ever grows, `unstable` may change.
    Partial {
        turn: TurnId,
        stable: String,
        unstable: String,
    },
    /// The utterance's text. Empty with a `rejected` reason when there was sound but no words to trust.
    Final {
        turn: TurnId,
        text: String,
        /// Times count from the start of the session's audio.
        words: Vec<Word>,
        start_ms: u64,
        end_ms: u64,
        rejected: Option<&'static str>,
        /// ISO 639-1, as the session has it or the recogniser found.
        language: Option<String>,
    },
    /// Nobody spoke for [`TurnDetection::Voice::nudge_ms`], from `start_ms` to `end_ms`; a reply of this turn follows.
    Nudged {
        turn: TurnId,
        start_ms: u64,
        end_ms: u64,
    },
    ReplyStarted {
        turn: TurnId,
        /// Of the [`Command::Respond`] that asked for it.
        tag: Option<u64>,
    },
    /// A piece of the reply's text, sent with (just before) the sound that speaks it.
    ReplyText {
        turn: TurnId,
        delta: String,
    },
    /// 20 to 40 ms of the reply's sound; `chunk` counts from 0 within the turn.
    ReplyAudio {
        turn: TurnId,
        chunk: u32,
        audio: Pcm,
    },
    /// The person may be interrupting: playback should hold until `ReplyResumed` or `ReplyCancelled`.
    ReplyPaused {
        turn: TurnId,
    },
    /// It was nothing: play on.
    ReplyResumed {
        turn: TurnId,
    },
    /// The reply calls a function; `call` counts from 0 within it. Calls come after the reply's text and sound.
    ReplyCall {
        turn: TurnId,
        call: u32,
        id: String,
        name: String,
    },
    /// More of that call's arguments.
    ReplyArguments {
        turn: TurnId,
        call: u32,
        delta: String,
    },
    /// That call is complete.
    ReplyCalled {
        turn: TurnId,
        call: u32,
        arguments: String,
    },
    ReplyDone {
        turn: TurnId,
        text: String,
        timings: Timings,
        stop: StopCause,
        /// Tokens read and written by the chat model, where it tells.
        prompt_tokens: Option<u32>,
        reply_tokens: Option<u32>,
    },
    /// The reply was stopped; `heard` is what the person heard of it.
    ReplyCancelled {
        turn: TurnId,
        heard: String,
        reason: CancelReason,
        timings: Timings,
    },
    /// A [`Command::Cut`] was followed; `heard` is what is left of the reply's text.
    ReplyCut {
        turn: TurnId,
        heard: String,
        tag: Option<u64>,
    },
    /// A tagged [`Command::Clear`] was followed: what was told before is of what was forgotten.
    Cleared {
        tag: u64,
    },
    /// Something is under way that takes a while (a model being loaded).
    Progress {
        task: &'static str,
        stage: String,
        fraction: Option<f32>,
    },
    /// Part of a turn failed; the session goes on.
    Failed {
        turn: Option<TurnId>,
        error: EngineError,
    },
    /// A command could not be followed; nothing changed.
    Refused {
        code: &'static str,
        message: String,
        hint: String,
        tag: Option<u64>,
    },
    /// The session is over.
    Closed {
        session: SessionId,
        reason: CloseReason,
    },
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloseReason {
    ClientEnded,
    Idle,
    SlowReader,
    /// The server stops at once.
    Shutdown,
    /// The server is being stopped and what was begun is finished: the conversation goes on elsewhere, or here later.
    Restart,
    /// The socket went away and nobody resumed in time.
    Abandoned,
    /// The operator ended it, or its owner may no longer come in.
    Revoked,
}

impl CloseReason {
    /// Its name in logs.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ClientEnded => "client_ended",
            Self::Idle => "idle",
            Self::SlowReader => "slow_reader",
            Self::Shutdown => "shutting_down",
            Self::Restart => "restart",
            Self::Abandoned => "abandoned",
            Self::Revoked => "revoked",
        }
    }
}
