//! A file to its sound, and where somebody speaks in it.

use std::{fs::File, ops::Range, path::PathBuf, sync::Arc, thread, time::Duration};

use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use super::{
    decode::{DecodeError, decode},
    kind::{content_of, kind_of},
    outcome::Failure,
};
use crate::{
    audio::Mono16k,
    conversation::offline::pieces,
    engine::{Engines, Recognizer},
};

/// Of reading a file, this much is decoding; the rest is finding out where somebody speaks.
const DECODING: f32 = 0.5;

/// What a file was called by whoever sent it.
pub(super) enum Claim {
    /// It must be what this says.
    Name { name: String, media_type: Option<String> },
    /// Whatever it is.
    Nothing,
}

/// A recording that has been read.
pub(super) struct Sound {
    pub audio: Mono16k,
    /// Where somebody speaks, in samples, in pieces that `ears` hears at once.
    pub spoken: Vec<Range<usize>>,
    /// Who hears all of them.
    pub ears: Arc<dyn Recognizer>,
}

/// The sound in the file at `path`, in a thread of its own; `progress` hears how much is done, 0 to 1. Dropping the
/// future stops it.
pub(super) async fn read(
    engines: &Engines,
    longest: Duration,
    path: PathBuf,
    claim: Claim,
    progress: impl Fn(f32) + Send + 'static,
) -> Result<Sound, Failure> {
    let (reply, answer) = oneshot::channel();
    let gone = CancellationToken::new();
    // Dropped with this future: the thread hears of it and ends.
    let _guard = gone.clone().drop_guard();
    let engines = engines.clone();
    let span = tracing::Span::current();
    let work = move || {
        let _entered = span.entered();
        let going_on = |from: f32, part: f32| {
            let (progress, gone) = (&progress, &gone);
            move |done: f32| {
                progress(from + part * done);
                !gone.is_cancelled()
            }
        };
        let read = || -> Result<_, Failure> {
            let mut file = File::open(&path).map_err(DecodeError::Io)?;
            let kind = match &claim {
                Claim::Name { name, media_type } => kind_of(&mut file, name, media_type.as_deref())
                    .map_err(DecodeError::Io)?
                    .map_err(|error| error.to_string()),
                Claim::Nothing => content_of(&mut file)
                    .map_err(DecodeError::Io)?
                    .map_err(|found| format!("it is {found}, no recording of a kind that is known here")),
            };
            let (kind, start) = kind.map_err(DecodeError::Unreadable)?;
            let audio = decode(file, kind, start, longest, going_on(0.0, DECODING))?;
            let mut detector = (engines.detector)();
            let ears = engines.ears();
            let spoken = pieces(&audio, &mut *detector, ears.max_audio(), going_on(DECODING, 1.0 - DECODING));
            Ok(Sound { audio, spoken, ears })
        };
        // Nobody listens any more where the work was cancelled.
        let _ = reply.send(read());
    };
    if let Err(error) = thread::Builder::new().name("decode".into()).spawn(work) {
        tracing::error!(%error, "no thread for a recording");
        return Err(Failure::internal());
    }
    answer.await.unwrap_or_else(|_| Err(Failure::internal()))
}
