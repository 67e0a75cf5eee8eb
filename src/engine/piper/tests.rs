use std::{fs, path::Path};

use super::*;
use crate::{audio::Pcm, engine::espeak::EspeakSettings};

/// The test voices of this tree, which beep once for each phoneme; see models/test-voice/make.py.
fn test_voices() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("models/test-voice")
}

fn open(settings: &PiperSettings) -> Result<Piper, EngineError> {
    Piper::open(settings, Espeak::open(&EspeakSettings::default()).expect("espeak-ng with its data"))
}

fn piper() -> Piper {
    open(&settings()).expect("ONNX Runtime: run scripts/fetch-onnxruntime.py first")
}

fn settings() -> PiperSettings {
    PiperSettings { folder: test_voices(), ..PiperSettings::default() }
}

fn request(text: &str) -> SpeakRequest {
    SpeakRequest { text: text.into(), voice: None, language: None, speed: 1.0 }
}

fn pieces(mut stream: SpeechStream) -> Result<Vec<Pcm>, EngineError> {
    let mut pieces = Vec::new();
    while let Some(piece) = stream.blocking_recv() {
        pieces.push(piece?);
    }
    Ok(pieces)
}

fn samples(piper: &Piper, request: SpeakRequest) -> Vec<i16> {
    pieces(piper.speak(request)).expect("speech").into_iter().flat_map(|piece| piece.samples).collect()
}

/// How often the sound changes sign in a second: twice its pitch.
fn crossings(samples: &[i16]) -> usize {
    samples.windows(2).filter(|pair| (pair[0] < 0) != (pair[1] < 0)).count() * 22_050 / samples.len()
}

/// A folder with a voice whose files `spoil` may change.
fn folder_with(spoil: impl FnOnce(&Path)) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("scratch");
    for name in ["tone.onnx", "tone.onnx.json"] {
        fs::copy(test_voices().join(name), folder.path().join(name)).expect("copy");
    }
    spoil(folder.path());
    folder
}

fn edit(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).expect("read");
    assert!(text.contains(from), "{from}");
    fs::write(path, text.replace(from, to)).expect("write");
}

#[test]
fn a_sentence_is_phonemes_through_the_real_runtime() {
    let piper = piper();
    let spoken = pieces(piper.speak(request("Hello."))).expect("speech");
    let [piece] = spoken.as_slice() else { panic!("{} pieces", spoken.len()) };
    assert_eq!(piece.rate, crate::audio::SampleRate::HZ_22050);
    // həlˈoʊ. and its start mark: 8 phonemes, each followed by a pad but for the end mark; then the pause.
    let ids = 1 + 7 * 2 + 1;
    assert_eq!(piece.samples.len(), ids * 600 + 22_050 / 5);
    assert!(piece.samples.iter().any(|&sample| sample > 30_000));
    assert_eq!(piece.samples[0], 0, "faded in");
    assert_eq!(piece.samples[ids * 600 - 1], 0, "faded out");
    let sentences = pieces(piper.speak(request("One. Two. Three."))).expect("speech");
    assert_eq!(sentences.len(), 3, "each sentence as it is made");
}

#[test]
fn speed_changes_the_length_and_a_clause_has_no_pause() {
    let piper = piper();
    let length = |text, speed| samples(&piper, SpeakRequest { speed, ..request(text) }).len();
    let clause = length("good morning to you,", 1.0);
    assert_eq!(length("good morning to you,", 2.0) * 2, clause);
    assert_eq!(length("good morning to you,", 0.5), clause * 2);
    assert_eq!(length("good morning to you,", f32::NAN), clause);
    assert_eq!(length("good morning to you.", 1.0), clause + 22_050 / 5);
}

#[test]
fn speakers_are_chosen_by_name_or_number() {
    let piper = piper();
    let pitch = |voice: &str| crossings(&samples(&piper, SpeakRequest { voice: Some(voice.into()), ..request("ah,") }));
    let (low, high) = (pitch("tones#low"), pitch("tones#high"));
    assert!((1_500..2_500).contains(&(high - low)), "one kilohertz higher: {low} {high}");
    assert_eq!(pitch("tones#1"), high);
    assert_eq!(pitch("TONES"), low);
    let listed: Vec<_> = piper.voices().into_iter().map(|voice| (voice.id, voice.name)).collect();
    let named = |id: &str, name: &str| (id.to_owned(), name.to_owned());
    assert_eq!(
        listed,
        [
            named("tone", "Tone (English, United States, test)"),
            named("tones#high", "Tones (English, United States, test), speaker high"),
            named("tones#low", "Tones (English, United States, test), speaker low"),
        ]
    );
    assert!(!piper.has_voice("tones#2") && !piper.has_voice("tones#nobody") && !piper.has_voice("alloy"));
}

#[test]
fn two_workers_speak_at_once_and_give_the_same_sound() {
    let two = NonZeroUsize::new(2).expect("two");
    let piper = open(&PiperSettings { workers: two, loaded: NonZeroUsize::MIN, ..settings() }).expect("piper");
    let alone = samples(&piper, request("This is one of several sentences."));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for voice in ["tone", "tones#high", "tone"] {
                    let request =
                        SpeakRequest { voice: Some(voice.into()), ..request("This is one of several sentences.") };
                    let sound = samples(&piper, request);
                    assert_eq!(sound.len(), alone.len());
                    assert_eq!(sound == alone, voice == "tone");
                }
            });
        }
    });
}

#[test]
fn a_language_without_a_voice_is_an_error_that_says_what_to_do() {
    let piper = piper();
    let error = pieces(piper.speak(request("Привет, мир!"))).expect_err("no Russian voice");
    assert!(error.to_string().contains("language ru") && error.hint().contains("TTS_ENGINE=auto"), "{error}");
    let english = SpeakRequest { language: Some("en-GB".into()), ..request("hello") };
    assert!(pieces(piper.speak(english)).is_ok());
    // A voice asked for by name speaks whatever it is given.
    let named = SpeakRequest { voice: Some("tone".into()), ..request("Привет!") };
    assert!(pieces(piper.speak(named)).is_ok());
}

#[test]
fn nothing_to_say_is_silence_and_too_much_is_refused() {
    let piper = piper();
    for text in ["", " ", "\0", "\n"] {
        assert!(pieces(piper.speak(request(text))).is_ok_and(|pieces| pieces.is_empty()), "{text:?}");
    }
    let error = pieces(piper.speak(request(&"a".repeat(MAX_CHARS + 1)))).expect_err("too long");
    assert!(error.to_string().contains("4000"), "{error}");
    let long = pieces(piper.speak(request(&"Go. ".repeat(MAX_CHARS / 4)))).expect("speech");
    assert!((1..=MAX_PIECES).contains(&long.len()));
}

#[test]
fn a_dropped_listener_frees_its_worker() {
    let piper = open(&PiperSettings { workers: NonZeroUsize::MIN, ..settings() }).expect("piper");
    for _ in 0..10 {
        drop(piper.speak(request(&"This is a sentence. ".repeat(50))));
    }
    assert!(!samples(&piper, request("still here")).is_empty());
}

#[test]
fn a_folder_without_voices_or_a_missing_library_is_an_error_with_a_hint() {
    let empty = tempfile::tempdir().expect("scratch");
    for folder in [empty.path().to_owned(), empty.path().join("nowhere")] {
        let error = open(&PiperSettings { folder, ..settings() }).err().expect("no voices");
        assert!(matches!(error, EngineError::ModelMissing { .. }) && error.hint().contains(".onnx.json"), "{error}");
    }
    let library = Some(empty.path().join("libonnxruntime.so"));
    let error = open(&PiperSettings { library, ..settings() }).err().expect("no library");
    assert!(error.to_string().contains("no file") && error.hint().contains("ORT_DYLIB_PATH"), "{error}");
    let voice = Some("nobody".into());
    let error = open(&PiperSettings { voice, ..settings() }).err().expect("no such voice");
    assert!(error.to_string().contains("nobody") && error.hint().contains("tone"), "{error}");
}

#[test]
fn broken_configurations_are_left_out_and_named() {
    let json = |folder: &Path| folder.join("tone.onnx.json");
    let reason = |spoil: &dyn Fn(&Path)| {
        let folder = folder_with(spoil);
        let error = open(&PiperSettings { folder: folder.path().to_owned(), ..settings() }).err().expect("no voice");
        error.to_string()
    };
    assert!(reason(&|folder| fs::remove_file(json(folder)).expect("remove")).contains(".onnx.json is missing"));
    assert!(reason(&|folder| fs::write(json(folder), "{\"audio\":").expect("write")).contains("is no JSON"));
    assert!(reason(&|folder| fs::write(json(folder), [0xff; 9]).expect("write")).contains("cannot be read"));
    assert!(reason(&|folder| fs::write(json(folder), "[]").expect("write")).contains("names no sample rate"));
    assert!(reason(&|folder| edit(&json(folder), "22050", "4")).contains("4 Hz is outside"));
    assert!(reason(&|folder| edit(&json(folder), "\"espeak\",", "\"pinyin\",")).contains("kind pinyin"));
    assert!(reason(&|folder| edit(&json(folder), "\"voice\"", "\"noise\"")).contains("names no espeak voice"));
    assert!(reason(&|folder| edit(&json(folder), "phoneme_id_map", "map")).contains("no phoneme_id_map"));
    let folder = folder_with(|folder| fs::write(folder.join("other.onnx"), "").expect("write"));
    let piper = open(&PiperSettings { folder: folder.path().to_owned(), ..settings() }).expect("one voice is whole");
    assert_eq!(piper.broken().len(), 1);
    assert!(piper.info().hint.is_some_and(|hint| hint.contains("other.onnx")));
}

#[test]
fn what_a_configuration_may_leave_out_is_filled_in_and_subfolders_are_searched() {
    let folder = folder_with(|folder| {
        edit(&folder.join("tone.onnx.json"), "\"speaker_id_map\": {}", "\"other\": {}");
        edit(&folder.join("tone.onnx.json"), "\"num_speakers\"", "\"other_number\"");
        edit(&folder.join("tone.onnx.json"), "\"inference\"", "\"guess\"");
        let below = folder.join("en/US");
        fs::create_dir_all(&below).expect("folders");
        for name in ["tone.onnx", "tone.onnx.json"] {
            fs::rename(folder.join(name), below.join(name.replace("tone", "en_US-beep-medium"))).expect("move");
        }
    });
    let piper = open(&PiperSettings { folder: folder.path().to_owned(), ..settings() }).expect("a voice");
    assert_eq!(piper.voices()[0].name, "Beep (English, United States, test)");
    assert!(!samples(&piper, request("hello")).is_empty());
}

#[test]
fn a_broken_network_costs_its_sentences_and_nothing_else() {
    let whole = fs::read(test_voices().join("tone.onnx")).expect("read");
    let broken =
        [("garbage", b"this is not a network".as_slice()), ("cut short", &whole[..whole.len() / 2]), ("empty", b"")];
    for (what, bytes) in broken {
        let folder = folder_with(|folder| {
            for name in ["tone.onnx", "tone.onnx.json"] {
                fs::copy(folder.join(name), folder.join(name.replace("tone", "whole"))).expect("copy");
            }
            fs::write(folder.join("tone.onnx"), bytes).expect("write");
        });
        let one = NonZeroUsize::MIN;
        let piper =
            open(&PiperSettings { folder: folder.path().to_owned(), workers: one, ..settings() }).expect("piper");
        let speak = |voice: &str| pieces(piper.speak(SpeakRequest { voice: Some(voice.into()), ..request("hello") }));
        for _ in 0..2 {
            let error = speak("tone").expect_err(what);
            assert!(matches!(error, EngineError::ModelMissing { .. }) && error.to_string().contains("tone"), "{error}");
            assert!(speak("whole").is_ok_and(|pieces| !pieces.is_empty()), "{what}");
        }
    }
}

#[test]
fn a_network_of_another_make_is_an_error_not_a_panic() {
    // It is told that there are speakers, but its network takes none.
    let folder =
        folder_with(|folder| edit(&folder.join("tone.onnx.json"), "\"num_speakers\": 1", "\"num_speakers\": 2"));
    let piper = open(&PiperSettings { folder: folder.path().to_owned(), ..settings() }).expect("piper");
    for _ in 0..3 {
        let error = pieces(piper.speak(request("hello"))).expect_err("wrong inputs");
        assert!(matches!(error, EngineError::Failed { engine: "piper", .. }), "{error}");
    }
}

#[test]
fn voices_that_nobody_uses_leave_memory_and_speak_again() {
    let piper = piper();
    let spoken = samples(&piper, request("one."));
    assert!(piper.info().loaded && !spoken.is_empty());
    let (soon, later) = (Instant::now(), Instant::now() + Duration::from_mins(11));
    assert!(!piper.rest(soon, Duration::from_mins(10)), "too soon");
    let until = |loaded: bool| {
        let began = Instant::now();
        while piper.info().loaded != loaded {
            assert!(began.elapsed() < Duration::from_secs(30), "loaded should be {loaded}");
            std::thread::yield_now();
        }
    };
    // Its thread may still be putting the voice back.
    while !piper.rest(later, Duration::from_mins(10)) {
        assert!(later.elapsed().is_zero());
        std::thread::yield_now();
    }
    until(false);
    piper.wake();
    piper.wake();
    until(true);
    assert_eq!(samples(&piper, request("one.")).len(), spoken.len());
}

#[test]
fn a_change_of_the_folder_is_seen() {
    let folder = folder_with(|_| {});
    let before = stamps(folder.path());
    assert_eq!((before.len(), &stamps(folder.path())), (1, &before));
    edit(&folder.path().join("tone.onnx.json"), "22050", "8000");
    let changed = stamps(folder.path());
    assert_ne!(changed, before);
    fs::remove_file(folder.path().join("tone.onnx")).expect("remove");
    assert_eq!(stamps(folder.path()), []);
    assert!(!Piper::has_files(folder.path(), "tone"));
}
