//! Connections: accepted up to a limit, their headers within a time and a size, and ended properly when the server stops.

use std::{convert::Infallible, future::Future, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::ConnectInfo,
    http::{Method, Request, Response, StatusCode, header},
};
use hyper::{
    body::{Body as HttpBody, Incoming},
    server::conn::http1,
    service::{HttpService, service_fn},
};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt;

use super::tls::Tls;

/// Connections at once. All taken: the next ones wait in the system's queue until one ends.
const CONNECTIONS: usize = 8_192;
/// How long a client may take to send a request's headers; one that dribbles them holds a place.
const HEADERS_WITHIN: Duration = Duration::from_secs(15);
/// How long a client may take to agree on a key, or to begin at all.
const HANDSHAKE_WITHIN: Duration = Duration::from_secs(15);
/// The first byte of every TLS connection; no request begins with it.
const TLS_RECORD: u8 = 22;
/// Headers of a request at most, and bytes of them.
const HEADERS: usize = 100;
const HEADER_BYTES: usize = 64 * 1024;
/// After a connection could not be accepted (no file handles left): trying at once would only turn the processor.
const PAUSE: Duration = Duration::from_millis(500);

/// Serves `router` on `listener`, encrypted where there is a certificate, until `stop` completes, then lets each connection finish the request it is at,
/// as long as `patience` says then: whoever takes nothing of an answer must not keep the server from ending. Upgraded
/// connections (WebSockets) are somebody else's from then on.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    router: Router,
    stop: impl Future<Output = ()>,
    patience: impl FnOnce() -> Duration,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let (stopping, connections) = (CancellationToken::new(), TaskTracker::new());
    let cut = CancellationToken::new();
    let _cuts = cut.clone().drop_guard();
    let mut stop = pin!(stop);
    let mut renewal = pin!(async {
        match &tls {
            Some(tls) => tls.follow().await,
            None => std::future::pending().await,
        }
    });
    loop {
        let accepted = async {
            // Never closed.
            let place = places.clone().acquire_owned().await;
            (listener.accept().await, place)
        };
        let (accepted, place) = tokio::select! {
            () = &mut stop => break,
            never = &mut renewal => match never {},
            accepted = accepted => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (tls, router, stopping) = (tls.clone(), router.clone(), stopping.clone());
                let serving = connection(stream, peer, tls, router, stopping);
                let serving = cut.clone().run_until_cancelled_owned(serving);
                connections.spawn(async move {
                    serving.await;
                    drop(place);
                });
            }
            Err(error) if ended_early(&error) => {}
            Err(error) => {
                tracing::error!(%error, "a connection cannot be accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    stopping.cancel();
    connections.close();
    if tokio::time::timeout(patience(), connections.wait()).await.is_err() {
        tracing::warn!("some connections did not end in time; they are cut");
    }
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    tls: Option<Tls>,
    router: Router,
    stopping: CancellationToken,
) {
    // Small frames of sound must not wait for each other.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "TCP_NODELAY cannot be set");
    }
    let service = router.map_request(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        request
    });
    let service = TowerToHyperService::new(service);
    let Some(tls) = tls else { return http(stream, service, stopping).await };
    let begun = async {
        let mut first = [0];
        stream.peek(&mut first).await?;
        // Somebody who speaks plainly is told so, since their program would only call a TLS alert malformed.
        if first[0] == TLS_RECORD { tls.acceptor().accept(stream).await.map(Ok) } else { Ok(Err(stream)) }
    };
    let begun = tokio::select! {
        begun = tokio::time::timeout(HANDSHAKE_WITHIN, begun) => begun.unwrap_or_else(|late| Err(late.into())),
        () = stopping.cancelled() => return,
    };
    match begun {
        Ok(Ok(encrypted)) => http(encrypted, service, stopping).await,
        Ok(Err(plain)) => {
            http(plain, service_fn(async |request| Ok::<_, Infallible>(to_https(&request))), stopping).await;
        }
        Err(error) => tracing::debug!(%error, "a connection was not encrypted"),
    }
}

/// What a plain request to an encrypted port is answered. Whoever sent no more than an address may follow it; for
/// anything else it is too late, what was sent could be read on its way.
fn to_https(request: &Request<Incoming>) -> Response<Body> {
    let (status, location) = match request.headers().get(header::HOST).and_then(|host| host.to_str().ok()) {
        Some(host) if [Method::GET, Method::HEAD].contains(request.method()) => {
            let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
            (StatusCode::TEMPORARY_REDIRECT, format!("https://{host}{path}").parse().ok())
        }
        _ => (StatusCode::BAD_REQUEST, None),
    };
    let mut response =
        Response::new("this port speaks HTTPS\nhint: the address begins with https:// or wss://\n".into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    headers.extend(location.map(|location| (header::LOCATION, location)));
    response
}

/// Requests and answers until the client or `stopping` ends them.
async fn http<S, B>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    service: S,
    stopping: CancellationToken,
) where
    S: HttpService<Incoming, ResBody = B>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: HttpBody + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_WITHIN)
        .max_headers(HEADERS)
        .max_buf_size(HEADER_BYTES);
    let serving = builder.serve_connection(TokioIo::new(stream), service).with_upgrades();
    let mut serving = pin!(serving);
    let ended = tokio::select! {
        ended = &mut serving => ended,
        () = stopping.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection broke off");
    }
}

/// The client went away before it was its turn.
fn ended_early(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        sync::oneshot,
    };

    use super::*;

    async fn ask(request: &str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let router =
            Router::new().route("/", get(async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.ip().to_string()));
        let (stop, stopped) = oneshot::channel::<()>();
        let told = async {
            let _ = stopped.await;
        };
        let serving = tokio::spawn(serve(listener, None, router, told, || Duration::from_mins(1)));
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        // A refused request may be answered before it is read to its end.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        drop(stop);
        serving.await.expect("it stops");
        String::from_utf8_lossy(&answer).into_owned()
    }

    #[tokio::test]
    async fn a_request_is_answered_and_knows_its_peer() {
        let answer = ask("GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("127.0.0.1"), "{answer}");
    }

    #[tokio::test]
    async fn who_takes_nothing_of_an_answer_does_not_keep_it_from_ending() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let endless =
            async || Body::from_stream(futures::stream::repeat_with(|| Ok::<_, Infallible>("x".repeat(65_536))));
        let stopping = CancellationToken::new();
        let stop = stopping.clone().cancelled_owned();
        let router = Router::new().route("/", get(endless));
        let serving = tokio::spawn(serve(listener, None, router, stop, || Duration::from_millis(100)));
        let mut stream = TcpStream::connect(address).await.expect("it listens");
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.expect("sent");
        // It is at it, and nothing more is read.
        stream.read_exact(&mut [0; 12]).await.expect("it begins");
        stopping.cancel();
        let ended = tokio::time::timeout(Duration::from_mins(1), serving).await;
        ended.expect("it does not wait for ever").expect("it stops");
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await; // cut, so there is an end
    }

    #[tokio::test]
    async fn too_many_headers_and_too_long_ones_are_refused() {
        let many = "A: b\r\n".repeat(HEADERS + 1);
        let answer = ask(&format!("GET / HTTP/1.1\r\nHost: localhost\r\n{many}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
        let long = "a".repeat(10 * HEADER_BYTES);
        let answer = ask(&format!("GET / HTTP/1.1\r\nHost: localhost\r\nA: {long}\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_dribbling_client_loses_its_place() {
        // Time stands still but for the server's own waiting, so this ends at once.
        let answer = ask("GET / HTTP/1.1\r\nHost: local").await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "{answer}");
    }
}
