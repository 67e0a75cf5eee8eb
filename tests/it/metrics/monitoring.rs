//! What lies in `deploy/monitoring`, held against a server that people talk to and a Prometheus that watches it.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use aigolos::measure;
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

use super::{
    page::{assert_accepted, assert_whole, measure_of, samples, scrape, sum},
    prometheus::Prometheus,
};
use crate::harness::{TestServer, recording};

/// Not there on a server without a certificate.
const WITH_TLS: &str = measure::TLS_EXPIRY;
/// Queries may ask for these though no server tells them.
const PROMETHEUS_OWN: &[&str] = &["up", "ALERTS"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every query of the dashboard, as Grafana would send it, with the labels its legend names.
fn dashboard() -> Vec<(String, String)> {
    fn collect(at: &Value, found: &mut Vec<(String, String)>) {
        match at {
            Value::Object(fields) => {
                if let Some(query) = fields.get("expr").and_then(Value::as_str) {
                    let legend = fields.get("legendFormat").and_then(Value::as_str).unwrap_or_default();
                    found.push((query.to_owned(), legend.to_owned()));
                }
                fields.values().for_each(|field| collect(field, found));
            }
            Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
            _ => {}
        }
    }
    let path = root().join("deploy/monitoring/grafana/dashboards/aigolos.json");
    let text = fs::read_to_string(path).expect("the dashboard is there");
    let mut found = Vec::new();
    let dashboard: Value = serde_json::from_str(&text).expect("JSON");
    collect(&dashboard["panels"], &mut found);
    assert!(found.len() > 40, "the test no longer finds the queries");
    let filled = |query: String| {
        let query = query.replace("$__rate_interval", "1m").replace("$instance", ".*").replace("$__range", "1m");
        assert!(!query.contains('$'), "a variable that the test does not know: {query}");
        query
    };
    found.into_iter().map(|(query, legend)| (filled(query), legend)).collect()
}

/// The selectors of a query: names that are not functions or labels, each with its matchers.
fn selectors(query: &str) -> BTreeSet<String> {
    let name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut found = BTreeSet::new();
    let mut rest = query;
    while let Some(at) = rest.find(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '"' || c == '[') {
        let word = &rest[at..];
        if let Some(quoted) = word.strip_prefix('"') {
            rest = quoted.split_once('"').map_or("", |(_, rest)| rest);
            continue;
        }
        if word.starts_with('[') {
            rest = word.split_once(']').map_or("", |(_, rest)| rest);
            continue;
        }
        let end = word.find(|c| !name(c)).unwrap_or(word.len());
        let (own, after) = word.split_at(end);
        let series = own.starts_with("aigolos_")
            || own.starts_with("process_")
            || own.contains(':')
            || PROMETHEUS_OWN.contains(&own);
        rest = after;
        if series {
            let matchers = after.strip_prefix('{').and_then(|inner| inner.split_once('}'));
            let selector = matchers.map_or_else(|| own.to_owned(), |(inner, _)| format!("{own}{{{inner}}}"));
            rest = matchers.map_or(after, |(_, rest)| rest);
            found.insert(selector);
        }
    }
    found
}

#[test]
fn selectors_are_found_in_queries() {
    let query = "sum by (le, input) (rate(aigolos_a_bucket{input=\"voice\", x=~\"a|b\"}[5m])) / aigolos_b > 1 and up{job=\"x\"} == 0 or job:c:d";
    let found = selectors(query);
    let expected = ["aigolos_a_bucket{input=\"voice\", x=~\"a|b\"}", "aigolos_b", "job:c:d", "up{job=\"x\"}"];
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[test]
fn the_configuration_and_the_alerts_hold() {
    let check = Command::new(root().join("scripts/monitoring-check.sh")).output().expect("a script that can be run");
    let said = format!("{}{}", String::from_utf8_lossy(&check.stdout), String::from_utf8_lossy(&check.stderr));
    assert!(check.status.success(), "{said}");
}

#[test]
fn every_alert_is_tested_both_ways_and_has_its_runbook() {
    let read = |path: &str| fs::read_to_string(root().join(path)).expect("it is there");
    let rules: Value = serde_yaml_ng::from_str(&read("deploy/monitoring/rules/alerts.yml")).expect("YAML");
    let tests: Value = serde_yaml_ng::from_str(&read("deploy/monitoring/tests/alerts.yml")).expect("YAML");
    let book = read("docs/operations.md");
    let groups = rules["groups"].as_array().expect("groups").iter();
    let alerts: Vec<&Value> = groups.flat_map(|group| group["rules"].as_array().expect("rules")).collect();
    assert!(alerts.len() > 10);
    let tests: Vec<&Value> = tests["tests"]
        .as_array()
        .expect("tests")
        .iter()
        .flat_map(|test| test["alert_rule_test"].as_array().into_iter().flatten())
        .collect();
    for alert in alerts {
        let name = alert["alert"].as_str().expect("a name");
        let of = |fires: bool| {
            let fires_so =
                |test: &&&Value| test["exp_alerts"].as_array().is_some_and(|alerts| !alerts.is_empty()) == fires;
            tests.iter().filter(|test| test["alertname"] == name).any(|test| fires_so(&test))
        };
        assert!(of(true) && of(false), "{name} is tested firing and not firing");
        assert!(book.contains(&format!("#### {name}\n")), "{name} has no entry in docs/operations.md");
        let place = format!("docs/operations.md#{}", name.to_lowercase());
        assert_eq!(alert["annotations"]["runbook"], place, "{name}");
        assert!(["critical", "warning"].contains(&alert["labels"]["severity"].as_str().unwrap_or_default()), "{name}");
    }
}

/// A spoken turn, a reply that is interrupted, requests that are answered and refused.
async fn talk(server: &TestServer) {
    let (mut client, _) = server.session(json!({})).await;
    client.speak_until(&recording("What time is it?"), "reply.done").await;
    client.send(json!({"type": "text.send", "text": "count to twenty"})).await;
    client.event("reply.started").await;
    client.speak_until(&recording("Stop the music please.")[6_400..], "reply.cancelled").await;
    client.send(json!({"type": "reply.cancel", "id": "c1", "turn": 77})).await;
    client.event("error").await;
    refused(server).await;
}

async fn refused(server: &TestServer) {
    let http = Client::new();
    for (path, status) in [
        ("/api/tts/voices/", StatusCode::OK),
        ("/api/conversations/0198c9a0-0000-7000-8000-000000000000", StatusCode::NOT_FOUND),
        ("/no/such/page/0198c9a0-0000-7000-8000-000000000000", StatusCode::NOT_FOUND),
    ] {
        assert_eq!(http.get(server.url(path)).send().await.expect("an answer").status(), status, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_dashboard_and_the_alerts_ask_for_is_told() {
    let folder = tempfile::tempdir().expect("a scratch folder");
    fs::create_dir(folder.path().join("backups")).expect("writable");
    fs::write(folder.path().join("backups/aigolos-20260101T000000Z.tar.gz"), b"x").expect("writable");
    let server = TestServer::start_in(folder.path(), &["--metrics-bind", "127.0.0.1:0"]).await;
    let metrics = server.metrics.expect("it was asked for");
    let prometheus = Prometheus::watching(metrics);
    let before = samples(&scrape(metrics).await);
    prometheus.wait_for("count_over_time(aigolos_ready[1m]) > 1").await;
    talk(&server).await;

    // The recorder is the process's: other tests add to it, none takes away.
    let page = scrape(metrics).await;
    // How the recorded series of deploy/monitoring/tests/alerts.yml were had.
    if let Some(path) = std::env::var_os("SAVE_SCRAPE") {
        fs::write(path, &page).expect("writable");
    }
    assert_whole(&page, &[WITH_TLS]);
    assert_accepted(&page);
    let after = samples(&page);
    for (name, labels, least) in [
        ("aigolos_turns_total", &[("input", "voice")][..], 1.0),
        ("aigolos_turns_total", &[("input", "text")], 1.0),
        ("aigolos_replies_total", &[("outcome", "done")], 1.0),
        ("aigolos_replies_total", &[("outcome", "barge_in")], 1.0),
        ("aigolos_interruptions_total", &[("outcome", "confirmed")], 1.0),
        ("aigolos_interruption_reaction_seconds_count", &[], 1.0),
        ("aigolos_turn_first_audio_seconds_count", &[("input", "voice")], 1.0),
        ("aigolos_turn_transcript_seconds_count", &[], 1.0),
        ("aigolos_recognition_compute_seconds_count", &[], 1.0),
        ("aigolos_chat_requests_total", &[("engine", "builtin")], 2.0),
        ("aigolos_synthesis_first_sound_seconds_count", &[("engine", "espeak")], 2.0),
        ("aigolos_journal_write_seconds_count", &[], 2.0),
        ("aigolos_store_operation_seconds_count", &[("kind", "read")], 1.0),
        ("aigolos_errors_total", &[("transport", "native"), ("code", "nothing_to_cancel")], 1.0),
        ("aigolos_errors_total", &[("transport", "http"), ("code", "not_found")], 2.0),
        ("aigolos_http_request_duration_seconds_count", &[("route", "/api/tts/voices/"), ("status", "2xx")], 1.0),
        ("aigolos_http_request_duration_seconds_count", &[("route", "other"), ("status", "4xx")], 1.0),
        ("aigolos_audio_received_seconds_total", &[], 1.0),
        ("aigolos_audio_sent_seconds_total", &[], 0.5),
    ] {
        let grown = sum(&after, name, labels) - sum(&before, name, labels);
        assert!(grown >= least, "{name} {labels:?} grew by {grown}");
    }
    assert!(sum(&after, "aigolos_recognition_workers", &[]) >= 1.0);
    assert!((sum(&after, "aigolos_backups", &[]) - 1.0).abs() < f64::EPSILON);

    // Prometheus has seen it before and after.
    prometheus.wait_for("increase(aigolos_turns_total{input=\"voice\"}[5m]) > 0").await;
    refused(&server).await;
    prometheus.wait_for("increase(aigolos_errors_total{transport=\"http\",code=\"not_found\"}[5m]) > 0").await;
    queries_work(&prometheus).await;
    server.stop().await;
}

async fn queries_work(prometheus: &Prometheus) {
    let rules = prometheus.rules().await;
    assert!(rules.len() > 20, "the rules are read");
    let mut asked = BTreeSet::new();
    let mut recorded = BTreeSet::new();
    for rule in &rules {
        assert_ne!(rule["health"], "err", "{rule}");
        let query = rule["query"].as_str().expect("a query");
        asked.extend(selectors(query));
        if rule["type"] == "recording" {
            recorded.insert(rule["name"].as_str().expect("a name").to_owned());
        }
    }
    for (query, legend) in dashboard() {
        asked.extend(selectors(&query));
        if query.contains(WITH_TLS) {
            continue;
        }
        let series = prometheus.query(&query).await;
        assert!(!series.is_empty(), "the dashboard shows nothing for {query}");
        for label in legend.split("{{").skip(1).filter_map(|rest| rest.split("}}").next()) {
            assert!(series.iter().any(|series| series["metric"][label.trim()].is_string()), "no {label} in {query}");
        }
    }
    for selector in asked {
        let name = selector.split('{').next().unwrap_or_default();
        assert!(
            measure_of(name).is_some() || recorded.contains(name) || PROMETHEUS_OWN.contains(&name),
            "{name} is no measure of ours"
        );
        if name != WITH_TLS && name != "ALERTS" {
            assert!(!prometheus.query(&selector).await.is_empty(), "nothing matches {selector}");
        }
    }
}
