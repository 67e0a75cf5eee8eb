//! Turn detection: OpenAI's two kinds, and how they become ours.

use std::ops::RangeInclusive;

use serde_json::{Value, json};

use crate::{
    conversation::message::{Interrupt, TurnDetection},
    protocol::openai::realtime::{fault::Fault, wire::session::TurnDetectionWish},
};

const THRESHOLD: RangeInclusive<f64> = 0.0..=1.0;
const PREFIX_MS: RangeInclusive<u32> = 0..=5_000;
const SILENCE_MS: RangeInclusive<u32> = 20..=10_000;
const IDLE_MS: RangeInclusive<u32> = 5_000..=30_000;
/// Silence after which work on the answer starts, held back.
const SOFT_SILENCE_MS: u32 = 200;
/// What `semantic_vad`, which has no fields for it, hears with.
const PREFIX_DEFAULT_MS: u32 = 300;
const THRESHOLD_DEFAULT: f64 = 0.5;
const SILENCE_DEFAULT_MS: u32 = 500;

/// How long a pause of somebody who may not have finished is waited out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eagerness {
    Low,
    Medium,
    High,
    /// As medium.
    Auto,
}

impl Eagerness {
    const ALL: [(Self, &'static str); 4] =
        [(Self::Low, "low"), (Self::Medium, "medium"), (Self::High, "high"), (Self::Auto, "auto")];

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(eagerness, _)| *eagerness == self).map_or("auto", |(_, name)| name)
    }

    /// The silence that ends a turn whose words look neither finished nor unfinished; our own rule shortens or
    /// stretches it by how they look.
    const fn silence_ms(self) -> u32 {
        match self {
            Self::Low => 1_200,
            Self::Medium | Self::Auto => 700,
            Self::High => 450,
        }
    }
}

/// When the person's turn ends, where the server decides.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Vad {
    pub kind: VadKind,
    /// Whether a finished utterance is answered by itself.
    pub create_response: bool,
    /// Whether speaking stops a response.
    pub interrupt_response: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum VadKind {
    Server { threshold: f64, prefix_ms: u32, silence_ms: u32, idle_ms: Option<u32> },
    Semantic(Eagerness),
}

impl Vad {
    /// `server_vad` with its defaults.
    #[must_use]
    pub const fn server() -> Self {
        let kind = VadKind::Server {
            threshold: THRESHOLD_DEFAULT,
            prefix_ms: PREFIX_DEFAULT_MS,
            silence_ms: SILENCE_DEFAULT_MS,
            idle_ms: None,
        };
        Self { kind, create_response: true, interrupt_response: true }
    }

    /// `current` with what is wished changed; another kind begins with its own defaults.
    ///
    /// # Errors
    /// A value out of its range, or a field of the other kind that cannot be.
    pub fn merged(current: Option<Self>, wish: &TurnDetectionWish, param: &str) -> Result<Self, Fault> {
        let path = |field: &str| format!("{param}.{field}");
        let semantic = Self { kind: VadKind::Semantic(Eagerness::Auto), ..Self::server() };
        let mut vad = match (wish.r#type.as_deref(), current) {
            (None, Some(current)) => current,
            (Some("server_vad"), Some(current)) if matches!(current.kind, VadKind::Server { .. }) => current,
            (Some("semantic_vad"), Some(current)) if matches!(current.kind, VadKind::Semantic(_)) => current,
            (None | Some("server_vad"), _) => Self::server(),
            (Some("semantic_vad"), _) => semantic,
            _ => return Err(Fault::value(path("type"), "known are server_vad and semantic_vad; null turns it off")),
        };
        vad.create_response = wish.create_response.unwrap_or(vad.create_response);
        vad.interrupt_response = wish.interrupt_response.unwrap_or(vad.interrupt_response);
        match &mut vad.kind {
            VadKind::Server { threshold, prefix_ms, silence_ms, idle_ms } => {
                *threshold = wish.threshold.unwrap_or(*threshold);
                *prefix_ms = wish.prefix_padding_ms.map_or(*prefix_ms, |ms| ms.0);
                *silence_ms = wish.silence_duration_ms.map_or(*silence_ms, |ms| ms.0);
                *idle_ms = wish.idle_timeout_ms.map_or(*idle_ms, |ms| ms.map(|ms| ms.0));
                within(&path("threshold"), *threshold, &THRESHOLD)?;
                within(&path("prefix_padding_ms"), *prefix_ms, &PREFIX_MS)?;
                within(&path("silence_duration_ms"), *silence_ms, &SILENCE_MS)?;
                if let Some(idle) = idle_ms {
                    within(&path("idle_timeout_ms"), *idle, &IDLE_MS)?;
                }
            }
            VadKind::Semantic(eagerness) => {
                if let Some(name) = &wish.eagerness {
                    let known = Eagerness::ALL.iter().find(|(_, known)| known == name);
                    let unknown = || Fault::value(path("eagerness"), "known are low, medium, high and auto");
                    *eagerness = known.ok_or_else(unknown)?.0;
                }
            }
        }
        Ok(vad)
    }

    /// The same as the core takes it.
    #[must_use]
    pub fn detection(&self) -> TurnDetection {
        let (respond, interrupts) = (self.create_response, self.interrupt_response);
        match self.kind {
            VadKind::Server { threshold, prefix_ms, silence_ms, idle_ms } => TurnDetection::Voice {
                threshold: threshold as f32,
                prefix_ms,
                soft_silence_ms: SOFT_SILENCE_MS.min(silence_ms),
                silence_ms,
                adaptive: false,
                interrupt: if interrupts { Interrupt::AtOnce } else { Interrupt::Never },
                respond,
                nudge_ms: idle_ms,
            },
            VadKind::Semantic(eagerness) => TurnDetection::Voice {
                threshold: THRESHOLD_DEFAULT as f32,
                prefix_ms: PREFIX_DEFAULT_MS,
                soft_silence_ms: SOFT_SILENCE_MS,
                silence_ms: eagerness.silence_ms(),
                adaptive: true,
                interrupt: if interrupts { Interrupt::Meant } else { Interrupt::Never },
                respond,
                nudge_ms: None,
            },
        }
    }

    /// The same as clients are told.
    #[must_use]
    pub fn json(&self) -> Value {
        let (create, interrupt) = (self.create_response, self.interrupt_response);
        match self.kind {
            VadKind::Server { threshold, prefix_ms, silence_ms, idle_ms } => json!({
                "type": "server_vad",
                "threshold": threshold,
                "prefix_padding_ms": prefix_ms,
                "silence_duration_ms": silence_ms,
                "idle_timeout_ms": idle_ms,
                "create_response": create,
                "interrupt_response": interrupt,
            }),
            VadKind::Semantic(eagerness) => json!({
                "type": "semantic_vad",
                "eagerness": eagerness.name(),
                "create_response": create,
                "interrupt_response": interrupt,
            }),
        }
    }
}

pub(super) fn within<T>(param: &str, value: T, range: &RangeInclusive<T>) -> Result<(), Fault>
where
    T: PartialOrd + std::fmt::Display,
{
    if range.contains(&value) {
        return Ok(());
    }
    let (low, high) = (range.start(), range.end());
    Err(Fault::value(param, format!("invalid value for '{param}': must be {low} to {high}, not {value}")))
}
