//! What a client may send.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Whole, item::ItemWish, response::ResponseWish, session::SessionWish};
use crate::{protocol::openai::realtime::fault::Fault, surrogates};

/// Longer names for events are not echoed.
const MAX_EVENT_ID: usize = 512;

/// A client's event, or what is wrong with it.
#[derive(Debug, Clone, PartialEq)]
pub struct Incoming {
    /// The client's name for it.
    pub event_id: Option<String>,
    pub event: Result<ClientEvent, Fault>,
}

/// See [`EVENTS`].
#[derive(Debug, Clone, PartialEq)]
pub enum ClientEvent {
    SessionUpdate(Box<SessionWish>),
    TranscriptionSessionUpdate(Box<SessionWish>),
    Append(Append),
    Commit,
    Clear,
    ItemCreate(Box<ItemCreate>),
    ItemRetrieve(ItemId),
    ItemDelete(ItemId),
    ItemTruncate(ItemTruncate),
    ResponseCreate(Box<ResponseWish>),
    ResponseCancel(ResponseCancel),
    OutputClear,
}

/// The types of all events a client may send.
pub const EVENTS: &[&str] = &[
    "session.update",
    "transcription_session.update",
    "input_audio_buffer.append",
    "input_audio_buffer.commit",
    "input_audio_buffer.clear",
    "conversation.item.create",
    "conversation.item.retrieve",
    "conversation.item.delete",
    "conversation.item.truncate",
    "response.create",
    "response.cancel",
    "output_audio_buffer.clear",
];

#[derive(Debug, Clone, PartialEq, Deserialize)]
struct SessionUpdate {
    session: SessionWish,
}

/// Sound, base64.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Append {
    pub audio: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ItemCreate {
    pub item: ItemWish,
    #[serde(default)]
    pub previous_item_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ItemId {
    pub item_id: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct ItemTruncate {
    pub item_id: String,
    #[serde(default)]
    pub content_index: Whole,
    /// A whole number, though some clients write it with a point.
    pub audio_end_ms: f64,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
struct ResponseCreate {
    response: Option<ResponseWish>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ResponseCancel {
    pub response_id: Option<String>,
}

/// What every event has.
#[derive(Deserialize)]
struct Head {
    #[serde(default)]
    r#type: Value,
    #[serde(default)]
    event_id: Value,
}

impl ClientEvent {
    /// Reads one text frame.
    #[must_use]
    pub fn parse(text: &str) -> Incoming {
        // serde would take an array for a struct.
        let object = text.trim_start().starts_with('{');
        let text = &*surrogates::replaced(text.as_bytes());
        let Some(head) = object.then(|| serde_json::from_slice::<Head>(text).ok()).flatten() else {
            let fault = Fault::new("invalid_json", "the message is not a JSON object; send one per text frame");
            return Incoming { event_id: None, event: Err(fault) };
        };
        let event_id = match head.event_id {
            Value::String(id) if id.len() <= MAX_EVENT_ID => Some(id),
            _ => None,
        };
        let event = match head.r#type {
            Value::String(kind) => Self::of(&kind, text),
            Value::Null => Err(Fault::new("invalid_event", "The 'type' field is missing.").of("type")),
            _ => Err(Fault::wrong_type("type", "a string")),
        };
        Incoming { event_id, event }
    }

    fn of(kind: &str, text: &[u8]) -> Result<Self, Fault> {
        Ok(match kind {
            "session.update" => Self::SessionUpdate(Box::new(body::<SessionUpdate>(text)?.session)),
            "transcription_session.update" => {
                Self::TranscriptionSessionUpdate(Box::new(body::<SessionUpdate>(text)?.session))
            }
            "input_audio_buffer.append" => Self::Append(body(text)?),
            "input_audio_buffer.commit" => Self::Commit,
            "input_audio_buffer.clear" => Self::Clear,
            "conversation.item.create" => Self::ItemCreate(Box::new(body(text)?)),
            "conversation.item.retrieve" => Self::ItemRetrieve(body(text)?),
            "conversation.item.delete" => Self::ItemDelete(body(text)?),
            "conversation.item.truncate" => Self::ItemTruncate(body(text)?),
            "response.create" => {
                Self::ResponseCreate(Box::new(body::<ResponseCreate>(text)?.response.unwrap_or_default()))
            }
            "response.cancel" => Self::ResponseCancel(body(text)?),
            "output_audio_buffer.clear" => Self::OutputClear,
            unknown => {
                let shown: String = unknown.chars().take(100).collect();
                let known = EVENTS.join(", ");
                return Err(Fault::value("type", format!("invalid value: '{shown}'; known are {known}")));
            }
        })
    }
}

fn body<T: DeserializeOwned>(text: &[u8]) -> Result<T, Fault> {
    let mut json = serde_json::Deserializer::from_slice(text);
    serde_path_to_error::deserialize(&mut json)
        .map_err(|error| Fault::of_json(&error.path().to_string(), &error.inner().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> (Option<&'static str>, Option<String>) {
        let fault = ClientEvent::parse(text).event.expect_err("it is wrong");
        (fault.code, fault.param)
    }

    #[test]
    fn every_event_named_is_read() {
        for kind in EVENTS {
            let text = format!(
                r#"{{"type":"{kind}","event_id":"e1","session":{{}},"audio":"","item":{{}},"item_id":"i","audio_end_ms":7}}"#
            );
            let incoming = ClientEvent::parse(&text);
            assert_eq!(incoming.event_id.as_deref(), Some("e1"));
            assert!(incoming.event.is_ok(), "{kind}: {:?}", incoming.event);
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert_eq!(fault("[]"), (Some("invalid_json"), None));
        assert_eq!(fault("{"), (Some("invalid_json"), None));
        assert_eq!(fault("{}"), (Some("invalid_event"), Some("type".into())));
        assert_eq!(fault(r#"{"type":7}"#), (Some("invalid_type"), Some("type".into())));
        assert_eq!(fault(r#"{"type":"no"}"#), (Some("invalid_value"), Some("type".into())));
        assert_eq!(
            fault(r#"{"type":"input_audio_buffer.append"}"#),
            (Some("missing_required_parameter"), Some("audio".into()))
        );
        assert_eq!(
            fault(r#"{"type":"input_audio_buffer.append","audio":7}"#),
            (Some("invalid_type"), Some("audio".into()))
        );
        assert_eq!(
            fault(r#"{"type":"session.update","session":{"audio":{"input":{"turn_detection":{"threshold":"x"}}}}}"#),
            (Some("invalid_type"), Some("session.audio.input.turn_detection.threshold".into()))
        );
    }

    #[test]
    fn half_an_emoji_is_replaced() {
        let text = r#"{"type":"conversation.item.delete","item_id":"a\ud83d"}"#;
        let Ok(ClientEvent::ItemDelete(wish)) = ClientEvent::parse(text).event else { panic!("it is an event") };
        assert_eq!(wish.item_id, "a\u{fffd}");
    }

    #[test]
    fn whole_numbers_may_have_a_point() {
        let update = |ms: &str| {
            let text =
                format!(r#"{{"type":"session.update","session":{{"turn_detection":{{"prefix_padding_ms":{ms}}}}}}}"#);
            ClientEvent::parse(&text).event
        };
        assert_eq!(update("300.0"), update("300"));
        assert!(update("300").is_ok());
        for wrong in ["300.5", "-1", "5e9", "\"300\""] {
            assert!(update(wrong).is_err(), "{wrong}");
        }
        let fault = update("{}").expect_err("an object is no number");
        assert!(fault.message.contains("expected a number"), "{}", fault.message);
    }

    #[test]
    fn null_and_nothing_are_different() {
        let wish = |text: &str| match ClientEvent::parse(text).event {
            Ok(ClientEvent::SessionUpdate(wish)) => wish,
            other => panic!("{other:?}"),
        };
        assert_eq!(wish(r#"{"type":"session.update","session":{}}"#).turn_detection, None);
        assert_eq!(wish(r#"{"type":"session.update","session":{"turn_detection":null}}"#).turn_detection, Some(None));
    }
}
