//! The threads that speak, and the voices they have loaded.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
        mpsc::{Receiver, RecvError, SyncSender, TrySendError, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use ort::session::{Session, builder::GraphOptimizationLevel};
use tokio::sync::mpsc;

use super::{PiperSettings, sound, voices::Voice};
use crate::{
    audio::Pcm,
    engine::{EngineError, espeak::Espeak, meter::SpeechMeter},
};

/// Pieces of one request, all of which its channel holds besides an error, so that a slow listener never holds up a
/// worker.
pub(super) const MAX_PIECES: usize = 64;

/// The most phonemes of one run: a network's memory grows with their square.
const MAX_PHONEMES: usize = 500;

pub(super) type Out = mpsc::Sender<Result<Pcm, EngineError>>;

pub(super) enum Job {
    /// Loads a voice before it is needed.
    Load(Voice),
    /// Lets the voices leave memory.
    Rest,
    Speak {
        text: String,
        voice: Voice,
        speaker: i64,
        speed: f32,
        out: Out,
        meter: SpeechMeter,
        /// Where it was asked for.
        span: tracing::Span,
    },
}

/// What the workers share.
struct Shared {
    queue: Mutex<Receiver<Job>>,
    /// Loaded voices that are not speaking, the one used last at the end.
    idle: Mutex<Vec<Loaded>>,
    /// Jobs taken and not done: their voices are not among the idle ones.
    busy: AtomicUsize,
    /// A voice is about to be loaded before it is needed.
    waking: AtomicBool,
    last_use: Mutex<Instant>,
    espeak: Espeak,
    threads: usize,
    keep: usize,
    pause_ms: u32,
}

/// A voice in memory. It speaks one sentence at a time, so a voice that speaks twice at once is loaded twice.
struct Loaded {
    id: String,
    piper: piper_rs::Piper,
    length_scale: f32,
}

/// Sentences waiting for a worker. Full: the next one is refused with [`EngineError::Overloaded`].
const QUEUE: usize = 128;

/// The workers, and the way to reach them. Dropping this waits for the sentences being spoken: ONNX Runtime takes its
/// own parts down when the process ends, and must not meet a thread that still uses them.
pub(super) struct Workers {
    /// `None` only while being dropped.
    jobs: Option<SyncSender<Job>>,
    threads: Vec<JoinHandle<()>>,
    shared: Arc<Shared>,
}

impl Workers {
    pub fn start(settings: &PiperSettings, espeak: Espeak) -> Result<Self, EngineError> {
        let (jobs, queue) = sync_channel(QUEUE);
        let shared = Arc::new(Shared {
            queue: Mutex::new(queue),
            idle: Mutex::default(),
            busy: AtomicUsize::new(0),
            waking: AtomicBool::new(false),
            last_use: Mutex::new(Instant::now()),
            espeak,
            threads: settings.threads.get(),
            keep: settings.loaded.get(),
            pause_ms: settings.pause_ms.min(5_000),
        });
        let mut workers = Self { jobs: Some(jobs), threads: Vec::new(), shared: shared.clone() };
        for number in 0..settings.workers.get() {
            let shared = shared.clone();
            let thread = thread::Builder::new()
                .name(format!("piper-{number}"))
                .spawn(move || shared.run())
                .map_err(|error| failed(format!("its thread cannot be started: {error}")))?;
            workers.threads.push(thread);
        }
        Ok(workers)
    }

    /// Adds a job to the queue.
    ///
    /// # Errors
    /// [`EngineError::Overloaded`] if the queue is full.
    pub fn submit(&self, job: Job) -> Result<(), EngineError> {
        let jobs = self.jobs.as_ref().ok_or(EngineError::Closed)?;
        self.shared.used();
        jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(job) => {
                if let Job::Speak { meter, .. } = job {
                    meter.ended(false);
                }
                EngineError::Overloaded { retry_after_ms: 1_000 }
            }
            TrySendError::Disconnected(_) => EngineError::Closed,
        })
    }

    /// Whether a voice is in memory.
    pub fn loaded(&self) -> bool {
        !self.shared.idle().is_empty() || self.shared.busy.load(Ordering::Relaxed) > 0
    }

    /// Loads `voice` if none is in memory.
    pub fn wake(&self, voice: &Voice) {
        self.shared.used();
        if !self.loaded() && !self.shared.waking.swap(true, Ordering::Relaxed) {
            // Should there be no room, the first sentence loads it.
            if self.submit(Job::Load(voice.clone())).is_err() {
                self.shared.waking.store(false, Ordering::Relaxed);
            }
        }
    }

    /// Lets the voices leave memory if nothing was asked of them for `unused_for` at the time `now`; whether it does.
    pub fn rest_unused(&self, now: Instant, unused_for: Duration) -> bool {
        let busy = self.shared.busy.load(Ordering::Relaxed) > 0;
        if busy || self.shared.idle().is_empty() || now.saturating_duration_since(self.shared.last_use()) < unused_for {
            return false;
        }
        self.jobs.as_ref().is_some_and(|jobs| jobs.try_send(Job::Rest).is_ok())
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // A worker that panicked has said so already.
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn run(&self) {
        while let Ok(job) = self.next() {
            self.busy.fetch_add(1, Ordering::Relaxed);
            match job {
                Job::Load(voice) => {
                    match guarded(|| self.take(&voice).and_then(|loaded| warmed(loaded, &voice))) {
                        Ok(loaded) => self.give_back(loaded),
                        Err(error) => tracing::warn!(voice = voice.id, %error, "piper voice cannot be loaded"),
                    }
                    self.waking.store(false, Ordering::Relaxed);
                }
                Job::Rest => {
                    let unused = std::mem::take(&mut *self.idle());
                    // Freed outside the lock: it takes a while.
                    drop(unused);
                }
                Job::Speak { out, .. } if out.is_closed() => {}
                Job::Speak { text, voice, speaker, speed, out, mut meter, span } => {
                    let _entered = span.enter();
                    meter.begin();
                    let spoken = guarded(|| self.speak(&text, &voice, speaker, speed, &out, &mut meter));
                    if !out.is_closed() {
                        meter.ended(spoken.is_ok());
                    }
                    if let Err(error) = spoken {
                        let _ = out.try_send(Err(error));
                    }
                }
            }
            self.used();
            self.busy.fetch_sub(1, Ordering::Relaxed);
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Loaded>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last_use(&self) -> Instant {
        *self.last_use.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn used(&self) {
        *self.last_use.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Waits for a job. Whoever waits holds the lock, the others wait for the lock: jobs go out in order.
    fn next(&self) -> Result<Job, RecvError> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).recv()
    }

    fn speak(
        &self,
        text: &str,
        voice: &Voice,
        speaker: i64,
        speed: f32,
        out: &Out,
        meter: &mut SpeechMeter,
    ) -> Result<(), EngineError> {
        let sentences = self.espeak.phonemes(text, &voice.phonemes)?;
        let runs = runs(&sentences);
        if runs.is_empty() {
            return Ok(());
        }
        let mut loaded = self.take(voice)?;
        for phonemes in runs {
            // Checked between runs: one takes a fraction of a second.
            if out.is_closed() {
                break;
            }
            let length = loaded.length_scale / speed;
            let (samples, _) = loaded
                .piper
                .create(&phonemes, true, Some(speaker), Some(length), None, None)
                .map_err(|error| failed(error.to_string()))?;
            let goes_on = !phonemes.ends_with(['.', '?', '!']);
            let pause = if goes_on { 0 } else { self.pause_ms };
            let samples = sound::finish(&samples, voice.rate.hz(), pause, goes_on);
            let piece = Pcm::new(voice.rate, samples);
            meter.made(&piece);
            if out.try_send(Ok(piece)).is_err() {
                break;
            }
        }
        self.give_back(loaded);
        Ok(())
    }

    fn take(&self, voice: &Voice) -> Result<Loaded, EngineError> {
        let mut idle = self.idle();
        let found = idle.iter().rposition(|loaded| loaded.id == voice.id).map(|at| idle.remove(at));
        drop(idle);
        found.map_or_else(|| load(voice, self.threads), Ok)
    }

    fn give_back(&self, loaded: Loaded) {
        let mut idle = self.idle();
        idle.push(loaded);
        let unused = if idle.len() > self.keep { Some(idle.remove(0)) } else { None };
        drop(idle);
        // Freed outside the lock: it takes a while.
        drop(unused);
    }
}

/// A voice file of unexpected make can panic deep inside; that must cost one sentence, not the worker.
fn guarded<T>(work: impl FnOnce() -> Result<T, EngineError>) -> Result<T, EngineError> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err(failed("the voice is not of the usual make".into())))
}

fn load(voice: &Voice, threads: usize) -> Result<Loaded, EngineError> {
    let broken = |reason: String| EngineError::ModelMissing {
        name: format!("Piper voice {} that can be loaded: {reason}", voice.id),
        hint: "get the voice's .onnx and .onnx.json again".into(),
    };
    let config: piper_rs::ModelConfig =
        serde_json::from_value((*voice.config).clone()).map_err(|error| broken(error.to_string()))?;
    let length_scale = config.inference.length_scale;
    let session = Session::builder()
        .and_then(|builder| Ok(builder.with_intra_threads(threads)?))
        // Idle threads that spin would take the other engines' time.
        .and_then(|builder| Ok(builder.with_intra_op_spinning(false)?))
        .and_then(|builder| Ok(builder.with_optimization_level(GraphOptimizationLevel::Level3)?))
        .and_then(|mut builder| builder.commit_from_file(&voice.path))
        .map_err(|error| broken(error.to_string()))?;
    tracing::debug!(voice = voice.id, "piper voice loaded");
    Ok(Loaded { id: voice.id.clone(), piper: piper_rs::Piper::from_session(session, config), length_scale })
}

/// A sentence of usual length, as phonemes. The first of its length makes the runtime fetch memory, which it keeps.
const USUAL: &str = "ðə wˈɛðɚ tədˈeɪ ɪz sˈʌni wɪð ɐ lˈaɪt bɹˈiːz.";

/// Lets the voice say something to nobody, so that the first reply does not wait for what happens only once.
fn warmed(mut loaded: Loaded, voice: &Voice) -> Result<Loaded, EngineError> {
    let spoken = loaded.piper.create(USUAL, true, Some(voice.speaker), None, None, None);
    spoken.map(|_| loaded).map_err(|error| failed(error.to_string()))
}

/// Sentences as runs of the network: long ones cut at a pause, and no more runs than pieces fit the channel.
fn runs(sentences: &[String]) -> Vec<String> {
    let mut runs: Vec<String> = Vec::new();
    for sentence in sentences {
        let mut rest = sentence.trim();
        while !rest.is_empty() {
            let limit = rest.char_indices().nth(MAX_PHONEMES).map_or(rest.len(), |(at, _)| at);
            let at = if limit == rest.len() { limit } else { pause_before(rest, limit) };
            runs.push(rest[..at].trim().to_owned());
            rest = rest[at..].trim_start();
        }
    }
    if runs.len() > MAX_PIECES {
        // Many tiny sentences: 4000 characters make few phonemes each, so several go into one run.
        let together = runs.len().div_ceil(MAX_PIECES);
        runs = runs.chunks(together).map(|some| some.join(" ")).collect();
    }
    runs
}

/// After the last clause mark or space before `limit`, else `limit` itself.
fn pause_before(phonemes: &str, limit: usize) -> usize {
    let head = &phonemes[..limit];
    let mark = head.rfind([',', ';', ':']).map(|at| at + 1);
    mark.filter(|&at| at > limit / 2).or_else(|| head.rfind(' ').filter(|&at| at > 0)).unwrap_or(limit)
}

fn failed(reason: String) -> EngineError {
    EngineError::Failed { engine: "piper", reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_sentences_are_cut_at_pauses_and_many_short_ones_go_together() {
        assert!(runs(&[]).is_empty());
        assert_eq!(runs(&["wˈʌn.".into(), "tˈuː.".into()]), ["wˈʌn.", "tˈuː."]);
        let long = format!("{}, {}.", "ab ".repeat(120).trim_end(), "cd ".repeat(100).trim_end());
        let cut = runs(&[long]);
        assert_eq!(cut.len(), 2);
        assert!(cut[0].ends_with(',') && cut[1].ends_with('.'));
        let unbroken = "ə".repeat(1_200);
        assert_eq!(runs(&[unbroken]).iter().map(|run| run.chars().count()).collect::<Vec<_>>(), [500, 500, 200]);
        let many = vec!["ˈaɪ.".to_owned(); 1_000];
        let together = runs(&many);
        assert!(together.len() <= MAX_PIECES);
        assert_eq!(together.concat().matches("ˈaɪ.").count(), 1_000);
    }
}
