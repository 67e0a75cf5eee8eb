//! The spool's files: numbered segments, the last of which is written to; the folder's lock; what was set aside.

use std::{
    collections::VecDeque,
    fs::{self, File, OpenOptions},
    io::{self, BufReader, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use super::{
    SpoolError, SpoolSettings,
    copy::segment_name,
    frame::{self, Entry, HEAD},
};

/// A segment longer than this is followed by a new one.
const SEGMENT_BYTES: u64 = 1 << 20;

/// What became of an append.
pub(super) enum Appended {
    Kept,
    Full,
    Failed(io::Error),
}

/// The files, in the hands of one server.
pub(super) struct Files {
    folder: PathBuf,
    max_bytes: u64,
    /// Holds the folder for as long as it is open.
    lock: Option<File>,
    /// Oldest first; the last one is written to.
    segments: VecDeque<Segment>,
    /// The last segment.
    writer: Option<File>,
    next_number: u64,
    /// How much of the oldest segment the store has, and how many entries that was.
    drained: u64,
    /// Bytes of all segments, and of what was set aside.
    bytes: u64,
    rejected_bytes: u64,
    waiting: u64,
    waiting_turns: u64,
}

struct Segment {
    path: PathBuf,
    size: u64,
}

/// A stretch of one file that holds whole frames.
#[derive(Debug, Clone)]
pub(super) struct Part {
    path: PathBuf,
    from: u64,
    to: u64,
}

/// One frame as it was read.
#[derive(Debug)]
pub(super) struct Read {
    /// Bytes of the whole frame.
    pub size: u64,
    /// `None`: another version of this program wrote it.
    pub entry: Option<Entry>,
    pub content: Vec<u8>,
}

impl Files {
    pub(super) fn open(settings: SpoolSettings) -> Result<Self, SpoolError> {
        let SpoolSettings { folder, max_bytes } = settings;
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |error| SpoolError::Io { path, error }
        };
        let rejected = folder.join("rejected");
        let lock = super::copy::lock(&folder)?;
        let mut files = Self {
            max_bytes,
            lock: Some(lock),
            segments: VecDeque::new(),
            writer: None,
            next_number: 1,
            drained: 0,
            bytes: 0,
            rejected_bytes: 0,
            waiting: 0,
            waiting_turns: 0,
            folder: folder.clone(),
        };
        let found = numbered(&folder).map_err(failed(&folder))?;
        files.next_number = found.last().map_or(1, |(number, _)| number + 1);
        // What was refused before is tried again, behind the rest: the store goes by revisions, not by order.
        for (_, path) in numbered(&rejected).map_err(failed(&rejected))? {
            let again = files.fresh_path();
            fs::rename(&path, &again).map_err(failed(&path))?;
        }
        for (_, path) in numbered(&folder).map_err(failed(&folder))? {
            files.take_up(path.clone()).map_err(failed(&path))?;
        }
        Ok(files)
    }

    pub(super) fn append(&mut self, frame: &[u8], turn: bool) -> Appended {
        let size = frame.len() as u64;
        // Words come before sound.
        let most = if turn { self.max_bytes } else { self.max_bytes / 2 };
        if self.bytes + size > most || !frame::fits(frame) || self.lock.is_none() {
            return Appended::Full;
        }
        if let Err(error) = self.write(frame) {
            return Appended::Failed(error);
        }
        self.bytes += size;
        self.waiting += 1;
        self.waiting_turns += u64::from(turn);
        Appended::Kept
    }

    /// The oldest stretch that waits; `None`: nothing does.
    pub(super) fn oldest(&self) -> Option<Part> {
        let oldest = self.segments.front().filter(|oldest| self.drained < oldest.size && self.lock.is_some())?;
        Some(Part { path: oldest.path.clone(), from: self.drained, to: oldest.size })
    }

    /// All that waits.
    pub(super) fn parts(&self) -> Vec<Part> {
        let parts = self.segments.iter().enumerate().map(|(at, segment)| Part {
            path: segment.path.clone(),
            from: if at == 0 { self.drained } else { 0 },
            to: segment.size,
        });
        parts.collect()
    }

    /// The next frame of the oldest segment is done with.
    pub(super) fn advance(&mut self, read: &Read) {
        self.drained += read.size;
        self.waiting = self.waiting.saturating_sub(1);
        self.waiting_turns -= u64::from(is_turn(read)).min(self.waiting_turns);
        self.drop_drained();
    }

    /// The rest of the oldest segment cannot be read.
    pub(super) fn skip_oldest(&mut self) {
        if let Some(oldest) = self.segments.front() {
            tracing::error!(file = %oldest.path.display(), offset = self.drained, "a part of the spool cannot be read");
            self.drained = oldest.size;
            self.drop_drained();
        }
        // What it held is unknown; counted anew over what is left.
        let rest: Vec<Read> = self.parts().iter().flat_map(|part| part.read(u64::MAX, usize::MAX)).collect();
        self.waiting = rest.len() as u64;
        self.waiting_turns = rest.iter().filter(|read| is_turn(read)).count() as u64;
    }

    /// Sets a frame aside that the store does not take.
    pub(super) fn reject(&mut self, read: &Read) {
        let frame = frame::framed(&read.content);
        if self.rejected_bytes + frame.len() as u64 > self.max_bytes / 4 {
            tracing::error!("a turn that the database refuses was dropped: too many were set aside");
            return;
        }
        let path = self.folder.join("rejected").join(segment_name(self.next_number));
        self.next_number += 1;
        let written = private().create_new(true).write(true).open(&path).and_then(|mut file| file.write_all(&frame));
        match written {
            Ok(()) => self.rejected_bytes += frame.len() as u64,
            Err(error) => tracing::error!(%error, "a turn that the database refuses was dropped"),
        }
    }

    /// Bytes that wait.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.saturating_sub(self.drained)
    }

    pub(super) fn max_bytes(&self) -> u64 {
        self.max_bytes
    }

    pub(super) fn waiting(&self) -> u64 {
        self.waiting
    }

    pub(super) fn waiting_turns(&self) -> u64 {
        self.waiting_turns
    }

    pub(super) fn close(&mut self) {
        self.writer = None;
        self.lock = None;
    }

    fn write(&mut self, frame: &[u8]) -> io::Result<()> {
        if self.writer.is_none() || self.segments.back().is_none_or(|last| last.size >= SEGMENT_BYTES) {
            let path = self.fresh_path();
            self.writer = Some(private().create_new(true).append(true).open(&path)?);
            self.segments.push_back(Segment { path, size: 0 });
        }
        let (Some(writer), Some(last)) = (&mut self.writer, self.segments.back_mut()) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        if let Err(error) = writer.write_all(frame) {
            // Half a frame would hide what comes behind it.
            if writer.set_len(last.size).is_err() {
                self.writer = None;
            }
            return Err(error);
        }
        last.size += frame.len() as u64;
        Ok(())
    }

    /// Drops the oldest segment if all of it is drained.
    fn drop_drained(&mut self) {
        let last_one = self.segments.len() == 1;
        let Some(oldest) = self.segments.front_mut().filter(|oldest| self.drained >= oldest.size) else { return };
        self.bytes = self.bytes.saturating_sub(oldest.size);
        self.drained = 0;
        // The file that is written to is emptied rather than replaced.
        if last_one && self.writer.as_ref().is_some_and(|writer| writer.set_len(0).is_ok()) {
            oldest.size = 0;
            return;
        }
        if last_one {
            self.writer = None;
        }
        if let Err(error) = fs::remove_file(&oldest.path) {
            tracing::warn!(%error, "a drained part of the spool cannot be deleted");
        }
        self.segments.pop_front();
    }

    /// Takes up a segment of an earlier run, without what was not finished.
    fn take_up(&mut self, path: PathBuf) -> io::Result<()> {
        let length = fs::metadata(&path)?.len();
        let mut size = 0;
        let mut reader = BufReader::new(File::open(&path)?);
        while let Some(content) = frame::read(&mut reader)? {
            size += (HEAD + content.len()) as u64;
            self.waiting += 1;
            self.waiting_turns += u64::from(matches!(frame::parse(&content), Some(Entry::Turn(_))));
        }
        if size < length {
            tracing::warn!(file = %path.display(), bytes = length - size, "cut off what was not finished");
            OpenOptions::new().write(true).open(&path)?.set_len(size)?;
        }
        if size == 0 {
            return fs::remove_file(&path);
        }
        self.bytes += size;
        self.segments.push_back(Segment { path, size });
        Ok(())
    }

    fn fresh_path(&mut self) -> PathBuf {
        let path = self.folder.join(segment_name(self.next_number));
        self.next_number += 1;
        path
    }
}

impl Part {
    /// The frames of this stretch, until so many bytes or frames were read. A file that has been drained meanwhile
    /// gives nothing.
    pub(super) fn read(&self, most_bytes: u64, most: usize) -> Vec<Read> {
        self.try_read(most_bytes, most).unwrap_or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                tracing::error!(file = %self.path.display(), %error, "the spool cannot be read");
            }
            Vec::new()
        })
    }

    fn try_read(&self, most_bytes: u64, most: usize) -> io::Result<Vec<Read>> {
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(self.from))?;
        let mut reader = BufReader::new(file);
        let mut reads = Vec::new();
        let mut at = self.from;
        while at < self.to && at - self.from < most_bytes && reads.len() < most {
            let Some(content) = frame::read(&mut reader)? else { break };
            let size = (HEAD + content.len()) as u64;
            at += size;
            reads.push(Read { size, entry: frame::parse(&content), content });
        }
        Ok(reads)
    }
}

fn is_turn(read: &Read) -> bool {
    matches!(read.entry, Some(Entry::Turn(_)))
}

/// Files that only the server's own user may read: they hold what people said.
pub(super) fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.mode(0o600);
    options
}

/// The segments of a folder, by number.
pub(super) fn numbered(folder: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let Some(number) = stem.filter(|_| path.extension().is_some_and(|extension| extension == "log")) {
            found.push((number, path));
        }
    }
    found.sort();
    Ok(found)
}
