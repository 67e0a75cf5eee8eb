//! Passwords are hashed on threads of their own: a hash takes tens of milliseconds and 19 MiB, by design.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, TrySendError},
    },
    thread,
    time::Duration,
};

use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher as _, PasswordVerifier as _, Version,
    password_hash::SaltString,
};
use tokio::sync::oneshot;

use super::AccountError;
use crate::store::StoreError;

/// What OWASP recommends for argon2id: 19 MiB, two passes, one lane.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// Passwords that wait for a thread. Full: the request is refused with a time to try again.
const WAITING: usize = 64;

/// Threads that hash passwords; they end when it is dropped.
pub struct Hasher {
    jobs: mpsc::SyncSender<Job>,
    /// A hash that no password fits, for addresses without an account.
    nobody: String,
    done: Arc<AtomicU64>,
}

struct Job {
    password: String,
    work: Work,
}

enum Work {
    Hash(oneshot::Sender<Option<String>>),
    Verify { hash: String, reply: oneshot::Sender<bool> },
}

impl Hasher {
    /// Starts `threads` threads.
    ///
    /// # Errors
    /// When a thread cannot be started or the system gives no randomness.
    pub fn start(threads: usize) -> std::io::Result<Self> {
        let (jobs, waiting) = mpsc::sync_channel(WAITING);
        let waiting = Arc::new(Mutex::new(waiting));
        let done = Arc::new(AtomicU64::new(0));
        let nobody = super::secret::random_token()?;
        let nobody = hash(&nobody).ok_or_else(|| std::io::Error::other("argon2 refuses its parameters"))?;
        for number in 0..threads.max(1) {
            let (waiting, done) = (waiting.clone(), done.clone());
            thread::Builder::new().name(format!("aigolos-hash-{number}")).spawn(move || work(&waiting, &done))?;
        }
        Ok(Self { jobs, nobody, done })
    }

    /// The password's argon2id hash in PHC form.
    ///
    /// # Errors
    /// [`AccountError::Busy`] when too many wait.
    pub async fn hash(&self, password: &str) -> Result<String, AccountError> {
        let (reply, answer) = oneshot::channel();
        self.enqueue(password, Work::Hash(reply))?;
        answer.await.ok().flatten().ok_or_else(|| StoreError::Failed("a password could not be hashed".into()).into())
    }

    /// Whether the password fits the hash. Without a hash it takes as long, and does not fit.
    ///
    /// # Errors
    /// [`AccountError::Busy`] when too many wait.
    pub async fn fits(&self, password: &str, hash: Option<&str>) -> Result<bool, AccountError> {
        let known = hash.filter(|hash| !hash.is_empty());
        let (reply, answer) = oneshot::channel();
        self.enqueue(password, Work::Verify { hash: known.unwrap_or(&self.nobody).to_owned(), reply })?;
        let fits = answer.await.unwrap_or(false);
        Ok(fits && known.is_some())
    }

    /// How many hashes were made so far, checks included.
    pub fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    fn enqueue(&self, password: &str, work: Work) -> Result<(), AccountError> {
        self.jobs.try_send(Job { password: password.to_owned(), work }).map_err(|error| match error {
            TrySendError::Full(_) => AccountError::Busy { retry_after: Duration::from_secs(2) },
            TrySendError::Disconnected(_) => StoreError::Failed("the hashing threads are gone".into()).into(),
        })
    }
}

fn work(waiting: &Mutex<mpsc::Receiver<Job>>, done: &AtomicU64) {
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { password, work }) = next else { return };
        match work {
            // Whoever asked may have left.
            Work::Hash(reply) if !reply.is_closed() => {
                let hash = hash(&password);
                done.fetch_add(1, Ordering::Relaxed);
                let _ = reply.send(hash);
            }
            Work::Verify { hash, reply } if !reply.is_closed() => {
                let fits = PasswordHash::new(&hash)
                    .is_ok_and(|hash| argon2().verify_password(password.as_bytes(), &hash).is_ok());
                done.fetch_add(1, Ordering::Relaxed);
                let _ = reply.send(fits);
            }
            _ => {}
        }
    }
}

fn hash(password: &str) -> Option<String> {
    let salt = SaltString::encode_b64(&super::secret::random::<16>().ok()?).ok()?;
    argon2().hash_password(password.as_bytes(), &salt).ok().map(|hash| hash.to_string())
}

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).unwrap_or(Params::DEFAULT);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_only() {
        let hasher = Hasher::start(1).expect("threads");
        let hash = hasher.hash("correct horse battery").await.expect("hashed");
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(hasher.fits("correct horse battery", Some(&hash)).await.expect("checked"));
        assert!(!hasher.fits("correct horse batter", Some(&hash)).await.expect("checked"));
        assert_ne!(hash, hasher.hash("correct horse battery").await.expect("hashed"), "salted");
    }

    #[tokio::test]
    async fn nobodys_password_is_checked_as_long_and_never_fits() {
        let hasher = Hasher::start(1).expect("threads");
        for nobody in [None, Some(""), Some("not a hash")] {
            let before = hasher.done();
            assert!(!hasher.fits("anything at all", nobody).await.expect("checked"));
            assert_eq!(hasher.done(), before + 1, "{nobody:?}");
        }
    }

    #[tokio::test]
    async fn more_than_can_wait_are_refused() {
        let hasher = Arc::new(Hasher::start(1).expect("threads"));
        let mut asked: Vec<_> = Vec::new();
        for _ in 0..WAITING + 20 {
            let hasher = hasher.clone();
            asked.push(tokio::spawn(async move { hasher.hash("correct horse battery").await }));
        }
        let mut refused = 0;
        let mut hashed = 0;
        for asked in asked {
            match asked.await.expect("no panic") {
                Ok(_) => hashed += 1,
                Err(AccountError::Busy { .. }) => refused += 1,
                Err(other) => panic!("{other}"),
            }
        }
        assert!(refused > 0 && hashed >= WAITING, "{refused} refused, {hashed} hashed");
    }
}
