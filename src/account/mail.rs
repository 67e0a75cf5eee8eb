//! Mail: a [`Letter`] becomes a message in the reader's language and goes out by one of three ways.

mod letter;
mod way;

use std::{path::PathBuf, sync::Arc, time::Duration};

use lettre::{
    Message,
    message::{
        Mailbox, MultiPart,
        header::{HeaderName, HeaderValue},
    },
};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub use self::letter::{Letter, Occasion};
use self::way::Way;

/// Mails on their way at once; more wait.
const AT_ONCE: usize = 4;
/// Pauses before it is tried again; after the last one the mail is given up.
const PAUSES: [Duration; 4] =
    [Duration::from_secs(1), Duration::from_secs(5), Duration::from_secs(30), Duration::from_mins(2)];

/// How mail goes out.
#[derive(Debug, Clone, Default)]
pub struct MailSettings {
    pub backend: MailBackend,
    /// The sender: `aigolos <aigolos@example.org>`.
    pub from: String,
}

/// Where mail goes.
#[derive(Debug, Clone, Default)]
pub enum MailBackend {
    /// To a mail server.
    Smtp(SmtpSettings),
    /// To the terminal (standard error), for trying things out.
    #[default]
    Console,
    /// Into this folder, one `.eml` file each.
    File(PathBuf),
}

/// A mail server.
#[derive(Clone)]
pub struct SmtpSettings {
    pub host: String,
    pub port: u16,
    /// STARTTLS, or TLS from the start on port 465.
    pub tls: bool,
    /// Empty: no log-in.
    pub user: String,
    pub password: String,
    /// A certificate (PEM) to trust besides the usual ones.
    pub trusted: Option<Vec<u8>>,
}

impl std::fmt::Debug for SmtpSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SmtpSettings")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

/// Sends letters.
pub struct Mailer {
    way: Way,
    from: Mailbox,
    at_once: Arc<Semaphore>,
}

impl Mailer {
    /// # Errors
    /// When the settings cannot be used; the text says what to do.
    pub fn new(settings: &MailSettings) -> Result<Self, String> {
        let from = if settings.from.is_empty() { "aigolos <aigolos@localhost>" } else { &settings.from };
        let from = from
            .parse()
            .map_err(|error| format!("EMAIL_FROM is not an address: {error}\nhint: aigolos <voice@example.org>"))?;
        Ok(Self { way: Way::new(&settings.backend)?, from, at_once: Arc::new(Semaphore::new(AT_ONCE)) })
    }

    /// Sends a letter, a few times if need be; what cannot be sent is logged. Once `stopping`, it is not tried again.
    pub async fn deliver(&self, letter: &Letter, stopping: &CancellationToken) {
        let message = match self.message(letter) {
            Ok(message) => message,
            Err(error) => {
                tracing::error!(%error, kind = letter.occasion.name(), "a mail could not be written");
                return;
            }
        };
        let kind = letter.occasion.name();
        for pause in PAUSES.into_iter().map(Some).chain([None]) {
            let sent = {
                // The semaphore is never closed.
                let _turn = self.at_once.acquire().await;
                self.way.send(&message, letter).await
            };
            match (sent, pause) {
                (Ok(()), _) => return tracing::debug!(kind, "mail sent"),
                (Err(failed), Some(pause)) if failed.passing && !stopping.is_cancelled() => {
                    tracing::warn!(
                        error = failed.text,
                        kind,
                        retry_ms = pause.as_millis() as u64,
                        "a mail could not be sent yet"
                    );
                    tokio::select! {
                        () = tokio::time::sleep(pause) => {}
                        () = stopping.cancelled() => {}
                    }
                }
                (Err(failed), _) => return tracing::error!(error = failed.text, kind, "a mail could not be sent"),
            }
        }
    }

    fn message(&self, letter: &Letter) -> Result<Message, Box<dyn std::error::Error + Send + Sync>> {
        let words = letter.words();
        let automatic = HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".into());
        Ok(Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, letter.to.parse()?))
            .subject(words.subject)
            .message_id(None)
            .date_now()
            .raw_header(automatic)
            .multipart(MultiPart::alternative_plain_html(words.text()?, words.html()?))?)
    }
}
