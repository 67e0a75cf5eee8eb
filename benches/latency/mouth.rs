//! Somebody who speaks: sends 20 ms of sound every 20 ms, whatever comes back.

use std::time::Duration;

use futures::{Sink, SinkExt};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, sleep_until},
};
use tokio_tungstenite::tungstenite::Message;

const FRAME: Duration = Duration::from_millis(20);

/// What to say next, and the answer when its first sample counts as spoken.
pub struct Mouth(mpsc::Sender<(Vec<i16>, oneshot::Sender<Instant>)>);

impl Mouth {
    /// Silence until something is said; `wrap` makes a message of samples at `rate`. Shuts when dropped.
    pub fn open<S>(mut sink: S, rate: u32, wrap: fn(&[u8]) -> Message) -> Self
    where
        S: Sink<Message> + Unpin + Send + 'static,
    {
        let (mouth, mut orders) = mpsc::channel::<(Vec<i16>, oneshot::Sender<Instant>)>(1);
        let samples = (rate / 50) as usize;
        tokio::spawn(async move {
            // A frame goes out when its last sample has been spoken.
            let mut due = Instant::now() + FRAME;
            let mut saying = Vec::new().into_iter();
            loop {
                if saying.len() == 0
                    && let Ok((samples, began)) = orders.try_recv()
                {
                    saying = samples.into_iter();
                    let _ = began.send(due.checked_sub(FRAME).unwrap_or(due));
                }
                sleep_until(due).await;
                due += FRAME;
                let mut frame: Vec<i16> = saying.by_ref().take(samples).collect();
                frame.resize(samples, 0);
                let bytes: Vec<u8> = frame.into_iter().flat_map(i16::to_le_bytes).collect();
                if orders.is_closed() || sink.send(wrap(&bytes)).await.is_err() {
                    return;
                }
            }
        });
        Self(mouth)
    }

    /// Says it; gives when its first sample was spoken.
    pub async fn say(&self, samples: &[i16]) -> Instant {
        let (answer, began) = oneshot::channel();
        self.0.send((samples.to_vec(), answer)).await.expect("the mouth moves");
        began.await.expect("the mouth moves")
    }
}
