//! Does one job: file to sound, sound to text, text to the history.

use std::{fs::File, ops::Range, path::PathBuf, sync::Arc, thread, time::Duration};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{
    decode::{DecodeError, decode},
    kind::kind_of,
    lines::segments,
    live::{Live, patiently},
    outcome::{End, Failure, JobRequest, Outcome, Segment},
};
use crate::{
    audio::Mono16k,
    conversation::offline::{WholeOptions, pieces, transcribe_pieces},
    engine::{EngineError, Engines},
    model::{ConversationId, SessionId, TurnId, UnixMs},
    store::{ConversationKind, JobRecord, Source, Store, TurnRecord},
};

/// Turns written at once.
const BATCH: usize = 200;
/// Of reading a file, this much is decoding; the rest is finding out where somebody speaks.
const DECODING: f32 = 0.5;

/// What a job is done with.
pub(super) struct Tools {
    pub store: Arc<dyn Store>,
    pub engines: Engines,
    pub longest: Duration,
    pub stopping: CancellationToken,
}

/// Does `job`, whose file is at `path`; dropping the future stops it. `None`: the server stops, and the job is to be
/// done again after its start.
pub(super) async fn run(tools: &Tools, live: &Arc<Live>, job: &JobRecord, path: PathBuf) -> Option<End> {
    let request: JobRequest = serde_json::from_value(job.request.clone()).unwrap_or_default();
    live.progress("decode", 0.0);
    let (audio, spoken) = match read(tools, live, job, &request, path).await {
        Ok(read) => read,
        Err(failure) => return Some(End::Failed(failure)),
    };
    live.progress("decode", 1.0);
    live.progress("transcribe", 0.0);
    let mut all: Vec<Segment> = vec![];
    // Words are asked for in any case: the history shows the text in time.
    let options = WholeOptions { language: request.language.clone(), words: true, ..WholeOptions::default() };
    let heard = transcribe_pieces(&*tools.engines.recognizer, &audio, &spoken, &options, |heard| {
        for segment in segments(heard) {
            live.text(&segment);
            all.push(segment);
        }
        live.progress("transcribe", heard.done.min(0.999));
    });
    let whole = match heard.await {
        Ok(whole) => whole,
        Err(EngineError::Closed) => return None,
        Err(error) => return Some(End::Failed(error.into())),
    };
    live.progress("transcribe", 1.0);
    let language = request.language.clone().or(whole.language);
    let conversation = (!all.is_empty()).then(|| ConversationId::from(job.id.uuid()));
    if let Some(conversation) = conversation
        && let Err(failure) = keep(tools, job, conversation, &all, language.as_ref()).await?
    {
        return Some(End::Failed(failure));
    }
    if !request.words {
        for segment in &mut all {
            segment.words.clear();
        }
    }
    Some(End::Done(Outcome {
        text: whole.text,
        language,
        duration_ms: u64::from(audio.ms()),
        segments: all,
        conversation_id: conversation,
    }))
}

/// The sound, and where somebody speaks in it.
async fn read(
    tools: &Tools,
    live: &Arc<Live>,
    job: &JobRecord,
    request: &JobRequest,
    path: PathBuf,
) -> Result<(Mono16k, Vec<Range<usize>>), Failure> {
    let (reply, answer) = oneshot::channel();
    let gone = CancellationToken::new();
    // Dropped with this future: the thread hears of it and ends.
    let _guard = gone.clone().drop_guard();
    let (live, engines, longest) = (live.clone(), tools.engines.clone(), tools.longest);
    let (name, media_type) = (job.file.clone(), request.media_type.clone());
    let work = move || {
        let going_on = |from: f32, part: f32| {
            let (live, gone) = (&live, &gone);
            move |done: f32| {
                live.progress("decode", (from + part * done).min(0.999));
                !gone.is_cancelled()
            }
        };
        let read = || -> Result<_, Failure> {
            let mut file = File::open(&path).map_err(DecodeError::Io)?;
            let kind = kind_of(&mut file, &name, media_type.as_deref()).map_err(DecodeError::Io)?;
            let (kind, start) = kind.map_err(|error| DecodeError::Unreadable(error.to_string()))?;
            let audio = decode(file, kind, start, longest, going_on(0.0, DECODING))?;
            let mut detector = (engines.detector)();
            let max = engines.recognizer.max_audio();
            let spoken = pieces(&audio, &mut *detector, max, going_on(DECODING, 1.0 - DECODING));
            Ok((audio, spoken))
        };
        // Nobody listens any more where the job was cancelled.
        let _ = reply.send(read());
    };
    if let Err(error) = thread::Builder::new().name("decode".into()).spawn(work) {
        tracing::error!(%error, "no thread for a recording");
        return Err(Failure::internal());
    }
    answer.await.unwrap_or_else(|_| Err(Failure::internal()))
}

/// Writes the history; `None`: the server stops. The ids come from the job's: a job that is done again after a restart
/// writes the same turns.
async fn keep(
    tools: &Tools,
    job: &JobRecord,
    conversation: ConversationId,
    segments: &[Segment],
    language: Option<&String>,
) -> Option<Result<(), Failure>> {
    let at = UnixMs::now();
    let turns: Vec<TurnRecord> = segments
        .iter()
        .zip(1..)
        .map(|(segment, number)| TurnRecord {
            user: job.user,
            conversation,
            kind: ConversationKind::File,
            session: SessionId::from(job.id.uuid()),
            turn: TurnId(number),
            revision: 1,
            at,
            source: Source::File,
            text: segment.text.clone(),
            language: language.cloned(),
            words: segment.words.clone(),
            start_ms: segment.start_ms.into(),
            end_ms: segment.end_ms.into(),
            title: job.file.clone(),
            reply: None,
        })
        .collect();
    for batch in turns.chunks(BATCH) {
        if let Err(error) = patiently(&tools.stopping, || tools.store.write_turns(batch)).await? {
            tracing::error!(job.id = %job.id, %error, "a transcript cannot be kept");
            return Some(Err(Failure::internal()));
        }
    }
    Some(Ok(()))
}
