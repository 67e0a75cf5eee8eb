//! The compose files: every setting reaches the server, and nothing is open that need not be. That the files can be read by
//! docker-compose is scripts/compose-check.sh's.

use std::{fs, path::Path};

use aigolos::app::config;
use serde_yaml_ng::Value;

fn compose(name: &str) -> Value {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("it is there");
    let mut file: Value = serde_yaml_ng::from_str(&text).expect("YAML");
    // What is merged in may itself be merged of something.
    for _ in 0..3 {
        file.apply_merge().expect("merges that are defined");
    }
    file
}

fn services(file: &Value) -> Vec<(&str, &Value)> {
    let services = file["services"].as_mapping().expect("services");
    services.iter().map(|(name, service)| (name.as_str().expect("a name"), service)).collect()
}

/// What compose passes for `name`: its value, or that of the environment.
fn passes(service: &Value, name: &str) -> bool {
    let Some(value) = service["environment"].as_mapping().and_then(|all| all.get(name)) else { return false };
    // Without a value: as the environment has it. `${NAME:-...}`: the same with another default.
    let fixed = ["BIND", "DATA_DIR", "MODELS_DIR", "BACKUP_DIR"];
    value.is_null() || fixed.contains(&name) || value.as_str().is_some_and(|text| text.contains(&format!("${{{name}:")))
}

#[test]
fn every_setting_reaches_the_containers() {
    let file = compose("docker-compose.yml");
    for name in ["web", "web-gpu", "backup"] {
        let service = &file["services"][name];
        let missing: Vec<_> = config::names().into_iter().filter(|setting| !passes(service, setting)).collect();
        assert!(missing.is_empty(), "{name} does not pass {missing:?}");
        let known = config::names();
        let environment = service["environment"].as_mapping().expect("settings");
        let unknown: Vec<_> =
            environment.keys().filter_map(Value::as_str).filter(|name| !known.iter().any(|k| k == name)).collect();
        assert!(unknown.is_empty(), "{name} passes {unknown:?}, which nobody knows");
    }
}

#[test]
fn every_service_is_confined_watched_and_bounded() {
    let file = compose("docker-compose.yml");
    for (name, service) in services(&file) {
        assert_eq!(service["restart"], "unless-stopped", "{name}");
        assert_eq!(service["read_only"], true, "{name}");
        assert_eq!(service["cap_drop"][0], "ALL", "{name}");
        assert_eq!(service["security_opt"][0], "no-new-privileges:true", "{name}");
        assert!(service["mem_limit"].is_string() && service["pids_limit"].is_number(), "{name}");
        assert!(service["logging"]["options"]["max-size"].is_string(), "{name}");
        // The image of our own has its health check inside.
        assert!(service["healthcheck"].is_mapping() || name.starts_with("web"), "{name}");
        assert!(service["networks"].is_sequence() || service["networks"].is_mapping(), "{name} is on every network");
    }
}

#[test]
fn only_what_people_reach_is_published_and_for_this_machine() {
    for file in ["docker-compose.yml", "docker-compose.example.yml"] {
        let file = compose(file);
        let published = services(&file).into_iter().filter(|(_, service)| !service["ports"].is_null());
        for (name, service) in published {
            assert!(["web", "web-gpu", "caddy", "grafana"].contains(&name), "{name} is published");
            let port = service["ports"][0].as_str().expect("a text");
            assert!(name == "caddy" || port.contains("127.0.0.1:"), "{name}: {port}");
        }
    }
    assert_eq!(compose("docker-compose.yml")["networks"]["store"]["internal"], true);
}
