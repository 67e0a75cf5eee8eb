//! One name per thing: every field of a log line or span is in the table of docs/operations.md.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const MACROS: [&str; 6] = ["error!(", "warn!(", "info!(", "debug!(", "trace!(", "info_span!("];

#[test]
fn every_field_is_in_the_table_and_the_other_way_round() {
    let mut used = BTreeSet::new();
    let mut files = Vec::new();
    rust_files(Path::new("src"), &mut files);
    for file in files {
        let source = fs::read_to_string(&file).expect("a source file");
        for name in MACROS {
            for (at, _) in source.match_indices(&format!("tracing::{name}")) {
                let arguments = within_brackets(&source[at + "tracing::".len() + name.len()..]);
                used.extend(fields(arguments, name == "info_span!("));
            }
        }
        for (at, _) in source.match_indices(".record(\"") {
            let name: String = source[at + ".record(\"".len()..].chars().take_while(|c| *c != '"').collect();
            used.insert(name);
        }
    }
    let page = fs::read_to_string("docs/operations.md").expect("the page");
    let (_, table) = page.split_once("<!-- fields -->").expect("the table's beginning");
    let table = table.split("<!-- /fields -->").next().expect("a part");
    let names = table.lines().filter(|line| line.starts_with("| `"));
    let listed: BTreeSet<String> = names
        .flat_map(|line| line.split('|').nth(1).unwrap_or_default().split(','))
        .map(|name| name.trim().trim_matches('`').to_owned())
        .collect();
    let unknown: Vec<_> = used.difference(&listed).collect();
    assert!(unknown.is_empty(), "not in the table of docs/operations.md: {unknown:?}");
    let gone: Vec<_> = listed.difference(&used).collect();
    assert!(gone.is_empty(), "in the table of docs/operations.md, and nowhere else: {gone:?}");
    assert!(used.len() > 30, "the fields are found: {used:?}");
}

#[test]
fn fields_are_found_however_they_are_written() {
    let line = r#"target: ALWAYS, { user.id = %by, filter, r#type = f(a, b) }, "a {word}, b = c", x"#;
    assert_eq!(fields(line, false), ["user.id", "filter", "type"]);
    assert_eq!(fields(r#"%error, ?ending, "text""#, false), ["error", "ending"]);
    assert_eq!(fields(r#"parent: None, "turn", session.id = %session, mode = Empty"#, true), ["session.id", "mode"]);
    assert_eq!(within_brackets(r#"a = "(", b(")") ) c"#), r#"a = "(", b(")") "#);
}

/// The text up to the bracket that closes what is open; strings are passed over.
fn within_brackets(text: &str) -> &str {
    let (mut depth, mut quoted, mut escaped) = (1, false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '(' | '{' | '[' if !quoted => depth += 1,
            ')' | '}' | ']' if !quoted => {
                depth -= 1;
                if depth == 0 {
                    return &text[..at];
                }
            }
            _ => {}
        }
    }
    text
}

/// The names of fields in a macro's arguments. What follows the message are values for its braces; a span's name comes first.
fn fields(arguments: &str, span: bool) -> Vec<String> {
    let (mut found, mut message) = (Vec::new(), false);
    for part in parts(arguments) {
        let part = part.trim();
        if let Some(inner) = part.strip_prefix('{') {
            found.extend(fields(inner.trim_end().trim_end_matches('}'), span));
            continue;
        }
        if part.starts_with('"') {
            message = true;
            continue;
        }
        let plain = |name: &str| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._#".contains(c))
        };
        let name = part.split('=').next().unwrap_or_default().trim();
        let shorthand = part.trim_start_matches(['%', '?']);
        let named = part.contains('=') && plain(name);
        if named {
            found.push(name.trim_start_matches("r#").to_owned());
        } else if plain(shorthand) && (!message || span) {
            found.push(shorthand.to_owned());
        }
    }
    found
}

/// Cut at the commas that are not within brackets or strings.
fn parts(text: &str) -> Vec<&str> {
    let (mut depth, mut quoted, mut escaped, mut start) = (0, false, false, 0);
    let mut found = Vec::new();
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '(' | '{' | '[' if !quoted => depth += 1,
            ')' | '}' | ']' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                found.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    found.push(&text[start..]);
    found
}

fn rust_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of the source tree") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            rust_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
