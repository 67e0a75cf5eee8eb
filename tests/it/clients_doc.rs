//! docs/clients.md: its tables of what is supported are printed from the code, its versions from what the tests install.
//! `UPDATE_DOCS=1 cargo test --test it clients_doc` writes the tables anew.

use std::{fmt::Write as _, fs, path::Path};

use aigolos::protocol::{
    openai::{realtime, rest},
    support::{Direction, Status, Support},
    wyoming,
};

const PAGE: &str = "docs/clients.md";

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("the document is there")
}

fn row(table: &mut String, name: &str, status: Status) {
    let (mark, how) = match status {
        Status::Yes => ("yes", ""),
        Status::Partly(how) => ("partly", how),
        Status::No(why) => ("no", why),
    };
    assert!(!name.contains(['|', '`']) && !how.contains(['|', '\n']), "{name} would break the table");
    writeln!(table, "| `{name}` | {mark} | {how} |").expect("memory");
}

fn table(title: &str, rows: impl Iterator<Item = (String, Status)>) -> String {
    let mut table = format!("| {title} | | |\n|---|---|---|\n");
    rows.for_each(|(name, status)| row(&mut table, &name, status));
    table
}

fn events(all: &[Support]) -> String {
    let one_way = |direction, title| {
        let rows = all.iter().filter(|support| support.direction == direction);
        table(title, rows.map(|support| (support.name.to_owned(), support.status)))
    };
    let [from, to] =
        [one_way(Direction::FromClient, "from the client"), one_way(Direction::ToClient, "from the server")];
    format!("{from}\n{to}")
}

fn rest_tables() -> String {
    let endpoints = rest::support::ENDPOINTS.iter().map(|endpoint| (endpoint.name.to_owned(), endpoint.status));
    let mut all = table("endpoint", endpoints);
    for endpoint in rest::support::ENDPOINTS {
        let fields = rest::support::FIELDS.iter().filter(|field| field.endpoint == endpoint.name);
        let mut fields = fields.map(|field| (field.name.to_owned(), field.status)).peekable();
        if fields.peek().is_some() {
            write!(all, "\n{}", table(&format!("field of `{}`", endpoint.name), fields)).expect("memory");
        }
    }
    all
}

/// The tables by the names of their places.
fn printed() -> Vec<(&'static str, String)> {
    let fields = realtime::support::FIELDS.iter().map(|field| (field.name.to_owned(), field.status));
    let realtime = format!("{}\n{}", events(realtime::support::EVENTS), table("field, set by the client", fields));
    vec![("realtime", realtime), ("rest", rest_tables()), ("wyoming", events(wyoming::support::EVENTS))]
}

#[test]
fn the_tables_of_what_is_supported_are_those_of_the_code() {
    let page = read(PAGE);
    let mut fresh = page.clone();
    for (name, table) in printed() {
        let (open, close) = (format!("<!-- {name}: printed from the code -->\n"), format!("<!-- {name}: end -->\n"));
        let (before, rest) = fresh.split_once(&open).unwrap_or_else(|| panic!("{PAGE} has no place for {name}"));
        let (_, after) = rest.split_once(&close).unwrap_or_else(|| panic!("the place for {name} does not end"));
        fresh = format!("{before}{open}\n{table}\n{close}{after}");
    }
    if fresh == page {
        return;
    }
    assert!(
        std::env::var_os("UPDATE_DOCS").is_some(),
        "{PAGE} tells something else than the code\nhint: UPDATE_DOCS=1 cargo test --test it clients_doc"
    );
    // At once: the other tests read it meanwhile.
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let beside = place.with_extension("new");
    fs::write(&beside, fresh).and_then(|()| fs::rename(beside, place)).expect("the document can be written");
}

#[test]
fn the_versions_that_were_run_are_those_the_tests_install() {
    let page = read(PAGE);
    let (_, run) = page.split_once("## What was run\n").expect("the chapter is there");
    let python = read("tests/clients/python/requirements.txt");
    let packages: serde_json::Value =
        serde_json::from_str(&read("tests/clients/javascript/package.json")).expect("valid JSON");
    let of_python = |name: &str| {
        let pinned = python.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix("=="));
        pinned.unwrap_or_else(|| panic!("{name} is not pinned")).to_owned()
    };
    let of_node = |name: &str| packages["devDependencies"][name].as_str().expect("pinned").to_owned();
    for (client, version) in [
        ("openai for Python", of_python("openai")),
        ("openai for Node", of_node("openai")),
        ("@openai/agents-realtime", of_node("@openai/agents-realtime")),
        ("openai-agents for Python", of_python("openai-agents")),
        ("wyoming (what Home Assistant speaks with)", of_python("wyoming")),
    ] {
        assert!(run.contains(&format!("| {client} | {version} |")), "{client} is tested at {version}");
    }
}
