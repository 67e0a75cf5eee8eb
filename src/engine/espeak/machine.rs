//! The thread that owns espeak-ng, and the only place that calls it.
#![expect(unsafe_code, reason = "espeak-ng is a C library")]

use std::{
    ffi::{CStr, CString, OsStr, c_char, c_int, c_short, c_void},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    ptr,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
};

use espeak_rs_sys as sys;
use tokio::sync::mpsc;

use super::voices::{self, Voice};
use crate::{
    audio::{Pcm, SampleRate},
    engine::{EngineError, meter::SpeechMeter},
};

/// Length of a piece in milliseconds, the least espeak-ng takes: the first sound leaves after this much is made.
const PIECE_MS: c_int = 60;

/// The most pieces of one request (five minutes), all of which its channel holds besides an error, so that a slow
/// listener never holds up the machine. A request that makes more ends in an error.
pub(super) const MAX_PIECES: usize = 5_000;

/// Jobs waiting for the machine. Full: the next one is refused with [`EngineError::Overloaded`].
const QUEUE: usize = 256;

type Out = mpsc::Sender<Result<Pcm, EngineError>>;

enum Job {
    Speak { text: String, voice: String, wpm: i32, out: Out, meter: SpeechMeter, span: tracing::Span },
    Phonemes { text: String, voice: String, reply: SyncSender<Result<Vec<String>, EngineError>> },
}

/// A way to reach the machine's thread.
pub(super) struct Machine {
    jobs: SyncSender<Job>,
    pub voices: Vec<Voice>,
    pub rate: SampleRate,
}

/// The process's one machine, started by the first who asks for it on the data `find` gives.
pub(super) fn shared(find: impl FnOnce() -> Result<PathBuf, EngineError>) -> Result<Arc<Machine>, EngineError> {
    static MACHINE: Mutex<Option<Arc<Machine>>> = Mutex::new(None);
    let data = find()?;
    let mut machine = MACHINE.lock().unwrap_or_else(PoisonError::into_inner);
    match &*machine {
        Some(running) => Ok(running.clone()),
        None => Ok(machine.insert(Arc::new(start(&data)?)).clone()),
    }
}

fn start(data: &Path) -> Result<Machine, EngineError> {
    let path = CString::new(data.as_os_str().as_encoded_bytes())
        .map_err(|_| failed(format!("a path cannot hold a NUL character: {}", data.display())))?;
    let (jobs, queue) = sync_channel(QUEUE);
    let (started, start) = sync_channel(1);
    thread::Builder::new()
        .name("espeak".into())
        .spawn(move || match Owner::initialize(&path) {
            Ok((mut owner, voices, rate)) => {
                let _ = started.send(Ok((voices, rate)));
                owner.run(&queue);
            }
            Err(error) => {
                let _ = started.send(Err(error));
            }
        })
        .map_err(|error| failed(format!("its thread cannot be started: {error}")))?;
    let (voices, rate) = start.recv().map_err(|_| EngineError::Closed)??;
    tracing::debug!(file = %data.display(), voices = voices.len(), rate_hz = rate.hz(), "espeak-ng started");
    Ok(Machine { jobs, voices, rate })
}

impl Machine {
    pub fn speak(&self, text: String, voice: &str, wpm: i32, out: Out) -> Result<(), EngineError> {
        let voice = self.file_of(voice)?;
        let (meter, span) = (SpeechMeter::new("espeak"), tracing::Span::current());
        self.submit(Job::Speak { text, voice, wpm, out, meter, span })
    }

    pub fn phonemes(&self, text: String, voice: &str) -> Result<Vec<String>, EngineError> {
        let voice = self.file_of(voice)?;
        let (reply, answer) = sync_channel(1);
        self.submit(Job::Phonemes { text, voice, reply })?;
        answer.recv().map_err(|_| EngineError::Closed)?
    }

    fn file_of(&self, voice: &str) -> Result<String, EngineError> {
        voices::named(&self.voices, voice)
            .map(|voice| voice.file.clone())
            .ok_or_else(|| failed(format!("it has no voice called {voice}")))
    }

    fn submit(&self, job: Job) -> Result<(), EngineError> {
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(job) => {
                if let Job::Speak { meter, .. } = job {
                    meter.ended(false);
                }
                EngineError::Overloaded { retry_after_ms: 1_000 }
            }
            TrySendError::Disconnected(_) => EngineError::Closed,
        })
    }
}

/// espeak-ng itself. Lives on one thread; only [`Owner::initialize`] makes one, and only [`shared`] calls that.
struct Owner {
    /// What espeak-ng has loaded, to spare loading it again.
    voice: Option<String>,
    rate: SampleRate,
}

/// Where the callback puts what espeak-ng makes.
struct Listener<'m> {
    out: Out,
    meter: &'m mut SpeechMeter,
    rate: SampleRate,
    pieces: usize,
}

impl Owner {
    fn initialize(data: &CStr) -> Result<(Self, Vec<Voice>, SampleRate), EngineError> {
        // SAFETY: `data` is a C string; espeak-ng copies it. This thread is the only one that ever calls espeak-ng.
        let hz = unsafe {
            sys::espeak_Initialize(
                sys::espeak_AUDIO_OUTPUT_AUDIO_OUTPUT_SYNCHRONOUS,
                PIECE_MS,
                data.as_ptr(),
                sys::espeakINITIALIZE_DONT_EXIT as c_int,
            )
        };
        let rate = u32::try_from(hz).ok().and_then(|hz| SampleRate::new(hz).ok()).ok_or_else(|| {
            EngineError::ModelMissing {
                name: format!("espeak-ng voice data that it accepts: {}", data.to_string_lossy()),
                hint: "set ESPEAK_DATA to a folder espeak-ng-data of espeak-ng 1.52".into(),
            }
        })?;
        // SAFETY: the callback has the signature espeak-ng expects and lives as long as the program.
        unsafe { sys::espeak_SetSynthCallback(Some(on_sound)) };
        let voices = list_voices(Path::new(OsStr::from_bytes(data.to_bytes())));
        if voices.is_empty() {
            return Err(failed("its data holds no voices".into()));
        }
        Ok((Self { voice: None, rate }, voices, rate))
    }

    fn run(&mut self, queue: &Receiver<Job>) {
        for job in queue {
            match job {
                Job::Speak { out, .. } if out.is_closed() => {}
                Job::Speak { text, voice, wpm, out, mut meter, span } => {
                    let _entered = span.enter();
                    meter.begin();
                    let spoken = self.speak(&text, &voice, wpm, &out, &mut meter);
                    if !out.is_closed() {
                        meter.ended(spoken.is_ok());
                    }
                    if let Err(error) = spoken {
                        let _ = out.try_send(Err(error));
                    }
                }
                Job::Phonemes { text, voice, reply } => {
                    let _ = reply.send(self.phonemes(&text, &voice));
                }
            }
        }
    }

    fn set_voice(&mut self, voice: &str) -> Result<(), EngineError> {
        if self.voice.as_deref() == Some(voice) {
            return Ok(());
        }
        let name = CString::new(voice).map_err(|_| failed("a voice name cannot hold a NUL character".into()))?;
        // SAFETY: a C string that espeak-ng copies.
        let status = unsafe { sys::espeak_SetVoiceByName(name.as_ptr()) };
        self.voice = (status == sys::espeak_ERROR_EE_OK).then(|| voice.to_owned());
        if self.voice.is_some() { Ok(()) } else { Err(failed(format!("its voice {voice} cannot be loaded"))) }
    }

    fn speak(
        &mut self,
        text: &str,
        voice: &str,
        wpm: i32,
        out: &Out,
        meter: &mut SpeechMeter,
    ) -> Result<(), EngineError> {
        self.set_voice(voice)?;
        let c_text = CString::new(text).map_err(|_| failed("text cannot hold a NUL character".into()))?;
        // Between sentences there is a pause; a clause goes on.
        let pause = if text.trim_end().ends_with([',', ';', ':', '—', '–', '，', '、']) {
            0
        } else {
            sys::espeakENDPAUSE
        };
        let mut listener = Listener { out: out.clone(), meter, rate: self.rate, pieces: 0 };
        // SAFETY: `c_text` with its length and terminator, and `listener`, outlive the call: in synchronous mode
        // espeak_Synth returns after the last callback, all of which happen on this thread.
        let status = unsafe {
            sys::espeak_SetParameter(sys::espeak_PARAMETER_espeakRATE, wpm, 0);
            sys::espeak_Synth(
                c_text.as_ptr().cast(),
                c_text.as_bytes_with_nul().len(),
                0,
                sys::espeak_POSITION_TYPE_POS_CHARACTER,
                0,
                sys::espeakCHARS_UTF8 | pause,
                ptr::null_mut(),
                (&raw mut listener).cast::<c_void>(),
            )
        };
        if listener.pieces >= MAX_PIECES && !out.is_closed() {
            return Err(failed("the text makes more sound than one request may".into()));
        }
        if status == sys::espeak_ERROR_EE_OK { Ok(()) } else { Err(failed(format!("it answered {status}"))) }
    }

    /// One string of IPA per sentence. espeak-ng gives clause after clause without the mark that ended it, and moves
    /// a pointer through the text: the last character before it is that mark.
    fn phonemes(&mut self, text: &str, voice: &str) -> Result<Vec<String>, EngineError> {
        self.set_voice(voice)?;
        let mut sentences = Vec::new();
        let mut current = String::new();
        for line in text.lines() {
            let c_text = CString::new(line).map_err(|_| failed("text cannot hold a NUL character".into()))?;
            let start = c_text.as_ptr();
            let mut rest: *const c_void = start.cast();
            let mut done = 0;
            while !rest.is_null() {
                // SAFETY: `rest` points into `c_text`, which lives through the loop; the answer is a C string that
                // stays until the next call, and is copied before.
                let clause = unsafe {
                    let answer = sys::espeak_TextToPhonemes(
                        &raw mut rest,
                        sys::espeakCHARS_UTF8 as c_int,
                        sys::espeakINITIALIZE_PHONEME_IPA as c_int,
                    );
                    if answer.is_null() {
                        break;
                    }
                    CStr::from_ptr(answer).to_string_lossy().into_owned()
                };
                let end = if rest.is_null() { line.len() } else { (rest as usize - start as usize).min(line.len()) };
                let read = line.as_bytes().get(done..end).unwrap_or_default();
                let mark = clause_mark(&String::from_utf8_lossy(read), rest.is_null());
                // Without progress the loop would not end.
                if !rest.is_null() && end <= done && clause.is_empty() {
                    break;
                }
                done = end;
                let clause = without_language_marks(&clause);
                if clause.is_empty() {
                    continue;
                }
                if !current.is_empty() {
                    current.push(' ');
                }
                current.push_str(&clause);
                current.extend(mark);
                if matches!(mark, Some('.' | '?' | '!')) {
                    sentences.push(std::mem::take(&mut current));
                }
            }
            if !current.is_empty() {
                // A line that just stops is spoken like a statement, as Piper's training had it.
                if !current.ends_with(is_mark) {
                    current.push('.');
                }
                sentences.push(std::mem::take(&mut current));
            }
        }
        Ok(sentences)
    }
}

/// Called by espeak-ng with each piece of sound; an answer other than 0 stops the synthesis.
extern "C" fn on_sound(samples: *mut c_short, count: c_int, events: *mut sys::espeak_EVENT) -> c_int {
    if events.is_null() || samples.is_null() || count <= 0 {
        return 0;
    }
    // SAFETY: `events` has at least its end mark, and every event carries the `user_data` of the call of
    // espeak_Synth that is running: the `Listener` on its frame, which nobody else holds meanwhile.
    let listener = unsafe {
        let listener = (*events).user_data.cast::<Listener>();
        if listener.is_null() {
            return 1;
        }
        &mut *listener
    };
    // SAFETY: espeak-ng gives `count` samples that stay until we return.
    let samples = unsafe { std::slice::from_raw_parts(samples, count as usize) };
    if listener.pieces >= MAX_PIECES {
        return 1;
    }
    listener.pieces += 1;
    let piece = Pcm::new(listener.rate, samples.to_vec());
    listener.meter.made(&piece);
    c_int::from(listener.out.try_send(Ok(piece)).is_err())
}

fn list_voices(data: &Path) -> Vec<Voice> {
    let mut found: Vec<Voice> = Vec::new();
    // SAFETY: a null specification asks for all; the answer is a null-terminated array of voices that stays until
    // the next such call, and whose strings are C strings. `languages` begins with a priority byte.
    unsafe {
        let mut next = sys::espeak_ListVoices(ptr::null_mut());
        while !next.is_null() && !(*next).is_null() {
            let voice = &**next;
            if !voice.languages.is_null() && *voice.languages != 0 {
                let tag = text_of(voice.languages.add(1));
                let listed = voices::voice(&text_of(voice.name), &tag, &text_of(voice.identifier));
                let new = |voice: &Voice| found.iter().all(|known| known.id != voice.id);
                let listed = listed.filter(|voice| new(voice) && voices::has_dictionary(voice, data));
                found.extend(listed);
            }
            next = next.add(1);
        }
    }
    found.sort_unstable_by(|a, b| a.id.cmp(&b.id));
    found
}

/// # Safety
/// `text` is null or a C string.
unsafe fn text_of(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: promised by the caller.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// espeak-ng marks words it reads in another language: `(en)haʊs(de)`.
fn without_language_marks(phonemes: &str) -> String {
    let mut depth = 0_usize;
    phonemes
        .chars()
        .filter(|&c| match c {
            '(' => {
                depth += 1;
                false
            }
            ')' => {
                depth = depth.saturating_sub(1);
                false
            }
            _ => depth == 0,
        })
        .collect()
}

/// The mark that ended a clause, in the form Piper knows. `read` is what espeak-ng took for the clause: after the
/// mark come closing quotes, space and, unless the text is over, the first letter of the next clause.
fn clause_mark(read: &str, over: bool) -> Option<char> {
    let read = if over { read } else { read.trim_end_matches(|c: char| !c.is_whitespace() && !is_mark(c)) };
    match read.trim_end_matches(|c: char| !c.is_alphanumeric() && !is_mark(c)).chars().next_back()? {
        '.' | '…' | '。' | '．' => Some('.'),
        '?' | '？' | '؟' => Some('?'),
        '!' | '！' => Some('!'),
        ';' | '；' => Some(';'),
        ':' | '：' => Some(':'),
        mark if is_mark(mark) => Some(','),
        _ => None,
    }
}

fn is_mark(c: char) -> bool {
    ".…。．?？؟!！;；:：,，、،—–".contains(c)
}

fn failed(reason: String) -> EngineError {
    EngineError::Failed { engine: "espeak", reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_found_behind_what_espeak_reads_ahead() {
        for (read, over, mark) in [
            ("Hello, w", false, Some(',')),
            ("orld! H", false, Some('!')),
            (" am 3.14 years (old); r", false, Some(';')),
            ("\"Wait,\"", true, Some(',')),
            (" he said — a", false, Some(',')),
            ("Hello...", true, Some('.')),
            ("test", true, None),
            ("three words on", false, None),
            ("你好。", true, Some('.')),
            ("", true, None),
        ] {
            assert_eq!(clause_mark(read, over), mark, "{read}");
        }
    }

    #[test]
    fn language_marks_are_no_phonemes() {
        assert_eq!(without_language_marks("(en)haʊs(de) tˈyːɾ"), "haʊs tˈyːɾ");
        assert_eq!(without_language_marks(")a(b"), "a");
    }
}
