//! The proxy of the compose file's profile `tls`, the real one: what people reach through it, and what the server believes.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Instant,
};

use aigolos::app::use_ring;
use reqwest::{Certificate, Client, StatusCode, redirect::Policy};
use serde_json::json;
use tempfile::TempDir;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

use crate::{
    accounts::visitor::{Browser, Mailbox, PASSWORD},
    harness::{self, PATIENCE, TestServer, recording},
};

/// Where people come from: not the address that Caddy itself has.
const PEOPLE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// Caddy with the configuration that is shipped, in front of a server; ended when dropped.
struct Caddy {
    process: Child,
    /// The port for HTTPS.
    port: u16,
    /// And for those who forget it.
    plain: u16,
    authority: Vec<u8>,
    folder: TempDir,
}

impl Caddy {
    /// `ports`: for HTTPS and for HTTP.
    async fn start(server: SocketAddr, ports: [u16; 2]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let log = std::fs::File::create(folder.path().join("log")).expect("a file");
        let process = Command::new(program())
            .args(["run", "--adapter", "caddyfile", "--config"])
            .arg(root.join("deploy/caddy/Caddyfile"))
            .env("DOMAIN", "localhost")
            .env("UPSTREAM", server.to_string())
            .env("CADDY_HTTPS_PORT", ports[0].to_string())
            .env("CADDY_HTTP_PORT", ports[1].to_string())
            .env("CADDY_ADMIN", format!("unix/{}", folder.path().join("admin").display()))
            .env("HOME", folder.path())
            .env("XDG_DATA_HOME", folder.path())
            .env("XDG_CONFIG_HOME", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("scripts/deps.sh test fetches caddy");
        let mut caddy = Self { process, port: ports[0], plain: ports[1], authority: Vec::new(), folder };
        let file = caddy.folder.path().join("caddy/pki/authorities/local/root.crt");
        let until = Instant::now() + PATIENCE;
        loop {
            caddy.authority = std::fs::read(&file).unwrap_or_default();
            if !caddy.authority.is_empty() && caddy.client(None).get(caddy.url("/api/health/live")).send().await.is_ok()
            {
                return caddy;
            }
            let log = || std::fs::read_to_string(caddy.folder.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < until, "caddy does not answer: {}", log());
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.port)
    }

    /// Somebody who trusts Caddy's own authority, and comes from `address`.
    fn client(&self, address: Option<IpAddr>) -> Client {
        let mut builder = Client::builder().timeout(PATIENCE).redirect(Policy::none()).local_address(address);
        if let Ok(authority) = Certificate::from_pem(&self.authority) {
            builder = builder.add_root_certificate(authority);
        }
        builder.resolve("localhost", SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))).build().expect("a client")
    }

    /// A plain port whose one connection goes to Caddy encrypted, for a client that does not encrypt.
    async fn tunnel(&self) -> SocketAddr {
        use_ring();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&self.authority).expect("PEM")).expect("a certificate");
        let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        let port = self.port;
        tokio::spawn(async move {
            let (mut near, _) = listener.accept().await.expect("somebody comes");
            let far = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.expect("caddy listens");
            let name = ServerName::try_from("localhost").expect("a name");
            let mut far = TlsConnector::from(Arc::new(config)).connect(name, far).await.expect("it is trusted");
            let _ = copy_bidirectional(&mut near, &mut far).await;
        });
        address
    }
}

impl Drop for Caddy {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Installed, or unpacked beside the sources by scripts/deps.sh.
fn program() -> PathBuf {
    let unpacked = Path::new(env!("CARGO_MANIFEST_DIR")).join(".cache/unpacked/usr/bin/caddy");
    if unpacked.exists() { unpacked } else { "caddy".into() }
}

/// Ports that were free a moment ago.
async fn free_ports() -> [u16; 2] {
    let one = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let other = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    [&one, &other].map(|listener| listener.local_addr().expect("bound").port())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_pages_and_log_ins_work_through_caddy() {
    let ports = free_ports().await;
    let base = format!("https://localhost:{}", ports[0]);
    let flags = ["--auth-mode", "required", "--email-backend", "file", "--public-url", &base];
    let server =
        TestServer::start(&[&flags[..], &["--trusted-proxies", "127.0.0.1", "--hsts-seconds", "3600"]].concat()).await;
    let caddy = Caddy::start(server.address, ports).await;
    let people = caddy.client(Some(PEOPLE));

    // Pages, and that browsers shall come by HTTPS from now on; who comes to the server itself is not told so.
    let page = people.get(caddy.url("/login/")).send().await.expect("an answer");
    assert_eq!(page.status(), StatusCode::OK);
    assert_eq!(page.headers()["strict-transport-security"], "max-age=3600");
    assert!(page.text().await.expect("text").contains("<html"));
    let plain = people.get(format!("http://localhost:{}/login/", caddy.plain)).send().await.expect("an answer");
    assert_eq!(plain.status(), StatusCode::PERMANENT_REDIRECT);
    // Caddy takes its HTTPS port for one that is published as 443.
    assert_eq!(plain.headers()["location"], "https://localhost/login/");
    let direct = Client::new().get(server.url("/login/")).send().await.expect("an answer");
    assert!(direct.status() == StatusCode::OK && !direct.headers().contains_key("strict-transport-security"));

    // Cookies are for HTTPS alone.
    let mut mailbox = Mailbox::of(&server);
    let mut ann = Browser::through(people, base);
    ann.post("/api/auth/signup", json!({"email": "ann@example.org", "password": PASSWORD})).await.expect(202);
    let mail = mailbox.to("ann@example.org").await;
    assert!(mail.link().starts_with(&caddy.url("/verify/")), "{}", mail.link());
    let entered = ann.post("/api/auth/verify", json!({"token": mail.token()})).await.expect(200);
    let cookie = entered.headers["set-cookie"].to_str().expect("ASCII").to_owned();
    assert!(cookie.contains("; Secure") && cookie.contains("; HttpOnly"), "{cookie}");

    // Caddy says where they come from; what they say themselves is not believed.
    let forged = ann.bare(reqwest::Method::POST, "/api/auth/login").header("x-forwarded-for", "203.0.113.9");
    let forged =
        forged.header("origin", caddy.url("")).json(&json!({"email": "ann@example.org", "password": PASSWORD}));
    assert_eq!(forged.send().await.expect("an answer").status(), StatusCode::OK);
    ann.log_in("ann@example.org", PASSWORD).await.expect(200);
    let log_ins = ann.get("/api/auth/sessions").await.expect(200).body;
    let told: Vec<_> = log_ins["sessions"].as_array().expect("a list").iter().map(|entry| &entry["address"]).collect();
    assert!(!told.is_empty() && told.iter().all(|address| *address == &json!(PEOPLE.to_string())), "{log_ins}");

    // Speech in, words and speech out.
    let headers = [("host", format!("localhost:{}", caddy.port)), ("cookie", ann.cookie.clone().expect("logged in"))];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    let mut client = harness::Client::connect_with(caddy.tunnel().await, &headers).await;
    client.send(json!({"type": "session.start"})).await;
    client.event("session.ready").await;
    client.speak_until(&recording("what time is it"), "reply.done").await;
    assert_eq!(client.of_kind("transcript.final")[0]["text"], "What time is it?");
    assert!(!client.sound(1).is_empty(), "the answer is heard");
    drop(client);
    server.stop().await;
}
