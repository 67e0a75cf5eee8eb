//! How long a recogniser takes on this machine for five seconds of speech.

use std::{io::Cursor, sync::Arc, time::Duration};

use super::super::{
    config::{Config, Settings},
    engines::whisper_settings,
    in_use::on_thread,
};
use crate::{
    audio::{Resampler, read_wav},
    catalogue::Library,
    engine::{Priority, RecognizeRequest, Recognizer as _, models, whisper::Whisper},
    model::SessionId,
};

/// See the README beside it.
const SPEECH: &[u8] = include_bytes!("speech.wav");
/// The machine may be busy with something else the first time.
const TRIES: u32 = 2;
/// A model that has not answered by then is too slow for anybody.
const LONGEST: Duration = Duration::from_secs(60);

/// A model that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    pub name: String,
    pub bytes: u64,
    /// For five seconds of speech, the better of two tries.
    pub took: Duration,
    pub text: String,
    /// It is the one to be used.
    pub used: bool,
}

impl Measured {
    /// Whether answers would be waited for.
    #[must_use]
    pub fn is_slow(took: Duration) -> bool {
        took > super::SLOW
    }
}

/// Lets the model called `name` write down a recording, as the server would.
///
/// # Errors
/// The text says why it cannot be used.
pub(super) async fn measure(config: &Config, library: &Library, name: &str) -> Result<Measured, String> {
    let file = models::files(library.folder()).into_iter().find(|file| file.name == name);
    let bytes = file.map(|file| file.bytes).ok_or_else(|| format!("{name} is not there"))?;
    let settings = Settings { asr_model_name: name.to_owned(), ..config.settings.clone() };
    let found = on_thread(move || decode(&settings)).await;
    let (took, text) = found.unwrap_or_else(|| Err("trying it stopped half-way".into()))?;
    Ok(Measured { name: name.to_owned(), bytes, took, text, used: false })
}

fn decode(settings: &Settings) -> Result<(Duration, String), String> {
    let pcm = read_wav(Cursor::new(SPEECH)).map_err(|error| error.to_string())?;
    let audio = Arc::new(Resampler::whole(&pcm));
    let mut settings = whisper_settings(settings).map_err(|error| error.to_string())?;
    settings.workers = 1;
    let whisper = Whisper::load(settings).map_err(|error| error.to_string())?;
    let mut best = (LONGEST, String::new());
    for _ in 0..TRIES {
        let answer = whisper.submit(RecognizeRequest {
            session: SessionId::fresh(),
            priority: Priority::Final,
            audio: Arc::clone(&audio),
            language: Some("en".into()),
            prompt: None,
            words: false,
            translate: false,
            temperature: None,
        });
        let heard = answer.blocking_recv().map_err(|_| "it gave no answer".to_owned())?;
        let heard = heard.map_err(|error| error.to_string())?;
        if heard.compute < best.0 {
            best = (heard.compute, heard.text);
        }
        // Once is enough to see that it is slow.
        if best.0 > super::SLOW * 4 {
            break;
        }
    }
    Ok(best)
}
