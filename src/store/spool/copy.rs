//! The spool as a backup sees it: read beside the server that has it, or held while it is replaced.

use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io::{self, BufReader},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use super::{
    SpoolError,
    files::{numbered, private},
    frame,
};

/// The longest piece that [`waiting`] gives: a segment and the frame that filled it.
pub const PIECE_BYTES: usize = 32 << 20;

/// The folder in one's hands: no server can begin to use it. Free again when dropped.
pub struct Held(#[expect(dead_code, reason = "held, not used")] File);

/// Takes the folder, making it if it is not there.
///
/// # Errors
/// [`SpoolError::Taken`] while a server has it.
pub fn hold(folder: &Path) -> Result<Held, SpoolError> {
    lock(folder).map(Held)
}

/// Gives what waits in `folder` to `each`, a segment at a time and only whole frames. A server may write and drain
/// meanwhile: ask here before asking the store, and nothing is missed.
///
/// # Errors
/// When a file cannot be read, or `each` fails.
pub fn waiting(folder: &Path, mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    for segment in segments(folder)? {
        let file = match File::open(&segment) {
            Ok(file) => file,
            // Its turns have just reached the store.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        let mut reader = BufReader::new(file);
        let mut frames = Vec::new();
        while let Some(content) = frame::read(&mut reader)? {
            frames.extend(frame::framed(&content));
            if frames.len() > PIECE_BYTES / 2 {
                each(&frames)?;
                frames.clear();
            }
        }
        if !frames.is_empty() {
            each(&frames)?;
        }
    }
    Ok(())
}

/// The files that hold what waits, what was set aside included.
///
/// # Errors
/// When the folder cannot be read; one that is not there holds nothing.
pub fn segments(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in [folder.to_owned(), folder.join("rejected")] {
        match numbered(&folder) {
            Ok(numbered) => found.extend(numbered.into_iter().map(|(_, path)| path)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

/// The name of the segment with this number.
#[must_use]
pub fn segment_name(number: u64) -> String {
    format!("{number:020}.log")
}

/// Makes the folder and takes its lock.
pub(super) fn lock(folder: &Path) -> Result<File, SpoolError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error| SpoolError::Io { path, error }
    };
    let rejected = folder.join("rejected");
    DirBuilder::new().recursive(true).mode(0o700).create(&rejected).map_err(failed(&rejected))?;
    let path = folder.join("lock");
    let lock = private().create(true).append(true).open(&path).map_err(failed(&path))?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(SpoolError::Taken(folder.to_owned())),
        Err(TryLockError::Error(error)) => Err(failed(&path)(error)),
    }
}

/// Removes the segment files of `folder`, and those that were set aside.
///
/// # Errors
/// When one cannot be removed.
pub fn clear(folder: &Path) -> io::Result<()> {
    segments(folder)?.iter().try_for_each(fs::remove_file)
}
