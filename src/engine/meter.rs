//! What chat models and voices tell the metrics: one meter for each reply or sentence, from its asking to its end.

use std::time::{Duration, Instant};

use super::{ChatDelta, EngineError};
use crate::{
    audio::Pcm,
    measure::{self, Ongoing, realtime_factor},
};

/// One reply. Dropped before its end it was cancelled.
pub(super) struct ChatMeter {
    engine: &'static str,
    asked: Instant,
    first: Option<Instant>,
    outcome: &'static str,
}

impl ChatMeter {
    pub fn new(engine: &'static str) -> Self {
        Self { engine, asked: Instant::now(), first: None, outcome: "cancelled" }
    }

    /// A piece of the reply is there.
    pub fn told(&mut self) {
        let engine = self.engine;
        self.first.get_or_insert_with(|| {
            metrics::histogram!(measure::CHAT_FIRST_TOKEN, "engine" => engine).record(self.asked.elapsed());
            Instant::now()
        });
    }

    pub fn ended(mut self, outcome: &Result<ChatDelta, EngineError>) {
        let engine = self.engine;
        self.outcome = if outcome.is_ok() { "done" } else { "failed" };
        let Ok(ChatDelta::Done { prompt_tokens, reply_tokens, .. }) = outcome else { return };
        for (kind, tokens) in [("prompt", prompt_tokens), ("reply", reply_tokens)] {
            if let Some(tokens) = tokens {
                metrics::counter!(measure::CHAT_TOKENS, "engine" => engine, "kind" => kind).increment((*tokens).into());
            }
        }
        // The first token came with the waiting before it.
        let rest = reply_tokens.map_or(0, |tokens| tokens.saturating_sub(1));
        let took = self.first.map_or(0.0, |first| first.elapsed().as_secs_f64());
        if rest > 0 && took > 0.0 {
            metrics::histogram!(measure::CHAT_SPEED, "engine" => engine).record(f64::from(rest) / took);
        }
    }
}

impl Drop for ChatMeter {
    fn drop(&mut self) {
        metrics::counter!(measure::CHAT_REQUESTS, "engine" => self.engine, "outcome" => self.outcome).increment(1);
    }
}

/// One sentence. Dropped before its end it was cancelled.
pub(super) struct SpeechMeter {
    engine: &'static str,
    asked: Instant,
    begun: Option<Instant>,
    /// In the gauge, waiting first.
    ongoing: Option<Ongoing>,
    sound: Duration,
    outcome: &'static str,
}

impl SpeechMeter {
    /// It was asked for, and waits.
    pub fn new(engine: &'static str) -> Self {
        Self {
            engine,
            asked: Instant::now(),
            begun: None,
            ongoing: Some(ongoing(engine, "waiting")),
            sound: Duration::ZERO,
            outcome: "cancelled",
        }
    }

    /// A thread has taken it.
    pub fn begin(&mut self) {
        self.begun = Some(Instant::now());
        self.ongoing = None;
        self.ongoing = Some(ongoing(self.engine, "running"));
    }

    /// A piece of its sound is there.
    pub fn made(&mut self, piece: &Pcm) {
        if self.sound.is_zero() {
            let first = metrics::histogram!(measure::SYNTHESIS_FIRST_SOUND, "engine" => self.engine);
            first.record(self.asked.elapsed());
        }
        self.sound += piece.duration();
    }

    /// It was refused, or ended without being cancelled.
    pub fn ended(mut self, well: bool) {
        self.outcome = if well { "done" } else { "failed" };
    }
}

impl Drop for SpeechMeter {
    fn drop(&mut self) {
        let engine = self.engine;
        metrics::counter!(measure::SYNTHESIS_REQUESTS, "engine" => engine, "outcome" => self.outcome).increment(1);
        measure::SYNTHESIZED.add(self.sound);
        let compute = self.begun.map(|begun| begun.elapsed());
        if let Some(factor) = compute.and_then(|compute| realtime_factor(compute, self.sound)) {
            metrics::histogram!(measure::SYNTHESIS_FACTOR, "engine" => engine).record(factor);
        }
    }
}

fn ongoing(engine: &'static str, state: &'static str) -> Ongoing {
    Ongoing::new(metrics::gauge!(measure::SYNTHESIS_JOBS, "engine" => engine, "state" => state))
}

#[cfg(test)]
mod tests {
    use metrics_exporter_prometheus::PrometheusBuilder;

    use super::*;
    use crate::{audio::SampleRate, engine::StopCause};

    /// What the metrics are told while `work` runs.
    fn told(work: impl FnOnce()) -> String {
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, work);
        recorder.handle().render()
    }

    #[test]
    fn a_reply_is_told_once_with_how_it_ended() {
        let done = || Ok(ChatDelta::Done { prompt_tokens: Some(7), reply_tokens: Some(3), stop: StopCause::End });
        let page = told(|| {
            drop(ChatMeter::new("ollama"));
            let mut meter = ChatMeter::new("ollama");
            meter.told();
            meter.told();
            meter.ended(&done());
            ChatMeter::new("openai").ended(&Err(EngineError::Closed));
        });
        for line in [
            "aigolos_chat_requests_total{engine=\"ollama\",outcome=\"cancelled\"} 1",
            "aigolos_chat_requests_total{engine=\"ollama\",outcome=\"done\"} 1",
            "aigolos_chat_requests_total{engine=\"openai\",outcome=\"failed\"} 1",
            "aigolos_chat_first_token_seconds_count{engine=\"ollama\"} 1",
            "aigolos_chat_tokens_total{engine=\"ollama\",kind=\"prompt\"} 7",
            "aigolos_chat_tokens_total{engine=\"ollama\",kind=\"reply\"} 3",
            "aigolos_chat_tokens_per_second_count{engine=\"ollama\"} 1",
        ] {
            assert!(page.contains(line), "{line} is not in\n{page}");
        }
    }

    #[test]
    fn a_sentence_waits_runs_and_ends() {
        let gauge =
            |state: &str, count: u32| format!("aigolos_synthesis_jobs{{engine=\"piper\",state=\"{state}\"}} {count}\n");
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            let mut meter = SpeechMeter::new("piper");
            assert!(handle.render().contains(&gauge("waiting", 1)));
            meter.begin();
            meter.made(&Pcm::new(SampleRate::HZ_16000, vec![0; 1_600]));
            assert!(handle.render().contains(&gauge("waiting", 0)) && handle.render().contains(&gauge("running", 1)));
            meter.ended(true);
            drop(SpeechMeter::new("piper"));
        });
        let page = handle.render();
        for line in [
            gauge("running", 0).trim_end(),
            "aigolos_synthesis_requests_total{engine=\"piper\",outcome=\"done\"} 1",
            "aigolos_synthesis_requests_total{engine=\"piper\",outcome=\"cancelled\"} 1",
            "aigolos_synthesis_first_sound_seconds_count{engine=\"piper\"} 1",
            "aigolos_synthesis_realtime_ratio_count{engine=\"piper\"} 1",
        ] {
            assert!(page.contains(line), "{line} is not in\n{page}");
        }
    }
}
