//! Reads an archive and believes none of it: only known names, in order, of bounded length, with the right digests.

use std::{
    collections::{BTreeMap, HashSet},
    fs::File,
    io::{BufRead as _, BufReader, Read, Seek as _},
    path::Path,
};

use data_encoding::HEXLOWER;
use flate2::bufread::GzDecoder;
use sha2::{Digest, Sha256};

use super::{
    BackupError,
    manifest::{FORMAT, Manifest, Part},
    member::{MOST, Member},
    on_file,
};
use crate::store::copy::{Row, Table, decode};

/// What may follow the end of a tar: the padding of its last block.
const PADDING: u64 = 1 << 20;

/// What a reader does with what an archive holds. Each may refuse, in words.
pub trait Take {
    /// Rows of a table, at most a few hundred.
    fn rows(&mut self, table: &'static Table, rows: Vec<Row>) -> Result<(), String>;
    /// The bytes of any other member but the manifest; they must be read to their end.
    fn bytes(&mut self, member: &Member, from: &mut dyn Read) -> Result<(), String>;
}

/// Rows given at once at most.
const ROWS_AT_ONCE: usize = 256;
/// Bytes of lines given at once, about.
const BYTES_AT_ONCE: usize = 1 << 20;

/// Reads all of it, and keeps nothing.
///
/// # Errors
/// [`BackupError::Archive`] says what is wrong with it, [`BackupError::Newer`] that it cannot be understood.
pub fn verify(path: &Path) -> Result<Manifest, BackupError> {
    let mut file = File::open(path).map_err(on_file(path, "`aigolos backup --list` shows which there are"))?;
    read(path, &mut file, &mut Nothing)
}

/// Reads all of `file` from its beginning, giving what is in it to `take`.
///
/// # Errors
/// As [`verify`]'s. What `take` was given before does not count then.
pub fn read(path: &Path, file: &mut File, take: &mut dyn Take) -> Result<Manifest, BackupError> {
    let why = |why: String| BackupError::Archive { path: path.to_owned(), why };
    file.rewind().map_err(on_file(path, "a backup is a file"))?;
    let mut tar = tar::Archive::new(GzDecoder::new(BufReader::new(file)));
    let mut seen = Seen::default();
    let mut manifest = None;
    // Raw: what other tars hide in further headers (long names, sparse files) is an unknown member here, never read.
    let members = tar.entries().map_err(|error| why(error.to_string()))?.raw(true);
    for entry in members {
        let mut entry = entry.map_err(|error| why(format!("it is cut short or damaged: {error}")))?;
        if manifest.is_some() {
            return Err(why("something follows its manifest".into()));
        }
        let member = known(&entry).map_err(why)?;
        let size = entry.size();
        if size > member.most_bytes() {
            return Err(why(format!("{} is too long: {size} bytes", member.name())));
        }
        let mut from = Digested { from: &mut entry, digest: Sha256::new(), bytes: 0 };
        if member == Member::Manifest {
            let text = whole(&mut from).map_err(why)?;
            manifest = Some(understood(path, &text)?);
            continue;
        }
        seen.next(&member).map_err(why)?;
        if let Member::Rows(table, _) = &member {
            let lines = whole(&mut from).map_err(why)?;
            let rows = give_rows(table, &lines, take).map_err(why)?;
            *seen.rows.entry(table.name.to_owned()).or_default() += rows;
        } else {
            take.bytes(&member, &mut from).map_err(why)?;
        }
        if from.bytes != size {
            return Err(why(format!("{} is cut short", member.name())));
        }
        seen.parts.push(Part { name: member.name(), size, sha256: HEXLOWER.encode(&from.digest.finalize()) });
    }
    let manifest = manifest.ok_or_else(|| why("it is cut short: its manifest is missing".into()))?;
    if manifest.members != seen.parts {
        let differing = manifest.members.iter().zip(&seen.parts).find(|(told, found)| told != found);
        let differing = differing.map_or_else(|| "the number of its members".into(), |(told, _)| told.name.clone());
        return Err(why(format!("it is not what its manifest says: {}", differing.escape_debug())));
    }
    if manifest.rows.iter().filter(|(_, rows)| **rows > 0).ne(&seen.rows) {
        return Err(why("it has not the rows that its manifest says".into()));
    }
    ended(tar.into_inner()).map_err(why)?;
    Ok(manifest)
}

/// What has been read so far.
#[derive(Default)]
struct Seen {
    parts: Vec<Part>,
    rows: BTreeMap<String, u64>,
    place: Option<(u8, usize, u32)>,
    uploads: HashSet<uuid::Uuid>,
}

impl Seen {
    fn next(&mut self, member: &Member) -> Result<(), String> {
        let place = member.place();
        let later = match member {
            Member::Upload(id) => self.uploads.insert(*id) && self.place.is_none_or(|before| before <= place),
            _ => self.place.is_none_or(|before| before < place),
        };
        if !later || self.parts.len() >= MOST {
            return Err(format!("{} is where it does not belong", member.name()));
        }
        self.place = Some(place);
        Ok(())
    }
}

fn known<R: Read>(entry: &tar::Entry<'_, R>) -> Result<Member, String> {
    let name = entry.header().path_bytes();
    let name = std::str::from_utf8(&name).map_err(|_| "a member's name is no text")?;
    if entry.header().entry_type() != tar::EntryType::Regular {
        return Err(format!("a member is no plain file: {}", name.escape_debug()));
    }
    Member::of(name).ok_or_else(|| format!("a member is not known: {}", name.escape_debug()))
}

/// All of a member; its length was looked at before.
fn whole(from: &mut impl Read) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).map_err(|error| format!("it is cut short or damaged: {error}"))?;
    Ok(bytes)
}

fn understood(path: &Path, text: &[u8]) -> Result<Manifest, BackupError> {
    #[derive(serde::Deserialize)]
    struct Format {
        format: u32,
    }
    let why = |error: serde_json::Error| BackupError::Archive {
        path: path.to_owned(),
        why: format!("its manifest cannot be read: {error}"),
    };
    let Format { format } = serde_json::from_slice(text).map_err(why)?;
    if format > FORMAT {
        return Err(BackupError::Newer(path.to_owned(), format!("format {format}, this one knows {FORMAT}")));
    }
    serde_json::from_slice(text).map_err(why)
}

fn give_rows(table: &'static Table, lines: &[u8], take: &mut dyn Take) -> Result<u64, String> {
    let (mut rows, mut bytes, mut given) = (Vec::new(), 0, 0);
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        rows.push(decode(table, line)?);
        bytes += line.len();
        given += 1;
        if rows.len() >= ROWS_AT_ONCE || bytes >= BYTES_AT_ONCE {
            take.rows(table, std::mem::take(&mut rows))?;
            bytes = 0;
        }
    }
    if !rows.is_empty() {
        take.rows(table, rows)?;
    }
    Ok(given)
}

/// Nothing but padding follows, the checksum of the whole is right, and the file ends there.
fn ended(mut gzip: GzDecoder<BufReader<&mut File>>) -> Result<(), String> {
    let mut rest = Vec::new();
    (&mut gzip).take(PADDING + 1).read_to_end(&mut rest).map_err(|error| format!("it is damaged: {error}"))?;
    if rest.len() as u64 > PADDING || rest.iter().any(|byte| *byte != 0) {
        return Err("something follows its end".into());
    }
    let mut file = gzip.into_inner();
    match file.fill_buf() {
        Ok([]) => Ok(()),
        Ok(_) => Err("something follows its end".into()),
        Err(error) => Err(error.to_string()),
    }
}

struct Digested<R> {
    from: R,
    digest: Sha256,
    bytes: u64,
}

impl<R: Read> Read for Digested<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.digest.update(&buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}

/// Looks at everything, keeps nothing.
pub struct Nothing;

impl Take for Nothing {
    fn rows(&mut self, _: &'static Table, _: Vec<Row>) -> Result<(), String> {
        Ok(())
    }

    fn bytes(&mut self, _: &Member, from: &mut dyn Read) -> Result<(), String> {
        std::io::copy(from, &mut std::io::sink()).map(drop).map_err(|error| error.to_string())
    }
}
