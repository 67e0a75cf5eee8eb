//! The ONNX Runtime library: where it lies, and whether it will do.
//!
//! ort opens the library when first used and panics, or is left in a state it cannot recover from, if that fails.
//! So every candidate is opened and asked for its version here first, and ort sees only one that fits.
#![expect(unsafe_code, reason = "opening a library runs its code, and asking its version calls C")]

use std::{
    ffi::CStr,
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use ort::logging::LogLevel;

use crate::engine::EngineError;

/// The least minor version of ONNX Runtime 1 that has the API ort was built for (piper-rs asks for ort's newest).
const NEEDED: u32 = ort::sys::ORT_API_VERSION;

/// Opens the library for the whole process and gives its version. The first that fits stays; later calls give the
/// same one.
pub(super) fn open(setting: Option<&Path>) -> Result<String, EngineError> {
    static OPENED: Mutex<Option<String>> = Mutex::new(None);
    // A library that was asked for must be there even if another one is in use already.
    let candidates = match setting {
        Some(path) if path.is_file() => vec![path.to_owned()],
        Some(path) => return Err(missing(&format!("no file {}", path.display()))),
        None => usual_places(),
    };
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    let mut problems = Vec::new();
    for path in candidates {
        match check(&path) {
            Ok(_) if opened.is_some() => return Ok(opened.clone().unwrap_or_default()),
            Ok(version) => {
                let builder = ort::init_from(&path)
                    .map_err(|error| missing(&format!("{} cannot be used: {error}", path.display())))?;
                builder.with_name("aigolos").with_telemetry(false).with_logger(Arc::new(log)).commit();
                quieten();
                tracing::debug!(file = %path.display(), version, "onnx runtime opened");
                *opened = Some(version.clone());
                return Ok(version);
            }
            Err(problem) => problems.push(format!("{}: {problem}", path.display())),
        }
    }
    Err(missing(&if problems.is_empty() { "no libonnxruntime.so found".to_owned() } else { problems.join("; ") }))
}

/// What ONNX Runtime tells goes to the log under this name.
const LOG: &str = "onnxruntime";

/// It tells of every node of every network it loads: for those who look for trouble in it, and nobody else.
fn log(level: LogLevel, _category: &str, _id: &str, place: &str, message: &str) {
    match level {
        LogLevel::Verbose | LogLevel::Info => tracing::trace!(target: LOG, place, "{message}"),
        LogLevel::Warning => tracing::debug!(target: LOG, place, "{message}"),
        LogLevel::Error | LogLevel::Fatal => tracing::warn!(target: LOG, place, "{message}"),
    }
}

/// Spares it making lines that nobody will read.
fn quieten() {
    if tracing::enabled!(target: LOG, tracing::Level::TRACE) {
        return;
    }
    match ort::environment::Environment::current() {
        Ok(environment) => environment.set_log_level(LogLevel::Warning),
        Err(error) => tracing::debug!(%error, "onnx runtime cannot be quietened"),
    }
}

/// The version of the library at `path`, if ort can work with it; else why not.
fn check(path: &Path) -> Result<String, String> {
    // SAFETY: loading runs the library's own start-up code: as trusted as the file the administrator put there.
    let library = unsafe { libloading::Library::new(path) }.map_err(|error| format!("cannot be loaded ({error})"))?;
    // SAFETY: the signature of this symbol has been the same since ONNX Runtime 1.0.
    let base = unsafe {
        library
            .get::<unsafe extern "C" fn() -> *const ort::sys::OrtApiBase>(b"OrtGetApiBase\0")
            .map_err(|_| "is not an ONNX Runtime library".to_owned())?()
    };
    if base.is_null() {
        return Err("is not an ONNX Runtime library".into());
    }
    // SAFETY: not null, and it points to a table that lives as long as the library; its strings do too.
    let (version, api) = unsafe {
        let version = ((*base).GetVersionString)();
        let version =
            if version.is_null() { String::new() } else { CStr::from_ptr(version).to_string_lossy().into_owned() };
        let api = fits(&version).then(|| ((*base).GetApi)(NEEDED));
        (version, api)
    };
    match api {
        Some(api) if !api.is_null() => {
            // ONNX Runtime keeps threads and state of its own: once loaded it stays.
            std::mem::forget(library);
            Ok(version)
        }
        _ => Err(format!("is version {version}, needed is 1.{NEEDED} or newer")),
    }
}

/// Whether `version` (`1.22.1`) has the API that ort was built for. Asked of an older one, the library would write
/// to stderr.
fn fits(version: &str) -> bool {
    let mut numbers = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    major == 1 && minor >= NEEDED
}

/// Files that may be the library, nearest first.
fn usual_places() -> Vec<PathBuf> {
    let mut folders = Vec::new();
    let executable = std::env::current_exe().ok().and_then(|path| path.canonicalize().ok());
    if let Some(folder) = executable.as_deref().and_then(Path::parent) {
        folders.extend([folder.to_owned(), folder.join("lib")]);
        if let Some(parent) = folder.parent() {
            folders.extend([parent.join("lib/aigolos"), parent.join("lib")]);
        }
    }
    folders.extend(std::env::current_dir().map(|folder| folder.join("lib")));
    folders.extend(["/usr/local/lib", "/usr/lib", "/usr/lib64"].map(PathBuf::from));
    folders.push(PathBuf::from(format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH)));
    folders.iter().flat_map(|folder| libraries_in(folder)).collect()
}

fn libraries_in(folder: &Path) -> Vec<PathBuf> {
    let name = format!("{}onnxruntime{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    // `libonnxruntime.so` itself, or with its version behind.
    let names = entries.filter_map(Result::ok).filter(|entry| {
        let found = entry.file_name();
        let found = found.to_string_lossy();
        found.strip_prefix(&name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    });
    let mut found: Vec<_> = names.map(|entry| entry.path()).filter(|path| path.is_file()).collect();
    found.sort_unstable();
    found
}

fn missing(reason: &str) -> EngineError {
    EngineError::ModelMissing {
        name: format!("ONNX Runtime library: {reason}"),
        hint: format!(
            "run scripts/fetch-onnxruntime.py, or set ORT_DYLIB_PATH to a libonnxruntime.so, 1.{NEEDED} or newer"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(path: &Path) -> String {
        let error = open(Some(path)).expect_err("must be refused");
        assert!(error.hint().contains("ORT_DYLIB_PATH"));
        error.to_string()
    }

    #[test]
    fn a_missing_garbage_or_foreign_library_is_refused_with_a_reason_and_the_right_one_still_opens() {
        let scratch = tempfile::tempdir().expect("scratch");
        assert!(refused(&scratch.path().join("nowhere.so")).contains("no file"));
        assert!(refused(scratch.path()).contains("no file"), "a folder");
        let garbage = scratch.path().join("garbage.so");
        fs::write(&garbage, b"\x7fELF and then nothing of the kind").expect("write");
        assert!(refused(&garbage).contains("cannot be loaded"));
        // A real library, of something else: the C library's mathematics.
        let foreign = ["/lib", "/usr/lib", "/lib64", "/usr/lib64"].iter().find_map(|folder| {
            let folder = Path::new(folder);
            let triple = folder.join(format!("{}-linux-gnu", std::env::consts::ARCH));
            [triple.join("libm.so.6"), folder.join("libm.so.6")].into_iter().find(|path| path.is_file())
        });
        if let Some(foreign) = foreign {
            assert!(refused(&foreign).contains("is not an ONNX Runtime library"));
        }
        let opened = open(None).expect("run scripts/fetch-onnxruntime.py first");
        assert!(fits(&opened), "{opened}");
        assert_eq!(open(None), Ok(opened));
        assert!(refused(&garbage).contains("cannot be loaded"), "a wrong setting is said even then");
    }

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(fits(&format!("1.{NEEDED}.0")) && fits(&format!("1.{}.3-dev", NEEDED + 1)) && fits("1.100.0"));
        assert!(!fits("1.9.0") && !fits("1.21.1") && !fits("2.99.0") && !fits("") && !fits("unknown"));
    }
}
