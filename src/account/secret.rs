//! What opens doors: random tokens and keys, and the hashes the store has of them.

use std::{fmt, fs, io, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path};

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use rand::{TryRngCore, rngs::OsRng};
use sha2::{Digest, Sha256};

/// Where the key is kept when no setting gives one.
const FILE: &str = "secret.key";
/// Shorter ones could be guessed.
const SHORTEST: usize = 16;
/// How an API key begins, so that people and secret scanners recognise one.
const KEY_PREFIX: &str = "aig_";
/// How much of a key its owner is shown later.
const KEY_SHOWN: usize = 10;

/// Keys the hashes of tokens, so that the store's copy alone neither opens anything nor can be tried against.
#[derive(Clone)]
pub struct SecretKey(Vec<u8>);

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(***)")
    }
}

impl SecretKey {
    /// The key of the settings, or, where `given` is empty, the one kept in `folder`, which is made if it is not there.
    ///
    /// # Errors
    /// When the key is too short, or its file cannot be read or written; the text says what to do.
    pub fn load(given: &str, folder: &Path) -> Result<Self, String> {
        if !given.is_empty() {
            if given.len() < SHORTEST {
                return Err(format!(
                    "SECRET_KEY has fewer than {SHORTEST} characters\nhint: leave it empty, or use `openssl rand -base64 32`"
                ));
            }
            return Ok(Self(given.as_bytes().to_vec()));
        }
        let path = folder.join(FILE);
        kept(&path).map_err(|error| {
            format!(
                "{} cannot be used: {error}\nhint: let the server write to DATA_DIR, or set SECRET_KEY",
                path.display()
            )
        })
    }

    /// HMAC-SHA-256 of `text` (RFC 2104).
    #[must_use]
    pub fn hash(&self, text: &str) -> Vec<u8> {
        const BLOCK: usize = 64;
        let mut key = [0; BLOCK];
        if self.0.len() > BLOCK {
            key[..32].copy_from_slice(&Sha256::digest(&self.0));
        } else {
            key[..self.0.len()].copy_from_slice(&self.0);
        }
        let padded = |pad: u8| key.map(|byte| byte ^ pad);
        let inner = Sha256::new().chain_update(padded(0x36)).chain_update(text).finalize();
        Sha256::new().chain_update(padded(0x5c)).chain_update(inner).finalize().to_vec()
    }
}

/// Reads the key file, or makes it for its owner alone. Two servers that start together end up with the same key.
fn kept(path: &Path) -> io::Result<SecretKey> {
    let read = |path: &Path| -> io::Result<SecretKey> {
        let text = fs::read_to_string(path)?;
        let text = text.trim();
        if text.len() < SHORTEST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is damaged; deleting it ends all log-ins"));
        }
        Ok(SecretKey(text.as_bytes().to_vec()))
    };
    match read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        found => return found,
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let draft = path.with_extension(format!("{}.tmp", uuid::Uuid::new_v4()));
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(random_token()?.as_bytes())?;
    file.sync_all()?;
    // A link fails where a rename would overwrite: whoever comes second takes the first one's key.
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => read(path),
    }
}

/// 32 random bytes, in letters that need no escaping in links and cookies.
///
/// # Errors
/// When the system gives no randomness.
pub fn random_token() -> io::Result<String> {
    Ok(BASE64URL_NOPAD.encode(&random::<32>()?))
}

/// A new API key: the text to show once, the beginning to recognise it by, and the hash to keep. The hash needs no key
/// and no salt: nobody can try 2^256 of them, and it must be the same on every server.
///
/// # Errors
/// When the system gives no randomness.
pub fn random_key() -> io::Result<(String, String, Vec<u8>)> {
    let key = format!("{KEY_PREFIX}{}", BASE32_NOPAD.encode(&random::<32>()?).to_ascii_lowercase());
    let (prefix, hash) = (key[..KEY_SHOWN].to_owned(), key_hash(&key));
    Ok((key, prefix, hash))
}

/// A password for somebody to write down: 80 random bits in letters and digits that look like nothing else.
///
/// # Errors
/// When the system gives no randomness.
pub fn random_password() -> io::Result<String> {
    let letters = BASE32_NOPAD.encode(&random::<10>()?).to_ascii_lowercase();
    Ok([&letters[..4], &letters[4..8], &letters[8..12], &letters[12..]].join("-"))
}

/// What the store has of an API key.
#[must_use]
pub fn key_hash(key: &str) -> Vec<u8> {
    Sha256::digest(key).to_vec()
}

/// # Errors
/// When the system gives no randomness.
pub fn random<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    OsRng.try_fill_bytes(&mut bytes).map_err(io::Error::other)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn hex(bytes: &[u8]) -> String {
        data_encoding::HEXLOWER.encode(bytes)
    }

    #[test]
    fn tokens_are_hashed_as_rfc_4231_has_it() {
        let key = SecretKey(b"Jefe".to_vec());
        assert_eq!(
            hex(&key.hash("what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        let long = SecretKey(vec![0xaa; 131]);
        assert_eq!(
            hex(&long.hash("Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    #[test]
    fn the_key_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let inside = folder.path().join("data");
        let first = SecretKey::load("", &inside).expect("made");
        let again = SecretKey::load("", &inside).expect("read");
        assert_eq!(first.hash("x"), again.hash("x"));
        let mode = fs::metadata(inside.join(FILE)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(&inside).expect("a folder").count(), 1, "no drafts stay");
        assert_ne!(SecretKey::load("a key from the settings", &inside).expect("given").hash("x"), first.hash("x"));
        assert!(SecretKey::load("short", &inside).is_err());
        fs::write(inside.join(FILE), "\n").expect("writable");
        assert!(SecretKey::load("", &inside).expect_err("damaged").contains("hint"));
    }

    #[test]
    fn keys_are_recognised_by_their_beginning_and_found_by_their_hash() {
        let (key, prefix, hash) = random_key().expect("randomness");
        assert!(key.starts_with("aig_") && key.len() == 56 && key.starts_with(&prefix), "{prefix}");
        assert!(key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'), "fits a header and a subprotocol");
        assert_eq!(hash, key_hash(&key));
        assert_ne!(random_token().expect("randomness"), random_token().expect("randomness"));
    }
}
