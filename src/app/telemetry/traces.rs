//! Traces of turns, sent to a collector: OTLP over HTTP, in batches, by a thread of their own. A collector that is away or
//! hangs holds up nobody: what does not fit the queue is dropped, and the fault is logged once a minute.

use std::{
    collections::HashMap,
    fmt,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use opentelemetry::{KeyValue, trace::TracerProvider};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{RetryPolicy, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::{
    Resource,
    trace::{BatchConfigBuilder, BatchSpanProcessor, Sampler, SdkTracer, SdkTracerProvider},
};
use reqwest::Url;
use tracing::Subscriber;
use tracing_opentelemetry::OpenTelemetryLayer;
use tracing_subscriber::registry::LookupSpan;

use crate::app::settings::Logs;

/// Spans that may wait to be sent; what comes then is dropped.
const WAITING: usize = 4_096;
/// Spans of one request.
const BATCH: usize = 512;
/// How long spans wait for others to go with.
const EVERY: Duration = Duration::from_secs(2);
/// How long the collector may take for one request.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// How long the end of the process waits for the last spans.
const FINISH_WITHIN: Duration = Duration::from_secs(3);
/// Between two lines about a collector that takes nothing.
const COMPLAIN_EVERY: Duration = Duration::from_mins(1);
/// The longest answer of a collector that is read.
const LONGEST_ANSWER: usize = 64 * 1024;

/// The way to the collector.
pub(super) struct Traces {
    provider: SdkTracerProvider,
}

impl Traces {
    /// # Errors
    /// When the settings cannot be used; the text says what to do.
    pub(super) fn start(logs: &Logs, runtime: &tokio::runtime::Handle) -> Result<Self, String> {
        let hint = "hint: the collector's base address, such as http://localhost:4318";
        // The address is not shown: it may hold a password.
        let wrong = |what: &str| format!("OTEL_EXPORTER_OTLP_ENDPOINT {what}\n{hint}");
        let mut url = Url::parse(logs.otel_exporter_otlp_endpoint.trim()).map_err(|_| wrong("is not an address"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(wrong("must begin with http:// or https://"));
        }
        url.set_path(&format!("{}/v1/traces", url.path().trim_end_matches('/')));
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client::new(&url, runtime)?)
            .with_endpoint(url.as_str())
            .with_headers(headers(&logs.otel_exporter_otlp_headers)?)
            .with_timeout(ANSWER_WITHIN)
            // The next batch tries again; waiting here would fill the queue.
            .with_retry_policy(RetryPolicy::disabled())
            .build()
            .map_err(|error| wrong(&format!("cannot be used: {error}")))?;
        let batches = BatchConfigBuilder::default()
            .with_max_queue_size(WAITING)
            .with_max_export_batch_size(BATCH)
            .with_scheduled_delay(EVERY)
            .build();
        let resource = Resource::builder()
            .with_service_name(logs.otel_service_name.clone())
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let share = Sampler::TraceIdRatioBased(f64::from(logs.otel_traces_sampler_arg));
        let provider = SdkTracerProvider::builder()
            .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batches).build())
            .with_sampler(Sampler::ParentBased(Box::new(share)))
            .with_resource(resource)
            .build();
        Ok(Self { provider })
    }

    /// What makes traces of spans.
    pub(super) fn layer<S>(&self) -> OpenTelemetryLayer<S, SdkTracer>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("aigolos"))
            .with_location(false)
            .with_threads(false)
            .with_target(false)
            .with_tracked_inactivity(false)
            .with_context_activation(false)
    }

    /// Sends what waits; gives up after [`FINISH_WITHIN`].
    pub(super) fn finish(self) {
        // A collector that is away has been told of.
        let _ = self.provider.shutdown_with_timeout(FINISH_WITHIN);
    }
}

/// `name=value,name=value`, values percent-encoded where they must be.
fn headers(text: &str) -> Result<HashMap<String, String>, String> {
    let pairs = text.split(',').map(str::trim).filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').ok_or_else(|| {
                // The value is not shown: it is a secret.
                "OTEL_EXPORTER_OTLP_HEADERS is not a list of name=value\nhint: authorization=Bearer%20TOKEN".to_owned()
            })?;
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        })
        .collect()
}

/// The HTTP client of the rest of the server. The batches' thread knows no async runtime: requests run on the server's.
struct Client {
    http: reqwest::Client,
    runtime: tokio::runtime::Handle,
    complained: Mutex<Option<Instant>>,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Client")
    }
}

impl Client {
    fn new(url: &Url, runtime: &tokio::runtime::Handle) -> Result<Self, String> {
        crate::app::use_ring();
        let mut builder = reqwest::Client::builder().timeout(ANSWER_WITHIN).redirect(reqwest::redirect::Policy::none());
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        // Machines of one's own are reached directly, whatever proxy the environment names.
        if host == "localhost" || host.parse::<std::net::IpAddr>().is_ok() {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|error| format!("no HTTP client for traces can be made: {error}"))?;
        Ok(Self { http, runtime: runtime.clone(), complained: Mutex::default() })
    }

    fn complain(&self, error: &str) {
        let mut complained = self.complained.lock().unwrap_or_else(PoisonError::into_inner);
        if complained.is_none_or(|last| last.elapsed() >= COMPLAIN_EVERY) {
            *complained = Some(Instant::now());
            let hint = "see that a collector listens at OTEL_EXPORTER_OTLP_ENDPOINT; turns go on without traces";
            tracing::warn!(error, hint, "traces cannot be sent");
        }
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.http.clone();
        let sent = self.runtime.spawn(async move { send(&client, request).await });
        let answer = sent.await.unwrap_or_else(|_| Err("the server is stopping".into()));
        match &answer {
            Err(error) => self.complain(&error.to_string()),
            Ok(answer) if !answer.status().is_success() => {
                self.complain(&format!("the collector answers {}", answer.status()));
            }
            Ok(_) => {}
        }
        answer
    }
}

async fn send(client: &reqwest::Client, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
    let request = reqwest::Request::try_from(request)?;
    // The address may hold a password.
    let mut answer = client.execute(request).await.map_err(|error| innermost(&error.without_url()))?;
    let status = answer.status();
    let mut body = Vec::new();
    while let Some(bytes) = answer.chunk().await.map_err(|error| innermost(&error.without_url()))? {
        body.extend_from_slice(&bytes);
        if body.len() > LONGEST_ANSWER {
            return Err("the collector's answer is too long".into());
        }
    }
    Ok(Response::builder().status(status).body(body.into())?)
}

/// The last cause: "connection refused" rather than "error sending request".
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}

#[cfg(test)]
mod tests {
    use super::headers;

    #[test]
    fn headers_are_names_and_values() {
        let found = headers("authorization=Bearer%20x, x-team = voice,").expect("a list");
        assert_eq!(found["authorization"], "Bearer%20x");
        assert_eq!(found["x-team"], "voice");
        let error = headers("hush-hush").expect_err("no name");
        assert!(!error.contains("hush-hush") && error.contains("hint:"), "{error}");
    }
}
