//! Restores a backup: all of it, or nothing.
//!
//! The archive is read to its end before anything is touched. Its files are laid out beside those of DATA_DIR, in
//! `restore/`, while its rows are written in one transaction that has the restore's name. When that has been
//! committed the files change places. A process that dies in between leaves `restore/` behind; the next one that starts
//! asks the database for the name, and finishes or forgets.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use tokio::sync::mpsc;
use uuid::Uuid;

use super::{
    BackupError, Places,
    make::blocking,
    manifest::Manifest,
    member::Member,
    on_file,
    unpack::{self, Nothing, Take},
};
use crate::store::{
    self, Store,
    copy::{self, Batch, CopyError, Row, Table},
    spool,
};

const HINT: &str = "run it as the user that the server runs as, with DATA_DIR set as for the server";
/// Batches of rows that wait for the database.
const WAITING: usize = 4;

/// What was restored.
#[derive(Debug, Clone)]
pub struct Restored {
    pub manifest: Manifest,
}

/// Replaces what `places` hold by what the archive at `path` holds; without `force` only where there is nothing yet.
///
/// # Errors
/// [`BackupError`]; nothing has changed then, unless its text says otherwise.
pub async fn restore(places: &Places, path: &Path, force: bool) -> Result<Restored, BackupError> {
    let mut file = File::open(path).map_err(on_file(path, "`aigolos backup --list` shows which there are"))?;
    let named = path.to_owned();
    let (manifest, file) = blocking(move || {
        // Read twice, through one handle: first to know it is good, then to use it.
        let manifest = unpack::read(&named, &mut file, &mut Nothing)?;
        Ok((manifest, file))
    })
    .await?;
    let ours = copy::schema(&places.store);
    if manifest.schema > ours {
        let told = format!("tables of version {}, this one has {ours}", manifest.schema);
        return Err(BackupError::Newer(path.to_owned(), told));
    }
    let held = spool::copy::hold(&places.data.join("spool"))?;
    let stage = Stage::of(&places.data);
    if stage.folder.exists() {
        let opened = store::open(&places.store).await?;
        stage.finish(opened.as_ref()).await?;
    }
    if !force && has_files(&places.data).map_err(on_file(&places.data, HINT))? {
        return Err(BackupError::NotEmpty(places.data.clone()));
    }
    enough_room(&places.data, &manifest)?;

    let name = Uuid::new_v4();
    stage.begin().map_err(on_file(&stage.folder, HINT))?;
    let (send, rows) = mpsc::channel(WAITING);
    let (named, laying) = (path.to_owned(), stage.clone());
    let giving = blocking(move || {
        let mut file = file;
        let mut giving = Giving { rows: send, stage: laying, spooled: 0 };
        let again = unpack::read(&named, &mut file, &mut giving)?;
        giving.stage.ready(name).map_err(on_file(&giving.stage.folder, HINT))?;
        let _ = giving.rows.blocking_send(Batch::End); // whoever does not take it says why
        Ok(again)
    });
    let (written, given) = tokio::join!(copy::replace_all(&places.store, rows, name, force), giving);
    let failed = match (written, given) {
        (Ok(()), _) => None,
        // The database was told only that no more rows come.
        (Err(CopyError::Ended), Err(error)) => Some(error),
        (Err(error), _) => Some(error.into()),
    };
    if let Some(error) = failed {
        // A connection that broke while it committed may have done so.
        let unsure = matches!(&error, BackupError::Copy(CopyError::Store(_))) && stage.is_ready();
        let came = if unsure { store::open(&places.store).await?.was_restored(name).await? } else { false };
        if !came {
            let _ = fs::remove_dir_all(&stage.folder);
            return Err(error);
        }
    }
    let swapped = stage.clone();
    blocking(move || {
        swapped.swap().map_err(on_file(
            &swapped.folder,
            "the rows are restored, the files not yet: start the server, it finishes",
        ))
    })
    .await?;
    drop(held);
    Ok(Restored { manifest })
}

/// Finishes or forgets a restore that was interrupted in this data folder, before a server uses it.
///
/// # Errors
/// When the folder is in use, or cannot be written to.
pub async fn finish_interrupted(data: &Path, store: &dyn Store) -> Result<(), BackupError> {
    let stage = Stage::of(data);
    if !stage.folder.exists() {
        return Ok(());
    }
    let _held = spool::copy::hold(&data.join("spool"))?;
    stage.finish(store).await
}

/// The files of a restore, beside those they replace.
#[derive(Clone)]
struct Stage {
    data: PathBuf,
    folder: PathBuf,
}

impl Stage {
    fn of(data: &Path) -> Self {
        Self { data: data.to_owned(), folder: data.join("restore") }
    }

    fn begin(&self) -> io::Result<()> {
        for part in ["new/spool", "new/uploads", "old"] {
            DirBuilder::new().recursive(true).mode(0o700).create(self.folder.join(part))?;
        }
        Ok(())
    }

    fn lay(&self, place: &str, from: &mut dyn Read) -> io::Result<()> {
        let path = self.folder.join("new").join(place);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        io::copy(from, &mut file)?;
        file.sync_all()
    }

    /// All is laid out; from now on the database decides.
    fn ready(&self, name: Uuid) -> io::Result<()> {
        let mut file = File::create(self.folder.join("ready"))?;
        write!(file, "{name}")?;
        file.sync_all()?;
        ["new/spool", "new/uploads", "new", ""].iter().try_for_each(|part| sync(&self.folder.join(part)))
    }

    fn is_ready(&self) -> bool {
        self.folder.join("ready").exists()
    }

    async fn finish(&self, store: &dyn Store) -> Result<(), BackupError> {
        let name = fs::read_to_string(self.folder.join("ready")).ok().and_then(|name| name.parse().ok());
        let came = match name {
            Some(name) => store.was_restored(name).await?,
            None => false,
        };
        if came {
            tracing::warn!("finishing a restore that was interrupted");
            self.swap().map_err(on_file(&self.folder, HINT))
        } else {
            tracing::warn!("forgetting a restore that was interrupted; nothing of it was used");
            fs::remove_dir_all(&self.folder).map_err(on_file(&self.folder, HINT))
        }
    }

    /// Puts the new files into the places of the old ones. Interrupted, it can be done again.
    fn swap(&self) -> io::Result<()> {
        let (spool, uploads) = (self.data.join("spool"), self.data.join("uploads"));
        let moved = self.folder.join("moved");
        if !moved.exists() {
            spool::copy::clear(&spool)?;
            let old = self.folder.join("old/uploads");
            if uploads.exists() && !old.exists() {
                fs::rename(&uploads, old)?;
            }
            File::create(&moved)?.sync_all()?;
            sync(&self.folder)?;
        }
        let new = self.folder.join("new");
        for entry in fs::read_dir(new.join("spool"))? {
            let entry = entry?;
            fs::rename(entry.path(), spool.join(entry.file_name()))?;
        }
        if new.join("uploads").exists() {
            fs::rename(new.join("uploads"), &uploads)?;
        }
        for entry in fs::read_dir(&new)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                fs::rename(entry.path(), self.data.join(entry.file_name()))?;
            }
        }
        sync(&spool)?;
        sync(&self.data)?;
        fs::remove_dir_all(&self.folder)
    }
}

/// Gives rows to the database, and lays out the rest.
struct Giving {
    rows: mpsc::Sender<Batch>,
    stage: Stage,
    spooled: u64,
}

impl Take for Giving {
    fn rows(&mut self, table: &'static Table, rows: Vec<Row>) -> Result<(), String> {
        self.rows.blocking_send(Batch::Rows(table, rows)).map_err(|_| "the database takes no more".into())
    }

    fn bytes(&mut self, member: &Member, from: &mut dyn Read) -> Result<(), String> {
        let place = match member {
            Member::Spool(_) => {
                self.spooled += 1;
                format!("spool/{}", spool::copy::segment_name(self.spooled))
            }
            Member::Upload(id) => format!("uploads/{id}"),
            Member::File(name) => (*name).to_owned(),
            Member::Rows(..) | Member::Manifest => return Err("a member is given as what it is not".into()),
        };
        self.stage.lay(&place, from).map_err(|error| format!("{place} cannot be written: {error}"))
    }
}

/// Whether something waits there that a restore would replace.
fn has_files(data: &Path) -> io::Result<bool> {
    let uploads = match fs::read_dir(data.join("uploads")) {
        Ok(mut uploads) => uploads.next().is_some(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(error),
    };
    Ok(uploads || !spool::copy::segments(&data.join("spool"))?.is_empty())
}

/// Room for the files; what a database needs for the rows, it finds out itself.
fn enough_room(data: &Path, manifest: &Manifest) -> Result<(), BackupError> {
    let rows = manifest.members.iter().filter(|part| !part.name.starts_with("rows/"));
    let needed: u64 = rows.map(|part| part.size).sum();
    let free = fs4::available_space(data).map_err(on_file(data, HINT))?;
    if needed > free {
        return Err(BackupError::NoRoom { path: data.to_owned(), free_mb: free >> 20, needed_mb: (needed >> 20) + 1 });
    }
    Ok(())
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
