//! The recordings, and what is said in them.

use std::{collections::BTreeMap, path::PathBuf, process::Command, sync::OnceLock};

use aigolos::audio::{Mono16k, Resampler, read_wav};

use crate::openai_rest::client::sound_in;

/// One recording.
pub struct Spoken {
    pub name: String,
    pub text: String,
    pub language: String,
    /// The file as it is.
    pub file: Vec<u8>,
    pub samples: Vec<i16>,
}

impl Spoken {
    /// With the silence behind it that a microphone would hear.
    pub fn with_silence(&self) -> Vec<i16> {
        let mut samples = self.samples.clone();
        samples.resize(samples.len() + 24_000, 0);
        samples
    }
}

pub fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/recordings/real")
}

/// All that `truth.tsv` names, by the file's name without its ending.
fn all() -> &'static BTreeMap<String, Spoken> {
    static ALL: OnceLock<BTreeMap<String, Spoken>> = OnceLock::new();
    ALL.get_or_init(|| {
        let table = std::fs::read_to_string(folder().join("truth.tsv")).expect("the table of recordings");
        let mut lines = table.lines().map(|line| line.split('\t').collect::<Vec<_>>());
        let head = lines.next().expect("a head");
        let column = |name: &str| head.iter().position(|known| *known == name).expect("a column");
        let (file, text, language) = (column("file"), column("text"), column("lang"));
        let read = |line: Vec<&str>| {
            let bytes = std::fs::read(folder().join(line[file])).expect("a recording of the table");
            let name = line[file].trim_end_matches(".flac").to_owned();
            let samples = sound_in(&bytes).samples().to_vec();
            let spoken = Spoken {
                name: name.clone(),
                text: line[text].into(),
                language: line[language].into(),
                file: bytes,
                samples,
            };
            (name, spoken)
        };
        lines.map(read).collect()
    })
}

pub fn in_language(language: &str) -> Vec<&'static Spoken> {
    all().values().filter(|spoken| spoken.language == language).collect()
}

pub fn named(names: &[&str]) -> Vec<&'static Spoken> {
    names.iter().map(|name| all().get(*name).unwrap_or_else(|| panic!("no recording {name}"))).collect()
}

/// Short ones, clearly spoken by several people: what live doors are tried with, since each takes as long as it is.
pub fn short() -> Vec<&'static Spoken> {
    named(&[
        "ohf_what_time_is_it",
        "ohf_next",
        "harvard_spk1_snt2",
        "ohf_lock_the_front_door",
        "ohf_is_the_garage_door_open",
        "arctic_a0009",
        "ohf_what_s_the_weather",
        "sphinx_something",
        "ohf_turn_off_all_of_the_lights_in_the_office",
    ])
}

/// `text` by espeak-ng's voice of a language of which there are no recordings.
pub fn stand_in(text: &str, voice: &str) -> Mono16k {
    let output = Command::new("espeak-ng").args(["-v", voice, "-s", "140", "--stdout", text]).output();
    let output = output.expect("espeak-ng is installed");
    Resampler::whole(&read_wav(output.stdout.as_slice()).expect("espeak-ng writes WAV"))
}
