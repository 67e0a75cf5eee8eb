//! Makes one reply: tokens into sentences, sentences into sound. Runs as a task of its own and hands its parts
//! over a bounded channel; dropping the receiver cancels the chat model and the voice.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

use tokio::sync::mpsc;
use tracing::{Instrument, field::Empty};

use super::{
    playout::Part,
    sentence::{Sentence, Splitter},
};
use crate::{
    audio::{RateConverter, SampleRate},
    engine::{ChatDelta, ChatRequest, EngineError, Engines, SpeakRequest, StopCause, speech::spoken_language},
    model::{TRACE_PART, within},
};

/// Parts in hand between the maker and the playout. Full: the voice waits, and behind it the model.
const PARTS: usize = 32;
/// Sentences the model may be ahead of the voice. Full: the model waits.
const SENTENCES: usize = 16;

/// What one reply is made from.
#[derive(Debug, Clone)]
pub struct ReplyJob {
    pub request: ChatRequest,
    pub language: Option<String>,
    pub voice: Option<String>,
    pub speed: f32,
    /// The rate of [`Part::Sound`].
    pub rate: SampleRate,
    /// False: text only, piece by piece as the model writes it.
    pub speak: bool,
    pub withdrawals: Withdrawals,
}

/// How often the model took back all it had written so far. Counted at once; what was made before follows in the
/// channel up to a [`Made::Withdrawn`].
#[derive(Debug, Clone, Default)]
pub struct Withdrawals(Arc<AtomicU32>);

impl Withdrawals {
    #[must_use]
    pub fn count(&self) -> u32 {
        self.0.load(Ordering::Acquire)
    }

    fn add(&self) {
        self.0.fetch_add(1, Ordering::Release);
    }
}

/// What the maker tells, with the moment it happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Made {
    FirstToken(Instant),
    FirstSentence(Instant),
    FirstSound(Instant),
    /// Nothing before this is part of the reply.
    Withdrawn,
    /// How the model ended, just before the last part.
    Stopped(Stopped),
    Part(Part),
}

/// What the chat model said of its reply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stopped {
    pub cause: StopCause,
    /// Tokens read and written, where it counts them.
    pub prompt_tokens: Option<u32>,
    pub reply_tokens: Option<u32>,
}

/// What the model's half hands to the voice's.
enum Piece {
    /// With how many withdrawals there had been.
    Sentence(Sentence, u32),
    Withdrawn,
    /// For nobody's ears: passed on in its place.
    Silent(Part),
}

/// Starts making a reply.
#[must_use]
pub fn make(engines: Engines, job: ReplyJob) -> mpsc::Receiver<Made> {
    let (made, parts) = mpsc::channel(PARTS);
    let making = async move {
        tokio::select! {
            () = made.closed() => {}
            () = run(&engines, job, &made) => {}
        }
    };
    tokio::spawn(making.in_current_span());
    parts
}

async fn run(engines: &Engines, job: ReplyJob, made: &mpsc::Sender<Made>) {
    let (sentences_in, mut sentences) = mpsc::channel(SENTENCES);
    let written = write(engines, &job, made, sentences_in);
    let spoken = async {
        let mut first_sound = true;
        while let Some(piece) = sentences.recv().await {
            match piece {
                Piece::Sentence(_, before) if before != job.withdrawals.count() => {}
                Piece::Sentence(sentence, _) => speak(engines, &job, made, sentence, &mut first_sound).await?,
                Piece::Withdrawn => drop(made.send(Made::Withdrawn).await),
                Piece::Silent(part) => drop(made.send(Made::Part(part)).await),
            }
        }
        Ok::<(), EngineError>(())
    };
    let end = match tokio::try_join!(written, spoken) {
        Ok((stopped, ())) => {
            let _ = made.send(Made::Stopped(stopped)).await;
            Part::End
        }
        Err(error) => Part::Failed(error),
    };
    let _ = made.send(Made::Part(end)).await;
}

/// The model's half: tokens to sentences.
async fn write(
    engines: &Engines,
    job: &ReplyJob,
    made: &mpsc::Sender<Made>,
    sentences: mpsc::Sender<Piece>,
) -> Result<Stopped, EngineError> {
    let span = tracing::info_span!(
        target: TRACE_PART,
        "chat",
        engine = Empty,
        model = Empty,
        first_token_ms = Empty,
        prompt_tokens = Empty,
        reply_tokens = Empty
    );
    if !span.is_disabled() {
        let info = engines.chat.info();
        span.record("engine", info.engine).record("model", info.model);
    }
    let began = Instant::now();
    let mut stream = within(span.clone()).in_scope(|| engines.chat.reply(job.request.clone()));
    let language = spoken_language(engines.speech.as_ref(), job.voice.as_deref(), job.language.as_deref());
    let mut splitter = Splitter::new(language.as_deref());
    let mut out = Out { made, sentences: &sentences, withdrawals: &job.withdrawals, first: true, whole: false };
    let mut first_token = true;
    let (mut calling, mut stopped) = (false, None);
    while let Some(delta) = stream.recv().await {
        match delta? {
            // A model says first what it has to say; what it said after a call would be heard before the call is answered.
            ChatDelta::Text(_) if calling => tracing::debug!("text after a call is left out"),
            ChatDelta::Text(text) => {
                if std::mem::take(&mut first_token) {
                    span.record("first_token_ms", began.elapsed().as_millis() as u64);
                    let _ = made.send(Made::FirstToken(Instant::now())).await;
                }
                if !job.speak {
                    let _ = made.send(Made::Part(Part::Sentence(text))).await;
                    continue;
                }
                for sentence in splitter.push(&text) {
                    out.hand_over(sentence).await;
                }
            }
            ChatDelta::Withdrawn => {
                tracing::info!("the chat model had been thinking aloud; what it thought is taken back");
                splitter = Splitter::new(language.as_deref());
                out.whole = false;
                job.withdrawals.add();
                let _ = sentences.send(Piece::Withdrawn).await;
            }
            ChatDelta::Call { call, id, name } => {
                calling = true;
                if let Some(sentence) = splitter.finish() {
                    out.hand_over(sentence).await;
                }
                let _ = sentences.send(Piece::Silent(Part::Call { call, id, name })).await;
            }
            ChatDelta::Arguments { call, delta } => {
                let _ = sentences.send(Piece::Silent(Part::Arguments { call, delta })).await;
            }
            ChatDelta::Done { prompt_tokens, reply_tokens, stop } => {
                span.record("prompt_tokens", prompt_tokens).record("reply_tokens", reply_tokens);
                stopped = Some(Stopped { cause: stop, prompt_tokens, reply_tokens });
            }
        }
    }
    let cut_off = stopped.is_some_and(|stopped| stopped.cause == StopCause::Length);
    // Who listens is better served by one sentence less than by half a sentence more.
    if let Some(sentence) = splitter.finish().filter(|rest| !(cut_off && out.whole && !is_whole(&rest.text))) {
        out.hand_over(sentence).await;
    }
    stopped.ok_or_else(|| EngineError::Failed { engine: "chat", reason: "the reply broke off".into() })
}

/// Where the model's half hands its sentences.
struct Out<'r> {
    made: &'r mpsc::Sender<Made>,
    sentences: &'r mpsc::Sender<Piece>,
    withdrawals: &'r Withdrawals,
    first: bool,
    /// A whole sentence was handed over.
    whole: bool,
}

impl Out<'_> {
    async fn hand_over(&mut self, sentence: Sentence) {
        if std::mem::take(&mut self.first) {
            let _ = self.made.send(Made::FirstSentence(Instant::now())).await;
        }
        self.whole |= is_whole(&sentence.text);
        let _ = self.sentences.send(Piece::Sentence(sentence, self.withdrawals.count())).await;
    }
}

/// Whether a piece ends where a sentence does.
fn is_whole(text: &str) -> bool {
    let end = text.trim_end_matches(|c: char| c.is_whitespace() || "\"'”’»)]*_".contains(c));
    end.ends_with(['.', '!', '?', '…', '。', '！', '？', '؟', '।'])
}

/// The voice's half: one sentence to sound.
async fn speak(
    engines: &Engines,
    job: &ReplyJob,
    made: &mpsc::Sender<Made>,
    sentence: Sentence,
    first_sound: &mut bool,
) -> Result<(), EngineError> {
    let _ = made.send(Made::Part(Part::Sentence(sentence.text))).await;
    if sentence.spoken.trim().is_empty() {
        return Ok(());
    }
    let span = tracing::info_span!(
        target: TRACE_PART,
        "synthesis",
        chars = sentence.spoken.chars().count(),
        first_sound_ms = Empty,
        sound_ms = Empty
    );
    let request = SpeakRequest {
        text: sentence.spoken,
        voice: job.voice.clone(),
        language: job.language.clone(),
        speed: job.speed,
    };
    let (began, mut sound_ms) = (Instant::now(), 0);
    let withdrawals = job.withdrawals.count();
    let mut sound = within(span.clone()).in_scope(|| engines.speech.speak(request));
    let mut converter: Option<RateConverter> = None;
    while let Some(piece) = sound.recv().await {
        let piece = piece?;
        if withdrawals != job.withdrawals.count() {
            return Ok(());
        }
        if sound_ms == 0 {
            span.record("first_sound_ms", began.elapsed().as_millis() as u64);
        }
        sound_ms += piece.duration().as_millis() as u64;
        if std::mem::take(first_sound) {
            let _ = made.send(Made::FirstSound(Instant::now())).await;
        }
        let converter = converter.get_or_insert_with(|| RateConverter::new(piece.rate, job.rate));
        let samples = converter.push(&piece.samples).samples;
        if !samples.is_empty() {
            let _ = made.send(Made::Part(Part::Sound(samples))).await;
        }
    }
    span.record("sound_ms", sound_ms);
    if let Some(mut converter) = converter {
        let samples = converter.finish().samples;
        if !samples.is_empty() {
            let _ = made.send(Made::Part(Part::Sound(samples))).await;
        }
    }
    Ok(())
}
