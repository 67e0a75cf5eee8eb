//! What of Wyoming is spoken here.

use crate::protocol::support::{
    Direction::{FromClient, ToClient},
    Status::{No, Partly, Yes},
    Support,
};

const fn from(name: &'static str, status: crate::protocol::support::Status) -> Support {
    Support { name, direction: FromClient, status }
}

const fn to(name: &'static str, status: crate::protocol::support::Status) -> Support {
    Support { name, direction: ToClient, status }
}

const NOT_HERE: &str =
    "the server hears and speaks; it understands no commands, waits for no wake word and has no microphone";

/// Every event of the protocol, and the fields that not every server honours.
pub const EVENTS: &[Support] = &[
    from("describe", Yes),
    to("info", Yes),
    from("ping", Yes),
    to("pong", Yes),
    to("error", Yes),
    from("transcribe", Yes),
    from("transcribe.name", No("there is one model, the server's own")),
    from("transcribe.language", Yes),
    from("transcribe.context", No("requests are independent of each other")),
    from(
        "transcribe.vad_sensitivity",
        Partly("decides when voice-stopped is told; a request ends with audio-stop alone"),
    ),
    from("transcribe.transcript_names", Yes),
    from("transcribe.transcript_terms", Yes),
    from("audio-start", Yes),
    from(
        "audio-chunk",
        Partly("4 to 192 kHz, 1 to 4 bytes a sample, up to 32 channels, which are mixed; up to ten minutes"),
    ),
    from("audio-stop", Yes),
    to("transcript-start", Yes),
    to("transcript-chunk", Yes),
    to("transcript", Yes),
    to("transcript.context", No("requests are independent of each other")),
    to("transcript-stop", Yes),
    to("voice-started", Yes),
    to("voice-stopped", Yes),
    from("synthesize", Yes),
    from(
        "synthesize.voice",
        Partly("by name, else by language, else the server's default; no speakers within a voice"),
    ),
    from("synthesize.text_format", Partly("SSML is spoken without its marks")),
    from("synthesize-start", Yes),
    from("synthesize-chunk", Yes),
    from("synthesize-stop", Yes),
    to("synthesize-stopped", Yes),
    to("audio-start", Yes),
    to("audio-chunk", Yes),
    to("audio-stop", Yes),
    from("select-program", No("there is one program of each kind")),
    from("user-event", No(NOT_HERE)),
    from("detect", No(NOT_HERE)),
    to("detection", No(NOT_HERE)),
    to("not-detected", No(NOT_HERE)),
    from("recognize", No(NOT_HERE)),
    to("intent", No(NOT_HERE)),
    to("intents-start", No(NOT_HERE)),
    to("intents-stop", No(NOT_HERE)),
    to("not-recognized", No(NOT_HERE)),
    to("handled", No(NOT_HERE)),
    to("handled-start", No(NOT_HERE)),
    to("handled-chunk", No(NOT_HERE)),
    to("handled-stop", No(NOT_HERE)),
    to("not-handled", No(NOT_HERE)),
    from("run-pipeline", No(NOT_HERE)),
    to("run-satellite", No(NOT_HERE)),
    to("pause-satellite", No(NOT_HERE)),
    to("satellite-connected", No(NOT_HERE)),
    to("satellite-disconnected", No(NOT_HERE)),
    to("streaming-started", No(NOT_HERE)),
    to("streaming-stopped", No(NOT_HERE)),
    to("played", No(NOT_HERE)),
    to("timer-started", No(NOT_HERE)),
    to("timer-updated", No(NOT_HERE)),
    to("timer-cancelled", No(NOT_HERE)),
    to("timer-finished", No(NOT_HERE)),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use bytes::Bytes;
    use serde_json::Value;

    use super::{
        super::wire::{Outgoing, READERS},
        *,
    };
    use crate::protocol::support::Direction;

    fn told(direction: Direction, supported: bool) -> BTreeSet<&'static str> {
        EVENTS
            .iter()
            .filter(|event| event.direction == direction && !event.name.contains('.'))
            .filter(|event| supported != matches!(event.status, No(_)))
            .map(|event| event.name)
            .collect()
    }

    /// One of each; the match fails to compile when a kind is added and not put here.
    fn all() -> Vec<Outgoing> {
        let (rate, width, channels, timestamp) = (16_000, 2, 1, 0);
        let all = vec![
            Outgoing::Info(Value::Null),
            Outgoing::Pong { text: None },
            Outgoing::TranscriptStart { language: None },
            Outgoing::TranscriptChunk { text: String::new() },
            Outgoing::Transcript { text: String::new(), language: None },
            Outgoing::TranscriptStop {},
            Outgoing::VoiceStarted { timestamp },
            Outgoing::VoiceStopped { timestamp },
            Outgoing::AudioStart { rate, width, channels, timestamp },
            Outgoing::AudioChunk { rate, width, channels, timestamp, payload: Bytes::new() },
            Outgoing::AudioStop { timestamp },
            Outgoing::SynthesizeStopped {},
            Outgoing::error("", ""),
        ];
        for event in &all {
            match event {
                Outgoing::Info(_)
                | Outgoing::Pong { .. }
                | Outgoing::TranscriptStart { .. }
                | Outgoing::TranscriptChunk { .. }
                | Outgoing::Transcript { .. }
                | Outgoing::TranscriptStop {}
                | Outgoing::VoiceStarted { .. }
                | Outgoing::VoiceStopped { .. }
                | Outgoing::AudioStart { .. }
                | Outgoing::AudioChunk { .. }
                | Outgoing::AudioStop { .. }
                | Outgoing::SynthesizeStopped {}
                | Outgoing::Error { .. } => {}
            }
        }
        all
    }

    #[test]
    fn what_is_said_to_be_read_is_read_and_the_rest_is_not() {
        let read: BTreeSet<_> = READERS.iter().map(|(kind, _)| *kind).collect();
        assert_eq!(read, told(FromClient, true));
        assert!(read.is_disjoint(&told(FromClient, false)));
    }

    #[test]
    fn what_is_said_to_be_sent_can_be_sent_and_the_rest_cannot() {
        let sent: BTreeSet<_> = all().into_iter().map(|event| event.into_frame().kind).collect();
        let sent: BTreeSet<_> = sent.iter().map(String::as_str).collect();
        assert_eq!(sent, told(ToClient, true));
        assert!(sent.is_disjoint(&told(ToClient, false)));
    }
}
