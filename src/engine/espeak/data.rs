//! Where espeak-ng's voice data lies.
//!
//! The build of espeak-ng leaves it in the build folder, packages put it beside the executable or under `share`,
//! distributions under `/usr`. Each place is checked for the data format the linked espeak-ng reads before the
//! machine is started on it, since a mismatch found inside is reported on stderr only.

use std::{
    fs,
    io::Read,
    path::{Path, PathBuf},
};

use crate::engine::EngineError;

/// The format of `phondata` that the linked espeak-ng (1.52) reads: `version_phdata` in its synthdata.c.
const FORMAT: u32 = 0x01_48_01;

/// espeak-ng keeps its path in 160 bytes; a longer one would be cut.
const MAX_PATH: usize = 159;

const FOLDER: &str = "espeak-ng-data";

/// The data folder: `setting` alone if given, else the first usable one of the usual places.
pub(super) fn find(setting: Option<&Path>) -> Result<PathBuf, EngineError> {
    if let Some(path) = setting {
        let nested = path.join(FOLDER);
        let folder = if nested.is_dir() { nested } else { path.to_owned() };
        return usable(&folder)
            .map(|()| folder)
            .map_err(|reason| missing(&reason, "set ESPEAK_DATA to a folder espeak-ng-data of espeak-ng 1.52"));
    }
    let executable = std::env::current_exe().ok().and_then(|path| path.canonicalize().ok());
    first_usable(executable.as_deref().map(near).unwrap_or_default().into_iter().chain(of_the_system()))
}

fn first_usable(places: impl Iterator<Item = PathBuf>) -> Result<PathBuf, EngineError> {
    let mut reasons = Vec::new();
    for folder in places.filter(|folder| folder.is_dir()) {
        match usable(&folder) {
            Ok(()) => return Ok(folder),
            Err(reason) => reasons.push(reason),
        }
    }
    let reason = if reasons.is_empty() { "no folder espeak-ng-data found".to_owned() } else { reasons.join("; ") };
    Err(missing(&reason, "keep the folder espeak-ng-data beside the executable, or set ESPEAK_DATA to where it is"))
}

/// Places that belong to the executable, nearest first.
fn near(executable: &Path) -> Vec<PathBuf> {
    let Some(folder) = executable.parent() else { return Vec::new() };
    let mut places = vec![folder.join(FOLDER)];
    if let Some(parent) = folder.parent() {
        places.push(parent.join("share/aigolos").join(FOLDER));
        // Tests lie in target/PROFILE/deps, examples in target/PROFILE/examples, the server in target/PROFILE.
        places.push(parent.join(FOLDER));
        places.extend(of_the_build(folder));
        places.extend(of_the_build(parent));
    }
    places
}

/// What cargo built in `profile` (target/debug or target/release), newest first.
fn of_the_build(profile: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(profile.join("build")) else { return Vec::new() };
    let mut found: Vec<_> = entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("espeak-rs-sys-"))
        .map(|entry| entry.path().join("out/share").join(FOLDER))
        .filter_map(|folder| Some((fs::metadata(folder.join("phondata")).ok()?.modified().ok()?, folder)))
        .collect();
    found.sort_unstable_by(|a, b| b.cmp(a));
    found.into_iter().map(|(_, folder)| folder).collect()
}

fn of_the_system() -> Vec<PathBuf> {
    let mut places = vec![Path::new("/usr/share/aigolos").join(FOLDER), Path::new("/usr/lib").join(FOLDER)];
    if let Ok(entries) = fs::read_dir("/usr/lib") {
        let mut triples: Vec<_> = entries.filter_map(Result::ok).map(|entry| entry.path().join(FOLDER)).collect();
        triples.sort_unstable();
        places.extend(triples);
    }
    places.extend(["/usr/local/share", "/usr/share"].map(|root| Path::new(root).join(FOLDER)));
    places
}

/// Whether espeak-ng can start on `folder`; if not, why.
fn usable(folder: &Path) -> Result<(), String> {
    let shown = folder.display();
    if folder.as_os_str().len() > MAX_PATH {
        return Err(format!("{shown} has a path longer than the {MAX_PATH} bytes espeak-ng can hold"));
    }
    for part in ["phontab", "phonindex", "intonations", "en_dict", "lang"] {
        if !folder.join(part).exists() {
            return Err(format!("{shown} lacks {part}"));
        }
    }
    let mut head = [0; 4];
    fs::File::open(folder.join("phondata"))
        .and_then(|mut file| file.read_exact(&mut head))
        .map_err(|error| format!("{shown} has no readable phondata ({error})"))?;
    match u32::from_le_bytes(head) {
        FORMAT => Ok(()),
        other => Err(format!("{shown} has format {other:#08x}, needed is {FORMAT:#08x}")),
    }
}

fn missing(reason: &str, hint: &str) -> EngineError {
    EngineError::ModelMissing { name: format!("espeak-ng voice data: {reason}"), hint: hint.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(result: Result<PathBuf, EngineError>) -> String {
        let error = result.expect_err("must not be usable");
        assert!(error.hint().contains("ESPEAK_DATA"), "{}", error.hint());
        error.to_string()
    }

    #[test]
    fn the_build_leaves_data_that_a_test_binary_finds() {
        let folder = find(None).expect("data");
        assert!(folder.join("ru_dict").exists(), "{}", folder.display());
        assert_eq!(find(Some(&folder)), Ok(folder.clone()));
        assert_eq!(find(folder.parent()), Ok(folder), "the folder above is understood too");
    }

    #[test]
    fn unusable_data_says_what_is_wrong_with_it() {
        let scratch = tempfile::tempdir().expect("scratch");
        assert!(reason(find(Some(&scratch.path().join("nowhere")))).contains("lacks phontab"));
        for part in ["phontab", "phonindex", "intonations", "en_dict", "lang"] {
            fs::write(scratch.path().join(part), "").expect("write");
        }
        assert!(reason(find(Some(scratch.path()))).contains("no readable phondata"));
        fs::write(scratch.path().join("phondata"), [0, 0x47, 1, 0]).expect("write");
        assert!(reason(find(Some(scratch.path()))).contains("has format 0x014700, needed is 0x014801"));
        let long = scratch.path().join("x".repeat(200));
        assert!(reason(find(Some(&long))).contains("longer than the 159 bytes"));
    }

    #[test]
    fn a_bad_place_is_passed_over_for_a_good_one_and_none_at_all_is_said() {
        let scratch = tempfile::tempdir().expect("scratch");
        let good = find(None).expect("data");
        let places = vec![scratch.path().to_owned(), good.clone()];
        assert_eq!(first_usable(places.into_iter()), Ok(good));
        assert!(reason(first_usable(std::iter::empty())).contains("no folder espeak-ng-data found"));
        assert!(reason(first_usable(std::iter::once(scratch.path().to_owned()))).contains("lacks phontab"));
    }
}
