//! A recording on its way to disk.

use std::{
    collections::HashMap,
    fs,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{fs::File, io::AsyncWriteExt};

use super::error::JobError;
use crate::model::{JobId, UserId};

/// How many jobs each person has, those on their way here too.
pub(super) type Counts = Arc<Mutex<HashMap<UserId, usize>>>;

/// One person's place for one job; free again when dropped.
pub(super) struct Slot {
    counts: Counts,
    user: UserId,
}

impl Slot {
    /// A place, if the person has fewer than `most`.
    pub fn take(counts: &Counts, user: UserId, most: usize) -> Option<Self> {
        let mut all = counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(user).or_insert(0);
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Self { counts: counts.clone(), user })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut all = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.user) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.user);
            }
        }
    }
}

/// A file that arrives piece by piece, never whole in memory. Dropped before it was handed in, it is deleted.
pub struct Upload {
    pub(super) id: JobId,
    pub(super) user: UserId,
    /// The name it was sent with.
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) slot: Option<Slot>,
    pub(super) path: Option<PathBuf>,
    most: u64,
    file: File,
}

impl Upload {
    pub(super) async fn new(
        folder: &std::path::Path,
        user: UserId,
        name: &str,
        most: u64,
        slot: Slot,
    ) -> Result<Self, JobError> {
        let id = JobId::fresh();
        let path = folder.join(id.to_string());
        let file = File::create_new(&path).await?;
        Ok(Self { id, user, name: name.to_owned(), bytes: 0, slot: Some(slot), path: Some(path), most, file })
    }

    /// The id of the job it is to become.
    #[must_use]
    pub fn id(&self) -> JobId {
        self.id
    }

    /// Takes more of the file.
    ///
    /// # Errors
    /// [`JobError::TooLarge`], or the disk's fault.
    pub async fn push(&mut self, bytes: &[u8]) -> Result<(), JobError> {
        self.bytes += bytes.len() as u64;
        if self.bytes > self.most {
            return Err(JobError::TooLarge(self.most));
        }
        self.file.write_all(bytes).await?;
        Ok(())
    }

    /// The file is the job's from now on.
    pub(super) fn keep(&mut self) {
        self.path = None;
    }

    /// Everything is on its way to the disk.
    pub(super) async fn finish(&mut self) -> Result<(), JobError> {
        if self.bytes == 0 {
            return Err(JobError::Empty);
        }
        self.file.flush().await?;
        Ok(())
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        if let Some(path) = self.path.take() {
            let _ = fs::remove_file(path);
        }
    }
}

/// `name` as it is shown and kept: without folders and control characters, and not without end.
pub(super) fn clean_name(name: &str) -> String {
    const MOST: usize = 200;
    let name = name.rsplit(['/', '\\']).next().unwrap_or_default();
    // The ending matters most.
    let kept: Vec<char> = name.chars().filter(|c| !c.is_control()).collect();
    kept[kept.len().saturating_sub(MOST)..].iter().collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_only_names() {
        assert_eq!(clean_name("../../etc/pass\u{0}wd.wav"), "passwd.wav");
        assert_eq!(clean_name("C:\\Users\\ann\\Беседа 1.mp3 "), "Беседа 1.mp3");
        assert_eq!(clean_name(&format!("{}.wav", "я".repeat(500))), format!("{}.wav", "я".repeat(196)));
    }

    #[test]
    fn places_are_counted() {
        let (counts, ann, ben) = (Counts::default(), UserId::fresh(), UserId::fresh());
        let first = Slot::take(&counts, ann, 2);
        let second = Slot::take(&counts, ann, 2);
        assert!(first.is_some() && second.is_some() && Slot::take(&counts, ann, 2).is_none());
        assert!(Slot::take(&counts, ben, 2).is_some());
        drop(first);
        assert!(Slot::take(&counts, ann, 2).is_some());
        drop(second);
        assert!(counts.lock().expect("nobody panicked").is_empty());
    }
}
