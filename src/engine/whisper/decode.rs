//! One worker: a whisper.cpp state and what turns a request into a transcript with it.

use std::{
    collections::HashMap,
    ffi::c_void,
    sync::Arc,
    time::{Duration, Instant},
};

use whisper_rs::{FullParams, SamplingStrategy, WhisperState};

use super::{
    super::{
        EngineError, Priority, RecognizeRequest, Transcript,
        worker::{Running, Worker},
    },
    Contexts, guard,
    model::failed,
    text::{self, Piece},
    times,
};
use crate::{
    audio::Mono16k,
    measure::{self, realtime_factor},
    model::Word,
};

/// The least whisper.cpp may be given: below 100 ms it answers nothing, below 160 ms its alignment ends the process.
const LEAST_SAMPLES: usize = 16 * 400;

/// Language parameters as whisper.cpp wants them: a number of its list, or itself to find out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Language {
    Known(i32),
    Detect,
}

/// A worker's own part of Whisper.
pub struct Decoder {
    contexts: Arc<Contexts>,
    plain: WhisperState,
    /// Made when word times are first asked for.
    aligning: Option<WhisperState>,
    /// whisper-rs leaks the language's name with every parameter set it makes, so each is made once and copied.
    parameters: HashMap<Language, FullParams<'static, 'static>>,
}

impl Decoder {
    /// Makes the state and decodes a moment of silence with it, which touches all its memory.
    pub fn new(contexts: Arc<Contexts>) -> Result<Self, EngineError> {
        let plain = contexts.plain.create_state().map_err(|error| failed(&error))?;
        let mut decoder = Self { contexts, plain, aligning: None, parameters: HashMap::new() };
        let warm_up = RecognizeRequest {
            session: crate::model::SessionId::fresh(),
            priority: Priority::Partial,
            audio: Arc::new(Mono16k::silence(500)),
            language: Some("en".into()),
            prompt: None,
            words: false,
            translate: false,
            temperature: None,
        };
        Running::unpooled(|running| decoder.run(warm_up, running))?;
        Ok(decoder)
    }

    fn language(&self, asked: Option<&str>) -> Result<Language, EngineError> {
        let multilingual = self.contexts.facts.multilingual();
        let Some(asked) = asked.filter(|asked| !asked.is_empty() && *asked != "auto") else {
            return Ok(if multilingual { Language::Detect } else { Language::Known(0) });
        };
        // "en-US" is English; only letters may reach whisper-rs, which panics at a zero byte.
        let primary = asked.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
        let known = primary.bytes().all(|b| b.is_ascii_lowercase()).then(|| whisper_rs::get_lang_id(&primary));
        match known.flatten() {
            Some(0) => Ok(Language::Known(0)),
            Some(id) if multilingual => Ok(Language::Known(id)),
            _ => Err(EngineError::ModelMissing {
                name: format!("one that knows the language `{}`", primary.escape_default()),
                hint: if multilingual {
                    "use a two-letter code of ISO 639-1, such as `ru`".into()
                } else {
                    "set ASR_MODEL_NAME to a multilingual model (one without `.en` in its name)".into()
                },
            }),
        }
    }

    fn parameters(&mut self, language: Language) -> FullParams<'static, 'static> {
        let threads = self.contexts.settings.threads_per_worker.max(1) as i32;
        self.parameters.entry(language).or_insert_with(|| base_parameters(language, threads)).clone()
    }
}

impl Worker for Decoder {
    type Job = RecognizeRequest;
    type Output = Transcript;

    fn run(&mut self, request: RecognizeRequest, running: &Running) -> Result<Transcript, EngineError> {
        let started = Instant::now();
        let contexts = self.contexts.clone();
        let (settings, facts) = (&contexts.settings, &contexts.facts);
        let context_steps =
            facts.context_for(request.audio.len(), request.priority, settings.context_floor).ok_or_else(|| {
                let (given, most) = (request.audio.ms(), facts.longest().as_millis());
                EngineError::Failed {
                    engine: "whisper",
                    reason: format!("{given} ms of audio, it hears {most} at most"),
                }
            })?;
        let language = self.language(request.language.as_deref())?;
        let prompt = match request.prompt.as_deref() {
            Some(prompt) if !facts.nano() => {
                contexts.plain.tokenize(&prompt.replace('\0', " "), 224).unwrap_or_default()
            }
            _ => vec![],
        };
        let mut parameters: FullParams<'static, '_> = self.parameters(language);
        parameters.set_audio_ctx(context_steps as i32);
        parameters.set_max_tokens(most_tokens(request.audio.ms(), facts.nano(), facts.multilingual()));
        if !prompt.is_empty() {
            parameters.set_tokens(&prompt);
        }
        let again = settings.fallback && request.priority != Priority::Partial && !facts.nano();
        parameters.set_temperature_inc(if again { 0.4 } else { 0.0 });
        parameters.set_translate(request.translate && facts.multilingual());
        if let Some(temperature) = request.temperature.filter(|t| t.is_finite()) {
            parameters.set_temperature(temperature.clamp(0.0, 1.0));
        }

        let mut samples = request.audio.to_f32();
        samples.resize(samples.len().max(LEAST_SAMPLES), 0.0);
        let state = if request.words {
            if self.aligning.is_none() {
                let made = contexts.aligning()?.create_state().map_err(|error| failed(&error))?;
                self.aligning = Some(made);
            }
            self.aligning.as_mut().unwrap_or(&mut self.plain)
        } else {
            &mut self.plain
        };
        if running.aborted() {
            return Err(EngineError::Superseded);
        }
        full(state, parameters, &samples, running)?;

        let (pieces, tokens, mean_log_probability) = collect(state, contexts.plain.token_eot());
        let words = text::words(&pieces);
        let texts: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        let sot = contexts.plain.token_sot();
        let no_speech_token = contexts.plain.token_nosp();
        let ask = request.priority != Priority::Partial && !facts.nano();
        let threads = settings.threads_per_worker.max(1);
        let mut no_speech_probability = None;
        let no_speech = || {
            no_speech_probability = if ask { no_speech(state, sot, no_speech_token, threads) } else { None };
            no_speech_probability
        };
        let rejected = guard::reason(&texts, mean_log_probability, no_speech, &settings.guard);
        let found = if facts.multilingual() { state.full_lang_id_from_state() } else { 0 };
        tell(&request, running.queued, started.elapsed());
        Ok(Transcript {
            text: if rejected.is_some() { String::new() } else { text::join(&words) },
            words: if request.words && rejected.is_none() { timed(words, &request.audio) } else { vec![] },
            mean_log_probability,
            tokens: if rejected.is_some() { vec![] } else { tokens },
            no_speech_probability,
            language: whisper_rs::get_lang_str(found).map(str::to_owned),
            rejected,
            compute: started.elapsed(),
            queued: running.queued,
        })
    }
}

/// Tells the metrics of a decode.
fn tell(request: &RecognizeRequest, queued: Duration, compute: Duration) {
    let priority = match request.priority {
        Priority::Partial => "partial",
        Priority::Final => "final",
        Priority::Recording => "recording",
    };
    let sound = Duration::from_millis(request.audio.ms().into());
    measure::RECOGNIZED.add(sound);
    metrics::histogram!(measure::RECOGNITION_QUEUE, "priority" => priority).record(queued);
    metrics::histogram!(measure::RECOGNITION_COMPUTE, "priority" => priority).record(compute);
    if let Some(factor) = realtime_factor(compute, sound) {
        metrics::histogram!(measure::RECOGNITION_FACTOR, "priority" => priority).record(factor);
    }
}

fn base_parameters(language: Language, threads: i32) -> FullParams<'static, 'static> {
    let mut parameters = FullParams::new(SamplingStrategy::Greedy { best_of: 1 });
    parameters.set_language(match language {
        Language::Known(id) => Some(whisper_rs::get_lang_str(id).unwrap_or("en")),
        Language::Detect => None,
    });
    parameters.set_n_threads(threads);
    parameters.set_no_context(true);
    parameters.set_single_segment(true);
    // Without timestamps a decode is shorter, and small models are better; distilled ones are forced to it anyway.
    parameters.set_no_timestamps(true);
    // whisper.cpp reads the no-speech probability off a row of logits that it did not compute in this mode, so it
    // must not act on it; `no_speech` below asks properly.
    parameters.set_no_speech_thold(f32::INFINITY);
    parameters.set_print_special(false);
    parameters.set_print_progress(false);
    parameters.set_print_realtime(false);
    parameters.set_print_timestamps(false);
    parameters
}

/// A bound that no real speech meets: a decoder caught in a loop stops there.
fn most_tokens(audio_ms: u32, nano: bool, multilingual: bool) -> i32 {
    let per_second = if multilingual { 25 } else { 12 };
    let tokens = 12 + audio_ms * per_second / 1000;
    tokens.min(if nano { 60 } else { 220 }) as i32
}

/// Runs the model; the caller's going away or a withdrawn job ends it early.
fn full(
    state: &mut WhisperState,
    mut parameters: FullParams,
    samples: &[f32],
    running: &Running,
) -> Result<(), EngineError> {
    // The safe setter of whisper-rs 0.16 casts its closure to the wrong type and leaks it, hence the raw one.
    #[expect(unsafe_code, reason = "hands a callback to a C library")]
    // SAFETY: `aborted` reads its argument as the `Running` it points to, which outlives the call below; the library
    // drops both pointers when that call returns (it copies them into nothing but its own arguments), and `Running`
    // may be read from several threads at once.
    unsafe {
        parameters.set_abort_callback_user_data(std::ptr::from_ref(running).cast_mut().cast());
        parameters.set_abort_callback(Some(aborted));
    }
    state.full(parameters, samples).map_err(
        |error| {
            if running.aborted() { EngineError::Superseded } else { failed(&error) }
        },
    )
}

#[expect(unsafe_code, reason = "a C callback")]
unsafe extern "C" fn aborted(running: *mut c_void) -> bool {
    // SAFETY: `full` passes a pointer to a `Running` that lives until whisper.cpp returns.
    let running = unsafe { &*running.cast::<Running>() };
    running.aborted()
}

/// The text tokens, their numbers, and the mean log-probability over them and the end token.
fn collect(state: &WhisperState, end: i32) -> (Vec<Piece>, Vec<i32>, f32) {
    let (mut pieces, mut tokens) = (Vec::new(), Vec::new());
    let (mut sum, mut count) = (0.0_f32, 0_u16);
    for segment in state.as_iter() {
        for token in (0..segment.n_tokens()).filter_map(|index| segment.get_token(index)) {
            let data = token.token_data();
            sum += data.plog;
            count += 1;
            if data.id < end {
                tokens.push(data.id);
            }
            if data.id < end
                && let Ok(bytes) = token.to_bytes()
            {
                let end_ms = u32::try_from(data.t_dtw * 10).ok();
                pieces.push(Piece { bytes: bytes.to_vec(), probability: data.p, end_ms });
            }
        }
    }
    (pieces, tokens, if count == 0 { 0.0 } else { sum / f32::from(count) })
}

/// How likely the model thinks that nobody spoke: the probability of its no-speech token right after the start token,
/// for the audio decoded last. One more pass of the decoder.
fn no_speech(state: &mut WhisperState, sot: i32, no_speech: i32, threads: usize) -> Option<f32> {
    state.decode(&[sot], 0, threads).ok()?;
    let logits = state.get_logits().ok()?;
    let most = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let sum: f32 = logits.iter().map(|logit| (logit - most).exp()).sum();
    let logit = logits.get(usize::try_from(no_speech).ok()?)?;
    Some((logit - most).exp() / sum)
}

/// Words for a caller: without spaces, inside the audio, at the edges of its pauses.
fn timed(words: Vec<Word>, audio: &Mono16k) -> Vec<Word> {
    let end = audio.ms();
    let inside = |word: Word| Word {
        text: word.text.trim().to_owned(),
        start_ms: word.start_ms.min(end),
        end_ms: word.end_ms.min(end),
        ..word
    };
    let mut words: Vec<Word> = words.into_iter().map(inside).collect();
    times::settle(&mut words, audio);
    words
}
