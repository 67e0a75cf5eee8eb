//! Does one job: file to sound, sound to text, text to the history.

use std::{path::PathBuf, sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{
    lines::segments,
    live::{Live, patiently},
    outcome::{End, Failure, JobRequest, Outcome, Segment},
    read::{Claim, Sound, read},
};
use crate::{
    conversation::offline::{WholeOptions, transcribe_pieces},
    engine::{EngineError, Engines},
    model::{ConversationId, SessionId, TurnId, UnixMs},
    store::{ConversationKind, JobRecord, Source, Store, TurnRecord},
};

/// Turns written at once.
const BATCH: usize = 200;
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
    let claim = Claim::Name { name: job.file.clone(), media_type: request.media_type.clone() };
    let progress = {
        let live = live.clone();
        move |done: f32| live.progress("decode", done.min(0.999))
    };
    let Sound { audio, spoken, ears } = match read(&tools.engines, tools.longest, path, claim, progress).await {
        Ok(read) => read,
        Err(failure) => return Some(End::Failed(failure)),
    };
    live.progress("decode", 1.0);
    live.progress("transcribe", 0.0);
    let mut all: Vec<Segment> = vec![];
    // Words are asked for in any case: the history shows the text in time.
    let options = WholeOptions { language: request.language.clone(), words: true, ..WholeOptions::default() };
    let heard = transcribe_pieces(&*ears, &audio, &spoken, &options, |heard| {
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
