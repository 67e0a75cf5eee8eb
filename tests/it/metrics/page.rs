//! Prometheus' text form, taken apart, and whether all of it is what the server says it tells.

use std::{
    collections::BTreeMap,
    io::Write,
    process::{Command, Stdio},
};

use aigolos::measure::{self, Kind, Measure, Values};
use reqwest::{Client, StatusCode};

/// One line of it: its name, its labels, its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// What `address` tells of itself.
pub async fn scrape(address: std::net::SocketAddr) -> String {
    let answer = Client::new().get(format!("http://{address}/metrics")).send().await.expect("it answers");
    assert_eq!(answer.status(), StatusCode::OK);
    assert!(answer.headers()["content-type"].to_str().expect("ASCII").starts_with("text/plain; version=0.0.4"));
    answer.text().await.expect("text")
}

pub fn samples(page: &str) -> Vec<Sample> {
    page.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(sample).collect()
}

fn sample(line: &str) -> Sample {
    let (head, value) = line.rsplit_once(' ').expect("a value");
    let (name, labels) = head.split_once('{').unwrap_or((head, "}"));
    let labels = labels.strip_suffix('}').expect("labels end");
    // No value of ours holds a quote or a comma, which the test of the labels below holds.
    let labels = labels.split(',').filter(|label| !label.is_empty()).map(|label| {
        let (name, value) = label.split_once("=\"").unwrap_or_else(|| panic!("no label: {line}"));
        (name.to_owned(), value.strip_suffix('"').expect("quoted").to_owned())
    });
    Sample { name: name.to_owned(), labels: labels.collect(), value: value.parse().expect("a number") }
}

/// The sum of all samples `name` that have all of `labels`.
pub fn sum(samples: &[Sample], name: &str, labels: &[(&str, &str)]) -> f64 {
    let has = |sample: &&Sample| {
        sample.name == name
            && labels.iter().all(|(name, value)| sample.labels.get(*name).is_some_and(|has| has == value))
    };
    samples.iter().filter(has).map(|sample| sample.value).sum()
}

/// The measure a sample belongs to: a histogram's have endings.
pub fn measure_of(name: &str) -> Option<&'static Measure> {
    Measure::named(name).or_else(|| {
        let stem = ["_bucket", "_sum", "_count"].iter().find_map(|ending| name.strip_suffix(ending))?;
        Measure::named(stem).filter(|measure| matches!(measure.kind, Kind::Histogram(_)))
    })
}

/// Whether all of it is in the table, with its labels and their values, and all of the table in it, but `absent`.
pub fn assert_whole(page: &str, absent: &[&str]) {
    for sample in samples(page) {
        let measure = measure_of(&sample.name).unwrap_or_else(|| panic!("{} is not in the table", sample.name));
        let labels: Vec<_> = sample.labels.keys().filter(|label| *label != "le").collect();
        assert_eq!(labels.len(), measure.labels.len(), "{sample:?}");
        for (label, values) in measure.labels {
            let value = sample.labels.get(*label).unwrap_or_else(|| panic!("no {label}: {sample:?}"));
            assert!(value.len() <= 80 && !value.contains(['"', ',', '\\']), "{sample:?}");
            if let Values::These(values) = values {
                assert!(values.contains(&value.as_str()), "{sample:?}");
            }
            // What came from outside would show here: addresses, ids, paths.
            let route = *label == "route";
            assert!(route || !value.contains('/') && uuid::Uuid::parse_str(value).is_err(), "{sample:?}");
        }
    }
    for measure in measure::ALL.iter().filter(|measure| !absent.contains(&measure.name)) {
        let head =
            format!("# HELP {} {}\n# TYPE {} {}\n", measure.name, measure.help, measure.name, measure.kind.name());
        assert_eq!(page.matches(&head).count(), 1, "{} is told once, with its meaning", measure.name);
        let told = samples(page).iter().any(|sample| measure_of(&sample.name) == Some(measure));
        assert!(told, "{} has no value", measure.name);
    }
}

/// Whether Prometheus' own tool takes it, without a word about its style.
pub fn assert_accepted(page: &str) {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this test needs Prometheus\nhint: run `make deps`, or install the package prometheus");
    promtool.stdin.take().expect("a pipe").write_all(page.as_bytes()).expect("it reads");
    let output = promtool.wait_with_output().expect("it ends");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
}
