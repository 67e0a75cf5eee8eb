//! Makes a backup while the server runs, or beside one that does not.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::{
    BackupError, Places,
    folder::name_of,
    manifest::{FORMAT, Manifest},
    member::{FILES, Member, SECRET},
    on_file,
    pack::Packer,
    unpack::verify,
};
use crate::store::{
    StoreSettings,
    copy::{self, CopyError, Piece, Value, decode},
    spool,
};

/// Pieces of rows that wait to be packed; the database is read no faster.
const WAITING: usize = 2;
/// Recordings held open so that a job that ends meanwhile does not take its own away. More are opened when it is
/// their turn.
const OPEN: usize = 256;
const WRITE_HINT: &str =
    "set BACKUP_DIR to a folder that this user may write to, with room for everything that is kept";
const READ_HINT: &str = "run it as the user that the server runs as";

/// A backup that was made, and read again to its end.
#[derive(Debug, Clone)]
pub struct Made {
    pub path: PathBuf,
    pub bytes: u64,
    pub manifest: Manifest,
}

/// Makes a backup in `folder`, under the name of this moment. It is there whole and verified, or not at all.
///
/// # Errors
/// [`BackupError`]; nothing is left of it then.
pub async fn make(places: &Places, folder: &Path, with_secret: bool) -> Result<Made, BackupError> {
    if !folder.exists() {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(on_file(folder, WRITE_HINT))?;
    }
    sweep(folder);
    let at = Timestamp::now();
    let path = folder.join(name_of(at));
    let draft = Draft(folder.join(format!(".{}.{}.part", name_of(at), Uuid::new_v4())));
    let file = create(&draft.0)?;
    // Held until it is done: who finds a draft that nobody holds may sweep it away.
    file.lock().map_err(on_file(&draft.0, WRITE_HINT))?;
    let (file, _) = write_to(places, file, with_secret).await?;
    let draft = blocking(move || {
        file.sync_all().map_err(on_file(&draft.0, WRITE_HINT))?;
        Ok((verify(&draft.0)?, file, draft))
    });
    let (manifest, file, draft) = draft.await?;
    let bytes = file.metadata().map_err(on_file(&path, WRITE_HINT))?.len();
    // A link fails where a rename would replace.
    match fs::hard_link(&draft.0, &path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(BackupError::Exists(path)),
        Err(error) if error.kind() == io::ErrorKind::Unsupported || error.kind() == io::ErrorKind::PermissionDenied => {
            fs::rename(&draft.0, &path).map_err(on_file(&path, WRITE_HINT))?;
        }
        linked => linked.map_err(on_file(&path, WRITE_HINT))?,
    }
    drop(draft);
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(on_file(folder, WRITE_HINT))?;
    Ok(Made { path, bytes, manifest })
}

/// Writes a backup into `out`, without reading it again.
///
/// # Errors
/// [`BackupError`]; what was written is of no use then.
pub async fn write_to<W: Write + Send + 'static>(
    places: &Places,
    out: W,
    with_secret: bool,
) -> Result<(W, Manifest), BackupError> {
    let at = Timestamp::now();
    // What waits is read before the database: whatever is on its way from here to there is seen at least once.
    let data = places.data.clone();
    let begun = blocking(move || {
        let mut packer = Packer::new(out, at.as_second().unsigned_abs());
        let mut number = 0;
        let folder = data.join("spool");
        spool::copy::waiting(&folder, |frames| {
            number += 1;
            packer.add(&Member::Spool(number), frames)
        })
        .map_err(on_file(&folder, READ_HINT))?;
        Ok((packer, Recordings::open(&data.join("uploads"))?))
    });
    let (mut packer, mut recordings) = begun.await?;

    let (send, mut pieces) = mpsc::channel::<Piece>(WAITING);
    let data = places.data.clone();
    let packing = blocking(move || {
        let mut rows = BTreeMap::<String, u64>::new();
        let mut numbers = HashMap::<&str, u32>::new();
        let server = fs::read_to_string(data.join("server.id")).unwrap_or_default();
        while let Some(piece) = pieces.blocking_recv() {
            let number = numbers.entry(piece.table.name).or_default();
            *number += 1;
            packer.add(&Member::Rows(piece.table, *number), &piece.lines).map_err(on_file(&data, WRITE_HINT))?;
            *rows.entry(piece.table.name.to_owned()).or_default() += piece.rows;
            if piece.table.name == "jobs" {
                recordings.wanted(&piece, server.trim());
            }
        }
        Ok((packer, recordings, rows))
    });
    let (read, packed) = tokio::join!(copy::read_all(&places.store, send), packing);
    let (packer, recordings, rows) = match (read, packed) {
        // The reader was told only that nobody takes its rows.
        (Err(CopyError::Ended), Err(error)) => return Err(error),
        (Err(error), _) => return Err(error.into()),
        (Ok(schema), packed) => packed.map(|(packer, recordings, rows)| (packer, recordings, (schema, rows)))?,
    };

    let data = places.data.clone();
    let (secret_is_set, database) = (places.secret_is_set, kind_of(&places.store));
    blocking(move || {
        let mut packer = packer;
        recordings.pack(&mut packer)?;
        let mut secret = false;
        for name in FILES {
            if name == SECRET && (!with_secret || secret_is_set) {
                continue;
            }
            let path = data.join(name);
            match fs::read(&path) {
                Ok(bytes) => packer.add(&Member::File(name), &bytes).map_err(on_file(&path, WRITE_HINT))?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(on_file(&path, READ_HINT)(error)),
            }
            secret |= name == SECRET;
        }
        let manifest = Manifest {
            format: FORMAT,
            program: env!("CARGO_PKG_VERSION").into(),
            schema: rows.0,
            database: database.into(),
            created_at: Timestamp::from_second(at.as_second()).unwrap_or(at).to_string(),
            secret,
            rows: rows.1,
            members: Vec::new(),
        };
        packer.finish(manifest).map_err(on_file(&data, WRITE_HINT))
    })
    .await
}

/// A new file for an archive, for its owner only.
///
/// # Errors
/// When there is one already, or it cannot be made.
pub fn create(path: &Path) -> Result<File, BackupError> {
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(BackupError::Exists(path.to_owned())),
        created => created.map_err(on_file(path, WRITE_HINT)),
    }
}

/// How manifests call a store.
pub fn kind_of(store: &StoreSettings) -> &'static str {
    match store {
        StoreSettings::Sqlite { .. } => "sqlite",
        StoreSettings::Postgres { .. } => "postgresql",
    }
}

/// Recordings that wait to be transcribed.
struct Recordings {
    folder: PathBuf,
    open: HashMap<Uuid, File>,
    wanted: HashSet<Uuid>,
}

impl Recordings {
    fn open(folder: &Path) -> Result<Self, BackupError> {
        let mut open = HashMap::new();
        let entries = match fs::read_dir(folder) {
            Ok(entries) => Some(entries),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(on_file(folder, READ_HINT)(error)),
        };
        for entry in entries.into_iter().flatten().flatten().take(OPEN) {
            if let (Some(id), Ok(file)) =
                (entry.file_name().to_str().and_then(|name| name.parse().ok()), File::open(entry.path()))
            {
                open.insert(id, file);
            }
        }
        Ok(Self { folder: folder.to_owned(), open, wanted: HashSet::new() })
    }

    /// Notes which jobs of `server` have not ended.
    fn wanted(&mut self, jobs: &Piece, server: &str) {
        let at = |name: &str| jobs.table.columns.iter().position(|column| column.name == name).unwrap_or(usize::MAX);
        let (id, whose, state) = (at("id"), at("server"), at("state"));
        for line in jobs.lines.split_inclusive(|byte| *byte == b'\n') {
            let Ok(job) = decode(jobs.table, line) else { continue };
            if let (Some(Value::Id(id)), Some(Value::Text(whose)), Some(Value::Text(state))) =
                (job.get(id), job.get(whose), job.get(state))
                && whose == server
                && (state == "queued" || state == "running")
            {
                self.wanted.insert(*id);
            }
        }
    }

    fn pack<W: Write>(mut self, packer: &mut Packer<W>) -> Result<(), BackupError> {
        for id in self.wanted {
            let path = self.folder.join(id.to_string());
            let file = match self.open.remove(&id).map_or_else(|| File::open(&path), Ok) {
                Ok(file) => file,
                // Its job has ended since.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(on_file(&path, READ_HINT)(error)),
            };
            packer.add_file(&Member::Upload(id), file).map_err(on_file(&path, WRITE_HINT))?;
        }
        Ok(())
    }
}

/// A file that goes unless it became a backup.
struct Draft(PathBuf);

impl Drop for Draft {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

/// Removes drafts that a dead process left.
fn sweep(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if name.strip_prefix(".aigolos-").is_none_or(|rest| rest.strip_suffix(".part").is_none()) {
            continue;
        }
        let path = folder.join(name);
        if File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
            let _ = fs::remove_file(path);
        }
    }
}

/// Files and compression block.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, BackupError> + Send + 'static,
) -> Result<T, BackupError> {
    let lost = |_| BackupError::Store(crate::store::StoreError::Failed("a bug stopped the backup".into()));
    tokio::task::spawn_blocking(work).await.map_err(lost)?
}
