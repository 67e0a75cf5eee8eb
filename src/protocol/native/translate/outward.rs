//! To the wire: what the session tells.

use super::Format;
use crate::{
    audio::Encoding,
    conversation::{
        hub::{Attachment, HubSettings, Outgoing},
        message::{CancelReason, CloseReason, Event, Interrupt, Mode, SessionOptions, TurnDetection},
    },
    engine::{EngineError, EngineInfo, Engines, VoiceInfo},
    model::Timings,
    protocol::{
        error::{ApiError, Code, ErrorEvent},
        native::{frames, wire},
    },
};

/// A frame to send.
#[derive(Debug, Clone, PartialEq)]
pub enum Frame {
    Text(Box<wire::ServerEvent>),
    Audio(Vec<u8>),
}

/// What the session tells, as a frame; `None` for what no client needs to hear.
#[must_use]
pub fn event(Outgoing { seq, event }: Outgoing, encoding: Encoding) -> Option<Frame> {
    use wire::ServerEvent as Wire;
    let event = match event {
        Event::ReplyAudio { turn, chunk, audio } => {
            return Some(Frame::Audio(frames::reply_audio(turn, chunk, &audio, encoding)));
        }
        Event::SpeechStarted { turn, at_ms } => Wire::SpeechStarted { seq, turn, at_ms },
        Event::SpeechStopped { turn, at_ms, .. } => Wire::SpeechStopped { seq, turn, at_ms },
        Event::Partial { turn, stable, unstable } => Wire::TranscriptPartial { seq, turn, stable, unstable },
        Event::Final { turn, text, words, start_ms, end_ms, rejected, .. } => {
            Wire::TranscriptFinal(wire::TranscriptFinal {
                seq,
                turn,
                text,
                words: Some(words).filter(|words| !words.is_empty()),
                start_ms,
                end_ms,
                rejected: rejected.map(str::to_owned),
            })
        }
        Event::ReplyStarted { turn, .. } => Wire::ReplyStarted { seq, turn },
        Event::ReplyText { turn, delta } => Wire::ReplyTextDelta { seq, turn, delta },
        Event::ReplyPaused { turn } => Wire::ReplyPaused { seq, turn },
        Event::ReplyResumed { turn } => Wire::ReplyResumed { seq, turn },
        Event::ReplyDone { turn, text, timings, stop, .. } => {
            Wire::ReplyDone { seq, turn, text, timings: timings.into(), stop: wire::EarlyStop::of(stop) }
        }
        Event::ReplyCancelled { turn, heard, reason, timings } => {
            Wire::ReplyCancelled { seq, turn, heard_text: heard, reason: reason.into(), timings: timings.into() }
        }
        Event::Progress { task, stage, fraction } => {
            Wire::Progress(wire::Progress { seq, task: task.to_owned(), stage, fraction })
        }
        Event::Refused { code, message, hint, .. } => Wire::Error(refusal(code, message, hint).event(seq)),
        Event::Failed { error: EngineError::Superseded, .. }
        // Nothing in this protocol asks for these.
        | Event::Nudged { .. }
        | Event::Cleared { .. }
        | Event::ReplyCall { .. }
        | Event::ReplyArguments { .. }
        | Event::ReplyCalled { .. }
        | Event::ReplyCut { .. } => return None,
        Event::Failed { turn, error } => Wire::Error(ErrorEvent { turn, ..ApiError::from(error).event(seq) }),
        Event::Closed { session, reason } => Wire::SessionClosed(wire::SessionClosed {
            seq,
            session_id: session,
            reason: reason.into(),
            conversation_id: None,
            retry_after_ms: None,
        }),
    };
    Some(Frame::Text(Box::new(event)))
}

fn refusal(code: &str, message: String, hint: String) -> ApiError {
    match Code::ALL.iter().find(|known| known.name() == code) {
        Some(&code) => ApiError::new(code, message, hint),
        None => ApiError::internal(),
    }
}

/// The answer to `session.start`.
#[must_use]
pub fn ready(
    attachment: &Attachment,
    input: Format,
    output: Encoding,
    engines: &Engines,
    limits: wire::Limits,
) -> wire::ServerEvent {
    let options = attachment.options();
    wire::ServerEvent::SessionReady(Box::new(wire::SessionReady {
        seq: attachment.take_seq(),
        session_id: attachment.session,
        conversation_id: attachment.conversation,
        resumed: attachment.resumed,
        mode: options.mode.into(),
        audio: wire::Format { encoding: input.encoding, sample_rate: input.rate.hz() },
        output: wire::Format { encoding: output, sample_rate: options.output_rate.hz() },
        language: wire_language(&options),
        voice: options.voice.clone(),
        speed: options.speed,
        words: options.words,
        speak: options.speak,
        turn_detection: options.turn_detection.into(),
        engines: wire::Engines {
            vad: wire::Engine {
                engine: engines.detector_name.to_owned(),
                model: engines.detector_name.to_owned(),
                demo: false,
                hint: None,
                languages: Vec::new(),
            },
            asr: engines.recognizer.info().into(),
            llm: engines.chat.info().into(),
            tts: engines.speech.info().into(),
        },
        voices: engines.speech.voices().into_iter().map(wire::Voice::from).collect(),
        limits,
    }))
}

/// The answer to `session.update`.
#[must_use]
pub fn updated(seq: u64, options: &SessionOptions) -> wire::ServerEvent {
    wire::ServerEvent::SessionUpdated(wire::SessionUpdated {
        seq,
        language: wire_language(options),
        voice: options.voice.clone(),
        speed: options.speed,
        words: options.words,
        speak: options.speak,
        turn_detection: options.turn_detection.into(),
    })
}

#[must_use]
pub fn limits(hub: &HubSettings, max_message_bytes: usize, max_text_chars: usize) -> wire::Limits {
    let ms = |duration: std::time::Duration| duration.as_millis() as u64;
    wire::Limits {
        max_message_bytes: max_message_bytes as u64,
        max_text_chars: max_text_chars as u64,
        idle_timeout_ms: ms(hub.driver.idle_timeout),
        resume_window_ms: ms(hub.driver.resume_window),
        audio_ahead_ms: ms(hub.driver.audio_ahead),
    }
}

fn wire_language(options: &SessionOptions) -> String {
    options.language.clone().unwrap_or_else(|| "auto".to_owned())
}

impl From<TurnDetection> for wire::TurnDetection {
    fn from(detection: TurnDetection) -> Self {
        match detection {
            TurnDetection::Manual => Self { kind: Some(wire::TurnDetectionKind::Manual), ..Self::default() },
            TurnDetection::Voice {
                threshold,
                prefix_ms,
                soft_silence_ms,
                silence_ms,
                adaptive,
                interrupt,
                respond,
                nudge_ms: _,
            } => Self {
                kind: Some(wire::TurnDetectionKind::Vad),
                threshold: Some(threshold),
                prefix_ms: Some(prefix_ms),
                soft_silence_ms: Some(soft_silence_ms),
                silence_ms: Some(silence_ms),
                adaptive: Some(adaptive),
                interrupt: Some(interrupt != Interrupt::Never),
                respond: Some(respond),
            },
        }
    }
}

impl From<Mode> for wire::Mode {
    fn from(mode: Mode) -> Self {
        match mode {
            Mode::Converse => Self::Converse,
            Mode::Transcribe => Self::Transcribe,
        }
    }
}

impl From<EngineInfo> for wire::Engine {
    fn from(EngineInfo { engine, model, demo, loaded: _, hint, languages }: EngineInfo) -> Self {
        Self { engine, model, demo, hint, languages }
    }
}

impl From<VoiceInfo> for wire::Voice {
    fn from(VoiceInfo { id, name, language, rate: _ }: VoiceInfo) -> Self {
        Self { id, name, language }
    }
}

impl From<Timings> for wire::Timings {
    fn from(timings: Timings) -> Self {
        Self {
            soft_end_ms: timings.soft_end_ms,
            hard_end_ms: timings.hard_end_ms,
            final_transcript_ms: timings.final_transcript_ms,
            first_token_ms: timings.first_token_ms,
            first_sentence_ms: timings.first_sentence_ms,
            first_sound_ms: timings.first_sound_ms,
            first_audio_ms: timings.first_audio_ms,
            done_ms: timings.done_ms,
        }
    }
}

impl From<CancelReason> for wire::CancelReason {
    fn from(reason: CancelReason) -> Self {
        match reason {
            CancelReason::BargeIn => Self::BargeIn,
            CancelReason::Client => Self::Client,
            CancelReason::Superseded => Self::Superseded,
            CancelReason::Closing => Self::Closing,
            CancelReason::Failed => Self::Failed,
        }
    }
}

impl From<CloseReason> for wire::CloseReason {
    fn from(reason: CloseReason) -> Self {
        match reason {
            CloseReason::ClientEnded => Self::ClientEnded,
            CloseReason::Idle => Self::Idle,
            CloseReason::SlowReader => Self::SlowReader,
            CloseReason::Shutdown => Self::Shutdown,
            CloseReason::Restart => Self::Restart,
            CloseReason::Abandoned => Self::Abandoned,
            CloseReason::Revoked => Self::Revoked,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        audio::{Pcm, SampleRate},
        model::{TurnId, Word},
    };

    fn told(event: Event) -> Value {
        match super::event(Outgoing { seq: 7, event }, Encoding::PcmS16le) {
            Some(Frame::Text(event)) => {
                serde_json::from_str(&serde_json::to_string(&event).expect("events serialise")).expect("JSON")
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_final_has_words_and_a_reason_only_where_there_are_some() {
        let turn = TurnId(2);
        let word = Word { text: "yes".into(), start_ms: 10, end_ms: 200, probability: 0.5 };
        let heard = Event::Final {
            turn,
            text: "yes".into(),
            words: vec![word],
            start_ms: 0,
            end_ms: 300,
            rejected: None,
            language: None,
        };
        assert_eq!(
            told(heard),
            json!({"type": "transcript.final", "seq": 7, "turn": 2, "text": "yes", "start_ms": 0, "end_ms": 300,
                "words": [{"text": "yes", "start_ms": 10, "end_ms": 200, "probability": 0.5}]})
        );
        let noise = Event::Final {
            turn,
            text: String::new(),
            words: vec![],
            start_ms: 0,
            end_ms: 300,
            rejected: Some("no_speech"),
            language: None,
        };
        assert_eq!(
            told(noise),
            json!({"type": "transcript.final", "seq": 7, "turn": 2, "text": "", "start_ms": 0, "end_ms": 300,
                "rejected": "no_speech"})
        );
    }

    #[test]
    fn stages_that_did_not_happen_are_left_out() {
        let timings = Timings { soft_end_ms: Some(200), ..Timings::default() };
        let event =
            Event::ReplyCancelled { turn: TurnId(1), heard: "It".into(), reason: CancelReason::BargeIn, timings };
        assert_eq!(
            told(event),
            json!({"type": "reply.cancelled", "seq": 7, "turn": 1, "heard_text": "It", "reason": "barge_in",
                "timings": {"soft_end_ms": 200}})
        );
    }

    #[test]
    fn sound_becomes_a_binary_frame_in_the_encoding_asked_for() {
        let audio = Pcm::new(SampleRate::HZ_8000, vec![0; 160]);
        let event = Event::ReplyAudio { turn: TurnId(1), chunk: 3, audio };
        match super::event(Outgoing { seq: 0, event }, Encoding::Mulaw) {
            Some(Frame::Audio(bytes)) => assert_eq!(bytes.len(), frames::HEADER_BYTES + 160),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn failures_and_refusals_become_errors_and_superseded_work_nothing() {
        let failed = |error| Event::Failed { turn: Some(TurnId(4)), error };
        let told_failure = told(failed(EngineError::Overloaded { retry_after_ms: 300 }));
        assert_eq!(told_failure["code"], "overloaded");
        assert_eq!((&told_failure["turn"], &told_failure["retry_after_ms"]), (&json!(4), &json!(300)));
        let refused = |code| Event::Refused { code, message: "m".into(), hint: "h".into(), tag: None };
        assert_eq!(told(refused("nothing_to_cancel"))["code"], "nothing_to_cancel");
        assert_eq!(told(refused("no such code"))["code"], "internal");
        let superseded = Outgoing { seq: 1, event: failed(EngineError::Superseded) };
        assert_eq!(super::event(superseded, Encoding::PcmS16le), None);
    }
}
