//! The protocol's rules, held against everything a client is told.

use std::collections::{HashMap, HashSet};

use serde_json::Value;

use crate::protocol::openai::realtime::wire::{Flavour, server::Kind};

/// A response as its client knows it.
#[derive(Default)]
struct Response {
    /// Items in order; whether each is done.
    items: Vec<(String, bool)>,
    /// The part of each item that has one; whether it is done.
    parts: HashMap<String, bool>,
    conversation: bool,
    done: bool,
}

/// See the module.
pub(super) struct Rules {
    flavour: Flavour,
    event_ids: HashSet<String>,
    items: Vec<String>,
    deleted: HashSet<String>,
    items_done: HashSet<String>,
    speaking: Option<String>,
    committed: HashSet<String>,
    transcripts: HashMap<String, (String, bool)>,
    responses: HashMap<String, Response>,
    order: Vec<String>,
    /// Events that must be answered by a response or an error; how often each was.
    asked: HashMap<String, u32>,
    faulted: HashSet<String>,
    sent: HashSet<String>,
}

impl Rules {
    pub fn new(flavour: Flavour) -> Self {
        Self {
            flavour,
            event_ids: HashSet::new(),
            items: Vec::new(),
            deleted: HashSet::new(),
            items_done: HashSet::new(),
            speaking: None,
            committed: HashSet::new(),
            transcripts: HashMap::new(),
            responses: HashMap::new(),
            order: Vec::new(),
            asked: HashMap::new(),
            faulted: HashSet::new(),
            sent: HashSet::new(),
        }
    }

    pub fn some_item(&self, vary: u8) -> String {
        let at = usize::from(vary) % (self.items.len() + 1);
        self.items.get(at).cloned().unwrap_or_else(|| "item_nowhere".into())
    }

    pub fn some_response(&self, vary: u8) -> String {
        let at = usize::from(vary) % (self.order.len().min(3) + 1);
        self.order.iter().rev().nth(at).cloned().unwrap_or_else(|| "resp_nowhere".into())
    }

    pub fn sends(&mut self, event: &Value) {
        let id = text(event, "event_id");
        if event["type"] == "response.create" {
            self.asked.insert(id.clone(), 0);
        }
        self.sent.insert(id);
    }

    pub fn hear(&mut self, event: &Value) {
        let kind = text(event, "type");
        assert!(self.event_ids.insert(text(event, "event_id")), "an id twice: {event}");
        if self.event_ids.len() == 1 {
            assert_eq!(kind, "session.created");
        }
        let known = Kind::ALL.iter().filter_map(|known| known.name(self.flavour));
        assert!(known.into_iter().any(|known| known == kind), "{kind} is not of this spelling");
        match kind.as_str() {
            "error" => self.error(&event["error"]),
            "response.created" => self.created(event),
            "response.done" => self.done(event),
            kind if kind.starts_with("response.") => self.within(kind, event),
            kind if kind.starts_with("input_audio_buffer.") => self.speech(kind, event),
            kind if kind.starts_with("conversation.item.") => self.item(kind, event),
            _ => {}
        }
    }

    fn error(&mut self, error: &Value) {
        let Some(id) = error["event_id"].as_str() else { panic!("an error nobody caused: {error}") };
        assert!(self.sent.contains(id), "{error}");
        assert!(self.faulted.insert(id.to_owned()), "two errors for {id}");
        if let Some(answers) = self.asked.get_mut(id) {
            *answers += 1;
        }
    }

    // ------------------------------------------------------------ responses

    fn created(&mut self, event: &Value) {
        let response = &event["response"];
        let conversation = !response["conversation_id"].is_null();
        let running = self.responses.values().filter(|response| response.conversation && !response.done).count();
        assert!(!conversation || running == 0, "two responses at once");
        assert_eq!((&response["status"], &response["output"]), (&"in_progress".into(), &Value::Array(vec![])));
        if let Some(id) = response["metadata"]["id"].as_str() {
            *self.asked.get_mut(id).expect("it was asked for") += 1;
        }
        let id = text(response, "id");
        self.order.push(id.clone());
        let new = Response { conversation, ..Response::default() };
        assert!(self.responses.insert(id, new).is_none(), "a response begins once");
    }

    fn within(&mut self, kind: &str, event: &Value) {
        let response = self.responses.get_mut(&text(event, "response_id")).expect("it was created");
        assert!(!response.done, "{kind} after response.done");
        let index = event["output_index"].as_u64().expect("a number") as usize;
        if kind == "response.output_item.added" {
            assert_eq!(index, response.items.len(), "indexes count");
            assert!(response.items.iter().all(|(_, done)| *done), "one item after the other");
            assert_eq!(event["item"]["status"], "in_progress");
            return response.items.push((text(&event["item"], "id"), false));
        }
        if kind == "response.output_item.done" {
            let (id, done) = &mut response.items[index];
            assert_eq!(*id, text(&event["item"], "id"));
            assert!(response.parts.get(id).is_none_or(|done| *done), "its part is done first");
            assert!(!std::mem::replace(done, true), "an item is done once");
            return;
        }
        let item = text(event, "item_id");
        assert_eq!(response.items[index], (item.clone(), false), "{kind} of an open item");
        if kind.starts_with("response.function_call_arguments") {
            return;
        }
        assert_eq!(event["content_index"], 0);
        match kind {
            "response.content_part.added" => assert!(response.parts.insert(item, false).is_none()),
            "response.content_part.done" => assert_eq!(response.parts.insert(item, true), Some(false)),
            _ => assert_eq!(response.parts.get(&item), Some(&false), "{kind} of an open part"),
        }
    }

    fn done(&mut self, event: &Value) {
        let told = &event["response"];
        let response = self.responses.get_mut(&text(told, "id")).expect("it was created");
        assert!(!std::mem::replace(&mut response.done, true), "a response ends once");
        assert_ne!(told["status"], "in_progress");
        let output = told["output"].as_array().expect("a list").iter().map(|item| (text(item, "id"), true));
        assert_eq!(output.collect::<Vec<_>>(), response.items, "all of its items are done and listed");
    }

    // ------------------------------------------------------------ speech and items

    fn speech(&mut self, kind: &str, event: &Value) {
        match kind {
            "input_audio_buffer.speech_started" => self.speaking = Some(text(event, "item_id")),
            "input_audio_buffer.speech_stopped" => {
                // What was cleared may have ended before the session heard of it.
                let item = text(event, "item_id");
                assert!(!self.committed.contains(&item), "it ends before it is committed");
                self.speaking.take_if(|speaking| *speaking == item);
            }
            "input_audio_buffer.committed" => {
                let item = text(event, "item_id");
                assert!(self.speaking.as_ref() != Some(&item), "speech is told to end first");
                assert!(self.committed.insert(item), "it is committed once");
            }
            _ => {}
        }
    }

    fn item(&mut self, kind: &str, event: &Value) {
        match kind {
            "conversation.item.added" | "conversation.item.created" => {
                let id = text(&event["item"], "id");
                assert!(!self.items.contains(&id), "{id} is there already");
                if let Some(previous) = event["previous_item_id"].as_str() {
                    assert!(self.items.iter().any(|known| known == previous), "{previous} is not there");
                }
                self.deleted.remove(&id);
                self.items_done.remove(&id);
                self.items.push(id);
            }
            "conversation.item.done" => {
                let id = text(&event["item"], "id");
                assert!(self.items.contains(&id), "{id} is not there");
                assert!(self.items_done.insert(id), "an item is done once");
            }
            "conversation.item.deleted" => {
                let id = text(event, "item_id");
                self.items.retain(|known| *known != id);
                self.deleted.insert(id);
            }
            "conversation.item.input_audio_transcription.delta" => {
                let (told, done) = self.transcripts.entry(text(event, "item_id")).or_default();
                assert!(!*done, "nothing follows the transcript");
                told.push_str(&text(event, "delta"));
            }
            "conversation.item.input_audio_transcription.completed" => {
                let (told, done) = self.transcripts.entry(text(event, "item_id")).or_default();
                assert!(!std::mem::replace(done, true), "a transcript comes once");
                assert_eq!(*told, text(event, "transcript"), "the deltas are the transcript");
            }
            "conversation.item.input_audio_transcription.failed" => {
                let (_, done) = self.transcripts.entry(text(event, "item_id")).or_default();
                assert!(!std::mem::replace(done, true), "a transcript comes once");
            }
            _ => {}
        }
    }

    /// Nothing is under way any more.
    pub fn settled(&self) {
        for (id, response) in &self.responses {
            assert!(response.done, "{id} never ended");
        }
        for (id, answers) in &self.asked {
            assert_eq!(*answers, 1, "{id} asked for a response");
        }
        for item in &self.committed {
            assert!(self.transcripts.get(item).is_some_and(|(_, done)| *done), "{item} was never written down");
        }
    }
}

fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_else(|| panic!("no {field} in {value}")).to_owned()
}
