//! Traces of turns, as a collector gets them; and a collector that takes nothing, which must disturb nobody.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value},
    trace::v1::Span,
};
use prost::Message as _;
use serde_json::json;
use tokio::{net::TcpListener, task::JoinHandle};

use crate::{
    accounts::visitor::Answer,
    harness::{Client, recording},
    program::{A_LONG_TIME, Program, parsed},
};

/// A collector, and what it was sent.
struct Collector {
    address: String,
    got: Arc<Mutex<Got>>,
    serving: JoinHandle<()>,
}

#[derive(Default)]
struct Got {
    spans: Vec<Span>,
    service: BTreeMap<String, String>,
    headers: Vec<HeaderMap>,
}

impl Collector {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = format!("http://{}/base", listener.local_addr().expect("bound"));
        let got = Arc::<Mutex<Got>>::default();
        let router = Router::new().route("/base/v1/traces", post(take)).with_state(Arc::clone(&got));
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.expect("it serves") });
        Self { address, got, serving }
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn take(State(got): State<Arc<Mutex<Got>>>, headers: HeaderMap, body: Bytes) {
    let request = ExportTraceServiceRequest::decode(body).expect("OTLP");
    let mut got = got.lock().unwrap_or_else(PoisonError::into_inner);
    got.headers.push(headers);
    for resource in request.resource_spans {
        got.service.extend(texts(&resource.resource.expect("a resource").attributes));
        got.spans.extend(resource.scope_spans.into_iter().flat_map(|scope| scope.spans));
    }
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |pair: &KeyValue| {
        let value = match pair.value.as_ref()?.value.as_ref()? {
            any_value::Value::StringValue(text) => text.clone(),
            any_value::Value::IntValue(number) => number.to_string(),
            other => format!("{other:?}"),
        };
        Some((pair.key.clone(), value))
    };
    attributes.iter().filter_map(text).collect()
}

/// Says "what time is it" and waits for the whole answer.
async fn spoken_turn(program: &Program) {
    let mut client = Client::connect(program.address).await;
    client.send(json!({"type": "session.start"})).await;
    client.event("session.ready").await;
    client.speak_until(&recording("what time is it"), "reply.done").await;
    client.send(json!({"type": "session.end"})).await;
    client.closed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spoken_turn_is_one_tree_and_a_request_goes_on_with_its_callers() {
    let collector = Collector::start().await;
    let program = Program::start(&[
        ("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.address),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hush"),
        ("OTEL_SERVICE_NAME", "voice-test"),
    ])
    .await;
    spoken_turn(&program).await;
    let (trace, parent) = ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331");
    let request = reqwest::Client::new()
        .post(program.url("/api/tts/synthesize/"))
        .header("traceparent", format!("00-{trace}-{parent}-01"))
        .json(&json!({"text": "Secret words. Of two sentences.", "format": "wav"}));
    let spoken = Answer::of(request).await;
    assert_eq!(spoken.status, 200);
    let (ended, lines) = program.stop().await;
    assert!(ended.success(), "{lines:#?}");

    let got = collector.got.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(got.service["service.name"], "voice-test");
    assert!(got.headers.iter().all(|headers| headers["authorization"] == "Bearer hush"));
    let names = || got.spans.iter().map(|span| span.name.as_str()).collect::<Vec<_>>();

    let heard: Vec<_> = got
        .spans
        .iter()
        .filter(|span| span.name == "turn" && texts(&span.attributes)["outcome"] == "answered")
        .collect();
    assert_eq!(heard.len(), 1, "{:?}", names());
    let turn = heard[0];
    assert!(turn.parent_span_id.is_empty(), "a trace of its own");
    let attributes = texts(&turn.attributes);
    for name in
        ["session.id", "conversation.id", "turn.id", "mode", "revisions", "final_ms", "first_audio_ms", "done_ms"]
    {
        assert!(attributes.contains_key(name), "{name} is missing: {attributes:?}");
    }
    let parts: Vec<_> = got.spans.iter().filter(|span| span.trace_id == turn.trace_id && *span != turn).collect();
    for name in ["speech", "recognise", "chat", "synthesis", "playback"] {
        let part = parts.iter().find(|part| part.name == name).unwrap_or_else(|| panic!("no {name}: {:?}", names()));
        assert_eq!(part.parent_span_id, turn.span_id, "{name}");
        assert!(part.start_time_unix_nano >= turn.start_time_unix_nano, "{name}");
        assert!(part.end_time_unix_nano <= turn.end_time_unix_nano, "{name}");
    }
    let of = |name: &str| texts(&parts.iter().find(|part| part.name == name).expect("looked at above").attributes);
    let finals = parts
        .iter()
        .map(|part| texts(&part.attributes))
        .filter(|part| part.get("kind").is_some_and(|kind| kind == "final"));
    assert!(of("recognise").contains_key("model"));
    assert!(finals.into_iter().all(|part| part.contains_key("queue_ms")), "{parts:#?}");
    assert!(of("chat").contains_key("first_token_ms") && of("chat").contains_key("reply_tokens"));
    assert!(of("synthesis").contains_key("first_sound_ms"));

    let id = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    let request = got.spans.iter().find(|span| span.name.starts_with("POST /api/tts/synthesize")).expect("a trace");
    assert_eq!((id(&request.trace_id), id(&request.parent_span_id)), (trace.into(), parent.into()));
    assert!(got.spans.iter().any(|span| span.name == "synthesis" && span.parent_span_id == request.span_id));

    let everything = format!("{:?}", got.spans).to_lowercase();
    for said in ["what time is it", "secret words", "two sentences"] {
        assert!(!everything.contains(said), "a trace holds no texts: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_hangs_disturbs_nobody() {
    // Connections are taken by the system; nobody reads them.
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    let program = Program::start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &address)]).await;
    spoken_turn(&program).await;
    let asked = Instant::now();
    let (ended, _) = program.stop().await;
    assert!(ended.success() && asked.elapsed() < A_LONG_TIME, "{ended} after {:?}", asked.elapsed());
    drop(listener);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_is_told_of_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = format!("http://user:hush@{}", listener.local_addr().expect("bound"));
    drop(listener);
    let program = Program::start(&[("OTEL_EXPORTER_OTLP_ENDPOINT", &address)]).await;
    spoken_turn(&program).await;
    program.line(|line| line.contains("traces cannot be sent")).await;
    spoken_turn(&program).await;
    let (ended, lines) = program.stop().await;
    assert!(ended.success());
    let told: Vec<_> = parsed(&lines).into_iter().filter(|line| line["message"] == "traces cannot be sent").collect();
    assert!(told.len() == 1 && told[0]["hint"].is_string(), "{told:#?}");
    assert!(lines.iter().all(|line| !line.contains("hush")), "{lines:#?}");
}
