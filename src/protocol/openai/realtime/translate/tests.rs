//! Orders of events for each flow, with the session's side played by hand. Ids are counted, so nothing is left to chance.

mod flows;
mod items;
mod random;
mod sessions;

use serde_json::{Value, json};

use super::{Conversation, Setup};
use crate::{
    audio::{Pcm, SampleRate},
    conversation::message::{CancelReason, Command, Event, SessionOptions},
    engine::StopCause,
    model::{Timings, TurnId},
    protocol::openai::realtime::{
        ids::Ids,
        session_object::{Config, Offer, SessionKind},
        wire::Flavour,
    },
};

/// A conversation and everything it has told and asked so far.
struct Talk {
    conversation: Conversation,
    events: Vec<Value>,
    commands: Vec<Command>,
}

fn offer() -> Offer {
    Offer {
        defaults: SessionOptions { voice: Some("anna".into()), ..SessionOptions::default() },
        instructions: "Be kind.".into(),
        model: "assistant".into(),
        recognizer: "nano".into(),
        voice: "anna".into(),
        voices: vec!["anna".into(), "ben".into()],
        languages: vec!["en".into(), "ru".into()],
        may_converse: true,
    }
}

impl Talk {
    fn new(flavour: Flavour, kind: SessionKind) -> Self {
        let config = Config::new(kind, Some("gpt-realtime".into()), &offer());
        let setup = Setup { flavour, config, offer: offer(), expires_at: 1_800_000_000, ids: Ids::Counted(0) };
        let mut talk = Self { conversation: Conversation::new(setup), events: Vec::new(), commands: Vec::new() };
        let events = talk.conversation.hello();
        talk.take(events);
        talk
    }

    fn ga() -> Self {
        Self::new(Flavour::Ga, SessionKind::Realtime)
    }

    /// One whose transcripts are told.
    fn transcribing() -> Self {
        let mut talk = Self::ga();
        talk.send(json!({"type": "session.update", "session": {"type": "realtime",
            "audio": {"input": {"transcription": {"model": "whisper-1"}}}}}));
        talk.forget();
        talk
    }

    fn take(&mut self, events: Vec<super::ServerEvent>) {
        let parsed = events.iter().map(|event| serde_json::from_str(&event.json()).expect("JSON"));
        self.events.extend(parsed);
    }

    /// The client sends; the types of what it is told.
    fn send(&mut self, event: Value) -> Vec<String> {
        let before = self.events.len();
        let (commands, events) = self.conversation.client(&event.to_string());
        self.commands.extend(commands);
        self.take(events);
        self.kinds_from(before)
    }

    /// The session tells; the types of what the client is told.
    fn hear(&mut self, event: Event) -> Vec<String> {
        let before = self.events.len();
        let events = self.conversation.event(event);
        self.take(events);
        self.kinds_from(before)
    }

    fn kinds_from(&self, from: usize) -> Vec<String> {
        self.events[from..].iter().map(|event| event["type"].as_str().expect("a type").to_owned()).collect()
    }

    fn forget(&mut self) {
        self.events.clear();
        self.commands.clear();
    }

    fn last(&self) -> &Value {
        self.events.last().expect("something was told")
    }

    fn last_of(&self, kind: &str) -> &Value {
        self.events.iter().rfind(|event| event["type"] == kind).unwrap_or_else(|| panic!("no {kind}"))
    }

    fn joined(&self, kind: &str) -> String {
        self.events.iter().filter(|event| event["type"] == kind).filter_map(|event| event["delta"].as_str()).collect()
    }

    /// The last command, with the tag it went under.
    fn tagged(&self) -> (u64, &Command) {
        match self.commands.last() {
            Some(Command::Tagged { tag, command }) => (*tag, command),
            other => panic!("{other:?}"),
        }
    }

    /// So much silence is appended.
    fn append(&mut self, ms: usize) {
        let audio = data_encoding::BASE64.encode(&vec![0; ms * 48]);
        assert!(self.send(json!({"type": "input_audio_buffer.append", "audio": audio})).is_empty());
    }

    fn error(&self) -> (&str, &Value) {
        let error = &self.last()["error"];
        (error["code"].as_str().unwrap_or("null"), &error["event_id"])
    }
}

const TURN: TurnId = TurnId(1);

fn started(turn: TurnId, at_ms: u64) -> Event {
    Event::SpeechStarted { turn, at_ms }
}

fn stopped(turn: TurnId, until_ms: u64) -> Event {
    Event::SpeechStopped { turn, at_ms: until_ms.saturating_sub(500), until_ms }
}

fn partial(turn: TurnId, stable: &str) -> Event {
    Event::Partial { turn, stable: stable.into(), unstable: "more".into() }
}

fn written(turn: TurnId, text: &str) -> Event {
    let rejected = text.is_empty().then_some("no_speech");
    Event::Final { turn, text: text.into(), words: vec![], start_ms: 200, end_ms: 1_700, rejected, language: None }
}

fn reply(turn: TurnId, tag: Option<u64>) -> Event {
    Event::ReplyStarted { turn, tag }
}

fn says(turn: TurnId, delta: &str) -> Event {
    Event::ReplyText { turn, delta: delta.into() }
}

/// 20 ms of it.
fn sounds(turn: TurnId) -> Event {
    Event::ReplyAudio { turn, chunk: 0, audio: Pcm::new(SampleRate::HZ_24000, vec![1; 480]) }
}

fn done(turn: TurnId) -> Event {
    Event::ReplyDone {
        turn,
        text: String::new(),
        timings: Timings::default(),
        stop: StopCause::End,
        prompt_tokens: Some(30),
        reply_tokens: Some(7),
    }
}

fn cancelled(turn: TurnId, reason: CancelReason) -> Event {
    Event::ReplyCancelled { turn, heard: String::new(), reason, timings: Timings::default() }
}
