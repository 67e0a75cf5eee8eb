//! Engines that only look like engines: they always answer the same, at once. For tests of what surrounds them.

use std::{sync::Arc, time::Duration};

use aigolos::{
    account::{Identity, Via},
    audio::{Pcm, SampleRate, VadFrame},
    engine::{
        ChatDelta, ChatModel, ChatRequest, ChatStream, EngineError, EngineInfo, Engines, Recognition, RecognizeRequest,
        Recognizer, SpeakRequest, SpeechStream, Synthesizer, Transcript, VoiceDetector, VoiceInfo,
    },
    model::{UnixMs, UserId},
    store::User,
};
use futures::{FutureExt, future::BoxFuture};
use tokio::sync::{mpsc, oneshot};

/// Who everybody is on a server without accounts.
pub fn anybody() -> Identity {
    let user = User {
        id: UserId::LOCAL,
        email: "local@localhost".into(),
        name: String::new(),
        password_hash: String::new(),
        admin: true,
        verified_at: None,
        disabled: false,
        language: None,
        theme: None,
        keep_audio: false,
        retention_days: None,
        created_at: UnixMs(0),
    };
    Identity { user, via: Via::Open }
}

/// A set of them. The reply is always "Hello there.", 300 ms long.
pub fn engines() -> Engines {
    Engines {
        recognizer: Arc::new(Looks),
        chat: Arc::new(Looks),
        speech: Arc::new(Looks),
        detector: Arc::new(|| Box::new(Looks)),
        detector_name: "loudness",
    }
}

struct Looks;

fn info(languages: &[&str]) -> EngineInfo {
    EngineInfo {
        engine: "looks".into(),
        model: "like one".into(),
        demo: true,
        loaded: true,
        hint: None,
        languages: languages.iter().map(|&language| language.to_owned()).collect(),
    }
}

impl Recognizer for Looks {
    fn info(&self) -> EngineInfo {
        info(&["en"])
    }

    fn max_audio(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn submit(&self, _: RecognizeRequest) -> Recognition {
        let (answer, recognition) = oneshot::channel();
        let _ = answer.send(Ok(Transcript { text: "hello".into(), ..Transcript::default() }));
        recognition
    }
}

impl ChatModel for Looks {
    fn info(&self) -> EngineInfo {
        info(&[])
    }

    fn reply(&self, _: ChatRequest) -> ChatStream {
        let (deltas, stream) = mpsc::channel(4);
        let _ = deltas.try_send(Ok(ChatDelta::Text("Hello there. ".into())));
        let _ = deltas.try_send(Ok(ChatDelta::Done {
            prompt_tokens: None,
            reply_tokens: None,
            stop: aigolos::engine::StopCause::End,
        }));
        stream
    }

    fn warm_up(&self) -> BoxFuture<'static, Result<(), EngineError>> {
        std::future::ready(Ok(())).boxed()
    }
}

impl Synthesizer for Looks {
    fn info(&self) -> EngineInfo {
        info(&["en"])
    }

    fn voices(&self) -> Vec<VoiceInfo> {
        let name = "Anna".into();
        vec![VoiceInfo { id: "anna".into(), name, language: "en".into(), rate: SampleRate::HZ_22050 }]
    }

    fn speak(&self, _: SpeakRequest) -> SpeechStream {
        let (sound, stream) = mpsc::channel(1);
        let _ = sound.try_send(Ok(Pcm::new(SampleRate::HZ_22050, vec![1_000; 6_615])));
        stream
    }
}

impl VoiceDetector for Looks {
    fn probability(&mut self, frame: &VadFrame) -> f32 {
        if frame.samples().iter().any(|sample| sample.unsigned_abs() > 1_000) { 1.0 } else { 0.0 }
    }

    fn reset(&mut self) {}
}
