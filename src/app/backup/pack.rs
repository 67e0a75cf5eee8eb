//! Writes an archive, member by member, into anything that takes bytes.

use std::{
    fs::File,
    io::{self, Read, Write},
};

use data_encoding::HEXLOWER;
use flate2::{Compression, write::GzEncoder};
use sha2::{Digest, Sha256};

use super::{
    manifest::{Manifest, Part},
    member::Member,
};

/// An archive on its way.
pub struct Packer<W: Write> {
    tar: tar::Builder<GzEncoder<W>>,
    parts: Vec<Part>,
    /// For the members' times: all have the archive's.
    at: u64,
}

impl<W: Write> Packer<W> {
    /// `at`: seconds since 1970.
    pub fn new(out: W, at: u64) -> Self {
        Self { tar: tar::Builder::new(GzEncoder::new(out, Compression::new(5))), parts: Vec::new(), at }
    }

    pub fn add(&mut self, member: &Member, bytes: &[u8]) -> io::Result<()> {
        let sha256 = HEXLOWER.encode(&Sha256::digest(bytes));
        self.append(member, bytes.len() as u64, bytes)?;
        self.parts.push(Part { name: member.name(), size: bytes.len() as u64, sha256 });
        Ok(())
    }

    /// Adds as much of a file as there is now.
    pub fn add_file(&mut self, member: &Member, file: File) -> io::Result<()> {
        let size = file.metadata()?.len();
        let mut digested = Digested { from: file.take(size), digest: Sha256::new(), bytes: 0 };
        self.append(member, size, &mut digested)?;
        if digested.bytes != size {
            return Err(io::Error::other(format!("{} shrank while it was read", member.name())));
        }
        let sha256 = HEXLOWER.encode(&digested.digest.finalize());
        self.parts.push(Part { name: member.name(), size, sha256 });
        Ok(())
    }

    /// Ends the archive with its manifest, whose members are those that were added.
    pub fn finish(mut self, manifest: Manifest) -> io::Result<(W, Manifest)> {
        let manifest = Manifest { members: std::mem::take(&mut self.parts), ..manifest };
        let text = serde_json::to_vec_pretty(&manifest)?;
        self.append(&Member::Manifest, text.len() as u64, text.as_slice())?;
        Ok((self.tar.into_inner()?.finish()?, manifest))
    }

    fn append(&mut self, member: &Member, size: u64, from: impl Read) -> io::Result<()> {
        if size > member.most_bytes() {
            return Err(io::Error::other(format!("{} is too long to be restored: {size} bytes", member.name())));
        }
        let mut header = tar::Header::new_ustar();
        header.set_path(member.name())?;
        header.set_size(size);
        header.set_mode(0o600);
        header.set_mtime(self.at);
        header.set_cksum();
        self.tar.append(&header, from)
    }
}

/// What passes through is digested.
struct Digested<R> {
    from: R,
    digest: Sha256,
    bytes: u64,
}

impl<R: Read> Read for Digested<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.digest.update(&buffer[..read]);
        self.bytes += read as u64;
        Ok(read)
    }
}
