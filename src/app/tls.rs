//! Encryption of the server's own: the certificate of TLS_CERT and TLS_KEY, read again when its files change.

mod validity;

use std::{
    convert::Infallible,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use jiff::Timestamp;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        self, ServerConfig,
        crypto::{CryptoProvider, ring},
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        server::{ClientHello, ResolvesServerCert},
        sign::CertifiedKey,
    },
};

pub use self::validity::Left;
use super::config::Config;

/// How often the files are looked at; what renews certificates does so weeks before the old one ends.
const LOOK_EVERY: Duration = Duration::from_mins(1);
/// How often an end that is near is said again.
const WARN_EVERY: Duration = Duration::from_hours(24);

/// Makes ring what TLS is computed with in this process. Without a choice rustls would panic the day a dependency
/// brings a second provider.
pub fn use_ring() {
    // Chosen before: by an earlier call.
    let _ = ring::default_provider().install_default();
}

/// The certificate in use.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    certificate: Arc<Certificate>,
}

struct Certificate {
    chain: PathBuf,
    key: PathBuf,
    provider: Arc<CryptoProvider>,
    current: RwLock<Arc<CertifiedKey>>,
}

impl Tls {
    /// The encryption that the settings ask for; `None`: none.
    ///
    /// # Errors
    /// When a file cannot be read, or the key is not the certificate's; the text says what to do.
    pub fn of(config: &Config) -> Result<Option<Self>, String> {
        let clients = &config.settings.clients;
        if clients.tls_cert.is_empty() {
            return Ok(None);
        }
        let (chain, key) = (PathBuf::from(&clients.tls_cert), PathBuf::from(&clients.tls_key));
        let provider = Arc::new(ring::default_provider());
        let current = RwLock::new(Arc::new(load(&chain, &key, &provider)?));
        let certificate = Arc::new(Certificate { chain, key, provider: Arc::clone(&provider), current });
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS cannot be used: {error}"))?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&certificate) as Arc<dyn ResolvesServerCert>);
        server.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Some(Self { acceptor: TlsAcceptor::from(Arc::new(server)), certificate }))
    }

    pub fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }

    /// When the certificate in use ends; `None`: it does not say so in a way that is understood here.
    #[must_use]
    pub fn ends(&self) -> Option<Timestamp> {
        let current = self.certificate.current.read().unwrap_or_else(PoisonError::into_inner);
        current.end_entity_cert().ok().and_then(|der| validity::end_of(der))
    }

    /// How much of its time the certificate in use has left.
    #[must_use]
    pub fn left(&self) -> Option<Left> {
        self.ends().map(|end| Left::of(end, Timestamp::now()))
    }

    /// Looks at the files every minute, for ever, and says daily if the certificate in use is about to end.
    pub async fn follow(&self) -> Infallible {
        let mut seen = self.certificate.times();
        let mut warned: Option<tokio::time::Instant> = None;
        loop {
            if warned.is_none_or(|at| at.elapsed() >= WARN_EVERY) {
                self.warn();
                warned = Some(tokio::time::Instant::now());
            }
            tokio::time::sleep(LOOK_EVERY).await;
            let now = self.certificate.times();
            if now != seen {
                // Renewed half at this moment, it is refused now and taken when the other half is there.
                seen = now;
                self.reload();
            }
        }
    }

    fn warn(&self) {
        let file = self.certificate.chain.display();
        match self.left() {
            Some(Left::Nothing) => {
                tracing::error!(%file, "the certificate has ended, browsers refuse it; renew it, it is taken within a minute");
            }
            Some(left @ Left::Days(_)) => {
                tracing::warn!(%file, %left, "the certificate ends soon; renew it, it is taken within a minute");
            }
            Some(Left::Enough) | None => {}
        }
    }

    /// Takes what the files hold now. A bad one leaves the old one in use.
    fn reload(&self) {
        let Certificate { chain, key, provider, current } = &*self.certificate;
        match load(chain, key, provider) {
            Ok(new) => {
                *current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
                tracing::info!(file = %chain.display(), "a new certificate is in use");
            }
            Err(error) => tracing::error!(%error, "the new certificate cannot be used; the old one stays"),
        }
    }
}

impl Certificate {
    fn times(&self) -> [Option<SystemTime>; 2] {
        [&self.chain, &self.key].map(|path| fs::metadata(path).and_then(|about| about.modified()).ok())
    }
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Certificate").field("chain", &self.chain).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

fn load(chain: &Path, key: &Path, provider: &CryptoProvider) -> Result<CertifiedKey, String> {
    let unreadable = |setting: &str, path: &Path, error: &dyn std::fmt::Display| {
        format!(
            "{setting}: {} cannot be used: {error}\nhint: a PEM file; `aigolos dev-cert` makes some",
            path.display()
        )
    };
    let certificates = fs::read(chain)
        .and_then(|pem| CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>().map_err(invalid))
        .and_then(|found| if found.is_empty() { Err(invalid("there is no certificate in it")) } else { Ok(found) })
        .map_err(|error| unreadable("TLS_CERT", chain, &error))?;
    let secret = fs::read(key)
        .and_then(|pem| PrivateKeyDer::from_pem_slice(&pem).map_err(|_| invalid("there is no private key in it")))
        .map_err(|error| unreadable("TLS_KEY", key, &error))?;
    CertifiedKey::from_der(certificates, secret, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => {
            "TLS_KEY is not the key of the certificate in TLS_CERT\nhint: set both to files made together".to_owned()
        }
        error => unreadable("TLS_CERT", chain, &error),
    })
}

fn invalid(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use rcgen::{CertifiedKey as Made, generate_simple_self_signed};
    use tokio_rustls::{
        TlsConnector,
        rustls::{ClientConfig, RootCertStore, pki_types::ServerName},
    };

    use super::*;

    fn make() -> Made<rcgen::KeyPair> {
        generate_simple_self_signed(["localhost".to_owned()]).expect("a name")
    }

    fn put(folder: &Path, made: &Made<rcgen::KeyPair>, at: SystemTime) {
        for (name, text) in [("cert.pem", made.cert.pem()), ("key.pem", made.signing_key.serialize_pem())] {
            fs::write(folder.join(name), text).expect("written");
            let file = fs::File::options().append(true).open(folder.join(name)).expect("there");
            file.set_modified(at).expect("a time");
        }
    }

    fn open(folder: &Path) -> Result<Tls, String> {
        let file = |name| folder.join(name).into_os_string();
        let line: [OsString; 5] =
            ["aigolos".into(), "--tls-cert".into(), file("cert.pem"), "--tls-key".into(), file("key.pem")];
        let (_, config) = Config::parse(line).expect("valid");
        Tls::of(&config).map(|tls| tls.expect("it was asked for"))
    }

    /// Whether a client that trusts `made` alone can connect.
    async fn is_shown(tls: &Tls, made: &Made<rcgen::KeyPair>) -> bool {
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).expect("a certificate");
        let client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let (near, far) = tokio::io::duplex(64 * 1024);
        let name = ServerName::try_from("localhost").expect("a name");
        let (seen, _) =
            tokio::join!(TlsConnector::from(Arc::new(client)).connect(name, near), tls.acceptor().accept(far));
        seen.is_ok()
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewed_certificate_is_taken_and_a_bad_one_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let (first, second) = (make(), make());
        let then = SystemTime::now() - Duration::from_hours(1);
        put(folder.path(), &first, then);
        let tls = open(folder.path()).expect("files that belong together");
        assert!(is_shown(&tls, &first).await && tls.ends().is_some());
        // Time jumps to whatever is waited for.

        let renewing = tls.clone();
        let following = tokio::spawn(async move { renewing.follow().await });
        tokio::time::sleep(LOOK_EVERY / 2).await;
        put(folder.path(), &second, then + Duration::from_mins(1));
        fs::write(folder.path().join("key.pem"), "half a key").expect("written");
        tokio::time::sleep(LOOK_EVERY * 2).await;
        assert!(is_shown(&tls, &first).await, "the old one stays while the new one is bad");

        put(folder.path(), &second, then + Duration::from_mins(2));
        tokio::time::sleep(LOOK_EVERY * 2).await;
        assert!(is_shown(&tls, &second).await && !is_shown(&tls, &first).await);
        following.abort();
    }

    #[test]
    fn what_cannot_be_used_is_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = open(folder.path()).err().expect("nothing is there");
        assert!(error.contains("TLS_CERT") && error.contains("hint: "), "{error}");
        put(folder.path(), &make(), SystemTime::now());
        fs::write(folder.path().join("key.pem"), make().signing_key.serialize_pem()).expect("written");
        let error = open(folder.path()).err().expect("another's key");
        assert!(error.contains("TLS_KEY is not the key"), "{error}");
        fs::write(folder.path().join("key.pem"), "").expect("written");
        let error = open(folder.path()).err().expect("no key");
        assert!(error.contains("TLS_KEY: "), "{error}");
    }
}
