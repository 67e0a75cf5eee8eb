//! The floors of ARCHITECTURE.md, held against the code: imports point down, and no file grows past reading.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Lowest first. A module may use what stands on lower floors, and its own.
const FLOORS: &[(&str, u32)] = &[
    ("model", 1),
    ("audio", 1),
    ("measure", 1),
    ("surrogates", 1),
    ("store", 2),
    ("engine", 2),
    ("account", 3),
    ("catalogue", 3),
    ("conversation", 3),
    ("job", 4),
    ("page", 4),
    ("protocol", 5),
    ("app", 6),
];

const MAX_LINES: usize = 450;

fn floor(module: &str) -> Option<u32> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of the source tree") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

/// The top-level modules that `source` names after `crate::`, in braces too.
fn imports(source: &str) -> Vec<String> {
    let code: String =
        source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let mut found = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut start = 0;
            for (at, c) in list.char_indices() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => {
                        found.push(name(&list[start..at]));
                        break;
                    }
                    '}' => depth -= 1,
                    ',' if depth == 0 => {
                        found.push(name(&list[start..at]));
                        start = at + 1;
                    }
                    _ => {}
                }
            }
        } else {
            found.push(name(rest));
        }
    }
    found.retain(|name| !name.is_empty());
    found
}

fn name(text: &str) -> String {
    text.trim_start().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn imports_point_down() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    let mut seen = 0;
    for path in rust_files(&source) {
        let inside = path.strip_prefix(&source).expect("found below it");
        let module =
            inside.iter().next().and_then(|part| part.to_str()).expect("names are UTF-8").trim_end_matches(".rs");
        if matches!(module, "lib" | "main") {
            continue;
        }
        let own =
            floor(module).unwrap_or_else(|| panic!("{module} stands on no floor; add it to ARCHITECTURE.md and here"));
        for import in imports(&fs::read_to_string(&path).expect("source is UTF-8")) {
            let Some(other) = floor(&import) else { continue };
            seen += 1;
            if import != module && (other >= own || module == "audio") {
                wrong.push(format!("{} imports {import}", inside.display()));
            }
        }
    }
    assert!(seen > 50, "the test no longer finds the imports");
    assert!(wrong.is_empty(), "imports that climb:\n{}", wrong.join("\n"));
}

#[test]
fn files_stay_readable() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let long: Vec<_> = ["src", "loadtest", "tests", "benches"]
        .iter()
        .flat_map(|folder| rust_files(&root.join(folder)))
        .filter_map(|path| {
            let lines = fs::read_to_string(&path).expect("source is UTF-8").lines().count();
            (lines > MAX_LINES).then(|| format!("{}: {lines} lines", path.display()))
        })
        .collect();
    assert!(long.is_empty(), "files past {MAX_LINES} lines:\n{}", long.join("\n"));
}

#[test]
fn the_import_finder_sees_every_form() {
    let source = "use crate::audio::Pcm;\nuse crate::{model::{A, B}, engine};\nlet x = crate::app::run();\n// crate::page in a comment";
    assert_eq!(imports(source), ["audio", "model", "engine", "app"]);
}
