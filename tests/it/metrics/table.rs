//! docs/operations.md prints the table of measures. `UPDATE_DOCS=1 cargo test --test it metrics::table` prints it anew.

use std::{fmt::Write as _, fs, path::Path};

use aigolos::measure::{self, Kind, Values};

const PAGE: &str = "docs/operations.md";
const OPEN: &str = "<!-- metrics: printed from the code -->\n";
const CLOSE: &str = "<!-- metrics: end -->\n";

fn printed() -> String {
    let mut table = "| name | kind | labels | what |\n|---|---|---|---|\n".to_owned();
    for measure in measure::ALL {
        let labels = measure.labels.iter().map(|(label, values)| match values {
            Values::These(values) => format!("`{label}`: {}", values.join(", ")),
            Values::Of(what) => format!("`{label}`: {what}"),
        });
        let labels = labels.collect::<Vec<_>>().join("; ");
        let kind = measure.kind.name();
        writeln!(table, "| `{}` | {kind} | {labels} | {} |", measure.name, measure.help).expect("memory");
    }
    table.push_str("\nBuckets, in the unit of the name:\n\n");
    let mut seen: Vec<(&[f64], Vec<&str>)> = Vec::new();
    for measure in measure::ALL {
        if let Kind::Histogram(buckets) = measure.kind {
            match seen.iter_mut().find(|(known, _)| *known == buckets) {
                Some((_, names)) => names.push(measure.name),
                None => seen.push((buckets, vec![measure.name])),
            }
        }
    }
    for (buckets, names) in seen {
        let buckets = buckets.iter().map(f64::to_string).collect::<Vec<_>>().join(", ");
        let names = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        writeln!(table, "- {buckets}: {names}").expect("memory");
    }
    table
}

#[test]
fn the_table_of_the_documents_is_the_codes() {
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = fs::read_to_string(&place).expect("the document is there");
    let (before, rest) = page.split_once(OPEN).expect("a place for the table");
    let (_, after) = rest.split_once(CLOSE).expect("an end of that place");
    let fresh = format!("{before}{OPEN}\n{}\n{CLOSE}{after}", printed());
    if fresh == page {
        return;
    }
    assert!(
        std::env::var_os("UPDATE_DOCS").is_some(),
        "{PAGE} tells something else than the code\nhint: UPDATE_DOCS=1 cargo test --test it metrics::table"
    );
    let beside = place.with_extension("new");
    fs::write(&beside, fresh).and_then(|()| fs::rename(beside, place)).expect("the document can be written");
}
