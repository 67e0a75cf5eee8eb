use std::{future::Future, net::SocketAddr};

use axum::{Router, extract::WebSocketUpgrade, routing::get};
use tokio::{net::TcpStream, sync::oneshot};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message as ClientMessage};

use super::*;

type Client = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A server whose one socket is served by `serve`; the receiver gives what that returns.
async fn served<F, T>(
    settings: SocketSettings,
    idle: Option<Duration>,
    serve: impl FnOnce(Reader, Writer) -> F + Send + 'static,
) -> (Client, oneshot::Receiver<T>)
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let (done, result) = oneshot::channel();
    let once = std::sync::Arc::new(std::sync::Mutex::new(Some((serve, done))));
    let enter = move |upgrade: WebSocketUpgrade| async move {
        let limit = library_limit(&settings);
        upgrade.max_message_size(limit).max_frame_size(limit).on_upgrade(move |socket| async move {
            let taken = once.lock().expect("no test panics here").take();
            let (serve, done) = taken.expect("one socket a test");
            let (reader, writer) = split(socket, &settings, idle);
            let _ = done.send(serve(reader, writer).await);
        })
    };
    let listener = tokio::net::TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/", get(enter))).await });
    let (client, _) = connect_async(format!("ws://{address}/")).await.expect("the server listens");
    (client, result)
}

async fn closing(client: &mut Client) -> Option<(u16, String)> {
    while let Some(message) = client.next().await {
        match message {
            Ok(ClientMessage::Close(frame)) => return frame.map(|f| (f.code.into(), f.reason.to_string())),
            Ok(_) => {}
            Err(_) => return None,
        }
    }
    None
}

#[tokio::test]
async fn reading_goes_on_while_a_write_waits_and_the_slow_reader_is_given_up() {
    let (mut client, result) = served(SocketSettings::default(), None, |mut reader, mut writer| async move {
        let writing = async {
            loop {
                // More than the kernel's buffers hold, to somebody who does not read.
                let noise = Message::Binary(vec![0; 1 << 20].into());
                if let Err(error) = writer.write(noise, Duration::from_millis(500)).await {
                    return error;
                }
            }
        };
        let reading = async {
            let mut heard = Vec::new();
            while heard.len() < 3 {
                if let Received::Text(text) = reader.next().await {
                    heard.push(text.to_string());
                }
            }
            heard
        };
        tokio::join!(writing, reading)
    })
    .await;
    for text in ["one", "two", "three"] {
        client.send(ClientMessage::text(text)).await.expect("the server reads");
    }
    let (error, heard) = result.await.expect("the server side returns");
    assert_eq!(error, WriteError::Slow);
    assert_eq!(heard, ["one", "two", "three"]);
}

#[tokio::test]
async fn a_message_too_big_is_answered_with_its_close_code() {
    // Over the limit, and so far over it that the library gives up.
    for size in [1_500, 20_000] {
        let settings = SocketSettings { max_message_bytes: 1_000, ..SocketSettings::default() };
        let (mut client, result) = served(settings, None, |mut reader, writer| async move {
            let received = reader.next().await;
            farewell(reader, writer, close::TOO_BIG, "too big", Duration::from_millis(500)).await;
            received
        })
        .await;
        client.send(ClientMessage::binary(vec![0; size])).await.expect("it fits the kernel's buffer");
        assert_eq!(closing(&mut client).await, Some((1009, "too big".to_owned())), "{size} bytes");
        assert_eq!(result.await.expect("the server side returns"), Received::TooBig);
    }
}

#[tokio::test]
async fn who_says_nothing_is_idle_and_who_does_not_answer_pings_is_gone() {
    let idle = Some(Duration::from_millis(50));
    let (_client, result) =
        served(SocketSettings::default(), idle, |mut reader, _writer| async move { reader.next().await }).await;
    assert_eq!(result.await.expect("the server side returns"), Received::Idle);

    let settings = SocketSettings {
        ping_every: Duration::from_millis(20),
        pong_within: Duration::from_millis(50),
        ..SocketSettings::default()
    };
    // The client library answers pings only while it is read.
    let (_client, result) = served(settings, None, |mut reader, mut writer| async move {
        writer.ping_due().await;
        writer.ping(Duration::from_secs(1)).await.expect("the connection is there");
        reader.next().await
    })
    .await;
    assert_eq!(result.await.expect("the server side returns"), Received::Gone);
}

#[tokio::test]
async fn pongs_keep_a_silent_socket_alive() {
    let settings = SocketSettings {
        ping_every: Duration::from_millis(50),
        pong_within: Duration::from_millis(950),
        ..SocketSettings::default()
    };
    let (mut client, result) = served(settings, None, |mut reader, mut writer| async move {
        let pinging = async {
            loop {
                writer.ping_due().await;
                if writer.ping(Duration::from_secs(5)).await.is_err() {
                    return std::future::pending::<()>().await;
                }
            }
        };
        tokio::select! {
            received = reader.next() => received,
            () = pinging => unreachable!("it never returns"),
        }
    })
    .await;
    // Longer than a socket without pongs would live.
    let mut pings = 0;
    while pings < 30 {
        if let ClientMessage::Ping(_) = client.next().await.expect("still open").expect("still open") {
            pings += 1;
        }
    }
    client.send(ClientMessage::text("here")).await.expect("still open");
    assert_eq!(result.await.expect("the server side returns"), Received::Text("here".into()));
}

#[tokio::test]
async fn the_hasty_are_told_when_to_go_on() {
    let settings = SocketSettings { events_per_second: 1, event_burst: 2, ..SocketSettings::default() };
    let (mut client, result) = served(settings, None, |mut reader, _writer| async move {
        [reader.next().await, reader.next().await, reader.next().await, reader.next().await]
    })
    .await;
    for text in ["one", "two", "three"] {
        client.send(ClientMessage::text(text)).await.expect("the server reads");
    }
    client.send(ClientMessage::binary(vec![1])).await.expect("the server reads");
    let [one, two, three, sound] = result.await.expect("the server side returns");
    assert_eq!((one, two), (Received::Text("one".into()), Received::Text("two".into())));
    let Received::Hasty { text, wait } = three else { panic!("{three:?}") };
    assert!(text == "three" && wait <= Duration::from_secs(1), "{text} {wait:?}");
    assert_eq!(sound, Received::Binary(vec![1].into()), "sound is not counted");
}

#[test]
fn a_bucket_gives_its_burst_and_then_its_rate() {
    let start = Instant::now();
    let mut bucket = Bucket::new(10, 3, start);
    for _ in 0..3 {
        assert_eq!(bucket.take(start), Ok(()));
    }
    assert_eq!(bucket.take(start), Err(Duration::from_millis(100)));
    assert_eq!(bucket.take(start + Duration::from_millis(99)), Err(Duration::from_millis(1)));
    assert_eq!(bucket.take(start + Duration::from_millis(100)), Ok(()));
    let later = start + Duration::from_mins(1);
    let given = (0..10).filter(|_| bucket.take(later).is_ok()).count();
    assert_eq!(given, 3, "a long rest gives no more than the burst");
}
