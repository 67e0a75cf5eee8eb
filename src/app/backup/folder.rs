//! The folder of backups: their names, which there are, and which may go.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

/// How names begin, tell the moment in UTC, and end.
const NAME: &str = "aigolos-%Y%m%dT%H%M%SZ.tar.gz";

/// A backup in the folder, as its name has it. Whether it is whole, only reading it tells.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kept {
    pub at: Timestamp,
    pub path: PathBuf,
    pub bytes: u64,
}

/// The name of a backup made at that moment.
#[must_use]
pub fn name_of(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime(NAME).to_string()
}

/// The backups in `folder`, the newest last. Other files are not looked at; a folder that is not there has none.
///
/// # Errors
/// When it cannot be read.
pub fn kept(folder: &Path) -> io::Result<Vec<Kept>> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let Some(at) = entry.file_name().to_str().and_then(moment_of) else { continue };
        // Not through links, and one that was just removed is none.
        let Ok(metadata) = entry.metadata() else { continue };
        if metadata.is_file() {
            found.push(Kept { at, path: entry.path(), bytes: metadata.len() });
        }
    }
    found.sort();
    Ok(found)
}

/// Removes the oldest backups until `keep` are left; 0 keeps all. Gives those that went.
///
/// # Errors
/// When one cannot be removed; the others stay too.
pub fn prune(folder: &Path, keep: u32) -> io::Result<Vec<PathBuf>> {
    let all = kept(folder)?;
    let too_many = if keep == 0 { 0 } else { all.len().saturating_sub(keep as usize) };
    let mut gone = Vec::new();
    for Kept { path, .. } in all.into_iter().take(too_many) {
        fs::remove_file(&path)?;
        gone.push(path);
    }
    Ok(gone)
}

fn moment_of(name: &str) -> Option<Timestamp> {
    let at = DateTime::strptime(NAME, name).ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp();
    // Each has one spelling.
    (name_of(at) == name).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_our_name_is_ever_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let ours =
            ["aigolos-20251231T235959Z.tar.gz", "aigolos-20260101T000000Z.tar.gz", "aigolos-20260102T030405Z.tar.gz"];
        let others = [
            "aigolos-20240101T000000Z.tar",
            "aigolos-20240101T000000Z.tar.gz.part",
            "my-aigolos-20240101T000000Z.tar.gz",
            "aigolos-20241301T000000Z.tar.gz",
            "aigolos-2024-01-01.tar.gz",
            "notes.txt",
        ];
        for name in ours.iter().chain(&others) {
            fs::write(folder.path().join(name), "x").expect("written");
        }
        fs::create_dir(folder.path().join("aigolos-20230101T000000Z.tar.gz")).expect("made");
        let names = |kept: Vec<Kept>| -> Vec<String> {
            kept.iter().filter_map(|kept| Some(kept.path.file_name()?.to_str()?.to_owned())).collect()
        };
        assert_eq!(names(kept(folder.path()).expect("read")), ours);
        assert_eq!(prune(folder.path(), 0).expect("pruned"), Vec::<PathBuf>::new());
        assert_eq!(prune(folder.path(), 2).expect("pruned"), [folder.path().join(ours[0])]);
        assert_eq!(names(kept(folder.path()).expect("read")), ours[1..]);
        assert_eq!(prune(folder.path(), 7).expect("pruned"), Vec::<PathBuf>::new());
        for name in others {
            assert!(folder.path().join(name).exists(), "{name}");
        }
        assert_eq!(kept(&folder.path().join("nowhere")).expect("none"), []);
    }

    #[test]
    fn a_name_tells_its_moment() {
        let at: Timestamp = "2026-11-22T20:15:03Z".parse().expect("a moment");
        assert_eq!(name_of(at), "aigolos-20261122T201503Z.tar.gz");
        assert_eq!(moment_of(&name_of(at)), Some(at));
    }
}
