//! `aigolos backup` and `aigolos restore`.

use std::{
    io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;

use super::Outcome;
use crate::app::{
    backup::{self, Every, Manifest, Places},
    config::Config,
    keeping,
};

/// How a backup is made, or looked at.
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct BackupAction {
    /// List the backups in BACKUP_DIR
    #[arg(long, conflicts_with_all = ["verify", "every", "output", "keep", "without_secret"])]
    list: bool,
    /// Read a backup to its end and say whether it is whole
    #[arg(long, value_name = "FILE", conflicts_with_all = ["every", "output", "keep", "without_secret"])]
    verify: Option<PathBuf>,
    /// Backups kept, this once; else as BACKUP_KEEP says
    #[arg(long, value_name = "N")]
    keep: Option<u32>,
    /// Do not end: make one at once if the newest is older than this (`24h`, `7d`), then always when it is
    #[arg(long, value_name = "TIME", conflicts_with = "output")]
    every: Option<Every>,
    /// Write it there, or with `-` to the standard output, and remove no older ones
    #[arg(short, long, value_name = "FILE", conflicts_with = "keep")]
    output: Option<PathBuf>,
    /// Leave the key of log-ins out: the archive opens no doors, and people log in anew after a restore
    #[arg(long)]
    without_secret: bool,
}

impl BackupAction {
    /// Whether it makes one after the other until it is told to stop.
    pub fn runs_for_ever(&self) -> bool {
        self.every.is_some()
    }
}

/// `aigolos backup`.
pub async fn backup(config: &Config, action: BackupAction) -> Outcome {
    let folder = folder(config);
    if action.list {
        return list(&folder);
    }
    if let Some(file) = &action.verify {
        let manifest = backup::verify(file)?;
        println!("{} is whole", file.display());
        describe(&manifest);
        return Ok(ExitCode::SUCCESS);
    }
    let places = places(config);
    let with_secret = !action.without_secret;
    let keep = action.keep.unwrap_or(config.settings.operating.backup_keep);
    if let Some(every) = action.every {
        backup::keep_making(&places, &folder, every, keep, with_secret, told_to_stop()).await;
        return Ok(ExitCode::SUCCESS);
    }
    match &action.output {
        Some(output) if output == Path::new("-") => {
            backup::write_to(&places, io::stdout(), with_secret).await?;
        }
        Some(output) => {
            let file = backup::create(output)?;
            let (file, manifest) = backup::write_to(&places, file, with_secret).await?;
            file.sync_all()?;
            backup::verify(output)?;
            written(output, file.metadata()?.len(), &manifest);
        }
        None => {
            let made = backup::make_and_prune(&places, &folder, keep, with_secret).await?;
            written(&made.path, made.bytes, &made.manifest);
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// `aigolos restore`.
pub async fn restore(config: &Config, file: &Path, force: bool) -> Outcome {
    let places = places(config);
    let manifest = backup::restore(&places, file, force).await?.manifest;
    println!("restored {} into {}", file.display(), backup::kind_of(&places.store));
    describe(&manifest);
    if places.secret_is_set {
        println!("log-ins stay valid if SECRET_KEY is what it was");
    } else if !manifest.secret {
        println!("people log in anew: the backup has no key of log-ins; keys for programs stay valid");
    }
    Ok(ExitCode::SUCCESS)
}

fn places(config: &Config) -> Places {
    Places {
        data: config.settings.data_dir.clone(),
        store: keeping::store_settings(config),
        secret_is_set: !config.settings.keeping.secret_key.is_empty(),
    }
}

fn folder(config: &Config) -> PathBuf {
    match config.settings.operating.backup_dir.as_str() {
        "" => config.settings.data_dir.join("backups"),
        folder => folder.into(),
    }
}

fn list(folder: &Path) -> Outcome {
    let all = backup::kept(folder).map_err(|error| format!("{}: {error}\nhint: set BACKUP_DIR", folder.display()))?;
    for kept in &all {
        println!("{}  {}  {}", kept.at, size(kept.bytes), kept.path.display());
    }
    if all.is_empty() {
        println!("there is no backup in {}", folder.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn written(path: &Path, bytes: u64, manifest: &Manifest) {
    println!("{}: {}, whole", path.display(), size(bytes));
    describe(manifest);
}

fn describe(manifest: &Manifest) {
    println!("  made {} by aigolos {} from {}", manifest.created_at, manifest.program, manifest.database);
    let rows: Vec<_> = manifest.rows.iter().map(|(table, rows)| format!("{rows} {table}")).collect();
    println!("  rows: {}", rows.join(", "));
    let count = |beginning: &str| manifest.members.iter().filter(|part| part.name.starts_with(beginning)).count();
    println!("  {} waiting recordings, {} pieces of waiting turns", count("uploads/"), count("spool/"));
    if manifest.secret {
        println!("  it has the key of log-ins: keep it secret");
    }
}

fn size(bytes: u64) -> String {
    if bytes < 1_000_000 { format!("{:.1} kB", bytes as f64 / 1e3) } else { format!("{:.1} MB", bytes as f64 / 1e6) }
}

async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminate = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => drop(terminate.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = terminate => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}
