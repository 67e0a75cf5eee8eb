//! docs/protocol.md and docs/asyncapi.yaml, held against the code: events, fields, defaults, ranges and error codes.

use std::{collections::BTreeSet, fmt::Write as _, fs, path::Path};

use aigolos::{
    audio::SampleRate,
    conversation::{
        driver::DriverSettings,
        message::{SessionOptions, TurnDetection},
    },
    protocol::{
        error::Code,
        native::{
            routes::NativeSettings,
            translate::{self, Offer, Start},
            wire::{ClientEvent, PartialFormat, ServerEvent, SessionStart, TurnDetection as WireTurnDetection},
        },
    },
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("the document is there")
}

fn page() -> String {
    read("docs/protocol.md")
}

/// The text below the heading, up to the next one of its level or higher.
fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    let level = heading.split(' ').next().expect("a heading begins with its level");
    let start = page.find(&format!("\n{heading}\n")).unwrap_or_else(|| panic!("no heading {heading}"));
    let body = &page[start + heading.len() + 2..];
    let ends = (1..=level.len()).filter_map(|n| body.find(&format!("\n{} ", "#".repeat(n))));
    &body[..ends.min().unwrap_or(body.len())]
}

/// The events of a chapter: name and text.
fn events<'a>(page: &'a str, chapter: &str) -> Vec<(&'a str, &'a str)> {
    let chapter = section(page, chapter);
    chapter
        .split("\n### ")
        .skip(1)
        .map(|event| {
            let (name, text) = event.split_once('\n').expect("a heading has a text");
            (name.trim_matches('`'), text)
        })
        .collect()
}

fn example(event: &str) -> Value {
    let (_, rest) = event.split_once("```json\n").unwrap_or_else(|| panic!("no example in: {event}"));
    let (json, _) = rest.split_once("```").expect("the example ends");
    serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"))
}

/// The cells of a section's first table, without their backticks, header and rule left out.
fn table(section: &str) -> Vec<Vec<String>> {
    let lines = section.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect();
    lines.skip(2).map(cells).collect()
}

/// What serde itself lists when it meets something unknown.
fn listed(error: &str) -> BTreeSet<String> {
    let listed = error.split_once("expected").unwrap_or_else(|| panic!("nothing is listed: {error}")).1;
    listed.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn server_fields(event: &str) -> BTreeSet<String> {
    // "?" sorts before every field, so it is the first thing serde meets.
    let probe = json!({"type": event, "?": 0});
    listed(&serde_json::from_value::<ServerEvent>(probe).expect_err("no event has such a field").to_string())
}

fn client_fields(event: &str) -> BTreeSet<String> {
    let probe = json!({"type": event, "?": 0}).to_string();
    let refused = ClientEvent::parse(&probe).event.expect_err("no event has such a field");
    listed(&refused.message)
}

fn fields_of<T: DeserializeOwned>() -> BTreeSet<String> {
    let probe = serde_json::from_value::<T>(json!({"?": 0}));
    listed(&probe.err().expect("nothing has such a field").to_string())
}

fn keys(example: &Value) -> BTreeSet<String> {
    example.as_object().expect("events are objects").keys().filter(|key| *key != "type").cloned().collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

#[test]
fn every_event_has_its_heading_and_every_heading_its_event() {
    let page = page();
    for (chapter, known) in [("## Client events", ClientEvent::NAMES), ("## Server events", ServerEvent::NAMES)] {
        let named: Vec<_> = events(&page, chapter).into_iter().map(|(name, _)| name).collect();
        assert_eq!(named, known, "{chapter}");
    }
}

#[test]
fn every_example_is_an_event_with_all_its_fields() {
    let page = page();
    for (name, text) in events(&page, "## Client events") {
        let example = example(text);
        assert_eq!(example["type"], name);
        assert_eq!(keys(&example), client_fields(name), "{name}");
        let event = ClientEvent::parse(&example.to_string()).event.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(written(&event), example);
    }
    for (name, text) in events(&page, "## Server events") {
        let example = example(text);
        assert_eq!(example["type"], name);
        assert_eq!(keys(&example), server_fields(name), "{name}");
        let event: ServerEvent =
            serde_json::from_value(example.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(written(&event), example);
    }
}

/// As on the wire; through text, since a 32-bit float is written shorter than it is held.
fn written(event: &impl serde::Serialize) -> Value {
    let text = serde_json::to_string(event).expect("events serialise");
    serde_json::from_str(&text).expect("what was written is JSON")
}

#[test]
fn the_conversation_on_the_page_uses_events_there_are() {
    let page = page();
    let talk = section(&page, "## A conversation, whole");
    let mut seen = 0;
    for line in talk.lines().filter(|line| line.contains("{\"type\"")) {
        let name = line.split('"').nth(3).expect("the type comes first");
        let known = if line.starts_with("client") { ClientEvent::NAMES } else { ServerEvent::NAMES };
        assert!(known.contains(&name), "{line}");
        seen += 1;
    }
    assert!(seen > 10, "the test no longer finds the lines");
}

fn offer() -> Offer {
    let settings = NativeSettings::default();
    Offer { defaults: settings.defaults, languages: vec![], voices: vec![], max_text_chars: settings.max_text_chars }
}

fn started(event: SessionStart) -> Option<Start> {
    translate::start(event, &offer()).ok()
}

#[test]
fn the_table_of_session_start_has_the_codes_fields_and_defaults() {
    let page = page();
    let rows = table(section(&page, "### `session.start`"));
    let documented: BTreeSet<_> = rows.iter().map(|row| row[0].clone()).chain(["id".to_owned()]).collect();
    assert_eq!(documented, fields_of::<SessionStart>());
    let default = |field: &str| rows.iter().find(|row| row[0] == field).expect("checked above")[2].clone();

    let Start { options, input, output, conversation, resume } = started(SessionStart::default()).expect("no wishes");
    let format =
        |encoding, rate: SampleRate| format!("{}, {}", written(&encoding).as_str().expect("a name"), rate.hz());
    assert_eq!(default("audio"), format(input.encoding, input.rate));
    assert_eq!(default("output"), format(output, options.output_rate));
    assert_eq!(default("mode"), format!("{:?}", options.mode).to_lowercase());
    assert_eq!(default("speed"), format!("{:?}", options.speed));
    assert_eq!(default("words"), options.words.to_string());
    assert_eq!(default("speak"), options.speak.to_string());
    assert_eq!((options.language, options.voice, options.instructions), (None, None, None));
    for field in ["language", "voice", "instructions"] {
        assert_eq!(default(field), "the server's");
    }
    assert_eq!((conversation, resume), (None, None));
    assert_eq!((default("conversation_id"), default("resume")), ("a new one".to_owned(), "none".to_owned()));
    assert_eq!(default("turn_detection"), "vad");
}

#[test]
fn the_table_of_turn_detection_has_the_codes_fields_and_defaults() {
    let page = page();
    let start = section(&page, "### `session.start`");
    let rows = table(start.split_once("`turn_detection`:").expect("its table").1);
    let documented: BTreeSet<_> = rows.iter().map(|row| row[0].clone()).collect();
    assert_eq!(documented, fields_of::<WireTurnDetection>());
    let defaults = written(&WireTurnDetection::from(TurnDetection::default()));
    for row in &rows {
        let default = &defaults[&row[0]];
        assert_eq!(default.as_str().map_or_else(|| default.to_string(), str::to_owned), row[2], "{}", row[0]);
    }
    assert_eq!(SessionOptions::default().turn_detection, TurnDetection::default());
}

/// "LOW to HIGH" at the end of a cell.
fn range(cell: &str) -> Option<(f64, f64)> {
    let (low, high) = cell.split_once(" to ")?;
    Some((low.parse().ok()?, high.parse().ok()?))
}

#[test]
fn the_ranges_on_the_page_are_those_that_are_checked() {
    let page = page();
    let start = section(&page, "### `session.start`");
    let speed = table(start).into_iter().find(|row| row[0] == "speed").expect("a row");
    let mut ranges = vec![(speed, json!({}), 0.01)];
    for row in table(start.split_once("`turn_detection`:").expect("its table").1) {
        // The other silence is put where it does not come in the way.
        let (rest, step) = match row[0].as_str() {
            "soft_silence_ms" => (json!({"silence_ms": 10_000}), 1.0),
            "threshold" => (json!({}), 0.01),
            _ => (json!({"soft_silence_ms": 60}), 1.0),
        };
        ranges.push((row, rest, step));
    }
    let mut checked = Vec::new();
    for (row, rest, step) in ranges {
        let Some((low, high)) = range(&row[1]) else { continue };
        let taken = |value: f64| {
            let value = if step < 1.0 { json!(value) } else { json!(value as i64) };
            let mut event = json!({"type": "session.start"});
            if row[0] == "speed" {
                event["speed"] = value;
            } else {
                event["turn_detection"] = rest.clone();
                event["turn_detection"][&row[0]] = value;
            }
            match ClientEvent::parse(&event.to_string()).event {
                Ok(ClientEvent::SessionStart(event)) => started(*event).is_some(),
                _ => false,
            }
        };
        assert!(taken(low) && taken(high), "{} at {low} and {high}", row[0]);
        assert!(!taken(low - step) && !taken(high + step), "{} beyond {low} to {high}", row[0]);
        checked.push(row[0].clone());
    }
    // `silence_ms` at 100 and below is tried with the shortest soft silence.
    assert_eq!(checked, ["speed", "threshold", "prefix_ms", "soft_silence_ms", "silence_ms"]);

    let rates = page.lines().find_map(|line| line.strip_prefix("`sample_rate`: ")).expect("a line");
    let (low, high) = range(rates.trim_end_matches(" Hz.")).expect("a range");
    let taken = |rate: f64| {
        let audio = Some(PartialFormat { encoding: None, sample_rate: Some(rate as u32) });
        started(SessionStart { audio, ..SessionStart::default() }).is_some()
    };
    assert!(taken(low) && taken(high) && !taken(low - 1.0) && !taken(high + 1.0));
}

#[test]
fn the_limits_on_the_page_are_the_defaults() {
    let page = page();
    let (native, driver) = (NativeSettings::default(), DriverSettings::default());
    let limits = &example(section(&page, "### `session.ready`"))["limits"];
    let expected = json!({
        "max_message_bytes": native.socket.max_message_bytes, "max_text_chars": native.max_text_chars,
        "idle_timeout_ms": driver.idle_timeout.as_millis() as u64,
        "resume_window_ms": driver.resume_window.as_millis() as u64,
        "audio_ahead_ms": driver.audio_ahead.as_millis() as u64,
    });
    assert_eq!(*limits, expected);
    let says = |text: String| assert!(page.contains(&text), "the page does not say: {text}");
    says(format!("A typed utterance, 1 to {} characters", native.max_text_chars));
    says(format!("within {} seconds", native.start_within.as_secs()));
    says(format!("after {} s without reading", driver.slow_reader.as_secs()));
}

#[test]
fn the_table_of_errors_has_the_codes_there_are() {
    let page = page();
    let rows = table(section(&page, "## Errors"));
    let http = include_str!("../../docs/http.md");
    let of_http = table(http)
        .into_iter()
        .map(|row| row[0].clone())
        .filter(|name| name.bytes().all(|b| b == b'_' || b.is_ascii_lowercase()));
    let documented: BTreeSet<_> = rows.iter().map(|row| row[0].clone()).chain(of_http).collect();
    let known: BTreeSet<_> = Code::ALL.iter().map(|code| code.name().to_owned()).collect();
    assert_eq!(documented, known);
    // Each closing code of that table is explained in the one below it.
    let below = section(&page, "## Errors").split_once("| close code").expect("its table").1;
    for row in &rows {
        for number in row[2].split_whitespace().filter(|word| word.parse::<u16>().is_ok_and(|code| code >= 1000)) {
            assert!(below.contains(&format!("| {number} |")), "{number}");
        }
    }
}

#[test]
fn the_reasons_on_the_page_are_those_there_are() {
    let page = page();
    let reasons = |event: &str| {
        let text = section(&page, &format!("### `{event}`"));
        let after = text.split_once("`reason`: ").expect("a list of reasons").1;
        let list = after.split_once('.').expect("a sentence").0;
        list.split('`').skip(1).step_by(2).map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let known = |mut probe: Value| {
        probe["reason"] = json!("?");
        listed(&serde_json::from_value::<ServerEvent>(probe).expect_err("no such reason").to_string())
    };
    for event in ["session.closed", "reply.cancelled"] {
        let probe = example(section(&page, &format!("### `{event}`")));
        assert_eq!(reasons(event), known(probe), "{event}");
    }
}

#[test]
fn asyncapi_names_the_same_events_with_the_same_fields() {
    let api: serde_yaml_ng::Value = serde_yaml_ng::from_str(&read("docs/asyncapi.yaml")).expect("YAML");
    let api = serde_json::to_value(api).expect("its keys are strings");
    assert!(api["asyncapi"].as_str().is_some_and(|version| version.starts_with("3.")));
    assert_eq!(api["channels"]["ws"]["address"], "/ws");

    let all: BTreeSet<_> = keys(&api["channels"]["ws"]["messages"]);
    let components = api["components"]["messages"].as_object().expect("messages");
    assert_eq!(all, components.keys().cloned().collect(), "the channel carries all messages");
    let (mut wrong, mut names) = (String::new(), BTreeSet::new());
    for (operation, known, sound, fields) in [
        ("send", ClientEvent::NAMES, "microphone", client_fields as fn(&str) -> BTreeSet<String>),
        ("receive", ServerEvent::NAMES, "reply.audio", server_fields),
    ] {
        let operation = &api["operations"][operation];
        let listed = operation["messages"].as_array().expect("a list");
        let listed: BTreeSet<_> = listed
            .iter()
            .map(|message| {
                let target = message["$ref"].as_str().expect("a reference");
                target.strip_prefix("#/channels/ws/messages/").expect("to the channel").to_owned()
            })
            .collect();
        let mut expected = set(known);
        expected.insert(sound.to_owned());
        assert_eq!(listed, expected);
        for name in known {
            let payload = &components[*name]["payload"];
            let mut properties = keys(&payload["properties"]);
            properties.remove("type");
            if properties != fields(name) || payload["properties"]["type"]["const"] != *name {
                let _ = writeln!(wrong, "{name}: {properties:?}, not {:?}", fields(name));
            }
        }
        names.extend(expected);
    }
    assert!(wrong.is_empty(), "{wrong}");
    assert_eq!(names, all);
    let codes = &components["error"]["payload"]["properties"]["code"]["enum"];
    let page = page();
    let told: Vec<_> = table(section(&page, "## Errors")).into_iter().map(|row| row[0].clone()).collect();
    assert_eq!(*codes, json!(told));
}
