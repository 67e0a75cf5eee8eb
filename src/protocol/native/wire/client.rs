//! What a client may send as text.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Mode, TurnDetection};
use crate::{
    audio::Encoding,
    model::{ConversationId, SessionId, TurnId},
    protocol::error::{ApiError, Code},
    surrogates,
};

/// What a client may send as text.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type")]
pub enum ClientEvent {
    #[serde(rename = "session.start")]
    SessionStart(Box<SessionStart>),
    #[serde(rename = "session.update")]
    SessionUpdate(Box<SessionUpdate>),
    #[serde(rename = "audio.commit")]
    AudioCommit(Plain),
    #[serde(rename = "audio.clear")]
    AudioClear(Plain),
    #[serde(rename = "text.send")]
    TextSend(TextSend),
    #[serde(rename = "reply.cancel")]
    ReplyCancel(ReplyCancel),
    #[serde(rename = "playback.ack")]
    PlaybackAck(PlaybackAck),
    #[serde(rename = "session.end")]
    SessionEnd(Plain),
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionStart {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audio: Option<PartialFormat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<PartialFormat>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speak: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn_detection: Option<TurnDetection>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume: Option<Resume>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SessionUpdate {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub voice: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speed: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speak: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn_detection: Option<TurnDetection>,
}

/// An event that says all by its type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Plain {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextSend {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub text: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReplyCancel {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn: Option<TurnId>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaybackAck {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    pub turn: TurnId,
    pub played_ms: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resume {
    pub session_id: SessionId,
    pub last_seq: u64,
}

/// A declared audio format; what is left out takes its default.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PartialFormat {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<Encoding>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample_rate: Option<u32>,
}

/// A text frame: whose it is, and what it says.
#[derive(Debug, Clone, PartialEq)]
pub struct Incoming {
    /// The client's own name for the event; an error it causes repeats it.
    pub id: Option<String>,
    pub event: Result<ClientEvent, ApiError>,
}

/// Longer ids are not repeated in errors.
const MAX_ID_BYTES: usize = 200;

impl ClientEvent {
    /// Every event's name on the wire.
    pub const NAMES: &[&str] = &[
        "session.start",
        "session.update",
        "audio.commit",
        "audio.clear",
        "text.send",
        "reply.cancel",
        "playback.ack",
        "session.end",
    ];

    /// Reads a text frame. The error, if any, names the field at fault.
    #[must_use]
    pub fn parse(text: &str) -> Incoming {
        let mut fields = match serde_json::from_slice(&surrogates::replaced(text.as_bytes())) {
            Ok(Value::Object(fields)) => fields,
            Ok(_) => return Incoming { id: None, event: Err(not_json("not an object")) },
            Err(error) => return Incoming { id: None, event: Err(not_json(error)) },
        };
        let id = fields.get("id").and_then(Value::as_str).filter(|id| id.len() <= MAX_ID_BYTES).map(str::to_owned);
        let event = match fields.remove("type") {
            Some(Value::String(name)) => Self::named(&name, Value::Object(fields)),
            Some(_) => Err(ApiError::invalid("type", "not a string", known())),
            None => Err(ApiError::invalid("type", "missing", known())),
        };
        Incoming { id, event }
    }

    fn named(name: &str, fields: Value) -> Result<Self, ApiError> {
        Ok(match name {
            "session.start" => Self::SessionStart(read(name, fields)?),
            "session.update" => Self::SessionUpdate(read(name, fields)?),
            "audio.commit" => Self::AudioCommit(read(name, fields)?),
            "audio.clear" => Self::AudioClear(read(name, fields)?),
            "text.send" => Self::TextSend(read(name, fields)?),
            "reply.cancel" => Self::ReplyCancel(read(name, fields)?),
            "playback.ack" => Self::PlaybackAck(read(name, fields)?),
            "session.end" => Self::SessionEnd(read(name, fields)?),
            _ => return Err(ApiError::new(Code::UnknownEvent, format!("unknown event: {}", short(name)), known())),
        })
    }
}

fn read<T: DeserializeOwned>(event: &str, fields: Value) -> Result<T, ApiError> {
    serde_path_to_error::deserialize(fields).map_err(|error| {
        let path = error.path().to_string();
        // The path of the whole event is "."; serde's own words name the field then ("missing field `text`").
        let field = if path == "." { event } else { path.as_str() };
        // Long enough for serde to list the fields there are.
        let problem: String = error.inner().to_string().chars().take(400).collect();
        ApiError::invalid(&short(field), problem, format!("see {event} in docs/protocol.md"))
    })
}

fn not_json(problem: impl std::fmt::Display) -> ApiError {
    ApiError::new(
        Code::InvalidJson,
        format!("a text frame must be one JSON object: {problem}"),
        "send audio as binary frames and everything else as JSON objects",
    )
}

fn known() -> String {
    format!("use one of {}", ClientEvent::NAMES.join(", "))
}

/// The client's own words, cut before they fill the answer.
fn short(text: &str) -> String {
    text.chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn refused(text: &str) -> ApiError {
        match ClientEvent::parse(text).event {
            Err(error) => error,
            Ok(event) => panic!("taken: {event:?}"),
        }
    }

    #[test]
    fn the_list_of_names_is_what_serde_writes_and_what_is_read() {
        let events = [
            ClientEvent::SessionStart(Box::default()),
            ClientEvent::SessionUpdate(Box::default()),
            ClientEvent::AudioCommit(Plain::default()),
            ClientEvent::AudioClear(Plain::default()),
            ClientEvent::TextSend(TextSend { id: None, text: "hello".into() }),
            ClientEvent::ReplyCancel(ReplyCancel::default()),
            ClientEvent::PlaybackAck(PlaybackAck { id: None, turn: TurnId(1), played_ms: 20 }),
            ClientEvent::SessionEnd(Plain::default()),
        ];
        let mut names = Vec::new();
        for event in events {
            // A new variant must be added to the list above and to NAMES.
            match &event {
                ClientEvent::SessionStart(_)
                | ClientEvent::SessionUpdate(_)
                | ClientEvent::AudioCommit(_)
                | ClientEvent::AudioClear(_)
                | ClientEvent::TextSend(_)
                | ClientEvent::ReplyCancel(_)
                | ClientEvent::PlaybackAck(_)
                | ClientEvent::SessionEnd(_) => {}
            }
            let text = serde_json::to_string(&event).expect("events serialise");
            let value: Value = serde_json::from_str(&text).expect("JSON");
            names.push(value["type"].as_str().expect("a type").to_owned());
            assert_eq!(ClientEvent::parse(&text), Incoming { id: None, event: Ok(event) });
        }
        assert_eq!(names, ClientEvent::NAMES);
    }

    #[test]
    fn half_an_emoji_is_replaced() {
        let text = r#"{"type":"text.send","text":"Hello \ud83d there"}"#;
        let Ok(ClientEvent::TextSend(event)) = ClientEvent::parse(text).event else { panic!("it is an event") };
        assert_eq!(event.text, "Hello \u{fffd} there");
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, code, part) in [
            ("hello", Code::InvalidJson, "JSON object"),
            ("[1]", Code::InvalidJson, "not an object"),
            (r#"{"type":"session.begin"}"#, Code::UnknownEvent, "session.begin"),
            (r#"{"typ":"session.start"}"#, Code::InvalidEvent, "type"),
            (r#"{"type":7}"#, Code::InvalidEvent, "type"),
            (r#"{"type":"session.start","audoi":{}}"#, Code::InvalidEvent, "`audoi`"),
            (r#"{"type":"session.start","audio":{"rate":16000}}"#, Code::InvalidEvent, "`rate`"),
            (r#"{"type":"session.start","audio":{"sample_rate":"16000"}}"#, Code::InvalidEvent, "audio.sample_rate"),
            (r#"{"type":"session.start","audio":{"encoding":"opus"}}"#, Code::InvalidEvent, "audio.encoding"),
            (
                r#"{"type":"session.start","turn_detection":{"silence_ms":-1}}"#,
                Code::InvalidEvent,
                "turn_detection.silence_ms",
            ),
            (
                r#"{"type":"session.start","resume":{"session_id":"x","last_seq":1}}"#,
                Code::InvalidEvent,
                "resume.session_id",
            ),
            (r#"{"type":"session.start","resume":{"last_seq":1}}"#, Code::InvalidEvent, "session_id"),
            (r#"{"type":"text.send"}"#, Code::InvalidEvent, "`text`"),
            (r#"{"type":"playback.ack","turn":1,"played_ms":1.5}"#, Code::InvalidEvent, "played_ms"),
            (r#"{"type":"playback.ack","turn":4294967296,"played_ms":1}"#, Code::InvalidEvent, "turn"),
        ] {
            let error = refused(text);
            assert_eq!(error.code, code, "{text}");
            assert!(error.message.contains(part), "{text}: {}", error.message);
            assert!(!error.hint.is_empty(), "{text}");
        }
        assert!(refused(r#"{"type":"x"}"#).hint.contains("playback.ack"), "the known events are listed");
    }

    #[test]
    fn the_id_is_known_even_where_the_event_is_not() {
        let id = |text: &str| ClientEvent::parse(text).id;
        assert_eq!(id(r#"{"type":"nonsense","id":"a1"}"#), Some("a1".into()));
        assert_eq!(id(r#"{"id":"a2","text":7,"type":"text.send"}"#), Some("a2".into()));
        assert_eq!(id(&json!({"type": "session.end", "id": "x".repeat(201)}).to_string()), None);
    }

    #[test]
    fn an_answer_never_grows_with_the_question() {
        let long = "x".repeat(100_000);
        for text in [
            json!({"type": long}).to_string(),
            json!({"type": "session.start", long.clone(): 1}).to_string(),
            json!({"type": "session.start", "mode": long}).to_string(),
            json!({"type": "session.start", "audio": {long: 1}}).to_string(),
        ] {
            let error = refused(&text);
            assert!(error.message.len() < 1_000, "{} bytes", error.message.len());
        }
    }

    proptest! {
        #[test]
        fn no_text_is_fatal(text in ".{0,200}") {
            let _ = ClientEvent::parse(&text);
        }

        #[test]
        fn no_json_is_fatal(
            name in prop::sample::select(ClientEvent::NAMES.to_vec()),
            field in "id|mode|audio|output|language|voice|speed|words|turn_detection|resume|text|turn|played_ms|x",
            value in prop_oneof![
                any::<f64>().prop_map(|x| json!(x)), any::<i64>().prop_map(|x| json!(x)), ".{0,20}".prop_map(|x| json!(x)),
                Just(json!(null)), Just(json!([])), Just(json!({"type": "vad", "x": [1]})), any::<bool>().prop_map(|x| json!(x)),
            ],
        ) {
            let text = json!({"type": name, (field): value}).to_string();
            if let Err(error) = ClientEvent::parse(&text).event {
                prop_assert_eq!(error.code, Code::InvalidEvent);
            }
        }
    }
}
