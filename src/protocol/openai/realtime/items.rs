//! The conversation as its client knows it: items with ids and an order. The core knows the same entries by keys.

use std::collections::VecDeque;

use super::wire::{self, Flavour};
use crate::{
    audio::SampleRate,
    conversation::item::ItemKey,
    model::{Role, ToolCall, TurnId},
};

/// More are forgotten, the oldest first.
pub const MAX_ITEMS: usize = 4_096;
/// Bytes of text of all of them; more are forgotten likewise.
pub const MAX_BYTES: usize = 8 << 20;

/// One item.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    pub id: String,
    /// What the core calls it; several where it holds several things, none where it holds nothing.
    pub keys: Vec<ItemKey>,
    pub status: Status,
    pub content: Content,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    InProgress,
    Completed,
    Incomplete,
}

impl Status {
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete => "incomplete",
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    Message { role: Role, parts: Vec<Part> },
    Call(ToolCall),
    Output { call_id: String, output: String },
}

/// A part of a message.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    Text(String),
    /// Sound: of the person, or put in by the client.
    Sound {
        transcript: Option<String>,
    },
    /// Sound of a reply made here.
    Spoken {
        transcript: String,
        made: Made,
    },
}

/// How much sound of a reply was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Made {
    pub turn: TurnId,
    pub samples: u64,
    pub rate: SampleRate,
}

impl Made {
    #[must_use]
    pub fn ms(&self) -> u64 {
        self.samples * 1_000 / u64::from(self.rate.hz())
    }
}

impl Item {
    /// As it stands on the wire.
    #[must_use]
    pub fn told(&self, flavour: Flavour) -> wire::item::Item {
        let mut told = wire::item::Item {
            id: self.id.clone(),
            object: "realtime.item",
            r#type: "message",
            status: self.status.name(),
            role: None,
            content: None,
            call_id: None,
            name: None,
            arguments: None,
            output: None,
        };
        match &self.content {
            Content::Message { role, parts } => {
                told.role = Some(match role {
                    Role::System => "system",
                    Role::Assistant => "assistant",
                    Role::User | Role::Tool => "user",
                });
                told.content = Some(parts.iter().map(|part| part.told(*role, flavour)).collect());
            }
            Content::Call(call) => {
                told.r#type = "function_call";
                told.call_id = Some(call.id.clone());
                told.name = Some(call.name.clone());
                told.arguments = Some(call.arguments.clone());
            }
            Content::Output { call_id, output } => {
                told.r#type = "function_call_output";
                told.call_id = Some(call_id.clone());
                told.output = Some(output.clone());
            }
        }
        told
    }

    /// The sound of a reply in it, if it is one.
    #[must_use]
    pub fn made(&self) -> Option<Made> {
        match &self.content {
            Content::Message { parts, .. } => parts.iter().find_map(|part| match part {
                Part::Spoken { made, .. } => Some(*made),
                _ => None,
            }),
            _ => None,
        }
    }

    /// Leaves so much of a reply, in text and in sound.
    pub fn cut(&mut self, heard: String, ms: u64) {
        let Content::Message { parts, .. } = &mut self.content else { return };
        for part in parts {
            if let Part::Spoken { transcript, made } = part {
                made.samples = made.samples.min(ms * u64::from(made.rate.hz()) / 1_000);
                *transcript = heard;
                return;
            }
        }
    }

    /// The transcript of the person's sound in it.
    pub fn transcribe(&mut self, text: &str) {
        let Content::Message { parts, .. } = &mut self.content else { return };
        for part in parts {
            if let Part::Sound { transcript } = part {
                *transcript = Some(text.to_owned());
            }
        }
    }

    fn bytes(&self) -> usize {
        let text = match &self.content {
            Content::Message { parts, .. } => parts.iter().map(Part::bytes).sum(),
            Content::Call(call) => call.id.len() + call.name.len() + call.arguments.len(),
            Content::Output { call_id, output } => call_id.len() + output.len(),
        };
        text + self.id.len()
    }
}

impl Part {
    fn told(&self, role: Role, flavour: Flavour) -> wire::item::Part {
        let assistant = role == Role::Assistant;
        let text = match (assistant, flavour) {
            (false, _) => "input_text",
            (true, Flavour::Ga) => "output_text",
            (true, Flavour::Beta) => "text",
        };
        let sound = match (assistant, flavour) {
            (false, _) => "input_audio",
            (true, Flavour::Ga) => "output_audio",
            (true, Flavour::Beta) => "audio",
        };
        match self {
            Self::Text(words) => wire::item::Part::text(text, words.clone()),
            Self::Sound { transcript } => wire::item::Part::sound(sound, transcript.clone()),
            Self::Spoken { transcript, .. } => wire::item::Part::sound(sound, Some(transcript.clone())),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Text(text) | Self::Spoken { transcript: text, .. } => text.len(),
            Self::Sound { transcript } => transcript.as_ref().map_or(0, String::len),
        }
    }
}

/// Where an item goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    Last,
    First,
    After(&'a str),
}

/// All items that are remembered, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Items(VecDeque<Item>);

impl Items {
    /// Puts an item in and gives the id of the one before it.
    pub fn insert(&mut self, item: Item, place: Place<'_>) -> Option<String> {
        let at = match place {
            Place::Last => self.0.len(),
            Place::First => 0,
            Place::After(id) => self.position(id).map_or(self.0.len(), |at| at + 1),
        };
        let previous = at.checked_sub(1).and_then(|at| self.0.get(at)).map(|item| item.id.clone());
        self.0.insert(at, item);
        self.forget();
        previous
    }

    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Item> {
        self.position(id).and_then(|at| self.0.get(at))
    }

    pub fn get_mut(&mut self, id: &str) -> Option<&mut Item> {
        self.position(id).and_then(|at| self.0.get_mut(at))
    }

    /// An item, and the id of the one before it.
    pub fn with_previous(&mut self, id: &str) -> Option<(&mut Item, Option<String>)> {
        let at = self.position(id)?;
        let previous = at.checked_sub(1).and_then(|at| self.0.get(at)).map(|item| item.id.clone());
        self.0.get_mut(at).map(|item| (item, previous))
    }

    pub fn remove(&mut self, id: &str) -> Option<Item> {
        self.position(id).and_then(|at| self.0.remove(at))
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The latest are asked for most.
    fn position(&self, id: &str) -> Option<usize> {
        self.0.iter().rposition(|item| item.id == id)
    }

    fn forget(&mut self) {
        while self.0.len() > MAX_ITEMS {
            self.0.pop_front();
        }
        let mut bytes: usize = self.0.iter().map(Item::bytes).sum();
        while bytes > MAX_BYTES && self.0.len() > 1 {
            bytes -= self.0.pop_front().map_or(0, |item| item.bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(id: &str, text: &str) -> Item {
        let content = Content::Message { role: Role::User, parts: vec![Part::Text(text.into())] };
        Item { id: id.into(), keys: vec![ItemKey::Given(1)], status: Status::Completed, content }
    }

    #[test]
    fn items_stand_where_they_were_put() {
        let mut items = Items::default();
        assert_eq!(items.insert(item("b", ""), Place::Last), None);
        assert_eq!(items.insert(item("d", ""), Place::Last).as_deref(), Some("b"));
        assert_eq!(items.insert(item("c", ""), Place::After("b")).as_deref(), Some("b"));
        assert_eq!(items.insert(item("a", ""), Place::First), None);
        let order: Vec<_> = items.0.iter().map(|item| item.id.as_str()).collect();
        assert_eq!(order, ["a", "b", "c", "d"]);
        assert!(items.remove("c").is_some() && items.get("c").is_none());
    }

    #[test]
    fn the_oldest_are_forgotten() {
        let mut items = Items::default();
        for number in 0..MAX_ITEMS + 10 {
            items.insert(item(&number.to_string(), ""), Place::Last);
        }
        assert_eq!(items.len(), MAX_ITEMS);
        assert!(items.get("9").is_none() && items.get("10").is_some());
        items.insert(item("long", &"x".repeat(MAX_BYTES)), Place::Last);
        assert_eq!(items.len(), 1);
    }
}
