//! The life of an account, from sign-up to its end.

use reqwest::Method;
use serde_json::{Value, json};

use super::visitor::{Browser, Database, Mailbox, PASSWORD, on_both_databases, server, server_on};

const ANN: &str = "ann@example.org";

on_both_databases! {
    an_account_from_its_first_day_to_its_last
    log_ins_and_accounts_outlive_the_server
    strangers_learn_nothing_about_addresses
    the_newest_sign_up_counts_until_the_address_is_confirmed
}

async fn an_account_from_its_first_day_to_its_last(database: Database) {
    let server = server_on(database, &[]).await;
    let mut mailbox = Mailbox::of(&server);
    let mut ann = Browser::at(&server);
    let nobody = ann.get("/api/auth/me").await.expect(200);
    assert_eq!(nobody.body, json!({"user": null, "auth_mode": "required", "signup": "open"}));
    assert_eq!(ann.get("/api/auth/sessions").await.said(), (401, "unauthorized"));

    // Sign-up: the address is not hers until the mail has shown it.
    let wish = json!({"email": " Ann@Example.org", "password": PASSWORD, "name": "Ann", "language": "ru"});
    let asked = ann.post("/api/auth/signup", wish).await.expect(202);
    assert_eq!(asked.body, json!({"status": "check_mail"}));
    let mail = mailbox.to(ANN).await;
    assert!(mail.text.contains("Подтвердите") && mail.link().starts_with(&server.url("/verify/?token=")), "{mail:?}");
    assert_eq!(ann.log_in(ANN, PASSWORD).await.said(), (403, "not_verified"));
    assert_eq!(ann.log_in(ANN, "another password").await.said(), (401, "wrong_credentials"), "first the password");
    let confirm = json!({"token": mail.token()});
    let user = ann.post("/api/auth/verify", confirm.clone()).await.expect(200).body;
    assert_eq!((&user["user"]["email"], &user["user"]["verified"]), (&json!(ANN), &json!(true)));
    assert_eq!((&user["user"]["language"], &user["user"]["admin"]), (&json!("ru"), &json!(false)));
    assert_eq!(ann.email().await.as_deref(), Some(ANN));
    let again = Browser::at(&server).post("/api/auth/verify", confirm).await;
    assert_eq!(again.said(), (422, "invalid_field"), "a link works once");

    // What she chooses.
    let change = json!({"name": "Ann L.", "language": null, "theme": "dark", "keep_audio": true, "retention_days": 30});
    let changed = ann.ask(Method::PATCH, "/api/auth/me", Some(change)).await.expect(200).body;
    assert_eq!(changed["user"]["name"], "Ann L.");
    assert_eq!((&changed["user"]["language"], &changed["user"]["theme"]), (&Value::Null, &json!("dark")));
    assert_eq!((&changed["user"]["keep_audio"], &changed["user"]["retention_days"]), (&json!(true), &json!(30)));
    for wrong in
        [json!({"theme": "pink"}), json!({"language": "de"}), json!({"retention_days": 0}), json!({"nme": "x"})]
    {
        assert_eq!(ann.ask(Method::PATCH, "/api/auth/me", Some(wrong)).await.said(), (422, "invalid_field"));
    }

    // A new log-in is a new session and ends the browser's old one.
    let before = ann.clone();
    ann.log_in(ANN, PASSWORD).await.expect(200);
    assert_ne!(before.cookie, ann.cookie);
    assert_eq!(before.clone().email().await, None);

    // Another browser, shown and ended.
    let mut phone = Browser::at(&server);
    phone.log_in(ANN, PASSWORD).await.expect(200);
    let sessions = ann.get("/api/auth/sessions").await.expect(200).body["sessions"].clone();
    let sessions = sessions.as_array().expect("a list");
    assert_eq!(sessions.len(), 2);
    assert_eq!((&sessions[0]["current"], &sessions[1]["current"]), (&json!(false), &json!(true)), "the newest first");
    assert_eq!((&sessions[0]["address"], &sessions[0]["user_agent"]), (&json!("127.0.0.1"), &json!("test browser")));
    let id = sessions[0]["id"].as_str().expect("an id");
    ann.delete(&format!("/api/auth/sessions/{id}")).await.expect(204);
    assert_eq!(ann.delete(&format!("/api/auth/sessions/{id}")).await.said(), (404, "not_found"));
    assert_eq!(phone.email().await, None);
    phone.log_in(ANN, PASSWORD).await.expect(200);

    // A new password ends the other log-ins and is told by mail.
    let new = "another four words here";
    let wrong = json!({"current": "not this one", "password": new});
    assert_eq!(ann.post("/api/auth/password/change", wrong).await.said(), (422, "invalid_field"));
    ann.post("/api/auth/password/change", json!({"current": PASSWORD, "password": new})).await.expect(204);
    assert_eq!((ann.email().await.as_deref(), phone.email().await), (Some(ANN), None));
    assert!(mailbox.to(ANN).await.text.contains("password"), "she reads as her browser asks");
    assert_eq!(phone.log_in(ANN, PASSWORD).await.said(), (401, "wrong_credentials"));

    // Forgotten: the mailed link sets a new one, once, and ends all log-ins.
    phone.post("/api/auth/password/forgot", json!({"email": ANN})).await.expect(202);
    let mail = mailbox.to(ANN).await;
    assert!(mail.link().contains("/password/reset/?token="), "{mail:?}");
    let weak = json!({"token": mail.token(), "password": "password123"});
    assert_eq!(phone.post("/api/auth/password/reset", weak).await.said(), (422, "invalid_field"));
    let reset = json!({"token": mail.token(), "password": PASSWORD});
    phone.post("/api/auth/password/reset", reset.clone()).await.expect(204);
    assert_eq!(phone.post("/api/auth/password/reset", reset).await.said(), (422, "invalid_field"), "once");
    assert_eq!(ann.email().await, None, "all log-ins have ended");
    ann.log_in(ANN, PASSWORD).await.expect(200);
    phone.log_in(ANN, PASSWORD).await.expect(200);
    ann.delete("/api/auth/sessions").await.expect(204);
    assert_eq!((ann.email().await.as_deref(), phone.email().await), (Some(ANN), None));

    // Out, and in again.
    let old = ann.clone();
    ann.ask(Method::POST, "/api/auth/logout", None).await.expect(204);
    assert_eq!((&ann.cookie, old.clone().email().await), (&None, None), "the cookie is gone, and worth nothing");
    ann.ask(Method::POST, "/api/auth/logout", None).await.expect(204);
    ann.log_in(ANN, PASSWORD).await.expect(200);

    // The end.
    let me = |password: &str| Some(json!({"password": password}));
    assert_eq!(ann.ask(Method::DELETE, "/api/auth/me", me("not this")).await.said(), (422, "invalid_field"));
    let gone = ann.clone();
    ann.ask(Method::DELETE, "/api/auth/me", me(PASSWORD)).await.expect(204);
    assert_eq!((&ann.cookie, gone.clone().email().await), (&None, None));
    assert_eq!(ann.log_in(ANN, PASSWORD).await.said(), (401, "wrong_credentials"));
    server.stop().await;
}

async fn log_ins_and_accounts_outlive_the_server(database: Database) {
    let folder = tempfile::tempdir().expect("a scratch folder");
    let chosen = database.flags();
    let mut flags = vec!["--auth-mode", "required", "--email-backend", "file"];
    flags.extend(chosen.iter().map(String::as_str));
    let first = crate::harness::TestServer::start_in(folder.path(), &flags).await;
    let mut browser = Browser::at(&first);
    browser.post("/api/auth/signup", json!({"email": ANN, "password": PASSWORD})).await.expect(202);
    // A server that stops does what it was asked first: the mail is there.
    first.stop().await;
    let second = crate::harness::TestServer::start_in(folder.path(), &flags).await;
    let mut browser = Browser::at(&second);
    let mail = Mailbox::in_folder(folder.path()).to(ANN).await;
    browser.post("/api/auth/verify", json!({"token": mail.token()})).await.expect(200);
    second.stop().await;
    let third = crate::harness::TestServer::start_in(folder.path(), &flags).await;
    let mut later = Browser::at(&third);
    later.cookie = browser.cookie;
    assert_eq!(later.email().await.as_deref(), Some(ANN));
}

async fn strangers_learn_nothing_about_addresses(database: Database) {
    let server = server_on(database, &[]).await;
    let mut mailbox = Mailbox::of(&server);
    Browser::join(&server, &mut mailbox, ANN).await;
    let mut stranger = Browser::at(&server);

    for path in ["/api/auth/password/forgot", "/api/auth/verify/resend"] {
        let known = stranger.post(path, json!({"email": ANN})).await.expect(202);
        let unknown = stranger.post(path, json!({"email": "nobody@example.org"})).await.expect(202);
        assert_eq!((known.body, known.headers.len()), (unknown.body, unknown.headers.len()), "{path}");
    }
    assert!(mailbox.to(ANN).await.link().contains("/password/reset/"));

    let wish = |email: &str| json!({"email": email, "password": "some other long password"});
    let known = stranger.post("/api/auth/signup", wish(ANN)).await.expect(202);
    let unknown = stranger.post("/api/auth/signup", wish("new@example.org")).await.expect(202);
    assert_eq!((known.body, known.headers.len()), (unknown.body, unknown.headers.len()));
    let told = mailbox.to(ANN).await;
    assert!(told.link().ends_with("/login/") && told.text.contains("/password/forgot/"), "{told:?}");
    mailbox.to("new@example.org").await;
    Browser::at(&server).log_in(ANN, PASSWORD).await.expect(200);

    let mut strip = Vec::new();
    for (email, password) in [(ANN, "a wrong password"), ("nobody@example.org", PASSWORD), ("not an address", PASSWORD)]
    {
        let mut refused = stranger.log_in(email, password).await;
        assert_eq!(refused.said(), (401, "wrong_credentials"));
        refused.body.as_object_mut().expect("a problem").remove("request_id");
        strip.push(refused.body);
    }
    assert!(strip.windows(2).all(|pair| pair[0] == pair[1]), "{strip:?}");
    assert_eq!(mailbox.count(), 4, "nobody else got mail");
}

async fn the_newest_sign_up_counts_until_the_address_is_confirmed(database: Database) {
    let server = server_on(database, &[]).await;
    let mut mailbox = Mailbox::of(&server);
    let mut browser = Browser::at(&server);
    let wish = |password: &str| json!({"email": ANN, "password": password});
    browser.post("/api/auth/signup", wish("the first long password")).await.expect(202);
    let first = mailbox.to(ANN).await.token();
    browser.post("/api/auth/signup", wish(PASSWORD)).await.expect(202);
    let second = mailbox.to(ANN).await.token();
    browser.post("/api/auth/verify/resend", json!({"email": ANN})).await.expect(202);
    mailbox.to(ANN).await;
    assert_eq!(browser.post("/api/auth/verify", json!({"token": first})).await.said(), (422, "invalid_field"));
    browser.post("/api/auth/verify", json!({"token": second})).await.expect(200);
    Browser::at(&server).log_in(ANN, PASSWORD).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_accounts_says_so() {
    let server = server(&["--auth-mode", "open"]).await;
    let mut anyone = Browser::at(&server);
    let me = anyone.get("/api/auth/me").await.expect(200).body;
    assert_eq!((&me["auth_mode"], &me["user"]["admin"]), (&json!("open"), &json!(true)));
    let body = json!({"email": ANN, "password": PASSWORD});
    assert_eq!(anyone.post("/api/auth/signup", body.clone()).await.said(), (409, "conflict"));
    assert_eq!(anyone.post("/api/auth/login", body).await.said(), (409, "conflict"));
    assert_eq!(anyone.get("/api/auth/sessions").await.said(), (409, "conflict"));
    let changed = anyone.ask(Method::PATCH, "/api/auth/me", Some(json!({"theme": "dark"}))).await.expect(200);
    assert_eq!(changed.body["user"]["theme"], "dark");
    assert_eq!(anyone.get("/api/auth/me").await.expect(200).body["user"]["theme"], "dark");
    let key = json!({"name": "a program", "scopes": ["asr"]});
    anyone.post("/api/keys/", key).await.expect(201);
    assert_eq!(anyone.get("/api/keys/").await.expect(200).body["keys"][0]["name"], "a program");
    // Keys are neither needed nor looked at.
    let answer = super::visitor::with_key(&server, "nonsense", Method::GET, "/api/auth/me").await.expect(200);
    assert_eq!(answer.body["auth_mode"], "open");
}
