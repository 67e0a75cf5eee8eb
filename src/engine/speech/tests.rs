use std::path::Path;

use super::*;

fn settings(engine: SpeechEngine) -> SpeechSettings {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models/test-voice");
    SpeechSettings { engine, piper: PiperSettings { folder, ..PiperSettings::default() }, ..SpeechSettings::default() }
}

fn without_voices(engine: SpeechEngine) -> SpeechSettings {
    let mut settings = settings(engine);
    settings.piper.folder = "/nowhere/at/all".into();
    settings
}

fn request(text: &str, language: Option<&str>) -> SpeakRequest {
    SpeakRequest { text: text.into(), voice: None, language: language.map(Into::into), speed: 1.0 }
}

fn total(mut stream: SpeechStream) -> Result<usize, EngineError> {
    let mut samples = 0;
    while let Some(piece) = stream.blocking_recv() {
        samples += piece?.samples.len();
    }
    Ok(samples)
}

#[test]
fn auto_speaks_with_piper_and_leaves_other_languages_to_espeak() {
    let speech = choose(&settings(SpeechEngine::Auto)).expect("speech");
    let info = speech.info();
    assert_eq!((info.engine.as_str(), info.model.as_str(), info.demo), ("piper", "tone", false));
    assert!(info.hint.is_some_and(|hint| hint.contains("espeak-ng")) && info.languages.contains(&"ru".into()));
    let voices = speech.voices();
    assert_eq!(voices[0].id, "tone");
    assert!(voices.iter().any(|voice| voice.id == "ru" && voice.name == "Russian, espeak-ng"));
    assert!(!voices.iter().any(|voice| voice.id == "en-us"), "Piper has English");
    // The test voice gives 600 samples a phoneme and a fifth of a second of pause.
    let beeps = total(speech.speak(request("Hello.", Some("en")))).expect("beeps");
    assert_eq!((beeps - 4_410) % 600, 0);
    for russian in [request("Привет!", Some("ru")), request("Привет!", None), request("Привет!", Some("en"))]
    {
        assert!(total(speech.speak(russian)).is_ok_and(|samples| samples > 5_000));
    }
    let named = SpeakRequest { voice: Some("de".into()), ..request("Guten Tag", Some("en")) };
    assert!(total(speech.speak(named)).is_ok_and(|samples| samples > 5_000));
}

#[test]
fn each_sentence_has_a_speaker_and_a_script_its_voice() {
    let speech = choose(&settings(SpeechEngine::Auto)).expect("speech");
    let speaker = |text: &str| {
        let speaker = speech.speaker(&request(text, None));
        format!("{} {}", speaker.engine, speaker.voice)
    };
    for (text, by) in [
        ("Hello.", "piper tone"),
        ("Привет!", "espeak ru"),
        ("Зараз у Києві тепло.", "espeak uk"),
        ("สวัสดีครับ", "espeak th"),
        ("ሰላም ዓለም", "espeak am"),
        ("မင်္ဂလာပါ", "espeak my"),
        ("Բարև աշխարհ", "espeak hy"),
        ("హలో", "espeak te"),
        ("გამარჯობა", "espeak ka"),
        ("سلام دنیا، چطوری؟", "espeak fa"),
        ("یہ کیا ہے", "espeak ur"),
    ] {
        assert_eq!(speaker(text), by, "{text}");
    }
    assert_eq!(spoken_language(speech.as_ref(), None, None).as_deref(), Some("en"), "the default voice's");
    assert_eq!(spoken_language(speech.as_ref(), None, Some("de")).as_deref(), Some("de"));
    assert_eq!(
        spoken_language(speech.as_ref(), Some("fr-fr"), Some("de")).as_deref(),
        Some("fr-fr"),
        "the voice speaks"
    );
}

#[test]
fn auto_without_voices_is_espeak_and_says_so() {
    let speech = choose(&without_voices(SpeechEngine::Auto)).expect("espeak-ng");
    let info = speech.info();
    assert!(info.engine == "espeak" && info.demo);
    let hint = info.hint.expect("why");
    assert!(hint.contains("Piper is not in use") && hint.contains("/nowhere/at/all"), "{hint}");
    assert!(total(speech.speak(request("hello", None))).is_ok_and(|samples| samples > 5_000));
}

#[test]
fn a_default_voice_may_be_of_either_engine() {
    let with_voice = |engine, voice: &str| {
        let mut settings = settings(engine);
        settings.piper.voice = Some(voice.into());
        settings.espeak.voice = Some(voice.into());
        choose(&settings)
    };
    let named = with_voice(SpeechEngine::Auto, "tones#high").expect("a Piper voice").info();
    assert_eq!((named.engine.as_str(), named.model.as_str()), ("piper", "tones"));
    let british = with_voice(SpeechEngine::Auto, "en-gb").expect("an espeak-ng voice");
    assert_eq!((british.info().engine.as_str(), british.info().model.as_str()), ("espeak", "en-gb"));
    assert!(british.voices().iter().any(|voice| voice.id == "en-gb"));
    // espeak-ng varies the length of a word by a few samples each time; the test voice never does.
    let beeps = total(choose(&settings(SpeechEngine::Piper)).expect("piper").speak(request("Hello.", None)));
    let beeps = beeps.expect("beeps");
    for text in [request("Hello.", None), request("Hello.", Some("en"))] {
        let spoken = total(british.speak(text)).expect("speech");
        assert!(spoken.abs_diff(beeps) > 1_000, "not beeps: {spoken} samples, and {beeps}");
    }
    assert!(with_voice(SpeechEngine::Piper, "tones").is_ok());
    for engine in [SpeechEngine::Auto, SpeechEngine::Piper, SpeechEngine::Espeak] {
        assert!(with_voice(engine, "nobody").is_err_and(|error| error.to_string().contains("nobody")));
    }
}

#[test]
fn a_named_speaker_is_the_default_one() {
    let of = |voice: &str| {
        let mut settings = settings(SpeechEngine::Piper);
        settings.piper.voice = Some(voice.into());
        let mut stream = choose(&settings).expect("piper").speak(request("ah,", None));
        stream.blocking_recv().expect("a piece").expect("speech").samples
    };
    assert_ne!(of("tones#high"), of("tones#low"));
    assert_eq!(of("tones"), of("tones#low"));
}

#[test]
fn auto_with_a_bad_library_is_espeak_and_says_so() {
    let mut settings = settings(SpeechEngine::Auto);
    settings.piper.library = Some("/nowhere/libonnxruntime.so".into());
    let info = choose(&settings).expect("espeak-ng").info();
    assert!(info.engine == "espeak" && info.hint.is_some_and(|hint| hint.contains("/nowhere/libonnxruntime.so")));
}

#[test]
fn what_is_asked_for_by_name_is_given_or_refused() {
    assert_eq!(choose(&settings(SpeechEngine::Espeak)).expect("espeak-ng").info().engine, "espeak");
    let piper = choose(&settings(SpeechEngine::Piper)).expect("piper");
    assert!(piper.info().engine == "piper" && piper.voices().iter().all(|voice| voice.id.starts_with("tone")));
    assert!(total(piper.speak(request("Привет", Some("ru")))).is_err(), "nothing in its place unsaid");
    let error = choose(&without_voices(SpeechEngine::Piper)).err().expect("no voices");
    assert!(matches!(error, EngineError::ModelMissing { .. }), "{error}");
    assert_eq!("Auto".parse(), Ok(SpeechEngine::Auto));
    assert_eq!("espeak-ng".parse(), Ok(SpeechEngine::Espeak));
    assert!("festival".parse::<SpeechEngine>().is_err_and(|error| error.contains("festival")));
}

#[test]
fn the_script_of_a_text_outweighs_a_language_that_is_not_written_in_it() {
    let of = |text, tag| language(&request(text, tag));
    for (text, tag, expected) in [
        ("hello", None, None),
        ("hello", Some("en-GB"), Some("en-GB")),
        ("bonjour", Some("fr"), Some("fr")),
        ("Привет", None, Some("ru")),
        ("Привет", Some("en"), Some("ru")),
        ("Привіт", Some("uk"), Some("uk")),
        ("слово word and more words", Some("en"), Some("en")),
        ("你好。", Some("en"), Some("zh")),
        ("今日は天気", Some("en"), Some("ja")),
        ("日本語です", None, Some("ja")),
        ("123", Some(""), None),
        ("", None, None),
    ] {
        assert_eq!(of(text, tag).as_deref(), expected, "{text} {tag:?}");
    }
}
