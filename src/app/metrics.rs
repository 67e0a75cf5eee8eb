//! `/metrics`: what [`measure`](crate::measure) names, in Prometheus' text form, on a port of its own and, for whoever has the
//! token, on BIND.
//!
//! Counters and histograms come from one recorder, which belongs to the process; states are read from this server when it
//! is asked, so that two servers in one process do not tell of each other.

mod page;
mod process;
mod read;

use std::{net::SocketAddr, sync::OnceLock, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    http::{StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use metrics::Unit;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use self::read::{Folders, Sources};
use super::{config::Config, listen};
use crate::{
    measure::{self, Kind},
    protocol::error::{ApiError, Code},
};

/// How often what histograms were told is put into their buckets, which is what bounds their memory between scrapes.
const UPKEEP: Duration = Duration::from_secs(5);
/// How long a scrape that is under way when the server ends may take.
const END_WITHIN: Duration = Duration::from_secs(2);
/// What Prometheus' text form is called.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The numbers of one server.
#[derive(Clone)]
pub struct Metrics {
    recorder: PrometheusHandle,
    sources: Sources,
}

impl Metrics {
    /// Begins to count, until `stop`, if the configuration says that anybody may ask.
    #[must_use]
    pub fn start(config: &Config, sources: Sources, stop: CancellationToken) -> Option<Self> {
        if config.metrics.is_none() && config.settings.operating.metrics_token.is_empty() {
            return None;
        }
        let Some(recorder) = recorder() else {
            tracing::error!("there are no metrics: another recorder is in this process");
            return None;
        };
        process::begin();
        let upkeep = recorder.clone();
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(UPKEEP) => upkeep.run_upkeep(),
                }
            }
        });
        Some(Self { recorder, sources })
    }

    /// Everything, as Prometheus reads it.
    async fn page(&self) -> String {
        let mut page = self.recorder.render();
        page.push_str(&self.sources.read().await);
        page
    }

    /// `GET /metrics` for whoever sends `token` as bearer token.
    pub fn with_token(self, token: &str) -> Router {
        let wanted: [u8; 32] = Sha256::digest(token).into();
        self.open().layer(middleware::from_fn_with_state(wanted, knows_token))
    }

    /// `GET /metrics` for everybody.
    fn open(self) -> Router {
        Router::new().route("/metrics", get(told)).with_state(self)
    }
}

/// A port that serves `/metrics` and nothing else.
pub struct Door {
    pub address: SocketAddr,
    listener: TcpListener,
}

impl Door {
    /// Binds it, if there is to be one.
    ///
    /// # Errors
    /// When the address cannot be bound; the text says what to do.
    pub async fn open(config: &Config) -> std::io::Result<Option<Self>> {
        let Some(wanted) = config.metrics else { return Ok(None) };
        let listener = TcpListener::bind(wanted).await.map_err(|error| {
            std::io::Error::other(format!(
                "{wanted} cannot be listened on: {error}\nhint: something else may be there; set METRICS_BIND to another port"
            ))
        })?;
        let address = listener.local_addr()?;
        if !address.ip().is_loopback() {
            tracing::warn!(%address, "whoever reaches this address can read the metrics; METRICS_TOKEN is for BIND only");
        }
        Ok(Some(Self { address, listener }))
    }

    /// Serves until `stop`.
    pub async fn serve(self, metrics: Metrics, stop: CancellationToken) {
        let router = metrics.open().fallback(async || (StatusCode::NOT_FOUND, "only /metrics is here\n"));
        listen::serve(self.listener, None, router, stop.cancelled_owned(), || END_WITHIN).await;
    }
}

async fn told(State(metrics): State<Metrics>) -> Response {
    ([(header::CONTENT_TYPE, TEXT), (header::CACHE_CONTROL, "no-store")], metrics.page().await).into_response()
}

/// Lets those through who know the token. Hashes are compared, so that how long it takes tells nothing of the token.
async fn knows_token(State(wanted): State<[u8; 32]>, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|given| given.to_str().ok());
    let given = given.and_then(|given| given.split_once(' ')).filter(|(kind, _)| kind.eq_ignore_ascii_case("bearer"));
    let given: Option<[u8; 32]> = given.map(|(_, token)| Sha256::digest(token.trim()).into());
    if given == Some(wanted) {
        return next.run(request).await;
    }
    let hint = "send Authorization: Bearer and the token of METRICS_TOKEN";
    ApiError::new(Code::Unauthorized, "the metrics are for whoever has their token", hint).into_response()
}

/// The process's recorder, made when first wanted; `None`: somebody else's is there.
fn recorder() -> Option<PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    RECORDER.get_or_init(install).clone()
}

fn install() -> Option<PrometheusHandle> {
    let mut builder = PrometheusBuilder::new();
    for measure in measure::ALL {
        if let Kind::Histogram(buckets) = measure.kind {
            // Only an empty list is refused.
            builder = builder.set_buckets_for_metric(Matcher::Full(measure.name.into()), buckets).ok()?;
        }
    }
    let recorder = builder.build_recorder();
    let handle = recorder.handle();
    metrics::set_global_recorder(recorder).ok()?;
    describe();
    Some(handle)
}

/// Says what each measure is, and puts those at zero whose labels are known.
fn describe() {
    for measure in measure::ALL.iter().filter(|measure| measure.told) {
        let unit = match measure.unit() {
            Some("seconds") => Unit::Seconds,
            Some("bytes") => Unit::Bytes,
            _ => Unit::Count,
        };
        match measure.kind {
            Kind::Counter => metrics::describe_counter!(measure.name, unit, measure.help),
            Kind::Gauge => metrics::describe_gauge!(measure.name, unit, measure.help),
            Kind::Histogram(_) => metrics::describe_histogram!(measure.name, unit, measure.help),
        }
        for labels in measure.combinations() {
            match measure.kind {
                Kind::Counter => metrics::counter!(measure.name, &labels).increment(0),
                Kind::Gauge => metrics::gauge!(measure.name, &labels).increment(0.0),
                Kind::Histogram(_) => drop(metrics::histogram!(measure.name, &labels)),
            }
        }
    }
    // Shares of failures are to be zero, not unknown, before the first.
    for status in ["2xx", "4xx", "5xx"] {
        drop(metrics::histogram!(measure::HTTP_REQUESTS, "method" => "GET", "route" => "other", "status" => status));
    }
    for code in Code::ALL {
        for transport in ["http", "native"] {
            metrics::counter!(measure::ERRORS, "transport" => transport, "code" => code.name()).increment(0);
        }
    }
}
