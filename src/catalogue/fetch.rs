//! One file, from the hub to the disk: taken up where it broke, never longer than it can be, and checked when it is whole.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use reqwest::{
    Response, StatusCode,
    header::{self, HeaderMap, HeaderValue},
};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use super::{
    digest::{self, Checked, Published},
    entries::{RemoteFile, Size},
    hub::{self, Answer, Hub},
    part::{Guard, Part},
    trouble::Trouble,
};

/// Tries for one file altogether, however much came with each.
const MOST_TRIES: u32 = 200;
/// A server may name a time to wait; not longer than this.
const LONGEST_WAIT: Duration = Duration::from_mins(2);
/// A size that is known only about may be this many bytes off, beside an eighth.
const ABOUT: u64 = 16 << 20;
/// The room on the disk is looked at after so many bytes.
const LOOK_EVERY: u64 = 64 << 20;

/// How long and how often.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Until a connection stands.
    pub connect: Duration,
    /// Until an answer begins, and between two pieces of it.
    pub stall: Duration,
    /// Tries in a row that bring nothing new.
    pub tries: u32,
    /// Before the second try; twice as long before each further one.
    pub first_wait: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(15),
            stall: Duration::from_secs(30),
            tries: 6,
            first_wait: Duration::from_millis(500),
        }
    }
}

/// What happens while a file comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// So much of it is here, of so much.
    Bytes { have: u64, total: Option<u64> },
    /// All of it is here, and is being read again.
    Checking,
}

/// A file that is whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fetched {
    pub bytes: u64,
    pub sha256: String,
    pub checked: Checked,
}

/// Fetches files.
#[derive(Clone)]
pub(super) struct Fetcher {
    pub hub: Hub,
    pub patience: Patience,
    /// Bytes to be left free on the disk.
    pub keep_free: u64,
}

/// What is known of a file that has begun to come; kept beside it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
struct Known {
    /// Names these very bytes; only a strong one.
    etag: Option<String>,
    total: Option<u64>,
    sha256: Option<String>,
}

/// How a try ended that brought no whole file.
enum Ended {
    /// Trying again changes nothing.
    Final(Trouble),
    /// It may go on where it stopped, after so long.
    Again(Trouble, Option<Duration>),
    /// It may work from the beginning.
    Anew(Trouble),
}

impl From<Trouble> for Ended {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Unreachable { .. }
            | Trouble::Stalled { .. }
            | Trouble::Broken { .. }
            | Trouble::Busy { .. }
            | Trouble::Fault { .. } => Self::Again(trouble, None),
            _ => Self::Final(trouble),
        }
    }
}

impl Fetcher {
    /// Brings `file` to `part`, whole and checked. Dropping it is the cancellation; what has come stays for the next time.
    /// The guard says that nobody else works on `part`.
    pub async fn fetch(
        &self,
        file: &RemoteFile,
        part: &Path,
        guard: &Guard,
        tell: &(dyn Fn(Step) + Send + Sync),
    ) -> Result<Fetched, Trouble> {
        let mut known = Known::read(part);
        let (mut tries, mut in_vain, mut anew) = (0, 0, 0);
        loop {
            let before = length(part);
            match self.attempt(file, part, guard, &mut known, tell).await {
                Ok(()) => {
                    tell(Step::Checking);
                    let checked = self.check(file, part, &known).await;
                    if checked.is_ok() {
                        return checked;
                    }
                    discard(part);
                    known = Known::default();
                    // What was resumed may have begun as another file; what came in one piece is what is there.
                    if before == 0 || anew > 0 || !matches!(checked, Err(Trouble::Damaged { .. })) {
                        return checked;
                    }
                    anew += 1;
                }
                Err(Ended::Final(trouble)) => return Err(trouble),
                Err(Ended::Anew(trouble)) => {
                    discard(part);
                    known = Known::default();
                    anew += 1;
                    if anew > 2 {
                        return Err(trouble);
                    }
                }
                Err(Ended::Again(trouble, wait)) => {
                    tries += 1;
                    in_vain = if length(part) > before { 0 } else { in_vain + 1 };
                    if in_vain >= self.patience.tries || tries >= MOST_TRIES {
                        return Err(trouble);
                    }
                    tracing::debug!(error = %trouble, file = file.source, "a download goes on after a pause");
                    let wait = wait.unwrap_or_else(|| self.patience.first_wait * (1 << in_vain.min(6)));
                    tokio::time::sleep(wait.min(LONGEST_WAIT)).await;
                }
            }
        }
    }

    /// One request, from where the last one stopped.
    async fn attempt(
        &self,
        file: &RemoteFile,
        path: &Path,
        guard: &Guard,
        known: &mut Known,
        tell: &(dyn Fn(Step) + Send + Sync),
    ) -> Result<(), Ended> {
        let have = length(path);
        if have > 0 && known.total == Some(have) {
            return Ok(()); // only the check was missing
        }
        let Answer { response, host, linked } = self.hub.get(&file.source, &known.headers(have)).await?;
        let status = response.status();
        if status == StatusCode::OK && is_page(response.headers()) {
            // A network that wants a log-in first answers for everybody; what has come is not its to take.
            return Err(Ended::Again(odd(&host, "it sends a web page instead of the file"), None));
        }
        let (from, told) = match status {
            StatusCode::PARTIAL_CONTENT => match content_range(response.headers()) {
                Some((from, total)) if from == have => (have, total),
                _ => return Err(Ended::Anew(odd(&host, "it sends another part than it was asked for"))),
            },
            // It knows no ranges, or has another file by now.
            StatusCode::OK => (0, content_length(response.headers())),
            StatusCode::RANGE_NOT_SATISFIABLE if have > 0 => {
                if unsatisfied(response.headers()) == Some(have) {
                    known.sha256 = linked.sha256.or(known.sha256.take());
                    known.total = Some(have);
                    return Ok(()); // all of it had come
                }
                return Err(Ended::Anew(odd(&host, "it says that there is less than what came")));
            }
            _ => {
                let wait = retry_after(response.headers());
                let ended = Ended::from(hub::refusal(status, &host, &file.source));
                return Err(if let Ended::Again(trouble, _) = ended { Ended::Again(trouble, wait) } else { ended });
            }
        };
        let exact = if let Size::Exact(bytes) = file.size { Some(bytes) } else { linked.bytes };
        let total = exact.or(told);
        let most = match file.size {
            Size::Exact(bytes) => bytes,
            Size::About(bytes) => bytes + bytes / 8 + ABOUT,
        };
        if let (Some(expected), Some(told)) = (exact, told)
            && expected != told
        {
            discard(path);
            return Err(Ended::Final(Trouble::Length { host, expected, told }));
        }
        if total.is_some_and(|total| total > most) {
            discard(path);
            return Err(Ended::Final(Trouble::TooLong { host, most }));
        }
        if from > 0 && known.total.is_some() && told.is_some() && known.total != told {
            return Err(Ended::Anew(odd(&host, "the file has changed meanwhile")));
        }
        *known = Known { etag: etag(response.headers()), total, sha256: linked.sha256 };
        self.room(path, total.unwrap_or(file.size.bytes()).saturating_sub(from))?;
        let part = Part::open(path, from, guard).map_err(|error| disk(path, &error))?;
        known.write(path).map_err(|error| disk(path, &error))?;
        tell(Step::Bytes { have: from, total });
        let have = self.body(response, part, path, from, total, most, &host, tell).await?;
        match total {
            Some(total) if have < total => Err(Trouble::Broken { host, have, total: Some(total) }.into()),
            _ => {
                known.total = Some(have);
                Ok(())
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "one place calls it")]
    async fn body(
        &self,
        mut response: Response,
        mut part: Part,
        path: &Path,
        from: u64,
        total: Option<u64>,
        most: u64,
        host: &str,
        tell: &(dyn Fn(Step) + Send + Sync),
    ) -> Result<u64, Ended> {
        let most = total.unwrap_or(most);
        let (mut have, mut looked) = (from, from);
        let ended = loop {
            let piece = match timeout(self.patience.stall, response.chunk()).await {
                Err(_) => break Err(Trouble::Stalled { host: host.into(), after: self.patience.stall }.into()),
                Ok(Err(_)) => break Err(Trouble::Broken { host: host.into(), have, total }.into()),
                Ok(Ok(None)) => break Ok(()),
                Ok(Ok(Some(piece))) => piece,
            };
            if have + piece.len() as u64 > most {
                break Err(Ended::Final(Trouble::TooLong { host: host.into(), most }));
            }
            have += piece.len() as u64;
            if part.write(piece).await.is_err() {
                break Ok(()); // the writer says why
            }
            tell(Step::Bytes { have, total });
            if have - looked > LOOK_EVERY {
                looked = have;
                if let Err(trouble) = self.room(path, 0) {
                    break Err(trouble.into());
                }
            }
        };
        // Whatever came is on the disk before anything else happens to the file.
        part.finish().await.map_err(|error| match error.kind() {
            io::ErrorKind::StorageFull => Ended::Final(self.full(path, total.unwrap_or(most).saturating_sub(have))),
            _ => Ended::Final(disk(path, &error)),
        })?;
        if let Err(Ended::Final(Trouble::TooLong { .. })) = &ended {
            discard(path);
        }
        ended.map(|()| have)
    }

    /// Whether `more` bytes fit, and leave free what shall be free.
    pub fn room(&self, path: &Path, more: u64) -> Result<(), Trouble> {
        let folder = path.parent().unwrap_or(path);
        match fs4::available_space(folder) {
            Ok(free) if free < more.saturating_add(self.keep_free) => Err(self.full(path, more)),
            Ok(_) => Ok(()),
            Err(error) => Err(disk(folder, &error)),
        }
    }

    fn full(&self, path: &Path, more: u64) -> Trouble {
        const MB: u64 = 1_000_000;
        let free = fs4::available_space(path.parent().unwrap_or(path)).unwrap_or_default();
        Trouble::NoRoom { needed: more.div_ceil(MB), keep: self.keep_free / MB, free: free / MB }
    }

    /// Reads the whole file again, as it lies on the disk, and compares it with what it must be.
    async fn check(&self, file: &RemoteFile, path: &Path, known: &Known) -> Result<Fetched, Trouble> {
        let (published, to_read) = (file.digest, path.to_owned());
        let running = Arc::new(AtomicBool::new(true));
        let _stop = StopOnDrop(Arc::clone(&running));
        let go_on = move || running.load(Ordering::Relaxed);
        let read = tokio::task::spawn_blocking(move || digest::of_file(&to_read, published, go_on)).await;
        let found = read.map_err(|_| Trouble::Stopping)?.map_err(|error| disk(path, &error))?;
        let (kind, expected, was, checked) = match (file.digest, &known.sha256) {
            (Some(Published::Md5(md5)), _) => ("MD5", md5.to_owned(), found.other.clone(), Checked::Md5),
            (Some(Published::Sha1(sha1)), _) => ("SHA-1", sha1.to_owned(), found.other.clone(), Checked::Sha1),
            (None, Some(told)) => ("SHA-256", told.clone(), Some(found.sha256.clone()), Checked::HubSha256),
            (None, None) => return Err(Trouble::Unchecked { host: self.hub.place() }),
        };
        let was = was.unwrap_or_default();
        if was != expected {
            return Err(Trouble::Damaged { kind, expected, found: was });
        }
        Ok(Fetched { bytes: found.bytes, sha256: found.sha256, checked })
    }
}

/// Says no to work on another thread when nobody waits for it any more.
pub(super) struct StopOnDrop(pub Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Known {
    fn path(part: &Path) -> PathBuf {
        part.with_added_extension("json")
    }

    fn read(part: &Path) -> Self {
        // Whatever cannot be read is not known: the file comes anew, or is found to be damaged.
        fs::read(Self::path(part)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
    }

    fn write(&self, part: &Path) -> io::Result<()> {
        fs::write(Self::path(part), serde_json::to_vec(self).unwrap_or_default())
    }

    fn forget(part: &Path) {
        let _ = fs::remove_file(Self::path(part)); // it is of no more use, and does no harm
    }

    /// What to ask for when `have` bytes are here.
    fn headers(&self, have: u64) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if have > 0
            && let Ok(range) = HeaderValue::from_str(&format!("bytes={have}-"))
        {
            headers.insert(header::RANGE, range);
            if let Some(etag) = self.etag.as_deref().and_then(|etag| HeaderValue::from_str(etag).ok()) {
                headers.insert(header::IF_RANGE, etag);
            }
        }
        headers
    }
}

/// Removes what has come of a file, and what was known of it.
pub(super) fn discard(part: &Path) {
    let _ = fs::remove_file(part); // it may not be there
    Known::forget(part);
}

pub(super) fn disk(path: &Path, error: &io::Error) -> Trouble {
    Trouble::Disk { path: path.to_owned(), reason: error.to_string() }
}

fn length(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |file| file.len())
}

fn is_page(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().get(..9).is_some_and(|kind| kind.eq_ignore_ascii_case(b"text/html")))
}

fn odd(host: &str, reason: &str) -> Trouble {
    Trouble::Odd { host: host.into(), reason: reason.into() }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim)
}

fn content_length(headers: &HeaderMap) -> Option<u64> {
    text(headers, header::CONTENT_LENGTH)?.parse().ok()
}

/// `bytes 5-9/10`: where it begins, and how long the whole is.
fn content_range(headers: &HeaderMap) -> Option<(u64, Option<u64>)> {
    let (range, total) = text(headers, header::CONTENT_RANGE)?.strip_prefix("bytes ")?.split_once('/')?;
    Some((range.split_once('-')?.0.parse().ok()?, total.parse().ok()))
}

/// `bytes */10`: there are so many, and none where they were asked for.
fn unsatisfied(headers: &HeaderMap) -> Option<u64> {
    text(headers, header::CONTENT_RANGE)?.strip_prefix("bytes */")?.parse().ok()
}

/// A weak one may stand for other bytes.
fn etag(headers: &HeaderMap) -> Option<String> {
    text(headers, header::ETAG).filter(|etag| !etag.starts_with("W/") && etag.len() < 500).map(str::to_owned)
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    text(headers, header::RETRY_AFTER)?.parse().ok().map(Duration::from_secs)
}
