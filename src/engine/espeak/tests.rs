use super::*;
use crate::audio::Pcm;

fn espeak() -> Espeak {
    Espeak::open(&EspeakSettings::default()).expect("espeak-ng with its data")
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

fn samples(espeak: &Espeak, request: SpeakRequest) -> Vec<i16> {
    pieces(espeak.speak(request)).expect("speech").into_iter().flat_map(|piece| piece.samples).collect()
}

fn loudest(samples: &[i16]) -> u16 {
    samples.iter().map(|sample| sample.unsigned_abs()).max().unwrap_or(0)
}

#[test]
fn a_sentence_comes_in_short_pieces_that_are_not_silence() {
    let spoken = pieces(espeak().speak(request("Good morning, how are you today?"))).expect("speech");
    assert!(spoken.len() > 10, "{} pieces", spoken.len());
    assert!(spoken.iter().all(|piece| piece.duration().as_millis() <= 100 && piece.rate.hz() == 22_050));
    let all: Vec<i16> = spoken.into_iter().flat_map(|piece| piece.samples).collect();
    assert!((22_050..66_150).contains(&all.len()), "{} samples", all.len());
    assert!(loudest(&all) > 5_000);
    // It ends in silence, so that sentences join without a click.
    assert!(loudest(&all[all.len() - 100..]) < 100);
}

#[test]
fn a_clause_is_followed_by_a_shorter_pause_than_a_sentence() {
    let espeak = espeak();
    let pause =
        |text| samples(&espeak, request(text)).iter().rev().take_while(|sample| sample.unsigned_abs() < 50).count();
    let (sentence, clause) = (pause("Good morning."), pause("Good morning,"));
    assert!(clause < sentence, "{clause} {sentence}");
    assert!(sentence > 22_050 / 10);
}

#[test]
fn speed_changes_the_length() {
    let espeak = espeak();
    let length = |speed| samples(&espeak, SpeakRequest { speed, ..request("one two three four five six seven") }).len();
    let normal = length(1.0);
    assert!(length(2.0) * 3 < normal * 2);
    assert!(length(4.0) < length(2.0));
    assert!(length(0.5) * 2 > normal * 3);
    assert!(length(f32::NAN).abs_diff(normal) < normal / 10, "nonsense counts as normal");
    assert!(length(1e9) > 0);
}

#[test]
fn voices_are_many_readable_and_each_is_listed_once() {
    let voices = espeak().voices();
    assert!(voices.iter().all(|voice| voice.id != "xex"), "a test language without a dictionary");
    for wanted in ["en-us", "en-gb", "ru", "de", "fr-fr", "es", "it"] {
        assert!(voices.iter().any(|voice| voice.id == wanted), "{wanted}");
    }
    let russian = voices.iter().find(|voice| voice.id == "ru").expect("listed above");
    assert_eq!((russian.name.as_str(), russian.language.as_str()), ("Russian", "ru"));
    let mut ids: Vec<_> = voices.iter().map(|voice| &voice.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), voices.len());
    assert!(espeak().info().languages.contains(&"ru".to_owned()));
}

#[test]
fn voice_wins_over_language_and_language_over_the_default() {
    let espeak = espeak();
    let chosen = |voice: Option<&str>, language: Option<&str>| {
        let request =
            SpeakRequest { voice: voice.map(Into::into), language: language.map(Into::into), ..request("hello") };
        espeak.choose(&request).to_owned()
    };
    assert_eq!(chosen(None, None), "en-us");
    assert_eq!(chosen(Some("de"), Some("ru")), "de");
    assert_eq!(chosen(Some("alloy"), Some("ru")), "ru");
    assert_eq!(chosen(None, Some("en")), "en-us");
    assert_eq!(chosen(Some("nobody"), Some("xx")), "en-us");
    let british = Espeak::open(&EspeakSettings { voice: Some("en-GB".into()), ..EspeakSettings::default() });
    let british = british.expect("a voice espeak-ng has");
    assert_eq!(british.choose(&SpeakRequest { language: Some("en".into()), ..request("hello") }), "en-gb");
}

#[test]
fn a_voice_or_data_that_is_not_there_is_an_error_with_a_hint() {
    let unknown = EspeakSettings { voice: Some("klingon-queen".into()), ..EspeakSettings::default() };
    let error = Espeak::open(&unknown).err().expect("no such voice");
    assert!(error.hint().contains("TTS_VOICE"), "{error}");
    let nowhere = EspeakSettings { data: Some("/nowhere/at/all".into()), ..EspeakSettings::default() };
    let error = Espeak::open(&nowhere).err().expect("no such folder");
    assert!(matches!(error, EngineError::ModelMissing { .. }) && error.hint().contains("ESPEAK_DATA"), "{error}");
}

#[test]
fn every_voice_of_the_list_can_speak() {
    let espeak = espeak();
    for voice in espeak.voices() {
        let text = if voice.language == "ru" { "раз" } else { "1 2" };
        let spoken = pieces(espeak.speak(SpeakRequest { voice: Some(voice.id.clone()), ..request(text) }));
        assert!(spoken.is_ok_and(|pieces| !pieces.is_empty()), "{}", voice.id);
    }
}

#[test]
fn a_dropped_listener_stops_the_work_and_the_next_is_served() {
    let espeak = espeak();
    let long = "This is a sentence that goes on. ".repeat(100);
    for _ in 0..20 {
        let mut stream = espeak.speak(request(&long));
        assert!(stream.blocking_recv().is_some_and(|piece| piece.is_ok()));
        drop(stream);
    }
    assert!(loudest(&samples(&espeak, request("still here"))) > 5_000);
}

#[test]
fn what_cannot_be_spoken_is_empty_or_refused_never_a_hang() {
    let espeak = espeak();
    for text in [
        "",
        " ",
        "...",
        "\0",
        "a\0b",
        "\u{1}100S hello",
        "[[h@l'oU]]",
        "<speak><break time='60s'/></speak>",
        "🎉",
        "\u{202e}",
    ] {
        assert!(pieces(espeak.speak(request(text))).is_ok(), "{text:?}");
        assert!(espeak.phonemes(text, "en-us").is_ok(), "{text:?}");
    }
    let error = pieces(espeak.speak(request(&"a".repeat(MAX_CHARS + 1)))).expect_err("too long");
    assert!(error.to_string().contains("4000"), "{error}");
    assert!(espeak.phonemes(&"a".repeat(MAX_CHARS + 1), "en-us").is_err());
    assert!(espeak.phonemes("hello", "no-such-voice").is_err());
}

#[test]
fn text_that_makes_minutes_of_sound_is_cut_with_an_error() {
    // Each digit group is read out as a number of many words.
    let text = "987654321 ".repeat(MAX_CHARS / 10);
    let request = SpeakRequest { speed: 0.25, ..request(&text) };
    let mut stream = espeak().speak(request);
    let (mut sound, mut error) = (0, None);
    while let Some(piece) = stream.blocking_recv() {
        match piece {
            Ok(piece) => sound += piece.samples.len(),
            Err(found) => error = Some(found),
        }
    }
    assert!((22_050 * 60..22_050 * 60 * 6).contains(&sound), "{sound} samples");
    assert!(error.is_some_and(|error| error.to_string().contains("more sound than")));
}

#[test]
fn phonemes_keep_their_marks_and_come_sentence_by_sentence() {
    let espeak = espeak();
    let phonemes = |text, voice| espeak.phonemes(text, voice).expect("phonemes");
    assert_eq!(phonemes("test", "en-us"), ["tˈɛst."]);
    assert_eq!(phonemes("Hello, world! How are you?", "en-us"), ["həlˈoʊ, wˈɜːld!", "hˈaʊ ɑːɹ juː?"]);
    assert_eq!(phonemes("I am 3.14 years (old); really: yes", "en-us").len(), 1);
    let russian = phonemes("Привет, как дела? Hello. Хорошо!", "ru");
    assert_eq!(russian.len(), 3);
    assert!(russian.concat().chars().all(|c| c != '(' && c != ')'), "{russian:?}");
    assert_eq!(phonemes("one\ntwo", "en").len(), 2);
}

#[test]
fn speech_and_phonemes_share_the_machine_without_mixing_up() {
    let espeak = espeak();
    let alone = espeak.phonemes("Good morning, my friend.", "en-us");
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..20 {
                    assert_eq!(espeak.phonemes("Good morning, my friend.", "en-us"), alone);
                    let german = SpeakRequest { voice: Some("de".into()), ..request("Guten Morgen") };
                    assert!(loudest(&samples(&espeak, german)) > 5_000);
                }
            });
        }
    });
}
