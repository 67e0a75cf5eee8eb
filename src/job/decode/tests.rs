use std::{f64::consts::TAU, io::Write, path::Path, process::Command};

use proptest::prelude::*;

use super::*;
use crate::{
    audio::{Mp3, OggOpus, OpusSettings, Pcm, SampleRate, wav_stream_head, write_wav},
    job::kind::kind_of,
};

const HOUR: Duration = Duration::from_hours(1);

/// A tone of 440 Hz.
fn tone(rate: SampleRate, ms: u32) -> Pcm {
    let sample = |n| (9_000.0 * (TAU * 440.0 * n as f64 / f64::from(rate.hz())).sin()) as i16;
    Pcm::new(rate, (0..rate.samples_in_ms(ms)).map(sample).collect())
}

fn read_within(bytes: &[u8], name: &str, longest: Duration) -> Result<Mono16k, DecodeError> {
    let mut file = tempfile::tempfile().expect("room for a file");
    file.write_all(bytes).expect("room for a file");
    let (kind, start) = kind_of(&mut file, name, None)?.map_err(|error| DecodeError::Unreadable(error.to_string()))?;
    decode(file, kind, start, longest, |_| true)
}

fn read(bytes: &[u8], name: &str) -> Result<Mono16k, DecodeError> {
    read_within(bytes, name, HOUR)
}

/// Periods of the tone a second, and its loudness, away from the edges.
fn heard(audio: &Mono16k) -> (usize, f64) {
    let middle = &audio.samples()[audio.len() / 2 - 8_000..audio.len() / 2 + 8_000];
    let periods = middle.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
    (periods, (middle.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / 16_000.0).sqrt())
}

fn mp3(pcm: &Pcm) -> Vec<u8> {
    let mut stream = Mp3::new();
    let mut file = stream.push(pcm);
    file.extend(stream.finish());
    file
}

fn endless_wav(pcm: &Pcm) -> Vec<u8> {
    let mut file = wav_stream_head(pcm.rate);
    file.extend(pcm.samples.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}

/// The tone as sox writes it.
fn sox(name: &str, options: &[&str]) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let (from, to) = (folder.path().join("from.wav"), folder.path().join(name));
    std::fs::write(&from, write_wav(&tone(SampleRate::HZ_44100, 2_000))).expect("room for a file");
    let done = Command::new("sox").arg(&from).args(options).arg(&to).status().expect("sox is installed");
    assert!(done.success(), "sox makes {name}");
    std::fs::read(to).expect("sox made it")
}

#[test]
fn every_container_gives_its_sound_back() {
    let pcm = tone(SampleRate::HZ_24000, 2_000);
    for (name, bytes, slack) in [
        ("a.wav", write_wav(&pcm), 0),
        ("stream.wav", endless_wav(&pcm), 0),
        ("a.mp3", mp3(&pcm), 200),
        ("a.opus", OggOpus::whole(&pcm, OpusSettings::LIVE), 1),
        ("a.ogg", OggOpus::whole(&pcm, OpusSettings::KEPT), 1),
        ("a.flac", sox("a.flac", &[]), 1),
        ("a.ogg", sox("a.ogg", &[]), 1),
        ("two.wav", sox("two.wav", &["-c", "2"]), 1),
        ("bytes.wav", sox("bytes.wav", &["-b", "8"]), 1),
        ("wide.wav", sox("wide.wav", &["-b", "24", "-r", "96000", "-c", "6"]), 1),
        ("float.wav", sox("float.wav", &["-e", "floating-point", "-b", "32", "-r", "192000"]), 1),
        ("low.wav", sox("low.wav", &["-r", "8000"]), 1),
        ("wide.flac", sox("wide.flac", &["-b", "24", "-r", "88200"]), 1),
    ] {
        let audio = read(&bytes, name).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!((2_000 - slack.min(1)..=2_000 + slack).contains(&audio.ms()), "{name}: {} ms", audio.ms());
        let (periods, loudness) = heard(&audio);
        assert!(periods.abs_diff(440) <= 1, "{name}: {periods} Hz");
        assert!((loudness / (9_000.0 / 2.0_f64.sqrt()) - 1.0).abs() < 0.1, "{name}: {loudness}");
    }
}

#[test]
fn what_browsers_and_telephones_record_is_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/recordings");
    for name in ["aac.m4a", "opus.webm", "video.mp4"] {
        let audio = read(&std::fs::read(folder.join(name)).expect("a fixture"), name).expect(name);
        assert!((2_750..3_000).contains(&audio.ms()), "{name}: {} ms", audio.ms());
        let loud = audio.samples().iter().filter(|sample| sample.unsigned_abs() > 1_000).count();
        assert!(loud > 2_000, "{name}: somebody speaks");
        assert!(audio.samples()[..4_800].iter().all(|sample| sample.unsigned_abs() < 100), "{name}: after a pause");
    }
}

#[test]
fn a_file_that_breaks_off_is_read_as_far_as_it_goes() {
    let pcm = tone(SampleRate::HZ_24000, 4_000);
    for (name, bytes) in [
        ("a.wav", write_wav(&pcm)),
        ("a.mp3", mp3(&pcm)),
        ("a.opus", OggOpus::whole(&pcm, OpusSettings::LIVE)),
        ("a.flac", sox("a.flac", &["-C", "0"])),
    ] {
        let half = read(&bytes[..bytes.len() / 2], name).unwrap_or_else(|error| panic!("{name}: {error}"));
        let whole = read(&bytes, name).expect("the whole is read").ms();
        assert!((whole / 4..whole * 7 / 10).contains(&half.ms()), "{name}: {} of {whole} ms", half.ms());
    }
}

#[test]
fn damage_in_the_middle_loses_only_what_it_hit() {
    let pcm = tone(SampleRate::HZ_24000, 4_000);
    for (name, mut bytes) in [("a.mp3", mp3(&pcm)), ("a.opus", OggOpus::whole(&pcm, OpusSettings::LIVE))] {
        let middle = bytes.len() / 2;
        bytes[middle..middle + 300].fill(0x55);
        let audio = read(&bytes, name).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!((3_000..4_300).contains(&audio.ms()), "{name}: {} ms", audio.ms());
    }
}

#[test]
fn two_files_laid_end_to_end_are_one_recording() {
    let one = OggOpus::whole(&tone(SampleRate::HZ_24000, 1_500), OpusSettings::LIVE);
    let audio = read(&[one.clone(), one].concat(), "two.ogg").expect("a recording");
    assert!((2_900..=3_001).contains(&audio.ms()), "{} ms", audio.ms());
}

#[test]
fn what_has_no_sound_says_so() {
    let empty = write_wav(&Pcm::new(SampleRate::HZ_16000, vec![]));
    let head = &mp3(&tone(SampleRate::HZ_24000, 500))[..40];
    for (name, bytes) in [("a.wav", &empty[..]), ("a.flac", b"fLaC"), ("a.webm", b"\x1a\x45\xdf\xa3"), ("a.mp3", head)]
    {
        assert!(matches!(read(bytes, name), Err(DecodeError::Unreadable(_))), "{name}");
    }
}

#[test]
fn the_longest_is_the_longest() {
    let bytes = write_wav(&tone(SampleRate::HZ_16000, 61_000));
    let minute = Duration::from_mins(1);
    assert!(matches!(read_within(&bytes, "a.wav", minute), Err(DecodeError::TooLong(1))));
    assert!(read_within(&bytes, "a.wav", minute * 2).is_ok());
}

#[test]
fn who_asks_may_change_their_mind() {
    let mut file = tempfile::tempfile().expect("room for a file");
    file.write_all(&write_wav(&tone(SampleRate::HZ_16000, 30_000))).expect("room for a file");
    let mut told = vec![];
    let ended = decode(file, SoundKind::Wav, 0, HOUR, |fraction| {
        told.push(fraction);
        told.len() < 5
    });
    assert!(matches!(ended, Err(DecodeError::Cancelled)));
    assert!(told.is_sorted() && told[0] > 0.0, "{told:?}");
}

/// Small files of every kind, made once.
fn samples() -> &'static [(&'static str, Vec<u8>)] {
    static SAMPLES: OnceLock<Vec<(&str, Vec<u8>)>> = OnceLock::new();
    SAMPLES.get_or_init(|| {
        let pcm = tone(SampleRate::HZ_24000, 200);
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/recordings");
        let fixture = |name: &'static str| (name, std::fs::read(folder.join(name)).expect("a fixture"));
        vec![
            ("a.wav", write_wav(&pcm)),
            ("a.mp3", mp3(&pcm)),
            ("a.opus", OggOpus::whole(&pcm, OpusSettings::LIVE)),
            ("a.flac", sox("a.flac", &[])),
            ("a.ogg", sox("a.ogg", &[])),
            fixture("aac.m4a"),
            fixture("opus.webm"),
            fixture("video.mp4"),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Whatever comes back comes back: no panic, no endless reading, no more sound than is allowed.
    #[test]
    fn no_damage_makes_it_panic(
        which in 0_usize..8,
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..24),
        early in any::<bool>(),
        cut in any::<prop::sample::Index>(),
    ) {
        let (name, bytes) = &samples()[which];
        let mut bytes = bytes.clone();
        for (at, value) in damage {
            // Headers are where the numbers are that decoders believe.
            let reach = if early { bytes.len().min(400) } else { bytes.len() };
            bytes[at.index(reach)] = value;
        }
        if !early {
            bytes.truncate(cut.index(bytes.len()) + 1);
        }
        if let Ok(audio) = read_within(&bytes, name, Duration::from_mins(1)) {
            prop_assert!(audio.len() <= 60 * 16_000 + 16_000);
        }
    }

    #[test]
    fn random_bytes_behind_a_good_beginning(which in 0_usize..8, keep in 4_usize..120, noise in proptest::collection::vec(any::<u8>(), 0..3_000)) {
        let (name, bytes) = &samples()[which];
        let file = [&bytes[..keep.min(bytes.len())], &noise].concat();
        let _ = read_within(&file, name, Duration::from_mins(1));
    }
}
