//! Engines that are held back until the test lets them go on.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aigolos::engine::{
    ChatDelta, ChatModel, ChatRequest, ChatStream, EngineError, EngineInfo, Recognition, RecognizeRequest, Recognizer,
    SpeakRequest, SpeechStream, Synthesizer, Transcript, VoiceInfo,
};
use futures::{FutureExt, future::BoxFuture};
use tokio::sync::{Semaphore, mpsc, oneshot};

/// A recogniser that hears a piece for each permit, in their order, in pieces of three seconds.
pub struct HeldEars {
    inner: Arc<dyn Recognizer>,
    pieces: mpsc::UnboundedSender<(RecognizeRequest, Reply)>,
    pub permits: Arc<Semaphore>,
    /// Pieces it was given.
    pub asked: AtomicUsize,
    /// Pieces whose answer nobody waited for.
    pub dropped: Arc<AtomicUsize>,
}

type Reply = oneshot::Sender<Result<Transcript, EngineError>>;

impl HeldEars {
    pub fn new(inner: Arc<dyn Recognizer>, permits: usize) -> Self {
        let (pieces, mut waiting) = mpsc::unbounded_channel::<(RecognizeRequest, Reply)>();
        let (permits, dropped) = (Arc::new(Semaphore::new(permits)), Arc::new(AtomicUsize::new(0)));
        let (held, abandoned, ears) = (permits.clone(), dropped.clone(), inner.clone());
        tokio::spawn(async move {
            while let Some((request, mut reply)) = waiting.recv().await {
                tokio::select! {
                    biased;
                    () = reply.closed() => {
                        abandoned.fetch_add(1, Ordering::SeqCst);
                    }
                    permit = held.acquire() => {
                        permit.expect("never closed").forget();
                        let heard = ears.submit(request).await.unwrap_or(Err(EngineError::Closed));
                        let _ = reply.send(heard);
                    }
                }
            }
        });
        Self { inner, pieces, permits, asked: AtomicUsize::new(0), dropped }
    }
}

impl Recognizer for HeldEars {
    fn info(&self) -> EngineInfo {
        self.inner.info()
    }

    fn max_audio(&self) -> Duration {
        Duration::from_secs(3)
    }

    fn submit(&self, request: RecognizeRequest) -> Recognition {
        let (reply, answer) = oneshot::channel();
        assert!(self.pieces.send((request, reply)).is_ok(), "it listens as long as it lives");
        self.asked.fetch_add(1, Ordering::SeqCst);
        answer
    }
}

/// A chat model that says a word for each permit, out of a fixed reply, and remembers what it was asked.
pub struct HeldChat {
    pub words: &'static [&'static str],
    pub permits: Arc<Semaphore>,
    pub asked: mpsc::UnboundedSender<ChatRequest>,
    /// What it says in place of the end.
    pub error: Option<EngineError>,
}

impl ChatModel for HeldChat {
    fn info(&self) -> EngineInfo {
        EngineInfo {
            engine: "held".into(),
            model: String::new(),
            demo: true,
            loaded: true,
            hint: None,
            languages: vec![],
        }
    }

    fn reply(&self, request: ChatRequest) -> ChatStream {
        let (deltas, stream) = mpsc::channel(1);
        let (words, permits, error) = (self.words, self.permits.clone(), self.error.clone());
        let _ = self.asked.send(request);
        tokio::spawn(async move {
            for word in words {
                tokio::select! {
                    permit = permits.acquire() => permit.expect("never closed").forget(),
                    () = deltas.closed() => return,
                }
                if deltas.send(Ok(ChatDelta::Text((*word).to_owned()))).await.is_err() {
                    return;
                }
            }
            let last = error.map_or(
                Ok(ChatDelta::Done { prompt_tokens: None, reply_tokens: None, stop: aigolos::engine::StopCause::End }),
                Err,
            );
            let _ = deltas.send(last).await;
        });
        stream
    }

    fn warm_up(&self) -> BoxFuture<'static, Result<(), EngineError>> {
        std::future::ready(Ok(())).boxed()
    }
}

/// A voice that begins a sentence for each permit.
pub struct HeldVoice {
    pub inner: Arc<dyn Synthesizer>,
    pub permits: Arc<Semaphore>,
    pub begun: Arc<AtomicUsize>,
    /// What it gives in place of its sentence of that number, counted from 1.
    pub fails_at: Option<usize>,
}

impl HeldVoice {
    pub fn new(inner: Arc<dyn Synthesizer>, permits: usize) -> Self {
        Self { inner, permits: Arc::new(Semaphore::new(permits)), begun: Arc::default(), fails_at: None }
    }
}

impl Synthesizer for HeldVoice {
    fn info(&self) -> EngineInfo {
        self.inner.info()
    }

    fn voices(&self) -> Vec<VoiceInfo> {
        self.inner.voices()
    }

    fn speak(&self, request: SpeakRequest) -> SpeechStream {
        let (out, stream) = mpsc::channel(4);
        let (inner, permits, begun) = (self.inner.clone(), self.permits.clone(), self.begun.clone());
        let fails_at = self.fails_at;
        tokio::spawn(async move {
            tokio::select! {
                permit = permits.acquire() => permit.expect("never closed").forget(),
                () = out.closed() => return,
            }
            let number = begun.fetch_add(1, Ordering::SeqCst) + 1;
            if fails_at == Some(number) {
                let _ = out.send(Err(EngineError::Failed { engine: "held", reason: "as told".into() })).await;
                return;
            }
            let mut sound = inner.speak(request);
            while let Some(piece) = sound.recv().await {
                if out.send(piece).await.is_err() {
                    return;
                }
            }
        });
        stream
    }
}
