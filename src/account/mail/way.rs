//! The three ways a mail goes out.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, Tls, TlsParameters},
    },
};
use tokio::io::AsyncWriteExt as _;

use super::{Letter, MailBackend, SmtpSettings};

/// How long one step of talking to a mail server may take.
const SMTP_WITHIN: Duration = Duration::from_secs(30);
/// Where mail is encrypted from the start.
const SUBMISSIONS: u16 = 465;

pub enum Way {
    Smtp(Box<AsyncSmtpTransport<Tokio1Executor>>),
    Console,
    File(PathBuf),
}

/// A mail did not get out.
pub struct Failed {
    pub text: String,
    /// It may work later.
    pub passing: bool,
}

impl Way {
    pub fn new(backend: &MailBackend) -> Result<Self, String> {
        Ok(match backend {
            MailBackend::Smtp(settings) => Self::Smtp(Box::new(smtp(settings)?)),
            MailBackend::Console => Self::Console,
            MailBackend::File(folder) => Self::File(folder.clone()),
        })
    }

    pub async fn send(&self, message: &Message, letter: &Letter) -> Result<(), Failed> {
        match self {
            // A server's refusal names addresses at times, so the log gets its kind and code only.
            Self::Smtp(transport) => transport.send(message.clone()).await.map(drop).map_err(|error| {
                let code = error.status().map_or_else(String::new, |code| format!(" ({code})"));
                let text = match () {
                    () if error.is_timeout() => "the mail server does not answer".to_owned(),
                    () if error.is_tls() => format!("no encryption with the mail server: {error}"),
                    () if error.is_response() || error.is_permanent() || error.is_transient() => {
                        format!("the mail server refused it{code}")
                    }
                    () => format!("the mail server cannot be talked to: {error}"),
                };
                Failed { text, passing: !error.is_permanent() }
            }),
            Self::Console => {
                let words = letter.words();
                let text = words.text().unwrap_or_default();
                eprintln!("--- mail to {}: {}\n{text}\n---", letter.to, words.subject);
                Ok(())
            }
            Self::File(folder) => write(folder, &message.formatted()).await.map_err(|error| Failed {
                text: format!("{} cannot be written to: {error}", folder.display()),
                passing: true,
            }),
        }
    }
}

fn smtp(settings: &SmtpSettings) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    let tls = if settings.tls {
        let mut parameters = TlsParameters::builder(settings.host.clone());
        if let Some(pem) = &settings.trusted {
            let certificate =
                Certificate::from_pem(pem).map_err(|error| format!("the mail server's certificate: {error}"))?;
            parameters = parameters.add_root_certificate(certificate);
        }
        let parameters = parameters.build().map_err(|error| format!("EMAIL_HOST cannot be used with TLS: {error}"))?;
        if settings.port == SUBMISSIONS { Tls::Wrapper(parameters) } else { Tls::Required(parameters) }
    } else {
        Tls::None
    };
    let mut transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host)
        .port(settings.port)
        .tls(tls)
        .timeout(Some(SMTP_WITHIN));
    if !settings.user.is_empty() {
        transport = transport.credentials(Credentials::new(settings.user.clone(), settings.password.clone()));
    }
    Ok(transport.build())
}

/// Writes one file, whole or not at all. Only the server's user may read it: it may hold a link that opens an account.
async fn write(folder: &Path, message: &[u8]) -> std::io::Result<()> {
    tokio::fs::create_dir_all(folder).await?;
    let name = uuid::Uuid::now_v7().to_string();
    let draft = folder.join(format!(".{name}.tmp"));
    let mut file = tokio::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft).await?;
    file.write_all(message).await?;
    file.sync_all().await?;
    tokio::fs::rename(&draft, folder.join(format!("{name}.eml"))).await
}
