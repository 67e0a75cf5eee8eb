//! Makes one reply: tokens into sentences, sentences into sound. Runs as a task of its own and hands its parts
//! over a bounded channel; dropping the receiver cancels the chat model and the voice.

use std::time::Instant;

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
}

/// What the maker tells, with the moment it happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Made {
    FirstToken(Instant),
    FirstSentence(Instant),
    FirstSound(Instant),
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
    Sentence(Sentence),
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
                Piece::Sentence(sentence) => speak(engines, &job, made, sentence, &mut first_sound).await?,
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
    let (mut first_token, mut first_sentence) = (true, true);
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
                    hand_over(sentence, &mut first_sentence, made, &sentences).await;
                }
            }
            ChatDelta::Call { call, id, name } => {
                calling = true;
                if let Some(sentence) = splitter.finish() {
                    hand_over(sentence, &mut first_sentence, made, &sentences).await;
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
    if let Some(sentence) = splitter.finish() {
        hand_over(sentence, &mut first_sentence, made, &sentences).await;
    }
    stopped.ok_or_else(|| EngineError::Failed { engine: "chat", reason: "the reply broke off".into() })
}

async fn hand_over(sentence: Sentence, first: &mut bool, made: &mpsc::Sender<Made>, sentences: &mpsc::Sender<Piece>) {
    if std::mem::take(first) {
        let _ = made.send(Made::FirstSentence(Instant::now())).await;
    }
    let _ = sentences.send(Piece::Sentence(sentence)).await;
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
    let mut sound = within(span.clone()).in_scope(|| engines.speech.speak(request));
    let mut converter: Option<RateConverter> = None;
    while let Some(piece) = sound.recv().await {
        let piece = piece?;
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
