//! What the server sends.

use serde::Serialize;
use serde_json::Value;

use super::{
    Flavour,
    item::{Item, Part},
    response::Response,
};

/// One line per event: its name in either spelling; a dash: it is not told there.
macro_rules! kinds {
    ($($variant:ident $ga:literal $beta:literal)*) => {
        /// The types of all events the server may send.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Kind {
            $($variant,)*
        }

        impl Kind {
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// Its name on the wire; `None`: this spelling does not have it.
            #[must_use]
            pub fn name(self, flavour: Flavour) -> Option<&'static str> {
                let name = match (self, flavour) { $(
                    (Self::$variant, Flavour::Ga) => $ga,
                    (Self::$variant, Flavour::Beta) => $beta,
                )* };
                (name != "-").then_some(name)
            }
        }
    };
}
kinds! {
    Error                   "error" "error"
    SessionCreated          "session.created" "session.created"
    SessionUpdated          "session.updated" "session.updated"
    TranscriptionCreated    "session.created" "transcription_session.created"
    TranscriptionUpdated    "session.updated" "transcription_session.updated"
    ConversationCreated     "-" "conversation.created"
    ItemAdded               "conversation.item.added" "conversation.item.created"
    ItemDone                "conversation.item.done" "-"
    ItemRetrieved           "conversation.item.retrieved" "conversation.item.retrieved"
    ItemDeleted             "conversation.item.deleted" "conversation.item.deleted"
    ItemTruncated           "conversation.item.truncated" "conversation.item.truncated"
    TranscriptionDelta      "conversation.item.input_audio_transcription.delta" "conversation.item.input_audio_transcription.delta"
    TranscriptionCompleted  "conversation.item.input_audio_transcription.completed" "conversation.item.input_audio_transcription.completed"
    TranscriptionFailed     "conversation.item.input_audio_transcription.failed" "conversation.item.input_audio_transcription.failed"
    SpeechStarted           "input_audio_buffer.speech_started" "input_audio_buffer.speech_started"
    SpeechStopped           "input_audio_buffer.speech_stopped" "input_audio_buffer.speech_stopped"
    Committed               "input_audio_buffer.committed" "input_audio_buffer.committed"
    Cleared                 "input_audio_buffer.cleared" "input_audio_buffer.cleared"
    TimeoutTriggered        "input_audio_buffer.timeout_triggered" "input_audio_buffer.timeout_triggered"
    ResponseCreated         "response.created" "response.created"
    ResponseDone            "response.done" "response.done"
    OutputItemAdded         "response.output_item.added" "response.output_item.added"
    OutputItemDone          "response.output_item.done" "response.output_item.done"
    PartAdded               "response.content_part.added" "response.content_part.added"
    PartDone                "response.content_part.done" "response.content_part.done"
    TextDelta               "response.output_text.delta" "response.text.delta"
    TextDone                "response.output_text.done" "response.text.done"
    TranscriptDelta         "response.output_audio_transcript.delta" "response.audio_transcript.delta"
    TranscriptDone          "response.output_audio_transcript.done" "response.audio_transcript.done"
    AudioDelta              "response.output_audio.delta" "response.audio.delta"
    AudioDone               "response.output_audio.done" "response.audio.done"
    ArgumentsDelta          "response.function_call_arguments.delta" "response.function_call_arguments.delta"
    ArgumentsDone           "response.function_call_arguments.done" "response.function_call_arguments.done"
}

/// One event.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerEvent {
    pub kind: Kind,
    pub event_id: String,
    pub flavour: Flavour,
    pub body: Body,
}

#[derive(Serialize)]
struct Frame<'a> {
    r#type: &'a str,
    event_id: &'a str,
    #[serde(flatten)]
    body: &'a Body,
}

impl ServerEvent {
    /// Its name on the wire.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.kind.name(self.flavour).unwrap_or("error")
    }

    /// The text frame.
    #[must_use]
    pub fn json(&self) -> String {
        let frame = Frame { r#type: self.name(), event_id: &self.event_id, body: &self.body };
        serde_json::to_string(&frame).expect("events are structs of strings, numbers and lists")
    }
}

/// What an event holds besides its type and id.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Body {
    Error {
        error: ErrorBody,
    },
    Session {
        session: Value,
    },
    Conversation {
        conversation: Conversation,
    },
    Item {
        previous_item_id: Option<String>,
        item: Item,
    },
    Retrieved {
        item: Item,
    },
    Named {
        item_id: String,
    },
    Truncated {
        item_id: String,
        content_index: u32,
        audio_end_ms: u32,
    },
    Transcription {
        item_id: String,
        content_index: u32,
        delta: String,
    },
    Transcribed {
        item_id: String,
        content_index: u32,
        transcript: String,
        usage: Duration,
    },
    Untranscribed {
        item_id: String,
        content_index: u32,
        error: TranscriptionError,
    },
    Started {
        item_id: String,
        audio_start_ms: u64,
    },
    Stopped {
        item_id: String,
        audio_end_ms: u64,
    },
    Committed {
        item_id: String,
        previous_item_id: Option<String>,
    },
    Empty {},
    Timeout {
        item_id: String,
        audio_start_ms: u64,
        audio_end_ms: u64,
    },
    Response {
        response: Box<Response>,
    },
    OutputItem {
        response_id: String,
        output_index: u32,
        item: Item,
    },
    ContentPart {
        #[serde(flatten)]
        place: Place,
        part: Part,
    },
    Delta {
        #[serde(flatten)]
        place: Place,
        delta: String,
    },
    Text {
        #[serde(flatten)]
        place: Place,
        text: String,
    },
    Transcript {
        #[serde(flatten)]
        place: Place,
        transcript: String,
    },
    Done {
        #[serde(flatten)]
        place: Place,
    },
    ArgumentsDelta {
        response_id: String,
        item_id: String,
        output_index: u32,
        call_id: String,
        delta: String,
    },
    ArgumentsDone {
        response_id: String,
        item_id: String,
        output_index: u32,
        call_id: String,
        name: String,
        arguments: String,
    },
}

/// Where in a response something belongs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Place {
    pub response_id: String,
    pub item_id: String,
    pub output_index: u32,
    pub content_index: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ErrorBody {
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub code: Option<String>,
    pub message: String,
    pub param: Option<String>,
    /// The client's name for the event that was wrong.
    pub event_id: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Conversation {
    pub id: String,
    pub object: &'static str,
}

/// What writing down cost: the sound's length.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Duration {
    pub r#type: &'static str,
    pub seconds: f64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TranscriptionError {
    pub r#type: &'static str,
    pub code: &'static str,
    pub message: String,
}
