//! The public repository's automation, held to its rules: what it runs is pinned and exists, and it may do no more than
//! it must.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_yaml_ng::Value;

/// What may be used besides plain commands. To add one, look at what it does.
const ACTIONS: [&str; 10] = [
    "actions/attest-build-provenance",
    "actions/cache",
    "actions/checkout",
    "actions/download-artifact",
    "actions/setup-node",
    "actions/upload-artifact",
    "docker/build-push-action",
    "docker/login-action",
    "docker/setup-buildx-action",
    "Swatinem/rust-cache",
];
/// Where something may be written.
const WRITERS: [&str; 1] = ["release.yml"];

struct Workflow {
    name: String,
    text: String,
    yaml: Value,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn workflows() -> Vec<Workflow> {
    let folder = root().join(".github/workflows");
    let mut all: Vec<PathBuf> =
        fs::read_dir(folder).expect("there are workflows").map(|entry| entry.expect("read").path()).collect();
    all.sort();
    let read = |path: PathBuf| {
        let text = fs::read_to_string(&path).expect("UTF-8");
        let yaml = serde_yaml_ng::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Workflow { name: path.file_name().expect("a name").to_string_lossy().into_owned(), text, yaml }
    };
    all.into_iter().map(read).collect()
}

fn jobs(workflow: &Workflow) -> Vec<(String, &Value)> {
    let jobs = workflow.yaml["jobs"].as_mapping().expect("it has jobs");
    jobs.iter().map(|(name, job)| (format!("{}: {}", workflow.name, name.as_str().expect("a name")), job)).collect()
}

fn steps(job: &Value) -> &[Value] {
    job["steps"].as_sequence().map_or(&[], Vec::as_slice)
}

#[test]
fn there_are_the_three() {
    let names: Vec<_> = workflows().into_iter().map(|workflow| workflow.name).collect();
    assert_eq!(names, ["audit.yml", "ci.yml", "release.yml"]);
}

#[test]
fn actions_are_pinned_by_commit_and_say_their_version() {
    let mut pins = BTreeMap::<String, BTreeSet<String>>::new();
    for Workflow { name, text, .. } in workflows() {
        for line in text.lines().map(|line| line.trim_start_matches(['-', ' '])) {
            let Some(uses) = line.strip_prefix("uses:") else { continue };
            let (pin, comment) = uses.trim().split_once(" # v").unwrap_or_else(|| panic!("{name}: no version: {line}"));
            let (action, commit) = pin.split_once('@').unwrap_or_else(|| panic!("{name}: no commit: {line}"));
            assert!(ACTIONS.contains(&action), "{name}: {action} is not one that was looked at");
            let hexadecimal = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
            assert!(commit.len() == 40 && commit.chars().all(hexadecimal), "{name}: {commit}");
            let numbers: Vec<_> = comment.split('.').collect();
            assert!(numbers.len() == 3 && numbers.iter().all(|part| part.parse::<u32>().is_ok()), "{name}: {comment}");
            pins.entry(action.to_owned()).or_default().insert(format!("{commit} {comment}"));
        }
        assert!(!text.contains("uses: ./") && !text.contains("docker://"), "{name}: something else is used");
    }
    assert!(pins.len() > 5, "the test no longer finds them");
    for (action, versions) in pins {
        assert_eq!(versions.len(), 1, "{action} has several versions: {versions:?}");
    }
}

#[test]
fn jobs_may_do_no_more_than_they_must() {
    for workflow in workflows() {
        let nothing = workflow.yaml["permissions"].as_mapping().expect("permissions at the top");
        assert!(nothing.is_empty(), "{}: something is allowed to all jobs", workflow.name);
        for (name, job) in jobs(&workflow) {
            let allowed = job["permissions"].as_mapping().unwrap_or_else(|| panic!("{name}: no permissions"));
            for (what, how) in allowed {
                let (what, how) = (what.as_str().expect("a name"), how.as_str().expect("a word"));
                let writes = WRITERS.contains(&workflow.name.as_str());
                assert!(how == "read" || (how == "write" && writes), "{name}: {what}: {how}");
            }
            let minutes = job["timeout-minutes"].as_u64();
            assert!(minutes.is_some_and(|minutes| (1..=120).contains(&minutes)), "{name}: no time limit");
            for step in steps(job) {
                let uses = step["uses"].as_str().unwrap_or_default();
                if uses.starts_with("actions/checkout@") {
                    let kept = step["with"]["persist-credentials"].as_bool();
                    assert_eq!(kept, Some(false), "{name}: later steps could use the checkout's token");
                }
            }
        }
    }
}

#[test]
fn strangers_find_nothing_to_take() {
    for workflow in workflows() {
        let name = &workflow.name;
        let triggers: Vec<_> = match &workflow.yaml["on"] {
            Value::Mapping(triggers) => triggers.keys().filter_map(Value::as_str).collect(),
            _ => panic!("{name}: when it runs is not a list of its own"),
        };
        for trigger in ["pull_request_target", "workflow_run", "issue_comment", "issues"] {
            assert!(!triggers.contains(&trigger), "{name}: {trigger} runs with rights for whoever writes");
        }
        if triggers.contains(&"pull_request") {
            for secret in ["secrets.", "github.token", "secrets:"] {
                assert!(!workflow.text.contains(secret), "{name}: a pull request's job has {secret}");
            }
        }
        for (job_name, job) in jobs(&workflow) {
            for run in steps(job).iter().filter_map(|step| step["run"].as_str()) {
                // What others name (branches, titles) would be read by the shell; through `env` it is not.
                assert!(!run.contains("${{"), "{job_name}: put into a command: {run}");
                assert!(!run.contains("curl ") && !run.contains("| sh"), "{job_name}: runs what it fetches: {run}");
            }
        }
    }
}

#[test]
fn pull_requests_do_not_pile_up() {
    for workflow in workflows() {
        assert!(workflow.yaml["concurrency"]["group"].is_string(), "{}: runs pile up", workflow.name);
    }
    let all = workflows();
    let ci = all.iter().find(|workflow| workflow.name == "ci.yml").expect("there");
    assert!(ci.yaml["concurrency"]["cancel-in-progress"].as_str().expect("a condition").contains("pull_request"));
    assert!(jobs(ci).iter().all(|(_, job)| steps(job).iter().all(|step| step["with"]["push"].as_bool() != Some(true))));
}

#[test]
fn what_they_run_is_there() {
    let makefile = fs::read_to_string(root().join("Makefile")).expect("there");
    let targets: BTreeSet<_> = makefile
        .lines()
        .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
        .filter_map(|line| line.split_once(':').map(|(name, _)| name))
        .collect();
    let mut made = BTreeSet::new();
    for workflow in workflows() {
        for (name, job) in jobs(&workflow) {
            let listed = job["strategy"]["matrix"]["make"].as_sequence();
            made.extend(listed.into_iter().flatten().filter_map(|target| target.as_str().map(str::to_owned)));
            for run in steps(job).iter().filter_map(|step| step["run"].as_str()) {
                let words: Vec<_> = run.split_whitespace().collect();
                for pair in words.windows(2) {
                    if pair[0] == "make" && pair[1] != "\"$MAKE_TARGET\"" {
                        made.insert(pair[1].to_owned());
                    }
                }
                for script in words.iter().filter(|word| word.starts_with("scripts/")) {
                    assert!(root().join(script).is_file(), "{name}: {script}");
                }
            }
        }
    }
    for wanted in ["lint", "test-rust", "test-browser", "test-clients", "monitoring-check", "dist"] {
        assert!(made.contains(wanted), "nothing makes {wanted}");
    }
    for target in made {
        assert!(targets.contains(target.as_str()), "the Makefile has no {target}");
    }
}

#[test]
fn dependabot_looks_where_there_is_something() {
    let text = fs::read_to_string(root().join(".github/dependabot.yml")).expect("there");
    let yaml: Value = serde_yaml_ng::from_str(&text).expect("YAML");
    let mut kinds = BTreeSet::new();
    for update in yaml["updates"].as_sequence().expect("a list") {
        let kind = update["package-ecosystem"].as_str().expect("a name");
        kinds.insert(kind);
        assert_eq!(update["schedule"]["interval"].as_str(), Some("weekly"), "{kind}");
        assert!(update["groups"].is_mapping(), "{kind}: one pull request each");
        let one = update["directory"].as_str().into_iter();
        let many = update["directories"].as_sequence().into_iter().flatten().filter_map(Value::as_str);
        for folder in one.chain(many) {
            let file = match kind {
                "cargo" => "Cargo.toml",
                "npm" => "package.json",
                "pip" => "requirements.txt",
                "docker" => "Dockerfile",
                "docker-compose" => "docker-compose.yml",
                _ => ".github/workflows",
            };
            let path = root().join(folder.trim_start_matches('/')).join(file);
            assert!(path.exists(), "{kind}: {}", path.display());
        }
    }
    assert_eq!(kinds, BTreeSet::from(["cargo", "docker", "docker-compose", "github-actions", "npm", "pip"]));
}

#[test]
fn a_release_says_what_changed_or_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).expect("written");
    let changes = "# Changelog\n\n## Unreleased\n\n- soon\n\n## 1.2.3 (2026-11-22)\n\n- this `$(id)`\n- that\n\n## 1.2.2\n\n- old\n";
    write("CHANGELOG.md", changes);
    let notes = |version: &str, tag: &str| {
        write("Cargo.toml", &format!("[package]\nversion = \"{version}\"\n"));
        let mut script = Command::new("python3");
        let done = script.arg(root().join("scripts/release-notes.py")).arg(tag).arg(folder.path()).output();
        let done = done.expect("python3 is there");
        done.status.success().then(|| String::from_utf8(done.stdout).expect("text"))
    };
    assert_eq!(notes("1.2.3", "v1.2.3").as_deref(), Some("- this `$(id)`\n- that\n"));
    assert_eq!(notes("1.2.3-rc.1", "v1.2.3-rc.1").as_deref(), Some("- this `$(id)`\n- that\n"));
    assert_eq!(notes("1.3.0-rc.1", "v1.3.0-rc.1").as_deref(), Some("- soon\n"));
    for (version, tag) in
        [("1.3.0", "v1.3.0"), ("1.2.4", "v1.2.3"), ("1.2.3", "1.2.3"), ("1.2.3", "v1.2.3;x"), ("1.2", "v1.2")]
    {
        assert_eq!(notes(version, tag), None, "{version} {tag}");
    }
}
