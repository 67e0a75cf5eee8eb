//! What a file must be: digests as their makers or the hub publish them, and those of what lies on the disk.

use std::{fs::File, io::Read as _, path::Path};

use data_encoding::HEXLOWER;
use md5::Md5;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// A digest that the makers of a model publish, in small hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    Md5(&'static str),
    Sha1(&'static str),
}

impl Published {
    /// Whether it is as long as its kind is, and hexadecimal.
    #[must_use]
    pub fn is_well_formed(self) -> bool {
        let (digits, length) = match self {
            Self::Md5(digits) => (digits, 32),
            Self::Sha1(digits) => (digits, 40),
        };
        is_hexadecimal(digits, length)
    }
}

/// Whether it is as long, in small hexadecimal digits.
pub(super) fn is_hexadecimal(digits: &str, length: usize) -> bool {
    digits.len() == length && digits.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

/// Against what a file was checked when it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Checked {
    /// The MD5 that its makers publish.
    Md5,
    /// The SHA-1 that its makers publish.
    Sha1,
    /// The SHA-256 that the hub told with the file (`X-Linked-ETag`).
    HubSha256,
    /// The SHA-256 that this program knows: of what it makes of Python packages.
    PinnedSha256,
}

impl Checked {
    /// For people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Md5 => "published MD5",
            Self::Sha1 => "published SHA-1",
            Self::HubSha256 => "SHA-256 told by the hub",
            Self::PinnedSha256 => "SHA-256 that this program knows",
        }
    }
}

/// What lies on the disk, in small hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub bytes: u64,
    pub sha256: String,
    /// Of the same kind as the published one that was given.
    pub other: Option<String>,
}

/// Reads a file to its end; takes seconds for a large one. `go_on` is asked between pieces.
///
/// # Errors
/// When it cannot be read, or `go_on` says no ([`std::io::ErrorKind::Interrupted`]).
pub fn of_file(path: &Path, published: Option<Published>, go_on: impl Fn() -> bool) -> std::io::Result<Found> {
    let mut file = File::open(path)?;
    let mut sha256 = Sha256::new();
    let mut md5 = matches!(published, Some(Published::Md5(_))).then(Md5::new);
    let mut sha1 = matches!(published, Some(Published::Sha1(_))).then(Sha1::new);
    let mut bytes = 0;
    let mut buffer = vec![0; 256 << 10];
    loop {
        if !go_on() {
            return Err(std::io::ErrorKind::Interrupted.into());
        }
        let count = match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let piece = buffer.get(..count).unwrap_or_default();
        bytes += count as u64;
        sha256.update(piece);
        if let Some(md5) = &mut md5 {
            md5.update(piece);
        }
        if let Some(sha1) = &mut sha1 {
            sha1.update(piece);
        }
    }
    let other = md5.map(|md5| HEXLOWER.encode(&md5.finalize()));
    let other = other.or_else(|| sha1.map(|sha1| HEXLOWER.encode(&sha1.finalize())));
    Ok(Found { bytes, sha256: HEXLOWER.encode(&sha256.finalize()), other })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_of_the_standards() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").expect("writable");
        let found = |published| of_file(&path, published, || true).expect("readable");
        let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(found(None), Found { bytes: 3, sha256: sha256.into(), other: None });
        let other = |published| found(Some(published)).other.expect("it was asked for");
        assert_eq!(other(Published::Md5("")), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(other(Published::Sha1("")), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert!(of_file(&path, None, || false).is_err());
    }
}
