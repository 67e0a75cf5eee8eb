//! Settings become what the store, the accounts and the manners of requests take.

use std::{io, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use super::{
    config::Config,
    manners::{Hsts, Manners, RateCounter},
};
use crate::{
    account::{
        AccountSettings, Accounts, AuthMode, SecretKey, Signup,
        mail::{MailBackend, MailSettings, SmtpSettings},
    },
    engine::Engines,
    job::{JobSettings, Jobs, server_id},
    page::{ErrorPages, PageSettings},
    protocol::origin::Origins,
    store::{self, PostgresServer, Store, StoreSettings},
};

/// How long the database may take to be there when the server starts.
const STORE_WITHIN: Duration = Duration::from_secs(30);

/// Opens the store.
///
/// # Errors
/// The text says what to do.
pub async fn open_store(config: &Config) -> Result<Arc<dyn Store>, String> {
    store::open_when_there(&store_settings(config), STORE_WITHIN).await.map_err(|error| error.to_string())
}

/// Which store it is.
pub fn store_settings(config: &Config) -> StoreSettings {
    let keeping = &config.settings.keeping;
    let server = if !keeping.database_url.is_empty() {
        PostgresServer::Url(keeping.database_url.clone())
    } else if !keeping.postgres_db.is_empty() {
        PostgresServer::Parts {
            host: keeping.postgres_host.clone(),
            port: keeping.postgres_port,
            user: keeping.postgres_user.clone(),
            password: keeping.postgres_password.clone(),
            database: keeping.postgres_db.clone(),
        }
    } else {
        return StoreSettings::Sqlite { folder: config.settings.data_dir.clone() };
    };
    StoreSettings::Postgres { server, connections: keeping.database_connections }
}

/// The accounts in `store`; `address`: where the server listens, for links unless PUBLIC_URL says better.
///
/// # Errors
/// The text says what to do.
pub fn accounts(config: &Config, store: Arc<dyn Store>, address: SocketAddr) -> Result<Accounts, String> {
    let keeping = &config.settings.keeping;
    let public_url = if !keeping.public_url.is_empty() {
        keeping.public_url.trim_end_matches('/').to_owned()
    } else if address.ip().is_unspecified() {
        format!("{}://localhost:{}", config.scheme(), address.port())
    } else {
        format!("{}://{address}", config.scheme())
    };
    let settings = AccountSettings {
        mode: if keeping.auth_mode == "required" { AuthMode::Required } else { AuthMode::Open },
        signup: match keeping.signup.as_str() {
            "invitation" => Signup::Invitation,
            "closed" => Signup::Closed,
            _ => Signup::Open,
        },
        session: Duration::from_hours(24 * u64::from(keeping.session_days)),
        secure_cookies: match keeping.cookie_secure.as_str() {
            "auto" => config.scheme() == "https" || public_url.starts_with("https://"),
            secure => secure == "true",
        },
        public_url,
        ..AccountSettings::default()
    };
    let key = SecretKey::load(&keeping.secret_key, &config.settings.data_dir)?;
    Accounts::new(store, settings, key, &mail_settings(config)?)
}

fn mail_settings(config: &Config) -> Result<MailSettings, String> {
    let keeping = &config.settings.keeping;
    let path = &keeping.email_ca_file;
    let trusted = if path.is_empty() {
        None
    } else {
        Some(std::fs::read(path).map_err(|error| format!("EMAIL_CA_FILE: {path} cannot be read: {error}"))?)
    };
    let backend = match keeping.email_backend.as_str() {
        "smtp" => MailBackend::Smtp(SmtpSettings {
            host: keeping.email_host.clone(),
            port: keeping.email_port,
            tls: keeping.email_use_tls,
            user: keeping.email_host_user.clone(),
            password: keeping.email_host_password.clone(),
            trusted,
        }),
        "file" => MailBackend::File(config.settings.data_dir.join("mail")),
        _ => MailBackend::Console,
    };
    Ok(MailSettings { backend, from: keeping.email_from.clone() })
}

/// The jobs, with what was left undone; the folder is in DATA_DIR.
///
/// # Errors
/// When the folder cannot be written to.
pub fn jobs(config: &Config, store: Arc<dyn Store>, engines: Engines) -> io::Result<Jobs> {
    let (settings, keeping) = (&config.settings, &config.settings.keeping);
    let settings = JobSettings {
        folder: settings.data_dir.join("uploads"),
        server: server_id(&settings.data_dir)?,
        max_bytes: u64::from(keeping.max_upload_mb) << 20,
        longest: Duration::from_mins(keeping.max_audio_minutes.into()),
        workers: keeping.job_workers as usize,
        max_jobs: keeping.max_jobs as usize,
    };
    Jobs::start(store, engines, settings)
}

/// Whose pages may use the server.
pub fn origins(config: &Config) -> Origins {
    let settings = &config.settings;
    let own = &settings.keeping.public_url;
    Origins { own: (!own.is_empty()).then(|| own.clone()), allowed: settings.cors_allowed_origins.clone() }
}

/// What the pages say about the server.
pub fn pages(config: &Config) -> PageSettings {
    let keeping = &config.settings.keeping;
    PageSettings {
        auth_required: keeping.auth_mode == "required",
        signup: keeping.signup.clone(),
        max_upload_mb: keeping.max_upload_mb,
        max_text_chars: keeping.max_text_chars,
        authority: authority(config),
        ..PageSettings::default()
    }
}

/// The authority of `aigolos dev-cert`, where the certificate in use is one of its: what clients have to trust. It is no
/// secret, and its key was thrown away.
fn authority(config: &Config) -> Option<String> {
    let chain = Path::new(&config.settings.clients.tls_cert);
    let own = chain.file_name()? == "cert.pem";
    let pem = own.then(|| std::fs::read_to_string(chain.with_file_name("ca.pem")).ok()).flatten()?;
    // Somebody's own folder may hold anything under that name.
    (pem.trim_start().starts_with("-----BEGIN CERTIFICATE-----") && !pem.contains("PRIVATE KEY")).then_some(pem)
}

/// How requests are treated.
///
/// # Errors
/// The text names the setting.
pub fn manners(config: &Config) -> Result<Manners, String> {
    let keeping = &config.settings.keeping;
    let counter =
        if keeping.redis_url.is_empty() { RateCounter::own() } else { RateCounter::shared(&keeping.redis_url)? };
    let proxies: Result<Vec<_>, String> = keeping
        .trusted_proxies
        .iter()
        .map(|text| {
            text.parse().map_err(|_| format!("TRUSTED_PROXIES: not an address: {text}\nhint: 10.0.0.1,10.0.0.2"))
        })
        .collect();
    Ok(Manners {
        counter: Arc::new(counter),
        limit: keeping.rate_limit,
        limit_auth: keeping.rate_limit_auth,
        timeout: Duration::from_secs(keeping.request_timeout),
        proxies: proxies?.into(),
        hsts: Hsts { seconds: config.settings.operating.hsts_seconds, own_tls: config.scheme() == "https" },
        origins: config.settings.cors_allowed_origins.clone(),
        pages: ErrorPages::new(pages(config)),
    })
}
