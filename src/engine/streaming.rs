//! One streamed reply over HTTP: time-outs, a second try before the first word, the listener's cancellation.
//! What the bytes mean is each backend's [`Dialect`].

mod writing;

use std::{borrow::Cow, sync::Arc, time::Duration};

use reqwest::{Client, RequestBuilder, Response, StatusCode, Url, header};
use tokio::{sync::mpsc, time::Instant};
use tracing::Instrument;

use super::{
    ChatDelta, ChatRequest, ChatStream, EngineError, StopCause,
    calls::Piece,
    chat::ChatSettingsError,
    learnt::{self, Learnt},
    lines::{Lines, TooLong},
    meter::ChatMeter,
    tokens,
};

use self::writing::{Sent, Writing};

/// Pieces on their way to the listener; when full the network waits.
const STREAM_CAPACITY: usize = 32;
/// Pauses before the second and the third try.
const PAUSES: [Duration; 2] = [Duration::from_millis(150), Duration::from_millis(600)];
/// As much of an error's body as is read.
const LONGEST_REFUSAL: usize = 16 * 1024;
/// A description of models, or a list of them, has at most so many bytes.
const LONGEST_DESCRIPTION: usize = 4 << 20;
/// What a busy server that names no time is given.
const BUSY_RETRY_MS: u64 = 2000;

/// How long a chat server may take; the same for every backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// `LLM_CONNECT_TIMEOUT`: until a connection stands.
    pub connect: Duration,
    /// `LLM_FIRST_TOKEN_TIMEOUT`: from the request to the first piece of text, loading and thinking included.
    pub first_token: Duration,
    /// `LLM_STALL_TIMEOUT`: between two pieces after the first.
    pub stall: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { connect: Duration::from_secs(3), first_token: Duration::from_mins(1), stall: Duration::from_secs(15) }
    }
}

/// What a backend's lines have told so far.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Text of the line just decoded; taken out before the next.
    pub text: String,
    /// The server has sent thoughts apart from the text.
    pub thoughts_apart: bool,
    /// An event that goes on in the next line.
    pub event: String,
    /// The answer is no event stream.
    pub bare: bool,
    /// Pieces of calls in the line just decoded; taken out as well.
    pub calls: Vec<Piece>,
    /// The server kept back what the model wrote.
    pub filtered: bool,
    /// The model has stopped; a stream that ends after this is whole.
    pub finished: bool,
    /// Nothing more will come.
    pub done: bool,
    pub prompt_tokens: Option<u32>,
    pub reply_tokens: Option<u32>,
    pub stop: StopCause,
}

/// A failure, and whether the same request may succeed at once.
#[derive(Debug)]
pub(super) struct Refusal {
    pub error: EngineError,
    pub again: bool,
}

/// Why a line could not be used.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadLine {
    /// The server reports an error, in these words.
    Error(String),
    /// It is nothing the backend knows; a line that was cut off looks like that, too.
    Unreadable(String),
}

/// A backend's part of the exchange.
pub(super) trait Dialect: Send + Sync + 'static {
    /// The engine's name in errors.
    const ENGINE: &'static str;
    /// The streaming request.
    fn request(&self, chat: &ChatRequest) -> RequestBuilder;
    /// What an answer other than success means.
    fn refusal(&self, status: StatusCode, body: &str) -> Refusal;
    /// What to do when nobody answers.
    fn reach_hint(&self) -> String;
    /// Reads one line of the answer.
    fn decode(&self, line: &str, told: &mut Told) -> Result<(), BadLine>;
    /// What the model has shown.
    fn learnt(&self) -> &Learnt;
    /// The longest reply where a request does not say.
    fn longest(&self) -> u32;
    /// Called once at the end of each reply nobody cancelled.
    fn ended(&self, outcome: Result<(), &EngineError>);

    fn failed(reason: impl Into<String>) -> EngineError {
        EngineError::Failed { engine: Self::ENGINE, reason: reason.into() }
    }

    /// What an error means that comes in place of a reply.
    fn told(&self, message: String) -> EngineError {
        if !learnt::is_too_long(&message) {
            return Self::failed(message);
        }
        if let Some(window) = learnt::named_window(&message) {
            self.learnt().has_window(window);
        }
        EngineError::ContextFull { engine: Self::ENGINE, reason: message }
    }

    fn unreachable(&self, reason: impl Into<String>) -> EngineError {
        EngineError::Unreachable { engine: Self::ENGINE, reason: reason.into(), hint: self.reach_hint() }
    }

    /// The typed error for a request that got no answer.
    fn no_answer(&self, error: reqwest::Error) -> Refusal {
        // The address may hold a password.
        let error = error.without_url();
        let again = !error.is_timeout();
        let error = match (error.is_connect(), error.is_timeout()) {
            (_, true) => self.unreachable("no connection in time"),
            (true, _) => self.unreachable(innermost(&error)),
            _ => Self::failed(innermost(&error)),
        };
        Refusal { error, again }
    }
}

/// An HTTP client for a chat server. Machines of one's own are reached directly, whatever proxy the environment names.
pub(super) fn client(base: &Url, patience: &Patience) -> Result<Client, ChatSettingsError> {
    let mut builder = Client::builder()
        .connect_timeout(patience.connect)
        .redirect(reqwest::redirect::Policy::none())
        .tcp_nodelay(true);
    let host = base.host_str().unwrap_or_default().trim_matches(['[', ']']);
    if host == "localhost" || host.parse::<std::net::IpAddr>().is_ok() {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| ChatSettingsError::Client(innermost(&error)))
}

/// Reads a base address; it ends in `/` so that paths can be joined to it.
pub(super) fn base_url(name: &'static str, text: &str) -> Result<Url, ChatSettingsError> {
    let invalid = || ChatSettingsError::Address { name };
    let mut url = Url::parse(text.trim()).map_err(|_| invalid())?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(invalid());
    }
    url.set_query(None);
    url.set_fragment(None);
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

/// Host and port only, for people: never a password.
pub(super) fn shown(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// Starts a reply; must be called within a tokio runtime. Dropping the stream ends the HTTP request.
pub(super) fn start<D: Dialect>(dialect: Arc<D>, patience: Patience, chat: ChatRequest) -> ChatStream {
    let (listener, stream) = mpsc::channel(STREAM_CAPACITY);
    let mut meter = ChatMeter::new(D::ENGINE);
    let replying = async move {
        tokio::select! {
            biased;
            // Dropping the reply's future drops the response and with it the connection.
            () = listener.closed() => {}
            outcome = reply(&*dialect, patience, &chat, &listener, &mut meter) => {
                meter.ended(&outcome);
                dialect.ended(outcome.as_ref().map(|_| ()));
                if let Err(error) = &outcome {
                    // In the server's own words, which may quote what was said.
                    tracing::debug!(engine = D::ENGINE, %error, "the chat server did not answer");
                }
                // A listener that has just left needs neither the error nor the end.
                let _ = listener.send(outcome).await;
            }
        }
    };
    tokio::spawn(replying.in_current_span());
    stream
}

type Listener = mpsc::Sender<Result<ChatDelta, EngineError>>;

/// The whole reply up to its end, which is returned; tried again as long as nothing of it has been sent.
async fn reply<D: Dialect>(
    d: &D,
    patience: Patience,
    chat: &ChatRequest,
    to: &Listener,
    meter: &mut ChatMeter,
) -> Result<ChatDelta, EngineError> {
    let longest = chat.max_tokens.unwrap_or_else(|| d.longest());
    let mut chat = Cow::Borrowed(chat);
    if let Some(fitted) = tokens::fitted(&chat, d.learnt().count(), longest) {
        tracing::info!(engine = D::ENGINE, "the oldest turns are left out: the model's context is full");
        chat = Cow::Owned(fitted);
    }
    let (mut pauses, mut shortened, mut silent) = (PAUSES.iter(), false, false);
    loop {
        let mut sent = Sent { to, any: false, text: false, called: false, meter: &mut *meter };
        let Refusal { error, again } = match attempt(d, patience, &chat, &mut sent).await {
            Ok(done) => {
                if let ChatDelta::Done { prompt_tokens: Some(tokens), .. } = done {
                    d.learnt().counted(tokens::prompt_tokens(&chat), tokens);
                }
                return Ok(done);
            }
            Err(refusal) => refusal,
        };
        if sent.any {
            return Err(error);
        }
        match error {
            EngineError::ContextFull { .. } if !std::mem::replace(&mut shortened, true) => {
                let Some(shorter) = tokens::shorter(&chat, d.learnt().count(), longest) else { return Err(error) };
                tracing::warn!(
                    engine = D::ENGINE,
                    "the conversation is too long for the model; its oldest turns are left out"
                );
                chat = Cow::Owned(shorter);
            }
            EngineError::Wordless { .. } if again && !std::mem::replace(&mut silent, true) => {
                tracing::info!(engine = D::ENGINE, "the chat model said nothing; it is asked once more");
            }
            EngineError::ContextFull { .. } | EngineError::Wordless { .. } => return Err(error),
            error => match pauses.next().filter(|_| again) {
                Some(pause) => {
                    tracing::info!(engine = D::ENGINE, error = error.for_log(), "trying the chat model again");
                    tokio::time::sleep(*pause).await;
                }
                None => return Err(error),
            },
        }
    }
}

async fn attempt<D: Dialect>(
    d: &D,
    patience: Patience,
    chat: &ChatRequest,
    sent: &mut Sent<'_>,
) -> Result<ChatDelta, Refusal> {
    let stalled = |waited: Duration| Refusal {
        error: EngineError::Stalled { engine: D::ENGINE, waited_ms: waited.as_millis() as u64 },
        again: false,
    };
    let first_by = Instant::now() + patience.first_token;
    let mut response = tokio::time::timeout_at(first_by, d.request(chat).send())
        .await
        .map_err(|_| stalled(patience.first_token))?
        .map_err(|error| d.no_answer(error))?;
    if !response.status().is_success() {
        let read = tokio::time::timeout_at(first_by, refused(d, response)).await;
        return Err(read.unwrap_or_else(|_| stalled(patience.first_token)));
    }
    let mut lines = Lines::default();
    let mut writing = Writing::new(d, chat);
    loop {
        let (by, patience) =
            if sent.any { (Instant::now() + patience.stall, patience.stall) } else { (first_by, patience.first_token) };
        let chunk = tokio::time::timeout_at(by, response.chunk()).await.map_err(|_| stalled(patience))?;
        let last = match chunk {
            Ok(Some(bytes)) => {
                lines.push(&bytes);
                false
            }
            Ok(None) => {
                lines.push(b"\n\n"); // closes a last line, and a last event, that nobody closed
                true
            }
            Err(error) => return Err(cut_off::<D>(&innermost(&error.without_url()))),
        };
        let too_long = |TooLong| Refusal { error: D::failed("a line of the answer is too long"), again: false };
        while let Some(line) = lines.next_line().map_err(too_long)? {
            writing.line(&line, last, sent).await?;
            if writing.told.done {
                break;
            }
        }
        if writing.told.done || last && writing.told.finished {
            return writing.finish(sent).await;
        }
        if last {
            return Err(closed::<D>());
        }
    }
}

/// What a refusal means; used for whatever a backend asks besides replies, too.
pub(super) async fn refused<D: Dialect>(d: &D, mut response: Response) -> Refusal {
    let status = response.status();
    let wait = response.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let mut body = Vec::new();
    while let Ok(Some(bytes)) = response.chunk().await
        && body.len() < LONGEST_REFUSAL
    {
        body.extend_from_slice(&bytes);
    }
    body.truncate(LONGEST_REFUSAL);
    match status {
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Refusal {
            error: EngineError::Overloaded { retry_after_ms: wait.map_or(BUSY_RETRY_MS, |s| s.saturating_mul(1000)) },
            again: wait.is_none(),
        },
        // What is too long for the context is no matter of the dialect, and no lack of the server's.
        _ => match d.refusal(status, &String::from_utf8_lossy(&body)) {
            Refusal { error: EngineError::Failed { reason, .. }, again } => Refusal { error: d.told(reason), again },
            refusal => refusal,
        },
    }
}

/// A whole body, read as JSON; `None` where it cannot be, or is longer than any such answer.
pub(super) async fn read_json<T: serde::de::DeserializeOwned>(mut response: Response) -> Option<T> {
    let mut body = Vec::new();
    while let Some(bytes) = response.chunk().await.ok()? {
        body.extend_from_slice(&bytes);
        if body.len() > LONGEST_DESCRIPTION {
            return None;
        }
    }
    serde_json::from_slice(&body).ok()
}

/// What a status without a meaning of its own says: the server's own words, shortened.
pub(super) fn plain_refusal<D: Dialect>(status: StatusCode, message: &str) -> Refusal {
    let message: String = message.trim().chars().take(300).collect();
    let reason = if message.is_empty() { format!("status {}", status.as_u16()) } else { message };
    Refusal { error: D::failed(reason), again: status.is_server_error() }
}

fn cut_off<D: Dialect>(how: &str) -> Refusal {
    Refusal { error: D::failed(format!("the reply was cut off: {how}")), again: true }
}

fn closed<D: Dialect>() -> Refusal {
    cut_off::<D>("the connection was closed")
}

/// The last cause in an error's chain: "connection refused" rather than "error sending request".
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    error.to_string()
}
