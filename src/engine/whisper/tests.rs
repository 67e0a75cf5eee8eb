//! With the real library and the bundled model; speech comes from the `espeak-ng` command.

use std::{
    io::Write,
    process::Command,
    sync::{Arc, LazyLock},
};

use super::*;
use crate::{
    audio::{Mono16k, Pcm, Resampler, SampleRate, read_wav},
    engine::Priority,
    model::SessionId,
};

static WHISPER: LazyLock<Whisper> = LazyLock::new(|| {
    let settings = WhisperSettings { workers: 1, ..WhisperSettings::default() };
    Whisper::load(settings).expect("the bundled model loads")
});

fn speak(text: &str, voice: &str) -> Mono16k {
    let spoken = Command::new("espeak-ng").args(["--stdout", "-v", voice, text]).output();
    let spoken = spoken.expect("these tests need the `espeak-ng` command");
    Resampler::whole(&read_wav(spoken.stdout.as_slice()).expect("espeak-ng writes WAV"))
}

fn request(audio: Mono16k) -> RecognizeRequest {
    RecognizeRequest {
        session: SessionId::fresh(),
        priority: Priority::Final,
        audio: Arc::new(audio),
        language: None,
        prompt: None,
        words: false,
        translate: false,
        temperature: None,
    }
}

fn hear(request: RecognizeRequest) -> Result<Transcript, EngineError> {
    WHISPER.submit(request).blocking_recv().expect("every request is answered")
}

fn noise(ms: u32, level: f32) -> Mono16k {
    let mut state = 1_u32;
    let samples = (0..SampleRate::HZ_16000.samples_in_ms(ms)).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (f32::from((state >> 16) as i16) * level) as i16
    });
    Resampler::whole(&Pcm::new(SampleRate::HZ_16000, samples.collect()))
}

#[test]
fn speech_becomes_its_words() {
    for (text, voice) in [
        ("What time is it?", "en-us"),
        ("Set a timer for ten minutes.", "en-us"),
        ("Turn on the light in the kitchen.", "en-gb"),
        ("What is seven plus eight?", "en-us"),
        ("Tell me a joke.", "en-us+f3"),
        ("Thank you very much.", "en-us"),
    ] {
        let heard = hear(request(speak(text, voice))).expect("decodes");
        assert_eq!((heard.text.as_str(), heard.rejected), (text, None), "{voice}");
        assert!(heard.mean_log_probability > -0.5 && heard.words.is_empty());
        assert_eq!(heard.language.as_deref(), Some("en"));
        let end = WHISPER.model.facts.vocabulary as i32;
        assert!(!heard.tokens.is_empty() && heard.tokens.iter().all(|token| (0..end).contains(token)), "{heard:?}");
    }
}

#[test]
fn an_english_model_cannot_translate_and_temperatures_are_kept_within_bounds() {
    let spoken = || request(speak("What time is it?", "en-us"));
    let plain = hear(spoken()).expect("decodes");
    for asked in [
        RecognizeRequest { translate: true, ..spoken() },
        RecognizeRequest { temperature: Some(0.0), ..spoken() },
        RecognizeRequest { temperature: Some(-3.0), ..spoken() },
        RecognizeRequest { temperature: Some(f32::NAN), ..spoken() },
    ] {
        let heard = hear(asked).expect("decodes");
        assert_eq!((&heard.text, &heard.tokens), (&plain.text, &plain.tokens));
    }
    // What is heard now depends on chance, that it ends does not.
    assert!(hear(RecognizeRequest { temperature: Some(9.0), ..spoken() }).is_ok());
}

#[test]
fn sound_without_speech_gives_no_text() {
    for (name, audio) in [
        ("digital silence", Mono16k::silence(3_000)),
        ("nothing at all", Mono16k::default()),
        ("a moment", Mono16k::silence(20)),
        ("faint noise", noise(3_000, 0.003)),
        ("noise", noise(2_000, 0.1)),
    ] {
        assert_eq!(hear(request(audio)).expect("decodes").text, "", "{name}");
    }
}

#[test]
fn word_times_are_where_the_words_are() {
    let (first, second) = (speak("Good morning.", "en-us"), speak("What time is it?", "en-us"));
    let pause = 700;
    let second_ms = first.ms() + pause;
    let mut audio = first.clone();
    audio.append(&Mono16k::silence(pause));
    audio.append(&second);
    let heard = hear(RecognizeRequest { words: true, ..request(audio) }).expect("decodes");
    let texts: Vec<&str> = heard.words.iter().map(|word| word.text.as_str()).collect();
    assert_eq!(texts.join(" "), heard.text);
    assert_eq!(heard.text, "Good morning. What time is it?");
    assert!(heard.words.windows(2).all(|pair| pair[0].end_ms <= pair[1].start_ms), "{:?}", heard.words);
    assert!(heard.words.iter().all(|word| word.start_ms < word.end_ms && word.probability > 0.1));
    // The pause lies between them, give or take what the alignment is known to be off.
    assert!(heard.words[1].end_ms < second_ms + 100, "{:?}", heard.words);
    assert!(heard.words[2].end_ms > second_ms && heard.words[2].start_ms + 100 > first.ms(), "{:?}", heard.words);
}

#[test]
fn audio_beyond_what_the_model_hears_is_refused_and_up_to_it_is_heard() {
    assert_eq!(WHISPER.max_audio().as_millis(), 6_000);
    let most = WHISPER.model.facts.longest().as_millis() as u32;
    assert_eq!(most, 10_000);
    let mut audio = Mono16k::default();
    while audio.ms() < most {
        audio.append(&speak("What time is it? Tell me a joke. Set a timer for ten minutes.", "en-us"));
    }
    let mut audio = audio.take_front(most as usize * 16);
    let heard = hear(RecognizeRequest { words: true, ..request(audio.clone()) }).expect("decodes");
    assert!(heard.text.starts_with("What time is it?"), "{heard:?}");
    audio.append(&Mono16k::silence(60));
    let refused = hear(request(audio)).expect_err("too long");
    assert!(refused.to_string().contains("10060 ms"), "{refused}");
}

#[test]
fn a_language_the_model_does_not_know_is_an_error() {
    let ask = |language: &str| {
        hear(RecognizeRequest { language: Some(language.into()), ..request(speak("Good morning.", "en-us")) })
    };
    assert_eq!(ask("en-US").expect("English").text, "Good morning.");
    for language in ["ru", "zz", "e\0n", "русский"] {
        let error = ask(language).expect_err(language);
        assert!(error.hint().contains("ASR_MODEL_NAME"), "{error}");
    }
}

#[test]
fn a_file_works_like_the_bundled_model() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/models/nano/aigolos-nano-en-q5_1.bin");
    let model = WhisperModel::File(path.into());
    let settings = WhisperSettings { model, workers: 1, ..WhisperSettings::default() };
    let whisper = Whisper::load(settings).expect("loads");
    assert_eq!((whisper.info().model.as_str(), whisper.info().demo), ("aigolos-nano-en-q5_1", false));
    let answer = whisper.submit(request(speak("What time is it?", "en-us")));
    assert_eq!(answer.blocking_recv().expect("answered").expect("decodes").text, "What time is it?");
    let load = whisper.load_now();
    assert_eq!((load.done, load.running, load.panics), (1, 0, 0));
}

#[test]
fn a_damaged_model_is_an_error_with_a_reason() {
    let mut absurd = BUNDLED.to_vec();
    absurd[4..8].copy_from_slice(&i32::MAX.to_le_bytes());
    let cases: [(&str, &[u8]); 7] = [
        ("empty", &[]),
        ("cut off in the header", &BUNDLED[..30]),
        ("cut off in the vocabulary", &BUNDLED[..200_000]),
        ("cut off in the weights", &BUNDLED[..BUNDLED.len() / 2]),
        ("cut off at the very end", &BUNDLED[..BUNDLED.len() - 1]),
        ("something else", b"PK\x03\x04 this is not a model, whatever its name says"),
        ("absurd dimensions", &absurd),
    ];
    for (name, bytes) in cases {
        let mut file = tempfile::NamedTempFile::new().expect("a scratch file");
        file.write_all(bytes).expect("written");
        let model = WhisperModel::File(file.path().to_path_buf());
        let error = Whisper::load(WhisperSettings { model, ..WhisperSettings::default() }).err().expect(name);
        assert!(
            matches!(&error, EngineError::Failed { reason, .. } if reason.contains("not a whole")),
            "{name}: {error}"
        );
    }
}

#[test]
fn a_missing_model_names_the_setting() {
    for path in ["/nowhere/ggml-base.bin", env!("CARGO_MANIFEST_DIR")] {
        let settings = WhisperSettings { model: WhisperModel::File(path.into()), ..WhisperSettings::default() };
        let error = Whisper::load(settings).err().expect("it is not there");
        assert!(matches!(error, EngineError::ModelMissing { .. }), "{error}");
        assert!(error.hint().contains("ASR_MODEL_NAME") && error.hint().contains("aigolos check"));
    }
}

#[test]
fn a_final_aborts_the_partial_of_its_session() {
    let session = SessionId::fresh();
    let mut long = speak("Set a timer for ten minutes.", "en-us");
    long.append(&Mono16k::silence(9_000 - long.ms()));
    let partial = RecognizeRequest { session, priority: Priority::Partial, ..request(long) };
    let (first, second) = (WHISPER.submit(partial.clone()), WHISPER.submit(partial));
    let last = WHISPER.submit(RecognizeRequest { session, ..request(speak("Cancel that.", "en-us")) });
    // Whether the first was still waiting or already running: one of the two was withdrawn, the last is answered.
    let withdrawn = [first, second].into_iter().filter_map(|answer| answer.blocking_recv().expect("answered").err());
    assert!(withdrawn.into_iter().all(|error| error == EngineError::Superseded));
    assert_eq!(last.blocking_recv().expect("answered").expect("decodes").text, "Cancel that.");
}
