//! Wyoming's events as they stand in frames. Lenient on the way in: what may be absent may be null, and what nobody
//! knows is passed over.

use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::frame::Frame;

/// What a client sends.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    Describe,
    Ping(Text),
    Transcribe(Transcribe),
    AudioStart(AudioFormat),
    AudioChunk(AudioFormat, Bytes),
    AudioStop,
    Synthesize(Synthesize),
    SynthesizeStart(SynthesizeStart),
    SynthesizeChunk(Text),
    SynthesizeStop,
}

/// A text, where there is one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Text {
    pub text: Option<String>,
}

/// How the sound that follows is to be written down.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Transcribe {
    /// `en`, `en-US`, `en_US`; `None`: the server's default.
    pub language: Option<String>,
    /// `default`, `relaxed` or `aggressive`.
    pub vad_sensitivity: Option<String>,
    pub transcript_names: Option<Vec<String>>,
    pub transcript_terms: Option<Vec<String>>,
}

/// Samples as they are sent; what is absent is 16 kHz, 16 bits, mono.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub struct AudioFormat {
    /// Hz.
    pub rate: Option<u32>,
    /// Bytes of a sample.
    pub width: Option<u32>,
    pub channels: Option<u32>,
    /// Milliseconds.
    #[serde(default, deserialize_with = "moment")]
    pub timestamp: Option<u64>,
}

/// A text to speak.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Synthesize {
    pub text: String,
    #[serde(flatten)]
    pub manner: SynthesizeStart,
}

/// How texts are to be spoken.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct SynthesizeStart {
    pub voice: Option<Voice>,
    /// `text` or `ssml`.
    pub text_format: Option<String>,
}

/// A choice of voice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Voice {
    pub name: Option<String>,
    pub language: Option<String>,
}

type Reader = fn(Frame) -> Result<Incoming, serde_json::Error>;

/// Every event that is read.
pub(super) const READERS: &[(&str, Reader)] = &[
    ("describe", |_| Ok(Incoming::Describe)),
    ("ping", |frame| data(frame).map(Incoming::Ping)),
    ("transcribe", |frame| data(frame).map(Incoming::Transcribe)),
    ("audio-start", |frame| data(frame).map(Incoming::AudioStart)),
    ("audio-chunk", |frame| {
        let payload = frame.payload.clone();
        Ok(Incoming::AudioChunk(data(frame)?, payload))
    }),
    ("audio-stop", |_| Ok(Incoming::AudioStop)),
    ("synthesize", |frame| data(frame).map(Incoming::Synthesize)),
    ("synthesize-start", |frame| data(frame).map(Incoming::SynthesizeStart)),
    ("synthesize-chunk", |frame| data(frame).map(Incoming::SynthesizeChunk)),
    ("synthesize-stop", |_| Ok(Incoming::SynthesizeStop)),
];

impl Incoming {
    /// What a frame says; `None`: something that concerns others.
    ///
    /// # Errors
    /// When its data is not what its type demands.
    pub fn read(frame: Frame) -> Result<Option<Self>, serde_json::Error> {
        let reader = READERS.iter().find(|(kind, _)| *kind == frame.kind);
        reader.map(|(_, read)| read(frame)).transpose()
    }
}

/// Sound is not lost over its time: what is no whole number is rounded down, and what is no time is none.
fn moment<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u64>, D::Error> {
    let value = Value::deserialize(from)?;
    Ok(value.as_u64().or_else(|| value.as_f64().map(|ms| ms as u64)))
}

fn data<T: DeserializeOwned>(frame: Frame) -> Result<T, serde_json::Error> {
    serde_json::from_value(Value::Object(frame.data))
}

/// What the server sends.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", content = "data", rename_all = "kebab-case")]
pub enum Outgoing {
    Info(Value),
    Pong {
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<String>,
    },
    TranscriptStart {
        #[serde(skip_serializing_if = "Option::is_none")]
        language: Option<String>,
    },
    TranscriptChunk {
        text: String,
    },
    Transcript {
        text: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        language: Option<String>,
    },
    TranscriptStop {},
    /// Milliseconds of the sound's own time.
    VoiceStarted {
        timestamp: u64,
    },
    VoiceStopped {
        timestamp: u64,
    },
    AudioStart {
        rate: u32,
        width: u32,
        channels: u32,
        timestamp: u64,
    },
    AudioChunk {
        rate: u32,
        width: u32,
        channels: u32,
        timestamp: u64,
        #[serde(skip)]
        payload: Bytes,
    },
    AudioStop {
        timestamp: u64,
    },
    SynthesizeStopped {},
    Error {
        text: String,
        code: String,
    },
}

impl Outgoing {
    #[must_use]
    pub fn error(code: &'static str, text: impl std::fmt::Display) -> Self {
        metrics::counter!(crate::measure::ERRORS, "transport" => "wyoming", "code" => code).increment(1);
        Self::Error { text: text.to_string(), code: code.to_owned() }
    }

    /// As it travels.
    #[must_use]
    pub fn into_frame(self) -> Frame {
        let mut frame = Frame { kind: String::new(), data: Map::new(), payload: Bytes::new() };
        // All of them are objects with a type and data.
        if let Ok(Value::Object(mut written)) = serde_json::to_value(&self) {
            if let Some(Value::String(kind)) = written.remove("type") {
                frame.kind = kind;
            }
            if let Some(Value::Object(data)) = written.remove("data") {
                frame.data = data;
            }
        }
        if let Self::AudioChunk { payload, .. } = self {
            frame.payload = payload;
        }
        frame
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(kind: &str, data: Value) -> Result<Option<Incoming>, serde_json::Error> {
        let data = data.as_object().expect("an object").clone();
        Incoming::read(Frame { kind: kind.into(), data, payload: Bytes::from_static(b"ab") })
    }

    #[test]
    fn events_are_read_with_nulls_and_unknown_fields() {
        let voice = json!({"name": null, "language": "ru", "speaker": "x"});
        let event = read("synthesize", json!({"text": "hi", "voice": voice, "context": {"a": 1}})).expect("valid");
        let Some(Incoming::Synthesize(event)) = event else { panic!("{event:?}") };
        assert_eq!((event.text.as_str(), event.manner.text_format), ("hi", None));
        assert_eq!(event.manner.voice, Some(Voice { name: None, language: Some("ru".into()) }));
        let event = read("audio-chunk", json!({"rate": 8000, "width": 4, "channels": 2, "timestamp": null}));
        let format = AudioFormat { rate: Some(8000), width: Some(4), channels: Some(2), timestamp: None };
        assert_eq!(event.expect("valid"), Some(Incoming::AudioChunk(format, Bytes::from_static(b"ab"))));
        for (time, timestamp) in [(json!(12.9), Some(12)), (json!(-3), Some(0)), (json!("late"), None)] {
            let event = read("audio-start", json!({"rate": 8000, "timestamp": time})).expect("valid");
            let format = AudioFormat { rate: Some(8000), timestamp, ..AudioFormat::default() };
            assert_eq!(event, Some(Incoming::AudioStart(format)), "{time}");
        }
        assert_eq!(read("detection", json!({})).expect("passed over"), None);
    }

    #[test]
    fn what_is_missing_is_an_error() {
        assert!(read("synthesize", json!({})).is_err());
        assert!(read("audio-start", json!({"rate": "fast"})).is_err());
    }

    #[test]
    fn events_are_written_with_their_data_and_payload() {
        let chunk =
            Outgoing::AudioChunk { rate: 22050, width: 2, channels: 1, timestamp: 46, payload: vec![1, 2].into() };
        let frame = chunk.into_frame();
        assert_eq!((frame.kind.as_str(), &frame.payload[..]), ("audio-chunk", &[1, 2][..]));
        assert_eq!(Value::Object(frame.data), json!({"rate": 22050, "width": 2, "channels": 1, "timestamp": 46}));
        let stop = Outgoing::TranscriptStop {}.into_frame();
        assert_eq!(stop.to_bytes(), b"{\"type\":\"transcript-stop\"}\n");
    }
}
