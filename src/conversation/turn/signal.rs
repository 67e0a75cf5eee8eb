//! What goes into the turn machine and what comes out.

use crate::{
    conversation::{
        interruption::InterruptionSettings,
        message::{CancelReason, Interrupt},
    },
    model::TurnId,
};

/// How turns are taken; part of a session's options.
#[derive(Debug, Clone, PartialEq)]
pub struct TurnSettings {
    /// Silence after which work on the answer starts, held back, in milliseconds.
    pub soft_silence_ms: u32,
    /// Silence that ends the turn, in milliseconds.
    pub silence_ms: u32,
    /// Whether the words shorten or stretch `silence_ms`.
    pub adaptive: bool,
    /// Whether speaking stops a reply.
    pub interrupt: Interrupt,
    /// Whether an utterance is answered.
    pub respond: bool,
    /// The client ends utterances by [`Input::Commit`]; silence does not.
    pub manual: bool,
    pub interruption: InterruptionSettings,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The VAD opened a segment; `start_ms` on the audio clock.
    SpeechStarted {
        start_ms: u64,
    },
    /// 20 ms more of the open segment: its voice so far, and the silence since the last voice.
    Speech {
        voiced_ms: u32,
        silence_ms: u32,
    },
    /// The newest hypothesis of the open utterance.
    Hypothesis {
        text: String,
    },
    /// A final decode came back. `log_probability`: mean over its tokens.
    Decoded {
        turn: TurnId,
        revision: u32,
        text: String,
        log_probability: f32,
    },
    /// The client ends the utterance; `heard_audio`: whether any came since the last commit; `respond`: and wants it
    /// answered.
    Commit {
        heard_audio: bool,
        respond: bool,
    },
    Clear,
    Text(String),
    /// The client wants a reply to the conversation as it stands; `beside`: one that takes no turn.
    Respond {
        beside: bool,
    },
    /// Nobody has spoken for long: the assistant may.
    Nudge,
    Cancel(Option<TurnId>),
    /// A sentence of the running reply starts to sound.
    Sounding {
        turn: TurnId,
        text: String,
    },
    /// The running reply's last chunk was sent.
    ReplyEnded {
        turn: TurnId,
    },
    /// The running reply broke.
    ReplyFailed {
        turn: TurnId,
    },
    /// Time passes; needed only while a reply is paused.
    Tick,
    /// The session ends: nothing new starts, a running reply stops, what was said is still answered.
    End,
}

/// What to do about it.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// A spoken turn begins.
    OpenTurn { turn: TurnId, start_ms: u64 },
    /// Decode the open utterance as if it ended here.
    Decode { turn: TurnId, revision: u32 },
    /// The person went on: forget that decode, go on with partials.
    Undecode { turn: TurnId },
    /// The utterance ended: close the segment, keep the utterance until its final text is out.
    CloseSpeech { turn: TurnId },
    /// Forget the open segment; nothing of it comes out.
    DropSpeech { turn: TurnId },
    /// The client committed audio without a voice in it: a turn without words, begun and ended.
    NoSpeech { turn: TurnId },
    /// Send the final transcript.
    Final { turn: TurnId, text: String },
    /// Remember the person's words; nobody answers them.
    Record { turn: TurnId, text: String },
    /// Make a reply to `text`; `held`: show nothing of it yet.
    Reply { turn: TurnId, text: String, held: bool },
    /// Make a reply to the conversation as it stands, once all that was said is written down.
    Respond { turn: TurnId },
    /// Make one that takes no turn; it is not heard of here again.
    Beside { turn: TurnId },
    /// A turn begins in which nobody spoke; its reply follows.
    Nudged { turn: TurnId },
    /// Forget a held reply without a trace.
    Withdraw { turn: TurnId },
    /// Let a held reply out.
    Release { turn: TurnId },
    /// Hold the running reply's sound.
    Pause { turn: TurnId },
    /// Let it go on.
    Resume { turn: TurnId },
    /// Stop the running reply and cut it to what was heard.
    CancelReply { turn: TurnId, reason: CancelReason },
    /// The turn is over.
    EndTurn { turn: TurnId },
    /// A command could not be followed.
    Refuse { code: &'static str },
}
