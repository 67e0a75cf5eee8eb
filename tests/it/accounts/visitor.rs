//! A browser that keeps its cookie, and the mails that come.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use reqwest::{Method, StatusCode, header::HeaderMap};
use serde_json::{Value, json};

use crate::{
    harness::{PATIENCE, TestServer},
    postgres::postgres,
};

pub const PASSWORD: &str = "four words nobody expects";

/// Where the server of a test keeps what it knows.
#[derive(Debug, Clone, Copy)]
pub enum Database {
    Sqlite,
    Postgresql,
}

impl Database {
    /// The flags that choose an empty one.
    pub fn flags(self) -> Vec<String> {
        match self {
            Self::Sqlite => Vec::new(),
            Self::Postgresql => vec!["--database-url".into(), postgres().fresh_database()],
        }
    }
}

/// Tells each story twice: to a server with SQLite, and to one with PostgreSQL.
macro_rules! on_both_databases {
    ($($story:ident)*) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $story() {
                super::$story(crate::accounts::visitor::Database::Sqlite).await;
            })*
        }
        mod postgresql {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $story() {
                super::$story(crate::accounts::visitor::Database::Postgresql).await;
            })*
        }
    };
}
pub(super) use on_both_databases;

/// A server with accounts whose mails go to files.
pub async fn server(flags: &[&str]) -> TestServer {
    let usual = ["--auth-mode", "required", "--email-backend", "file", "--rate-limit-auth", "0", "--rate-limit", "0"];
    let usual = usual.chunks(2).filter(|pair| !flags.contains(&pair[0])).flatten().copied();
    let flags: Vec<&str> = usual.chain(flags.iter().copied()).collect();
    TestServer::start(&flags).await
}

/// The same on a database of one's choice.
pub async fn server_on(database: Database, flags: &[&str]) -> TestServer {
    let chosen = database.flags();
    let flags: Vec<&str> = flags.iter().copied().chain(chosen.iter().map(String::as_str)).collect();
    server(&flags).await
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

impl Answer {
    pub async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.timeout(PATIENCE).send().await.expect("the server answers");
        let (status, headers) = (response.status(), response.headers().clone());
        let text = response.text().await.expect("a body");
        Self { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::Null) }
    }

    /// The status and, of a failure, its code.
    pub fn said(&self) -> (u16, &str) {
        (self.status.as_u16(), self.body["code"].as_str().unwrap_or_default())
    }

    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{:#}", self.body);
        self
    }
}

/// Somebody at a browser.
#[derive(Clone)]
pub struct Browser {
    http: reqwest::Client,
    base: String,
    /// `name=value`, as it is sent back.
    pub cookie: Option<String>,
}

impl Browser {
    pub fn at(server: &TestServer) -> Self {
        Self::through(reqwest::Client::new(), server.url(""))
    }

    /// At a server that is reached in another way: `base` is its address without a slash at the end.
    pub fn through(http: reqwest::Client, base: String) -> Self {
        Self { http, base, cookie: None }
    }

    /// At a server that is not of this process.
    pub fn of(base: String) -> Self {
        Self::through(reqwest::Client::new(), base)
    }

    /// A request with the cookie and nothing that says where it comes from.
    pub fn bare(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base)).header("user-agent", "test browser");
        match &self.cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        }
    }

    /// A request of one of the server's own pages; the cookie that comes back is kept.
    pub async fn ask(&mut self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let request = self.bare(method, path).header("origin", self.base.clone());
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        let answer = Answer::of(request).await;
        if let Some(set) = answer.headers.get("set-cookie").and_then(|set| set.to_str().ok()) {
            let pair = set.split(';').next().unwrap_or_default();
            self.cookie = (!pair.ends_with('=')).then(|| pair.to_owned());
        }
        answer
    }

    pub async fn get(&mut self, path: &str) -> Answer {
        self.ask(Method::GET, path, None).await
    }

    pub async fn post(&mut self, path: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, Some(body)).await
    }

    pub async fn delete(&mut self, path: &str) -> Answer {
        self.ask(Method::DELETE, path, None).await
    }

    pub async fn log_in(&mut self, email: &str, password: &str) -> Answer {
        self.post("/api/auth/login", json!({"email": email, "password": password})).await
    }

    /// Signs up, confirms by the mailed link, and is logged in.
    pub async fn join(server: &TestServer, mailbox: &mut Mailbox, email: &str) -> Self {
        let mut browser = Self::at(server);
        let wish = json!({"email": email, "password": PASSWORD});
        browser.post("/api/auth/signup", wish).await.expect(202);
        let token = mailbox.to(email).await.token();
        browser.post("/api/auth/verify", json!({"token": token})).await.expect(200);
        browser
    }

    /// Who the server thinks it is.
    pub async fn email(&mut self) -> Option<String> {
        self.get("/api/auth/me").await.expect(200).body["user"]["email"].as_str().map(str::to_owned)
    }
}

/// A program with a key.
pub async fn with_key(server: &TestServer, key: &str, method: Method, path: &str) -> Answer {
    Answer::of(Browser::at(server).bare(method, path).bearer_auth(key)).await
}

/// A mail that came.
#[derive(Debug)]
pub struct Mail {
    pub to: String,
    /// Of the form of plain text.
    pub text: String,
}

impl Mail {
    /// Reads a message as it stands in a file.
    pub fn parse(message: &str) -> Self {
        let line = |name: &str| message.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        let part = message.split("Content-Type: text/plain").nth(1).expect("a part of plain text");
        let (head, rest) = part.split_once("\r\n\r\n").expect("a part has a head");
        let body = rest.split("\r\n--").next().unwrap_or_default();
        let text = if head.contains("base64") {
            let packed: String = body.split_whitespace().collect();
            let bytes = data_encoding::BASE64.decode(packed.as_bytes()).expect("base64");
            String::from_utf8(bytes).expect("UTF-8")
        } else if head.contains("quoted-printable") {
            body.replace("=\r\n", "").replace("=3D", "=")
        } else {
            body.to_owned()
        };
        Self { to: line("To: ").trim().to_owned(), text }
    }

    /// The first link.
    pub fn link(&self) -> &str {
        self.text.split_whitespace().find(|word| word.starts_with("http")).expect("a mail has a link")
    }

    /// The token in its link.
    pub fn token(&self) -> String {
        self.link().split_once('=').expect("the link has a token").1.to_owned()
    }
}

/// The folder mails are written to.
pub struct Mailbox {
    folder: PathBuf,
    seen: HashSet<PathBuf>,
}

impl Mailbox {
    pub fn of(server: &TestServer) -> Self {
        Self::in_folder(server.folder())
    }

    /// Of the servers that keep their things in `folder`.
    pub fn in_folder(folder: &Path) -> Self {
        Self { folder: folder.join("mail"), seen: HashSet::new() }
    }

    /// The next mail that was not seen yet, for `email`.
    pub async fn to(&mut self, email: &str) -> Mail {
        let until = Instant::now() + PATIENCE;
        loop {
            for path in files(&self.folder) {
                if self.seen.contains(&path) {
                    continue;
                }
                let mail = Mail::parse(&std::fs::read_to_string(&path).expect("mails are whole when they are named"));
                if mail.to == email {
                    self.seen.insert(path);
                    return mail;
                }
            }
            assert!(Instant::now() < until, "no mail for {email}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// How many there are in all.
    pub fn count(&self) -> usize {
        files(&self.folder).len()
    }
}

/// By name, which sorts by time.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "eml"));
    files.sort();
    files
}
