//! A recording's text in OpenAI's forms. Pure.

use std::io::Write as _;

use axum::{
    Json,
    http::header,
    response::{IntoResponse, Response},
};
use flate2::{Compression, write::ZlibEncoder};
use serde::Serialize;
use utoipa::ToSchema;

use super::wish::AnswerFormat;
use crate::{
    conversation::offline::Heard,
    job::{Segment, segments},
    model::language_name,
    protocol::rest::export::{recording_srt, recording_vtt},
};

/// A recording's text; what stands behind `usage` only in `verbose_json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, ToSchema)]
pub struct OpenAiTranscription {
    /// Empty if nobody speaks.
    pub text: String,
    pub usage: OpenAiDuration,
    /// `transcribe` or `translate`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<&'static str>,
    /// The language's English name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// The recording's length in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub segments: Option<Vec<OpenAiSegment>>,
    /// Where asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub words: Option<Vec<OpenAiWord>>,
}

/// How much was heard.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct OpenAiDuration {
    /// `duration`
    pub r#type: &'static str,
    pub seconds: f64,
}

impl Default for OpenAiDuration {
    fn default() -> Self {
        Self { r#type: "duration", seconds: 0.0 }
    }
}

/// A sentence or so.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct OpenAiSegment {
    pub id: u32,
    /// Where the piece begins that was heard at once, in hundredths of a second.
    pub seek: u32,
    /// In seconds.
    pub start: f64,
    pub end: f64,
    pub text: String,
    /// The model's tokens of the whole piece, with the piece's first segment.
    pub tokens: Vec<i32>,
    pub temperature: f32,
    /// The piece's.
    pub avg_logprob: f32,
    /// How repetitive the text is: its length by that of its compression.
    pub compression_ratio: f32,
    /// The piece's; 0 where the model does not tell.
    pub no_speech_prob: f32,
}

/// A word with its times in seconds.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct OpenAiWord {
    pub word: String,
    pub start: f64,
    pub end: f64,
}

/// What was heard in a recording, and how it was asked.
#[derive(Debug, Clone, Default)]
pub struct Told {
    pub text: String,
    /// ISO 639-1, where known.
    pub language: Option<String>,
    pub duration_ms: u32,
    /// Its pieces, in order.
    pub pieces: Vec<Heard>,
    pub translated: bool,
    pub temperature: f32,
    pub words: bool,
}

impl Told {
    /// The answer.
    #[must_use]
    pub fn answer(&self, format: AnswerFormat) -> Response {
        let plain = |text: String| ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response();
        match format {
            AnswerFormat::Json => Json(self.json()).into_response(),
            AnswerFormat::VerboseJson => Json(self.verbose()).into_response(),
            AnswerFormat::Text => plain(format!("{}\n", self.text)),
            AnswerFormat::Srt => plain(recording_srt(&self.segments())),
            AnswerFormat::Vtt => {
                ([(header::CONTENT_TYPE, "text/vtt; charset=utf-8")], recording_vtt(&self.segments())).into_response()
            }
        }
    }

    fn json(&self) -> OpenAiTranscription {
        let usage = OpenAiDuration { seconds: seconds(self.duration_ms), ..OpenAiDuration::default() };
        OpenAiTranscription { text: self.text.clone(), usage, ..OpenAiTranscription::default() }
    }

    fn verbose(&self) -> OpenAiTranscription {
        let code = if self.translated { Some("en") } else { self.language.as_deref() };
        let language = code.map_or("unknown", |code| language_name(code).unwrap_or(code));
        let words = || {
            let words = self.pieces.iter().flat_map(|piece| &piece.transcript.words);
            words
                .map(|word| OpenAiWord {
                    word: word.text.trim().to_owned(),
                    start: seconds(word.start_ms),
                    end: seconds(word.end_ms),
                })
                .collect()
        };
        OpenAiTranscription {
            task: Some(if self.translated { "translate" } else { "transcribe" }),
            language: Some(language.to_owned()),
            duration: Some(seconds(self.duration_ms)),
            segments: Some(self.openai_segments()),
            words: self.words.then(words),
            ..self.json()
        }
    }

    fn segments(&self) -> Vec<Segment> {
        self.pieces.iter().flat_map(segments).collect()
    }

    fn openai_segments(&self) -> Vec<OpenAiSegment> {
        let mut all = vec![];
        for piece in &self.pieces {
            let transcript = &piece.transcript;
            let mut tokens = transcript.tokens.clone();
            for segment in segments(piece) {
                all.push(OpenAiSegment {
                    id: all.len() as u32,
                    seek: piece.start_ms / 10,
                    start: seconds(segment.start_ms),
                    end: seconds(segment.end_ms),
                    compression_ratio: compression_ratio(&segment.text),
                    text: segment.text,
                    tokens: std::mem::take(&mut tokens),
                    temperature: self.temperature,
                    avg_logprob: finite(transcript.mean_log_probability),
                    no_speech_prob: finite(transcript.no_speech_probability.unwrap_or(0.0)),
                });
            }
        }
        all
    }
}

/// What a piece adds to the text so far: pieces are parted by a space, as in the whole.
#[must_use]
pub fn delta(begun: bool, piece: &str) -> Option<String> {
    (!piece.is_empty()).then(|| if begun { format!(" {piece}") } else { piece.to_owned() })
}

fn seconds(ms: u32) -> f64 {
    f64::from(ms) / 1000.0
}

/// JSON knows no infinite numbers.
fn finite(number: f32) -> f32 {
    if number.is_finite() { number } else { 0.0 }
}

fn compression_ratio(text: &str) -> f32 {
    let mut packed = ZlibEncoder::new(vec![], Compression::default());
    let packed = packed.write_all(text.as_bytes()).and_then(|()| packed.finish()).unwrap_or_default();
    text.len() as f32 / packed.len().max(1) as f32
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use serde_json::Value;

    use super::*;
    use crate::{engine::Transcript, model::Word};

    fn piece(start_ms: u32, words: &[&str]) -> Heard {
        let text = words.join(" ");
        let words = words.iter().zip(0..).map(|(word, at)| Word {
            text: (*word).to_owned(),
            start_ms: start_ms + at * 300,
            end_ms: start_ms + at * 300 + 250,
            probability: 0.9,
        });
        let transcript = Transcript {
            text,
            words: words.collect(),
            mean_log_probability: -0.25,
            tokens: vec![7, 8, 9],
            no_speech_probability: Some(0.125),
            ..Transcript::default()
        };
        Heard { start_ms, end_ms: start_ms + 2_000, transcript, done: 1.0 }
    }

    fn told() -> Told {
        Told {
            text: "It rains. Take it. Good --> bye <now>.".into(),
            language: Some("en".into()),
            duration_ms: 65_432,
            pieces: vec![
                piece(500, &["It", "rains.", "Take", "it."]),
                piece(63_000, &["Good", "-->", "bye", "<now>."]),
            ],
            translated: false,
            temperature: 0.0,
            words: true,
        }
    }

    async fn body(told: &Told, format: AnswerFormat) -> (String, String) {
        let answer = told.answer(format);
        let kind = answer.headers()[header::CONTENT_TYPE].to_str().expect("ASCII").to_owned();
        let bytes = to_bytes(answer.into_body(), 100_000).await.expect("a small body");
        (kind, String::from_utf8(bytes.to_vec()).expect("text"))
    }

    #[tokio::test]
    async fn every_form_has_its_type_and_its_text() {
        let (kind, text) = body(&told(), AnswerFormat::Text).await;
        assert_eq!(
            (kind.as_str(), text.as_str()),
            ("text/plain; charset=utf-8", "It rains. Take it. Good --> bye <now>.\n")
        );
        let (kind, json) = body(&told(), AnswerFormat::Json).await;
        assert_eq!(kind, "application/json");
        let expected =
            r#"{"text":"It rains. Take it. Good --> bye <now>.","usage":{"type":"duration","seconds":65.432}}"#;
        assert_eq!(json, expected);
        let (_, srt) = body(&told(), AnswerFormat::Srt).await;
        assert_eq!(
            srt,
            "1\n00:00:00,500 --> 00:00:01,050\nIt rains.\n\n2\n00:00:01,100 --> 00:00:01,650\nTake it.\n\n\
             3\n00:01:03,000 --> 00:01:04,150\nGood → bye <now>.\n\n"
        );
        let (kind, vtt) = body(&told(), AnswerFormat::Vtt).await;
        assert_eq!(kind, "text/vtt; charset=utf-8");
        assert!(vtt.starts_with("WEBVTT\n\n00:00:00.500 --> 00:00:01.050\nIt rains.\n\n"), "{vtt}");
        assert!(vtt.contains("Good --&gt; bye &lt;now&gt;."), "{vtt}");
    }

    #[tokio::test]
    async fn verbose_json_has_every_field_that_clients_require() {
        let (_, json) = body(&told(), AnswerFormat::VerboseJson).await;
        let json: Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!((&json["task"], &json["language"]), (&"transcribe".into(), &"english".into()));
        assert_eq!(json["duration"], 65.432);
        let segments = json["segments"].as_array().expect("segments");
        assert_eq!(segments.len(), 3);
        for (segment, id) in segments.iter().zip(0..) {
            assert_eq!(segment["id"], id);
            for field in [
                "seek",
                "start",
                "end",
                "text",
                "tokens",
                "temperature",
                "avg_logprob",
                "compression_ratio",
                "no_speech_prob",
            ] {
                assert!(!segment[field].is_null(), "{field}: {segment}");
            }
        }
        assert_eq!(segments[2]["seek"], 6_300);
        let tokens: Vec<usize> = segments.iter().map(|s| s["tokens"].as_array().expect("tokens").len()).collect();
        assert_eq!(tokens, [3, 0, 3], "a piece's tokens come once");
        assert_eq!(json["words"].as_array().map(Vec::len), Some(8));
        let plain = Told { words: false, language: None, ..told() };
        let (_, json) = body(&plain, AnswerFormat::VerboseJson).await;
        assert!(!json.contains("\"words\"") && json.contains("\"unknown\""), "{json}");
        let english = Told { translated: true, language: Some("ru".into()), ..told() };
        assert_eq!(english.verbose().language.as_deref(), Some("english"));
    }

    #[tokio::test]
    async fn silence_is_an_empty_text_in_every_form() {
        let silence = Told { duration_ms: 3_000, ..Told::default() };
        assert_eq!(body(&silence, AnswerFormat::Text).await.1, "\n");
        assert_eq!(body(&silence, AnswerFormat::Srt).await.1, "");
        assert_eq!(body(&silence, AnswerFormat::Vtt).await.1, "WEBVTT\n\n");
        let verbose: Value = serde_json::from_str(&body(&silence, AnswerFormat::VerboseJson).await.1).expect("JSON");
        assert_eq!((&verbose["text"], verbose["segments"].as_array().map(Vec::len)), (&"".into(), Some(0)));
    }

    #[test]
    fn deltas_joined_are_the_text() {
        let mut text = String::new();
        for piece in ["", "One.", "", "Two.", "Three."] {
            text.extend(delta(!text.is_empty(), piece));
        }
        assert_eq!(text, "One. Two. Three.");
    }

    #[test]
    fn what_repeats_is_told_by_its_ratio() {
        assert!(compression_ratio(&"and so on ".repeat(40)) > 2.4);
        assert!(compression_ratio("It rains.") < 2.4);
        assert!(compression_ratio("").is_finite());
    }
}
