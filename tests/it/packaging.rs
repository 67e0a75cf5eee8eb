//! What is installed: the package and the tarball hold what the program needs, and systemd accepts the unit.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs a program; gives its exit code and all it said.
fn run(command: &mut Command) -> (Option<i32>, String) {
    let done = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    (done.status.code(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
}

fn installed(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

/// The unit in a folder of its own, with a program that is there.
fn unit(folder: &Path) -> PathBuf {
    let unit = std::fs::read_to_string(root().join("deploy/systemd/aigolos.service")).expect("the unit");
    let unit = unit.replace("/usr/bin/aigolos", env!("CARGO_BIN_EXE_aigolos"));
    // Its man page is not installed here.
    let unit: Vec<_> = unit.lines().filter(|line| !line.starts_with("Documentation")).collect();
    let unit = unit.join("\n") + "\n";
    let path = folder.join("aigolos.service");
    std::fs::write(&path, unit).expect("written");
    path
}

#[test]
fn systemd_accepts_the_unit_and_finds_little_to_blame() {
    if !installed("systemd-analyze") {
        eprintln!("systemd-analyze is not there (apt-get install systemd); not checked");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let unit = unit(folder.path());
    let (code, said) = run(Command::new("systemd-analyze").arg("verify").arg(&unit));
    let ours: Vec<_> = said.lines().filter(|line| line.contains("aigolos")).collect();
    assert!(code == Some(0) && ours.is_empty(), "{said}");
    // Exposure, in tenths; 10 is a service that may do everything.
    let limit = ["security", "--offline=true", "--threshold=15", "--no-pager"];
    let (code, said) = run(Command::new("systemd-analyze").args(limit).arg(&unit));
    assert_eq!(code, Some(0), "{said}");
}

#[test]
fn the_package_and_the_tarball_run_by_themselves() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name);
    let (code, said) = run(Command::new(root().join("scripts/dist.sh"))
        .args([
            "--quick",
            "--binary",
            env!("CARGO_BIN_EXE_aigolos"),
            "--version",
            "9.8.7",
            "--onnxruntime",
            "/nowhere",
            "--output",
        ])
        .arg(path("dist"))
        .env_remove("AIGOLOS_CPU"));
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = run(Command::new("sha256sum").args(["--check", "SHA256SUMS"]).current_dir(path("dist")));
    assert_eq!(code, Some(0), "{said}");
    let made = |ending: &str| {
        let entries = std::fs::read_dir(path("dist")).expect("a folder");
        let mut names = entries.map(|entry| entry.expect("an entry").path());
        names.find(|path| path.to_string_lossy().ends_with(ending)).unwrap_or_else(|| panic!("no {ending}"))
    };

    let package = made(".deb");
    let (code, said) = run(Command::new("dpkg-deb").arg("-x").arg(&package).arg(path("root")));
    assert_eq!(code, Some(0), "{said}");
    for file in [
        "usr/share/man/man1/aigolos.1.gz",
        "usr/share/bash-completion/completions/aigolos",
        "usr/share/zsh/vendor-completions/_aigolos",
        "usr/share/fish/vendor_completions.d/aigolos.fish",
        "usr/share/doc/aigolos/copyright",
        "usr/share/doc/aigolos/operations.md",
        "lib/systemd/system/aigolos.service",
        "usr/lib/sysusers.d/aigolos.conf",
        "etc/aigolos/aigolos.env",
    ] {
        assert!(path("root").join(file).is_file(), "{file}");
    }
    let (_, fields) = run(Command::new("dpkg-deb").arg("-f").arg(&package));
    for field in ["Package: aigolos", "Version: 9.8.7", "Depends: "] {
        assert!(fields.contains(field), "{fields}");
    }
    let (_, listed) = run(Command::new("dpkg-deb").args(["-c"]).arg(&package));
    let settings = listed.lines().find(|line| line.ends_with("aigolos.env")).expect("it is there");
    assert!(settings.starts_with("-rw-r----- root/root"), "keys are for root and the service: {settings}");
    works(&path("root").join("usr/bin/aigolos"), folder.path());

    let (code, said) = run(Command::new("tar").arg("-xzf").arg(made(".tar.gz")).current_dir(folder.path()));
    assert_eq!(code, Some(0), "{said}");
    let entries = std::fs::read_dir(folder.path()).expect("a folder");
    let mut trees =
        entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.join("INSTALL.md").is_file());
    let tree = trees.next().expect("the tarball has one folder");
    for file in
        ["LICENSE", "README.md", "completions/aigolos.fish", "systemd/aigolos.service", "share/man/man1/aigolos.1"]
    {
        assert!(tree.join(file).is_file(), "{file}");
    }
    works(&tree.join("bin/aigolos"), folder.path());
}

/// The program speaks and understands with what lies around it, and nothing else.
fn works(program: &Path, folder: &Path) {
    let bare = || {
        let mut command = Command::new(program);
        command.env_clear().env("DATA_DIR", folder.join("data")).current_dir(folder);
        command
    };
    let (code, said) = run(bare().arg("--version"));
    assert!(code == Some(0) && said.starts_with("aigolos "), "{said}");
    let (code, said) = run(bare().args(["say", "What time is it?", "--output", "said.wav", "--tts-engine", "espeak"]));
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = run(bare().args(["transcribe", "said.wav", "--asr-model-name", "nano"]));
    assert!(code == Some(0) && said.to_lowercase().contains("what time is it"), "{said}");
}
