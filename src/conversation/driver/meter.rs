//! What a session's turns tell the metrics.

use crate::{
    conversation::message::{CancelReason, CloseReason},
    measure,
    model::Timings,
};

/// A reply has ended; `cancelled`: not by itself.
pub(super) fn reply_ended(timings: &Timings, cancelled: Option<CancelReason>) {
    let outcome = match cancelled {
        None => "done",
        Some(CancelReason::BargeIn) => "barge_in",
        Some(CancelReason::Client) => "client",
        Some(CancelReason::Superseded) => "superseded",
        Some(CancelReason::Closing) => "closing",
        Some(CancelReason::Failed) => "failed",
    };
    metrics::counter!(measure::REPLIES, "outcome" => outcome).increment(1);
    if cancelled == Some(CancelReason::BargeIn) {
        metrics::counter!(measure::INTERRUPTIONS, "outcome" => "confirmed").increment(1);
    }
    // Only an utterance has an end in silence.
    let input = if timings.hard_end_ms.is_some() { "voice" } else { "text" };
    for (name, ms) in [
        (measure::TURN_FIRST_TOKEN, timings.first_token_ms),
        (measure::TURN_FIRST_SENTENCE, timings.first_sentence_ms),
        (measure::TURN_FIRST_SOUND, timings.first_sound_ms),
        (measure::TURN_FIRST_AUDIO, timings.first_audio_ms),
        (measure::TURN_DURATION, timings.done_ms),
    ] {
        if let Some(ms) = ms {
            metrics::histogram!(name, "input" => input).record(f64::from(ms) / 1e3);
        }
    }
}

/// An utterance has its final text, `ms` after its end.
pub(super) fn transcript(words: bool, rejected: Option<&'static str>, ms: Option<u32>) {
    let outcome = match rejected {
        Some(reason @ ("no_speech" | "low_probability" | "repetition")) => reason,
        Some(_) => "other",
        None if words => "words",
        None => "nothing",
    };
    metrics::counter!(measure::TRANSCRIPTS, "outcome" => outcome).increment(1);
    if let Some(ms) = ms {
        metrics::histogram!(measure::TURN_TRANSCRIPT).record(f64::from(ms) / 1e3);
    }
}

pub(super) fn session_ended(reason: CloseReason) {
    let names = [
        (CloseReason::ClientEnded, "client_ended"),
        (CloseReason::Idle, "idle"),
        (CloseReason::SlowReader, "slow_reader"),
        (CloseReason::Shutdown, "shutdown"),
        (CloseReason::Restart, "restart"),
        (CloseReason::Abandoned, "abandoned"),
        (CloseReason::Revoked, "revoked"),
    ];
    let name = names.iter().find(|(known, _)| *known == reason).map_or("other", |(_, name)| *name);
    metrics::counter!(measure::SESSIONS_ENDED, "reason" => name).increment(1);
}
