//! Administrators and the operator.

use std::process::{Command, Output, Stdio};

use reqwest::Method;
use serde_json::json;
use tokio_tungstenite::{connect_async, tungstenite::client::IntoClientRequest as _};

use super::visitor::{Browser, Database, Mailbox, PASSWORD, on_both_databases, server, with_key};
use crate::harness::{Client, TestServer};

const ROOT: &str = "root@example.org";

on_both_databases! {
    administrators_see_and_stop_people
    invited_people_come_in
    the_operator_manages_people_from_the_terminal
}

/// A server, and how `aigolos user` finds what it knows.
struct Site {
    server: TestServer,
    database: Vec<String>,
}

impl Site {
    async fn on(database: Database, flags: &[&str]) -> Self {
        let database = database.flags();
        let flags: Vec<&str> = flags.iter().copied().chain(database.iter().map(String::as_str)).collect();
        Self { server: server(&flags).await, database: database.clone() }
    }
}

/// `aigolos user` beside a running server.
fn user(site: &Site, arguments: &[&str], input: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_aigolos"));
    command.args(["user", "--data-dir"]).arg(site.server.folder()).args(&site.database).args(arguments);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("piped");
    std::io::Write::write_all(&mut stdin, input.unwrap_or_default().as_bytes()).expect("it reads");
    drop(stdin);
    child.wait_with_output().expect("it ends")
}

fn text(output: &[u8]) -> String {
    String::from_utf8_lossy(output).into_owned()
}

/// A live conversation of somebody who is logged in.
async fn talking(server: &TestServer, browser: &Browser) -> Client {
    let mut request = format!("ws://{}/ws", server.address).into_client_request().expect("an address");
    let cookie = browser.cookie.as_deref().expect("logged in").parse().expect("ASCII");
    request.headers_mut().insert("cookie", cookie);
    let (socket, _) = connect_async(request).await.expect("the server accepts");
    let mut client = Client { socket, log: Vec::new() };
    client.send(json!({"type": "session.start"})).await;
    client.event("session.ready").await;
    client
}

/// An administrator made by the operator, logged in.
async fn root(site: &Site) -> Browser {
    let added = user(site, &["add", ROOT, "--admin", "--password-stdin"], Some(PASSWORD));
    assert!(added.status.success(), "{}", text(&added.stderr));
    let mut root = Browser::at(&site.server);
    root.log_in(ROOT, PASSWORD).await.expect(200);
    root
}

async fn administrators_see_and_stop_people(database: Database) {
    let site = Site::on(database, &[]).await;
    let server = &site.server;
    let mut mailbox = Mailbox::of(server);
    let mut root = root(&site).await;
    let mut ann = Browser::join(server, &mut mailbox, "ann@example.org").await;
    assert_eq!(ann.get("/api/admin/users").await.said(), (403, "forbidden"));
    assert_eq!(Browser::at(server).get("/api/admin/users").await.said(), (401, "unauthorized"));
    let made = ann.post("/api/keys/", json!({"name": "x", "scopes": ["asr"]})).await.expect(201).body;
    let secret = made["secret"].as_str().expect("a secret");

    let users = root.get("/api/admin/users").await.expect(200).body["users"].clone();
    let emails: Vec<_> = users.as_array().expect("a list").iter().map(|user| user["email"].clone()).collect();
    assert_eq!(emails, ["ann@example.org", ROOT]);
    let after = root.get("/api/admin/users?after=ann@example.org").await.expect(200).body["users"].clone();
    assert_eq!((&after[0]["email"], after.as_array().map(Vec::len)), (&json!(ROOT), Some(1)));
    assert_eq!(root.get("/api/admin/users?q=%00").await.expect(200).body["users"], json!([]));
    let id = |at: usize| format!("/api/admin/users/{}", users[at]["id"].as_str().expect("an id"));

    let mut talk = talking(server, &ann).await;
    // Disabled: out at once, cookie, key, password and live conversation alike; enabled: in again.
    let disabled = root.ask(Method::PATCH, &id(0), Some(json!({"disabled": true}))).await.expect(200);
    assert_eq!(disabled.body["user"]["disabled"], true);
    assert_eq!(talk.closed().await, Some(4003));
    assert_eq!(ann.email().await, None);
    assert_eq!(with_key(server, secret, Method::GET, "/api/auth/me").await.said(), (401, "unauthorized"));
    assert_eq!(ann.log_in("ann@example.org", PASSWORD).await.said(), (403, "forbidden"));
    assert_eq!(ann.log_in("ann@example.org", "not her password").await.said(), (401, "wrong_credentials"));
    let mails = mailbox.count();
    ann.post("/api/auth/password/forgot", json!({"email": "ann@example.org"})).await.expect(202);
    root.ask(Method::PATCH, &id(0), Some(json!({"disabled": false}))).await.expect(200);
    ann.log_in("ann@example.org", PASSWORD).await.expect(200);
    with_key(server, secret, Method::GET, "/api/auth/me").await.expect(200);
    assert_eq!(mailbox.count(), mails, "who is disabled gets no new password");

    // Rights given and taken; nobody takes their own.
    root.ask(Method::PATCH, &id(0), Some(json!({"admin": true}))).await.expect(200);
    ann.get("/api/admin/users").await.expect(200);
    let made = ann.post("/api/keys/", json!({"name": "x", "scopes": ["admin"]})).await.expect(201).body;
    let admin = made["secret"].as_str().expect("a secret");
    with_key(server, admin, Method::GET, "/api/admin/users").await.expect(200);
    root.ask(Method::PATCH, &id(0), Some(json!({"admin": false}))).await.expect(200);
    assert_eq!(with_key(server, admin, Method::GET, "/api/admin/users").await.said(), (403, "forbidden"));
    assert_eq!(root.ask(Method::PATCH, &id(1), Some(json!({"admin": false}))).await.said(), (409, "conflict"));
    assert_eq!(root.delete(&id(1)).await.said(), (409, "conflict"));

    root.delete(&id(0)).await.expect(204);
    assert_eq!(root.delete(&id(0)).await.said(), (404, "not_found"));
    assert_eq!(ann.email().await, None);
    let local = "/api/admin/users/00000000-0000-0000-0000-000000000000";
    assert_eq!(root.delete(local).await.said(), (404, "not_found"), "the server's own is nobody");
}

async fn invited_people_come_in(database: Database) {
    let site = Site::on(database, &["--signup", "invitation"]).await;
    let server = &site.server;
    let mut mailbox = Mailbox::of(server);
    let mut root = root(&site).await;
    let invite = json!({"email": "Eve@example.org", "admin": true, "language": "ru"});
    root.post("/api/admin/users", invite.clone()).await.expect(202);
    let first = mailbox.to("eve@example.org").await;
    assert!(first.text.contains("приглашает") && first.link().contains("/signup/?invitation="), "{first:?}");
    root.post("/api/admin/users", invite.clone()).await.expect(202);
    let second = mailbox.to("eve@example.org").await.token();
    let mut eve = Browser::at(server);
    let wish = |email: &str, token: &str| json!({"email": email, "password": PASSWORD, "invitation": token});
    for (email, token) in
        [("eve@example.org", first.token().as_str()), ("other@example.org", &second), ("eve@example.org", "nonsense")]
    {
        assert_eq!(eve.post("/api/auth/signup", wish(email, token)).await.said(), (422, "invalid_field"), "{email}");
    }
    let welcome = eve.post("/api/auth/signup", wish("eve@example.org", &second)).await.expect(202);
    assert_eq!(welcome.body, json!({"status": "ready"}));
    assert_eq!(eve.post("/api/auth/signup", wish("eve@example.org", &second)).await.said(), (422, "invalid_field"));
    let user = eve.log_in("eve@example.org", PASSWORD).await.expect(200).body;
    assert_eq!((&user["user"]["admin"], &user["user"]["language"]), (&json!(true), &json!("ru")));
    assert_eq!(root.post("/api/admin/users", invite).await.said(), (409, "conflict"), "she is here already");
}

async fn the_operator_manages_people_from_the_terminal(database: Database) {
    let site = Site::on(database, &["--signup", "closed"]).await;
    let server = &site.server;
    let made = user(&site, &["add", "Bob@Example.org", "--name", "Bob"], None);
    assert!(made.status.success(), "{}", text(&made.stderr));
    let made = text(&made.stdout);
    let password = made.lines().find_map(|line| line.strip_prefix("password: ")).expect("one is made up and shown");
    let mut bob = Browser::at(server);
    let known = bob.log_in("bob@example.org", password).await.expect(200).body;
    assert_eq!((&known["user"]["name"], &known["user"]["verified"]), (&json!("Bob"), &json!(true)));

    let again = user(&site, &["add", "bob@example.org"], None);
    assert!(!again.status.success() && text(&again.stderr).contains("already"), "{again:?}");
    let weak = user(&site, &["add", "eve@example.org", "--password-stdin"], Some("short\n"));
    assert!(!weak.status.success() && text(&weak.stderr).contains("10"), "{weak:?}");
    let list = text(&user(&site, &["list"], None).stdout);
    assert!(list.lines().any(|line| line.starts_with("bob@example.org") && line.contains("Bob")), "{list}");

    assert!(user(&site, &["disable", "bob@example.org"], None).status.success());
    assert_eq!(bob.email().await, None);
    assert!(text(&user(&site, &["list"], None).stdout).contains("disabled"));
    assert!(user(&site, &["enable", "bob@example.org"], None).status.success());
    bob.log_in("bob@example.org", password).await.expect(200);
    let changed = user(&site, &["passwd", "bob@example.org", "--password-stdin"], Some(PASSWORD));
    assert!(changed.status.success(), "{}", text(&changed.stderr));
    assert_eq!(bob.email().await, None, "all log-ins have ended");
    bob.log_in("bob@example.org", PASSWORD).await.expect(200);
    assert!(user(&site, &["rm", "bob@example.org"], None).status.success());
    assert_eq!(bob.email().await, None);
    let missing = user(&site, &["rm", "bob@example.org"], None);
    assert!(!missing.status.success() && text(&missing.stderr).contains("no such account"), "{missing:?}");
}
