//! One worker: a whisper.cpp state and what turns a request into a transcript with it.

use std::{
    collections::HashMap,
    ffi::c_void,
    sync::Arc,
    time::{Duration, Instant},
};

use whisper_rs::{FullParams, SamplingStrategy, WhisperState, WhisperSysContext, WhisperSysState};

use super::{
    super::{
        EngineError, Priority, RecognizeRequest, Transcript,
        worker::{Running, Worker},
    },
    Contexts,
    guard::Doubt,
    hypothesis::Hypothesis,
    model::failed,
    policy::{self, Attempt},
    text, times,
};
use crate::{
    audio::{Mono16k, level},
    measure::{self, realtime_factor},
    model::{Word, parse_language},
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
    parameters: HashMap<(Language, u8), FullParams<'static, 'static>>,
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
        let asked = asked.unwrap_or_default();
        // Only letters may reach whisper-rs, which panics at a zero byte.
        let known = match parse_language(asked) {
            Ok(None) => return Ok(if multilingual { Language::Detect } else { Language::Known(0) }),
            Ok(Some(code)) => whisper_rs::get_lang_id(code),
            Err(_) => None,
        };
        match known {
            Some(0) => Ok(Language::Known(0)),
            Some(id) if multilingual && id < self.contexts.facts.languages() => Ok(Language::Known(id)),
            _ => Err(EngineError::ModelMissing {
                name: format!("one that knows the language `{}`", asked.escape_default()),
                hint: if multilingual {
                    "use a two-letter code of ISO 639-1, such as `ru`".into()
                } else {
                    "set ASR_MODEL_NAME to a multilingual model (one without `.en` in its name)".into()
                },
            }),
        }
    }

    fn parameters(&mut self, language: Language, beams: u8) -> FullParams<'static, 'static> {
        let threads = self.threads();
        self.parameters.entry((language, beams)).or_insert_with(|| base_parameters(language, beams, threads)).clone()
    }

    fn threads(&self) -> i32 {
        self.contexts.settings.threads_per_worker.max(1) as i32
    }

    /// The language of `samples`, where the request leaves that to the model.
    ///
    /// whisper.cpp's own detection would use the encoder context of the decode before this one.
    fn detect(&mut self, samples: &[f32], context: u32, running: &Running) -> Result<Language, EngineError> {
        let threads = self.threads();
        let mut parameters = self.parameters(Language::Known(0), 1);
        parameters.set_audio_ctx(context as i32);
        #[expect(unsafe_code, reason = "hands a callback to a C library")]
        // SAFETY: `skip` reads none of its arguments.
        unsafe {
            parameters.set_start_encoder_callback(Some(skip));
        }
        // Computes the spectrogram and sets the context, but neither encodes nor decodes.
        full(&mut self.plain, parameters, samples, running)?;
        let (found, _) = self.plain.lang_detect(0, threads as usize).map_err(|error| failed(&error))?;
        Ok(Language::Known(found))
    }

    /// Decodes once.
    fn attempt(
        &mut self,
        request: &RecognizeRequest,
        attempt: Attempt,
        language: Language,
        prompt: &[i32],
        samples: &[f32],
        running: &Running,
    ) -> Result<Hypothesis, EngineError> {
        let contexts = self.contexts.clone();
        let facts = &contexts.facts;
        let most = most_tokens(request.audio.ms(), facts.nano(), facts.multilingual());
        let mut parameters: FullParams<'static, '_> = self.parameters(language, attempt.beams);
        parameters.set_audio_ctx(attempt.context as i32);
        parameters.set_max_tokens(most);
        parameters.set_no_timestamps(!attempt.timestamps);
        // With timestamps whisper.cpp goes on where the decoder stopped before the end of the audio.
        parameters.set_single_segment(!attempt.timestamps || request.priority != Priority::Recording);
        if !prompt.is_empty() {
            parameters.set_tokens(prompt);
        }
        parameters.set_translate(request.translate && facts.multilingual());
        if let Some(temperature) = request.temperature.filter(|t| t.is_finite()) {
            parameters.set_temperature(temperature.clamp(0.0, 1.0));
        }
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
        full(state, parameters, samples, running)?;
        Ok(Hypothesis::collect(state, contexts.plain.token_eot(), most))
    }

    /// Asks the model how likely it is that nobody spoke in what was decoded last.
    fn no_speech(&mut self, words: bool) -> Option<f32> {
        let (sot, token) = (self.contexts.plain.token_sot(), self.contexts.plain.token_nosp());
        let threads = self.threads() as usize;
        let state = if words { self.aligning.as_mut()? } else { &mut self.plain };
        no_speech(state, sot, token, threads)
    }

    /// Decodes until a result is beyond doubt or nothing is left to try; the best result, and how often it was decoded.
    fn best(
        &mut self,
        request: &RecognizeRequest,
        attempts: &[Attempt],
        samples: &[f32],
        running: &Running,
    ) -> Result<(Hypothesis, Language), EngineError> {
        let contexts = self.contexts.clone();
        let (settings, facts) = (&contexts.settings, &contexts.facts);
        let mut language = self.language(request.language.as_deref())?;
        if let (Language::Detect, Some(first)) = (language, attempts.first()) {
            language = self.detect(samples, first.context, running)?;
        }
        let prompt = match request.prompt.as_deref() {
            Some(prompt) if !facts.nano() => {
                contexts.plain.tokenize(&prompt.replace('\0', " "), 224).unwrap_or_default()
            }
            _ => vec![],
        };
        let mut best: Option<Hypothesis> = None;
        for attempt in attempts {
            let found = self.attempt(request, *attempt, language, &prompt, samples, running)?;
            let bare = found.bare();
            let doubt = found.evidence(&bare, request.audio.ms()).doubt(&settings.guard);
            let Some(before) = best.take() else {
                if doubt.is_none() {
                    return Ok((found, language));
                }
                best = Some(found);
                continue;
            };
            let audio_ms = request.audio.ms();
            let bare_before = before.bare();
            record_again(before.evidence(&bare_before, audio_ms).doubt(&settings.guard));
            // What two different decodes agree on was said, or is at least all that can be had.
            if doubt.is_none() || (bare == bare_before && !found.cut_off) {
                return Ok((found, language));
            }
            // Several beams help against loops and silence; what the model is only unsure of stays so.
            let unsure = doubt == Some(Doubt::LowProbability)
                && found.mean_log_probability > 2.0 * settings.guard.doubt_log_probability;
            best = Some(if found.score(audio_ms) >= before.score(audio_ms) { found } else { before });
            if unsure {
                break;
            }
        }
        let best = best.ok_or_else(|| {
            let (given, most) = (request.audio.ms(), facts.longest().as_millis());
            EngineError::Failed { engine: "whisper", reason: format!("{given} ms of audio, it hears {most} at most") }
        })?;
        Ok((best, language))
    }
}

impl Worker for Decoder {
    type Job = RecognizeRequest;
    type Output = Transcript;

    fn run(&mut self, request: RecognizeRequest, running: &Running) -> Result<Transcript, EngineError> {
        let started = Instant::now();
        let contexts = self.contexts.clone();
        let (settings, facts) = (&contexts.settings, &contexts.facts);
        let attempts =
            policy::attempts(facts, request.audio.len(), request.priority, settings.context, settings.fallback);
        let mut samples = level::normalized(&request.audio).to_f32();
        samples.resize(samples.len().max(LEAST_SAMPLES), 0.0);
        let (mut found, language) = self.best(&request, &attempts, &samples, running)?;
        let audio_ms = request.audio.ms();
        let bare = found.bare();
        let evidence = found.evidence(&bare, audio_ms);
        let mut no_speech_probability = None;
        let rejected = if facts.nano() {
            // It is never asked twice, and has no no-speech token.
            evidence.doubt(&settings.guard).and_then(|doubt| match doubt {
                Doubt::Repetition => Some("repetition"),
                _ if found.mean_log_probability < settings.guard.min_log_probability => Some("low_probability"),
                _ => None,
            })
        } else if request.priority == Priority::Partial && evidence.doubt(&settings.guard) == Some(Doubt::Repetition) {
            // A loop must not become stable text; if it was said, the final says so.
            Some("repetition")
        } else {
            evidence.rejected(
                || {
                    no_speech_probability = self.no_speech(request.words);
                    no_speech_probability
                },
                &settings.guard,
            )
        };
        if evidence.impossible() || found.cut_off {
            found.shorten(&bare);
        }
        let language = if let Language::Known(id) = language { whisper_rs::get_lang_str(id) } else { None };
        record(&request, running.queued, started.elapsed(), rejected);
        let keep = rejected.is_none();
        Ok(Transcript {
            text: if keep { text::join(&found.words) } else { String::new() },
            mean_log_probability: found.mean_log_probability,
            tokens: if keep { found.tokens } else { vec![] },
            words: if keep && request.words { timed(found.words, &request.audio) } else { vec![] },
            no_speech_probability,
            language: language.map(str::to_owned),
            rejected,
            compute: started.elapsed(),
            queued: running.queued,
        })
    }
}

/// Counts a decode that followed one in doubt.
fn record_again(doubt: Option<Doubt>) {
    if let Some(doubt) = doubt {
        metrics::counter!(measure::RECOGNITION_AGAIN, "doubt" => doubt.name()).increment(1);
    }
}

/// Records the metrics of a request.
fn record(request: &RecognizeRequest, queued: Duration, compute: Duration, rejected: Option<&'static str>) {
    let priority = request.priority.name();
    if let Some(reason) = rejected {
        metrics::counter!(measure::RECOGNITION_REJECTED, "reason" => reason, "priority" => priority).increment(1);
    }
    let sound = Duration::from_millis(request.audio.ms().into());
    measure::RECOGNIZED.add(sound);
    metrics::histogram!(measure::RECOGNITION_QUEUE, "priority" => priority).record(queued);
    metrics::histogram!(measure::RECOGNITION_COMPUTE, "priority" => priority).record(compute);
    if let Some(factor) = realtime_factor(compute, sound) {
        metrics::histogram!(measure::RECOGNITION_FACTOR, "priority" => priority).record(factor);
    }
}

fn base_parameters(language: Language, beams: u8, threads: i32) -> FullParams<'static, 'static> {
    let mut parameters = FullParams::new(if beams > 1 {
        SamplingStrategy::BeamSearch { beam_size: i32::from(beams), patience: -1.0 }
    } else {
        SamplingStrategy::Greedy { best_of: 1 }
    });
    parameters.set_language(match language {
        Language::Known(id) => Some(whisper_rs::get_lang_str(id).unwrap_or("en")),
        Language::Detect => None,
    });
    parameters.set_n_threads(threads);
    parameters.set_no_context(true);
    // Its own second tries would use the same context and chance; `policy` has better ones.
    parameters.set_temperature_inc(0.0);
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

#[expect(unsafe_code, reason = "a C callback")]
unsafe extern "C" fn skip(_: *mut WhisperSysContext, _: *mut WhisperSysState, _: *mut c_void) -> bool {
    false
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
