//! A session's options as the machines below read them.

use super::DriverSettings;
use crate::conversation::{
    message::{Interrupt, Mode, SessionOptions, TurnDetection},
    segment::SegmentSettings,
    turn::TurnSettings,
};

/// What the turn machine is to do.
pub(super) fn turn_settings(settings: &DriverSettings, options: &SessionOptions) -> TurnSettings {
    let converse = options.mode == Mode::Converse;
    let interruption = settings.interruption.clone();
    match options.turn_detection {
        TurnDetection::Voice { soft_silence_ms, silence_ms, adaptive, interrupt, respond, .. } => TurnSettings {
            soft_silence_ms: soft_silence_ms.min(silence_ms),
            silence_ms,
            adaptive,
            interrupt,
            respond: respond && converse,
            manual: false,
            interruption,
        },
        TurnDetection::Manual => TurnSettings {
            soft_silence_ms: u32::MAX,
            silence_ms: u32::MAX,
            adaptive: false,
            interrupt: Interrupt::Meant,
            respond: converse,
            manual: true,
            interruption,
        },
    }
}

/// What counts as speech.
pub(super) fn segment_settings(settings: &DriverSettings, options: &SessionOptions) -> SegmentSettings {
    match options.turn_detection {
        TurnDetection::Voice { threshold, prefix_ms, .. } => {
            SegmentSettings { threshold, prefix_ms, ..settings.segment.clone() }
        }
        TurnDetection::Manual => settings.segment.clone(),
    }
}
